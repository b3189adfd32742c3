"""Bodies: their lengths and chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from tests.hostile.bucket import Answer
from tests.hostile.exchanges import Row, answering
from tests.hostile.outcomes import (
    ABORT,
    BAD,
    BODIES,
    BROKEN,
    CALLS,
    COMPLETE,
    DOCUMENTS,
    HEAD,
    INITIATE,
    LIST_PARTS,
    READ,
    REJECTED,
    RIGHT,
)
from tests.hostile.script import Send, Step

_CHUNKED: Final = (*DOCUMENTS, COMPLETE)


def _chunked(body: Callable[[bytes], bytes]) -> Callable[[Answer], bytes]:
    def change(right: Answer) -> bytes:
        head = right.without("Content-Length").having("Transfer-Encoding", "chunked").head
        return head + body(right.body)

    return change


def _chunk(data: bytes, size: bytes | None = None, extension: bytes = b"") -> bytes:
    return (b"%x" % len(data) if size is None else size) + extension + b"\r\n" + data + b"\r\n"


def _of_size(size: bytes, body: bytes) -> bytes:
    return _chunk(body, size) + _END


def _good(title: str, body: Callable[[bytes], bytes]) -> Row:
    return Row(title, answering(_chunked(body)), {_CHUNKED: RIGHT})


def _bad(title: str, body: Callable[[bytes], bytes]) -> Row:
    return Row(title, answering(_chunked(body), Step.CLOSE), {_CHUNKED: BAD}, is_dropped=True)


def _cut(title: str, body: Callable[[bytes], bytes]) -> tuple[Row, ...]:
    return tuple(
        Row(f"{title}: {words}", answering(_chunked(body), step), {_CHUNKED: BROKEN}, is_dropped=True)
        for step, words in ENDS.items()
    )


ENDS: Final = {
    Step.CLOSE: "closed",
    Step.CUT: "closed without close_notify",
    Step.RESET: "reset",
}
_END: Final = b"0\r\n\r\n"
_WITH_BODY: Final = (*BODIES, COMPLETE, LIST_PARTS)

_SIZES: Final = {
    b"xyz": "no number",
    b"-5": "negative",
    b"+5": "signed",
    b"0x5": "with 0x",
    b"": "empty",
    b" 5": "with a space before",
    b"5_0": "with an underscore",
    b"f" * 17: "of 17 digits",
    b"f" * 40: "of 40 digits",
}

ROWS: Final = (
    _good("chunks of one byte", lambda body: b"".join(_chunk(bytes((value,))) for value in body) + _END),
    _good("a chunk with leading zeros", lambda body: _chunk(body, b"000%x" % len(body)) + _END),
    _good("a chunk with extensions", lambda body: _chunk(body, extension=b';a=b;c="d e"') + _END),
    _good("trailers", lambda body: _chunk(body) + b"0\r\nX-Note: yes\r\nx-oss-request-id: other\r\n\r\n"),
    *(_bad(f"a chunk's size: {words}", partial(_of_size, size)) for size, words in _SIZES.items()),
    _bad("a chunk without CRLF behind it", lambda body: _chunk(body)[:-2] + _END),
    _bad("a chunk longer than its size", lambda body: _chunk(body, b"%x" % (len(body) - 1)) + _END),
    _bad("LF alone behind a chunk's size", lambda body: b"%x\n" % len(body) + body + b"\r\n" + _END),
    _bad("LF alone behind a chunk", lambda body: _chunk(body)[:-2] + b"\n" + _END),
    _bad("a trailer that is none", lambda body: _chunk(body) + b"0\r\nno trailer\r\n\r\n"),
    *_cut("chunks that end without the last one", _chunk),
    *_cut("a chunk that ends early", lambda body: _chunk(body)[:-20]),
    *_cut("the last chunk without its empty line", lambda body: _chunk(body) + b"0\r\n"),
    *(
        Row(
            f"fewer bytes than the length: {words}",
            answering(lambda right: right.raw[:-3], step),
            {_WITH_BODY: BROKEN},
            is_dropped=True,
        )
        for step, words in ENDS.items()
    ),
    Row(
        "more bytes than the length",
        answering(lambda right: right.raw + b"and more"),
        {(*CALLS, INITIATE): RIGHT},
        is_dropped=True,
    ),
    Row(
        "a document without length or chunks: then closed",
        answering(lambda right: right.without("Content-Length"), Step.CLOSE),
        {DOCUMENTS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "a document without length or chunks: then reset",
        answering(lambda right: right.without("Content-Length"), Step.RESET),
        {DOCUMENTS: BROKEN},
        is_dropped=True,
    ),
    Row(
        "a document without length or chunks: then closed without close_notify",
        answering(lambda right: right.without("Content-Length"), Step.CUT),
        {DOCUMENTS: BROKEN},
        is_dropped=True,
        schemes=("https",),
    ),
    Row(
        "an object without length or chunks, then closed",
        answering(lambda right: right.without("Content-Length"), Step.CLOSE),
        {BODIES: BAD},
        is_dropped=True,
    ),
    Row(
        "HEAD answered with a body",
        answering(lambda right: right.raw + b"a body" * 10),
        {(HEAD,): RIGHT},
        is_dropped=True,
    ),
    Row(
        "HEAD answered with a body in a packet of its own",
        answering(lambda right: right.raw, Send(b"a body" * 10)),
        {(HEAD,): RIGHT},
        is_dropped=True,
    ),
    Row(
        "204 with a body",
        answering(lambda right: right.having("Content-Length", "6").raw + b"a body"),
        {(ABORT,): RIGHT},
        is_dropped=True,
    ),
    Row(
        "204 with a length and no body",
        answering(lambda right: right.having("Content-Length", "0")),
        {(ABORT,): RIGHT},
    ),
    Row(
        "304 with a body",
        answering(lambda right: replace(right, status=304).raw + b"a body"),
        {(READ, LIST_PARTS): REJECTED},
        is_dropped=True,
    ),
)
