"""Numbers, sizes and durations as users write them, templates included: ``8388608``, ``"8 MiB"``, ``"P7D"``."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from numbers import Integral, Number
from typing import Any, Final, overload

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidArgument

_UNITS: Final = "KMGT"
_WITH_UNIT: Final = re.compile(rf"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[{_UNITS}]?)i?B\s*", re.IGNORECASE)


@overload
def whole_number(name: str, value: Any) -> int | None: ...
@overload
def whole_number(name: str, value: Any, default: int) -> int: ...
def whole_number(name: str, value: Any, default: int | None = None) -> int | None:
    """
    Return a number that may have come out of a template as text; of None, the default.

    Raises OSSInvalidArgument when it is no number.
    """
    if value is None:
        return default
    found = _whole(value)
    if found is None:
        raise OSSInvalidArgument(f"{name}={value!r} is no whole number")
    return found


@overload
def size_in_bytes(name: str, value: Any) -> int | None: ...
@overload
def size_in_bytes(name: str, value: Any, default: int) -> int: ...
def size_in_bytes(name: str, value: Any, default: int | None = None) -> int | None:
    """
    Return a number of bytes: of a whole number, its text, text with a unit, as ``8 MiB``; of None, the default.

    KB, MB, GB and TB are what OSS calls so, and the same as KiB, MiB, GiB and TiB: 1,024 bytes and so on. Raises
    OSSInvalidArgument when it is no size, or not a whole number of bytes.
    """
    if value is None:
        return default
    if (found := _whole(value)) is not None or (found := _with_unit(value)) is not None:
        return found
    raise OSSInvalidArgument(f"{name}={value!r} is no whole number of bytes: give one, or its text such as '8 MiB'")


def check_part_size(part_size_bytes: int) -> None:
    """Raise OSSInvalidArgument unless OSS takes parts of this size."""
    if not limits.MIN_PART_SIZE_BYTES <= part_size_bytes <= limits.MAX_PART_SIZE_BYTES:
        raise OSSInvalidArgument(
            f"part_size={part_size_bytes} is outside what OSS allows: {limits.MIN_PART_SIZE_BYTES} (100 KB) to "
            f"{limits.MAX_PART_SIZE_BYTES} (5 GB) bytes"
        )


def check_parallel(parallel: int) -> None:
    """Raise OSSInvalidArgument unless it is 1 to 100."""
    if not 1 <= parallel <= limits.MAX_PARALLEL:
        raise OSSInvalidArgument(f"parallel={parallel} is out of range: use 1 to {limits.MAX_PARALLEL}")


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, Number | str):
        return None
    if isinstance(value, Integral):
        return int(value)
    try:
        found = Decimal(value.strip() if isinstance(value, str) else str(value))
        return int(found) if abs(found) < _MOST and found == found.to_integral_value() else None
    except (ArithmeticError, ValueError):
        return None


def _with_unit(value: Any) -> int | None:
    found = _WITH_UNIT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    power = _UNITS.find(found["unit"].upper()) + 1 if found["unit"] else 0
    return _whole(str(Decimal(found["number"]) * 1024**power))


_MOST: Final = 10**30
"""Beyond any number of bytes; the integer of ``1e999999`` would take minutes."""


def duration(name: str, value: timedelta | float | str, *, may_be_zero: bool = False) -> timedelta:
    """
    Return a positive duration: of a timedelta, of seconds, or of text that is seconds or ISO 8601 (``P7D``, ``PT12H``).

    Raises OSSInvalidArgument for anything else, and for zero unless it ``may_be_zero``.
    """
    try:
        found = value if isinstance(value, timedelta) else _parsed(value)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise OSSInvalidArgument(
            f"{name}={value!r} is no duration: give a timedelta, seconds, or ISO 8601 such as 'P7D' or 'PT12H'"
        ) from error
    if found < timedelta(0) or not (found or may_be_zero):
        raise OSSInvalidArgument(f"{name}={value!r} is {'negative' if may_be_zero else 'not positive'}")
    return found


def _parsed(value: float | str) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except ValueError:
        import pendulum

        found = pendulum.parse(str(value))
        if not isinstance(found, timedelta):
            raise
        return found
