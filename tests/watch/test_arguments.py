"""What users give to sensors: texts from templates are read, what cannot work is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.watch import WatchedKeys, WatchedPrefix, point_in_time, watched_keys, watched_prefix

KEYS: dict[str, Any] = {
    "key": "a",
    "bucket_name": None,
    "wildcard_match": False,
    "min_matches": 1,
    "min_size": 0,
    "min_age": None,
    "modified_after": None,
}
PREFIX: dict[str, Any] = {
    "prefix": "in",
    "bucket_name": None,
    "inactivity_period": 60,
    "min_objects": 1,
    "allow_delete": True,
}


def test_nothing_but_a_key() -> None:
    """A key alone means that object and no condition."""
    assert watched_keys(**KEYS) == WatchedKeys(("a",))


def test_texts_of_templates() -> None:
    """Numbers and times may be texts, as templates leave them."""
    given = KEYS | {
        "key": ["a*", "b"],
        "wildcard_match": True,
        "min_matches": "2",
        "min_size": "10",
        "min_age": "90.5",
        "modified_after": "2026-11-24 12:00:00+08:00",
    }
    noon = datetime(2026, 11, 24, 4, tzinfo=UTC).timestamp()
    assert watched_keys(**given) == WatchedKeys(("a*", "b"), None, True, 2, 10, 90.5, noon)  # noqa: FBT003
    assert watched_prefix(**PREFIX | {"inactivity_period": "60", "min_objects": "3"}) == WatchedPrefix(
        "in", None, 60.0, 3
    )


@pytest.mark.parametrize(
    "value", [timedelta(minutes=1, seconds=30), pendulum.duration(seconds=90), 90, 90.0, "90", "PT1M30S"]
)
def test_durations(value: Any) -> None:
    """A duration is a timedelta, pendulum's Duration, seconds, or their text, in ISO 8601 too."""
    assert watched_keys(**KEYS | {"min_age": value}).min_age == 90.0
    assert watched_prefix(**PREFIX | {"inactivity_period": value}).inactivity_period == 90.0


@pytest.mark.parametrize(
    "value",
    [
        pendulum.datetime(2026, 11, 24),
        datetime(2026, 11, 24, tzinfo=UTC),
        "2026-11-24T00:00:00Z",
        "2026-11-24T08+08:00",
        datetime(2026, 11, 24),  # noqa: DTZ001 - what is tested
        "2026-11-24T00:00:00",
        "2026-11-24",
    ],
)
def test_times(value: Any) -> None:
    """A time is a datetime or its text in ISO 8601; without a time zone, such as what {{ ds }} leaves, it is UTC."""
    assert point_in_time("modified_after", value) == datetime(2026, 11, 24, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"key": []}, r"key=\[\] names no object"),
        ({"key": None}, "key=None names no object: give a key or a list of keys"),
        ({"key": ["a", 5]}, r"key=\['a', 5\] names no object"),
        ({"min_size": [1]}, r"min_size=\[1\] is no whole number"),
        ({"min_size": 2.5}, "min_size=2.5 is no whole number"),
        ({"min_matches": 0}, "min_matches=0 is too small: give a whole number of 1 or more"),
        ({"min_matches": None}, "min_matches=None is too small"),
        ({"min_size": "-1"}, "min_size='-1' is too small"),
        ({"min_size": "many"}, "min_size='many' is no whole number"),
        ({"min_age": "soon"}, "min_age='soon' is no duration: give a timedelta, seconds, or ISO 8601"),
        ({"min_age": [1]}, r"min_age=\[1\] is no duration"),
        ({"min_age": -1}, "min_age=-1 is negative"),
        ({"min_age": "inf"}, "min_age='inf' is no duration"),
        ({"min_age": "nan"}, "min_age='nan' is no duration"),
        ({"modified_after": "noon"}, "modified_after='noon' is no time"),
        ({"modified_after": 5}, "modified_after=5 is no time"),
    ],
)
def test_keys_that_cannot_work(wrong: dict[str, Any], message: str) -> None:
    """What cannot be read or never be met is an error that names the argument and says what to give."""
    with pytest.raises(OSSInvalidArgument, match=message):
        watched_keys(**KEYS | wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inactivity_period": 0}, "inactivity_period=0 is not positive"),
        ({"inactivity_period": "an hour"}, "inactivity_period='an hour' is no duration"),
        ({"min_objects": -1}, "min_objects=-1 is too small: give a whole number of 0 or more"),
    ],
)
def test_prefixes_that_cannot_work(wrong: dict[str, Any], message: str) -> None:
    """The same of a prefix."""
    with pytest.raises(OSSInvalidArgument, match=message):
        watched_prefix(**PREFIX | wrong)
