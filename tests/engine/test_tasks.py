"""Small tasks that a few threads do."""

from __future__ import annotations

import operator
import threading
from functools import partial

import pytest

from airflow_provider_oss.cancellation import Cancellation, check_in_force, nothing, pause
from airflow_provider_oss.engine.workers import IN_HASTE, IN_PEACE, Leaving, Tasks
from airflow_provider_oss.exceptions import OSSUploadCancelled

WAIT_SECONDS = 10.0


def test_results_and_errors() -> None:
    """What a task returns or raises comes out where its result is asked for."""
    tasks = Tasks(2, "oss-test")
    results = [tasks.submit(partial(operator.floordiv, 6, number)) for number in (1, 2, 0, 3)]
    assert [results[index].result(nothing) for index in (0, 1, 3)] == [6, 3, 2]
    with pytest.raises(ZeroDivisionError):
        results[2].result(nothing)
    tasks.leave(IN_PEACE)


def test_so_many_at_a_time() -> None:
    """As many tasks run as there may be threads, and no more."""
    tasks, together, names = Tasks(2, "oss-test"), threading.Barrier(2), set()

    def work() -> None:
        together.wait(WAIT_SECONDS)
        names.add(threading.current_thread().name)

    for promise in [tasks.submit(work) for _ in range(6)]:
        promise.result(nothing)
    assert names == {"oss-test-1", "oss-test-2"}
    tasks.leave(IN_PEACE)


def test_waiting_can_be_stopped() -> None:
    """While a result is waited for something is called, which may raise."""
    tasks, cancellation = Tasks(1, "oss-test"), Cancellation()
    waiting = tasks.submit(lambda: pause(60))
    threading.Timer(0.1, cancellation.request).start()
    with pytest.raises(OSSUploadCancelled):
        waiting.result(cancellation.check)
    tasks.leave(IN_HASTE)


def test_leaving() -> None:
    """What waits is not begun, what is in flight ends after its grace, and what was sent is answered within it."""
    is_begun, others = threading.Event(), list[int]()
    tasks = Tasks(1, "oss-test")

    def work() -> None:
        is_begun.set()
        pause(60)

    in_flight = tasks.submit(work)
    tasks.submit(lambda: others.append(2))
    assert is_begun.wait(WAIT_SECONDS)
    answered: list[str] = []

    def late() -> None:
        pause(60)
        answered.append("late")

    def after_all() -> None:
        check_in_force()
        answered.append("after all")

    tasks.leave(Leaving(0.3, WAIT_SECONDS), [lambda: answered.append("in time"), late, after_all])
    assert answered == ["in time"]
    with pytest.raises(OSSUploadCancelled):
        in_flight.result(nothing)
    assert others == []


def test_where_no_thread_can_be_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the interpreter ends: the caller does it at once."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    tasks = Tasks(2, "oss-test")
    assert tasks.submit(threading.current_thread).result(nothing) is threading.current_thread()
    tasks.leave(IN_PEACE)
