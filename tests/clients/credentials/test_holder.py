"""Credentials are renewed in time, once, by whoever comes first; a source that fails costs nothing while they last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialsUri
from airflow_provider_oss.exceptions import OSSCredentialsRefused, OSSCredentialsUnavailable
from tests.support.credential_services import Bank, of_text, serve_uri
from tests.support.moved_clock import MovedClock
from tests.support.web_server import Answer, WebRequest, WebServer


@pytest.fixture
def clock() -> MovedClock:
    """Right at first."""
    return MovedClock()


@pytest.fixture
def told() -> list[str]:
    """The AccessKey IDs that Airflow's masker would have learned of."""
    return []


@pytest.fixture
def holder(web: WebServer, bank: Bank, clock: MovedClock, told: list[str]) -> CredentialsHolder:
    """It asks a service whose sessions last an hour."""
    source = CredentialsUri(serve_uri(web, bank))
    return CredentialsHolder(source, lambda found: told.append(found.access_key_id), clock)


@contextmanager
def held_up(web: WebServer) -> Iterator[threading.Event]:
    """Let the service answer when the block ends; the event is set when it has been asked."""
    answer, asked, released = web.pages["/credentials"], threading.Event(), threading.Event()

    def wait(request: WebRequest) -> Answer:
        asked.set()
        released.wait(20)
        return answer(request)

    web.pages["/credentials"] = wait
    try:
        yield asked
    finally:
        released.set()
        web.pages["/credentials"] = answer


def fail(web: WebServer, status: int = 503) -> None:
    web.pages["/credentials"] = lambda _: of_text(status, "")


def number(credentials: Credentials) -> int:
    return int(credentials.access_key_id.removeprefix("STS.number"))


def test_fixed_credentials_are_what_they_are() -> None:
    """A given AccessKey is never asked for, nor renewed."""
    key = Credentials("LTAI-id", "the-secret", "token")
    holder = CredentialsHolder(key)
    assert holder.current is key
    holder.refused("token")
    assert not holder.renew()
    assert holder.current is key


def test_nobody_is_asked_before_it_is_needed(holder: CredentialsHolder, web: WebServer) -> None:
    """Making a client asks nobody; using it asks once."""
    assert web.requests == []
    assert {holder.current for _ in range(100)} == {holder.current}
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("lifetime", "still_good", "due"), [(3600.0, 2690.0, 2702.0), (600.0, 445.0, 452.0)], ids=["hour", "ten minutes"]
)
def test_renewed_before_they_expire(
    holder: CredentialsHolder, bank: Bank, clock: MovedClock, lifetime: float, still_good: float, due: float
) -> None:
    """A quarter of an hour before the end, of short ones when a quarter is left, there are others."""
    bank.lifetime_seconds = lifetime
    first = holder.current
    clock.offset = still_good
    assert holder.current is first
    clock.offset = due
    assert number(holder.current) == 2


def test_one_asks_and_the_others_go_on(holder: CredentialsHolder, web: WebServer, clock: MovedClock) -> None:
    """While one thread renews valid credentials, others sign with them and do not wait."""
    first = holder.current
    clock.offset = 3000
    with ThreadPoolExecutor(1) as pool, held_up(web) as asked:
        renewed = pool.submit(lambda: holder.current)
        assert asked.wait(20)
        assert holder.current is first
        assert holder.current is first
    assert number(renewed.result()) == 2
    assert number(holder.current) == 2
    assert len(web.requests) == 2


@pytest.mark.parametrize("expired_before", [False, True])
def test_all_wait_for_the_one_that_asks(
    holder: CredentialsHolder,
    web: WebServer,
    clock: MovedClock,
    expired_before: bool,  # noqa: FBT001 - a table
) -> None:
    """Where there are no valid credentials all threads get those that one of them asks for."""
    if expired_before:
        assert number(holder.current) == 1
        clock.offset = 3601
        web.requests.clear()
    with ThreadPoolExecutor(8) as pool, held_up(web) as asked:
        found = [pool.submit(lambda: holder.current) for _ in range(8)]
        assert asked.wait(20)
    assert len({one.result() for one in found}) == 1
    assert len(web.requests) == 1


def test_a_failure_is_shared_by_those_who_waited(holder: CredentialsHolder, web: WebServer) -> None:
    """Eight threads that wait for a source that fails ask it once and all are told; the next one asks again."""
    with ThreadPoolExecutor(8) as pool:
        with held_up(web) as asked:
            inner = web.pages["/credentials"]
            begun = threading.Barrier(9)

            def current() -> Credentials:
                begun.wait(20)
                return holder.current

            web.pages["/credentials"] = lambda request: (inner(request), of_text(503, ""))[1]
            found = [pool.submit(current) for _ in range(8)]
            begun.wait(20)
            assert asked.wait(20)
        errors = [one.exception() for one in found]
    assert {type(error) for error in errors} == {OSSCredentialsUnavailable}
    assert len(web.requests) < 8
    assert number(holder.current) > 0


def test_failing_source_while_the_old_ones_are_valid(
    holder: CredentialsHolder, web: WebServer, bank: Bank, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A renewal that fails in time costs nothing but a line in the log, and is tried again after a pause."""
    first = holder.current
    fail(web)
    clock.offset = 3000
    assert holder.current is first
    assert holder.current is first
    assert len(web.requests) == 2
    assert caplog.text.count("still valid, but not renewed: credentials_uri") == 1

    clock.offset = 3016
    serve_uri(web, bank)
    assert number(holder.current) == 2


@pytest.mark.parametrize(("status", "error"), [(503, OSSCredentialsUnavailable), (404, OSSCredentialsRefused)])
def test_failing_source_when_they_have_expired(
    holder: CredentialsHolder, web: WebServer, bank: Bank, clock: MovedClock, status: int, error: type[Exception]
) -> None:
    """Without valid credentials the source's own error is raised, until it answers again."""
    assert number(holder.current) == 1
    fail(web, status)
    clock.offset = 3601
    for _ in range(2):
        with pytest.raises(error, match=f"HTTP status {status}"):
            _ = holder.current
    serve_uri(web, bank)
    assert number(holder.current) == 2


def test_a_clock_that_is_ahead(holder: CredentialsHolder, web: WebServer, bank: Bank, clock: MovedClock) -> None:
    """New credentials that look expired by OSS's time are used all the same: the source is not asked every time."""
    bank.said_lifetime_seconds = 60
    clock.offset = 100
    found = holder.current
    assert holder.current is found
    assert len(web.requests) == 1


def test_unknown_end(web: WebServer, clock: MovedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that do not say when they end are looked at again every five minutes."""
    from airflow_provider_oss.clients.credentials.sources import DefaultChain  # noqa: PLC0415 - used here only

    monkeypatch.setenv("OSS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", "secret")
    holder = CredentialsHolder(DefaultChain(), now=clock)
    assert holder.current.access_key_id == "first"
    monkeypatch.setenv("OSS_ACCESS_KEY_ID", "second")
    assert holder.current.access_key_id == "first"
    clock.offset = 301
    assert holder.current.access_key_id == "second"
    assert web.requests == []


def test_refused_by_oss(holder: CredentialsHolder, web: WebServer) -> None:
    """What OSS refuses is not used again, whatever end it has; the refusal of an earlier token changes nothing."""
    first = holder.current
    holder.accepted()
    holder.refused(first.security_token)
    assert holder.renew()
    assert number(holder.current) == 2
    holder.refused(first.security_token)
    assert holder.renew()
    assert number(holder.current) == 2
    assert len(web.requests) == 2


def test_refused_and_no_others(holder: CredentialsHolder, web: WebServer, bank: Bank) -> None:
    """A source that gives again what OSS refused has no others."""
    answer = of_text(200, "")
    serve_uri(web, bank)
    answer = web.pages["/credentials"](web.requests[0] if web.requests else None)  # type: ignore[arg-type]
    web.pages["/credentials"] = lambda _: answer
    holder.refused(holder.current.security_token)
    assert not holder.renew()


def test_refused_while_the_source_fails(holder: CredentialsHolder, web: WebServer, bank: Bank) -> None:
    """A source out of order may have others later: the next request asks, not with what was refused."""
    holder.refused(holder.current.security_token)
    fail(web)
    assert holder.renew()
    with pytest.raises(OSSCredentialsUnavailable):
        _ = holder.current
    fail(web, 404)
    with pytest.raises(OSSCredentialsRefused):
        holder.renew()
    serve_uri(web, bank)
    assert number(holder.current) == 2


def test_refused_whatever_the_source_gives(holder: CredentialsHolder, web: WebServer) -> None:
    """Where OSS accepts none of a source's tokens an upload does not ask for ever."""
    renewals = 0
    while True:
        holder.refused(holder.current.security_token)
        if not holder.renew():
            break
        renewals += 1
    assert renewals == 2
    assert len(web.requests) == 3


def test_refused_together(holder: CredentialsHolder, web: WebServer) -> None:
    """The parts in flight are refused together: that is one refusal, after which others are asked for once."""
    held = holder.current
    for _ in range(5):
        holder.refused(held.security_token)
    assert holder.renew()
    assert number(holder.current) == 2
    assert len(web.requests) == 2


def test_masked_in_the_thread_that_may(holder: CredentialsHolder, clock: MovedClock, told: list[str]) -> None:
    """New secrets are told in the thread that made the holder only: at once, or when it comes next."""
    assert number(holder.current) == 1
    assert told == ["STS.number1"]
    clock.offset = 3601
    with ThreadPoolExecutor(1) as pool:
        assert number(pool.submit(lambda: holder.current).result()) == 2
        assert told == ["STS.number1"]
    assert number(holder.current) == 2
    assert told == ["STS.number1", "STS.number2"]


def test_replaced_while_they_are_renewed(web: WebServer, bank: Bank) -> None:
    """A thread that was about to ask signs with the AccessKey that another one put there meanwhile."""
    key = Credentials("LTAI-id", "the-secret")
    clock = MovedClock()
    calls: list[float] = []
    holder: CredentialsHolder

    def now() -> float:
        if clock.offset and len(calls) < 2:  # the second is when it has been decided that they are due
            calls.append(clock.offset)
            if len(calls) == 2:
                holder.replace(key)
        return clock()

    holder = CredentialsHolder(CredentialsUri(serve_uri(web, bank)), now=now)
    assert number(holder.current) == 1
    clock.offset = 3601
    assert holder.current is key
    assert len(web.requests) == 1


def test_replaced_after_refusals(holder: CredentialsHolder, web: WebServer, bank: Bank) -> None:
    """What was in vain with the former source says nothing of the new one."""
    for _ in range(3):
        holder.refused(holder.current.security_token)
        holder.renew()
    holder.replace(CredentialsUri(f"{serve_uri(web, bank)}?other"))
    holder.refused(holder.current.security_token)
    assert holder.renew()


def test_another_source_takes_over(holder: CredentialsHolder) -> None:
    """Replaced by an AccessKey, the source is asked no more; replaced by a source, that is asked."""
    source = CredentialsUri(f"{holder.current.origin.partition('(')[2].rstrip(')')}?other")
    holder.replace(Credentials("LTAI-id", "the-secret"))
    assert holder.current.access_key_id == "LTAI-id"
    holder.replace(source)
    assert number(holder.current) == 2
