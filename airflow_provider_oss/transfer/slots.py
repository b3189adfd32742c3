"""How many parts may be in flight; fewer when the link cannot carry them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class Slots:
    """A number of slots that can be lowered while they are in use. For worker threads, not for signal handlers."""

    def __init__(self, count: int) -> None:
        self._allowed = count
        self._used = 0
        self._condition = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be held at a time, from now on."""
        return self._allowed

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a slot, and hold it while the block runs."""
        with self._condition:
            self._condition.wait_for(lambda: self._used < self._allowed)
            self._used += 1
        try:
            yield
        finally:
            with self._condition:
                self._used -= 1
                self._condition.notify_all()

    def halve(self) -> None:
        """Allow half as many, at least one; those that are held already are not taken away."""
        with self._condition:
            if self._allowed > 1:
                self._allowed //= 2
                log.warning("Nothing moved for too long: from now on %d parts are in flight at a time", self._allowed)
