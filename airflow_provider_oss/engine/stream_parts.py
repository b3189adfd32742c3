"""
A stream as the engine's source: read once, in order, by the caller's thread, a few parts in memory.

A part of it is in memory until OSS has it, or beyond some size in a file without a name.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import interruptible
from airflow_provider_oss.engine.plan import Parts, make_plan
from airflow_provider_oss.engine.progress import ReadingReporter
from airflow_provider_oss.engine.source import Slice, Stream, StreamSource
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSStreamSpent
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.file_range import Body, FileRange
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.ports import Clock
from airflow_provider_oss.proof import EMPTY, Content, combine, crc64
from airflow_provider_oss.shown import Log

if TYPE_CHECKING:
    from io import FileIO

log = Log(__name__)

MOST_IN_MEMORY_BYTES: Final = 64 * limits.MIB

_HUGE_PAGES: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)
"""Only Linux has this advice."""
_HUGE_PAGE_BYTES: Final = 2 * limits.MIB


class PartBuffer:
    """
    Room for one part at a time. Pages come from the system when they are written, and go back to it when it is gone.

    Raises OSError, with the directory and the remedy, when there is no room on disk.
    """

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._file: FileIO | None = None
        self._close_file: Callable[[], object] = _nothing
        self._filled_bytes = 0

    def clear(self, size_bytes: int) -> None:
        """Make room for a part of up to ``size_bytes``, in place of what was there."""
        self._filled_bytes = 0
        if size_bytes > MOST_IN_MEMORY_BYTES:
            self._memory = None
            if self._file is None:
                # Unbuffered: what found no room is not tried again, in vain, when the file is closed
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when nobody holds the buffer
                self._close_file = weakref.finalize(self, self._file.close)
            else:
                self._file.seek(0)
                self._file.truncate()
            return
        self._close_file()
        self._file = None
        if self._memory is None or len(self._memory) < size_bytes:
            # The next power of two, for parts grow little by little; what is not written takes no memory
            self._memory = _mapped(1 << (size_bytes - 1).bit_length())

    def append(self, data: memoryview) -> None:
        """Add bytes."""
        if self._memory is not None:
            self._memory[self._filled_bytes : self._filled_bytes + len(data)] = data
        else:
            self._write(data)
        self._filled_bytes += len(data)

    def body(self) -> Body:
        """Return what was added, until the buffer is cleared."""
        if self._memory is not None:
            return memoryview(self._memory)[: self._filled_bytes]
        assert self._file is not None  # noqa: S101 - clear() made one of the two
        return FileRange("(part of a stream)", self._file.fileno(), 0, self._filled_bytes)

    def _write(self, data: memoryview) -> None:
        assert self._file is not None  # noqa: S101 - as in body()
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}: parts beyond {MOST_IN_MEMORY_BYTES // limits.MIB} MiB are kept in "
                f"{tempfile.gettempdir()} until they are sent; set TMPDIR to a place with more room, or lower parallel",
            ) from error


def _mapped(size_bytes: int) -> mmap.mmap:
    """
    Return memory, in huge pages where the system has them: page by page it costs as much as to copy the bytes into it.

    But not its beginning: most streams are short, and a huge page is cleared as a whole.
    """
    memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _HUGE_PAGES is not None and size_bytes > _HUGE_PAGE_BYTES:
        with suppress(OSError):  # a kernel without huge pages
            memory.madvise(_HUGE_PAGES, _HUGE_PAGE_BYTES)
    return memory


def _nothing() -> None:
    """Stand for closing no file."""


class BufferPool:
    """Buffers that are used again and again. ``give_back`` may be called in any thread."""

    def __init__(self) -> None:
        self._free: deque[PartBuffer] = deque()  # of which each step is atomic, so there is no lock

    def take(self, size_bytes: int) -> PartBuffer:
        """Return an empty buffer for a part of up to ``size_bytes``."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = PartBuffer()
        buffer.clear(size_bytes)
        return buffer

    def give_back(self, buffer: PartBuffer) -> None:
        """Let the next part have it."""
        self._free.append(buffer)


class StreamParts:
    """
    The parts of a stream. All of it runs in the caller's thread, the stream's own code with it.

    What the stream raises comes as SourceFailed; after that nothing is read any more, for a stream that broke must
    not look like one that ended. ``check`` is called while nothing else is done between two reads.
    """

    reads_forward = True
    copies = False

    def __init__(self, source: StreamSource, clock: Clock, check: Callable[[], None]) -> None:
        self._source = source
        self._clock = clock
        self._check = check
        self._pool = BufferPool()
        self._fingerprint = Fingerprint(source.name, None)
        self._begin()

    def _begin(self) -> None:
        self._stream: Stream | None = None
        self._blocks: Iterator[bytes] | None = None
        self._failure: SourceFailed | None = None
        self._pending = memoryview(b"")
        self._has_ended = False
        self._is_measured = False
        self._is_drawn = False
        self._first: Slice | None = None
        # Of the parts that were cut; and of the one that is being cut
        self._cut = Content(0, EMPTY)
        self._in_part = Content(0, EMPTY)

    @property
    def fingerprint(self) -> Fingerprint:
        """The stream's name; its size is not known yet."""
        return self._fingerprint

    @property
    def size_bytes(self) -> int | None:
        """The bytes read, once the stream has ended."""
        return self._so_far().size_bytes if self._is_at_end else None

    def measure(self, part_size_bytes: int | None) -> int | None:
        """Read the first part, unless it waits already; see whether anything follows it. May raise OSSStreamSpent."""
        part = make_plan(None, part_size_bytes).part(1)
        if self._is_drawn:
            self._begin_anew()
        if not self._is_measured:
            self._first = self._checking(self._next_slice(part))
            self._checking(self._look_ahead())
            self._is_measured = True
        return self.size_bytes

    def slices(self, plan: Parts, stored: Collection[int]) -> Iterator[Slice | None]:  # noqa: ARG002 - comes in order
        """Yield the parts in order. May raise OSSStreamSpent; OSSInvalidSource for more than 10,000 parts can hold."""
        self.measure(plan.part_size_bytes)
        self._is_drawn = True
        first, self._first = self._first, None
        yield first
        del first
        for number in range(2, plan.count + 1):
            if self._is_at_end:
                return
            yield (yield from self._next_slice(plan.part(number)))
        yield from self._look_ahead()
        if not self._is_at_end:
            raise OSSInvalidSource(
                f"{self._source.name} has more than {self._cut.size_bytes} bytes, all that {plan.count} parts hold of "
                f"which the first has {plan.part_size_bytes}: split it into several objects"
            )

    def whole(self) -> Body:
        """Return the stream that has ended within its first part."""
        return b"" if self._first is None else self._first.read()

    def content(self) -> Content:
        """Read the stream to its end, from where it is."""
        self._is_drawn = True
        reporter = ReadingReporter(self._source.name, None, self._clock)
        reporter.read(self._so_far().size_bytes)
        while not self._is_at_end:
            self._checking(self._look_ahead())
            reporter.read(len(self._take(len(self._pending))))
        return self._so_far()

    def check_unchanged(self) -> None:
        """Nothing can differ: what was read was sent."""

    def close(self, *, is_in_use: bool) -> None:  # noqa: ARG002 - buffers go when nobody holds them
        """Close the stream, if it was opened here; what that raises is logged, for something else ended the upload."""
        try:
            self._close_stream()
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            log.warning("%s could not be closed: %s", self._source.name, error)

    @property
    def _is_at_end(self) -> bool:
        return self._has_ended and not self._pending

    def _so_far(self) -> Content:
        return _joined(self._cut, self._in_part)

    def _begin_anew(self) -> None:
        if not self._source.can_be_read_again:
            raise OSSStreamSpent(
                f"the upload has to begin anew, and {self._source.name} can be read only once: give a callable that "
                "returns the stream, or leave it to the next attempt of the task"
            )
        log.info("Reading %s from its beginning", self._source.name)
        self.close(is_in_use=True)
        self._begin()

    def _next_slice(self, part: Part) -> Generator[None, None, Slice | None]:
        """
        Cut the next part, None if nothing is left.

        Yield between reads: a slow stream is read by the thread that also looks at outcomes, saves, and may be stopped.
        """
        buffer = self._pool.take(part.size_bytes)
        while self._in_part.size_bytes < part.size_bytes and not self._is_at_end:
            yield from self._look_ahead()
            buffer.append(self._take(part.size_bytes - self._in_part.size_bytes))
        this, self._in_part = self._in_part, Content(0, EMPTY)
        if not this.size_bytes:
            self._pool.give_back(buffer)
            return None
        part = Part(part.number, self._cut.size_bytes, this.size_bytes)
        self._cut = _joined(self._cut, this)
        return Slice(part, buffer.body, this.crc64, partial(self._pool.give_back, buffer))

    def _look_ahead(self) -> Iterator[None]:
        """Read until there is something to take, or nothing more; yield after each read."""
        while not self._pending and not self._has_ended:
            self._read()
            yield

    def _take(self, most_bytes: int) -> memoryview:
        data = self._pending[:most_bytes]
        self._pending = self._pending[most_bytes:]
        self._in_part = Content(self._in_part.size_bytes + len(data), crc64(data, self._in_part.crc64))
        return data

    def _read(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            block = self._next_block()
            if block is None:
                self._close_stream()
        except Exception as error:
            self._check()  # it may have failed because it was interrupted
            # Its text follows when it is raised, which the parts on their way may delay
            log.warning(
                "%s failed after %d bytes (%s)", self._source.name, self._so_far().size_bytes, type(error).__name__
            )
            self._failure = SourceFailed(error)
            raise self._failure from error
        if block is None:
            self._has_ended = True
        else:
            self._pending = memoryview(block)

    def _next_block(self) -> bytes | None:
        with interruptible():
            if self._blocks is None:
                self._stream = self._source.open()
                self._blocks = self._source.blocks(self._stream, self._clock)
            return next(self._blocks, None)

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        close = getattr(stream, "close", None)
        if self._source.can_be_read_again and callable(close):
            close()

    def _checking(self, steps: Generator[None, None, Slice | None] | Iterator[None]) -> Slice | None:
        """Take the steps, and look between them whether to stop."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Slice | None = end.value
                return result
            self._check()


def _joined(first: Content, second: Content) -> Content:
    crc = combine(first.crc64, second.crc64, second.size_bytes)
    return Content(first.size_bytes + second.size_bytes, crc)
