"""The connection of one request: its ASGI channel, and the transport below for what ASGI cannot do."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

TRANSPORT_EXTENSION: Final = "oss.transport"
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class ConnectionGoneError(Exception):
    """The connection ended before the answer: the client left, or it was reset on purpose."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What is below HTTP: the transport, and its socket, for which a closed TLS transport cannot be asked any more."""

    transport: asyncio.Transport
    socket: socket.socket


class Connection:
    """Receives the body and sends the answer of one request; can be reset or closed at any moment."""

    def __init__(self, wire: Wire, receive: Receive, send: Send) -> None:
        self._transport = wire.transport
        self._socket = wire.socket
        self._receive = receive
        self._send = send
        self._was_reset = asyncio.Event()

    async def receive(self) -> tuple[bytes, bool]:
        """Return the next bytes of the body and whether more follow. Raises ConnectionGoneError if nobody is there."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ConnectionGoneError
        return message.get("body", b""), message.get("more_body", False)

    async def wait_until_gone(self) -> None:
        """Return when the client has left. The body must have been received whole."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def pause(self, seconds: float) -> None:
        """Wait. Raises ConnectionGoneError when the connection is reset from this side meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._was_reset.wait()
        except TimeoutError:
            return
        raise ConnectionGoneError

    async def send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the status and the headers."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_body(self, chunk: bytes, *, more: bool) -> None:
        """Send bytes of the body. Raises ConnectionGoneError when the client left."""
        if self._transport.is_closing():
            raise ConnectionGoneError
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    def close(self) -> None:
        """End the connection in order, after what was sent so far."""
        self._transport.close()

    def reset(self) -> None:
        """End the connection with a TCP RST, dropping what was not delivered yet."""
        self._was_reset.set()
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()
