"""What the databases' type numbers mean. That they are right is shown by real databases in tests/transfers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.databases import MysqlField, decoded, mysql_column, postgres_column


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ((23, None, None, "integer"), Column("a", Kind.INTEGER, "integer", bits=32)),
        ((1700, 12, 2, "numeric"), Column("a", Kind.DECIMAL, "numeric(12,2)", precision=12, scale=2)),
        ((1700, 12, None, "numeric"), Column("a", Kind.DECIMAL, "numeric(12,0)", precision=12, scale=0)),
        ((1700, 3, 2046, "numeric"), Column("a", Kind.DECIMAL, "numeric(3,-2)", precision=3, scale=-2)),
        ((1700, 65535, 65535, "numeric"), Column("a", Kind.DECIMAL, "numeric")),
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
        ((3, 0, True, 11, 0), Column("a", Kind.INTEGER, "int", bits=64)),
        ((8, 0, True, 20, 0), Column("a", Kind.INTEGER, "bigint", bits=64)),
        ((8, 32, True, 20, 0), Column("a", Kind.INTEGER, "bigint unsigned", bits=64, is_unsigned=True)),
        ((16, 32, True, 1, 0), Column("a", Kind.INTEGER, "bit", bits=64, is_unsigned=True)),
        ((246, 0, True, 14, 2), Column("a", Kind.DECIMAL, "decimal(12,2)", precision=12, scale=2)),
        ((246, 32, True, 13, 2), Column("a", Kind.DECIMAL, "decimal(12,2)", precision=12, scale=2)),
        ((246, 0, True, 6, 0), Column("a", Kind.DECIMAL, "decimal(5,0)", precision=5, scale=0)),
        ((246, 0, True, None, None), Column("a", Kind.DECIMAL, "decimal")),
        ((245, 128, True, None, None), Column("a", Kind.JSON, "json")),
        ((254, 2048, False, 10, 0), Column("a", Kind.TEXT, "set")),
        ((254, 256, False, 10, 0), Column("a", Kind.TEXT, "enum")),
        ((252, 128 + 16, False, 10, 0), Column("a", Kind.TEXT, "text")),
        ((252, 128 + 16, True, 10, 0), Column("a", Kind.BYTES, "blob")),
        ((242, 128, True, 10, 0), Column("a", Kind.BYTES, "vector")),
        ((99, 0, False, None, None), Column("a", Kind.TEXT, "text")),
    ],
)
def test_mysql(described: tuple[Any, ...], expected: Column) -> None:
    """Flags and character set decide what the numbers leave open; a decimal's length has its sign and its point."""
    assert mysql_column(MysqlField("a", *described)) == expected


def test_time_of_mysql() -> None:
    """What is no time of MySQL is an error, not another time."""
    field = MysqlField("a", 11, 0, is_binary=True, length=None, scale=None)
    assert list(decoded([field], [[b"-00:00:01.5"], [None]])) == [[-dt.timedelta(seconds=1.5)], [None]]
    with pytest.raises(ValueError, match="is no TIME of MySQL"):
        list(decoded([field], [[b"noon"]]))
