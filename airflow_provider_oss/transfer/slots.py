"""How many parts may be sent at the same time; fewer when the link cannot carry them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.2


class Slots:
    """A number of slots that can be lowered while they are in use. For worker threads, not for signal handlers."""

    def __init__(self, count: int) -> None:
        self._count = self._allowed = count
        self._sending = 0
        self._awaiting = 0
        self._mine = threading.local()
        self._condition = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be held at a time, from now on."""
        return self._allowed

    @contextmanager
    def hold(self, stopping: threading.Event) -> Iterator[Callable[[], None]]:
        """
        Wait for a slot, or until ``stopping`` is set, and hold it while the block runs.

        The block is given what it calls when all is sent and only the answer is to come: another one may have the slot
        then, as long as the link carries all that was begun with.
        """
        with self._condition:
            while self._taken() >= self._allowed and not stopping.is_set():
                self._condition.wait(_TICK_SECONDS)
            self._sending += 1
            self._mine.allowed, self._mine.is_sent = self._allowed, False
        try:
            yield self._sent
        finally:
            with self._condition:
                if self._mine.is_sent:
                    self._awaiting -= 1
                else:
                    self._sending -= 1
                self._condition.notify_all()

    def _taken(self) -> int:
        is_lowered = self._allowed < self._count
        return self._sending + self._awaiting if is_lowered else self._sending

    def _sent(self) -> None:
        with self._condition:
            self._mine.is_sent = True
            self._sending -= 1
            self._awaiting += 1
            self._condition.notify_all()

    def halve(self) -> None:
        """
        Allow half as many, at least one: the slot that this thread held last was too many. None is taken away.

        Of several that were held at the same time and found too many, only the first counts.
        """
        with self._condition:
            if 1 < self._allowed == self._mine.allowed:
                self._allowed //= 2
                log.warning("Nothing moved for too long: from now on %d parts are sent at a time", self._allowed)
