"""Threads that work through the parts of an upload, a few at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_TICK_SECONDS: Final = 0.2


class PartWorkers(Generic[Item, Outcome]):
    """
    Runs ``handle(part)`` for each part in ``threads`` threads.

    A part is taken only when a thread is free, so a failure or ``stop``
    leaves at most ``threads`` parts in flight. The threads are daemons: a task that is killed does not wait for them.
    ``stopping`` is set when no further part is to be begun, so that ``handle`` can cut its pauses short.

    With ``hands_over`` the threads do not take parts: the thread that asks for the outcomes does, and hands each over.
    While one part is taken, at most ``threads`` others are unfinished; the iterator may yield None in between, which
    lets outcomes through. When it raises, what was handed over is finished first.
    """

    def __init__(
        self,
        parts: Iterator[Item | None],
        handle: Callable[[Item], Outcome],
        *,
        threads: int,
        stopping: threading.Event,
        hands_over: bool = False,
    ) -> None:
        self._parts = parts
        self._handle = handle
        self._lock = threading.Lock()
        self._stopping = stopping
        self._handed_over: queue.SimpleQueue[Item | None] | None = queue.SimpleQueue() if hands_over else None
        self._unfinished = 0
        self._running = 0
        self._first_error: BaseException | None = None
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
        self._running = len(self._threads)
        if self._handed_over is not None:
            yield from self._hand_over(self._handed_over)
        while self._running:
            yield self._next_outcome(_TICK_SECONDS)
        if self._first_error is not None:
            raise self._first_error

    def stop(self, within_seconds: float) -> bool:
        """Begin no further part, wait for those in flight for so long, and return whether all threads have ended."""
        self._stopping.set()
        self._wake()
        deadline = time.monotonic() + within_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _hand_over(self, threads: queue.SimpleQueue[Item | None]) -> Iterator[Outcome | None]:
        try:
            for part in self._parts:
                if part is not None:
                    threads.put(part)
                    self._unfinished += 1
                    del part  # a part may be large, and the thread that is done with it drops it
                yield self._next_outcome(0)
                while self._unfinished > len(self._threads) and not self._stopping.is_set():
                    yield self._next_outcome(_TICK_SECONDS)
                if self._stopping.is_set():
                    break
        except Exception as error:  # noqa: BLE001 - raised when the parts that were handed over are finished
            self._first_error = self._first_error or error
        self._wake()

    def _next_outcome(self, within_seconds: float) -> Outcome | None:
        """Return the next outcome; None when there is none in time, or it is an error or the end of a thread."""
        try:
            result = self._results.get(timeout=within_seconds)
        except queue.Empty:
            return None
        if result is None:
            self._running -= 1
            return None
        self._unfinished -= 1
        if isinstance(result, BaseException):
            self._first_error = self._first_error or result
            return None
        return result

    def _wake(self) -> None:
        """Let threads see that there is nothing more to wait for."""
        if self._handed_over is not None:
            for _ in self._threads:
                self._handed_over.put(None)

    def _next_part(self) -> Item | None:
        if self._handed_over is not None:
            part = self._handed_over.get()
            return None if self._stopping.is_set() else part
        with self._lock:
            return None if self._stopping.is_set() else next(self._parts, None)

    def _work(self) -> None:
        try:
            while (part := self._next_part()) is not None:
                self._results.put(self._handle(part))
                del part
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread: the main thread raises it
            # In this order: who is woken by ``stopping`` must not be the first to tell why
            self._results.put(error)
            self._stopping.set()
        finally:
            self._results.put(None)
