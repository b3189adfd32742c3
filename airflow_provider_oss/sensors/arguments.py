"""What a user gives to a sensor, checked: templates leave texts where numbers and times are meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.operators.base import whole_number
from airflow_provider_oss.operators.durations import duration
from airflow_provider_oss.watch.keys import WatchedKeys
from airflow_provider_oss.watch.settling import WatchedPrefix


def watched_keys(
    key: str | Iterable[str],
    bucket_name: str | None,
    *,
    wildcard_match: bool,
    min_matches: Any,
    min_size: Any,
    min_age: Any,
    modified_after: Any,
) -> WatchedKeys:
    """Return what is waited for. Raises OSSInvalidArgument that names the argument."""
    keys = (key,) if isinstance(key, str) else tuple(key) if isinstance(key, Iterable) else ()
    if not keys or not all(isinstance(each, str) for each in keys):
        raise OSSInvalidArgument(f"key={key!r} names no object: give a key or a list of keys, at least one")
    return WatchedKeys(
        keys=keys,
        bucket_name=bucket_name,
        wildcard_match=wildcard_match,
        min_matches=_at_least(1, "min_matches", min_matches),
        min_size=_at_least(0, "min_size", min_size),
        min_age=0.0 if min_age is None else duration("min_age", min_age, may_be_zero=True).total_seconds(),
        modified_after=None if modified_after is None else point_in_time("modified_after", modified_after),
    )


def watched_prefix(
    prefix: str, bucket_name: str | None, *, inactivity_period: Any, min_objects: Any, allow_delete: bool
) -> WatchedPrefix:
    """Return what is waited for. Raises OSSInvalidArgument that names the argument."""
    period = duration("inactivity_period", inactivity_period).total_seconds()
    return WatchedPrefix(prefix, bucket_name, period, _at_least(0, "min_objects", min_objects), allow_delete)


def point_in_time(name: str, value: Any) -> float:
    """Return the unix seconds of a time with time zone: a datetime or its ISO 8601 text. Raises OSSInvalidArgument."""
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise OSSInvalidArgument(f"{name}={value!r} is no time: give a datetime or its ISO 8601 text") from error
    if when.tzinfo is None:
        raise OSSInvalidArgument(f"{name}={value!r} has no time zone: give one, such as 2026-11-24T00:00:00+00:00")
    return when.timestamp()


def _at_least(least: int, name: str, value: Any) -> int:
    number = whole_number(name, value)
    if number is None or number < least:
        raise OSSInvalidArgument(f"{name}={value!r} is too small: give a whole number of {least} or more")
    return number
