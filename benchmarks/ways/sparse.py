"""Files without blocks: large to read, and nothing to write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from fastcrc import crc64

from benchmarks.sample import Sample
from benchmarks.sink.checksum import combine

_BLOCK_BYTES: Final = 64 * 1024


def sparse_sample(path: Path, size_bytes: int) -> Sample:
    """Make a file of ``size_bytes`` zeros that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return Sample(path, size_bytes, _crc64_of_zeros(size_bytes))


def forget_cached(path: Path) -> None:
    """Drop what the page cache holds of a file, so that every run meets it alike. Only Linux can."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _crc64_of_zeros(size_bytes: int) -> int:
    """Return the CRC-64 by joining blocks of twice the size, again and again."""
    crc, joined_bytes = crc64.xz(bytes(size_bytes % _BLOCK_BYTES)), size_bytes % _BLOCK_BYTES
    block, block_bytes = crc64.xz(bytes(_BLOCK_BYTES)), _BLOCK_BYTES
    while joined_bytes < size_bytes:
        if (size_bytes - joined_bytes) & block_bytes:
            crc = combine(crc, block, block_bytes)
            joined_bytes += block_bytes
        block, block_bytes = combine(block, block, block_bytes), 2 * block_bytes
    return crc
