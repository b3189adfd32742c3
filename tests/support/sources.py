"""Data for tests: bytes that look random, files of them, and streams that misbehave on purpose."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path


def some_bytes(size_bytes: int, seed: int = 0) -> bytes:
    """Return bytes in which no two slices are alike; the same for the same seed."""
    return random.Random(seed).randbytes(size_bytes)


def edit_unnoticed(path: Path, at: int, new: bytes) -> None:
    """Overwrite bytes of a file in place, keeping its size and the time of its last modification."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(new)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def descriptors_of(path: Path) -> int:
    """Return how many descriptors of this process lead to the path."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.resolve() == path.resolve() for link in links)


class RecordingStream:
    """A file-like object over bytes that counts its reads and can raise at one of them."""

    def __init__(self, data: bytes, *, fails_at_read: int | None = None, error: Exception | None = None) -> None:
        self._data = data
        self._position = 0
        self._fails_at_read = fails_at_read
        self._error = error or OSError("the source broke")
        self.reads = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size`` and at most 1000."""
        self.reads += 1
        if self.reads == self._fails_at_read:
            raise self._error
        chunk = self._data[self._position : self._position + min(size, 1000)]
        self._position += len(chunk)
        return chunk


def slices_of(data: bytes, size_bytes: int = 1000) -> Iterator[bytes]:
    """Yield the bytes piece by piece: a stream that can be read once only."""
    for start in range(0, len(data), size_bytes):
        yield data[start : start + size_bytes]
