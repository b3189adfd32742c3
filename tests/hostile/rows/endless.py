"""What has no end, or takes its time: bounded memory, bounded time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.hostile.bucket import Answer, refusal
from tests.hostile.exchanges import Outcomes, Row, answering
from tests.hostile.outcomes import (
    BAD,
    BUSY,
    CALLS,
    COMPLETE,
    DENIED,
    DOCUMENTS,
    HEAD,
    LIST_PARTS,
    NO_KEY,
    PUT,
    READ,
    RIGHT,
    TIMEOUT,
    Outcome,
)
from tests.hostile.script import Drip, Flood, Script, Send, Step
from tests.hostile.server import Request

_KIB: Final = 1024
_FEW: Final = (READ, HEAD, PUT, LIST_PARTS)
_BLOCK: Final = b"x" * 64 * _KIB


def _flood(
    title: str,
    first: Callable[[Answer], bytes],
    unit: bytes = _BLOCK,
    outcomes: Outcomes | None = None,
) -> Row:
    def write(right: Answer, _: Request) -> Script:
        return (Step.READ_BODY, Send(first(right)), Flood(unit))

    return Row(title, write, outcomes or {CALLS: BAD}, is_dropped=True)


def _endless_chunks(right: Answer, begin: bytes) -> bytes:
    return right.without("Content-Length").having("Transfer-Encoding", "chunked").head + begin


def _whole_chunk(right: Answer, then: bytes) -> bytes:
    return _endless_chunks(right, b"%x\r\n" % len(right.body) + right.body + b"\r\n0" + then)


def _open_error(status: int, code: str) -> bytes:
    """Return the beginning of an error whose Message goes on."""
    whole = refusal(status, code, "")
    return whole.without("Content-Length").head + whole.body.partition(b"</Message>")[0]


def _slow(title: str, *, of: Callable[[Answer], tuple[bytes, bytes]], outcomes: Outcomes) -> Row:
    def write(right: Answer, _: Request) -> Script:
        at_once, slowly = of(right)
        return (Step.READ_BODY, Send(at_once), Drip(slowly))

    return Row(title, write, outcomes, is_dropped=TIMEOUT in outcomes.values(), is_slow=TIMEOUT in outcomes.values())


def _padded(right: Answer) -> Answer:
    return right.adding("X-Note", "x" * 200)


_DOCUMENT_READERS: Final = (*DOCUMENTS, COMPLETE)
_CHUNK_LINES: Final[Outcomes] = {_DOCUMENT_READERS: BAD}

ROWS: Final = (
    _flood("a status line without end", lambda _: b"HTTP/1.1 200 "),
    _flood("a header without end", lambda _: b"HTTP/1.1 200 OK\r\nX-Note: "),
    _flood("a header's name without end", lambda _: b"HTTP/1.1 200 OK\r\n"),
    _flood("headers without number", lambda _: b"HTTP/1.1 200 OK\r\n", b"X-Note: yes\r\n" * 4096),
    Row(
        "a head of more than 64 KiB",
        answering(lambda right: right.adding("X-Note", "x" * 66 * _KIB)),
        {_FEW: BAD},
        is_dropped=True,
    ),
    Row(
        "a head of 32 KiB",
        answering(lambda right: right.adding("X-Note", "x" * 32 * _KIB)),
        {_FEW: RIGHT},
    ),
    _flood("a document without end", lambda right: right.without("Content-Length").head, outcomes=_CHUNK_LINES),
    _flood(
        "a document of 10 GiB",
        lambda right: right.having("Content-Length", str(10 * 1024 * _KIB * _KIB)).head,
        outcomes=_CHUNK_LINES,
    ),
    _flood(
        "chunks without end",
        lambda right: _endless_chunks(right, b""),
        b"10000\r\n" + _BLOCK + b"\r\n",
        outcomes=_CHUNK_LINES,
    ),
    Row(
        "chunks of one byte without end",
        lambda right, _: (Step.READ_BODY, Send(_endless_chunks(right, b"")), Flood(b"1\r\nx\r\n" * 4096)),
        {(LIST_PARTS, COMPLETE): Outcome(("OSSBadResponse", "OSSConnectionTimeout"), "whichever limit is met first")},
        is_dropped=True,
        is_slow=True,
    ),
    _flood("a chunk's size without end", lambda right: _endless_chunks(right, b"0"), b"0" * 4096, _CHUNK_LINES),
    _flood("a chunk extension without end", lambda right: _endless_chunks(right, b"5;a="), outcomes=_CHUNK_LINES),
    _flood("a trailer without end", lambda right: _whole_chunk(right, b"\r\nX-Note: "), outcomes=_CHUNK_LINES),
    _flood(
        "trailers without number",
        lambda right: _whole_chunk(right, b"\r\n"),
        b"X-Note: yes\r\n" * 4096,
        outcomes=_CHUNK_LINES,
    ),
    Row(
        "an error whose Message has 8 MB: 403",
        answering(lambda _: refusal(403, "AccessDenied", "x" * 8_000_000)),
        {_FEW: DENIED},
    ),
    Row(
        "an error whose Message has 8 MB: 404",
        answering(lambda _: refusal(404, "NoSuchKey", "x" * 8_000_000)),
        {(READ, LIST_PARTS): NO_KEY},
    ),
    _flood("an error without end: 403", lambda _: _open_error(403, "AccessDenied"), outcomes={_FEW: DENIED}),
    _flood("an error without end: 503", lambda _: _open_error(503, "ServiceUnavailable"), outcomes={_FEW: BUSY}),
    _flood(
        "an error without end that is no document: 404",
        lambda _: replace(refusal(404, "", ""), body=b"").without("Content-Length").head,
        outcomes={(READ, PUT, LIST_PARTS): BAD},
    ),
    _slow(
        "a head, byte by byte, for too long",
        of=lambda right: (b"", _padded(right).raw),
        outcomes={(READ, PUT): TIMEOUT},
    ),
    _slow(
        "interim answers, byte by byte, for too long",
        of=lambda right: (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + right.raw),
        outcomes={(READ, PUT): TIMEOUT},
    ),
    _slow(
        "a document, byte by byte, for too long",
        of=lambda right: (right.head, right.body),
        outcomes={(LIST_PARTS,): TIMEOUT},
    ),
    _slow(
        "an error, byte by byte, for too long",
        of=lambda _: (refusal(403, "AccessDenied", "x" * 100).head, refusal(403, "AccessDenied", "x" * 100).body),
        outcomes={(READ, PUT): TIMEOUT},
    ),
    _slow(
        "an object, byte by byte, slow and alive",
        of=lambda right: (right.head, right.body),
        outcomes={(READ,): RIGHT},
    ),
    *(
        Row(title, write, {calls: TIMEOUT}, is_dropped=True, is_slow=True)
        for title, write, calls in (
            ("no answer at all", lambda _, __: (Step.READ_BODY, Step.SILENCE), (READ, PUT)),
            (
                "a head that stops in the middle",
                lambda right, _: (Step.READ_BODY, Send(right.head[:-9]), Step.SILENCE),
                (READ, LIST_PARTS),
            ),
            (
                "a body that stops in the middle",
                lambda right, _: (Step.READ_BODY, Send(right.raw[:-9]), Step.SILENCE),
                (READ, LIST_PARTS),
            ),
        )
    ),
)
