"""How what is under way is asked to stop: by its user, by Airflow's ``on_kill``, or because what it belongs to ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from airflow_provider_oss.exceptions import OSSUploadCancelled

Item = TypeVar("Item")

_END: Final = object()
_TICK_SECONDS: Final = 0.2


class Cancellation:
    """
    A flag that a signal handler may raise.

    A plain attribute on purpose: a handler interrupts the main thread anywhere, also while it holds the lock inside a
    ``threading.Event``, and would wait for itself for ever.
    """

    def __init__(self) -> None:
        self._due: float | None = None
        self._interrupts = False

    def request(self, after_seconds: float = 0.0) -> None:
        """
        Ask what obeys to stop soon, or in so many seconds: the earliest of all requests counts.

        Nothing is done but to set an attribute, with one exception: called by a signal handler while the main thread is
        inside ``interruptible``, it raises OSSUploadCancelled, and so ends what that thread waits for.
        """
        due = time.monotonic() + after_seconds
        self._due = due if self._due is None else min(self._due, due)
        if self._interrupts and _is_main_thread():
            self._interrupts = False
            self.check()

    def check(self) -> None:
        """Raise OSSUploadCancelled when a stop was requested; in ``cleaning_up``, when its time is over."""
        if self._due is None or time.monotonic() < self._due:
            return
        if _CLEANING_UP.get() in (None, self):
            raise OSSUploadCancelled(
                "the transfer was asked to stop; what is done so far stays, and the next attempt continues with it"
            )

    @contextmanager
    def _interrupting(self) -> Iterator[None]:
        before = self._interrupts
        try:
            self._interrupts = True
            self.check()  # after the attribute is set: no request falls between the two
            yield
        finally:
            self._interrupts = before


_IN_FORCE: ContextVar[tuple[Cancellation, ...]] = ContextVar("cancellations in force", default=())
_CLEANING_UP: ContextVar[Cancellation | None] = ContextVar("end of the time to clean up", default=None)


@contextmanager
def obeying(cancellation: Cancellation) -> Iterator[None]:
    """
    Let every wait inside the block end with OSSUploadCancelled soon after ``cancellation`` is requested.

    It holds for this thread, and for threads that are started with ``contextvars.copy_context().run``. Not for a block
    with a ``yield`` in it: what runs between two steps of a generator would obey too.
    """
    before = _IN_FORCE.get()
    token = _IN_FORCE.set(before if cancellation in before else (*before, cancellation))
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def in_force() -> tuple[Cancellation, ...]:
    """Return what the calling thread obeys: whoever waits for long looks at each of them several times a second."""
    return _IN_FORCE.get()


def check_in_force() -> None:
    """Raise OSSUploadCancelled when a stop was requested of what the calling thread obeys."""
    for cancellation in in_force():
        cancellation.check()


@contextmanager
def cleaning_up(within_seconds: float) -> Iterator[None]:
    """
    Let the block go on although a stop was requested, for so long: it aborts what must not stay.

    Inside it nothing counts but the time: whatever cancellation is asked, and whoever requested it before.
    """
    end = Cancellation()
    end.request(within_seconds)
    in_force_before, end_before = _IN_FORCE.set((end,)), _CLEANING_UP.set(end)
    try:
        yield
    finally:
        _CLEANING_UP.reset(end_before)
        _IN_FORCE.reset(in_force_before)


@contextmanager
def interruptible() -> Iterator[None]:
    """
    Let a signal handler that requests what this thread obeys end the block at once, by OSSUploadCancelled out of it.

    For what the main thread waits for in the code of others: a stream of the user's, a library that reads a source.
    They look at no flag, and a handler that returns lets them wait on. In other threads it has no effect, for signals
    are handled by the main one. Never for a block that calls a checkpoint store, takes a lock of ours, or changes what
    is used after it: it may end at any instruction, as with Airflow's ``execution_timeout``.
    """
    with ExitStack() as stack:
        for cancellation in in_force() if _is_main_thread() else ():
            stack.enter_context(cancellation._interrupting())  # noqa: SLF001 - of this module
        yield


def each_interruptible(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items; each is waited for inside ``interruptible``."""
    while True:
        with interruptible():
            item = next(items, _END)
        if item is _END:
            return
        yield item  # type: ignore[misc]  # it is not the end


def nothing() -> None:
    """Stand for a check that finds nothing."""


def pause(seconds: float, check: Callable[[], None] = nothing, stopping: threading.Event | None = None) -> None:
    """
    Wait so long, or until ``stopping`` is set.

    Raises OSSUploadCancelled soon after what this thread obeys was requested, and what ``check`` raises; it is called
    several times a second.
    """
    stopping = stopping or threading.Event()
    ends = time.monotonic() + seconds
    while True:
        check()
        check_in_force()
        left = ends - time.monotonic()
        if left <= 0 or stopping.wait(min(left, _TICK_SECONDS)):
            return


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident
