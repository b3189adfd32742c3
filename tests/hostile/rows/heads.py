"""Status lines and headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.hostile.bucket import Answer
from tests.hostile.exchanges import Row, answering, malformed
from tests.hostile.outcomes import CALLS, HEAD, LIST_PARTS, PUT, READ, RIGHT
from tests.hostile.script import Step

_LENGTHS: Final = {
    "-5": "negative",
    "+44": "signed",
    "4" * 40: "of 40 digits",
    "0x2c": "hexadecimal",
    "": "empty",
    "44, 44": "a list",
    "4 4": "with a space inside",
    "44.0": "no whole number",
    "44;a": "with a parameter",
    "1_0": "with an underscore",
}


def _length(value: str) -> Callable[[Answer], Answer]:
    return lambda right: right.having("Content-Length", value)


def _raw_line(line: bytes) -> Callable[[Answer], bytes]:
    """Put a line into the head, before the others."""
    return lambda right: right.raw.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)


def _status_line(line: bytes) -> Callable[[Answer], bytes]:
    return lambda right: line + right.raw.partition(b"\r\n")[2]


def _coded(coding: str) -> Callable[[Answer], bytes]:
    """Name this coding, with a body in one chunk."""

    def change(right: Answer) -> bytes:
        head = right.without("Content-Length").having("Transfer-Encoding", coding).head
        return head + f"{len(right.body):x}\r\n".encode() + right.body + b"\r\n0\r\n\r\n"

    return change


def _loud(right: Answer) -> Answer:
    return replace(right, headers=tuple((name.upper(), f"\t{value} \t") for name, value in right.headers))


ROWS: Final = (
    malformed("two lengths that contradict", lambda right: right.adding("Content-Length", "7")),
    malformed("two equal lengths", lambda right: right.adding("Content-Length", dict(right.headers)["Content-Length"])),
    *(malformed(f"a length: {words}", _length(value)) for value, words in _LENGTHS.items()),
    malformed("length and chunked together", lambda right: right.adding("Transfer-Encoding", "chunked")),
    *(
        malformed(f"Transfer-Encoding: `{coding}`", _coded(coding))
        for coding in ("gzip", "chunked, chunked", "gzip, chunked", "chunked, gzip", "identity", "xchunked", " ")
    ),
    malformed(
        "Transfer-Encoding twice",
        lambda right: _coded("chunked")(right.adding("transfer-encoding", "chunked")),
    ),
    malformed("line ends: LF alone", lambda right: right.head.replace(b"\r\n", b"\n") + right.body),
    malformed("line ends: LF alone in one", lambda right: right.raw.replace(b"\r\n", b"\n", 1)),
    malformed("line ends: CR alone", lambda right: right.head.replace(b"\r\n", b"\r") + right.body),
    malformed("a space before the colon", _raw_line(b"X-Note : yes")),
    malformed("a space before the colon of the length", lambda right: right.raw.replace(b"Length:", b"Length :")),
    malformed("a folded header", _raw_line(b"X-Note: one\r\n two")),
    malformed("a folded header at the beginning", _raw_line(b" X-Note: one")),
    malformed("a line without a colon", _raw_line(b"no header at all")),
    malformed("a header without a name", _raw_line(b": nameless")),
    malformed("a name with a space", _raw_line(b"X Note: yes")),
    malformed("a name with a control character", _raw_line(b"X\x01Note: yes")),
    malformed("a name beyond ASCII", _raw_line("X-Nöte: yes".encode())),
    malformed("NUL in a header", _raw_line(b"X-Note: a\x00b")),
    malformed("a control character in a header", _raw_line(b"X-Note: a\x07b")),
    malformed("CR in a header", _raw_line(b"X-Note: a\rb")),
    Row("a header in UTF-8", answering(_raw_line("X-Note: é".encode())), {CALLS: RIGHT}),
    Row("headers in other case, tabs around values", answering(_loud), {CALLS: RIGHT}),
    malformed("no status line", lambda right: right.raw.partition(b"\r\n")[2]),
    malformed("HTTP/0.9, the bytes and no head", lambda right: right.body or b"all is well", Step.CLOSE),
    malformed("bytes that are no HTTP", lambda _: bytes(range(256))),
    malformed("another protocol's greeting", lambda _: b"220 mail.example.com ESMTP\r\n"),
    *(
        malformed(f"a status line: `{line.decode().replace(chr(9), '<tab>')}`", _status_line(line + b"\r\n"))
        for line in (
            b"HTTP/2.0 200 OK",
            b"HTTP/3.0 200 OK",
            b"HTTP/11 200 OK",
            b"http/1.1 200 OK",
            b"ICY 200 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 2x0 OK",
            b"HTTP/1.1 -200 OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1 OK",
        )
    ),
    malformed("a line before the status line", lambda right: b"hello\r\n" + right.raw),
    malformed("NUL in the reason", _status_line(b"HTTP/1.1 200 O\x00K\r\n")),
    Row("no reason", answering(_status_line(b"HTTP/1.1 200 \r\n")), {(READ, HEAD, PUT, LIST_PARTS): RIGHT}),
    Row(
        "HTTP/1.0: without keep-alive and left open",
        answering(lambda right: replace(right, version="HTTP/1.0")),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "HTTP/1.0: without keep-alive and closed",
        answering(lambda right: replace(right, version="HTTP/1.0"), Step.CLOSE),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "HTTP/1.0: with keep-alive",
        answering(lambda right: replace(right, version="HTTP/1.0").adding("Connection", "keep-alive")),
        {CALLS: RIGHT},
    ),
    malformed("chunks in HTTP/1.0", lambda right: b"HTTP/1.0" + _coded("chunked")(right)[8:]),
    Row(
        "Connection says close, and it stays open",
        answering(lambda right: right.adding("Connection", "close")),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
    Row(
        "Connection says close behind keep-alive, in capitals",
        answering(lambda right: right.adding("Connection", "Keep-Alive, CLOSE")),
        {CALLS: RIGHT},
        is_dropped=True,
    ),
)
