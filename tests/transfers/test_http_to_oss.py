"""HttpToOSSOperator, from a web server that misbehaves to the local OSS server."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from requests.auth import HTTPDigestAuth

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import OSSSourceChanged, OSSSourceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import REFUSED, Build, Run
from tests.support.sources import some_bytes
from tests.support.stores import MemoryStore
from tests.support.web_server import Answer, Handler, WebServer, chunked, in_turn, plain, ranged

PART_BYTES = 100 * KIB
DATA = some_bytes(10 * PART_BYTES)
QUICK = RetryPolicy(tries=2, first_delay_seconds=0.001, longest_delay_seconds=0.001)


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    set_connection(monkeypatch, web)
    monkeypatch.setattr("airflow_provider_oss.hooks.base.RetryPolicy", lambda: QUICK)


def set_connection(monkeypatch: pytest.MonkeyPatch, web: WebServer, **fields: Any) -> None:
    connection = {"conn_type": "http", "host": web.url} | fields
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps(connection))


def mirror(**changes: Any) -> Build:
    arguments: dict[str, Any] = {
        "task_id": "upload", "key": "key", "endpoint": "/data", "part_size": PART_BYTES, "parallel": 2,
    }  # fmt: skip
    return lambda: HttpToOSSOperator(**(arguments | changes))


def read(key: str = "key") -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def assert_nothing_stored() -> None:
    assert not OSSHook().object_exists("key")


class InterruptedTaskError(Exception):
    """Ends an attempt in the middle."""


def interrupt_at(done_bytes: int) -> Callable[..., None]:
    def progress(_fraction: float, checkpoint: Any, _response: Any) -> None:
        if checkpoint.done_bytes >= done_bytes:
            raise InterruptedTaskError

    return progress


pages = pytest.mark.parametrize(
    "page", [ranged(DATA), plain(DATA), chunked(DATA)], ids=["ranges", "length alone", "chunks"]
)


@pages
def test_stored(run: Run, web: WebServer, page: Handler) -> None:
    """The object is the answer, whatever the server can do, with the answer's Content-Type."""
    web.pages["/data"] = lambda request: page(request).with_headers(Content_Type="text/x-data")
    result = run(mirror())
    assert read() == DATA
    assert (result["size"], result["bytes_sent"]) == (len(DATA), len(DATA))
    assert OSSHook().head_object("key").content_type == "text/x-data"


@pages
def test_retry_continues(run: Run, web: WebServer, supervisor: Supervisor, page: Handler) -> None:
    """A second attempt sends only what OSS does not hold; from a server with ranges it asks only for that."""
    web.pages["/data"] = page
    with pytest.raises(InterruptedTaskError):
        run(mirror(progress=interrupt_at(5 * PART_BYTES)))
    first = len(web.ranges)

    result = run(mirror())

    assert read() == DATA
    assert (result["resumed"], result["attempts"]) == (True, 2)
    assert result["bytes_sent"] <= 5 * PART_BYTES
    assert result["bytes_sent"] + result["bytes_verified"] == len(DATA)
    if first:
        asked = web.ranges[first:]
        # What was stored behind the last save of the checkpoint is not proven, so it is compared
        assert result["bytes_sent"] <= sum(last - begin + 1 for begin, last in asked) <= 5 * PART_BYTES
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


@pytest.mark.parametrize("frame", [plain, chunked])
def test_break_off_at_60_percent(run: Run, web: WebServer, frame: Callable[..., Handler]) -> None:
    """An answer that breaks off at 60 % makes no object; the next attempt sends the rest."""
    web.pages["/data"] = in_turn(lambda request: replace(frame(DATA)(request), cut_at=6 * PART_BYTES), frame(DATA))
    store = MemoryStore()
    with pytest.raises(OSSSourceUnavailable, match="broke off"):
        run(mirror(checkpoint=store))
    assert_nothing_stored()
    result = run(mirror(checkpoint=store))
    assert read() == DATA
    assert result["bytes_verified"] >= 4 * PART_BYTES


def test_ranges_that_break_off(run: Run, web: WebServer) -> None:
    """Ranges that keep breaking off end the attempt without an object; the next one continues."""

    def broken(request: Any) -> Answer:
        answer = ranged(DATA)(request)
        beyond = request.byte_range is not None and request.byte_range[0] >= 6 * PART_BYTES
        return replace(answer, cut_at=1000) if beyond else answer

    web.pages["/data"] = broken
    store = MemoryStore()
    with pytest.raises(OSSSourceUnavailable, match=r"broke off.*given up after 2 tries"):
        run(mirror(checkpoint=store))
    assert_nothing_stored()
    web.pages["/data"] = ranged(DATA)
    result = run(mirror(checkpoint=store))
    assert (read(), result["resumed"]) == (DATA, True)


def test_other_content_in_the_middle(run: Run, web: WebServer) -> None:
    """A content that is replaced while it is read makes no object; the next attempt stores the new one alone."""
    other = DATA[:PART_BYTES] + some_bytes(9 * PART_BYTES, seed=1)
    web.pages["/data"] = in_turn(*[ranged(DATA, '"v1"')] * 5, ranged(other, '"v2"'))
    store = MemoryStore()
    with pytest.raises(OSSSourceChanged, match="changed while it was read"):
        run(mirror(checkpoint=store))
    assert_nothing_stored()
    assert store.upload_id is not None
    run(mirror(checkpoint=store))
    assert read() == other


def test_other_content_between_attempts(run: Run, web: WebServer) -> None:
    """With another ETag the stored parts are compared with what the server has now, and only equal ones stay."""
    store = MemoryStore()
    web.pages["/data"] = ranged(DATA, '"v1"')
    with pytest.raises(InterruptedTaskError):
        run(mirror(checkpoint=store, progress=interrupt_at(5 * PART_BYTES), parallel=1))
    other = DATA[: 3 * PART_BYTES] + some_bytes(7 * PART_BYTES, seed=1)
    web.pages["/data"] = ranged(other, '"v2"')
    result = run(mirror(checkpoint=store, parallel=1))
    assert (read(), result["bytes_verified"]) == (other, 3 * PART_BYTES)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusals(run: Run, web: WebServer, status: int) -> None:
    """What the server refuses fails the task at once, and the error names status and remedy."""
    web.pages["/data"] = lambda _: Answer(status, {"Content-Length": "0"})
    with pytest.raises(AirflowFailException, match=f"answered {status} .*check endpoint"):
        run(mirror())
    assert len(web.requests) == 1


@pytest.mark.parametrize("headers", [{1: "a"}, "{{ {'a': 'b'} }}"], ids=["number", "text"])
def test_headers_of_the_object_that_are_none(run: Run, web: WebServer, headers: Any) -> None:
    """With an answer that has an encoding, too, they fail the task at once."""
    web.pages["/data"] = plain(b"encoded", Content_Encoding="br")
    with pytest.raises(REFUSED, match=r"headers (key 1 )?is an? .*: give "):
        run(mirror(headers=headers))
    assert_nothing_stored()


def test_headers_that_are_text(run: Run, web: WebServer) -> None:
    """What a template made of a mapping fails at once, and says what to give."""
    with pytest.raises(AirflowFailException, match=r"request_headers is a str: give a mapping"):
        run(mirror(request_headers="{{ {'a': 'b'} }}"))
    assert web.requests == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request_kwargs": {"foo": 1}}, "request_kwargs has 'foo': give some of auth, cookies"),
        ({"request_kwargs": {"headers": {"a": "b"}}}, "request_kwargs has 'headers': give that by request_headers"),
        ({"request_kwargs": {"params": {"a": "b"}}}, "request_kwargs has 'params': give that by data"),
        ({"request_kwargs": {1: 2}}, "request_kwargs key 1 is an int: give text"),
        ({"request_kwargs": "x"}, "request_kwargs.* is a str: give a mapping"),
        ({"request_kwargs": {"json": {1, 2}}}, r"request_kwargs\['json'\] is a set: give what JSON can hold"),
        ({"request_kwargs": {"auth": 5}}, r"request_kwargs\['auth'\] is an int: give \(user, password\)"),
        ({"request_kwargs": {"cookies": 5}}, r"request_kwargs\['cookies'\] is an int: give a mapping"),
        ({"request_kwargs": {"hooks": 5}}, r"request_kwargs\['hooks'\] is an int: give a mapping"),
        ({"request_kwargs": {"files": 5}}, r"request_kwargs\['files'\] is an int: give a mapping"),
        ({"auth_type": 5}, "auth_type=5 is an int: give a function, or None"),
        ({"extra_options": "{{ {'timeout': 5} }}"}, "extra_options.* is a str: give a mapping"),
    ],
)
def test_arguments_of_a_wrong_kind(run: Run, web: WebServer, changes: dict[str, Any], message: str) -> None:
    """What requests cannot send fails at once, and the error names the argument and what to give."""
    with pytest.raises(REFUSED, match=message):
        run(mirror(**changes))
    assert web.requests == []


def test_host_that_is_none(run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that makes no URL fails at once, and the error names the connection, not its password."""
    set_connection(monkeypatch, web, host="http://me:s3cret@[bad")
    with pytest.raises(REFUSED, match="HTTP connection 'http_default' makes no URL") as caught:
        run(mirror())
    assert "s3cret" not in str(caught.value)


def test_type_that_no_header_holds(run: Run, web: WebServer) -> None:
    """A server's Content-Type never fails the task: what OSS cannot be told is left out."""
    web.pages["/data"] = ranged(DATA, Content_Type="text/\x01csv")
    run(mirror(key="key.json"))
    assert OSSHook().head_object("key.json").content_type == "application/json"


def test_trouble_that_passes(run: Run, web: WebServer) -> None:
    """A server that is busy for a moment costs no attempt."""
    busy: Handler = lambda _: Answer(503, {"Content-Length": "0"})  # noqa: E731 - a page like the others
    web.pages["/data"] = in_turn(busy, ranged(DATA), ranged(DATA), busy, ranged(DATA))
    run(mirror())
    assert read() == DATA


def test_small_answer(run: Run, web: WebServer, server: OSSEmulator) -> None:
    """An answer of one part or less is one request to OSS."""
    web.pages["/data"] = ranged(b"small")
    run(mirror())
    assert read() == b"small"
    assert [one.operation for one in server.requests if one.operation != "GetObject"] == ["PutObject"]


def test_empty_answer(run: Run, web: WebServer) -> None:
    """An empty answer is an empty object."""
    web.pages["/data"] = ranged(b"")
    assert run(mirror())["size"] == 0
    assert read() == b""


# The request


def test_request_is_that_of_http_operator(run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Login, headers of the connection and of the task, parameters: all that is asked for is templated and sent."""
    set_connection(monkeypatch, web, login="me", password="s3cret", extra={"X-Of-Connection": "1", "timeout": 5})
    web.pages["/data/2026-11-21"] = ranged(DATA)
    run(
        mirror(
            endpoint="data/{{ ds }}",
            data={"kind": "{{ params.kind }}"},
            request_headers={"X-Run": "{{ run_id }}"},
        )
    )
    for request in web.requests:
        assert request.headers["Authorization"] == "Basic bWU6czNjcmV0"
        assert (request.headers["X-Of-Connection"], request.headers["X-Run"]) == ("1", "manual__1")
        assert (request.query, request.headers["Accept-Encoding"]) == ("kind=csv", "identity")
    assert read() == DATA


def test_post(run: Run, web: WebServer) -> None:
    """A POST with a JSON body is asked for once, and its answer stored."""
    web.pages["/data"] = ranged(DATA)
    run(mirror(method="post", request_kwargs={"json": {"day": "{{ ds }}"}}))
    [request] = web.requests
    assert (request.method, json.loads(request.body), request.byte_range) == ("POST", {"day": "2026-11-21"}, None)
    assert read() == DATA


def test_authentication_with_a_challenge(run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digest authentication, which answers a challenge in every thread, works with ranges in threads."""
    set_connection(monkeypatch, web, login="me", password="s3cret")

    def guarded(request: Any) -> Answer:
        if "Authorization" in request.headers:
            return ranged(DATA)(request)
        challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
        return Answer(401, {"WWW-Authenticate": challenge, "Content-Length": "0"})

    web.pages["/data"] = guarded
    run(mirror(auth_type=HTTPDigestAuth, parallel=4))
    assert read() == DATA


def test_redirects(run: Run, web: WebServer) -> None:
    """Every range follows the redirect anew, so that a signature in it is as fresh as the request."""
    web.pages["/data"] = lambda _: Answer(302, {"Location": "/real?signature=s3cret", "Content-Length": "0"})
    web.pages["/real"] = ranged(DATA)
    run(mirror())
    assert read() == DATA
    asked = [request.path for request in web.requests]
    assert asked.count("/data") == asked.count("/real") == 12


def test_secrets_stay_at_home(run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect to another host takes along neither the task's headers, nor the connection's, nor its password."""
    extra = {"X-Api-Key": "s3cret"}
    set_connection(monkeypatch, web, login="me", password="s3cret", extra=extra)
    with WebServer() as other:
        web.pages["/data"] = lambda _: Answer(302, {"Location": f"{other.url}/real", "Content-Length": "0"})
        other.pages["/real"] = ranged(DATA)
        run(mirror(request_headers={"X-Of-Task": "s3cret"}))
    assert read() == DATA
    assert {(request.headers["X-Api-Key"], request.headers["X-Of-Task"]) for request in web.requests} == {
        ("s3cret", "s3cret")
    }
    for request in other.requests:
        assert not {"Authorization", "X-Api-Key", "X-Of-Task"} & set(request.headers)


def test_connections_are_kept(run: Run, web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    """As many connections as parts in flight are made, and kept for the next ranges."""
    parallel = 20
    data = some_bytes(200 * PART_BYTES)
    web.pages["/data"] = ranged(data)
    run(mirror(parallel=parallel))
    assert read() == data
    assert len({request.client for request in web.requests}) <= parallel + 2  # two were asked for the first byte
    assert "pool is full" not in caplog.text


def test_secrets_of_the_url(
    run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither result nor log nor checkpoint nor error shows user, password or query of the URL."""
    caplog.set_level(logging.INFO)
    set_connection(monkeypatch, web, host=web.url.replace("//", "//me:s3cret@"))
    web.pages["/data"] = ranged(DATA)
    store = MemoryStore()
    with pytest.raises(InterruptedTaskError):
        run(mirror(endpoint="/data?token=s3cret", checkpoint=store, progress=interrupt_at(PART_BYTES)))
    shown = [json.dumps(store.data)]
    web.pages["/data"] = lambda _: Answer(503, {"Content-Length": "0"})
    with pytest.raises(OSSSourceUnavailable) as caught:
        run(mirror(endpoint="/data?token=s3cret", checkpoint=store))
    shown.append(repr(caught.value))
    web.pages["/data"] = ranged(DATA)
    shown.append(json.dumps(run(mirror(endpoint="/data?token=s3cret", checkpoint=store))))
    assert read() == DATA
    assert "s3cret" not in "\n".join([*shown, caplog.text])
    assert f"{web.url}/data" in shown[0]


def test_query_is_masked(run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The query, with the parameters of the task, is masked: urllib3 logs it at level DEBUG."""
    masked: list[str] = []
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", masked.append)
    web.pages["/data"] = ranged(DATA)
    run(mirror(endpoint="/data?a=1", data={"token": "s3c/ret"}))
    assert masked.count("a=1&token=s3c%2Fret") == 1


# What is stored


def test_compressed_answer(run: Run, web: WebServer) -> None:
    """A compressed answer is stored as it was sent, and the object says how."""
    packed = gzip.compress(DATA)
    web.pages["/data"] = plain(packed, Content_Encoding="gzip", Content_Type="text/plain")
    run(mirror(headers={"Cache-Control": "no-store"}))
    assert read() == packed
    headers = OSSHook().head_object("key").headers
    assert (headers["content-encoding"], headers["cache-control"]) == ("gzip", "no-store")


def test_decompress(run: Run, web: WebServer) -> None:
    """With ``decompress`` compression is asked for, and the object holds what was compressed."""
    web.pages["/data"] = plain(gzip.compress(DATA), Content_Encoding="gzip")
    run(mirror(decompress=True, mime="text/plain"))
    assert read() == DATA
    info = OSSHook().head_object("key")
    assert ("content-encoding" in info.headers, info.content_type) == (False, "text/plain")
    assert web.requests[0].headers["Accept-Encoding"] == "gzip, deflate"


def test_what_the_user_says_goes_first(run: Run, web: WebServer) -> None:
    """Given ``mime``, Content-Encoding and Accept-Encoding are not replaced."""
    web.pages["/data"] = plain(DATA, Content_Encoding="gzip", Content_Type="text/plain")
    run(mirror(mime="application/x-own", headers={"content-encoding": "br"}, request_headers={"accept-encoding": "br"}))
    info = OSSHook().head_object("key")
    assert (info.content_type, info.headers["content-encoding"]) == ("application/x-own", "br")
    assert web.requests[0].headers["Accept-Encoding"] == "br"


def test_end_that_cannot_be_seen(run: Run, web: WebServer) -> None:
    """An answer of which nobody could see that it broke off is stored only when the user takes the risk."""
    web.pages["/data"] = lambda _: Answer(200, {}, DATA)
    with pytest.raises(AirflowFailException, match="trust_connection_close=True"):
        run(mirror())
    assert_nothing_stored()
    run(mirror(trust_connection_close=True))
    assert read() == DATA
