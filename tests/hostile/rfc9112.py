"""
A small and strict reading of one HTTP/1.1 answer (RFC 9112), written independently of what it is compared with.

It takes an answer only when the RFC leaves no doubt where it ends and what it says: what the RFC lets a recipient
refuse, this refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD: Final = re.compile(
    rb"(" + _TOKEN + rb"):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*"
)
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_CHUNK_SIZE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class RefusedError(Exception):
    """The answer is not to be believed, or is not whole."""


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer says. ``rest`` came behind its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes


def read_answer(data: bytes) -> Read:
    """Return the answer to a GET, interim ones skipped, when the connection was closed behind ``data``."""
    while True:
        minor, status, fields, data = _head(data)
        if status // 100 != 1:
            break
        if status == 101 or minor == 0:
            raise RefusedError("no such interim answer was asked for")
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in fields}
    if len(headers) != len(fields):
        raise RefusedError("a header stands twice")
    body, rest = _body(data, status, minor, headers)
    return Read(status, headers, body, rest)


def _line(data: bytes) -> tuple[bytes, bytes]:
    line, end, rest = data.partition(b"\r\n")
    if not end:
        raise RefusedError("a line has no end")
    return line, rest


def _head(data: bytes) -> tuple[int, int, list[tuple[bytes, bytes]], bytes]:
    line, data = _line(data)
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise RefusedError(f"no status line: {line!r}")
    fields, data = _fields(data)
    return int(found[1]), int(found[2]), fields, data


def _fields(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    fields: list[tuple[bytes, bytes]] = []
    while True:
        line, data = _line(data)
        if not line:
            return fields, data
        found = _FIELD.fullmatch(line)
        if found is None:
            raise RefusedError(f"no field: {line!r}")
        fields.append((found[1], found[2]))


def _body(data: bytes, status: int, minor: int, headers: dict[str, str]) -> tuple[bytes, bytes]:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None or coding.lower() != "chunked" or minor == 0:
            raise RefusedError("the framing is ambiguous")
        if status in (204, 304):
            raise RefusedError("chunks where there is no body")
        return _chunks(data)
    if length is not None and not _LENGTH.fullmatch(length.encode("latin-1")):
        raise RefusedError(f"no length: {length!r}")
    if status in (204, 304):
        return b"", data
    if length is None:
        return data, b""
    if len(data) < int(length):
        raise RefusedError("the body breaks off")
    return data[: int(length)], data[int(length) :]


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, data = _line(data)
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise RefusedError(f"no chunk size: {line!r}")
        size = int(found[1], 16)
        if size == 0:
            _, data = _fields(data)
            return body, data
        if len(data) < size + 2 or data[size : size + 2] != b"\r\n":
            raise RefusedError("a chunk does not end where it says")
        body, data = body + data[:size], data[size + 2 :]
