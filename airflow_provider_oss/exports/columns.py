"""What is known of the columns of a result, and which of them are exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument

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
    """Of an integer or float; None for the largest."""
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
class Selection:
    """The exported columns, and where in a row of the result they are."""

    columns: tuple[Column, ...]
    indices: tuple[int, ...]
    is_all: bool

    def apply(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Return the rows with the values of the exported columns only."""
        return iter(rows) if self.is_all else map(_picker(self.indices), rows)


def select(
    columns: Sequence[Column], wanted: Sequence[str] | None = None, exclude: Iterable[str] | None = None
) -> Selection:
    """
    Return which columns are exported: those ``wanted`` in that order (None: all), without those to ``exclude``.

    Names are compared as they are. Raises OSSInvalidArgument for a name that the result does not have (an excluded one
    too: a misspelt name must not let a column through), and when nothing is left.
    """
    names = [column.name for column in columns]
    wanted_names = None if wanted is None else _names("columns", wanted)
    excluded = _names("exclude", exclude or ())
    for argument, asked in (("columns", wanted_names or []), ("exclude", excluded)):
        if missing := [name for name in asked if name not in names]:
            raise OSSInvalidArgument(f"{argument} names {missing[0]!r}, but the result has only {', '.join(names)}")
    indices = range(len(columns)) if wanted_names is None else _indices(names, wanted_names)
    kept = tuple(index for index in indices if names[index] not in excluded)
    if not kept:
        raise OSSInvalidArgument("no column is left to export: the query returns none, or exclude names them all")
    return Selection(tuple(columns[index] for index in kept), kept, kept == tuple(range(len(columns))))


def check_unique_names(columns: Iterable[Column], file_format: str) -> None:
    """Raise OSSInvalidArgument when two columns share a name: readers of formats with named values lose one."""
    name, count = Counter(column.name for column in columns).most_common(1)[0]
    if count > 1:
        raise OSSInvalidArgument(
            f"{count} columns are called {name!r}, and file_format={file_format!r} can hold only one: name them apart "
            "in the query (AS)"
        )


def _names(argument: str, names: Iterable[str]) -> list[str]:
    """Return the names that a user gave. One text is no list: its letters would count as names."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise OSSInvalidArgument(f"{argument}={names!r} is no list of column names: give [{names!r}]")
    return list(names)


def _indices(names: list[str], wanted: list[str]) -> list[int]:
    for name in wanted:
        if names.count(name) > 1 or wanted.count(name) > 1:
            raise OSSInvalidArgument(f"columns names {name!r}, which is there twice: name each column once (AS)")
    return [names.index(name) for name in wanted]


def _picker(indices: tuple[int, ...]) -> Callable[[Row], Row]:
    def pick(row: Row) -> Row:
        return [row[index] for index in indices]

    return pick
