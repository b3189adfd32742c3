"""An object of OSS as the data of a transfer: its parts are ranges that OSS copies itself, nothing is read here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from airflow_provider_oss.model import Fingerprint, ObjectInfo, ObjectRange, Part
from airflow_provider_oss.transfer.feed import CopiedSlice
from airflow_provider_oss.transfer.plan import Plan, in_working_order
from airflow_provider_oss.transfer.recognition import Content

_MAX_NAME_CHARS: Final = 60
"""What a checkpoint keeps of a source's name beside the longest key: a name that was cut would be another one."""


@dataclass(frozen=True, slots=True)
class CopySource:
    """An object, as HeadObject described it in this attempt: only this version of it is copied."""

    info: ObjectInfo


class CopyFeed:
    """
    Feeds ranges of one version of an object.

    OSS compares the ETag with each range that it copies, so that no mix of two versions can arise.
    """

    reads_forward = False
    copies = True

    def __init__(self, source: CopySource) -> None:
        self._info = source.info

    @property
    def fingerprint(self) -> Fingerprint:
        """The end of the object's address, its size, and a digest of address and ETag as its version."""
        info = self._info
        version = sha256(f"{info.ref.uri}\n{info.etag}".encode()).hexdigest()[:32]
        return Fingerprint(quote(info.ref.uri, safe="/:")[-_MAX_NAME_CHARS:], info.size_bytes, version=version)

    @property
    def size_bytes(self) -> int:
        """The object's."""
        return self._info.size_bytes

    def measure(self, part_size_bytes: int | None) -> int:  # noqa: ARG002 - it is known without
        """Return the size."""
        return self.size_bytes

    def slices(self, plan: Plan, stored: Collection[int]) -> Iterator[CopiedSlice]:
        """Yield the ranges."""
        return (CopiedSlice(part, self._range(part)) for part in in_working_order(plan, stored))

    def whole(self) -> ObjectRange:
        """Return the whole object."""
        return self._range(Part(1, 0, self.size_bytes))

    def content(self) -> Content | None:
        """Return what OSS told of it."""
        return None if self._info.crc64 is None else Content(self.size_bytes, self._info.crc64)

    def check_unchanged(self) -> None:
        """OSS does that with each range."""

    def close(self, *, is_in_use: bool) -> None:
        """Nothing is held."""

    def _range(self, part: Part) -> ObjectRange:
        return ObjectRange(self._info.ref, self._info.etag, part.offset_bytes, part.size_bytes)
