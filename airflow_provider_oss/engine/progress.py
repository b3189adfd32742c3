"""
How far a transfer is, for the task log and a user's callback, and the result of one that has ended.

The clock by which that is measured is an argument; SystemClock is the real one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

import pendulum

from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Checkpoint, CompletedPart, ObjectRef, Progress, StoredObject, UploadResult
from airflow_provider_oss.ports import Clock, ProgressCallback
from airflow_provider_oss.shown import Log

log = Log(__name__)

LOG_INTERVAL_SECONDS: Final = 5.0


class SystemClock:
    """This machine's clock."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never runs backwards."""
        return time.monotonic()

    def utc_now(self) -> str:
        """Return the time now as ISO 8601, UTC."""
        return pendulum.now("UTC").to_iso8601_string()


class ProgressReporter:
    """
    Counts what is done. Used by the main thread of the upload only.

    The log says how far the upload is now; the fraction that the callback gets never falls, whatever is lost.
    """

    def __init__(
        self,
        ref: ObjectRef,
        total_bytes: int | None,
        callback: ProgressCallback | None,
        clock: Clock,
        done: str = "sent",
    ) -> None:
        self._ref = ref
        self._done = done
        self._callback = callback
        self._clock = clock
        self._started = self._last_line = clock.monotonic()
        self._highest_fraction = 0.0
        self.progress = Progress(total_bytes)

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

    def part_sent(self, size_bytes: int, checkpoint: Checkpoint | None, response: Any) -> None:
        """Count a part that OSS acknowledged. An error of the callback is the caller's: it is not caught."""
        self.progress = replace(self.progress, sent_bytes=self.progress.sent_bytes + size_bytes)
        self._call_back(checkpoint, response)

    def part_verified(self, size_bytes: int, checkpoint: Checkpoint | None) -> None:
        """Count a part that an earlier attempt stored; the callback gets None for the response."""
        self.progress = replace(self.progress, verified_bytes=self.progress.verified_bytes + size_bytes)
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
            self.part_sent(part.size_bytes, checkpoint, part)
        elif was_sent_before:
            self.part_found_again(part.size_bytes, checkpoint)
        else:
            self.part_verified(part.size_bytes, checkpoint)

    def line_if_due(self) -> None:
        """Log a line when the last one is old enough."""
        if self._clock.monotonic() - self._last_line >= LOG_INTERVAL_SECONDS:
            self.line()

    def line(self) -> None:
        """Log a line: percentage, MiB, sent against verified, speed of sending, time left at that speed."""
        self._last_line = self._clock.monotonic()
        log.info("%s: %s", self._ref, describe(self.progress, self._last_line - self._started, self._done))

    def _call_back(self, checkpoint: Checkpoint | None, response: Any) -> None:
        self._highest_fraction = max(self._highest_fraction, self.progress.fraction)
        if self._callback is not None:
            self._callback(self._highest_fraction, checkpoint, response)


class ReadingReporter:
    """Logs how much of a source has been read, where it is read and not sent: to be compared with an object."""

    def __init__(self, name: str, total_bytes: int | None, clock: Clock) -> None:
        self._name = name
        self._total_bytes = total_bytes
        self._clock = clock
        self._last_line = clock.monotonic()
        self._read_bytes = 0

    def read(self, size_bytes: int) -> None:
        """Count bytes; log a line when the last one is old enough."""
        self._read_bytes += size_bytes
        now = self._clock.monotonic()
        if now - self._last_line >= LOG_INTERVAL_SECONDS:
            self._last_line = now
            total = "" if self._total_bytes is None else f" of {self._total_bytes / MIB:.1f}"
            log.info("%s: compared with the object: %.1f%s MiB read", self._name, self._read_bytes / MIB, total)


def describe(progress: Progress, elapsed_seconds: float, sent: str = "sent") -> str:
    """
    Return progress as one line for people; without a percentage while the source's size is not known.

    ``sent`` says what was done with ``sent_bytes``.
    """
    done, total = f"{progress.done_bytes / MIB:.1f}", progress.total_bytes
    amount = f"{done} MiB" if total is None else f"{progress.fraction:.1%} ({done} of {total / MIB:.1f} MiB)"
    text = f"{amount}, {sent} {progress.sent_bytes / MIB:.1f} MiB, verified {progress.verified_bytes / MIB:.1f} MiB"
    if not progress.sent_bytes or elapsed_seconds <= 0:
        return text
    bytes_per_second = progress.sent_bytes / elapsed_seconds
    text = f"{text}, {bytes_per_second / 1e6:.1f} MB/s"
    return text if total is None else f"{text}, {_span((total - progress.done_bytes) / bytes_per_second)} left"


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
