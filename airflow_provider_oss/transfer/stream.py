"""Bytes that are read forward: what a user may give as a stream, and how it is read in pieces worth the trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.compression import compressed
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.ports import Clock

Stream: TypeAlias = Iterable[bytes] | Any
"""Bytes that are read forward: an object with ``read(size)``, or an iterable of bytes."""

_READ_BYTES: Final = limits.MIB
_BLOCK_BYTES: Final = 256 * limits.KIB
_PATIENCE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A stream to upload: a callable that returns a new one whenever it is called, or one that can be read once."""

    stream: Stream | Callable[[], Stream]
    name: str = "stream"
    """For people."""
    compression: str | None = None
    """See ``airflow_provider_oss.compression``; it is compressed on its way."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether it is a callable."""
        return callable(self.stream)

    def open(self) -> Stream:
        """Return the stream, from its beginning if it is a callable."""
        return self.stream() if callable(self.stream) else self.stream

    def blocks(self, stream: Stream, clock: Clock) -> Iterator[bytes]:
        """Yield what is to be uploaded of the opened stream; see ``blocks_of``."""
        return blocks_of(compressed(chunks_of(stream), self.compression), clock)


def chunks_of(stream: Stream) -> Iterator[bytes]:
    """Yield the bytes of a stream. Raises OSSInvalidArgument when it is none, or yields anything else."""
    if isinstance(stream, str | bytes | bytearray | memoryview):
        raise OSSInvalidArgument(
            f"stream is a {type(stream).__name__}: give an object with read(), an iterable of bytes, or a callable "
            "that returns one; data that is in memory already is put with put_object"
        )
    if hasattr(stream, "read"):
        return _checked(iter(lambda: stream.read(_READ_BYTES), b""))
    if isinstance(stream, Iterable):
        return _checked(iter(stream))
    raise OSSInvalidArgument(f"stream is a {type(stream).__name__}, which has no read() and is no iterable of bytes")


def _checked(chunks: Iterator[Any]) -> Iterator[bytes]:
    for chunk in chunks:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise OSSInvalidArgument(
                f"the stream yielded a {type(chunk).__name__}: it must yield bytes; encode text first, open files 'rb'"
            )
        yield bytes(chunk)


def blocks_of(chunks: Iterator[bytes], clock: Clock) -> Iterator[bytes]:
    """
    Yield the same bytes in blocks of at least 256 KiB, for a stream may yield a row at a time.

    A slow stream yields less: what it has after 0.2 seconds, or nothing at all, so that whoever reads can do something
    else from time to time. One that fails yields first what came before.
    """
    pending = bytearray()
    last = clock.monotonic()
    try:
        for chunk in chunks:
            if len(chunk) >= _BLOCK_BYTES and not pending:
                yield chunk
                last = clock.monotonic()
                continue
            pending += chunk
            if len(pending) >= _BLOCK_BYTES or clock.monotonic() - last >= _PATIENCE_SECONDS:
                yield bytes(pending)
                pending.clear()
                last = clock.monotonic()
    except Exception:
        if pending:
            yield bytes(pending)
        raise
    if pending:
        yield bytes(pending)
