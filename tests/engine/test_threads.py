"""How threads are begun and left."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation, obeying, pause
from airflow_provider_oss.engine.workers import (
    IN_HASTE,
    IN_PEACE,
    NO_LONGER,
    Crew,
    Leaving,
    begin_thread,
    clean_up_in_haste,
    leaving_by,
    left_by,
)
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSUploadCancelled

WAIT_SECONDS = 10.0


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread can be begun, as when the interpreter ends (Python 3.12)."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.parametrize("error", [OSSUploadCancelled("x"), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_who_is_not_kept_waiting(error: BaseException) -> None:
    """A request to stop and what is no Exception are left by in haste, and so is a block of them."""
    assert leaving_by(error) == IN_HASTE
    told: list[Leaving] = []
    with pytest.raises(type(error)), left_by(told.append):
        raise error
    assert told == [IN_HASTE]


def test_who_can_wait() -> None:
    """After an error like any other, and at the end, what is in flight is waited for."""
    told: list[Leaving] = []
    with pytest.raises(OSSAccessDenied), left_by(told.append):
        raise OSSAccessDenied("x")
    with left_by(told.append):
        pass
    assert told == [IN_PEACE, IN_PEACE]


def crew_of(work: Callable[[], None], threads: int = 2) -> Crew:
    crew = Crew(work, "oss-test")
    assert crew.begin(threads) == threads
    return crew


def test_waits_end_after_the_grace() -> None:
    """Threads that are left may go on for the grace; then what they wait for ends."""
    ended: list[str] = []

    def work() -> None:
        try:
            pause(60)
        except OSSUploadCancelled:
            ended.append(threading.current_thread().name)

    crew = crew_of(work)
    assert not crew.leave(Leaving(WAIT_SECONDS, 0.1))
    assert ended == []
    assert crew.leave(Leaving(0.0, WAIT_SECONDS))
    assert sorted(ended) == ["oss-test-1", "oss-test-2"]


def test_a_thread_that_does_not_end() -> None:
    """One in the code of others is not waited for longer than was said."""
    released = threading.Event()

    def work() -> None:
        released.wait(60)

    crew = crew_of(work)
    assert not crew.leave(NO_LONGER)
    released.set()
    assert crew.leave(Leaving(0.0, WAIT_SECONDS))


def test_threads_obey_what_their_beginner_obeys() -> None:
    """What the caller obeys ends the waits of threads that it began."""
    cancellation, ended = Cancellation(), threading.Event()

    def work() -> None:
        with pytest.raises(OSSUploadCancelled):
            pause(60)
        ended.set()

    with obeying(cancellation):
        thread = begin_thread(work, "oss-test")
    cancellation.request()
    assert ended.wait(WAIT_SECONDS)
    assert thread is not None
    thread.join()
    assert thread.daemon


class InterruptedByTestError(BaseException):
    pass


def interrupt_beginning(frame: FrameType, *_: Any) -> None:
    """Raise where ``Thread.start`` waits until the thread runs, as a signal handler may."""
    before = frame.f_back
    is_waiting = frame.f_code is threading.Event.wait.__code__
    if is_waiting and before is not None and before.f_code is threading.Thread.start.__code__:
        sys.settrace(None)
        raise InterruptedByTestError


def test_a_thread_whose_beginning_is_interrupted() -> None:
    """A thread that runs although a signal interrupted its beginning is left with the others."""
    crew, before = Crew(partial(leaving_in_silence, partial(pause, 60)), "oss-interrupted"), sys.gettrace()
    assert crew.begin(1) == 1
    sys.settrace(interrupt_beginning)
    try:
        with pytest.raises(InterruptedByTestError):
            crew.begin(2)
    finally:
        sys.settrace(before)
    begun = [thread for thread in threading.enumerate() if thread.name.startswith("oss-interrupted")]
    assert (crew.size, len(begun)) == (2, 2)
    crew.leave(Leaving(0.0, WAIT_SECONDS))
    for thread in begun:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def leaving_in_silence(work: Callable[[], None]) -> None:
    with pytest.raises(OSSUploadCancelled):
        work()


@pytest.mark.usefixtures("no_threads")
def test_no_thread_can_be_begun() -> None:
    """That is told, not raised."""
    assert begin_thread(lambda: None, "oss-test") is None
    assert Crew(lambda: None, "oss-test").begin(3) == 0


def test_cleaning_up_in_haste() -> None:
    """It works although a stop was requested; the main thread is not kept by what takes long; errors are logged."""
    cancellation, done, released = Cancellation(), threading.Event(), threading.Event()
    cancellation.request()

    def work() -> None:
        cancellation.check()
        released.wait(WAIT_SECONDS)
        done.set()
        raise OSSAccessDenied("x")

    with obeying(cancellation):
        clean_up_in_haste(work, "oss-test")
    assert not done.is_set()
    released.set()
    assert done.wait(WAIT_SECONDS)


@pytest.mark.usefixtures("no_threads")
def test_cleaning_up_without_threads() -> None:
    """The caller does it then."""
    done: list[threading.Thread] = []
    clean_up_in_haste(lambda: done.append(threading.current_thread()), "oss-test")
    assert done == [threading.current_thread()]
