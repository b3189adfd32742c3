"""
Watches the transfers of one attempt of a task, and keeps a record of them.

A record is written at the beginning, then at most every ten seconds together with checkpoints, and at the end. What is
watched is only asked how far it is when a record is written. A record that cannot be written is no failure of the
transfer. Nothing is written any more once the attempt was asked to stop: a successor may be at work.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.checkpoint.codec import EntryStore
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable, OSSUploadCancelled
from airflow_provider_oss.model import Progress, TransferState
from airflow_provider_oss.ports import CheckpointStore, Clock, TransferWatcher
from airflow_provider_oss.progress.places import Place, RecordedStore
from airflow_provider_oss.progress.record import (
    FAILED,
    KILLED,
    MAX_ATTEMPTS,
    MAX_EVENTS,
    RUNNING,
    AttemptRecord,
    EventRecord,
    TransferRecord,
    error_text,
    said_by,
    thinned,
)
from airflow_provider_oss.shown import Log

log = Log(__name__)

WRITE_INTERVAL_SECONDS: Final = 10.0
_LARGEST_SHARE: Final = 0.1
"""Of the time, in which the transfer's thread writes records: where Airflow is slow there are fewer."""
_SHORTEST_RATE_SECONDS: Final = 1.0
"""Over less than that a rate says little."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Bytes of transfers."""

    done: int = 0
    sent: int = 0
    verified: int = 0
    skipped: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.done + other.done,
            self.sent + other.sent,
            self.verified + other.verified,
            self.skipped + other.skipped,
        )


@dataclass(slots=True)
class _Watched:
    """A transfer that has begun and not ended."""

    state: Callable[[], TransferState]
    inner: Sums = field(default_factory=Sums)
    """Of those inside it that have ended."""

    def sums(self, state: TransferState) -> Sums:
        """Return its bytes, without those of what is under way inside it."""
        progress, skipped = state.progress, state.skipped_bytes
        if progress is None:
            return self.inner + Sums(done=skipped, skipped=skipped)
        done = progress.done_bytes + skipped
        return Sums(done, progress.sent_bytes, progress.verified_bytes, skipped)


@dataclass(frozen=True, slots=True)
class AttemptName:
    """Of which attempt there is a record."""

    kind: str
    """What kind of transfer it is: one word."""
    number: int
    """Airflow's try_number."""
    target: str
    """What the task makes, as long as no transfer has begun that knows better."""


class TransferRecorder(TransferWatcher):
    """Watches one attempt. For the thread that made it, but for ``repeated``; what other threads say is not heard."""

    def __init__(
        self,
        name: AttemptName,
        place: Place,
        clock: Clock,
        cancellation: Cancellation,
        redact: Callable[[str], str] = str,
    ) -> None:
        """``redact`` masks the secrets that a text has."""
        self._name = name
        self._place = place
        self._clock = clock
        self._cancellation = cancellation
        self._redact = redact
        self._thread = threading.get_ident()
        self._started, self._started_at = clock.monotonic(), clock.utc_now()
        self._next_write: float | None = None
        """None until the first one."""
        self._is_kept_beside = False
        self._has_failed_to_write = False
        self._watched: list[_Watched] = []
        self._ended = Sums()
        self._outermost = TransferState(name.target)
        self._innermost = self._outermost
        self._rates: list[tuple[float, int]] = []
        self._rated_at, self._rated_sent, self._rate = self._started, 0, 0.0
        self._lock = threading.Lock()
        self._retried = 0
        self._events: deque[EventRecord] = deque(maxlen=MAX_EVENTS)
        self._earlier: tuple[AttemptRecord, ...] = ()
        self._earlier_at = ""
        self._error: str | None = None
        self._state = RUNNING

    # What an attempt begins with

    def look_back(self) -> None:
        """Read what earlier attempts have left in the task's own place; a failure is logged."""
        try:
            found = self._place.read()
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, nothing is lost by it
            log.warning("What earlier attempts have recorded of the transfer is not known: %s", error)
            return
        if found is not None:
            self.found(found)

    def found(self, record: Any) -> None:
        """Take the history of earlier attempts, of whichever record is the newest."""
        if self._next_write is not None:
            return  # it may be our own, or a successor's
        try:
            earlier = TransferRecord.parse(record)
        except OSSCheckpointUnreadable as error:
            log.info("A record of earlier attempts is ignored: %s", error)
            return
        if earlier.updated_at > self._earlier_at:
            self._earlier_at = earlier.updated_at
            self._earlier = tuple(_ended(each) for each in earlier.attempts if each.number != self._name.number)

    def recorded(self, store: CheckpointStore) -> CheckpointStore:
        """Return the store with the record beside each checkpoint, if it is one of this package's, as that made it."""
        return RecordedStore(store, self) if isinstance(store, EntryStore) and _is_as_made(store) else store

    # What is watched

    def began(self, state: Callable[[], TransferState]) -> None:
        """Watch a transfer, inside the one that began before."""
        if self._is_own_thread():
            self._watched.append(_Watched(state))

    def ended(self) -> None:
        """Add what the transfer that began last has done to the sums."""
        if not self._is_own_thread():
            return
        ended = self._watched.pop()
        self._is_kept_beside = False
        try:
            state = ended.state()
        except Exception as error:  # noqa: BLE001 - how the transfer ended is not to be lost by it
            self._note_failure(error)
            return
        sums = ended.sums(state)
        self._innermost = state
        if self._watched:
            self._watched[-1].inner += sums
        else:
            self._outermost = state
            self._ended += sums

    def failing(self, error: BaseException) -> None:
        """Note why the attempt is about to end, unless the transfer is one of several: the others may go on."""
        if self._is_own_thread() and len(self._watched) == 1:
            self._fail(error)

    def tick(self) -> None:
        """Write the record, if it is time and no checkpoint is saved that has it beside it."""
        if self._is_own_thread() and not self._is_kept_beside and self._is_due():
            self._write(self.record)

    def wants_save(self) -> bool:
        """Whether the record is old enough."""
        return self._is_due()

    def repeated(self, what: str) -> None:
        """Count a try that failed and is made again."""
        event = EventRecord(self._clock.utc_now(), self._redact(what))
        with self._lock:
            self._retried += 1
            self._events.append(event)

    # How it ends

    def end(self, state: str, error: BaseException | None = None) -> TransferRecord:
        """Write the last record of the attempt, unless it was asked to stop, and return it."""
        self._state = state
        if error is not None:
            self._error = self._text_of(error)
        record = self.record(is_last=True)
        self._write(lambda: record)
        return record

    def record(self, *, is_last: bool = False) -> TransferRecord:
        """Return the record as it is now."""
        now, outermost, innermost = self._clock.monotonic(), self._outermost, self._innermost
        sums = self._ended
        for index, watched in enumerate(self._watched):
            innermost = watched.state()
            outermost = innermost if index == 0 else outermost
            sums += watched.sums(innermost)
        self._note_rate(now, sums.sent, is_last=is_last)
        with self._lock:
            retried, events = self._retried, tuple(self._events)
        seconds = now - self._started
        done = (sums.sent, sums.verified, sums.skipped, retried)
        this = AttemptRecord(self._name.number, self._started_at, seconds, *done, self._state, self._error)
        return TransferRecord(
            kind=self._name.kind,
            target=outermost.target,
            source=outermost.source,
            state=self._state,
            attempt=self._name.number,
            started_at=self._started_at,
            updated_at=self._clock.utc_now(),
            total=self._total(outermost.progress, sums, is_last=is_last),
            done=sums.done,
            sent=sums.sent,
            verified=sums.verified,
            skipped=sums.skipped,
            rate=self._rate,
            rates=tuple(self._rates),
            retried=retried,
            files=outermost.files,
            parts=innermost.parts,
            attempts=(*self._earlier[1 - MAX_ATTEMPTS :], this),
            events=events,
        )

    # Recording

    def record_beside(self) -> Mapping[str, Any] | None:
        """Return the record as plain data; None, and a line in the log, when it cannot be made."""
        try:
            return self.record().as_json()
        except Exception as error:  # noqa: BLE001 - a checkpoint must be saved, whatever is wrong with the record
            self._note_failure(error)
            return None

    def kept_beside(self) -> None:
        """Write it nowhere else while there are checkpoints."""
        self._is_kept_beside = True
        self._next_write = self._clock.monotonic() + WRITE_INTERVAL_SECONDS

    def no_longer_beside(self) -> None:
        """Write it to the task's own place again."""
        self._is_kept_beside = False

    def _write(self, make: Callable[[], TransferRecord]) -> None:
        """Write a record to the task's own place; a failure is logged."""
        try:
            self._cancellation.check()
        except OSSUploadCancelled:
            return
        began = self._clock.monotonic()
        try:
            self._place.write(make().as_json())
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the transfer goes on
            self._note_failure(error)
        taken = self._clock.monotonic() - began
        self._next_write = began + max(WRITE_INTERVAL_SECONDS, taken / _LARGEST_SHARE)

    def _note_failure(self, error: Exception) -> None:
        if not self._has_failed_to_write:
            self._has_failed_to_write = True
            log.warning("How far the transfer is cannot be recorded for Airflow's pages: %s", error)

    def _is_due(self) -> bool:
        return self._next_write is None or self._clock.monotonic() >= self._next_write

    def _is_own_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def _fail(self, error: BaseException) -> None:
        self._state, self._error = FAILED, self._text_of(error)

    def _text_of(self, error: BaseException) -> str:
        return error_text(self._redact(said_by(error)))

    def _note_rate(self, now: float, sent_bytes: int, *, is_last: bool) -> None:
        seconds = now - self._rated_at
        if seconds < _SHORTEST_RATE_SECONDS and not (is_last and seconds > 0 and not self._rates):
            return
        self._rate = max(0.0, (sent_bytes - self._rated_sent) / seconds)
        self._rates = thinned([*self._rates, (now - self._started, round(self._rate))])
        self._rated_at, self._rated_sent = now, sent_bytes

    def _total(self, progress: Progress | None, sums: Sums, *, is_last: bool) -> int | None:
        if progress is not None and progress.total_bytes is not None:
            return progress.total_bytes
        return sums.done if is_last and self._state != FAILED else None


def _is_as_made(store: EntryStore) -> bool:
    """Whether a store loads and saves as this package's do: a user's own class may do something beside, or instead."""
    return type(store).load is EntryStore.load and type(store).save is EntryStore.save


def _ended(attempt: AttemptRecord) -> AttemptRecord:
    return replace(attempt, state=KILLED) if attempt.state == RUNNING else attempt
