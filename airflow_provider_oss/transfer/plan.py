"""Which bytes go into which part. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import Part
from airflow_provider_oss.ports import SourceReader

DEFAULT_PART_SIZE_BYTES: Final = 8 * limits.MIB


@dataclass(frozen=True, slots=True)
class PartPlan:
    """A source of ``size_bytes`` cut into parts of ``part_size_bytes``, the last one shorter. No part for no bytes."""

    size_bytes: int
    part_size_bytes: int

    @property
    def count(self) -> int:
        """How many parts."""
        return -(-self.size_bytes // self.part_size_bytes)

    def part(self, number: int) -> Part:
        """Return part ``number``, 1 to ``count``."""
        offset = (number - 1) * self.part_size_bytes
        return Part(number, offset, min(self.part_size_bytes, self.size_bytes - offset))

    def __iter__(self) -> Iterator[Part]:
        return (self.part(number) for number in range(1, self.count + 1))


def automatic_part_size_bytes(size_bytes: int) -> int:
    """Return the part size for a source of this size: 8 MiB, or as many whole MiB as keep it within 10,000 parts."""
    needed = -(-size_bytes // limits.MAX_PARTS)
    whole_mib = -(-needed // limits.MIB) * limits.MIB
    return max(DEFAULT_PART_SIZE_BYTES, whole_mib)


def make_plan(size_bytes: int, part_size_bytes: int | None = None) -> PartPlan:
    """
    Return the plan for a source of ``size_bytes``; without ``part_size_bytes`` the part size is chosen.

    Raises OSSInvalidArgument when OSS would refuse the part size, or the source would need more than 10,000 parts.
    """
    if size_bytes > limits.MAX_OBJECT_SIZE_BYTES:
        raise OSSInvalidArgument(
            f"the source has {size_bytes} bytes: OSS stores at most {limits.MAX_OBJECT_SIZE_BYTES} in one object"
        )
    if part_size_bytes is None:
        return PartPlan(size_bytes, automatic_part_size_bytes(size_bytes))
    if not limits.MIN_PART_SIZE_BYTES <= part_size_bytes <= limits.MAX_PART_SIZE_BYTES:
        raise OSSInvalidArgument(
            f"part_size={part_size_bytes} is outside what OSS allows: {limits.MIN_PART_SIZE_BYTES} (100 KB) to "
            f"{limits.MAX_PART_SIZE_BYTES} (5 GB) bytes"
        )
    plan = PartPlan(size_bytes, part_size_bytes)
    if plan.count > limits.MAX_PARTS:
        raise OSSInvalidArgument(
            f"part_size={part_size_bytes} would cut the {size_bytes} bytes of the source into {plan.count} parts: OSS "
            f"allows {limits.MAX_PARTS}, so use at least {-(-size_bytes // limits.MAX_PARTS)} bytes or leave it out"
        )
    return plan


def whole(reader: SourceReader) -> Part:
    """Return the whole source as one part."""
    return Part(1, 0, reader.fingerprint.size_bytes)


def in_working_order(plan: PartPlan, stored: Collection[int]) -> Iterator[Part]:
    """
    Yield each part once: one that is missing, then one of ``stored`` that is to be verified, and so on in turns.

    So the link is busy from the first moment and verifying costs no time of its own.
    """
    missing = (part for part in plan if part.number not in stored)
    to_verify = (part for part in plan if part.number in stored)
    turns = chain.from_iterable(zip_longest(missing, to_verify))
    return (part for part in turns if part is not None)
