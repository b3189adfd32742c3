"""The body of a streamed PutObject: counted, checksummed, and cut into chunks worth a system call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import EMPTY, crc64
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSSourceChanged

_CHUNK_BYTES: Final = 256 * limits.KIB


class SourceFailedError(Exception):
    """Carries an error of the stream itself past the HTTP library, which would take an OSError for its own."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class StreamBody:
    """
    An iterator over a stream's bytes that knows their CRC-64 and number so far.

    Raises SourceFailedError when the stream raises, when it has other than ``content_length`` bytes (if that is given)
    or more than a single request may have (OSS API: PutObject, 5 GB); the request then breaks off and nothing is
    stored. Made with a ``content_length`` of 0, it reads the stream at once and raises errors as they are; with a
    negative one it raises OSSInvalidArgument.
    """

    def __init__(self, chunks: Iterator[bytes], content_length: int | None) -> None:
        if content_length is not None and content_length < 0:
            raise OSSInvalidArgument(f"content_length={content_length} is negative: give the bytes in the stream")
        self._chunks = chunks
        self._content_length = content_length
        self.crc64 = EMPTY
        self.size_bytes = 0
        if content_length == 0:
            # A request for no bytes is whole with its headers: when its body is read, the object is there already
            for chunk in chunks:
                self._counted(chunk)

    def __iter__(self) -> Iterator[bytes]:
        try:
            # Counted before they are joined: the last bytes go out only when the stream has ended as it should
            yield from _coalesced(map(self._counted, self._chunks))
            self._check_complete()
        except Exception as error:
            raise SourceFailedError(error) from error

    def _counted(self, chunk: bytes) -> bytes:
        self.size_bytes += len(chunk)
        if self._content_length is not None and self.size_bytes > self._content_length:
            raise OSSSourceChanged(f"the stream has more than the content_length={self._content_length} bytes given")
        if self.size_bytes > limits.MAX_PUT_SIZE_BYTES:
            raise OSSInvalidArgument(
                f"the stream has more than {limits.MAX_PUT_SIZE_BYTES} bytes (5 GB), the most that OSS takes in one "
                "request: upload it as a file with upload_file"
            )
        self.crc64 = crc64(chunk, self.crc64)
        return chunk

    def _check_complete(self) -> None:
        if self._content_length is not None and self.size_bytes < self._content_length:
            raise OSSSourceChanged(
                f"the stream ended after {self.size_bytes} bytes, {self._content_length} were given as content_length"
            )


def _coalesced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join small chunks: a stream of lines would otherwise cost a system call for each."""
    pending = bytearray()
    for chunk in chunks:
        if len(pending) >= _CHUNK_BYTES:
            yield bytes(pending)
            pending.clear()
        pending += chunk
    if pending:
        yield bytes(pending)
