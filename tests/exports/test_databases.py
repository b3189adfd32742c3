"""What the databases' type numbers mean. That PostgreSQL's are right is shown by the real one in tests/transfers."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.mysql import mysql_column
from airflow_provider_oss.exports.postgres import postgres_column


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ((23, None, None, "integer"), Column("a", Kind.INTEGER, "integer", bits=32)),
        ((1700, 12, 2, "numeric"), Column("a", Kind.DECIMAL, "numeric(12,2)", precision=12, scale=2)),
        ((1700, 12, None, "numeric"), Column("a", Kind.DECIMAL, "numeric(12,0)", precision=12)),
        ((1700, None, None, "numeric"), Column("a", Kind.DECIMAL, "numeric")),
        ((1231, 12, 2, "numeric[]"), Column("a", Kind.DECIMAL, "numeric[]", is_array=True)),
        ((99999, None, None, "mood"), Column("a", Kind.TEXT, "mood")),
        ((99999, None, None, None), Column("a", Kind.TEXT)),
    ],
)
def test_postgres(described: tuple[Any, ...], expected: Column) -> None:
    """Digits are told where they are bounded, and what is not known is text."""
    assert postgres_column("a", *described) == expected


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ((3, 11, 0), Column("a", Kind.INTEGER, "int", bits=64)),
        ((8, 20, 0), Column("a", Kind.INTEGER, "bigint")),
        ((246, 14, 2), Column("a", Kind.DECIMAL, "decimal", precision=14, scale=2)),
        ((246, None, None), Column("a", Kind.DECIMAL, "decimal")),
        ((245, None, None), Column("a", Kind.JSON, "json")),
        ((11, 10, 0), Column("a", Kind.TIME, "time")),
        ((252, 65535, 0), Column("a")),
    ],
)
def test_mysql(described: tuple[Any, ...], expected: Column) -> None:
    """Types that are both text and bytes are left to the values."""
    assert mysql_column("a", *described) == expected
