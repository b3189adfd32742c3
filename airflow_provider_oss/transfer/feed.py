"""
How the bytes of a source get to the engine: the seam between what can be read anywhere and what is read forward.

The engine asks a Feed for the size, for the parts, and for the content as a whole, always as if from the beginning; it
does not know which kind it has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Fingerprint, ObjectRange, Part
from airflow_provider_oss.ports import Body, SourceReader
from airflow_provider_oss.transfer.plan import Plan, in_working_order, whole
from airflow_provider_oss.transfer.recognition import Content, source_crc64


class SourceFailed(Exception):
    """Carries an error of the user's own code past handlers of ours that could take it for one of OSS."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Slice:
    """One part for a worker. ``release`` is called when its bytes are not needed any more."""

    part: Part
    read: Callable[[], Body]
    crc64: int | None = None
    """None when it is not known before the bytes are read."""
    release: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class CopiedSlice:
    """One part that OSS copies itself."""

    part: Part
    source: ObjectRange


class Feed(Protocol):
    """The data of one attempt."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What is known of the source without reading it."""

    @property
    def size_bytes(self) -> int | None:
        """The source's size; None while the end of a stream has not been read."""

    @property
    def reads_forward(self) -> bool:
        """Whether ``slices`` runs the user's code: it must be drawn from in the caller's thread then."""

    @property
    def copies(self) -> bool:
        """Whether OSS reads the source itself: parts are ranges of an object, and nothing of them can be compared."""

    def measure(self, part_size_bytes: int | None) -> int | None:
        """
        Return the source's size; None for a stream that does not end within its first part, which is read to see that.

        ``part_size_bytes`` is what the user asked for. Begins anew if the source was read before.
        """

    def slices(self, plan: Plan, stored: Collection[int]) -> Iterator[Slice | CopiedSlice | None]:
        """Yield every part once, from the beginning; None from time to time. ``stored`` are worth verifying."""

    def whole(self) -> Body | ObjectRange:
        """Return a source of one part, fit to be published at once: what is looked at is what is sent."""

    def content(self) -> Content | None:
        """Return size and CRC-64 of the whole source, reading as little as can be; None when OSS does not tell them."""

    def check_unchanged(self) -> None:
        """Raise OSSSourceChanged when the source is not what it was when it was opened."""

    def close(self, *, is_in_use: bool) -> None:
        """Release what is held; with ``is_in_use`` a worker may still be reading."""


class ReaderFeed:
    """Feeds from a source that can be read at any offset: workers read for themselves, in any order."""

    reads_forward = False
    copies = False

    def __init__(self, reader: SourceReader) -> None:
        self._reader = reader
        self._whole = whole(reader)

    @property
    def fingerprint(self) -> Fingerprint:
        """The reader's."""
        return self._reader.fingerprint

    @property
    def size_bytes(self) -> int:
        """The reader's."""
        return self._whole.size_bytes

    def measure(self, part_size_bytes: int | None) -> int:  # noqa: ARG002 - it is known without
        """Return the size."""
        return self.size_bytes

    def slices(self, plan: Plan, stored: Collection[int]) -> Iterator[Slice | None]:
        """Yield missing and stored parts in turns; they are read when a worker has one."""
        return (Slice(part, partial(self._reader.data, part)) for part in in_working_order(plan, stored))

    def whole(self) -> Body:
        """Return the source in memory, read once."""
        data = self._reader.data(self._whole)
        if isinstance(data, FileRange):
            data = data.in_memory()
        self._reader.check_unchanged()
        return data

    def content(self) -> Content:
        """Read it all."""
        return Content(self.size_bytes, source_crc64(self._reader))

    def check_unchanged(self) -> None:
        """Ask the reader."""
        self._reader.check_unchanged()

    def close(self, *, is_in_use: bool) -> None:
        """Close the reader, unless a thread still uses its descriptor: once closed its number may be another file's."""
        if not is_in_use:
            self._reader.close()
