"""Range headers, read the way OSS reads them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_oss.emulator.errors import OSSError

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)(?:,.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes from ``offset`` on."""

    offset: int
    length: int

    def content_range(self, size: int) -> str:
        """Return the Content-Range of this part of ``size`` bytes."""
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


def read_range(text: str, size: int, *, standard: bool) -> ByteRange | None:
    """
    Return the part of an object of ``size`` bytes that a Range header asks for; None means all of it.

    A range that does not lie within the object means all of it, unless the client asked for the ``standard`` behaviour:
    then its end is cut to the object, and one that begins past the end is 416 InvalidRange. Of several ranges the first
    one counts.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        return _from_start(int(match[1]), int(match[2]) if match[2] else None, size, standard=standard)
    length = int(match[2])
    if length > size and not standard:
        return None
    if length == 0 or size == 0:
        _refuse_if_standard(size, standard=standard)
        return None
    return ByteRange(max(0, size - length), min(length, size))


def _from_start(first: int, last: int | None, size: int, *, standard: bool) -> ByteRange | None:
    if last is not None and last < first:
        return None
    if first >= size:
        _refuse_if_standard(size, standard=standard)
        return None
    if last is None:
        return ByteRange(first, size - first)
    if last >= size and not standard:
        return None
    return ByteRange(first, min(last, size - 1) - first + 1)


def _refuse_if_standard(size: int, *, standard: bool) -> None:
    if standard:
        raise OSSError(
            "InvalidRange", extra={"ActualObjectSize": str(size)}, headers={"Content-Range": f"bytes */{size}"}
        )
