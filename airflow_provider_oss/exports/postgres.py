"""
What PostgreSQL's types are to an export, by the numbers (OIDs) that its catalog has for them since ever.

Types whose Python values would lose something, or could not be made (an interval has months, a timestamp may be
``infinity``), are taken as the text that the server writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_oss.exports.columns import Column, Kind

_INTEGERS: Final = {21: 16, 23: 32, 20: 64, 26: 64}
_FLOATS: Final = {700: 32, 701: 64}
_NUMERIC: Final = 1700
_KINDS: Final[Mapping[int, Kind]] = {
    16: Kind.BOOLEAN,
    **dict.fromkeys(_INTEGERS, Kind.INTEGER),
    **dict.fromkeys(_FLOATS, Kind.FLOAT),
    _NUMERIC: Kind.DECIMAL,
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

_ELEMENTS: Final[Mapping[int, int]] = {
    1000: 16, 1005: 21, 1007: 23, 1016: 20, 1028: 26, 1021: 700, 1022: 701, 1231: _NUMERIC, 1001: 17, 1182: 1082,
    1183: 1083, 1270: 1266, 1115: 1114, 1185: 1184, 1187: 1186, 199: 114, 3807: 3802, 2951: 2950, 1009: 25, 1015: 1043,
    1014: 1042,
}  # fmt: skip
"""Array types and what they are arrays of. Arrays of other types are text, as PostgreSQL writes them."""

_OF_DRIVERS: Final = (Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.BYTES)
_OTHERS: Final = (
    2950,  # uuid
    869, 650,  # inet, cidr
    2249,  # record
    3904, 3926, 3906, 3912, 3908, 3910,  # int4range, int8range, numrange, daterange, tsrange, tstzrange
    4451, 4536, 4532, 4535, 4533, 4534,  # and their multiranges
)  # fmt: skip

TEXT_OIDS: Final = (*(oid for oid, kind in _KINDS.items() if kind not in _OF_DRIVERS), *_OTHERS)
"""Types that drivers would make objects of, and that are to stay text, in arrays too."""
TEXT_ARRAY_OIDS: Final = tuple(array for array, element in _ELEMENTS.items() if element in TEXT_OIDS)


def postgres_column(
    name: str, oid: int, precision: int | None, scale: int | None, type_name: str | None = None
) -> Column:
    """Return the column that a cursor describes so."""
    element = _ELEMENTS.get(oid, oid)
    kind = _KINDS.get(element, Kind.TEXT)
    is_bounded = kind is Kind.DECIMAL and precision is not None and element == oid
    digits = f"({precision},{scale or 0})" if is_bounded else ""
    return Column(
        name=name,
        kind=kind,
        type_name=f"{type_name}{digits}" if type_name else None,
        bits=_INTEGERS.get(element) or _FLOATS.get(element),
        precision=precision if is_bounded else None,
        scale=scale if is_bounded else None,
        is_array=element != oid,
    )
