"""Connections whose rows are no tuples: their values all the same, or an error, and never names or letters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.query import Session

TWO = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1"


def rows(sql: str, row_factory: Any) -> list[tuple[Any, ...]]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        connection.row_factory = row_factory
        return connection

    with Session(connect).read(Query(sql)) as result:
        return [tuple(row) for row in result.rows]


def by_name(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row backwards, as a mapping."""
    return {each[0]: value for each, value in reversed(list(zip(cursor.description, row, strict=True)))}


@pytest.mark.parametrize("row_factory", [by_name, sqlite3.Row, lambda _, row: list(row), None])
def test_values(row_factory: Any) -> None:
    """Whatever holds the values, they come in the order of the columns."""
    assert rows(TWO, row_factory) == [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("sql", "row_factory"),
    [
        ("SELECT 1 AS a, 2 AS a", by_name),
        (TWO, lambda cursor, row: {name.upper(): value for name, value in by_name(cursor, row).items()}),
    ],
)
def test_mappings_that_lack_a_value(sql: str, row_factory: Any) -> None:
    """A mapping that cannot hold all values, or holds them by other names, is refused."""
    with pytest.raises(OSSInvalidArgument, match="rows by name"):
        rows(sql, row_factory)


def first(_: Any, row: tuple[Any, ...]) -> Any:
    return row[0]


@pytest.mark.parametrize(
    ("sql", "row_factory"),
    [
        ("SELECT 'ab' AS a, 1 AS b", first),
        ("SELECT 'a' AS a", first),
        ("SELECT x'0102' AS a, 1 AS b", first),
        ("SELECT 1 AS a", first),
        ("SELECT NULL AS a", first),
        ("SELECT 1 AS a, 2 AS b", lambda _, row: set(row)),
        ("SELECT 1 AS a, 2 AS b", lambda _, row: row[:1]),
    ],
)
def test_no_row(sql: str, row_factory: Callable[..., Any]) -> None:
    """One value in place of a row is refused, and so is a row of another number of values, or without an order."""
    with pytest.raises(OSSInvalidArgument, match="that is no row of"):
        rows(sql, row_factory)
