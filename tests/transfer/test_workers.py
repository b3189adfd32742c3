"""Threads that work through the parts of an upload."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from airflow_provider_oss.model import Part
from airflow_provider_oss.transfer.plan import PartPlan
from airflow_provider_oss.transfer.workers import PartWorkers

WAIT_SECONDS = 10.0
TWENTY_PARTS = PartPlan(20, 1)


def workers_of(
    handle: Callable[[Part], int],
    *,
    parts: Iterable[Part] | None = None,
    threads: int = 3,
    stopping: threading.Event | None = None,
) -> PartWorkers[Part, int]:
    return PartWorkers(
        iter(TWENTY_PARTS if parts is None else parts),
        handle,
        threads=threads,
        stopping=stopping or threading.Event(),
    )


def results_so_far(outcomes: Iterator[int | None]) -> Iterator[int]:
    return (outcome for outcome in outcomes if outcome is not None)


def results(outcomes: Iterator[int | None]) -> list[int]:
    return sorted(results_so_far(outcomes))


def test_every_part_is_handled_once() -> None:
    """Each part's outcome comes back once, and all threads have ended then."""
    workers = workers_of(lambda part: part.number)

    assert results(workers.outcomes()) == list(range(1, 21))
    assert workers.stop(0.0)


def test_no_part_is_no_work() -> None:
    """Nothing to do ends at once."""
    assert results(workers_of(lambda part: part.number, parts=()).outcomes()) == []


def test_waiting_is_not_silent() -> None:
    """While no part is done the caller gets the word from time to time, so that it can log or stop."""
    released = threading.Event()

    def handle(part: Part) -> int:
        released.wait(WAIT_SECONDS)
        return part.number

    outcomes = workers_of(handle, parts=PartPlan(1, 1)).outcomes()

    assert next(outcomes) is None
    released.set()
    assert results(outcomes) == [1]


def test_the_first_error_ends_the_work() -> None:
    """After an error no part is begun, those in flight are told to stop and finished; then the error is raised."""
    stopping = threading.Event()
    both_begun = threading.Barrier(2)
    begun = []

    def handle(part: Part) -> int:
        begun.append(part.number)
        both_begun.wait(WAIT_SECONDS)
        if part.number == 1:
            raise ValueError("part 1")
        assert stopping.wait(WAIT_SECONDS)
        return part.number

    told = []
    with pytest.raises(ValueError, match="part 1"):
        told.extend(results_so_far(workers_of(handle, threads=2, stopping=stopping).outcomes()))

    assert sorted(begun) == [1, 2]
    assert told == [2]


def test_the_first_error_is_the_one_that_is_raised() -> None:
    """Whoever is stopped because another part failed, and fails for that, does not hide the error that began it."""
    stopping = threading.Event()
    both_begun = threading.Barrier(2)

    def handle(part: Part) -> int:
        both_begun.wait(WAIT_SECONDS)
        if part.number == 1:
            raise ValueError("part 1")
        assert stopping.wait(WAIT_SECONDS)
        raise RuntimeError("stopped")

    with pytest.raises(ValueError, match="part 1"):
        results(workers_of(handle, threads=2, stopping=stopping).outcomes())


def test_what_is_no_exception_comes_through_too() -> None:
    """A thread that is ended by KeyboardInterrupt or the like ends the work with it."""

    def handle(_: Part) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        results(workers_of(handle).outcomes())


def test_stopping_finishes_what_is_in_flight() -> None:
    """After ``stop`` no further part is begun; the one in flight is waited for, and then all threads have ended."""
    begun = threading.Event()
    released = threading.Event()
    handled = []

    def handle(part: Part) -> int:
        begun.set()
        released.wait(WAIT_SECONDS)
        handled.append(part.number)
        return part.number

    workers = workers_of(handle, threads=1)
    outcomes = workers.outcomes()
    assert next(outcomes) is None
    assert begun.wait(WAIT_SECONDS)

    assert not workers.stop(0.0)
    released.set()
    assert workers.stop(WAIT_SECONDS)
    assert handled == [1]
    assert results(outcomes) == [1]


def test_stopping_before_the_beginning() -> None:
    """Threads that were never started count as ended."""
    assert workers_of(lambda part: part.number).stop(0.0)


def test_parts_are_taken_when_a_thread_is_free() -> None:
    """No part is taken from the iterator before a thread can work on it, so a long plan costs no memory."""
    taken = []
    both_at_work = threading.Barrier(3)
    released = threading.Event()

    def endless() -> Iterator[Part]:
        for number in itertools.count(1):
            taken.append(number)
            yield Part(number, 0, 1)

    def handle(part: Part) -> int:
        both_at_work.wait(WAIT_SECONDS)
        released.wait(WAIT_SECONDS)
        return part.number

    workers = workers_of(handle, parts=endless(), threads=2)
    outcomes = workers.outcomes()
    assert next(outcomes) is None
    both_at_work.wait(WAIT_SECONDS)

    assert taken == [1, 2]
    workers.stop(0.0)
    released.set()
    assert results(outcomes) == [1, 2]
