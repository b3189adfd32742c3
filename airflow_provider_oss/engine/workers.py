"""
Threads that work for a transfer: how they are begun, limited, waited for and left.

A task may be killed or asked to stop at any time, so threads are daemons that end their own waits (Crew), and whoever
leaves them says how long they are worth waiting for (Leaving). On that stand Tasks, small pieces of work whose results
are waited for later, and PartWorkers, which go through the parts of one transfer. ConcurrencyLimiter lets fewer parts
be sent at a time when the link cannot carry them.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from airflow_provider_oss.cancellation import Cancellation, cleaning_up, obeying
from airflow_provider_oss.exceptions import OSSProviderError, OSSUploadCancelled, no_thread
from airflow_provider_oss.shown import Log

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Leaving:
    """How threads are left: what is in flight may go on for ``grace_seconds``, and then all its waits end."""

    grace_seconds: float
    wait_seconds: float
    """How long whoever leaves waits for the threads, at most; a thread in the code of others ends when that does."""


IN_PEACE: Final = Leaving(2.0, 3.0)
"""For an error like any other: parts in flight are worth waiting for."""
IN_HASTE: Final = Leaving(0.3, 0.7)
"""For a request to stop, a timeout, a signal: SIGKILL may follow in seconds."""
AT_ONCE: Final = Leaving(0.0, 0.4)
"""In haste, and nobody continues what is in flight."""
NO_LONGER: Final = Leaving(0.0, 0.0)
"""They have been waited for before."""

_CLEANING_SECONDS: Final = 4.0
_WAIT_FOR_CLEANING_SECONDS: Final = 0.4


def is_hasty(error: BaseException) -> bool:
    """Whether who leaves by this error is not to be kept waiting: it was asked to stop, or is no Exception."""
    return isinstance(error, OSSUploadCancelled) or not isinstance(error, Exception)


def leaving_by(error: BaseException) -> Leaving:
    """Return how to leave because of this error."""
    return IN_HASTE if is_hasty(error) else IN_PEACE


@contextmanager
def left_by(leave: Callable[[Leaving], object], at_the_end: Leaving = IN_PEACE) -> Iterator[None]:
    """Call ``leave`` when the block ends, in whatever way; with ``at_the_end`` when no error ends it."""
    leaving = at_the_end
    try:
        yield
    except BaseException as error:
        leaving = leaving_by(error)
        raise
    finally:
        leave(leaving)


def begin_thread(work: Callable[[], object], name: str) -> threading.Thread | None:
    """
    Begin to work in a new thread that the end of the process does not wait for; None when there can be no new thread.

    That is so while the interpreter ends, from Python 3.12 on. Raises OSSWorkerExhausted when there are too many
    threads. The thread has a copy of the caller's context, and so obeys what the caller obeys.
    """
    thread = _made(work, name)
    try:
        thread.start()
    except RuntimeError as error:
        if "shutdown" in str(error):
            return None
        raise no_thread() from error
    return thread


def _made(work: Callable[[], object], name: str) -> threading.Thread:
    return threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True)


def _began(thread: threading.Thread) -> bool:
    """Begin it, unless there can be no more threads: whoever asks does with fewer, or does the work itself."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


def clean_up_in_haste(work: Callable[[], object], name: str) -> None:
    """
    Do what must not stay undone, although a stop was requested, within 4 seconds; keep the main thread for 0.4 of them.

    What it raises is logged, for an error is under way already. It calls no checkpoint store: what the main thread does
    not wait for any more is done by a thread. Any other thread does it itself, for nobody needs that one soon.
    """

    def clean_up() -> None:
        try:
            with cleaning_up(_CLEANING_SECONDS):
                work()
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread
            log.warning("Cleaning up failed: %s: %s", type(error).__name__, error)

    is_main = threading.current_thread() is threading.main_thread()
    thread = _made(clean_up, name)
    if is_main and _began(thread):
        thread.join(_WAIT_FOR_CLEANING_SECONDS)
    else:
        clean_up()


class Crew:
    """Threads that do the same work, and that can be left: what they wait for ends then."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._name = name
        self._threads: list[threading.Thread] = []
        self._cancellation = Cancellation()

    @property
    def size(self) -> int:
        """How many were begun."""
        return len(self._threads)

    def begin(self, threads: int) -> int:
        """Begin so many threads, or as many as can be; return how many that are."""
        for number in range(self.size + 1, self.size + threads + 1):
            thread = _made(self._obey, f"{self._name}-{number}")
            # Before it is begun: a signal handler may raise while that is waited for, and it must be left all the same
            self._threads.append(thread)
            if not _began(thread):
                self._threads.pop()
                break
        return self.size

    def leave(self, leaving: Leaving) -> bool:
        """Let what is in flight go on for its grace, then end its waits; return whether all threads have ended."""
        return self.join(self.warn(leaving))

    def warn(self, leaving: Leaving) -> float:
        """Let what is in flight go on for its grace, then end its waits; return until when to wait for that."""
        self._cancellation.request(leaving.grace_seconds)
        return time.monotonic() + leaving.wait_seconds

    def join(self, until: float) -> bool:
        """Wait until that time of the monotonic clock at most, and return whether all threads have ended."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _obey(self) -> None:
        with obeying(self._cancellation):
            self._work()


Outcome = TypeVar("Outcome")

_TICK_SECONDS: Final = 0.2


class Promise(Generic[Outcome]):
    """What a task that was handed to ``Tasks`` returns, or raises."""

    def __init__(self, work: Callable[[], Outcome]) -> None:
        self._work = work
        self._ended: queue.SimpleQueue[tuple[Outcome | None, BaseException | None]] = queue.SimpleQueue()

    def result(self, idle: Callable[[], None]) -> Outcome:
        """Wait for it, once; ``idle`` is called several times a second meanwhile, and may raise to stop waiting."""
        while True:
            try:
                outcome, error = self._ended.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                idle()
                continue
            if error is not None:
                raise error
            return outcome  # type: ignore[return-value]  # no error: it is what the work returned

    def fulfil(self) -> None:
        """Do the work."""
        try:
            self._ended.put((self._work(), None))
        except BaseException as error:  # noqa: BLE001 - who asks for the result raises it
            self._ended.put((None, error))


class Tasks:
    """
    Does what is handed to it in up to ``threads`` threads, in order.

    concurrent.futures would not do: leaving it waits for all, and it refuses work once the main thread has ended.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._most_threads = threads
        self._waiting: queue.SimpleQueue[Promise[object] | None] = queue.SimpleQueue()
        self._crew = Crew(self._do_all, name)
        self._is_left = False

    def submit(self, work: Callable[[], Outcome]) -> Promise[Outcome]:
        """Hand work over. Where no thread can be begun, as when the interpreter ends, it is done here and now."""
        promise = Promise(work)
        if self._crew.size < self._most_threads:
            self._crew.begin(1)
        if self._crew.size:
            self._waiting.put(promise)  # type: ignore[arg-type]  # of which the result is not looked at
        else:
            promise.fulfil()
        return promise

    def leave(self, leaving: Leaving, answers: Iterable[Callable[[], object]] = ()) -> None:
        """
        Begin nothing more, and leave what is in flight as ``leaving`` says.

        ``answers`` are waits for what the caller's thread has sent: within the same grace they are called, so that the
        connections can be used again. What they say does not matter any more.
        """
        self._is_left = True
        for _ in range(self._crew.size):
            self._waiting.put(None)
        until = self._crew.warn(leaving)
        with cleaning_up(leaving.grace_seconds):
            for wait in answers:
                with suppress(OSSProviderError, OSError):
                    wait()
        self._crew.join(until)

    def _do_all(self) -> None:
        while (promise := self._waiting.get()) is not None and not self._is_left:
            promise.fulfil()
            del promise  # with what it holds, while the next one is waited for


class ConcurrencyLimiter:
    """
    Limits how many parts are sent at a time; the limit can be lowered meanwhile.

    For worker threads, not for signal handlers: a handler would wait for ever for a lock that its own thread holds.
    """

    def __init__(self, count: int) -> None:
        self._count = self._allowed = count
        self._sending = 0
        self._awaiting = 0
        self._mine = threading.local()  # the limit that a thread began its part with, and whether all of it is sent
        self._condition = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be held at a time, from now on."""
        return self._allowed

    @contextmanager
    def hold(self, stopping: threading.Event) -> Iterator[Callable[[], None]]:
        """
        Wait for a slot, or until ``stopping`` is set, and hold it while the block runs.

        The block is given what it calls when all is sent and only the answer is to come: another one may have the slot
        then, as long as the link carries all that was begun with.
        """
        with self._condition:
            while self._taken() >= self._allowed and not stopping.is_set():
                self._condition.wait(_TICK_SECONDS)  # not for longer: who sets ``stopping`` does not notify us
            self._sending += 1
            self._mine.allowed, self._mine.is_sent = self._allowed, False
        try:
            yield self._sent
        finally:
            with self._condition:
                if self._mine.is_sent:
                    self._awaiting -= 1
                else:
                    self._sending -= 1
                self._condition.notify_all()

    def _taken(self) -> int:
        # What is sent may still be on its way, in the buffers of the kernel: once the link has stalled that counts too
        is_lowered = self._allowed < self._count
        return self._sending + self._awaiting if is_lowered else self._sending

    def _sent(self) -> None:
        with self._condition:
            self._mine.is_sent = True
            self._sending -= 1
            self._awaiting += 1
            self._condition.notify_all()

    def halve(self) -> None:
        """
        Allow half as many, at least one: the slot that this thread held last was too many. None is taken away.

        Of several that were held at the same time and found too many, only the first counts.
        """
        with self._condition:
            # Parts that began under a higher limit stall together, and say nothing of the one that is in force now
            if 1 < self._allowed == self._mine.allowed:
                self._allowed //= 2
                log.warning("Upload stalled: concurrency lowered to %d parts", self._allowed)


Item = TypeVar("Item")


class PartWorkers(Generic[Item, Outcome]):
    """
    Runs ``handle(part)`` for each part in ``threads`` threads.

    A part is taken only when a thread is free, so a failure or ``stop`` leaves at most ``threads`` parts in flight. The
    threads are daemons: a task that is killed does not wait for them. ``stopping`` is set when no further part is to be
    begun, so that ``handle`` can cut its pauses short. Where no thread can be begun, which is so when the interpreter
    ends, the parts are handled by the thread that asks for the outcomes.

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
        self._wanted_threads = threads
        self._lock = threading.Lock()
        self._stopping = stopping
        self._handed_over: queue.SimpleQueue[Item | None] | None = queue.SimpleQueue() if hands_over else None
        self._unfinished = 0
        self._running = 0
        self._first_error: BaseException | None = None
        self._results: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        self._crew = Crew(self._work, "oss-part-worker")

    def outcomes(self) -> Iterator[Outcome | None]:
        """
        Start the threads and yield what ``handle`` returned, in order of completion; None now and then while waiting.

        When a part fails no further part is begun, those in flight are finished and yielded, and the first error is
        raised.
        """
        self._running = self._crew.begin(self._wanted_threads)
        if not self._running:
            yield from self._in_this_thread()
            return
        if self._handed_over is not None:
            yield from self._hand_over(self._handed_over)
        while self._running:  # also after a failure: what is in flight is finished, and counted, before it is raised
            yield self._next_outcome(_TICK_SECONDS)
        if self._first_error is not None:
            raise self._first_error

    def stop(self, leaving: Leaving) -> bool:
        """Begin no further part, leave those in flight as ``leaving`` says, and return whether all threads ended."""
        self._stopping.set()
        self._wake()
        return self._crew.leave(leaving)

    def _in_this_thread(self) -> Iterator[Outcome | None]:
        for part in self._parts:
            if self._stopping.is_set():
                return
            yield None if part is None else self._handle(part)

    def _hand_over(self, threads: queue.SimpleQueue[Item | None]) -> Iterator[Outcome | None]:
        try:
            for part in self._parts:
                if part is not None:
                    threads.put(part)
                    self._unfinished += 1
                    del part  # a part may be large, and the thread that is done with it drops it
                yield self._next_outcome(0)
                while self._unfinished > self._crew.size and not self._stopping.is_set():
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
            for _ in range(self._crew.size):
                self._handed_over.put(None)

    def _next_part(self) -> Item | None:
        if self._handed_over is not None:
            part = self._handed_over.get()
            return None if self._stopping.is_set() else part
        with self._lock:  # an iterator is not to be advanced by two threads at once
            return None if self._stopping.is_set() else next(self._parts, None)

    def _work(self) -> None:
        try:
            while (part := self._next_part()) is not None:
                self._results.put(self._handle(part))
                del part  # it may be large, and the next one may be long in coming
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread: the main thread raises it
            # In this order: who is woken by ``stopping`` must not be the first to say why
            self._results.put(error)
            self._stopping.set()
        finally:
            self._results.put(None)  # this thread has ended: see ``_next_outcome``
