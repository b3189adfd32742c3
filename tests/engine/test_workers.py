"""Threads that work through the parts of an upload."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest

from airflow_provider_oss.engine.plan import PartPlan
from airflow_provider_oss.engine.workers import Leaving, PartWorkers
from airflow_provider_oss.model import Part

WAIT_SECONDS = 10.0
NO_WAIT = Leaving(WAIT_SECONDS, 0.0)
LONG_WAIT = Leaving(WAIT_SECONDS, WAIT_SECONDS)
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
    assert workers.stop(NO_WAIT)


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

    told: list[int] = []
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

    assert not workers.stop(NO_WAIT)
    released.set()
    assert workers.stop(LONG_WAIT)
    assert handled == [1]
    assert results(outcomes) == [1]


def test_stopping_before_the_beginning() -> None:
    """Threads that were never started count as ended."""
    assert workers_of(lambda part: part.number).stop(NO_WAIT)


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
    workers.stop(NO_WAIT)
    released.set()
    assert results(outcomes) == [1, 2]


# Parts that are handed over


def handing_over(
    parts: Iterable[Part | None], handle: Callable[[Part], int], *, threads: int = 2
) -> PartWorkers[Part, int]:
    return PartWorkers(iter(parts), handle, threads=threads, stopping=threading.Event(), hands_over=True)


def test_parts_are_taken_in_the_callers_thread() -> None:
    """With ``hands_over`` the iterator runs where the outcomes are asked for; every part is handled once."""
    taken_in: set[threading.Thread] = set()
    handled_in: set[threading.Thread] = set()

    def parts() -> Iterator[Part | None]:
        for part in TWENTY_PARTS:
            taken_in.add(threading.current_thread())
            yield None
            yield part

    def handle(part: Part) -> int:
        handled_in.add(threading.current_thread())
        return part.number

    workers = handing_over(parts(), handle)
    assert results(workers.outcomes()) == list(range(1, 21))
    assert taken_in == {threading.current_thread()}
    assert threading.current_thread() not in handled_in
    assert workers.stop(NO_WAIT)


def test_the_source_waits_for_the_workers() -> None:
    """While nothing comes out, one part more than there are threads is taken; then the iterator is left alone."""
    taken: list[int] = []
    released = threading.Event()

    def endless() -> Iterator[Part]:
        for number in itertools.count(1):
            taken.append(number)
            yield Part(number, 0, 1)

    def handle(part: Part) -> int:
        released.wait(WAIT_SECONDS)
        return part.number

    outcomes = handing_over(endless(), handle, threads=2).outcomes()
    for _ in range(6):
        assert next(outcomes) is None
    assert taken == [1, 2, 3]
    released.set()
    assert next(results_so_far(outcomes)) in (1, 2, 3)


def test_outcomes_come_while_the_source_yields_nothing() -> None:
    """A source that yields None again and again, waiting for its next bytes, does not hold outcomes back."""

    def slow() -> Iterator[Part | None]:
        yield Part(1, 0, 1)
        while not told:
            yield None
        yield Part(2, 0, 1)

    told: list[int] = []
    for outcome in results_so_far(handing_over(slow(), lambda part: part.number).outcomes()):
        told.append(outcome)  # noqa: PERF402 - one by one: the source looks at it
    assert told == [1, 2]


def test_a_source_that_fails() -> None:
    """When the source raises, what was handed over is finished and told; then its error is raised."""

    def failing() -> Iterator[Part]:
        yield from PartPlan(3, 1)
        raise ValueError("the source broke")

    workers = handing_over(failing(), lambda part: part.number, threads=1)
    told: list[int] = []
    with pytest.raises(ValueError, match="the source broke"):
        told.extend(results_so_far(workers.outcomes()))
    assert told == [1, 2, 3]
    assert workers.stop(NO_WAIT)


def test_a_part_that_fails_ends_the_reading() -> None:
    """After a part's error the source is not asked for more, however much it has."""
    taken: list[int] = []

    def endless() -> Iterator[Part]:
        for number in itertools.count(1):
            taken.append(number)
            yield Part(number, 0, 1)

    def handle(part: Part) -> int:
        raise ValueError(f"part {part.number}")

    with pytest.raises(ValueError, match="part 1"):
        results(handing_over(endless(), handle, threads=1).outcomes())
    assert len(taken) < 5


def test_stopping_threads_that_wait() -> None:
    """Threads that wait for a part end when they are told to stop."""
    workers = handing_over(iter([Part(1, 0, 1), *[None] * 1000]), lambda part: part.number)
    assert next(results_so_far(workers.outcomes())) == 1
    assert workers.stop(LONG_WAIT)


def test_leaving_while_threads_are_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """When beginning the threads is interrupted, those that run take no part any more once they are stopped."""
    handled: list[int] = []
    begun = threading.Thread.start

    class Interrupted(BaseException):
        pass

    def start(thread: threading.Thread) -> None:
        begun(thread)
        if thread.name.endswith("-2"):
            raise Interrupted

    stopping = threading.Event()
    workers = workers_of(
        lambda part: handled.append(part.number) or stopping.wait(WAIT_SECONDS) or 0, stopping=stopping
    )
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(Interrupted):
        next(workers.outcomes())
    assert workers.stop(LONG_WAIT)
    assert len(handled) <= 2
