"""
What the types of PostgreSQL, MySQL and DuckDB are to an export: columns of a kind, and values that lose nothing.

Where a driver would make another value of one (an interval's months 30 days, ``infinity`` a day of the year 9999, a
zero date NULL, ...), the value is taken as the text, or the bytes, that the server writes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Kind, Row

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


# MySQL: by the numbers and flags of its protocol, whatever the driver. Values are the bytes that the server sent

Decoder: TypeAlias = Callable[[Any], Any]
"""Makes of a value that is not NULL, as the server sent it, what is exported."""

_UNSIGNED_FLAG: Final = 32
_ENUM_FLAG: Final = 256
_SET_FLAG: Final = 2048
_BIT: Final = 16
_BIGINT: Final = 8
_WITH_SIGN: Final = (1, 2, 3, _BIGINT, 9)
"""The integers that may be unsigned."""
_BITS: Final = {1: 16, 2: 32, 3: 64, _BIGINT: 64, 9: 32, 13: 16, _BIT: 64}
"""Room for the unsigned ones too, but of BIGINT and BIT."""
_MYSQL_KINDS: Final[Mapping[int, tuple[Kind, str]]] = {
    0: (Kind.DECIMAL, "decimal"),
    246: (Kind.DECIMAL, "decimal"),
    1: (Kind.INTEGER, "tinyint"),
    2: (Kind.INTEGER, "smallint"),
    3: (Kind.INTEGER, "int"),
    _BIGINT: (Kind.INTEGER, "bigint"),
    9: (Kind.INTEGER, "mediumint"),
    13: (Kind.INTEGER, "year"),
    _BIT: (Kind.INTEGER, "bit"),
    4: (Kind.FLOAT, "float"),
    5: (Kind.FLOAT, "double"),
    6: (Kind.TEXT, "null"),
    7: (Kind.TIMESTAMP, "timestamp"),
    12: (Kind.TIMESTAMP, "datetime"),
    10: (Kind.DATE, "date"),
    14: (Kind.DATE, "date"),
    11: (Kind.TIME, "time"),
    242: (Kind.BYTES, "vector"),
    245: (Kind.JSON, "json"),
    255: (Kind.BYTES, "geometry"),
}
_TEXTS_AND_BYTES: Final = {253: ("varchar", "varbinary"), 254: ("char", "binary")}
"""Names of the types of text and bytes; those of all others are ``text`` and ``blob``."""
_DURATION: Final = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class MysqlField:
    """A column as the server describes it."""

    name: str
    type_code: int
    flags: int
    is_binary: bool
    """Whether its character set is ``binary``: it is that of bytes, and of all that is no text."""
    length: int | None
    """Of a decimal: with its sign and its point. None when the driver does not say."""
    scale: int | None


def mysql_column(field: MysqlField) -> Column:
    """Return the column that the server describes so."""
    is_unsigned = bool(field.flags & _UNSIGNED_FLAG)
    kind, type_name = _MYSQL_KINDS.get(field.type_code) or _text_or_bytes(field)
    precision = scale = None
    if kind is Kind.DECIMAL and field.length is not None and field.scale is not None:
        scale = field.scale
        precision = field.length - (not is_unsigned) - (scale > 0)
        type_name = f"{type_name}({precision},{scale})"
    return Column(
        name=field.name,
        kind=kind,
        type_name=f"{type_name} unsigned" if is_unsigned and field.type_code in _WITH_SIGN else type_name,
        bits=_BITS.get(field.type_code),
        is_unsigned=field.type_code == _BIT or (field.type_code == _BIGINT and is_unsigned),
        precision=precision,
        scale=scale,
    )


def decoded(fields: Sequence[MysqlField], rows: Iterable[Row]) -> Iterator[Row]:
    """
    Yield the rows, whose values are as the server sent them, with values as they are exported.

    Raises OSSInvalidArgument for one that its column cannot have, such as text that is no UTF-8.
    """
    decoders = [_decoder(field) for field in fields]
    for row in rows:
        values: list[Any] = []
        try:
            for decode, value in zip(decoders, row, strict=True):
                values.append(None if value is None else decode(value))
        except (ValueError, ArithmeticError) as error:
            name = fields[len(values)].name
            raise OSSInvalidArgument(
                f"column {name!r} holds what its type cannot have ({error}): ask for its bytes, CAST(... AS BINARY)"
            ) from error
        yield values


def _text_or_bytes(field: MysqlField) -> tuple[Kind, str]:
    text, binary = _TEXTS_AND_BYTES.get(field.type_code, ("text", "blob"))
    if field.is_binary:
        return Kind.BYTES, binary
    for flag, name in ((_ENUM_FLAG, "enum"), (_SET_FLAG, "set")):
        if field.flags & flag:
            return Kind.TEXT, name
    return Kind.TEXT, text


def _decoder(field: MysqlField) -> Decoder:
    if field.type_code == _BIT:
        return _bits
    return _DECODERS.get(mysql_column(field).kind, _text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode()


def _bits(value: Any) -> int:
    return int.from_bytes(value, "big")


def _day(kind: type[dt.date]) -> Decoder:
    """Return what makes dates or timestamps; as text what is none: ``0000-00-00``, ``2026-00-00``."""

    def decode(value: Any) -> dt.date | str:
        text = _text(value)
        try:
            return kind.fromisoformat(text)
        except ValueError:
            return text

    return decode


def _duration(value: Any) -> dt.timedelta:
    text = _text(value)
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no TIME of MySQL")
    sign, hours, minutes, seconds, fraction = found.groups()
    duration = dt.timedelta(
        hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=int((fraction or "").ljust(6, "0"))
    )
    return -duration if sign else duration


_DECODERS: Final[Mapping[Kind, Decoder]] = {
    Kind.INTEGER: int,
    Kind.FLOAT: float,
    Kind.DECIMAL: lambda value: Decimal(_text(value)),
    Kind.DATE: _day(dt.date),
    Kind.TIMESTAMP: _day(dt.datetime),
    Kind.TIME: _duration,
    Kind.BYTES: bytes,
}


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
    names = [f"c{index}" for index in range(len(duckdb_types))]
    values = [
        name if (exact := _exact_type(each)) is None else f"CAST({name} AS {exact})"
        for name, each in zip(names, duckdb_types, strict=True)
    ]
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
