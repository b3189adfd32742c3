"""The file that is uploaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastcrc import crc64

_BLOCK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """A file and what is to arrive of it."""

    path: Path
    size_bytes: int
    crc64: int


def write_sample(path: Path, size_bytes: int) -> Sample:
    """Write random bytes. Afterwards they are in the page cache and on the disk: no write-back disturbs the rounds."""
    crc = 0
    with path.open("wb") as file:
        for start in range(0, size_bytes, _BLOCK_BYTES):
            block = os.urandom(min(_BLOCK_BYTES, size_bytes - start))
            crc = crc64.xz(block, crc)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return Sample(path, size_bytes, crc)
