"""The real clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_oss.engine.progress import SystemClock


def test_it_does_not_run_backwards() -> None:
    """A later look shows no earlier time."""
    clock = SystemClock()

    assert clock.monotonic() <= clock.monotonic()


def test_it_tells_the_time_in_utc() -> None:
    """The time is now, as ISO 8601 with its zone, in a text that fits a checkpoint."""
    text = SystemClock().utc_now()

    told = datetime.fromisoformat(text)
    assert told.utcoffset() == timedelta(0)
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)
    assert len(text) <= 40
