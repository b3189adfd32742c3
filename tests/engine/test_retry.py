"""Which failed calls are repeated, and when."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from airflow_provider_oss import exceptions
from airflow_provider_oss.engine.retry import (
    Means,
    RetryingClient,
    RetryPolicy,
    is_worth_repeating,
    make_retrying,
    may_have_been_done,
)
from airflow_provider_oss.exceptions import ErrorDetails, OSSConnectionError, OSSProviderError, OSSServiceUnavailable
from airflow_provider_oss.model import ObjectOptions, ObjectRange, ObjectRef
from airflow_provider_oss.ports import ObjectClient
from tests.support.source_text import occurrences

AT_ONCE = RetryPolicy(tries=3, first_delay_seconds=0)
REPEATED = {
    "OSSConnectionError",
    "OSSConnectionTimeout",
    "OSSServiceUnavailable",
    "OSSBadResponse",
    "OSSChecksumMismatch",
    "OSSClockCorrected",
    "OSSCredentialsUnavailable",
    "OSSSourceUnavailable",
    "OSSWorkerExhausted",
}
ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, OSSProviderError) and error is not OSSProviderError
]


class Flaky:
    """A call that raises a few times before it works."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        self._failures = failures
        self._error = error or OSSServiceUnavailable("busy")
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return self.calls


@pytest.mark.parametrize("error", ERRORS)
def test_what_is_worth_repeating(error: type[OSSProviderError]) -> None:
    """Faults that may pass by themselves are repeated, and nothing else is."""
    assert is_worth_repeating(error("it broke")) == (error.__name__ in REPEATED)


@pytest.mark.parametrize("error", [ValueError(), OSError(), ConnectionError(), KeyboardInterrupt()])
def test_errors_of_others_are_not_repeated(error: BaseException) -> None:
    """An error that is not ours is no fault of OSS, so repeating the call is no answer to it."""
    assert not is_worth_repeating(error)


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_passing_faults_are_invisible(failures: int) -> None:
    """A call that works within its tries returns what it returns."""
    call = Flaky(failures)

    assert make_retrying(AT_ONCE, threading.Event())(call) == failures + 1


def test_the_last_error_is_raised_with_the_number_of_tries() -> None:
    """When all tries are used up the call's own error comes, with details and cause, and says how many."""
    error = OSSConnectionError("gone", ErrorDetails(key="a", part_number=7))
    error.__cause__ = cause = OSError("reset")
    call = Flaky(99, error)

    with pytest.raises(OSSConnectionError) as caught:
        make_retrying(AT_ONCE, threading.Event())(call)

    assert type(caught.value) is OSSConnectionError
    assert caught.value.message == "gone; given up after 3 tries"
    assert caught.value.details == error.details
    assert caught.value.__cause__ is cause
    assert call.calls == 3


def test_more_words_about_what_was_tried() -> None:
    """The caller may add to the words that say what was tried."""
    retrying = make_retrying(AT_ONCE, threading.Event(), tried=lambda tries: f"{tries}, all in vain")

    with pytest.raises(OSSServiceUnavailable, match=r"^busy; given up after 3 tries, all in vain$"):
        retrying(Flaky(99))


@pytest.mark.parametrize("name", ["initiate_multipart_upload", "upload_part", "upload_part_copy", "list_parts"])
@pytest.mark.parametrize(
    ("failures", "error"), [(0, None), (1, None), (99, None), (1, exceptions.OSSAccessDenied("no"))]
)
def test_failures_are_observed(failures: int, error: OSSProviderError | None, name: str) -> None:
    """Each failure worth repeating to begin or to send is reported, also the last, in the call's thread; no other."""
    client = flaky_client()
    seen: list[tuple[str, type[BaseException], threading.Thread]] = []
    client.failures, client.error = failures, error

    def observer_of(what: str) -> Callable[[OSSProviderError], None]:
        return lambda failed: seen.append((what, type(failed), threading.current_thread()))

    observed = RetryingClient(
        client,
        make_retrying(AT_ONCE, threading.Event()),
        begin_failed=observer_of("begin"),
        part_failed=observer_of("part"),
    )
    with suppress(OSSProviderError):
        CALLS[name](observed)

    times = 0 if error or name == "list_parts" else min(failures, AT_ONCE.tries)
    what = "begin" if name == "initiate_multipart_upload" else "part"
    assert seen == [(what, OSSServiceUnavailable, threading.current_thread())] * times


def test_what_an_observer_raises_ends_the_call() -> None:
    """Who looks at a failure may see that there is no point in another try: its error is the call's."""
    client = flaky_client()

    def give_up(_: OSSProviderError) -> None:
        raise exceptions.OSSSourceChanged("it changed")

    observed = RetryingClient(client, make_retrying(AT_ONCE, threading.Event()), part_failed=give_up)
    with pytest.raises(exceptions.OSSSourceChanged):
        observed.upload_part(REF, "U", 1, b"", 0, OPTIONS)

    assert client.failures == 1


class Credentials:
    """Credentials of which some more can be had."""

    def __init__(self, others: int) -> None:
        self.others = others
        self.asked = 0

    def renew(self) -> bool:
        self.asked += 1
        return self.asked <= self.others


def means_of(credentials: Credentials) -> Means[None]:
    return Means(None, AT_ONCE, credentials.renew)


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_call_is_repeated_and_renewed(others: int, caplog: pytest.LogCaptureFixture) -> None:
    """A call goes on as often as other credentials can be had; faults are repeated with each of them."""
    caplog.set_level("INFO")
    details = ErrorDetails("exports", "a b")
    expired = exceptions.OSSCredentialsExpired("too old", details)
    errors: list[OSSProviderError] = [OSSServiceUnavailable("busy"), expired] * 3
    credentials = Credentials(others)

    def ask(number: int, *, unit: str) -> str:
        if errors:
            raise errors.pop(0)
        return f"{number} {unit}"

    if others < 3:
        with pytest.raises(exceptions.OSSCredentialsExpired, match=r"^too old \[bucket=exports"):
            means_of(credentials).call(ask, 5, unit="s")
    else:
        assert means_of(credentials).call(ask, 5, unit="s") == "5 s"

    assert credentials.asked == min(others + 1, 3)
    renewed = [text for text in caplog.messages if "new credentials" in text]
    assert renewed == [f"oss://exports/a b: going on with new credentials: {expired}"] * others


@pytest.mark.parametrize(("refusals", "others", "asked"), [(1, 1, 1), (1, 0, 1), (2, 5, 1)])
def test_what_outlives_its_access_key(refusals: int, others: int, asked: int) -> None:
    """A refused AccessKey is renewed once, for the refusal may be a policy's; a call alone does not do that."""
    errors: list[OSSProviderError] = [exceptions.OSSAccessDenied("no")] * refusals
    credentials = Credentials(others)

    def look() -> str:
        if errors:
            raise errors.pop(0)
        return "there"

    if refusals > others or refusals > 1:
        with pytest.raises(exceptions.OSSAccessDenied):
            means_of(credentials).outliving(look)
    else:
        assert means_of(credentials).outliving(look) == "there"
    assert credentials.asked == asked

    errors.append(exceptions.OSSAccessDenied("no"))
    with pytest.raises(exceptions.OSSAccessDenied):
        means_of(credentials).call(look)
    assert credentials.asked == asked


@pytest.mark.parametrize(
    ("error", "may_be_done"),
    [
        (OSSConnectionError("reset"), True),
        (exceptions.OSSConnectionTimeout("silence"), True),
        (exceptions.OSSBadResponse("no XML"), True),
        (OSSServiceUnavailable("broke", ErrorDetails(http_status=500)), True),
        (OSSServiceUnavailable("busy", ErrorDetails(http_status=503)), False),
        (OSSServiceUnavailable("slow down", ErrorDetails(http_status=429)), False),
        (exceptions.OSSAccessDenied("no"), False),
        (KeyboardInterrupt(), False),
    ],
    ids=repr,
)
def test_what_may_have_been_done(error: BaseException, may_be_done: bool) -> None:  # noqa: FBT001 - a table
    """A lost or broken answer does not mean undone work; a refusal does, and so does "busy"."""
    assert may_have_been_done(error) == may_be_done


def test_an_error_that_stays_is_raised_at_once() -> None:
    """A call that fails for good is made once."""
    call = Flaky(99, exceptions.OSSAccessDenied("no"))

    with pytest.raises(exceptions.OSSAccessDenied):
        make_retrying(AT_ONCE, threading.Event())(call)

    assert call.calls == 1


def test_every_repetition_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log says which try failed, why, and that another follows."""
    make_retrying(AT_ONCE, threading.Event())(Flaky(2))

    assert caplog.messages == [
        "Try 1 failed, trying again in 0.0 s: busy",
        "Try 2 failed, trying again in 0.0 s: busy",
    ]


def test_who_is_told_to_stop_does_not_repeat() -> None:
    """Once stopping, a call that fails is not made again, and the error says that this is why."""
    stopping = threading.Event()
    stopping.set()
    call = Flaky(99)

    with pytest.raises(OSSServiceUnavailable, match=r"^busy; not repeated after 1 try: the transfer stops$"):
        make_retrying(AT_ONCE, stopping)(call)

    assert call.calls == 1


def test_who_may_try_once_tries_once() -> None:
    """With a single try allowed the error says that it was all there was."""
    with pytest.raises(OSSServiceUnavailable, match=r"^busy; given up after 1 try$"):
        make_retrying(RetryPolicy(tries=1), threading.Event())(Flaky(99))


def test_a_pause_is_cut_short() -> None:
    """Being told to stop ends a pause that would last for minutes."""
    stopping = threading.Event()
    patient = RetryPolicy(tries=2, first_delay_seconds=3600, longest_delay_seconds=3600)
    call = Flaky(99)
    retrying = make_retrying(patient, stopping)

    def fail() -> None:
        with pytest.raises(OSSServiceUnavailable):
            retrying(call)

    worker = threading.Thread(target=fail)
    worker.start()
    stopping.set()
    worker.join(10)

    assert not worker.is_alive()


def test_pauses_grow_within_bounds() -> None:
    """The pauses are random, doubled from try to try at most, and never longer than the longest."""
    policy = RetryPolicy(tries=8, first_delay_seconds=0.001, longest_delay_seconds=0.004)
    pauses: list[float] = []
    retrying = make_retrying(policy, threading.Event()).copy(sleep=pauses.append)

    with pytest.raises(OSSServiceUnavailable):
        retrying(Flaky(99))

    assert len(pauses) == 7
    assert all(0 <= pause <= min(0.001 * 2**number, 0.004) for number, pause in enumerate(pauses))


REF = ObjectRef("exports", "a")
OPTIONS = ObjectOptions()
CALLS: dict[str, Callable[[ObjectClient], Any]] = {
    "put_object": lambda client: client.put_object(REF, b"", 0, OPTIONS),
    "head_object": lambda client: client.head_object(REF),
    "initiate_multipart_upload": lambda client: client.initiate_multipart_upload(REF, OPTIONS),
    "upload_part": lambda client: client.upload_part(REF, "U", 1, b"", 0, OPTIONS),
    "upload_part_copy": lambda client: client.upload_part_copy(REF, "U", 1, ObjectRange(REF, "E", 0, 9), OPTIONS),
    "copy_object": lambda client: client.copy_object(ObjectRange(REF, "E", 0, 9), REF, OPTIONS),
    "list_parts": lambda client: client.list_parts(REF, "U"),
    "complete_multipart_upload": lambda client: client.complete_multipart_upload(REF, "U", iter(()), OPTIONS),
    "list_uploads": lambda client: client.list_uploads(REF),
    "abort_multipart_upload": lambda client: client.abort_multipart_upload(REF, "U"),
}


class FlakyClient:
    """A client of which every call fails twice, then returns its own arguments; one that begins fails at its answer."""

    def __init__(self) -> None:
        self.failures = 2
        self.error: OSSProviderError | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name.startswith("begin_"):
                return lambda: getattr(self, name.removeprefix("begin_"))(*arguments)
            if self.failures:
                self.failures -= 1
                raise self.error or OSSServiceUnavailable(name)
            return (name, *arguments)

        call.__name__ = name
        return call


def flaky_client() -> Any:
    """Return one: it has every method of a client, which no type shows."""
    return FlakyClient()


@pytest.mark.parametrize(("name", "call"), CALLS.items())
def test_every_call_of_a_client_is_repeated(name: str, call: Callable[[ObjectClient], Any]) -> None:
    """Each call is repeated with the same arguments until it works; what can be read once only is kept for that."""
    client = RetryingClient(flaky_client(), make_retrying(AT_ONCE, threading.Event()))

    answer = call(client)

    if name == "abort_multipart_upload":
        assert answer is None
    elif name == "complete_multipart_upload":
        assert answer == (name, REF, "U", (), OPTIONS)
    else:
        assert answer[0] == name


def test_each_try_of_a_part_is_in_flight() -> None:
    """What is to hold while a part is in flight holds in every try, not in the pauses, and for no other call."""
    entered: list[int] = []
    told: list[int] = []
    left: list[int] = []

    @contextmanager
    def in_flight() -> Iterator[Callable[[], None]]:
        entered.append(client.failures)
        try:
            yield lambda: told.append(client.failures)
        finally:
            left.append(client.failures)

    for name, call in CALLS.items():
        client = flaky_client()
        call(RetryingClient(client, make_retrying(AT_ONCE, threading.Event()), in_flight=in_flight))
        if name == "upload_part":
            assert (entered, told, left) == ([2, 1, 0], [2, 1, 0], [1, 0, 0])

    assert len(entered) == 6  # a part that OSS copies is in flight too, until its answer is there


def test_one_home() -> None:
    """No transfer repeats or renews by itself."""
    assert occurrences(r"except \(?OSSCredentialsExpired") == {"engine/retry.py"}
    assert occurrences(r"(?<!make_)\bRetrying\(") == {"engine/retry.py"}
