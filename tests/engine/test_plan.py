"""Which bytes go into which part."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, combinations, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_oss import limits
from airflow_provider_oss.engine.plan import (
    DEFAULT_PART_SIZE_BYTES,
    GrowingPlan,
    PartPlan,
    automatic_part_size_bytes,
    in_working_order,
    make_plan,
)
from airflow_provider_oss.engine.source import BytesReader, BytesSource, whole
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Fingerprint, Part
from tests.support.source_text import occurrences
from tests.support.values import part_sizes


def test_a_plan_in_full() -> None:
    """Ten bytes in parts of four are two whole parts and one of the two bytes left."""
    assert list(PartPlan(10, 4)) == [Part(1, 0, 4), Part(2, 4, 4), Part(3, 8, 2)]


@given(size_bytes=st.integers(0, 300), part_size_bytes=st.integers(1, 40))
def test_every_byte_is_in_one_part(size_bytes: int, part_size_bytes: int) -> None:
    """The parts, numbered from 1, follow each other without gap or overlap; only the last one is shorter."""
    plan = PartPlan(size_bytes, part_size_bytes)
    parts = list(plan)

    covered = [byte for part in parts for byte in range(part.offset_bytes, part.offset_bytes + part.size_bytes)]
    assert covered == list(range(size_bytes))
    assert [part.number for part in parts] == list(range(1, plan.count + 1))
    assert all(part.size_bytes == part_size_bytes for part in parts[:-1])
    assert all(part.size_bytes > 0 for part in parts)


@given(size_bytes=st.integers(0, limits.MAX_OBJECT_SIZE_BYTES))
def test_the_automatic_part_size_always_works(size_bytes: int) -> None:
    """Without a wish any source that OSS can store gets whole MiB, at least 8, in at most 10,000 parts."""
    plan = make_plan(size_bytes)

    assert plan.part_size_bytes == automatic_part_size_bytes(size_bytes)
    assert plan.part_size_bytes % limits.MIB == 0
    assert plan.part_size_bytes >= DEFAULT_PART_SIZE_BYTES
    assert plan.part_size_bytes <= limits.MAX_PART_SIZE_BYTES
    assert plan.count <= limits.MAX_PARTS


@given(size_bytes=st.integers(0, 2 * limits.MAX_OBJECT_SIZE_BYTES), part_size_bytes=part_sizes)
def test_a_wished_part_size_is_kept_or_refused(size_bytes: int, part_size_bytes: int) -> None:
    """A part size that OSS allows is used as it is, or refused because there would be too many parts."""
    try:
        plan = make_plan(size_bytes, part_size_bytes)
    except OSSInvalidArgument:
        assert PartPlan(size_bytes, part_size_bytes).count > limits.MAX_PARTS
        return
    assert plan == PartPlan(size_bytes, part_size_bytes)
    assert plan.count <= limits.MAX_PARTS


@pytest.mark.parametrize(
    ("size_bytes", "part_size_bytes", "complaint"),
    [
        (1, limits.MIN_PART_SIZE_BYTES - 1, r"part_size=102399 .*102400 \(100 KB\)"),
        (1, 0, "part_size=0 "),
        (1, -1, "part_size=-1 "),
        (1, limits.MAX_PART_SIZE_BYTES + 1, r"part_size=5368709121 .*\(5 GB\)"),
        (limits.GIB, limits.MIN_PART_SIZE_BYTES, "10486 parts.*10000.*at least 107375 bytes"),
        (limits.MAX_OBJECT_SIZE_BYTES + 1, None, "at most 53687091200000 in one object"),
        (limits.MAX_OBJECT_SIZE_BYTES + 1, limits.MAX_PART_SIZE_BYTES, "at most 53687091200000 in one object"),
    ],
)
def test_what_cannot_be_planned(size_bytes: int, part_size_bytes: int | None, complaint: str) -> None:
    """A part size or source beyond OSS's limits is an error that names the number and the limit."""
    with pytest.raises(OSSInvalidArgument, match=complaint):
        make_plan(size_bytes, part_size_bytes)


def test_the_part_size_that_the_error_names_works() -> None:
    """Following the advice of the error for too many parts helps."""
    assert make_plan(limits.GIB, 107_375).count == limits.MAX_PARTS


def test_each_part_is_worked_on_once() -> None:
    """The working order names every part of the plan exactly once, whatever is said to be stored."""
    for count in range(7):
        plan = PartPlan(count * 4, 4)
        for stored in subsets_of(range(1, 9)):
            assert sorted(in_working_order(plan, stored), key=lambda part: part.number) == list(plan)


def subsets_of(numbers: range) -> Iterator[set[int]]:
    """Yield every set of some of the numbers."""
    return map(set, chain.from_iterable(combinations(numbers, size) for size in range(len(numbers) + 1)))


def test_sending_and_verifying_take_turns() -> None:
    """A missing part comes first, then a stored one, and so on; what is left of either comes at the end."""
    order = [part.number for part in in_working_order(PartPlan(28, 4), {1, 2, 3, 4})]

    assert order == [5, 1, 6, 2, 7, 3, 4]


# Streams: the length is not known


@settings(max_examples=20)
@example(part_size_bytes=limits.MIN_PART_SIZE_BYTES)
@example(part_size_bytes=8 * limits.MIB)
@example(part_size_bytes=limits.MAX_PART_SIZE_BYTES - 1)
@example(part_size_bytes=limits.MAX_PART_SIZE_BYTES)
@given(part_size_bytes=part_sizes)
def test_a_stream_may_be_as_long_as_an_object(part_size_bytes: int) -> None:
    """
    Whatever the first part's size, the 10,000 parts of a stream hold 48.8 TB, each within OSS's limits.

    They follow each other without a gap, and no part is larger than the first one and a 64th of all before it.
    """
    plan = make_plan(None, part_size_bytes)
    parts = list(plan)

    assert isinstance(plan, GrowingPlan)
    assert len(parts) == plan.count == limits.MAX_PARTS
    assert parts[0] == Part(1, 0, part_size_bytes)
    assert all(part.offset_bytes == before.offset_bytes + before.size_bytes for before, part in pairwise(parts))
    assert all(part.size_bytes >= before.size_bytes for before, part in pairwise(parts))
    assert parts[-1].size_bytes <= limits.MAX_PART_SIZE_BYTES
    assert 48_800_000_000_000 <= plan.capacity_bytes <= limits.MAX_OBJECT_SIZE_BYTES
    for part in parts:
        assert part.size_bytes <= part_size_bytes + part.offset_bytes // 64 + part.number  # rounded up, each of them


@given(part_size_bytes=part_sizes)
def test_parts_grow_as_late_as_can_be(part_size_bytes: int) -> None:
    """With one more part of the first size, all parts together would hold less than OSS's largest object should."""
    plan = GrowingPlan(part_size_bytes)
    largest_only = plan.capacity_bytes == limits.MAX_PARTS * part_size_bytes
    assert largest_only or plan.capacity_bytes - (limits.MAX_PART_SIZE_BYTES - part_size_bytes) < 48_800_000_000_000


@pytest.mark.parametrize(
    ("offset_gb", "mib"),
    [(0, 8), (4.6, 8), (5.23, 16), (6.33, 32), (8.51, 64), (73, 1024), (350, 5120), (48_000, 5120)],
)
def test_sizes_of_a_stream_without_a_wish(offset_gb: float, mib: int) -> None:
    """Up to 4.7 GB the parts have 8 MiB; this is what they have later on, to a thirtieth."""
    parts = list(make_plan(None))
    at = bisect_right(parts, offset_gb * 1e9, key=lambda part: part.offset_bytes) - 1
    assert parts[at].size_bytes == pytest.approx(mib * limits.MIB, rel=0.03)


@pytest.mark.parametrize("part_size_bytes", [limits.MIN_PART_SIZE_BYTES - 1, limits.MAX_PART_SIZE_BYTES + 1, 0])
def test_parts_of_a_stream_that_oss_forbids(part_size_bytes: int) -> None:
    """A part size outside OSS's limits is refused, though the length is not known."""
    with pytest.raises(OSSInvalidArgument, match=f"part_size={part_size_bytes} is outside"):
        make_plan(None, part_size_bytes)


def test_what_a_plan_says_of_itself() -> None:
    """For the log a plan says how many parts it has, or that they grow."""
    assert str(PartPlan(10, 4)) == "3 parts of 4 bytes"
    assert str(GrowingPlan(PartPlan(10, 4).part_size_bytes)) == "parts of 4 bytes and, later on, more"


def test_a_reader_must_know_its_size() -> None:
    """What can be read at any offset has a size: without it, the error says what to do."""

    class Endless(BytesReader):
        fingerprint = Fingerprint("endless", None)

    with pytest.raises(OSSInvalidSource, match="the size of 'endless' is not known: upload it as a stream"):
        whole(Endless(BytesSource(b"")))


@pytest.mark.parametrize("least_bytes", [MIB, 64 * MIB])
@pytest.mark.parametrize("size_bytes", [0, 1, 640_000 * MIB, 640_000 * MIB + 1, limits.MAX_OBJECT_SIZE_BYTES])
def test_the_least_part_size(size_bytes: int, least_bytes: int) -> None:
    """It is what was asked for, or the whole MiB that keep the source to 10,000 parts."""
    part_size_bytes = automatic_part_size_bytes(size_bytes, least_bytes)
    assert part_size_bytes >= least_bytes
    assert part_size_bytes % MIB == 0
    assert PartPlan(size_bytes, part_size_bytes).count <= limits.MAX_PARTS
    if part_size_bytes > least_bytes:
        assert PartPlan(size_bytes, part_size_bytes - MIB).count > limits.MAX_PARTS


def test_one_home() -> None:
    """Nothing else divides a source by the number of parts that there may be."""
    assert occurrences(r"// *(limits\.)?MAX_PARTS") == {"engine/plan.py"}
