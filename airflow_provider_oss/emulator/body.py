"""The body of a request: streamed to disk in constant memory, or read whole when it is a small document."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.connection import Connection, ConnectionGoneError
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.faults import Effects, flip
from airflow_provider_oss.emulator.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_oss.emulator.state.blobs import Blobs, BlobWriter, StoredBody
    from airflow_provider_oss.emulator.wire.http import Request

_BATCH_BYTES: Final = 1024 * 1024
"""Bytes handed to a worker thread at once: large enough to make the hand-over cheap."""
_INLINE_BYTES: Final = 64 * 1024
"""A body up to this size is hashed and written faster than a thread could take it over."""
_MD5_BYTES: Final = 16


class Body:
    """The body of one request, read at most once."""

    def __init__(self, request: Request, connection: Connection, effects: Effects, idle_timeout_seconds: float) -> None:
        self._request = request
        self._connection = connection
        self._effects = effects
        self._idle_timeout_seconds = idle_timeout_seconds
        self._complete = False
        self.bytes_received = 0
        """Bytes read so far."""

    async def chunks(self, max_bytes: int | None, rate_bytes_per_second: float | None = None) -> AsyncIterator[bytes]:
        """
        Return the rest of the body as it arrives.

        Raises OSSError: 400 EntityTooLarge past ``max_bytes``, 400 RequestTimeout when the client stops sending; and
        ConnectionGoneError when it leaves, or when a fault resets the connection here.
        """
        pacer = Pacer(self._connection, rate_bytes_per_second, self._effects.rate_bytes_per_second)
        reset_at = self._effects.reset_after_bytes
        corrupt = self._effects.corrupt_request_bytes
        while not self._complete:
            chunk, more = await self._receive()
            start = self.bytes_received
            self.bytes_received += len(chunk)
            self._complete = not more
            if reset_at is not None and self.bytes_received >= reset_at:
                raise ConnectionGoneError
            if max_bytes is not None and self.bytes_received > max_bytes:
                raise OSSError("EntityTooLarge", extra={"MaxSizeAllowed": str(max_bytes)})
            await pacer.passed(len(chunk))
            if chunk:
                yield flip(chunk, start, corrupt) if corrupt else chunk

    async def drain(self) -> None:
        """Read the rest and forget it."""
        async for _ in self.chunks(None):
            pass

    async def store(self, blobs: Blobs, max_bytes: int, rate_bytes_per_second: float | None = None) -> StoredBody:
        """
        Write the body to a new blob: whole and equal to its Content-MD5, or there is no blob.

        Raises OSSError: what ``chunks`` raises, 411 MissingContentLength, 400 InvalidDigest.
        """
        expected_md5 = self._expected_md5()
        self._check_length(max_bytes)
        writer = blobs.create()
        try:
            await self._write(writer, max_bytes, rate_bytes_per_second)
        except BaseException:
            writer.drop()
            raise
        stored = writer.finish()
        if expected_md5 not in (None, stored.md5):
            writer.drop()
            raise OSSError("InvalidDigest")
        return stored

    async def document(self, max_bytes: int) -> bytes:
        """Return the whole body. Raises what ``store`` raises; a body of no length is empty here."""
        expected_md5 = self._expected_md5()
        body = b"".join([chunk async for chunk in self.chunks(max_bytes)])
        if expected_md5 not in (None, hashlib.md5(body, usedforsecurity=False).digest()):
            raise OSSError("InvalidDigest")
        return body

    async def _write(self, writer: BlobWriter, max_bytes: int, rate_bytes_per_second: float | None) -> None:
        """Receive the next batch while a worker thread hashes and writes the one before."""
        loop = asyncio.get_running_loop()
        running: asyncio.Future[None] | None = None
        batch: list[bytes] = []
        size = 0
        try:
            async for chunk in self.chunks(max_bytes, rate_bytes_per_second):
                batch.append(chunk)
                size += len(chunk)
                if size >= _BATCH_BYTES:
                    if running is not None:
                        await running
                    running = loop.run_in_executor(None, writer.write, batch)
                    batch, size = [], 0
        finally:
            if running is not None:
                await asyncio.shield(running)
        if size <= _INLINE_BYTES:
            writer.write(batch)
        else:
            await loop.run_in_executor(None, writer.write, batch)

    async def _receive(self) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(self._idle_timeout_seconds):
                return await self._connection.receive()
        except TimeoutError as error:
            raise OSSError("RequestTimeout") from error

    def _check_length(self, max_bytes: int) -> None:
        length = self._request.headers.get("content-length")
        if length is None:
            if "chunked" not in self._request.header("transfer-encoding").lower():
                raise OSSError("MissingContentLength")
        elif int(length) > max_bytes:
            raise OSSError("EntityTooLarge", extra={"ProposedSize": length, "MaxSizeAllowed": str(max_bytes)})

    def _expected_md5(self) -> bytes | None:
        text = self._request.headers.get("content-md5")
        if text is None:
            return None
        try:
            digest = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise OSSError("InvalidDigest") from error
        if len(digest) != _MD5_BYTES:
            raise OSSError("InvalidDigest")
        return digest
