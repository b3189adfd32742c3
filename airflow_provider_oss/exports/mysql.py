"""What MySQL's types are to an export, by the numbers that its protocol has for them (all its drivers tell these)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_oss.exports.columns import Column, Kind

_BITS: Final = {1: 16, 2: 32, 3: 64, 8: None, 9: 32, 13: 16}
"""Room for the unsigned ones too. BIGINT may be unsigned and then needs what int64 has not: the values decide."""
_KINDS: Final[Mapping[int, tuple[Kind, str]]] = {
    0: (Kind.DECIMAL, "decimal"),
    246: (Kind.DECIMAL, "decimal"),
    1: (Kind.INTEGER, "tinyint"),
    2: (Kind.INTEGER, "smallint"),
    3: (Kind.INTEGER, "int"),
    8: (Kind.INTEGER, "bigint"),
    9: (Kind.INTEGER, "mediumint"),
    13: (Kind.INTEGER, "year"),
    4: (Kind.FLOAT, "float"),
    5: (Kind.FLOAT, "double"),
    7: (Kind.TIMESTAMP, "timestamp"),
    12: (Kind.TIMESTAMP, "datetime"),
    10: (Kind.DATE, "date"),
    11: (Kind.TIME, "time"),
    245: (Kind.JSON, "json"),
}
"""Text and bytes share their numbers: there the values decide."""


def mysql_column(name: str, type_code: int, length: int | None, scale: int | None) -> Column:
    """Return the column that a cursor describes so; the length of a decimal counts its sign and its point."""
    kind, type_name = _KINDS.get(type_code, (Kind.UNKNOWN, None))
    is_decimal = kind is Kind.DECIMAL and length is not None
    return Column(
        name=name,
        kind=kind,
        type_name=type_name,
        bits=_BITS.get(type_code),
        precision=length if is_decimal else None,
        scale=scale if is_decimal else None,
    )
