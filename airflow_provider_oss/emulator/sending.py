"""An answer on its way to the client, spoiled by faults where they say so."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.faults import Effects, flip
from airflow_provider_oss.emulator.pacing import Pacer
from airflow_provider_oss.emulator.wire.http import Payload, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from airflow_provider_oss.emulator.connection import Connection
    from airflow_provider_oss.emulator.state.blobs import Blobs

_BLOCK_BYTES: Final = 512 * 1024
_NO_CONTENT: Final = frozenset({204, 304})
_GZIP_WINDOW_BITS: Final = 31
"""The largest window of zlib (15), in gzip's format (16 more)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """
    Sends one response over one connection.

    ``about_to_end`` is called with the status (None for an answer that is cut off) before the last byte goes out, so
    that whoever has read the answer finds the request in the ledger.
    """

    connection: Connection
    blobs: Blobs
    effects: Effects
    method: str
    common_headers: Mapping[str, str]
    about_to_end: Callable[[int | None], None]

    async def send(self, response: Response) -> None:
        """Send it. Raises ConnectionGoneError when the client leaves before the end."""
        segments = response.content.segments if isinstance(response.content, Payload) else ()
        with self.blobs.pinned(segments):
            await self._send(response)

    async def _send(self, response: Response) -> None:
        if self.method == "HEAD" or response.status in _NO_CONTENT:
            self.about_to_end(response.status)
            await self._send_head(response, response.content_length)
            await self.connection.send_body(b"", more=False)
        elif response.is_head_only:
            self.about_to_end(response.status)
            await self._send_head(response, response.content_length)
            await self._close()
        elif response.is_gzipped:
            await self._send_gzipped(response)
        elif self.effects.truncate_response:
            await self._send_half(response)
        else:
            await self._send_whole(response)

    async def _send_whole(self, response: Response) -> None:
        remaining = response.content_length
        if remaining == 0 or isinstance(response.content, bytes):
            self.about_to_end(response.status)
        await self._send_head(response, remaining)
        if remaining == 0:
            await self.connection.send_body(b"", more=False)
            return
        async for block in self._blocks(response):
            remaining -= len(block)
            if remaining == 0:
                self.about_to_end(response.status)
            await self.connection.send_body(block, more=remaining > 0)

    async def _send_gzipped(self, response: Response) -> None:
        """Send the body compressed, in chunks; half of it, and no last chunk, when it is to be truncated."""
        compressor = zlib.compressobj(wbits=_GZIP_WINDOW_BITS)
        await self._send_head(response, response.content_length)
        remaining = response.content_length // (2 if self.effects.truncate_response else 1)
        async for block in self._blocks(response):
            kept = block[:remaining]
            remaining -= len(kept)
            await self.connection.send_body(await asyncio.to_thread(compressor.compress, kept), more=True)
        if self.effects.truncate_response:
            self.about_to_end(None)
            await self.connection.send_body(compressor.flush(zlib.Z_SYNC_FLUSH), more=True)
            return await self._close()
        self.about_to_end(response.status)
        return await self.connection.send_body(compressor.flush(), more=False)

    async def _send_half(self, response: Response) -> None:
        """Send half of the body, then close; an answer without a body promises a byte that never comes."""
        self.about_to_end(None)
        promised = max(1, response.content_length)
        await self._send_head(response, promised)
        remaining = promised // 2
        async for block in self._blocks(response):
            await self.connection.send_body(block[:remaining], more=True)
            remaining -= len(block[:remaining])
            if remaining == 0:
                break
        await self._close()

    async def _close(self) -> None:
        """End the connection before the length that was promised."""
        self.connection.close()
        await self.connection.wait_until_gone()

    async def _send_head(self, response: Response, content_length: int) -> None:
        headers = {**self.common_headers, **response.headers}
        if response.status not in _NO_CONTENT and not response.is_gzipped:
            headers["Content-Length"] = str(content_length)
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self.connection.send_head(response.status, encoded)

    async def _blocks(self, response: Response) -> AsyncIterator[bytes]:
        pacer = Pacer(self.connection, response.rate_bytes_per_second, self.effects.rate_bytes_per_second)
        start = 0
        async for block in self._content(response.content):
            await pacer.passed(len(block))
            yield flip(block, start, self.effects.corrupt_response_bytes)
            start += len(block)

    async def _content(self, content: bytes | Payload) -> AsyncIterator[bytes]:
        if isinstance(content, bytes):
            if content:
                yield content
            return
        blocks = self.blobs.read(content.segments, content.offset, content.length, _BLOCK_BYTES)
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            yield block
