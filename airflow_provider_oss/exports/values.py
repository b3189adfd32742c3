"""
How a value is written as text, and as JSON: one rule for each kind, the same for csv and jsonl.

- dates, times and timestamps: ISO 8601, with the offset from UTC where there is one (``2026-11-22T01:02:03.5+00:00``);
  years before Christ and ``infinity`` as PostgreSQL writes them;
- intervals: ISO 8601 durations (``P1DT2H3.5S``); a time of day that a database tells as a duration: ``26:03:04``;
- decimals: all their digits, never an exponent; floats: the shortest text that is read as the same number; ``NaN``,
  ``Infinity`` and ``-Infinity`` (in JSON as strings);
- bytes: base64; booleans: ``true`` and ``false``; json as its text; arrays and mappings as JSON.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind

Converter: TypeAlias = Callable[[Any], str]
"""Writes a value that is not None."""

_INFINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_SHORT_OFFSET: Final = re.compile(r"[+-]\d\d")
_WORDS: Final = ("infinity", "-infinity")


def text_converter(column: Column) -> Converter:
    """Return what writes the column's values as text."""
    if column.is_array:
        return json_converter(column)
    return _TEXT_OF_KIND.get(column.kind, to_text)


def json_converter(column: Column) -> Converter:
    """Return what writes the column's values as JSON."""
    of_item = _json_of_item(column)
    if not column.is_array:
        return of_item

    def of_array(value: Any) -> str:
        if not isinstance(value, list | tuple):
            return to_json(value)  # the driver left it as text
        return f"[{','.join('null' if item is None else of_array_item(item) for item in value)}]"

    def of_array_item(item: Any) -> str:
        return of_array(item) if isinstance(item, list | tuple) else of_item(item)

    return of_array


def to_text(value: Any) -> str:
    """Write a value by its own type."""
    write = _TEXT_OF_TYPE.get(type(value))
    return write(value) if write is not None else _text_of_subclass(value)


def to_json(value: Any) -> str:
    """Write a value as JSON by its own type."""
    write = _JSON_OF_TYPE.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, dict):
        items = sorted((str(name), item) for name, item in value.items())
        return f"{{{','.join(f'{encode_basestring(name)}:{to_json(item)}' for name, item in items)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(to_json, value))}]"
    return encode_basestring(to_text(value))


def one_line_json(value: Any) -> str:
    """Return JSON text without line breaks: between its tokens they mean nothing, within a string there are none."""
    text: str = value if isinstance(value, str) else to_json(value)
    if "\n" in text or "\r" in text:
        return text.replace("\r", " ").replace("\n", " ")
    return text


def duration(value: dt.timedelta) -> str:
    """Write a duration as ISO 8601 has it: days and smaller units only, each with its sign."""
    microseconds = value // dt.timedelta(microseconds=1)
    sign, microseconds = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    seconds_text = f"{seconds}.{fraction:06}".rstrip("0").rstrip(".") if fraction else f"{seconds}"
    units = ((f"{hours}", "H"), (f"{minutes}", "M"), (seconds_text, "S"))
    time = "".join(f"{sign}{number}{unit}" for number, unit in units if number != "0")
    date = f"{sign}{days}D" if days else ""
    return f"P{date}{'T' if time else ''}{time}" if date or time else "PT0S"


def _json_of_item(column: Column) -> Converter:
    if column.kind is Kind.JSON:
        return one_line_json
    if column.kind is Kind.INTEGER:
        return str
    write = _TEXT_OF_KIND.get(column.kind)
    return to_json if write is None else lambda value: encode_basestring(write(value))


def _number(value: float | Decimal) -> str:
    is_finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
    return to_text(value) if is_finite else f'"{to_text(value)}"'


def _float(value: float) -> str:
    text = repr(value)
    return _INFINITE.get(text, text)


def _decimal(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() else _float(float(value))


def _bytes(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _timestamp(value: Any) -> str:
    """Write a timestamp; as text it is PostgreSQL's own, with a space and perhaps a short offset."""
    if not isinstance(value, str):
        return to_text(value)
    if value in _WORDS:
        return value
    date, _, rest = value.partition(" ")
    time, _, era = rest.partition(" ")
    full = f"{time}:00" if _SHORT_OFFSET.fullmatch(time[-3:]) else time
    return f"{date}T{full} {era}" if era else f"{date}T{full}"


def _time(value: Any) -> str:
    if isinstance(value, str):
        return f"{value}:00" if _SHORT_OFFSET.fullmatch(value[-3:]) else value
    return _clock(value) if isinstance(value, dt.timedelta) else to_text(value)


def _clock(value: dt.timedelta) -> str:
    """Write what MySQL calls a time: hours may be more than 24, and less than none."""
    microseconds = value // dt.timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    sign = "-" if microseconds < 0 else ""
    text = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}" if fraction else text


def _isoformat(value: dt.date | dt.time) -> str:
    return value.isoformat()


def _text_of_subclass(value: Any) -> str:
    """Write a value of a type that is derived from a known one, or of none that is known."""
    for kind in (bool, int, float, Decimal, str, dt.datetime, dt.date, dt.time, dt.timedelta):
        if isinstance(value, kind):
            return _TEXT_OF_TYPE[kind](value)
    if isinstance(value, dict | list | tuple):
        return to_json(value)
    if _says_nothing(value):
        raise OSSInvalidArgument(
            f"a {type(value).__name__} cannot be written as text: convert it in the query (CAST), or exclude its column"
        )
    return str(value)


def _says_nothing(value: Any) -> bool:
    """Whether the text of the value would be its address in memory."""
    kind: Any = type(value)
    return kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__


def _same(value: str) -> str:
    return value


_TEXT_OF_TYPE: Final[dict[type, Converter]] = {
    str: _same,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _float,
    Decimal: _decimal,
    dt.datetime: _isoformat,
    dt.date: _isoformat,
    dt.time: _isoformat,
    dt.timedelta: duration,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    uuid.UUID: str,
}

_JSON_OF_TYPE: Final[dict[type, Converter]] = {
    type(None): lambda _: "null",
    str: encode_basestring,
    bool: _TEXT_OF_TYPE[bool],
    int: _TEXT_OF_TYPE[int],
    float: _number,
    Decimal: _number,
}

_TEXT_OF_KIND: Final[dict[Kind, Converter]] = {
    Kind.INTEGER: str,
    Kind.TIME: _time,
    Kind.TIME_TZ: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMP_TZ: _timestamp,
}
