"""Generated answers, valid and slightly broken, cut into packets anywhere: beside a strict reading of RFC 9112."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.errors import renamed
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.upload_client import OSSApi
from airflow_provider_oss.exceptions import ErrorDetails, OSSProviderError
from tests.hostile.bucket import BUCKET
from tests.hostile.rfc9112 import Read, RefusedError, read_answer
from tests.hostile.script import Script, Send, Step
from tests.hostile.server import HostileServer

_DETAILS: Final = ErrorDetails(BUCKET, "object.bin")
_EXAMPLES: Final = 300

_NAMES: Final = st.sampled_from(["X-Note", "ETag", "x-oss-meta-a", "Connection", "Date", "x-oss-hash-crc64ecma"])
_VALUES: Final = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)
_SPACES: Final = st.sampled_from(["", " ", "\t", " \t"])
_BODIES: Final = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"HTTP/1.1 200 OK\r\n\r\n", b"0\r\n\r\n", b"\r\n", b"5\r\nhello\r\n"])
)
_STATUSES: Final = st.sampled_from([200, 200, 200, 206, 204, 304, 403, 404, 500, 503])
_INTERIM: Final = st.sampled_from(
    ["", "", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"]
)
_BREAKS: Final = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\x00",
        b"\x7f",
        b":",
        b";",
        b",",
        b"-",
        b"+",
        b"0",
        b"5",
        b"x",
        b"HTTP/1.1 ",
    ]
)


@st.composite
def _fields(draw: st.DrawFn) -> str:
    lines = draw(st.lists(st.tuples(_NAMES, _SPACES, _VALUES, _SPACES), max_size=4, unique_by=lambda line: line[0]))
    return "".join(f"{name}:{before}{value}{after}\r\n" for name, before, value, after in lines if name != "Connection")


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    sent = b""
    while body:
        size = draw(st.integers(1, len(body)))
        name = draw(st.sampled_from([f"{size:x}", f"{size:X}", f"00{size:x}"]))
        extension = draw(st.sampled_from(["", "", ";a", ";a=b", ';a="b c"', ";a=b;c=d"]))
        sent += f"{name}{extension}\r\n".encode() + body[:size] + b"\r\n"
        body = body[size:]
    return sent + b"0\r\n" + draw(st.sampled_from([b"", b"", b"X-Trailer: yes\r\n"])) + b"\r\n"


@st.composite
def _valid(draw: st.DrawFn) -> bytes:
    """Draw an answer that is in order."""
    status, body = draw(_STATUSES), draw(_BODIES)
    if status in (204, 304):
        body = b""
    head = f"{draw(_INTERIM)}HTTP/1.1 {status} {draw(st.sampled_from(['OK', '', 'Not so good']))}\r\n"
    head += f"x-oss-request-id: R1\r\n{draw(_fields())}"
    framing = "length" if status in (204, 304) else draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    if framing == "chunked":
        coding = draw(st.sampled_from(["chunked", "Chunked"]))
        return f"{head}Transfer-Encoding: {coding}\r\n\r\n".encode() + draw(_chunked(body))
    return f"{head}\r\n".encode() + body


@st.composite
def _broken(draw: st.DrawFn) -> bytes:
    """Draw one in which a few bytes are replaced, or that is cut short."""
    data = draw(_valid())
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(_BREAKS) + data[at + draw(st.integers(0, 3)) :]
    return data


@dataclass(frozen=True, slots=True)
class _Case:
    data: bytes
    cuts: tuple[int, ...]

    @property
    def packets(self) -> list[bytes]:
        """Return the answer in pieces."""
        ends = sorted({cut % (len(self.data) + 1) for cut in self.cuts} | {0, len(self.data)})
        return [self.data[first:last] for first, last in pairwise(ends)]


_CASES: Final = st.builds(_Case, st.one_of(_valid(), _broken()), st.lists(st.integers(0, 2000), max_size=3).map(tuple))


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileServer]:
    """A hostile server."""
    with HostileServer() as server:
        yield server


@settings(max_examples=_EXAMPLES)
@given(case=_CASES)
@example(_Case(b"HTTP/1.1 200 OK\r\nx-oss-request-id: R1\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", ()))
@example(_Case(b"HTTP/1.1 204 No\r\nx-oss-request-id: R1\r\nContent-Length: 2\r\n\r\nok", ()))
def test_answers_are_read_as_the_rfc_says(hostile: HostileServer, case: _Case) -> None:
    """What the strict reader takes gives the same status, headers and body; what it refuses is an error."""
    script: Script = (Step.READ_BODY, *(Send(packet) for packet in case.packets), Step.HALF_CLOSE)
    scene = hostile.begin(lambda _: script)
    found = _asked(hostile.endpoint)
    scene.end()

    assert len(scene.requests) == 1
    wanted = _strictly_read(case.data)
    if wanted is None:
        assert isinstance(found, OSSProviderError), f"it must be refused: {found}"
    else:
        _compare(found, wanted)


def _strictly_read(data: bytes) -> Read | None:
    try:
        return read_answer(data)
    except RefusedError:
        return None


def _asked(endpoint: str) -> Read | OSSProviderError:
    settings = ClientSettings(endpoint, Credentials("id", "secret"), "cn-hangzhou", read_timeout_seconds=3.0)
    api = OSSApi(settings, lambda _: None)
    try:
        return _read(api)
    except OSSProviderError as error:
        return error


def _read(api: OSSApi) -> Read:
    response = api.open(_DETAILS, {}, {})
    try:
        with renamed(_DETAILS):
            body = response.read()
        return Read(response.status, {name.lower(): value for name, value in response.headers.items()}, body, b"")
    finally:
        response.close()


def _compare(found: Read | OSSProviderError, wanted: Read) -> None:
    """An answer that is no success, or not OSS's, is an error whatever it holds; its status must be the same."""
    is_oss = bool(wanted.headers.get("x-oss-request-id"))
    if isinstance(found, OSSProviderError):
        assert wanted.status // 100 != 2 or not is_oss, f"{wanted} is refused: {found}"
        assert found.details.http_status in (None, wanted.status)
        return
    assert (found.status, found.body) == (wanted.status, wanted.body)
    assert found.headers == wanted.headers
