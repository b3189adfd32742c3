"""
The columns of a result: which are exported, what each holds, and how its values are written as text and as JSON.

Of a database that does not say what a column holds, that is decided from all of its values, so that no later one
contradicts:

- whole numbers: an integer; beyond 64 bits a decimal, beyond 76 digits text;
- whole numbers among floats: a float, or text when one is beyond 2^53, where a float skips numbers;
- booleans, dates, times, timestamps, bytes, text, when all are of that one type; timestamps either all with a zone or
  all without;
- everything else, several types and no value at all: text, as csv has it. Bytes among others are refused: their text
  could be that of another value.

A value is written by one rule for each kind, the same for csv and jsonl:

- dates, times and timestamps: ISO 8601, with the offset from UTC where there is one (``2026-11-22T01:02:03.5+00:00``);
  years before Christ and ``infinity`` as PostgreSQL writes them;
- intervals: ISO 8601 durations (``P1DT2H3.5S``); a time of day that a database returns as a duration: ``26:03:04``;
- decimals: all their digits, never an exponent; floats: the shortest text that is read as the same number, or the one
  that a database writes so; ``NaN``, ``Infinity`` and ``-Infinity`` (in JSON as strings);
- bytes: base64; booleans: ``true`` and ``false``; json as its text; arrays and mappings as JSON.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring
from math import isfinite
from numbers import Integral
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.shown import a_type

Row: TypeAlias = Sequence[Any]
"""The values of one row in the order of the columns."""
Batch: TypeAlias = Sequence[Row]
Batches: TypeAlias = Iterable[Batch]


class Kind(StrEnum):
    """What a column holds. Each is written in one way, whatever database it comes from."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    TIME_TZ = "time with time zone"
    TIMESTAMP = "timestamp"
    """Without a zone."""
    TIMESTAMP_TZ = "timestamp with time zone"
    INTERVAL = "interval"
    BYTES = "bytes"
    JSON = "json"
    """Its text: it is not parsed on the way, so that every digit stays."""
    UNKNOWN = "unknown"
    """The database does not say: what counts is each value's own type."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result."""

    name: str
    kind: Kind = Kind.UNKNOWN
    type_name: str | None = None
    """As the database calls it; None when it does not say."""
    bits: int | None = None
    """Of an integer or float; None for 64."""
    is_unsigned: bool = False
    """An integer without a sign."""
    precision: int | None = None
    """Of a decimal: its digits; None when it has no bound."""
    scale: int | None = None
    """Of a decimal: its digits behind the point."""
    is_array: bool = False
    """The values are lists of this kind."""

    def described(self) -> dict[str, str]:
        """Return name and type for people and for a manifest."""
        kind = f"{self.kind}[]" if self.is_array else str(self.kind)
        return {"name": self.name, "type": self.type_name or kind}


@dataclass(frozen=True, slots=True)
class SelectedColumns:
    """The exported columns, and where in a row of the result they are."""

    columns: tuple[Column, ...]
    indices: tuple[int, ...]
    is_all: bool

    def apply(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Return the rows with the values of the exported columns only."""
        return iter(rows) if self.is_all else map(picker(self.indices), rows)


def select_columns(
    columns: Sequence[Column], wanted: Sequence[str] | None = None, exclude: Iterable[str] | None = None
) -> SelectedColumns:
    """
    Return which columns are exported: those ``wanted`` in that order (None: all), without those to ``exclude``.

    Names are compared as they are. Raises OSSInvalidArgument for a name that the result does not have (an excluded one
    too: a misspelt name must not let a column through), and when nothing is left.
    """
    names = [column.name for column in columns]
    wanted_names = None if wanted is None else names_of("columns", wanted)
    excluded = names_of("exclude", exclude or ())
    for argument, asked in (("columns", wanted_names or []), ("exclude", excluded)):
        if missing := [name for name in asked if name not in names]:
            raise OSSInvalidArgument(f"{argument} names {missing[0]!r}, but the result has only {', '.join(names)}")
    indices = range(len(columns)) if wanted_names is None else _indices(names, wanted_names)
    kept = tuple(index for index in indices if names[index] not in excluded)
    if not kept:
        raise OSSInvalidArgument("no column is left to export: the query returns none, or exclude names them all")
    return SelectedColumns(tuple(columns[index] for index in kept), kept, kept == tuple(range(len(columns))))


def check_unique_names(columns: Iterable[Column], file_format: str) -> None:
    """Raise OSSInvalidArgument when two columns share a name: readers of formats with named values lose one."""
    name, count = Counter(column.name for column in columns).most_common(1)[0]
    if count > 1:
        raise OSSInvalidArgument(
            f"{count} columns are called {name!r}, and file_format={file_format!r} can hold only one: name them apart "
            "in the query (AS)"
        )


def names_of(argument: str, names: Iterable[str]) -> list[str]:
    """Return the names that a user gave. One text is no list: its letters would count as names."""
    found = [] if isinstance(names, str) else list(names)
    if isinstance(names, str) or not all(isinstance(name, str) for name in found):
        raise OSSInvalidArgument(f"{argument}={names!r} is no list of column names: give [{names!r}]")
    return found


def _indices(names: list[str], wanted: list[str]) -> list[int]:
    for name in wanted:
        if names.count(name) > 1 or wanted.count(name) > 1:
            raise OSSInvalidArgument(f"columns names {name!r}, which is there twice: name each column once (AS)")
    return [names.index(name) for name in wanted]


def picker(indices: tuple[int, ...]) -> Callable[[Row], Row]:
    """Return what makes a row of the values that are at these places of another."""

    def pick(row: Row) -> Row:
        return [row[index] for index in indices]

    return pick


Converter: TypeAlias = Callable[[Any], str]
"""Writes a value that is not None."""


# What a column holds whose database does not say

_KIND_OF_TYPES: Final[dict[frozenset[type], Kind]] = {
    frozenset({bool}): Kind.BOOLEAN,
    frozenset({float}): Kind.FLOAT,
    frozenset({Decimal}): Kind.DECIMAL,
    frozenset({bytes}): Kind.BYTES,
    frozenset({dt.date}): Kind.DATE,
    frozenset({dt.timedelta}): Kind.INTERVAL,
}
_PLAIN_TYPES: Final = frozenset({type(None), int, str, dt.time, dt.datetime}).union(*_KIND_OF_TYPES)
_PLAIN_TYPE_OF: Final[Sequence[tuple[Any, Callable[[Any], Any]]]] = (
    ((bytearray, memoryview), bytes),
    (Integral, int),
    (float, float),
)
"""Types, numpy's among them, whose values are kept as those of a plain one."""
_EXACT_IN_FLOAT: Final = 2**53
_MOST_DIGITS: Final = 76


class Observed:
    """The values of one column, as far as they decide what it holds."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._types: set[type] = set()
        self._least = self._most = 0
        self._has_zone: set[bool] = set()

    def take(self, values: Sequence[Any]) -> Sequence[Any]:
        """Look at the values and return them as what can be kept: a value of no plain type as its text."""
        if not set(map(type, values)) <= _PLAIN_TYPES:
            values = [_plain(value) for value in values]
        types = set(map(type, values))
        self._types |= types
        if int in types:
            numbers = [value for value in values if type(value) is int]
            self._least, self._most = min(self._least, *numbers), max(self._most, *numbers)
        for kind in (dt.datetime, dt.time):
            if kind in types:
                self._has_zone.update(value.tzinfo is not None for value in values if type(value) is kind)
        return values

    def column(self) -> Column:
        """Return what holds all values that were taken. Raises OSSInvalidArgument when nothing does."""
        types = frozenset(self._types - {type(None)})
        if bytes in types and len(types) > 1:
            names = sorted(each.__name__ for each in types)
            raise OSSInvalidArgument(
                f"column {self._column.name!r} holds bytes and other values ({', '.join(names)}), for which there is "
                "no common type: convert it in the query (CAST), or choose another file_format"
            )
        if types == {int}:
            return self._integer()
        if types == {int, float}:
            is_exact = self._least >= -_EXACT_IN_FLOAT and self._most <= _EXACT_IN_FLOAT
            return replace(self._column, kind=Kind.FLOAT if is_exact else Kind.TEXT)
        if len(types) == 1 and len(self._has_zone) == 1:
            return replace(self._column, kind=_ZONED[dt.time in types, True in self._has_zone])
        return replace(self._column, kind=_KIND_OF_TYPES.get(types, Kind.TEXT))

    def _integer(self) -> Column:
        if self._least >= -(2**63) and self._most < 2**63:
            return replace(self._column, kind=Kind.INTEGER)
        if self._least >= 0 and self._most < 2**64:
            return replace(self._column, kind=Kind.INTEGER, is_unsigned=True)
        digits = max(len(str(abs(self._least))), len(str(self._most)))
        if digits <= _MOST_DIGITS:
            return replace(self._column, kind=Kind.DECIMAL, precision=digits, scale=0)
        return replace(self._column, kind=Kind.TEXT)


_ZONED: Final = {
    (False, False): Kind.TIMESTAMP,
    (False, True): Kind.TIMESTAMP_TZ,
    (True, False): Kind.TIME,
    (True, True): Kind.TIME_TZ,
}
"""By whether they are times of day, and whether they have a zone."""


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN_TYPES:
        return value
    for kinds, plain in _PLAIN_TYPE_OF:
        if isinstance(value, kinds):
            return plain(value)
    return to_text(value)


# How a value is written

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
    if isinstance(value, int | float | Decimal):
        return _number(value)
    return encode_basestring(to_text(value))


def number_as_json(value: Any) -> str:
    """Write a number as JSON; as text it is the database's own, of which all that are finite end in a digit."""
    if not isinstance(value, str):
        return to_json(value)
    return value if value[-1:].isdigit() else encode_basestring(value)


def one_line_json(value: Any) -> str:
    """Return JSON text without line breaks: between its tokens they mean nothing, within a string there are none."""
    text: str = value if isinstance(value, str) else to_json(value)
    if "\n" in text or "\r" in text:
        return text.replace("\r", " ").replace("\n", " ")
    return text


def duration_text(value: dt.timedelta) -> str:
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
    if column.kind in (Kind.FLOAT, Kind.DECIMAL):
        return number_as_json
    write = _TEXT_OF_KIND.get(column.kind)
    return to_json if write is None else lambda value: encode_basestring(write(value))


def _number(value: float | Decimal) -> str:
    is_finite = value.is_finite() if isinstance(value, Decimal) else isfinite(value)
    return to_text(value) if is_finite else f'"{to_text(value)}"'


def _float(value: float) -> str:
    text = float.__repr__(value)  # numpy's has its own
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
            f"{a_type(value)} cannot be written as text: convert it in the query (CAST), or exclude its column"
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
    dt.timedelta: duration_text,
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
