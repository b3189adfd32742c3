"""Waiting for a state by looking at it until a deadline: the one place where a test may sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

POLL_INTERVAL_SECONDS = 0.1


def wait_until(
    look: Callable[[], Found | None], timeout_seconds: float, wanted: str, last_seen: Callable[[], str]
) -> Found:
    """Return the first answer of ``look`` that is not None.

    ``look`` is called at least once, and may raise to end the wait early. Raises ``TimeoutError`` naming what was
    ``wanted`` and, from ``last_seen``, what there was instead.
    """
    deadline = time.monotonic() + timeout_seconds
    while (found := look()) is None:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout_seconds:g} s for {wanted}; last seen: {last_seen()}")
        time.sleep(POLL_INTERVAL_SECONDS)
    return found
