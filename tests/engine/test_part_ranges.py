"""Which parts are done, and their numbers as short text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.engine.plan import MAX_RANGES, PartRanges
from airflow_provider_oss.engine.resume import DoneParts, parse_ranges
from airflow_provider_oss.model import Checkpoint, CompletedPart, Fingerprint, ObjectRef, StoredPart

HIGHEST = 10_000


def text_of(numbers: list[int]) -> str:
    ranges = PartRanges()
    for number in numbers:
        ranges.add(number)
    return ranges.as_text()


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([7], "7"),
        ([1, 2], "1-2"),
        ([2, 1], "1-2"),
        ([1, 3], "1,3"),
        ([1, 3, 2], "1-3"),
        ([3, 1, 2, 2, 1, 3], "1-3"),
        ([5, 9, 7, 1, 2], "1-2,5,7,9"),
        ([*range(1, 58), 60], "1-57,60"),
    ],
)
def test_numbers_as_text(numbers: list[int], text: str) -> None:
    """Neighbours join into ranges, in whatever order and however often they are added."""
    assert text_of(numbers) == text


@given(numbers=st.lists(st.integers(1, 20)))
def test_what_is_new(numbers: list[int]) -> None:
    """Adding tells whether the number was new, also to ranges that began with some."""
    ranges = PartRanges([3, 4])
    seen = {3, 4}

    for number in numbers:
        assert ranges.add(number) == (number not in seen)
        seen.add(number)


@given(numbers=st.lists(st.integers(1, 100)))
def test_text_names_exactly_the_numbers(numbers: list[int]) -> None:
    """What was added is what the text is parsed to, and the text is ascending and as short as can be."""
    text = text_of(numbers)

    assert parse_ranges(text, HIGHEST) == set(numbers)
    items = [item.partition("-") for item in text.split(",")] if text else []
    bounds = [(int(first), int(last or first)) for first, _, last in items]
    assert all(last + 1 < following for (_, last), (following, _) in itertools.pairwise(bounds))
    assert all(first < last for (first, last), (_, dash, _) in zip(bounds, items, strict=True) if dash)


def test_many_holes_are_left_out_of_the_text() -> None:
    """The text stays small whatever there is: it names the first ranges only, never a number too many."""
    odd = list(range(1, HIGHEST, 2))

    text = text_of(odd)

    assert parse_ranges(text, HIGHEST) == set(odd[:MAX_RANGES])
    assert len(text) < 1024


def test_the_longest_text_fits_a_checkpoint() -> None:
    """Even the longest numbers stay below the 1024 characters that the checkpoint's schema allows."""
    numbers = [number for start in range(5000, HIGHEST, 3) for number in (start, start + 1)]

    assert len(text_of(numbers)) < 1024


def test_numbers_outside_the_plan_are_ignored() -> None:
    """A text may name parts that the source no longer has; they count as not named."""
    assert parse_ranges("0-2,5,9-99999", 10) == {1, 2, 5, 9, 10}


@pytest.mark.parametrize("text", ["x", "1,", "1-2-3", "-3", "1;2", "1-x"])
def test_other_text_is_an_error(text: str) -> None:
    """Text that is no list of ranges raises ValueError."""
    with pytest.raises(ValueError, match="invalid literal"):
        parse_ranges(text, HIGHEST)


def test_a_hostile_range_costs_nothing() -> None:
    """A range of billions is cut before it is counted through."""
    assert parse_ranges("1-99999999999999", 3) == {1, 2, 3}


CHECKPOINT = Checkpoint(ObjectRef("exports", "a"), "U", 10, Fingerprint("data", 45), "0" * 16)


def part(number: int, size_bytes: int = 10) -> CompletedPart:
    return CompletedPart(number, size_bytes, f"E{number}", number)


def test_done_parts_are_noted() -> None:
    """A checkpoint has the numbers and bytes of the parts that are done, each counted once."""
    done = DoneParts()
    for number in (1, 2, 2, 4):
        done.add(part(number), was_sent=number != 2)

    noted = done.noted_in(CHECKPOINT, "now")

    assert (noted.done_parts, noted.done_bytes, noted.updated_at) == ("1-2,4", 30, "now")
    assert list(done.completed) == [1, 2, 4]
    assert [done.was_sent(number) for number in (1, 2, 4)] == [True, False, True]
    assert not done.are_all_sent


def test_done_parts_are_verified_once_more() -> None:
    """What only a checkpoint knows stays noted, the rest is found again; what was sent is remembered until then."""
    done = DoneParts()
    done.add(part(1), was_sent=True)

    done.restart([StoredPart(1, 10, "E1", 1), StoredPart(3, 10)])

    assert (done.noted_in(CHECKPOINT, "").done_parts, dict(done.completed)) == ("3", {})
    done.add(part(1), was_sent=False)
    assert done.was_sent(1)
    assert done.are_all_sent
    done.forget_sent()
    assert not done.was_sent(1)
