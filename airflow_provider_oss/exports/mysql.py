"""
What the types of MySQL and MariaDB are to an export: columns of a kind, and values of the bytes that the server sent.

Types are told by the numbers and flags of the protocol, whatever the driver. No driver decodes a value: it would make
NULL of a zero date, and its own order of a SET.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.cells import with_nulls
from airflow_provider_oss.exports.columns import Batch, Column, Kind, Row

Decoder: TypeAlias = Callable[[Any], Any]
"""Makes of a value that is not NULL, as the server sent it, what is exported."""
ColumnDecoder: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]
"""Does that with the values of a column."""

_UNSIGNED_FLAG: Final = 32
_ZEROFILL_FLAG: Final = 64
_ENUM_FLAG: Final = 256
_SET_FLAG: Final = 2048
_BIT: Final = 16
_BIGINT: Final = 8
_YEAR: Final = 13
_WITH_SIGN: Final = (1, 2, 3, _BIGINT, 9)
"""The integers that may be unsigned."""
_BITS: Final = {1: 16, 2: 32, 3: 64, _BIGINT: 64, 9: 32, _YEAR: 16, _BIT: 64}
"""Room for the unsigned ones too, but of BIGINT and BIT."""
_MYSQL_KINDS: Final[Mapping[int, tuple[Kind, str]]] = {
    0: (Kind.DECIMAL, "decimal"),
    246: (Kind.DECIMAL, "decimal"),
    1: (Kind.INTEGER, "tinyint"),
    2: (Kind.INTEGER, "smallint"),
    3: (Kind.INTEGER, "int"),
    _BIGINT: (Kind.INTEGER, "bigint"),
    9: (Kind.INTEGER, "mediumint"),
    _YEAR: (Kind.INTEGER, "year"),
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
_PLAIN_CHARACTERS: Final[Mapping[Kind, bytes]] = {
    Kind.INTEGER: b"-0123456789",
    Kind.DECIMAL: b"-.0123456789",
    Kind.DATE: b"-0123456789",
    Kind.TIME: b"-:0123456789",
    Kind.TIMESTAMP: b"-: 0123456789",
}
"""Those of values that the server writes as a file of text does, unless it fills them up with zeros."""
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


def decoded(fields: Sequence[MysqlField], batches: Iterable[Batch], *, as_text: bool = False) -> Iterator[Row]:
    """
    Yield the rows of the batches, whose values are as the server sent them, with values as they are exported.

    ``as_text`` is for files of text: what the server writes as they do stays text, which costs a fraction of a value.
    Raises OSSInvalidArgument for a value that its column cannot have, such as text that is no UTF-8.
    """
    decoders = [with_nulls(_column_decoder(field, as_text=as_text), None) for field in fields]
    for batch in batches:
        values = zip(fields, decoders, zip(*batch, strict=True), strict=True)
        yield from zip(*(_decoded_column(field.name, decode, each) for field, decode, each in values), strict=True)


def _decoded_column(name: str, decode: ColumnDecoder, values: Sequence[Any]) -> Sequence[Any]:
    try:
        return decode(values)
    except (ValueError, ArithmeticError) as error:
        raise OSSInvalidArgument(
            f"column {name!r} holds what its type cannot have ({error}): ask for its bytes, CAST(... AS BINARY)"
        ) from error


def _column_decoder(field: MysqlField, *, as_text: bool) -> ColumnDecoder:
    """Return what decodes the values that a column has in a batch, none of which is None."""
    decode = _decoder(field)
    is_padded = field.type_code in (_BIT, _YEAR) or field.flags & _ZEROFILL_FLAG
    characters = _PLAIN_CHARACTERS.get(mysql_column(field).kind) if as_text and not is_padded else None
    if decode is _text:
        return _texts
    if characters is None:
        return lambda values: list(map(decode, values))

    def texts_or_values(values: Sequence[Any]) -> Sequence[Any]:
        is_plain = not b"".join(values).translate(None, characters)
        return _texts(values) if is_plain else list(map(decode, values))

    return texts_or_values


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


def _texts(values: Sequence[Any]) -> Sequence[str]:
    return [value if isinstance(value, str) else value.decode() for value in values]


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
