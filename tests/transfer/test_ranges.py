"""Sets of part numbers as short text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.transfer.ranges import MAX_RANGES, PartRanges, parse_ranges

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
