"""Rows wait on disk until the kinds of their columns are known, and only then."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_oss.exports.columns import Batch, Column, Kind
from airflow_provider_oss.transfers.export import with_known_types


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
