"""
Hive's layout: rows with the same values of some columns are in one folder, which is named after these values.

``orders/part.parquet`` by day and country is ``orders/day=2026-01-01/country=de/part.parquet``. Values are written as
csv has them, but that timestamps have a space in place of the ``T`` and no zeros at the end, as Spark and Hive read
them. What these would take for something else is escaped as they do (``01%3A02``), NULL is
``__HIVE_DEFAULT_PARTITION__``. No two partitions have the same folder.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind, Row, names_of, picker, text_converter
from airflow_provider_oss.shown import a_type

PARTITION: Final = "{partition}"

Values: TypeAlias = tuple[str | None, ...]
"""Of a partition: one text for each of the columns that it is made by; None is NULL."""

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_ESCAPED: Final = re.compile(r"""[\x00-\x1f"#%'*/:=?\\\x7f{\[\]^]""")
_KINDS_WITHOUT_FOLDERS: Final = (Kind.FLOAT, Kind.BYTES)
_TYPES_WITHOUT_FOLDERS: Final = (float, bytes, bytearray, memoryview, list, tuple, dict)
_TIMESTAMPS: Final = (Kind.TIMESTAMP, Kind.TIMESTAMP_TZ)
_LAST_ZEROS: Final = re.compile(r"\.(\d*?)0+(?!\d)")


class Layout:
    """
    What of a row is the name of a folder, and what of it is in the file.

    Raises OSSInvalidArgument for columns that cannot be in a folder's name: there are none of that name, or two; they
    hold floats, bytes or arrays; and when no column is left for the files.
    """

    def __init__(self, columns: Sequence[Column], partition_by: Sequence[str], *, keep: bool) -> None:
        indices = _indices(columns, partition_by)
        self.columns = tuple(columns[index] for index in indices)
        """Those that partition."""
        for column in self.columns:
            if column.is_array or column.kind in _KINDS_WITHOUT_FOLDERS:
                raise _refused(column, f"is {column.described()['type']}")
        kept = tuple(index for index in range(len(columns)) if keep or index not in indices)
        if not kept:
            raise OSSInvalidArgument(
                "partition_by names all columns, so none is left for the files: leave one out, or give "
                "keep_partition_columns=True"
            )
        self.file_columns = tuple(columns[index] for index in kept)
        self.file_row: Callable[[Row], Row] = picker(kept)
        """Returns what of a row is in the file."""
        self._writers = tuple((index, _writer(columns[index])) for index in indices)

    def values_of(self, row: Row) -> Values:
        """Return the partition that the row is in. Raises OSSInvalidArgument for a value that no folder can have."""
        return tuple([write(row[index]) for index, write in self._writers])

    def folder(self, values: Values) -> str:
        """Return the name of the partition's folder: one level for each column."""
        return "/".join(
            f"{_escaped(column.name)}={_NULL if value is None else _escaped(value)}"
            for column, value in zip(self.columns, values, strict=True)
        )

    def named(self, values: Values) -> dict[str, str | None]:
        """Return the values by the names of their columns."""
        return {column.name: value for column, value in zip(self.columns, values, strict=True)}


def partitioned_key(key: str) -> str:
    """
    Return the key with ``{partition}`` where the folders of partitions go, which is before the name if it has none.

    Raises OSSInvalidArgument unless that is one folder of the key: elsewhere no reader would look for it.
    """
    if PARTITION not in key:
        folder, slash, name = key.rpartition("/")
        return f"{folder}{slash}{PARTITION}/{name}"
    *folders, name = key.split("/")
    if key.count(PARTITION) > 1 or PARTITION not in folders:
        raise OSSInvalidArgument(f"key={key!r}: {PARTITION} must be one folder of it, as in 'a/{PARTITION}/b.csv'")
    return key


def above_partitions(key: str) -> str:
    """Return the key beside the folders of the partitions; ``_`` is what readers of the folder leave out."""
    folder, slash, name = key.replace(f"{PARTITION}/", "").rpartition("/")
    return f"{folder}{slash}_{name}"


def _indices(columns: Sequence[Column], partition_by: Sequence[str]) -> list[int]:
    names = [column.name for column in columns]
    wanted = names_of("partition_by", partition_by)
    for name in wanted:
        if name not in names:
            raise OSSInvalidArgument(
                f"partition_by names {name!r}, but exported are only {', '.join(names)}: see sql, columns and exclude"
            )
        if names.count(name) > 1 or wanted.count(name) > 1:
            raise OSSInvalidArgument(f"partition_by names {name!r}, which is there twice: name each column once (AS)")
    return [names.index(name) for name in wanted]


def _writer(column: Column) -> Callable[[Any], str | None]:
    """Return what writes a value as it is in the name of a folder, but for the escapes."""
    convert = text_converter(column)

    def write(value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, _TYPES_WITHOUT_FOLDERS):
            raise _refused(column, f"holds {a_type(value)}")
        text = convert(value)
        if not text or text == _NULL:
            raise OSSInvalidArgument(
                f"partition_by: column {column.name!r} holds {text!r}, which readers of the folder would take for "
                "NULL, or for no value at all: give it another in the query, such as NULLIF(...)"
            )
        return _spaced(text) if column.kind in _TIMESTAMPS or isinstance(value, dt.datetime) else text

    return write


def _spaced(timestamp: str) -> str:
    shortened = _LAST_ZEROS.sub(lambda found: f".{found[1]}" if found[1] else "", timestamp)
    return shortened.replace("T", " ", 1)


def _refused(column: Column, what: str) -> OSSInvalidArgument:
    return OSSInvalidArgument(
        f"partition_by: column {column.name!r} {what}, which is no name of a folder: partition by a column of text, "
        "whole numbers, decimals, dates or times (CAST)"
    )


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", text)
