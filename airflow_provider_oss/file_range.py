"""Some bytes of an open file that are read when they are needed: for checksums in small blocks, for sending by none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from airflow_provider_oss.exceptions import OSSSourceChanged

_BLOCK_BYTES: Final = 256 * 1024
"""Stays in a processor's cache between being read and being used."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """
    ``size_bytes`` of a file from ``offset_bytes`` on. Takes no memory but a block while it is read.

    It is read anew each time, with ``pread``: no shared position, and a file cut short is an error, not a SIGBUS. What
    was sent is proven by its checksums, as always: a file that changes between two reads is found out by OSS.
    """

    path: str
    """For messages."""
    descriptor: int
    offset_bytes: int
    size_bytes: int

    def __len__(self) -> int:
        return self.size_bytes

    def in_memory(self) -> bytearray:
        """Read it all. Raises OSSSourceChanged on a shorter file."""
        data = bytearray(self.size_bytes)
        done = 0
        for block in self.blocks():
            data[done : done + len(block)] = block
            done += len(block)
        return data

    def blocks(self) -> Iterator[memoryview]:
        """Yield the bytes in order; a block is valid until the next one. Raises OSSSourceChanged on a shorter file."""
        buffer = memoryview(bytearray(min(_BLOCK_BYTES, self.size_bytes)))
        done = 0
        while done < self.size_bytes:
            count = os.preadv(self.descriptor, [buffer[: self.size_bytes - done]], self.offset_bytes + done)
            if not count:
                raise self.cut_short(done)
            yield buffer[:count]
            done += count

    def cut_short(self, read_bytes: int) -> OSSSourceChanged:
        """Return the error for a file that ended after ``read_bytes`` of the range."""
        return OSSSourceChanged(
            f"{self.path!r} ended at byte {self.offset_bytes + read_bytes} while it was read: it had at least "
            f"{self.offset_bytes + self.size_bytes} bytes when the upload began"
        )
