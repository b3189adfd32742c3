"""
What the types of PostgreSQL and DuckDB are to an export: columns of a kind, and values that lose nothing.

Where a driver would make another value of one (an interval's months 30 days, ``infinity`` a day of the year 9999, ...),
the value is taken as the text that the database writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_oss.exports.columns import Column, Kind

# PostgreSQL: by the numbers (OIDs) that its catalog has for types since ever

_POSTGRES_INTEGERS: Final = {21: 16, 23: 32, 20: 64, 26: 64}
_POSTGRES_FLOATS: Final = {700: 32, 701: 64}
_POSTGRES_NUMERIC: Final = 1700
_POSTGRES_KINDS: Final[Mapping[int, Kind]] = {
    16: Kind.BOOLEAN,
    **dict.fromkeys(_POSTGRES_INTEGERS, Kind.INTEGER),
    **dict.fromkeys(_POSTGRES_FLOATS, Kind.FLOAT),
    _POSTGRES_NUMERIC: Kind.DECIMAL,
    17: Kind.BYTES,
    1082: Kind.DATE,
    1083: Kind.TIME,
    1266: Kind.TIME_TZ,
    1114: Kind.TIMESTAMP,
    1184: Kind.TIMESTAMP_TZ,
    1186: Kind.INTERVAL,
    114: Kind.JSON,
    3802: Kind.JSON,
}
"""Every other type is text: names, enums, uuid, addresses, ranges, composites as PostgreSQL writes them."""

_POSTGRES_ELEMENTS: Final[Mapping[int, int]] = {
    1000: 16, 1005: 21, 1007: 23, 1016: 20, 1028: 26, 1021: 700, 1022: 701, 1231: _POSTGRES_NUMERIC, 1001: 17,
    1182: 1082, 1183: 1083, 1270: 1266, 1115: 1114, 1185: 1184, 1187: 1186, 199: 114, 3807: 3802, 2951: 2950, 1009: 25,
    1015: 1043, 1014: 1042,
}  # fmt: skip
"""Array types and what they are arrays of; 2950 is uuid. Arrays of other types are text, as PostgreSQL writes them."""

_POSTGRES_OF_DRIVERS: Final = (Kind.BOOLEAN, Kind.INTEGER, Kind.DECIMAL, Kind.BYTES)
"""Of these drivers make Python values that have all, in arrays too."""

_POSTGRES_MOST_DIGITS: Final = 1000
"""PostgreSQL's limit for a declared precision. psycopg2 says 65535 where none is declared."""


def is_text(oid: int) -> bool:
    """Whether values of this type are taken as PostgreSQL writes them, whatever a driver would make of them."""
    return oid not in _POSTGRES_ELEMENTS and _POSTGRES_KINDS.get(oid) not in _POSTGRES_OF_DRIVERS


TEXT_ARRAY_OIDS: Final = tuple(array for array, element in _POSTGRES_ELEMENTS.items() if is_text(element))
"""Types of which drivers are to make lists of text."""


def may_have_text(oid: int) -> bool:
    """Whether values of this type are text, or lists of text."""
    return is_text(oid) or oid in TEXT_ARRAY_OIDS


def postgres_column(
    name: str, oid: int, precision: int | None, scale: int | None, type_name: str | None = None
) -> Column:
    """Return the column that a cursor describes so."""
    element = _POSTGRES_ELEMENTS.get(oid, oid)
    kind = _POSTGRES_KINDS.get(element, Kind.TEXT)
    is_bounded = (
        kind is Kind.DECIMAL and precision is not None and precision <= _POSTGRES_MOST_DIGITS and element == oid
    )
    scale = _signed(scale or 0)
    digits = f"({precision},{scale})" if is_bounded else ""
    return Column(
        name=name,
        kind=kind,
        type_name=f"{type_name}{digits}" if type_name else None,
        bits=_POSTGRES_INTEGERS.get(element) or _POSTGRES_FLOATS.get(element),
        precision=precision if is_bounded else None,
        scale=scale if is_bounded else None,
        is_array=element != oid,
    )


def _signed(scale: int) -> int:
    """Return a scale of 11 bits, of which one is the sign: psycopg2 says 2046 for -2."""
    return ((scale & 0x7FF) ^ 0x400) - 0x400


# DuckDB: by the names that its driver has for types

_DUCKDB_INTEGERS: Final[Mapping[str, tuple[int, bool]]] = {
    "tinyint": (16, False),
    "utinyint": (16, False),
    "smallint": (16, False),
    "usmallint": (16, True),
    "integer": (32, False),
    "uinteger": (32, True),
    "bigint": (64, False),
    "ubigint": (64, True),
}
"""Bits, and whether there is no sign."""
_DUCKDB_HUGE: Final = ("hugeint", "uhugeint")
_DUCKDB_HUGE_DIGITS: Final = 39
_DUCKDB_OWN_KINDS: Final[Mapping[str, Kind]] = {
    "boolean": Kind.BOOLEAN,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "blob": Kind.BYTES,
    "geometry": Kind.BYTES,
}
_DUCKDB_KINDS_AS_TEXT: Final[Mapping[str, Kind]] = {
    "date": Kind.DATE,
    "time": Kind.TIME,
    "time_ns": Kind.TIME,
    "time with time zone": Kind.TIME_TZ,
    "timestamp": Kind.TIMESTAMP,
    "timestamp_s": Kind.TIMESTAMP,
    "timestamp_ms": Kind.TIMESTAMP,
    "timestamp_ns": Kind.TIMESTAMP,
    "timestamp with time zone": Kind.TIMESTAMP_TZ,
    "timestamptz_ns": Kind.TIMESTAMP_TZ,
    "interval": Kind.INTERVAL,
}
_DUCKDB_AS_THEY_ARE: Final = (
    *_DUCKDB_INTEGERS,
    *_DUCKDB_HUGE,
    *_DUCKDB_OWN_KINDS,
    "decimal",
    "varchar",
    "enum",
    "uuid",
    "bit",
    "bignum",
    "null",
)
"""Types whose Python values have all. Those of any type that is not known are taken as text."""


_DUCKDB_AS_IN_ARROW: Final = frozenset(
    {
        *_DUCKDB_INTEGERS,
        *("boolean", "float", "double", "decimal", "blob", "date", "time", "time_ns"),
        *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone", "timestamptz_ns"),
    }
)
"""Types whose values Arrow has too: of the other ones there it drops a zone, wraps, or has DuckDB's own bytes."""
_DUCKDB_AS_TEXT_IN_ARROW: Final = frozenset(
    {*_DUCKDB_HUGE, "varchar", "enum", "uuid", "bit", "bignum", "interval", "union", "null"}
)
"""Types whose values in Parquet are their text, or what Arrow reads in it."""


def duckdb_column(name: str, duckdb_type: Any) -> Column:
    """Return the column of this name and type, which is as the driver describes it."""
    kind, bits, is_unsigned = Kind.TEXT, None, False
    precision = scale = None
    identifier = duckdb_type.id
    if identifier in _DUCKDB_INTEGERS:
        kind, (bits, is_unsigned) = Kind.INTEGER, _DUCKDB_INTEGERS[identifier]
    elif identifier in _DUCKDB_HUGE:
        kind, precision, scale = Kind.DECIMAL, _DUCKDB_HUGE_DIGITS, 0
    elif identifier == "decimal":
        digits = dict(duckdb_type.children)
        kind, precision, scale = Kind.DECIMAL, digits["precision"], digits["scale"]
    elif str(duckdb_type) == "JSON":
        kind = Kind.JSON
    else:
        kind = _DUCKDB_OWN_KINDS.get(identifier) or _DUCKDB_KINDS_AS_TEXT.get(identifier, Kind.TEXT)
        bits = 32 if identifier == "float" else None
    return Column(name, kind, str(duckdb_type), bits, is_unsigned, precision, scale)


def exact_query(sql: str, duckdb_types: Sequence[Any]) -> str:
    """Return a query for the same rows, of whose values the driver loses nothing."""
    return _casting(sql, map(_exact_type, duckdb_types))


def arrow_query(sql: str, duckdb_types: Sequence[Any]) -> str | None:
    """Return a query for the same rows, of whose values Arrow loses nothing; None where a type might be changed."""
    identifiers = [each.id for each in duckdb_types]
    if not {*identifiers} <= {*_DUCKDB_AS_IN_ARROW, *_DUCKDB_AS_TEXT_IN_ARROW}:
        return None
    return _casting(sql, ("VARCHAR" if each in _DUCKDB_AS_TEXT_IN_ARROW else None for each in identifiers))


def _casting(sql: str, types: Iterable[str | None]) -> str:
    """Return a query for the same rows, with the values of another type where one is given."""
    names, values = [], []
    for index, type_ in enumerate(types):
        names.append(f"c{index}")
        values.append(f"CAST(c{index} AS {type_})" if type_ else f"c{index}")
    return f"SELECT {', '.join(values)} FROM (\n{sql}\n) AS q({', '.join(names)})"  # noqa: S608 - the user's own query


def is_exact(duckdb_type: Any) -> bool:
    """Whether the driver's values of this type have all."""
    return _exact_type(duckdb_type) is None


def _exact_type(duckdb_type: Any) -> str | None:
    """Return the type of which the driver's values have all; None when it is the type itself."""
    if duckdb_type.id in _DUCKDB_AS_THEY_ARE:
        return None
    if duckdb_type.id not in ("list", "array", "struct", "map"):
        return "VARCHAR"
    children = dict(duckdb_type.children)
    size = children.pop("size", "")
    exact = {name: _exact_type(child) for name, child in children.items()}
    if not any(exact.values()):
        return None
    types = {name: exact[name] or str(child) for name, child in children.items()}
    if duckdb_type.id == "map":
        return f"MAP({types['key']}, {types['value']})"
    if duckdb_type.id == "struct":
        return f"STRUCT({', '.join(f'{_quoted(name)} {type_}' for name, type_ in types.items())})"
    return f"{types['child']}[{size}]"


def _quoted(name: str) -> str:
    return f'"{name.replace(chr(34), chr(34) * 2)}"'
