"""HTTP servers of all kinds as sources."""

from __future__ import annotations

import gzip
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import (
    OSSInvalidSource,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceUnavailable,
)
from airflow_provider_oss.model import Part
from airflow_provider_oss.sources.http import AnswerOptions, HttpSource, HttpStream, open_http, parse_content_range
from airflow_provider_oss.sources.http_request import HttpRequest
from tests.clients.support import make_certificate
from tests.sources.policies import QUICK
from tests.support.sources import some_bytes
from tests.support.web_server import Answer, Handler, WebServer, chunked, in_turn, plain, ranged

DATA = some_bytes(1_000_000)
FIRST = Part(1, 0, 300_000)
LAST = Part(4, 900_000, 100_000)
IDENTITY = {"Accept-Encoding": "identity"}


def request_to(web: WebServer, path: str = "/data", **changes: Any) -> HttpRequest:
    arguments: dict[str, Any] = {
        "session": requests.Session(), "method": "GET", "url": f"{web.url}{path}", "headers": IDENTITY,
        "timeout_seconds": (2.0, 2.0),
    }  # fmt: skip
    return HttpRequest(**(arguments | changes))


def open_page(web: WebServer, page: Handler, **changes: Any) -> HttpSource | HttpStream:
    web.pages["/data"] = page
    arguments: dict[str, Any] = {"use_ranges": True, "options": AnswerOptions(), "retry": QUICK}
    return open_http(request_to(web), **(arguments | changes))


def open_ranged(web: WebServer, page: Handler) -> HttpSource:
    source = open_page(web, page)
    assert isinstance(source, HttpSource)
    return source


def open_stream(web: WebServer, page: Handler, **changes: Any) -> HttpStream:
    stream = open_page(web, page, **changes)
    assert isinstance(stream, HttpStream)
    return stream


def read(stream: HttpStream) -> bytes:
    return b"".join(stream())


# Ranges


def test_ranges(web: WebServer) -> None:
    """A server with ranges and a strong ETag is read in ranges; size, version and type are what it tells."""
    source = open_ranged(web, ranged(DATA, Content_Type="text/csv", Last_Modified="Sat, 21 Nov 2026 10:00:00 GMT"))
    reader = source.open()
    assert bytes(reader.data(LAST)) == DATA[900_000:]
    assert bytes(reader.data(FIRST)) == DATA[:300_000]
    reader.check_unchanged()
    fingerprint = reader.fingerprint
    assert (fingerprint.name, fingerprint.size_bytes) == (f"{web.url}/data", len(DATA))
    assert fingerprint.modified_at == "2026-11-21T10:00:00+00:00"
    assert fingerprint.version is not None
    assert source.content_type == "text/csv"
    assert web.ranges == [(900_000, 999_999), (0, 299_999)]
    assert [request.headers["If-Range"] for request in web.requests[1:]] == ['"v1"'] * 3


def test_ranges_in_threads(web: WebServer) -> None:
    """Several threads read at once, and each gets its own bytes."""
    reader = open_ranged(web, ranged(DATA)).open()
    parts = [Part(number, (number - 1) * 10_000, 10_000) for number in range(1, 101)]
    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(reader.data, parts)) == DATA


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"params": {"day": "2"}}, False),
        ({"url": "?day=2"}, False),
    ],
)
def test_version_is_of_the_whole_url(web: WebServer, change: dict[str, Any], *, is_same: bool) -> None:
    """Another query is another content, though the ETag may be the same: the name does not tell the query."""
    web.pages["/data"] = ranged(DATA)
    request = request_to(web)
    other = replace(request, **{**change, "url": request.url + change.get("url", "")})
    first, second = (open_http(one, use_ranges=True, options=AnswerOptions(), retry=QUICK) for one in (request, other))
    assert isinstance(first, HttpSource)
    assert isinstance(second, HttpSource)
    assert first.open().fingerprint.name == second.open().fingerprint.name
    assert (first.open().fingerprint == second.open().fingerprint) is is_same


@pytest.mark.parametrize("look", ["data", "check_unchanged"])
@pytest.mark.parametrize(
    "later",
    [
        ranged(DATA[::-1], '"v2"'),
        plain(DATA),
        lambda request: ranged(DATA)(request).with_headers(ETag='"v2"'),
        lambda request: ranged(DATA)(request).with_headers(ETag=None),
        lambda _: Answer(412, {"Content-Length": "0"}),
        ranged(b"", '"v1"'),
    ],
    ids=["other content", "no ranges", "other ETag", "no ETag", "412", "shrunk to nothing"],
)
def test_changed(web: WebServer, later: Handler, look: str) -> None:
    """A range of anything else than what was there at first is no range of the source."""
    reader = open_ranged(web, in_turn(ranged(DATA), later)).open()
    with pytest.raises(OSSSourceChanged, match="changed while it was read"):
        reader.data(FIRST) if look == "data" else reader.check_unchanged()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Content_Range": "bytes 0-299999/1000001"}, "answered Content-Range"),
        ({"Content_Range": "bytes 1-300000/1000000"}, "answered Content-Range"),
        ({"Content_Range": None}, "answered Content-Range"),
        ({"Content_Encoding": "gzip"}, "Content-Encoding"),
        ({"Content_Length": None, "Transfer_Encoding": "chunked", "longer": "yes"}, "more than the 300000 bytes"),
    ],
)
def test_wrong_ranges(web: WebServer, wrong: dict[str, str | None], message: str) -> None:
    """An answer with other bytes than asked for is an error that names the way out."""

    def later(request: Any) -> Answer:
        answer = ranged(DATA)(request).with_headers(**wrong)
        return replace(answer, body=answer.body + b"x") if "longer" in wrong else answer

    reader = open_ranged(web, in_turn(ranged(DATA), later)).open()
    with pytest.raises(OSSInvalidSource, match=f"(?s){message}.*use_ranges=False"):
        reader.data(FIRST)


def cut(page: Handler, at: int) -> Handler:
    return lambda request: replace(page(request), cut_at=at)


def short(request: Any) -> Answer:
    answer = ranged(DATA)(request)
    return replace(answer, body=answer.body[:1000]).with_headers(Content_Length="1000")


@pytest.mark.parametrize(
    "trouble",
    [
        cut(ranged(DATA), 180_000),
        short,
        lambda _: Answer(503, {"Content-Length": "0"}),
        lambda _: Answer(507, {"Content-Length": "0"}),
        lambda _: Answer(522, {"Content-Length": "0"}),
        lambda _: Answer(429, {"Content-Length": "0"}),
    ],
    ids=["breaks off", "too short", "503", "507", "522", "429"],
)
def test_trouble_that_passes(web: WebServer, trouble: Handler) -> None:
    """A range that breaks off, or is refused for now, is asked for again."""
    reader = open_ranged(web, in_turn(ranged(DATA), trouble, ranged(DATA))).open()
    assert bytes(reader.data(FIRST)) == DATA[:300_000]
    assert web.ranges == [(0, 299_999)] * 2


def test_trouble_that_stays(web: WebServer) -> None:
    """After the tries of the policy a range is given up, with an error that another attempt may mend."""
    reader = open_ranged(web, in_turn(ranged(DATA), cut(ranged(DATA), 180_000))).open()
    with pytest.raises(OSSSourceUnavailable, match=r"broke off.*given up after 3 tries"):
        reader.data(FIRST)
    assert web.ranges == [(0, 299_999)] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501, 505])
@pytest.mark.parametrize("when", ["at once", "later"])
def test_refusals(web: WebServer, status: int, when: str) -> None:
    """What no repetition mends is asked once and is an error for good, at the beginning and later."""
    refuse: Handler = lambda _: Answer(status, {"Content-Length": "0"})  # noqa: E731 - a page like the others
    with pytest.raises(OSSInvalidSource, match=f"answered {status} "):
        open_ranged(web, in_turn(ranged(DATA), refuse) if when == "later" else refuse).open().data(FIRST)
    assert len(web.requests) == (2 if when == "later" else 1)


# Forward


@pytest.mark.parametrize(
    "page",
    [
        plain(DATA),
        chunked(DATA),
        chunked(DATA, ETag='"v1"'),
        ranged(DATA, 'W/"v1"'),
        lambda request: ranged(DATA)(request).with_headers(ETag=None),
        lambda request: (
            ranged(DATA)(request).with_headers(Content_Range="bytes 0-0/*")
            if request.byte_range
            else plain(DATA)(request)
        ),
    ],
    ids=["no ranges", "chunked", "chunked with ETag", "weak ETag", "no ETag", "no size"],
)
def test_forward(web: WebServer, page: Handler) -> None:
    """A server that promises too little for ranges is read forward, whole, and again from the beginning."""
    stream = open_stream(web, page)
    assert read(stream) == DATA
    assert read(stream) == DATA
    assert web.ranges == []


def test_forward_when_told_so(web: WebServer) -> None:
    """``use_ranges=False`` asks for no range of a server that has them."""
    assert read(open_stream(web, ranged(DATA), use_ranges=False)) == DATA
    assert [request.headers["Range"] for request in web.requests] == [None]


def test_first_answer_is_used(web: WebServer) -> None:
    """A server without ranges is asked once: its answer to the first question is the content."""
    assert read(open_stream(web, plain(DATA))) == DATA
    assert len(web.requests) == 1


@pytest.mark.parametrize("page", [ranged(b""), plain(b""), chunked(b"")])
def test_nothing(web: WebServer, page: Handler) -> None:
    """An empty answer is an empty content."""
    assert read(open_stream(web, page)) == b""


@pytest.mark.parametrize(
    "page",
    [
        cut(plain(DATA), 600_000),
        cut(chunked(DATA), 600_000),
        cut(plain(gzip.compress(DATA), Content_Encoding="gzip"), 600_000),
        plain(gzip.compress(DATA)[:-10], Content_Encoding="gzip"),
        chunked(gzip.compress(DATA)[:600_000], Content_Encoding="gzip"),
    ],
    ids=["length", "chunks", "gzip", "gzip cut by its server", "gzip in chunks cut by its server"],
)
def test_answer_that_breaks_off(web: WebServer, page: Handler) -> None:
    """An answer that ends before its end is an error that another attempt may mend, however it is framed."""
    stream = open_stream(web, page, options=AnswerOptions(decompress=True))
    with pytest.raises(OSSSourceUnavailable, match="broke off"):
        read(stream)


def test_end_that_cannot_be_seen(web: WebServer) -> None:
    """An answer that ends with its connection is refused, unless the user takes the risk."""
    page: Handler = lambda _: Answer(200, {}, DATA)  # noqa: E731 - a page like the others
    with pytest.raises(OSSInvalidSource, match="trust_connection_close=True"):
        read(open_stream(web, page))
    assert read(open_stream(web, page, options=AnswerOptions(trust_connection_close=True))) == DATA


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"Content-Length": text}
            for text in ("20 bytes", "2e1", "", "-1", "0x14", "+20", "2_0", "20, 21", "9" * 5000)
        ),
        {"Transfer-Encoding": "chunkedx"},
        {"Transfer-Encoding": "identity"},
    ],
    ids=str,
)
def test_end_that_cannot_be_read(web: WebServer, headers: dict[str, str]) -> None:
    """A length that is none, or a coding that nobody knows, marks no end: a cut answer would be taken for whole."""
    with pytest.raises(OSSInvalidSource, match=r"trust_connection_close=True|Transfer-Encoding 'chunkedx'|cannot be"):
        read(open_stream(web, lambda _: Answer(200, headers, b"the first half"), use_ranges=False))


@pytest.mark.parametrize("codings", ["gzip, chunked", "chunked, gzip", "gzip", "chunked, chunked"])
@pytest.mark.parametrize("trusted", [True, False])
def test_transfer_codings(web: WebServer, codings: str, *, trusted: bool) -> None:
    """What is coded for its way alone is not stored as the content."""
    page: Handler = lambda request: chunked(gzip.compress(DATA))(request).with_headers(Transfer_Encoding=codings)  # noqa: E731 - as the others
    options = AnswerOptions(trust_connection_close=trusted)
    with pytest.raises(OSSInvalidSource, match=r"Transfer-Encoding|trust_connection_close"):
        read(open_stream(web, page, options=options))


def test_length_that_is_told_twice(web: WebServer) -> None:
    """The same length twice is a length."""
    page: Handler = lambda _: Answer(200, {"Content-Length": "4, 4"}, b"data", cut_at=4)  # noqa: E731 - as the others
    assert read(open_stream(web, page)) == b"data"
    with pytest.raises(OSSSourceUnavailable, match="broke off"):
        read(open_stream(web, cut(page, 2)))


def test_odd_numbers(web: WebServer) -> None:
    """A date that no calendar has is none; a range of absurd size is no range."""
    modified = "Sat, 21 Nov 99999999999 10:00:00 GMT"
    source = open_ranged(web, ranged(DATA, Last_Modified=modified))
    assert source.open().fingerprint.modified_at is None
    endless = ranged(DATA, Content_Range=f"bytes 0-0/{'9' * 5000}")
    assert read(open_stream(web, endless)) == DATA


def test_chunk_of_negative_size(web: WebServer) -> None:
    """A size of a chunk that is none is an answer that breaks off."""
    page: Handler = lambda _: Answer(200, {"Transfer-Encoding": " chunked"}, b"-5\r\nabc\r\n")  # noqa: E731 - as the others
    with pytest.raises(OSSSourceUnavailable, match="broke off"):
        read(open_stream(web, page))


@pytest.mark.parametrize(
    ("status", "error"), [(204, OSSInvalidSource), (206, OSSInvalidSource), (304, OSSInvalidSource)]
)
def test_answers_without_content(web: WebServer, status: int, error: type[OSSProviderError]) -> None:
    """Only an answer that says it is the content is taken for it."""
    with pytest.raises(error, match=str(status)):
        read(open_stream(web, lambda _: Answer(status, {"Content-Length": "1"}, b"x")))


def test_early_hints(web: WebServer) -> None:
    """What comes before an answer is not taken for it: it is asked again, and what came behind is no other's answer."""
    early: Handler = lambda _: Answer(103, {"Link": "</x>"}, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale")  # noqa: E731 - as the others
    assert read(open_stream(web, in_turn(early, plain(DATA)))) == DATA
    with pytest.raises(OSSSourceUnavailable, match="answered 103 Early Hints"):
        open_page(web, early)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("text/csv;\tcharset=utf-8", "text/csv; charset=utf-8"),
        (" text/csv;\r\n  header=present ", "text/csv; header=present"),
        ("text/\x01csv", None),
        ("text/csv\x7f", None),
        ("", None),
    ],
)
def test_content_type(web: WebServer, told: str, expected: str | None) -> None:
    """A type that a header can hold is told as it is, its white space joined; another one is none."""
    assert open_ranged(web, ranged(DATA, Content_Type=told)).content_type == expected
    assert open_stream(web, plain(DATA, Content_Type=told)).content_type == expected


# Compression


def test_compressed_answers_stay(web: WebServer) -> None:
    """What is sent compressed is yielded as it was sent, and its encoding told."""
    packed = gzip.compress(DATA)
    stream = open_stream(web, ranged(packed, Content_Encoding="gzip"))
    assert (read(stream), stream.content_encoding) == (packed, "gzip")


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(DATA), "gzip"),
        (gzip.compress(DATA[:500_000]) + gzip.compress(DATA[500_000:]), "GZIP"),
        (gzip.compress(DATA) + bytes(300_000), "gzip"),
        (zlib.compress(DATA), "deflate"),
        (gzip.compress(bytes(5_000_000)), "gzip"),
        (gzip.compress(b""), "gzip"),
        (b"", "gzip"),
    ],
    ids=["gzip", "two members", "padded", "deflate", "5 MB of zeros", "nothing", "not even a header"],
)
def test_decompress(web: WebServer, packed: bytes, encoding: str) -> None:
    """``decompress`` yields what was compressed, in pieces of bounded size."""
    stream = open_stream(web, chunked(packed, Content_Encoding=encoding), options=AnswerOptions(decompress=True))
    pieces = list(stream())
    whole = b"".join(pieces)
    assert whole in {DATA, bytes(5_000_000), b""}
    assert len(whole) == (5_000_000 if len(packed) < 10_000 and len(packed) > 100 else len(DATA) if packed[20:] else 0)
    assert all(len(piece) <= 1024 * 1024 for piece in pieces)


@pytest.mark.parametrize(
    ("packed", "encoding", "message"),
    [(DATA, "gzip", "is not what its Content-Encoding"), (DATA, "br", "cannot be decompressed")],
)
def test_decompress_what_it_cannot(web: WebServer, packed: bytes, encoding: str, message: str) -> None:
    """What cannot be decompressed is an error for good."""
    stream = open_stream(web, plain(packed, Content_Encoding=encoding), options=AnswerOptions(decompress=True))
    with pytest.raises(OSSInvalidSource, match=message):
        read(stream)


def test_other_encoding_the_second_time(web: WebServer) -> None:
    """When the encoding changes between two readings the second fails: the object is described by the first."""
    stream = open_stream(web, in_turn(plain(DATA), plain(gzip.compress(DATA), Content_Encoding="gzip")))
    assert read(stream) == DATA
    with pytest.raises(OSSSourceChanged, match="another Content-Encoding"):
        read(stream)


# Requests


def test_post(web: WebServer) -> None:
    """A POST carries its body, is read forward, and is not repeated by itself: it may do something."""
    web.pages["/data"] = in_turn(plain(DATA), lambda _: Answer(503, {"Content-Length": "0"}))
    request = request_to(web, method="POST", data={"q": "1"})
    stream = open_http(request, use_ranges=True, options=AnswerOptions(), retry=QUICK)
    assert isinstance(stream, HttpStream)
    assert read(stream) == DATA
    with pytest.raises(OSSSourceUnavailable, match="answered 503"):
        read(stream)
    assert [(one.method, one.body) for one in web.requests] == [("POST", b"q=1")] * 2


def test_no_connection(web: WebServer) -> None:
    """A server that is not there is tried again; no error of the chain that reports it tells the URL's secrets."""
    url = web.url
    web.close()
    request = HttpRequest(requests.Session(), "GET", f"{url.replace('//', '//me:s3cret@')}/data?token=s3cret")
    with pytest.raises(OSSSourceUnavailable, match=r"refused.*given up after 3 tries") as caught:
        open_http(request, use_ranges=True, options=AnswerOptions(), retry=QUICK)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "s3cret" not in str(shown)
        shown = shown.__cause__ or shown.__context__


def test_untrusted_certificate(tmp_path: Path) -> None:
    """A certificate that nobody vouches for is an error for good that names the remedy."""
    made = make_certificate(tmp_path)
    with OSSEmulator(root=tmp_path / "oss", ssl_certfile=made.certificate, ssl_keyfile=made.key) as secure:
        request = HttpRequest(requests.Session(), "GET", secure.endpoint)
        with pytest.raises(OSSInvalidSource, match="is not trusted: set verify"):
            open_http(request, use_ranges=True, options=AnswerOptions(), retry=QUICK)
        assert not secure.requests


def test_answer_that_nobody_reads(web: WebServer) -> None:
    """An answer that is given up is not taken for an empty one: the server is asked again."""
    stream = open_stream(web, chunked(DATA))
    stream.close()
    assert read(stream) == DATA
    assert len(web.requests) == 2


@pytest.mark.parametrize("url", ["nonsense", "http://[", "http://", "ftp://host/x"])
def test_no_url(url: str) -> None:
    """What is no web address is an error for good."""
    with pytest.raises(OSSInvalidSource):
        open_http(HttpRequest(requests.Session(), "GET", url), use_ranges=True, options=AnswerOptions(), retry=QUICK)


def test_server_that_hangs(web: WebServer) -> None:
    """A server that says nothing for longer than the timeout is given up for this time."""
    never = threading.Event()
    request_timeout = (2.0, 0.1)

    def hang(_: Any) -> Answer:
        never.wait(5)
        return Answer(200, {"Content-Length": "0"})

    web.pages["/data"] = hang
    try:
        with pytest.raises(OSSSourceUnavailable, match="timed out"):
            open_http(
                request_to(web, timeout_seconds=request_timeout),
                use_ranges=True,
                options=AnswerOptions(),
                retry=RetryPolicy(tries=1),
            )
    finally:
        never.set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-99/1000", (0, 99, 1000)),
        (" Bytes 5-5/6 ", (5, 5, 6)),
        ("bytes 0-99/*", None),
        ("bytes */1000", None),
        ("bytes -1-99/1000", None),
        ("pages 0-99/1000", None),
        (f"bytes 0-0/{'9' * 5000}", None),
        ("bytes \u0663-\u0664/\u0665", None),
        ("", None),
    ],
)
def test_content_range(text: str, expected: tuple[int, int, int] | None) -> None:
    """A Content-Range is read strictly: what is not whole says nothing."""
    assert parse_content_range(text) == expected
