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
        self._begun_with = threading.local()
        self._used = 0
        self._condition = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be held at a time, from now on."""
        return self._allowed

    @contextmanager
    def hold(self, stopping: threading.Event) -> Iterator[Callable[[], None]]:
        """
        Wait for a slot, or until ``stopping`` is set, and hold it while the block runs.

        The block is given what it may call when all is sent and only the answer is to come: that frees the slot, as
        long as the link carries all that was begun with.
        """
        with self._condition:
            while self._used >= self._allowed and not stopping.is_set():
                self._condition.wait(_TICK_SECONDS)
            self._used += 1
            self._begun_with.allowed = self._allowed
        slot = _Slot(self)
        try:
            yield slot.sent
        finally:
            slot.free()

    def give_back(self) -> None:
        """Let another one have the slot."""
        with self._condition:
            self._used -= 1
            self._condition.notify_all()

    @property
    def is_lowered(self) -> bool:
        """Whether fewer are allowed than at the beginning."""
        return self._allowed < self._count

    def halve(self) -> None:
        """
        Allow half as many, at least one: the slot that this thread held last was too many. None is taken away.

        Of several that were held at the same time and found too many, only the first counts.
        """
        with self._condition:
            if 1 < self._allowed == self._begun_with.allowed:
                self._allowed //= 2
                log.warning("Nothing moved for too long: from now on %d parts are sent at a time", self._allowed)


class _Slot:
    """A slot that is held."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._is_held = True

    def sent(self) -> None:
        if not self._slots.is_lowered:
            self.free()

    def free(self) -> None:
        if self._is_held:
            self._is_held = False
            self._slots.give_back()
