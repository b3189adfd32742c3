"""Slowing a transfer down to a rate."""

from __future__ import annotations

import asyncio
import time


class Pacer:
    """Lets `rate_bytes_per_second` pass from its creation on; None = as fast as it goes."""

    def __init__(self, rate_bytes_per_second: float | None) -> None:
        """Begin to count now."""
        self._rate = rate_bytes_per_second
        self._begun = time.monotonic()
        self._passed = 0

    async def passed(self, size: int) -> None:
        """Account for `size` bytes and wait until they are due."""
        if self._rate is None:
            return
        self._passed += size
        delay = self._begun + self._passed / self._rate - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
