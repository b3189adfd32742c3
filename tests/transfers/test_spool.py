"""Rows wait on disk until the kinds of their columns are known, or for others of their partition, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column, Kind, Row
from airflow_provider_oss.exports.partitions import Layout
from airflow_provider_oss.transfers.spool import by_partition, with_known_types


def test_declared_columns_are_passed_on() -> None:
    """When the database declares all columns no row is read before it is asked for."""

    def batches() -> Iterator[Batch]:
        yield [(1,), (2,)]
        raise AssertionError("read ahead")

    columns = (Column("a", Kind.INTEGER),)
    with with_known_types(columns, batches()) as (known, rows):
        assert known == columns
        assert [next(rows), next(rows)] == [(1,), (2,)]


def test_rows_come_back() -> None:
    """Rows of columns that are not declared come back as they were, in their order; declared columns stay."""
    columns = (Column("a"), Column("b", Kind.DATE, "date"), Column("c"))
    batches: list[Batch] = [[(None, "infinity", b"x"), (1, None, None)], [(2.5, "2026-01-02", b"")]]
    with with_known_types(columns, batches) as (known, rows):
        assert known == (Column("a", Kind.FLOAT), columns[1], Column("c", Kind.BYTES))
        assert list(rows) == [row for batch in batches for row in batch]


def test_no_rows() -> None:
    """Without rows there are columns all the same."""
    with with_known_types([Column("a")], []) as (known, rows):
        assert (known, list(rows)) == ((Column("a", Kind.TEXT),), [])


def partitions(rows: Sequence[Row], most_open: int, batch_rows: int = 3) -> list[tuple[str | None, list[Row]]]:
    batches = [rows[first : first + batch_rows] for first in range(0, len(rows), batch_rows)]
    return [(values[0], list(found)) for values, found in by_partition(LAYOUT, batches, most_open)]


LAYOUT = Layout([Column("k"), Column("v")], ["k"], keep=False)
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers()))


@given(ROWS, st.integers(2, 5), st.integers(1, 5))
def test_rows_of_each_partition(rows: list[Row], most_open: int, batch_rows: int) -> None:
    """Each partition comes once, with all of its rows in their order; or the query has to be ordered."""
    expected = {key: [row for row in rows if row[0] == key] for key, _ in rows}
    try:
        assert dict(partitions(rows, most_open, batch_rows)) == expected
    except OSSInvalidArgument:
        assert most_open < len(expected)


@given(ROWS)
def test_ordered_rows_need_no_file(rows: list[Row]) -> None:
    """Rows that come by partition are passed on as they come, which gives what waiting for more gives."""
    ordered = sorted(rows, key=lambda row: str(row[0]))
    assert partitions(ordered, 1) == partitions(ordered, 2)


def test_ordered_rows_are_not_read_ahead() -> None:
    """With one open partition no row is read before it is asked for."""

    def batches() -> Iterator[Batch]:
        yield [("a", 1), ("a", 2)]
        raise AssertionError("read ahead")

    _, rows = next(by_partition(LAYOUT, batches(), 1))
    assert [next(rows), next(rows)] == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("most_open", [1, 2])
def test_rows_that_come_too_late(most_open: int) -> None:
    """Rows of a partition whose file was ended are an error that says what to do, never another file."""
    rows = [("a", 1), *((key, 2) for key in "bc"), ("a", 3)]
    with pytest.raises(OSSInvalidArgument, match=r"more rows of k=a, .*ORDER BY k in the query, or raise max_open"):
        partitions(rows, most_open)


def test_the_longest_waiting_is_ended_first() -> None:
    """A partition that gets rows again and again stays open."""
    rows = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3)]
    assert [key for key, _ in partitions(rows, 2, 1)] == ["b", "c", "a"]


def test_views_of_memory_are_kept() -> None:
    """psycopg2 gives bytes as views of memory: they wait on disk as bytes."""
    assert partitions([("a", memoryview(b"x"))], 2) == [("a", [("a", b"x")])]


def test_values_that_cannot_wait() -> None:
    """A value that cannot be on disk is an error that says so."""
    with pytest.raises(OSSInvalidArgument, match="cannot be kept in a temporary file"):
        partitions([("a", lambda: None)], 2)
