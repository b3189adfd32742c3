"""Durations as users write them, templates included."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_oss.exceptions import OSSInvalidArgument


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
