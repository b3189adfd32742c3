"""How values are written: every digit of them, as ISO and RFC have it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import OrderedDict
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import (
    Column,
    Kind,
    duration_text,
    json_converter,
    text_converter,
    to_json,
    to_text,
)


class Colour(StrEnum):
    """Text with a type of its own."""

    RED = "red"


class Whole(int):
    """A number with a type of its own."""

    def __repr__(self) -> str:
        """Say more than the number."""
        return f"Whole({int(self)})"

    __str__ = __repr__


class Real(float):
    """As Whole."""

    def __repr__(self) -> str:
        """Say more than the number."""
        return f"Real({float(self)})"

    __str__ = __repr__


EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))

BY_TYPE = [
    (True, "true", "true"),
    (0, "0", "0"),
    (-(2**70), "-1180591620717411303424", "-1180591620717411303424"),
    (0.1, "0.1", "0.1"),
    (-0.0, "-0.0", "-0.0"),
    (1e300, "1e+300", "1e+300"),
    (float("nan"), "NaN", '"NaN"'),
    (float("-inf"), "-Infinity", '"-Infinity"'),
    (Decimal("1.10"), "1.10", "1.10"),
    (Decimal("1E+5"), "100000", "100000"),
    (Decimal("-1E-7"), "-0.0000001", "-0.0000001"),
    (Decimal("1E+400"), "1" + "0" * 400, "1" + "0" * 400),
    (Decimal("NaN"), "NaN", '"NaN"'),
    (Decimal("-Infinity"), "-Infinity", '"-Infinity"'),
    ("", "", '""'),
    ('größe "x"\n\x00', 'größe "x"\n\x00', '"größe \\"x\\"\\n\\u0000"'),
    (Colour.RED, "red", '"red"'),
    (Whole(3), "3", "3"),
    (Real(0.1), "0.1", "0.1"),
    (Real("nan"), "NaN", '"NaN"'),
    (b"\x00\xff", "AP8=", '"AP8="'),
    (memoryview(b"\x00\xff"), "AP8=", '"AP8="'),
    (bytearray(), "", '""'),
    (dt.date(2026, 1, 2), "2026-01-02", '"2026-01-02"'),
    (dt.time(1, 2, 3, 4), "01:02:03.000004", '"01:02:03.000004"'),
    (dt.time(1, 2, tzinfo=EAST), "01:02:00+05:30", '"01:02:00+05:30"'),
    (dt.datetime.fromisoformat("2026-01-02T03:04"), "2026-01-02T03:04:00", '"2026-01-02T03:04:00"'),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=EAST), "2026-01-02T03:04:00+05:30", '"2026-01-02T03:04:00+05:30"'),
    (pendulum.datetime(2026, 1, 2), "2026-01-02T00:00:00+00:00", '"2026-01-02T00:00:00+00:00"'),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", '"00000000-0000-0000-0000-000000000001"'),
    ([1, None, "a,b"], '[1,null,"a,b"]', '[1,null,"a,b"]'),
    ({"b": 1, "a": [Decimal("1.50")]}, '{"a":[1.50],"b":1}', '{"a":[1.50],"b":1}'),
    (OrderedDict(x=dt.date(2026, 1, 2)), '{"x":"2026-01-02"}', '{"x":"2026-01-02"}'),
]


@pytest.mark.parametrize(("value", "as_text", "as_json"), BY_TYPE, ids=[case[2][:40] for case in BY_TYPE])
def test_by_type(value: Any, as_text: str, as_json: str) -> None:
    """A value of a column that the database says nothing of is written by its own type."""
    assert to_text(value) == as_text == text_converter(Column("a"))(value)
    assert to_json(value) == as_json == json_converter(Column("a"))(value)
    json.loads(as_json)


BY_KIND = [
    (Kind.TIMESTAMP, "2026-01-02 03:04:05.6", "2026-01-02T03:04:05.6"),
    (Kind.TIMESTAMP_TZ, "2026-01-02 03:04:05+00", "2026-01-02T03:04:05+00:00"),
    (Kind.TIMESTAMP_TZ, "2026-01-02 03:04:05.123456-11:30", "2026-01-02T03:04:05.123456-11:30"),
    (Kind.TIMESTAMP_TZ, "0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00+00:00 BC"),
    (Kind.TIMESTAMP, "-infinity", "-infinity"),
    (Kind.TIMESTAMP, dt.datetime.fromisoformat("2026-01-02"), "2026-01-02T00:00:00"),
    (Kind.DATE, "infinity", "infinity"),
    (Kind.TIME, "24:00:00", "24:00:00"),
    (Kind.TIME, dt.time(1), "01:00:00"),
    (Kind.TIME, -dt.timedelta(hours=26, minutes=3, seconds=4, microseconds=5), "-26:03:04.000005"),
    (Kind.TIME, dt.timedelta(seconds=1), "00:00:01"),
    (Kind.TIME_TZ, "12:00:00+05", "12:00:00+05:00"),
    (Kind.TIME_TZ, "12:00:00.5-05:30", "12:00:00.5-05:30"),
    (Kind.INTERVAL, "P1Y2M", "P1Y2M"),
    (Kind.TEXT, ["a", 'b"'], '["a","b\\""]'),
]


@pytest.mark.parametrize(("kind", "value", "expected"), BY_KIND)
def test_by_kind(kind: Kind, value: Any, expected: str) -> None:
    """What a database gives as its own text becomes ISO 8601, in JSON as a string."""
    assert text_converter(Column("a", kind))(value) == expected
    as_json = json_converter(Column("a", kind))(value)
    assert as_json == expected if isinstance(value, list) else json.loads(as_json) == expected


def test_json_stays_as_it_is() -> None:
    """The text of json keeps every digit; as a line of JSON only the line breaks between its tokens go."""
    text = '{"a": 1.10,\r\n "a": 12345678901234567890.10}'
    assert text_converter(Column("a", Kind.JSON))(text) == text
    assert json_converter(Column("a", Kind.JSON))(text) == '{"a": 1.10,   "a": 12345678901234567890.10}'
    assert json_converter(Column("a", Kind.JSON))({"b": 1, "a": 2}) == '{"a":2,"b":1}'


def test_arrays() -> None:
    """An array is JSON of its items as their kind has them, however deep; one that stayed text is text."""
    column = Column("a", Kind.TIMESTAMP_TZ, is_array=True)
    value = [["2026-01-02 03:04:05+00", None]]
    assert text_converter(column)(value) == json_converter(column)(value) == '[["2026-01-02T03:04:05+00:00",null]]'
    assert json_converter(Column("a", Kind.JSON, is_array=True))(['{"a": 1}']) == '[{"a": 1}]'
    assert json_converter(Column("a", Kind.TEXT, is_array=True))("{a,b}") == '"{a,b}"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.timedelta(), "PT0S"),
        (dt.timedelta(days=1), "P1D"),
        (dt.timedelta(days=1, hours=2, seconds=3.5), "P1DT2H3.5S"),
        (-dt.timedelta(hours=25, minutes=1), "P-1DT-1H-1M"),
        (dt.timedelta(microseconds=1), "PT0.000001S"),
        (dt.timedelta(microseconds=-1), "PT-0.000001S"),
        (dt.timedelta(seconds=30), "PT30S"),
    ],
)
def test_durations(value: dt.timedelta, expected: str) -> None:
    """A duration is ISO 8601 as PostgreSQL writes it: each unit with its own sign."""
    assert duration_text(value) == expected == to_text(value)


def test_what_cannot_be_written() -> None:
    """An object whose text would be its address in memory is refused: it would be another one in every run."""
    with pytest.raises(
        OSSInvalidArgument, match=r"an object cannot be written as text: convert it in the query \(CAST\)"
    ):
        to_text(object())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_exact(value: float) -> None:
    """A float is read as the number that was written."""
    assert float(to_text(value)) == json.loads(to_json(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_are_exact(value: Decimal) -> None:
    """A decimal keeps its digits, those behind the point too, and has no exponent."""
    assert "E" not in to_text(value)
    assert Decimal(to_text(value)) == value
    if value.as_tuple().exponent <= 0:  # type: ignore[operator]  # finite ones have numbers
        assert Decimal(to_text(value)).as_tuple() == value.as_tuple()


@given(st.text())
def test_text_in_json(value: str) -> None:
    """Any text is one line of JSON and comes back."""
    assert json.loads(to_json(value)) == value
    assert "\n" not in to_json(value)
