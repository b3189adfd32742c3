"""
How a batch of rows is written column by column: each value as ``columns`` writes it, those of one type at once.

A function that is called for a whole column costs a fraction of one that is called for each value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final, TypeAlias, TypeVar

from airflow_provider_oss.exports.columns import (
    Batch,
    Column,
    Converter,
    Kind,
    json_converter,
    number_as_json,
    text_converter,
    to_json,
    to_text,
)

Cell = TypeVar("Cell")

ColumnWriter: TypeAlias = Callable[[Sequence[Any]], Sequence[str]]
"""Writes the values that a column has in a batch."""


def written(writers: Sequence[ColumnWriter], batch: Batch) -> list[Sequence[str]]:
    """Return the columns of the batch as they are written. Raises ValueError for a row of another length."""
    columns = zip(*batch, strict=True) if batch else [()] * len(writers)
    return [write(values) for write, values in zip(writers, columns, strict=True)]


def with_nulls(
    write: Callable[[Sequence[Any]], Sequence[Cell]], null: Cell
) -> Callable[[Sequence[Any]], Sequence[Cell]]:
    """Return what makes ``null`` of None, and of all other values what ``write`` does."""

    def cells(values: Sequence[Any]) -> Sequence[Cell]:
        if not has_null(values):
            return write(values)
        others = iter(write([value for value in values if value is not None]))
        return [null if value is None else next(others) for value in values]

    return cells


def has_null(values: Sequence[Any]) -> bool:
    """Whether one of the values is None."""
    return type(None) in set(map(type, values))


def text_writer(column: Column) -> ColumnWriter:
    """Return what writes values of the column as text, none of which is None."""
    convert = text_converter(column)
    if column.is_array:
        return _each(convert)
    return _by_type(_TEXTS if convert is to_text else _TEXTS_OF_KIND.get(column.kind, {}), convert)


def json_writer(column: Column) -> ColumnWriter:
    """Return what writes values of the column as JSON, none of which is None."""
    convert = json_converter(column)
    if column.is_array:
        return _each(convert)
    if column.kind is Kind.INTEGER:
        return text_writer(column)
    if column.kind in (Kind.TIME, Kind.TIMESTAMP):
        write = text_writer(column)
        return lambda values: list(map(encode_basestring, write(values)))
    if column.kind in (Kind.FLOAT, Kind.DECIMAL):
        return _by_type(_JSON_NUMBERS, convert)
    return _by_type(_JSONS, convert) if convert is to_json else _each(convert)


def _each(convert: Converter) -> ColumnWriter:
    return lambda values: list(map(convert, values))


def _by_type(writers: Mapping[type, ColumnWriter], convert: Converter) -> ColumnWriter:
    """Return what writes values of a single type with the writer of that type, any others one by one."""

    def cells(values: Sequence[Any]) -> Sequence[str]:
        types = set(map(type, values))
        write = writers.get(types.pop()) if len(types) == 1 else None
        return list(map(convert, values)) if write is None else write(values)

    return cells


def _numbers(is_finite: Callable[[Any], bool], of_finite: Converter, convert: Converter) -> ColumnWriter:
    return lambda values: list(map(of_finite if all(map(is_finite, values)) else convert, values))


def _as_they_are(values: Sequence[str]) -> Sequence[str]:
    return values


def _with_t(values: Sequence[str]) -> Sequence[str]:
    return [value.replace(" ", "T", 1) for value in values]


def _finite(values: Sequence[str]) -> Sequence[str]:
    """Return numbers, as the database writes them; words are quoted, ``NaN`` and ``Infinity``."""
    together = "".join(values)
    return values if "N" not in together and "I" not in together else list(map(number_as_json, values))


def _writers(strings: ColumnWriter, convert: Converter) -> dict[type, ColumnWriter]:
    return {
        str: strings,
        int: _each(int.__repr__),
        float: _numbers(isfinite, float.__repr__, convert),
        Decimal: _numbers(Decimal.is_finite, "{:f}".format, convert),
    }


_TEXTS: Final[dict[type, ColumnWriter]] = {
    **_writers(_as_they_are, to_text),
    dt.datetime: _each(dt.datetime.isoformat),
    dt.date: _each(dt.date.isoformat),
}
_TEXTS_OF_KIND: Final[dict[Kind, dict[type, ColumnWriter]]] = {
    Kind.INTEGER: {str: _as_they_are},
    Kind.TIME: {str: _as_they_are},
    Kind.TIMESTAMP: {str: _with_t},
}
_JSONS: Final[dict[type, ColumnWriter]] = _writers(_each(encode_basestring), to_json)
_JSON_NUMBERS: Final[dict[type, ColumnWriter]] = {**_JSONS, str: _finite}
