"""How many parts may be in flight, and how that number is lowered."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Self

import pytest

from airflow_provider_oss.engine.workers import ConcurrencyLimiter

WAIT_SECONDS = 10.0


class Holder:
    """A thread that takes a slot, keeps it until it is told to go on, and may find that it was one too many."""

    def __init__(
        self, limiter: ConcurrencyLimiter, *, halves: bool = False, stopping: threading.Event | None = None
    ) -> None:
        self._limiter = limiter
        self._halves = halves
        self._stopping = stopping or threading.Event()
        self._released = threading.Event()
        self.holds = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the slot back and end."""
        self._released.set()
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        with self._limiter.hold(self._stopping):
            self.holds.set()
            self._released.wait(WAIT_SECONDS)
        if self._halves:
            self._limiter.halve()


def test_no_more_than_allowed_are_held() -> None:
    """Who finds no slot free waits until one is given back."""
    limiter = ConcurrencyLimiter(2)
    with Holder(limiter) as first, Holder(limiter) as second:
        assert first.holds.wait(WAIT_SECONDS)
        assert second.holds.wait(WAIT_SECONDS)
        with Holder(limiter) as third:
            assert not third.holds.wait(0.3)
            first.release()
            assert third.holds.wait(WAIT_SECONDS)


def test_a_slot_is_given_back_after_an_error() -> None:
    """An error in the block comes through, and the slot is free again."""
    limiter = ConcurrencyLimiter(1)
    with pytest.raises(ValueError, match="broke"), limiter.hold(threading.Event()):
        raise ValueError("broke")

    with Holder(limiter) as next_one:
        assert next_one.holds.wait(WAIT_SECONDS)


def test_what_is_sent_makes_room() -> None:
    """A slot is free as soon as all is sent and only the answer is to come; it is given back once."""
    limiter = ConcurrencyLimiter(1)
    with limiter.hold(threading.Event()) as sent, Holder(limiter) as second:
        assert not second.holds.wait(0.3)
        sent()
        assert second.holds.wait(WAIT_SECONDS)
        with Holder(limiter) as third:
            assert not third.holds.wait(0.3)
            second.release()
            assert third.holds.wait(WAIT_SECONDS)


def test_what_is_sent_makes_no_room_on_a_narrow_link() -> None:
    """Once the link was found too narrow, a slot is free only when the answer is there."""
    limiter = ConcurrencyLimiter(2)
    with limiter.hold(threading.Event()):
        pass
    limiter.halve()
    stopping = threading.Event()
    with limiter.hold(threading.Event()) as sent:
        sent()
        with Holder(limiter, stopping=stopping) as second:
            assert not second.holds.wait(0.3)
            stopping.set()


def test_what_was_sent_before_the_link_proved_narrow_counts_too() -> None:
    """Once fewer are allowed, nobody begins while an answer is awaited for what was sent before."""
    limiter = ConcurrencyLimiter(2)
    with ExitStack() as stack:
        late = Holder(limiter)
        with limiter.hold(threading.Event()) as sent:
            sent()
            with Holder(limiter, halves=True) as other:
                assert other.holds.wait(WAIT_SECONDS)
            stack.enter_context(late)
            assert not late.holds.wait(0.3)
        assert late.holds.wait(WAIT_SECONDS)


def test_stopping_ends_the_wait() -> None:
    """Who waits for a slot does so no longer once it is told to stop."""
    limiter = ConcurrencyLimiter(1)
    stopping = threading.Event()
    with Holder(limiter) as first:
        assert first.holds.wait(WAIT_SECONDS)
        with Holder(limiter, stopping=stopping) as second:
            assert not second.holds.wait(0.3)
            stopping.set()
            assert second.holds.wait(WAIT_SECONDS)


def test_one_after_the_other_halves_down_to_one(caplog: pytest.LogCaptureFixture) -> None:
    """Each slot that is taken after a halving, and is too many again, halves once more; one is always left."""
    limiter = ConcurrencyLimiter(5)
    allowed = []
    for _ in range(4):
        with limiter.hold(threading.Event()):
            pass
        limiter.halve()
        allowed.append(limiter.allowed)

    assert allowed == [2, 1, 1, 1]
    assert [int(word) for message in caplog.messages for word in message.split() if word.isdigit()] == [2, 1]


def test_of_those_held_together_one_counts() -> None:
    """When all that were in flight at the same time stand still, that is one reason to allow half as many, not many."""
    limiter = ConcurrencyLimiter(8)
    with ExitStack() as stack:
        together = [stack.enter_context(Holder(limiter, halves=True)) for _ in range(8)]
        assert all(holder.holds.wait(WAIT_SECONDS) for holder in together)
        for holder in together:
            holder.release()

    assert limiter.allowed == 4


def test_lowering_takes_no_slot_away() -> None:
    """Those that are held stay held; the next one is given when fewer than are allowed now are left."""
    limiter = ConcurrencyLimiter(4)
    with ExitStack() as stack:
        held = [stack.enter_context(Holder(limiter, halves=number == 0)) for number in range(4)]
        assert all(holder.holds.wait(WAIT_SECONDS) for holder in held)
        held[0].release()
        assert limiter.allowed == 2
        with Holder(limiter) as late:
            held[1].release()
            assert not late.holds.wait(0.3)
            held[2].release()
            assert late.holds.wait(WAIT_SECONDS)
