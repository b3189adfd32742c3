"""HTTP/1.1 on the server's side: just enough for clients that send bodies with a Content-Length, and for reading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from fastcrc import crc64

from benchmarks.sink.network import Network, Pace

_BUFFER_BYTES: Final = 256 * 1024
_ZEROS: Final = memoryview(bytes(_BUFFER_BYTES))
_HEAD_END: Final = b"\r\n\r\n"
_MAX_HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its body: as CRC-64 and size when it is data (PUT), as text when it says what to do (POST)."""

    method: str
    path: str
    query: dict[str, str]
    range: str = ""
    """The header, as it came."""
    size_bytes: int = 0
    crc64: int = 0
    text: bytes = b""
    began_seconds: float = 0.0
    """When the first byte of the data came, on the clock that all processes of a machine share (``time.monotonic``)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What goes back. ``content_length`` is for the answer to HEAD, which describes a body and has none.

    Behind ``body`` come ``zeros`` bytes that are zero.
    """

    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_length: int | None = None
    zeros: int = 0


class Body(Protocol):
    """Takes a body block by block. A block is only valid during the call."""

    def take(self, block: memoryview) -> None:
        """Use the next block."""

    def request(self, head: Request) -> Request:
        """Return ``head`` with what was taken."""


class _Data:
    def __init__(self) -> None:
        self._size_bytes = 0
        self._crc64 = 0
        self._began_seconds = 0.0

    def take(self, block: memoryview) -> None:
        if not self._size_bytes:
            self._began_seconds = time.monotonic()
        self._crc64 = crc64.xz(block, self._crc64)
        self._size_bytes += len(block)

    def request(self, head: Request) -> Request:
        return replace(head, size_bytes=self._size_bytes, crc64=self._crc64, began_seconds=self._began_seconds)


class _Text:
    def __init__(self) -> None:
        self._text = bytearray()

    def take(self, block: memoryview) -> None:
        self._text += block

    def request(self, head: Request) -> Request:
        return replace(head, text=bytes(self._text))


class Connection(asyncio.BufferedProtocol):
    """
    One connection. Received bytes go from the socket into a buffer that all connections share and are checked there.

    A buffer of 256 KiB stays in the processor's cache between the copy out of the kernel and the CRC-64.
    """

    _buffer: Final = memoryview(bytearray(_BUFFER_BYTES))

    def __init__(self, handle: Callable[[Request], Answer], date: Callable[[], str], network: Network) -> None:
        self._handle = handle
        self._date = date
        self._loop = asyncio.get_running_loop()
        self._round_trip_seconds = network.round_trip_seconds
        self._pace = None if network.bytes_per_second is None else Pace(network.bytes_per_second)
        self._view = self._buffer[: network.block_bytes(_BUFFER_BYTES)]
        self._head_bytes = bytearray()
        self._head: Request | None = None
        self._body: Body = _Text()
        self._left = 0
        self._zeros_left = 0
        self._may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on; connecting has taken a round trip, agreeing on TLS another one."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        trips = 1 if transport.get_extra_info("sslcontext") is None else 2
        # Later: a transport of Python 3.11 begins to read behind this call, paused or not
        self._loop.call_soon(self._read_nothing_for, trips * self._round_trip_seconds)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's idea of a size is not needed
        """Return where the loop puts the next bytes; ``buffer_updated`` follows before any other connection's turn."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Work through what has come."""
        if self._pace is not None:
            self._pace.count(nbytes, self._loop.time())
            self._read_nothing_for(self._pace.seconds_to_wait(self._loop.time()))
        block = self._buffer[:nbytes]
        while block:
            block = self._take_head(block) if self._head is None else self._take_body(block)

    def eof_received(self) -> None:
        """Let the loop close the connection."""

    def pause_writing(self) -> None:
        """Send no more zeros for now: the client does not take them as fast."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write = True
        self._send_zeros()

    def _read_nothing_for(self, seconds: float) -> None:
        if seconds > 0:
            self._transport.pause_reading()
            self._loop.call_later(seconds, self._transport.resume_reading)

    def _take_head(self, block: memoryview) -> memoryview:
        """Add to the head; return what is behind its end."""
        known = len(self._head_bytes)
        self._head_bytes += block
        end = self._head_bytes.find(_HEAD_END, max(0, known - len(_HEAD_END)))
        if end < 0:
            if len(self._head_bytes) > _MAX_HEAD_BYTES:
                self._transport.abort()
            return block[len(block) :]
        rest = block[end + len(_HEAD_END) - known :]
        self._begin(bytes(self._head_bytes[:end]))
        self._head_bytes.clear()
        return rest

    def _begin(self, head: bytes) -> None:
        if self._pace is not None:
            self._pace.begin(self._loop.time())
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        if "transfer-encoding" in headers:
            self._write(Answer("501 Not Implemented"), method)
            self._loop.call_later(self._round_trip_seconds, self._transport.close)
            return
        url = urlsplit(target)
        self._head = Request(
            method, unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True)), headers.get("range", "")
        )
        self._left = int(headers.get("content-length", "0"))
        self._body = _Data() if method == "PUT" else _Text()
        if headers.get("expect", "").lower() == "100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._left:
            self._end(self._head)

    def _take_body(self, block: memoryview) -> memoryview:
        assert self._head is not None
        mine = block[: self._left]
        self._body.take(mine)
        self._left -= len(mine)
        if not self._left:
            self._end(self._head)
        return block[len(mine) :]

    def _end(self, head: Request) -> None:
        self._head = None
        self._write(self._handle(self._body.request(head)), head.method)

    def _write(self, answer: Answer, method: str) -> None:
        length = len(answer.body) + answer.zeros if answer.content_length is None else answer.content_length
        headers = {"Date": self._date(), "Server": "sink", "Content-Length": str(length), **answer.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = b"" if method == "HEAD" else answer.body
        self._send(f"HTTP/1.1 {answer.status}\r\n{lines}\r\n".encode() + body, answer.zeros)

    def _send(self, data: bytes, zeros: int = 0) -> None:
        wait = self._round_trip_seconds
        if self._pace is not None:  # what has been read has not all arrived yet
            wait += max(0.0, self._pace.seconds_to_wait(self._loop.time()))
        if wait:
            self._loop.call_later(wait, self._send_now, data, zeros)
        else:
            self._send_now(data, zeros)

    def _send_now(self, data: bytes, zeros: int) -> None:
        self._transport.write(data)
        self._zeros_left = zeros
        self._send_zeros()

    def _send_zeros(self) -> None:
        """Send as many as the kernel has room for; ``resume_writing`` goes on."""
        while self._zeros_left and self._may_write:
            block = _ZEROS[: self._zeros_left]
            self._zeros_left -= len(block)
            self._transport.write(block)
