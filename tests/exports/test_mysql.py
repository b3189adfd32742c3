"""What MySQL's type numbers mean, and what becomes of bytes; tests/transfers/test_mysql.py asks a real server."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.mysql import MysqlField, decoded, mysql_column

VARCHAR, INT, DECIMAL, TIME = 253, 3, 246, 11


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
def test_columns(described: tuple[Any, ...], expected: Column) -> None:
    """Flags and character set decide what the numbers leave open; a decimal's length has its sign and its point."""
    assert mysql_column(MysqlField("a", *described)) == expected


@pytest.mark.parametrize("as_text", [False, True])
def test_fraction_of_a_time(*, as_text: bool) -> None:
    """A time with a fraction, which csv writes another way than MySQL, is a duration; NULLs stay among them."""
    field = MysqlField("a", TIME, 0, is_binary=True, length=None, scale=None)
    rows = decoded([field], [[(None,), (b"-00:00:01.5",), (None,)]], as_text=as_text)
    assert list(rows) == [(None,), (-dt.timedelta(seconds=1.5),), (None,)]


@pytest.mark.parametrize(
    ("type_code", "value", "reason"),
    [
        (VARCHAR, b"caf\xe9", "can't decode byte 0xe9"),
        (DECIMAL, b"1.5\xff", "can't decode byte 0xff"),
        (DECIMAL, b"one", "Invalid|Conversion"),
        (INT, b"one", "invalid literal"),
        (TIME, b"noon", "'noon' is no TIME of MySQL"),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_values_of_no_type(type_code: int, value: bytes, reason: str, *, as_text: bool) -> None:
    """A value that cannot be read fails for good, by the name of its column, after the batch before it."""
    number = MysqlField("n", INT, 0, is_binary=True, length=None, scale=None)
    field = MysqlField("größe", type_code, 0, is_binary=False, length=None, scale=None)
    rows = decoded([number, field, field], [[(b"1", None, None)], [(b"2", None, value)]], as_text=as_text)
    assert next(rows) == ("1" if as_text else 1, None, None)
    with pytest.raises(OSSInvalidArgument, match=rf"column 'größe' holds .*({reason}).*: ask for its bytes, CAST"):
        next(rows)
