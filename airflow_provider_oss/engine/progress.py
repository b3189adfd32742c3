"""
How far a transfer is, for the task log, a user's callback and who watches it, and the result of one that has ended.

The clock by which that is measured is an argument; SystemClock is the real one.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pendulum
from typing_extensions import override

from airflow_provider_oss.engine.plan import PartRanges
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    ObjectRef,
    PartsState,
    Progress,
    StoredObject,
    TransferState,
    UploadResult,
)
from airflow_provider_oss.ports import Clock, ProgressCallback, TransferWatcher
from airflow_provider_oss.shown import Log

log = Log(__name__)


class SystemClock:
    """This machine's clock."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never runs backwards."""
        return time.monotonic()

    def utc_now(self) -> str:
        """Return the time now as ISO 8601, UTC."""
        return pendulum.now("UTC").to_iso8601_string()


class NobodyWatches(TransferWatcher):
    """Stands for nobody who watches transfers."""

    @override
    def began(self, state: Callable[[], TransferState]) -> None:
        pass

    @override
    def ended(self) -> None:
        pass

    @override
    def failing(self, error: BaseException) -> None:
        pass

    @override
    def tick(self) -> None:
        pass

    @override
    def wants_save(self) -> bool:
        return False

    @override
    def repeated(self, what: str) -> None:
        pass


UNWATCHED: Final = NobodyWatches()


@contextmanager
def watched(watcher: TransferWatcher, state: Callable[[], TransferState]) -> Iterator[None]:
    """Let the transfer that the block makes be watched; ``state`` says how far it is."""
    watcher.began(state)
    try:
        yield
    finally:
        watcher.ended()


@dataclass(frozen=True, slots=True)
class LogIntervals:
    """
    Seconds between two lines of progress in the log: the first ones, and the longest, to which they grow.

    Raises OSSInvalidArgument, which names the options of Airflow's configuration, unless 0 < first <= longest.
    """

    first_seconds: float = 5.0
    longest_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.longest_seconds:
            raise OSSInvalidArgument(
                f"log_interval_seconds={self.first_seconds} and log_longest_interval_seconds={self.longest_seconds} in "
                "section [aliyun_oss] of Airflow's configuration: the first must be more than 0 and at most the second"
            )


class LinePace:
    """Says when the next line of progress is due: each interval is twice as long as the one before."""

    def __init__(self, clock: Clock, intervals: LogIntervals) -> None:
        self._clock = clock
        self._intervals = intervals
        self._interval_seconds = intervals.first_seconds
        self._last_line = clock.monotonic()

    def is_due(self) -> bool:
        """Whether the last line is old enough."""
        return self._clock.monotonic() - self._last_line >= self._interval_seconds

    def note_line(self) -> float:
        """Note that there is a line now; return the time of the clock."""
        self._last_line = self._clock.monotonic()
        self._interval_seconds = min(2 * self._interval_seconds, self._intervals.longest_seconds)
        return self._last_line


class ProgressReporter:
    """
    Counts what is done. Used by the main thread of the transfer only, but for ``part_begins``.

    The log says how far the upload is now; the fraction that the callback gets never falls, whatever is lost.
    """

    def __init__(
        self,
        ref: ObjectRef,
        total_bytes: int | None,
        callback: ProgressCallback | None,
        clock: Clock,
        done: str = "sent",
        *,
        source: str | None = None,
        watcher: TransferWatcher = UNWATCHED,
        intervals: LogIntervals = LogIntervals(),
    ) -> None:
        self._ref = ref
        self._done = done
        self._callback = callback
        self._clock = clock
        self._source = source
        self._watcher = watcher
        self._started = clock.monotonic()
        self._pace = LinePace(clock, intervals)
        self._highest_fraction = 0.0
        self._parts: PartsState | None = None
        self._stored, self._verified = PartRanges(), PartRanges()
        self._in_flight: set[int] = set()
        self.progress = Progress(total_bytes)

    def state(self) -> TransferState:
        """Return how far the transfer is, for who watches it."""
        parts = self._parts
        if parts is not None:
            parts = replace(
                parts,
                stored=self._stored.as_text(),
                verified=self._verified.as_text(),
                in_flight=PartRanges(tuple(self._in_flight)).as_text(),
            )
        return TransferState(self._ref.uri, self._source, self.progress, parts=parts)

    def parts_are(self, size_bytes: int, count: int | None, first: int = 1) -> None:
        """Note how it is cut into parts: the size of the first, how many (None: not known), the first one's number."""
        self._parts = PartsState(size_bytes, count, first)

    def part_begins(self, number: int) -> None:
        """Note that a part is being transferred. May be called in any thread."""
        self._in_flight.add(number)

    def total_is(self, total_bytes: int | None) -> None:
        """Note how much there is in all, once that is known of a stream."""
        if total_bytes != self.progress.total_bytes:
            self.progress = replace(self.progress, total_bytes=total_bytes)

    def end_reached(self, checkpoint: Checkpoint) -> None:
        """Call back that all is done, unless that was said with the last part: a stream's end may show later."""
        if self._highest_fraction < 1:
            self._call_back(checkpoint, None)

    def restart(self) -> None:
        """Count as if nothing were known to be stored; what was sent stays sent."""
        sent_bytes = self.progress.sent_bytes
        self.progress = Progress(self.progress.total_bytes, sent_bytes, doubtful_bytes=sent_bytes)
        self._stored, self._verified = PartRanges(), PartRanges()
        self._in_flight.clear()

    def part_sent(
        self, size_bytes: int, checkpoint: Checkpoint | None, response: Any, number: int | None = None
    ) -> None:
        """Count a part that OSS acknowledged. An error of the callback is the caller's: it is not caught."""
        self.progress = replace(self.progress, sent_bytes=self.progress.sent_bytes + size_bytes)
        self._note_stored(number)
        self._call_back(checkpoint, response)

    def part_verified(self, size_bytes: int, checkpoint: Checkpoint | None, number: int | None = None) -> None:
        """Count a part that an earlier attempt stored; the callback gets None for the response."""
        self.progress = replace(self.progress, verified_bytes=self.progress.verified_bytes + size_bytes)
        self._note_stored(number)
        if number is not None:
            self._verified.add(number)
        self._call_back(checkpoint, None)

    def part_found_again(self, size_bytes: int, checkpoint: Checkpoint | None) -> None:
        """Count a part that this attempt sent before a restart and that is still stored."""
        self.progress = replace(self.progress, doubtful_bytes=self.progress.doubtful_bytes - size_bytes)
        self._call_back(checkpoint, None)

    def part_done(
        self, part: CompletedPart, checkpoint: Checkpoint | None, *, was_sent: bool, was_sent_before: bool
    ) -> None:
        """Count a part as what it is: sent now, sent by this attempt before a restart, or stored by an earlier one."""
        if was_sent:
            self.part_sent(part.size_bytes, checkpoint, part, part.number)
        elif was_sent_before:
            self._note_stored(part.number)
            self.part_found_again(part.size_bytes, checkpoint)
        else:
            self.part_verified(part.size_bytes, checkpoint, part.number)

    def _note_stored(self, number: int | None) -> None:
        if number is not None:
            self._stored.add(number)
            self._in_flight.discard(number)

    def tick(self) -> None:
        """Log a line when the last one is old enough, and let who watches look."""
        if self._pace.is_due():
            self.line()
        self._watcher.tick()

    def line(self) -> None:
        """Log a line: percentage, MiB, sent against verified, speed of sending, time left at that speed."""
        elapsed_seconds = self._pace.note_line() - self._started
        log.info("%s", describe(self.progress, elapsed_seconds, self._done))

    def _call_back(self, checkpoint: Checkpoint | None, response: Any) -> None:
        self._highest_fraction = max(self._highest_fraction, self.progress.fraction)
        if self._callback is not None:
            self._callback(self._highest_fraction, checkpoint, response)


class ReadingReporter:
    """Logs how much of a source has been read, where it is read and not sent: to be compared with an object."""

    def __init__(self, name: str, total_bytes: int | None, clock: Clock) -> None:
        self._name = name
        self._total_bytes = total_bytes
        self._pace = LinePace(clock, LogIntervals())
        self._read_bytes = 0

    def read(self, size_bytes: int) -> None:
        """Count bytes; log a line when the last one is old enough."""
        self._read_bytes += size_bytes
        if self._pace.is_due():
            self._pace.note_line()
            log.info("%s: compared with the object: %s read", self._name, amount(self._read_bytes, self._total_bytes))


def describe(progress: Progress, elapsed_seconds: float, sent: str = "sent") -> str:
    """
    Return progress as one line for people; without a percentage while the source's size is not known.

    ``sent`` says what was done with ``sent_bytes``.
    """
    done, total = amount(progress.done_bytes, progress.total_bytes), progress.total_bytes
    of_total = done if total is None else f"{progress.fraction:.1%} ({done})"
    text = f"{of_total}, {sent} {amount(progress.sent_bytes)}, verified {amount(progress.verified_bytes)}"
    if not progress.sent_bytes or elapsed_seconds <= 0:
        return text
    bytes_per_second = progress.sent_bytes / elapsed_seconds
    text = f"{text}, {amount(bytes_per_second)}/s"
    left = 0 if total is None else total - progress.done_bytes
    return f"{text}, {_span(left / bytes_per_second)} left" if left else text


_UNITS: Final = ((1, 0, "bytes"), (KIB, 1, "KiB"), (MIB, 1, "MiB"))
"""For less than 1 KiB, for less than 1 MiB, and for more: bytes in one, decimals, and name."""


def amount(done_bytes: float, total_bytes: float | None = None) -> str:
    """
    Return bytes for people: in MiB, in KiB where all of it is less than one of these, and so on.

    ``6.0 MiB``, ``12.5 of 90.0 KiB``, ``7 bytes``.
    """
    most = done_bytes if total_bytes is None else total_bytes
    unit, digits, name = _UNITS[bisect_right((KIB, MIB), most)]
    of_total = "" if total_bytes is None else f" of {total_bytes / unit:.{digits}f}"
    return f"{done_bytes / unit:.{digits}f}{of_total} {name}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def make_result(
    ref: ObjectRef,
    stored: StoredObject,
    crc64: int | None,
    progress: Progress,
    *,
    attempts: int,
    elapsed_seconds: float,
) -> UploadResult:
    """Return the result for an object whose CRC-64 was compared, and whose size is therefore known."""
    assert progress.total_bytes is not None  # noqa: S101 - what was not read to its end is not stored
    return UploadResult(
        bucket=ref.bucket,
        key=ref.key,
        uri=ref.uri,
        size=progress.total_bytes,
        etag=stored.etag,
        crc64="" if crc64 is None else str(crc64),
        version_id=stored.version_id,
        request_id=stored.request_id,
        attempts=attempts,
        resumed=progress.verified_bytes > 0,
        bytes_sent=progress.sent_bytes,
        bytes_verified=progress.verified_bytes,
        elapsed_seconds=round(elapsed_seconds, 3),
        callback_response=stored.callback_response,
    )
