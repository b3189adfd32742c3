"""What the databases' type numbers mean. That they are right is shown by real databases in tests/transfers."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.exports.columns import Column, Kind
from airflow_provider_oss.exports.databases import postgres_column


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
