"""Slowing a transfer down to a rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.connection import Connection


class Pacer:
    """Lets no more than the slowest of the rates (bytes per second) pass, from its creation on; None = no limit."""

    def __init__(self, connection: Connection, *rates: float | None) -> None:
        self._connection = connection
        self._rate = min((rate for rate in rates if rate is not None), default=None)
        self._begun = time.monotonic()
        self._passed = 0

    async def passed(self, size: int) -> None:
        """Account for ``size`` bytes and wait until they are due. Raises what ``Connection.pause`` raises."""
        if self._rate is None:
            return
        self._passed += size
        delay = self._begun + self._passed / self._rate - time.monotonic()
        if delay > 0:
            await self._connection.pause(delay)
