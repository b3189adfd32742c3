"""Which bytes go into which part, and numbers of parts as ranges. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise, zip_longest
from typing import ClassVar, Final, TypeAlias, overload

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import CONSTANT_PARTS, Part
from airflow_provider_oss.quantities import check_part_size

DEFAULT_PART_SIZE_BYTES: Final = 8 * limits.MIB

GROWING_PARTS: Final = "growing-1"
"""Name of the schedule of GrowingPlan. Another rule gets another name: checkpoints of this one stay what they are."""

_LEAST_CAPACITY_BYTES: Final = 48_800_000_000_000
_GROWTH_SHARE: Final = 64


@dataclass(frozen=True, slots=True)
class PartPlan:
    """A source of ``size_bytes`` cut into parts of ``part_size_bytes``, the last one shorter. No part for no bytes."""

    size_bytes: int
    part_size_bytes: int

    schedule: ClassVar[str] = CONSTANT_PARTS

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

    def __str__(self) -> str:
        return f"{self.count} parts of {self.part_size_bytes} bytes"


@dataclass(frozen=True, slots=True)
class GrowingPlan:
    """
    The parts of a stream of unknown length: the sizes that the first 10,000 have if the stream is long enough.

    They must hold 48.8 * 10^12 bytes, 90.9 % of what 10,000 parts of OSS's 5 GiB could, so all but a few must be large;
    yet each part in flight takes memory, or room on disk. So the first parts all have ``part_size_bytes`` (say ``s``),
    for as long as that can be afforded; then each is a 64th larger than the one before it (rounded up to a byte), up to
    5 GiB, of which are all the rest. A part is thus never larger than ``s`` and a 64th of what precedes it.

    The number ``n`` of first parts is the greatest for which, with ``m`` growing parts of ``g`` bytes together,

        n * s + g + (10,000 - n - m) * 5 GiB >= 48.8 * 10^12.

    For 8 MiB that is n = 559, m = 416: a stream has parts of 8 MiB up to 4.69 GB, of 16 MiB from 5.22 GB on, of 64 MiB
    from 8.50 GB, of 1 GiB from 72.9 GB, of 5 GiB from 349 GB.
    """

    part_size_bytes: int

    schedule: ClassVar[str] = GROWING_PARTS
    size_bytes: ClassVar[None] = None
    count: ClassVar[int] = limits.MAX_PARTS
    """How many parts there may be."""

    def part(self, number: int) -> Part:
        """Return part ``number``, 1 to 10,000, as large as it is unless it is the last."""
        constant, growing, offsets = _growth(self.part_size_bytes)
        if number <= constant:
            return Part(number, (number - 1) * self.part_size_bytes, self.part_size_bytes)
        step = number - constant - 1
        before = constant * self.part_size_bytes
        if step < len(growing):
            return Part(number, before + offsets[step], growing[step])
        largest = limits.MAX_PART_SIZE_BYTES
        return Part(number, before + offsets[-1] + (step - len(growing)) * largest, largest)

    @property
    def capacity_bytes(self) -> int:
        """Bytes that all parts hold together."""
        last = self.part(self.count)
        return last.offset_bytes + last.size_bytes

    def __iter__(self) -> Iterator[Part]:
        return (self.part(number) for number in range(1, self.count + 1))

    def __str__(self) -> str:
        return f"parts of {self.part_size_bytes} bytes and, later on, more"


Plan: TypeAlias = PartPlan | GrowingPlan


@dataclass(frozen=True, slots=True)
class PartRange:
    """Parts ``first`` to ``last`` of a plan; none when ``last`` is less."""

    plan: PartPlan
    first: int
    last: int

    @property
    def part_size_bytes(self) -> int:
        """Of the first part."""
        return self.plan.part_size_bytes

    @property
    def count(self) -> int:
        """How many parts."""
        return self.last - self.first + 1

    def part(self, number: int) -> Part:
        """Return part ``number`` of the plan."""
        return self.plan.part(number)

    @property
    def span(self) -> Part:
        """All of them as one."""
        offset = (self.first - 1) * self.plan.part_size_bytes
        end = min(self.last * self.plan.part_size_bytes, self.plan.size_bytes)
        return Part(self.first, offset, end - offset if self.count else 0)

    def __iter__(self) -> Iterator[Part]:
        return (self.plan.part(number) for number in range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


Parts: TypeAlias = Plan | PartRange
"""What is worked at: all parts, or a range of them."""


def cut_evenly(plan: PartPlan, ranges: int) -> list[PartRange]:
    """Return the parts in so many ranges, or in as many as there are parts, that differ by one part at most."""
    ranges = max(1, min(ranges, plan.count))
    bounds = [plan.count * number // ranges for number in range(ranges + 1)]
    return [PartRange(plan, before + 1, last) for before, last in pairwise(bounds)]


@lru_cache(maxsize=8)
def _growth(first_bytes: int) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return how many parts have the first size, the sizes of those that grow, and their offsets behind the former."""
    largest = limits.MAX_PART_SIZE_BYTES
    if first_bytes * limits.MAX_PARTS >= _LEAST_CAPACITY_BYTES:
        return limits.MAX_PARTS, (), (0,)
    sizes, offsets = [], [0]
    size = first_bytes
    while (size := size - -size // _GROWTH_SHARE) < largest:
        sizes.append(size)
        offsets.append(offsets[-1] + size)
    surplus = (limits.MAX_PARTS - len(sizes)) * largest + offsets[-1] - _LEAST_CAPACITY_BYTES
    return surplus // (largest - first_bytes), tuple(sizes), tuple(offsets)


def automatic_part_size_bytes(size_bytes: int, least_bytes: int = DEFAULT_PART_SIZE_BYTES) -> int:
    """Return the part size for a source of this size: the least, or as many whole MiB as keep it to 10,000 parts."""
    needed = -(-size_bytes // limits.MAX_PARTS)
    whole_mib = -(-needed // limits.MIB) * limits.MIB
    return max(least_bytes, whole_mib)


@overload
def make_plan(size_bytes: int, part_size_bytes: int | None = None) -> PartPlan: ...
@overload
def make_plan(size_bytes: int | None, part_size_bytes: int | None = None) -> Plan: ...
def make_plan(size_bytes: int | None, part_size_bytes: int | None = None) -> Plan:
    """
    Return the plan for a source of ``size_bytes``, None if that is not known.

    Without ``part_size_bytes`` the part size is chosen.
    Raises OSSInvalidArgument when OSS would refuse the part size, or the source would need more than 10,000 parts.
    """
    if part_size_bytes is not None:
        check_part_size(part_size_bytes)
    if size_bytes is None:
        return GrowingPlan(part_size_bytes or DEFAULT_PART_SIZE_BYTES)
    if size_bytes > limits.MAX_OBJECT_SIZE_BYTES:
        raise OSSInvalidArgument(
            f"the source has {size_bytes} bytes: OSS stores at most {limits.MAX_OBJECT_SIZE_BYTES} in one object"
        )
    if part_size_bytes is None:
        return PartPlan(size_bytes, automatic_part_size_bytes(size_bytes))
    plan = PartPlan(size_bytes, part_size_bytes)
    if plan.count > limits.MAX_PARTS:
        raise OSSInvalidArgument(
            f"part_size={part_size_bytes} would cut the {size_bytes} bytes of the source into {plan.count} parts: OSS "
            f"allows {limits.MAX_PARTS}, so use at least {-(-size_bytes // limits.MAX_PARTS)} bytes or leave it out"
        )
    return plan


def in_working_order(parts: Parts, stored: Collection[int]) -> Iterator[Part]:
    """
    Yield each part once: one that is missing, then one of ``stored`` that is to be verified, and so on in turns.

    So the link is busy from the first moment and verifying costs no time of its own.
    """
    missing = (part for part in parts if part.number not in stored)
    to_verify = (part for part in parts if part.number in stored)
    turns = chain.from_iterable(zip_longest(missing, to_verify))
    return (part for part in turns if part is not None)


MAX_RANGES: Final = 64
"""More ranges than this are left out of the text, so that a checkpoint stays small: a hint may say too little."""


class PartRanges:
    """A growing set of part numbers, kept as ascending ranges that do not touch."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> bool:
        """Add a number and return whether it is new; one that is there already changes nothing."""
        at = bisect_right(self._firsts, number)
        if at and number <= self._lasts[at - 1]:
            return False
        joins_left = at > 0 and self._lasts[at - 1] == number - 1
        joins_right = at < len(self._firsts) and self._firsts[at] == number + 1
        if joins_left and joins_right:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif joins_left:
            self._lasts[at - 1] = number
        elif joins_right:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)
        return True

    def as_text(self) -> str:
        """Return the first MAX_RANGES ranges as text; no text for no numbers."""
        pairs = zip(self._firsts[:MAX_RANGES], self._lasts[:MAX_RANGES], strict=True)
        return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in pairs)
