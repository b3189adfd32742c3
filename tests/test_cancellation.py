"""How a running upload is asked to stop."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_oss.cancellation import (
    Cancellation,
    check_in_force,
    cleaning_up,
    each_interruptible,
    in_force,
    interruptible,
    obeying,
    pause,
)
from airflow_provider_oss.exceptions import OSSUploadCancelled


def test_nobody_asked() -> None:
    """Without a request nothing is raised, however often one looks."""
    cancellation = Cancellation()

    cancellation.check()
    cancellation.check()


def test_a_request_stays() -> None:
    """After a request every look raises, and the text says that nothing is lost."""
    cancellation = Cancellation()

    cancellation.request()

    for _ in range(2):
        with pytest.raises(OSSUploadCancelled, match="the next attempt continues"):
            cancellation.check()


def test_a_signal_handler_may_ask() -> None:
    """The request can come from a signal handler, which interrupts the main thread anywhere."""
    cancellation = Cancellation()
    before = signal.signal(signal.SIGUSR1, lambda *_: cancellation.request())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    with pytest.raises(OSSUploadCancelled):
        cancellation.check()


def test_a_request_for_later() -> None:
    """A request may leave a grace; of several the earliest counts."""
    cancellation = Cancellation()
    cancellation.request(after_seconds=60)
    cancellation.check()
    cancellation.request()
    cancellation.request(after_seconds=60)
    with pytest.raises(OSSUploadCancelled):
        cancellation.check()


def requested() -> Cancellation:
    cancellation = Cancellation()
    cancellation.request()
    return cancellation


# What a thread obeys


def test_what_is_in_force() -> None:
    """Each block adds what it obeys, once, and takes it away; a thread with a copied context obeys the same."""
    outer, inner = Cancellation(), Cancellation()
    seen: list[tuple[Cancellation, ...]] = []
    with obeying(outer), obeying(inner), obeying(outer):
        assert in_force() == (outer, inner)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(lambda: seen.append(in_force()),))
        thread.start()
        thread.join()
    assert seen == [(outer, inner)]
    assert in_force() == ()


def test_looking_at_what_is_in_force() -> None:
    """One of them is enough."""
    with obeying(requested()), obeying(Cancellation()), pytest.raises(OSSUploadCancelled):
        check_in_force()
    check_in_force()


def test_a_pause() -> None:
    """A pause takes its time; it ends when it is told to, and raises when a stop is requested meanwhile."""
    pause(0.01)
    stopping = threading.Event()
    stopping.set()
    pause(60, stopping=stopping)
    cancellation = Cancellation()
    timer = threading.Timer(0.1, cancellation.request)
    timer.start()
    with obeying(cancellation), pytest.raises(OSSUploadCancelled):
        pause(60)
    timer.join()
    with pytest.raises(OSSUploadCancelled):
        pause(60, cancellation.check)


# Cleaning up


def test_cleaning_up() -> None:
    """What was requested before does not count in there, nor what is requested meanwhile; afterwards it does."""
    before, meanwhile = requested(), Cancellation()
    with obeying(before):
        with cleaning_up(60):
            meanwhile.request()
            for cancellation in (before, meanwhile, *in_force()):
                cancellation.check()
            pause(0)
        with pytest.raises(OSSUploadCancelled):
            check_in_force()
    with pytest.raises(OSSUploadCancelled):
        meanwhile.check()


def test_cleaning_up_ends() -> None:
    """When its time is over, every wait in there ends."""
    with cleaning_up(0.05), pytest.raises(OSSUploadCancelled):
        pause(60)


# Interrupting


@contextmanager
def asking_on_a_signal(cancellation: Cancellation) -> Iterator[None]:
    """Let SIGUSR1 request a stop, as SIGTERM does in a task, and come in a moment."""
    before = signal.signal(signal.SIGUSR1, lambda *_: cancellation.request())
    timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
    try:
        timer.start()
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_the_code_of_others_is_interrupted() -> None:
    """A signal handler that requests a stop ends at once what looks at no flag."""
    cancellation, begun = Cancellation(), time.monotonic()
    with asking_on_a_signal(cancellation), pytest.raises(OSSUploadCancelled), obeying(cancellation), interruptible():
        time.sleep(60)
    assert time.monotonic() - begun < 30


def test_nothing_else_is_interrupted() -> None:
    """Outside such a block, behind it, and when something else is requested, the handler only sets the flag."""
    mine, other = Cancellation(), Cancellation()
    with asking_on_a_signal(other), obeying(mine), interruptible():
        threading.Event().wait(0.5)
    with asking_on_a_signal(mine), obeying(mine):
        with interruptible():
            pass
        threading.Event().wait(0.5)
    for cancellation in (mine, other):
        with pytest.raises(OSSUploadCancelled):
            cancellation.check()


def test_another_thread_interrupts_nobody() -> None:
    """A request from another thread is only a flag: neither thread is interrupted."""
    cancellation = Cancellation()
    with obeying(cancellation), interruptible():
        thread = threading.Thread(target=cancellation.request)
        thread.start()
        thread.join()
    with pytest.raises(OSSUploadCancelled):
        cancellation.check()


def test_a_request_before_it() -> None:
    """What was requested before the code of others is entered keeps it from being entered."""
    with obeying(requested()), pytest.raises(OSSUploadCancelled), interruptible():
        pytest.fail("entered")


def test_items_are_waited_for_interruptibly() -> None:
    """Items pass as they are; waiting for one ends by a signal, and what is done with them does not."""
    assert list(each_interruptible(iter([1, None, 2]))) == [1, None, 2]

    def slow() -> Iterator[int]:
        yield 1
        time.sleep(60)

    cancellation = Cancellation()
    with obeying(cancellation):
        items = each_interruptible(slow())
        assert next(items) == 1
        with asking_on_a_signal(cancellation), pytest.raises(OSSUploadCancelled):
            next(items)
