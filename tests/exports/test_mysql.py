"""What MySQL's bytes become where they are none of their type; tests/transfers/test_mysql.py has those that are."""

from __future__ import annotations

import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.databases import MysqlField, decoded

VARCHAR, INT, DECIMAL, TIME = 253, 3, 246, 11


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
def test_values_of_no_type(type_code: int, value: bytes, reason: str) -> None:
    """A value that cannot be read fails for good, by the name of its column, after the rows before it."""
    number = MysqlField("n", INT, 0, is_binary=True, length=None, scale=None)
    field = MysqlField("größe", type_code, 0, is_binary=False, length=None, scale=None)
    rows = decoded([number, field, field], [(b"1", None, None), (b"2", None, value)])
    assert next(rows) == [1, None, None]
    with pytest.raises(OSSInvalidArgument, match=rf"column 'größe' holds .*({reason}).*: ask for its bytes, CAST"):
        next(rows)
