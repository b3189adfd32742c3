"""The real clock."""

import time

import pendulum


class SystemClock:
    """This machine's clock."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never runs backwards."""
        return time.monotonic()

    def utc_now(self) -> str:
        """Return the time now as ISO 8601, UTC."""
        return pendulum.now("UTC").to_iso8601_string()
