"""Columns that no database describes: a kind that holds every value, whichever comes first."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from itertools import permutations
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Observed, to_text
from airflow_provider_oss.exports.parquet import parquet_bytes

UTC = dt.UTC
NOON = dt.datetime(2026, 1, 2, 12)  # noqa: DTZ001 - it has no zone


class Colour(StrEnum):
    """Text with a type of its own."""

    RED = "red"


class Real(float):
    """A number with a type of its own."""


def stored(*batches: list[Any]) -> tuple[str, list[Any]]:
    """Return type and values of a column of a Parquet file with these values."""
    observed = Observed(Column("a"))
    rows = [[(value,) for value in observed.take(batch)] for batch in batches]
    table = pq.read_table(io.BytesIO(b"".join(parquet_bytes([observed.column()], rows, None))))
    return str(table.schema.field("a").type), table.column("a").to_pylist()


CASES = [
    ([1, 2], "int64", [1, 2]),
    ([-(2**63), 2**63 - 1], "int64", [-(2**63), 2**63 - 1]),
    ([2**63, 0], "uint64", [2**63, 0]),
    ([2**63, -1], "decimal128(19, 0)", [Decimal(2**63), Decimal(-1)]),
    ([10**75, 1], "decimal256(76, 0)", [Decimal(10**75), Decimal(1)]),
    ([10**76, 1], "string", [f"{10**76}", "1"]),
    ([20, 19.99], "double", [20.0, 19.99]),
    ([2**53, 0.5], "double", [2.0**53, 0.5]),
    ([2**53 + 1, 0.5], "string", ["9007199254740993", "0.5"]),
    ([20, Decimal("19.99")], "string", ["20", "19.99"]),
    ([Decimal("1.10")], "string", ["1.10"]),
    ([True, False], "bool", [True, False]),
    ([True, 1], "string", ["true", "1"]),
    (["a", ""], "string", ["a", ""]),
    ([1, "a"], "string", ["1", "a"]),
    ([b"\x00", bytearray(b"x"), memoryview(b"")], "binary", [b"\x00", b"x", b""]),
    ([HTTPStatus.OK, 2], "int64", [200, 2]),
    ([Real(0.5)], "double", [0.5]),
    ([dt.date(2026, 1, 2)], "date32[day]", [dt.date(2026, 1, 2)]),
    ([dt.date(2026, 1, 2), NOON], "string", ["2026-01-02", "2026-01-02T12:00:00"]),
    ([NOON], "timestamp[us]", [NOON]),
    ([NOON.replace(tzinfo=UTC)], "timestamp[us, tz=UTC]", [NOON.replace(tzinfo=UTC)]),
    ([NOON, NOON.replace(tzinfo=UTC)], "string", ["2026-01-02T12:00:00", "2026-01-02T12:00:00+00:00"]),
    ([dt.time(12)], "time64[us]", [dt.time(12)]),
    ([dt.time(12, tzinfo=UTC)], "string", ["12:00:00+00:00"]),
    ([dt.time(12), dt.time(12, tzinfo=UTC)], "string", ["12:00:00", "12:00:00+00:00"]),
    ([dt.timedelta(hours=1)], "string", ["PT1H"]),
    ([uuid.UUID(int=1), Colour.RED], "string", ["00000000-0000-0000-0000-000000000001", "red"]),
    ([[1, 2], {"a": None}], "string", ["[1,2]", '{"a":null}']),
]


@pytest.mark.parametrize(("values", "kind", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_order_means_nothing(values: list[Any], kind: str, expected: list[Any]) -> None:
    """All values of a column decide, in whatever order and batches they come, with NULLs first too."""
    for order in permutations(range(len(values))):
        found = stored([None] * 3, *([values[index]] for index in order), [None])
        assert found == (kind, [None] * 3 + [expected[index] for index in order] + [None])
        assert found == stored([None] * 3 + [values[index] for index in order] + [None])


def test_no_value_at_all() -> None:
    """A column of NULLs only, and one without rows, is text."""
    assert stored() == ("string", [])
    assert stored([], [None]) == ("string", [None])


@pytest.mark.parametrize("other", ["AA==", 1, NOON])
def test_bytes_among_others(other: Any) -> None:
    """Bytes and other values in one column are refused by its name: as text one could be taken for the other."""
    with pytest.raises(OSSInvalidArgument, match=r"column 'a' holds bytes and other values \(bytes, "):
        stored([b"\x00"], [other])


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(), st.booleans())))
def test_text_is_what_csv_has(values: list[Any]) -> None:
    """Numbers are stored as equal numbers, everything as its text."""
    kind, found = stored(values)
    for value, there in zip(values, found, strict=True):
        assert there == (to_text(value) if kind == "string" and value is not None else value)
