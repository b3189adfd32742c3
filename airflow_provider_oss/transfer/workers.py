"""Threads that work through the parts of an upload, a few at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from airflow_provider_oss.model import Part

Outcome = TypeVar("Outcome")

_TICK_SECONDS: Final = 0.2


class PartWorkers(Generic[Outcome]):
    """
    Runs ``handle(part)`` for each part in ``threads`` threads.

    A part is taken only when a thread is free, so a failure or ``stop``
    leaves at most ``threads`` parts in flight. The threads are daemons: a task that is killed does not wait for them.
    ``stopping`` is set when no further part is to be begun, so that ``handle`` can cut its pauses short.
    """

    def __init__(
        self,
        parts: Iterator[Part],
        handle: Callable[[Part], Outcome],
        *,
        threads: int,
        stopping: threading.Event,
    ) -> None:
        self._parts = parts
        self._handle = handle
        self._lock = threading.Lock()
        self._stopping = stopping
        self._results: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"oss-part-worker-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def outcomes(self) -> Iterator[Outcome | None]:
        """
        Start the threads and yield what ``handle`` returned, in order of completion; None now and then while waiting.

        When a part fails no further part is begun, those in flight are finished and yielded, and the first error is
        raised.
        """
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        first_error: BaseException | None = None
        while running:
            try:
                result = self._results.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                first_error = first_error or result
            else:
                yield result
        if first_error is not None:
            raise first_error

    def stop(self, within_seconds: float) -> bool:
        """Begin no further part, wait for those in flight for so long, and return whether all threads have ended."""
        self._stopping.set()
        deadline = time.monotonic() + within_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _next_part(self) -> Part | None:
        with self._lock:
            return None if self._stopping.is_set() else next(self._parts, None)

    def _work(self) -> None:
        try:
            while (part := self._next_part()) is not None:
                self._results.put(self._handle(part))
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread: the main thread raises it
            # In this order: who is woken by ``stopping`` must not be the first to tell why
            self._results.put(error)
            self._stopping.set()
        finally:
            self._results.put(None)
