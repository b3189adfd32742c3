"""Durations as users write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.quantities import duration


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (timedelta(hours=1), 3600),
        (pendulum.duration(days=7), 604800),
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("1.5", 1.5),
        ("P7D", 604800),
        ("PT12H30M", 45000),
    ],
)
def test_durations(given: timedelta | float | str, seconds: float) -> None:
    """A timedelta, seconds, or text of either kind."""
    assert duration("older_than", given).total_seconds() == seconds


@pytest.mark.parametrize("given", ["", "a week", "2026-11-24", "P", None, [], "nan", "inf", 10**15])
def test_what_is_none(given: Any) -> None:
    """What is no duration is an error that names it and the remedy."""
    with pytest.raises(OSSInvalidArgument, match=r"older_than=.* is no duration: give a timedelta"):
        duration("older_than", given)


@pytest.mark.parametrize("given", [0, "0", "PT0S", timedelta()])
def test_where_nothing_is_a_duration(given: Any) -> None:
    """Zero is one where it is allowed; what is less is not."""
    assert duration("min_age", given, may_be_zero=True) == timedelta()
    with pytest.raises(OSSInvalidArgument, match="min_age=-1 is negative"):
        duration("min_age", -1, may_be_zero=True)


@pytest.mark.parametrize("given", [0, -1, "PT0S", timedelta(days=-1)])
def test_what_is_not_positive(given: Any) -> None:
    """A duration that is over already is an error."""
    with pytest.raises(OSSInvalidArgument, match=r"older_than=.* is not positive"):
        duration("older_than", given)
