"""
What a request's body is made of: data in memory, or some bytes of an open file that are read when they are needed.

Those of a file are read in small blocks for checksums; they are sent without being read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSSourceChanged
from airflow_provider_oss.shown import a_type

_BLOCK_BYTES: Final = 256 * 1024
"""Stays in a processor's cache between being read and being used."""
_LARGE_BLOCK_BYTES: Final = 8 * _BLOCK_BYTES
_LONG_SECONDS: Final = 0.004
_IN_A_ROW: Final = 3
"""So many reads take so long only where another thread computes, which gives the interpreter's lock up every 5 ms."""


class Pace:
    """How much of a file is read at a time: more, once reading has been waited for. Ranges of a file share it."""

    __slots__ = ("block_bytes",)

    def __init__(self) -> None:
        self.block_bytes = _BLOCK_BYTES


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
    pace: Pace = field(default_factory=Pace, compare=False, repr=False)

    def __len__(self) -> int:
        return self.size_bytes

    def in_memory(self) -> bytearray:
        """Read it all. Raises OSSSourceChanged on a shorter file."""
        data = bytearray(self.size_bytes)
        left, done = memoryview(data), 0
        while left:
            count = self._read(left, done)
            left, done = left[count:], done + count
        return data

    def blocks(self) -> Iterator[memoryview]:
        """
        Yield the bytes in order; a block is valid until the next one. Raises OSSSourceChanged on a shorter file.

        A block has 256 KiB, or 2 MiB once several in a row had to be waited for: then fewer are better.
        """
        buffer, done, slow = memoryview(b""), 0, 0
        while done < self.size_bytes:
            if len(buffer) < self.pace.block_bytes:
                buffer = memoryview(bytearray(min(self.pace.block_bytes, self.size_bytes)))
            began = time.monotonic()
            count = self._read(buffer[: self.size_bytes - done], done)
            slow = slow + 1 if time.monotonic() - began > _LONG_SECONDS else 0
            if slow == _IN_A_ROW:
                self.pace.block_bytes = _LARGE_BLOCK_BYTES
            yield buffer[:count]
            done += count

    def _read(self, buffer: memoryview, done_bytes: int) -> int:
        """Read what follows ``done_bytes`` of the range; return how much that was. Raises OSSSourceChanged for none."""
        count = os.preadv(self.descriptor, [buffer], self.offset_bytes + done_bytes)
        if not count:
            raise self.cut_short(done_bytes)
        return count

    def cut_short(self, read_bytes: int) -> OSSSourceChanged:
        """Return the error for a file that ended after ``read_bytes`` of the range."""
        return OSSSourceChanged(
            f"{self.path!r} ended at byte {self.offset_bytes + read_bytes} while it was read: it had at least "
            f"{self.offset_bytes + self.size_bytes} bytes when the upload began"
        )


Buffer: TypeAlias = bytes | bytearray | memoryview
Body: TypeAlias = Buffer | FileRange
"""What is sent: bytes in memory, or in a file."""


def bytes_of(data: Buffer | str) -> Buffer:
    """Return data whose length is its number of bytes; text as UTF-8. Raises OSSInvalidArgument for what is none."""
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError as error:
            raise OSSInvalidArgument(
                f"data cannot be written as UTF-8 ({error.reason}): give bytes, encoded as you want"
            ) from error
    if isinstance(data, bytes | bytearray):
        return data
    try:
        view = memoryview(data)
    except TypeError as error:
        raise OSSInvalidArgument(
            f"data is {a_type(data)}: give text or bytes, such as json.dumps(data); a stream is put with put_stream"
        ) from error
    if not view.c_contiguous:
        raise OSSInvalidArgument(f"data is {a_type(data)} whose bytes lie apart: give bytes(data)")
    return view if (view.format, view.ndim) == ("B", 1) else view.cast("B")
