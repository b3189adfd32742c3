"""Where a part of a stream is until OSS has it: in memory, or beyond some size in a file without a name."""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from airflow_provider_oss import limits
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.ports import Body

if TYPE_CHECKING:
    from io import FileIO

MOST_IN_MEMORY_BYTES: Final = 64 * limits.MIB


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
            self._memory = mmap.mmap(-1, 1 << (size_bytes - 1).bit_length())

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


def _nothing() -> None:
    """Stand for closing no file."""


class BufferPool:
    """Buffers that are used again and again. ``give_back`` may be called in any thread."""

    def __init__(self) -> None:
        self._free: deque[PartBuffer] = deque()

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
