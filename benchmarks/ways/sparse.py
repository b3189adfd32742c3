"""Files without blocks: large to read, nothing to write, and no page of memory taken while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from fastcrc import crc64

from benchmarks.sample import Sample
from benchmarks.sink.checksum import combine

_MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - the file's name is its own
"""Where Linux reads what has no blocks without filling the page cache: it would take longer than the upload."""
_BLOCK_BYTES: Final = 64 * 1024


@contextmanager
def sparse_sample(folder: Path, size_bytes: int) -> Iterator[Sample]:
    """Make a file of ``size_bytes`` zeros, in memory where the system can and else in ``folder``; remove it after."""
    place = _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else folder
    with NamedTemporaryFile(prefix="oss-benchmark-", suffix=".bin", dir=place) as file:
        file.truncate(size_bytes)
        yield Sample(Path(file.name), size_bytes, crc64_of_zeros(size_bytes))


def crc64_of_zeros(size_bytes: int) -> int:
    """Return the CRC-64 by joining blocks of twice the size, again and again."""
    crc, joined_bytes = crc64.xz(bytes(size_bytes % _BLOCK_BYTES)), size_bytes % _BLOCK_BYTES
    block, block_bytes = crc64.xz(bytes(_BLOCK_BYTES)), _BLOCK_BYTES
    while joined_bytes < size_bytes:
        if (size_bytes - joined_bytes) & block_bytes:
            crc = combine(crc, block, block_bytes)
            joined_bytes += block_bytes
        block, block_bytes = combine(block, block, block_bytes), 2 * block_bytes
    return crc
