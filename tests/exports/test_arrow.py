"""Rows in record batches: cut anywhere, and never stored as another value."""

from __future__ import annotations

import datetime as dt
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exports.arrow import ArrowRows, scalar_text, stored_as
from airflow_provider_oss.exports.formats import Pieces, Split

DAY = dt.timedelta(days=1) // dt.timedelta(microseconds=1)
FIRST = (dt.date(1, 1, 1) - dt.date(1970, 1, 1)).days
LAST = (dt.date(9999, 12, 31) - dt.date(1970, 1, 1)).days


def rows(sizes: list[int]) -> ArrowRows:
    """Return rows whose column ``n`` counts from 0, in batches of these sizes."""
    batches = [
        pa.record_batch({"n": pa.array(range(first, end), pa.int64()), "x": ["x"] * (end - first)})
        for first, end in pairwise(accumulate(sizes, initial=0))
    ]
    return ArrowRows(iter(batches))


def numbers(table: Any) -> list[int]:
    found: list[int] = table.column("n").to_pylist()
    return found


SIZES = st.lists(st.integers(0, 9), max_size=8)


@given(SIZES, st.integers(1, 12))
def test_tables_of_any_size(sizes: list[int], count: int) -> None:
    """Tables have as many rows as asked for, and fewer at the end; a look ahead takes none away."""
    source, taken = rows(sizes), []
    while source.has_more() and source.has_more():
        taken.append(numbers(source.take(count)))
    assert [number for each in taken for number in each] == list(range(sum(sizes)))
    assert all(len(each) == count for each in taken[:-1])
    assert not source.take(count)


@given(SIZES, st.integers(1, 5), st.integers(1, 12))
def test_pieces(sizes: list[int], batch_rows: int, split_rows: int) -> None:
    """A result is cut at the same rows whether they come in batches or one by one."""

    def cut(source: Any, count: Any) -> list[list[int]]:
        pieces, found = Pieces(source, batch_rows, Split(rows=split_rows)), []
        while pieces.has_more():
            found.append([count(batch) for batch in pieces.piece()])
        return found

    assert cut(rows(sizes), len) == cut(iter([(number,) for number in range(sum(sizes))]), len)


def test_selected_columns() -> None:
    """Columns come in the order in which they are asked for, and a batch without rows is no end."""
    table = rows([0, 2, 0, 1]).select([1, 0]).take(9)
    assert table.schema.names == ["x", "n"]
    assert numbers(table) == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "own", "stored"),
    [
        ([FIRST, LAST, None], pa.date32(), pa.date32()),
        ([0, DAY - 1], pa.time64("us"), pa.time64("us")),
        ([FIRST * DAY, (LAST + 1) * DAY - 1], pa.timestamp("us"), pa.timestamp("us")),
        ([0, None], pa.timestamp("us", "Asia/Kolkata"), pa.timestamp("us", "UTC")),
        ([1_000, None], pa.timestamp("ns"), pa.timestamp("us")),
        ([None, None], pa.date32(), pa.date32()),
        ([-128, 127], pa.int8(), pa.int16()),
    ],
)
def test_values_that_fit(values: list[int | None], own: Any, stored: Any) -> None:
    """Values at the bounds of a type are stored as they are."""
    found = stored_as(column(values, own), stored)
    assert found.type == stored
    assert found.null_count == values.count(None)


@pytest.mark.parametrize(
    ("values", "own", "stored"),
    [
        ([0, FIRST - 1], pa.date32(), pa.date32()),
        ([LAST + 1, 0], pa.date32(), pa.date32()),
        ([0, DAY], pa.time64("us"), pa.time64("us")),
        ([0, DAY * 1000], pa.time64("ns"), pa.time64("us")),
        ([FIRST * DAY - 1], pa.timestamp("us"), pa.timestamp("us")),
        ([(LAST + 1) * DAY], pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        ([2**63 - 1], pa.timestamp("s"), pa.timestamp("us")),
        ([1_001], pa.timestamp("ns"), pa.timestamp("us")),
        ([2**16], pa.int32(), pa.int16()),
    ],
)
def test_values_that_do_not_fit(values: list[int], own: Any, stored: Any) -> None:
    """A value beyond the bounds, and one that would lose something, are refused."""
    with pytest.raises((pa.ArrowException, ValueError)):
        stored_as(column(values, own), stored)


def test_infinity_in_a_message() -> None:
    """The values that stand for infinity are called that."""
    found = [scalar_text(each) for each in column([2**31 - 1, 1 - 2**31, 0], pa.date32())]
    assert found == ["infinity", "-infinity", "1970-01-01"]


def column(values: list[int | None] | list[int], own: Any) -> Any:
    width = pa.int32() if own == pa.date32() else pa.int64()
    return pa.chunked_array([pa.array(values, width).cast(own)])
