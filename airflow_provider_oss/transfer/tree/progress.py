"""How far a whole tree is."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Checkpoint, UploadResult
from airflow_provider_oss.ports import Clock, ProgressCallback
from airflow_provider_oss.transfer.progress import LOG_INTERVAL_SECONDS
from airflow_provider_oss.transfer.tree.result import Tally

log = logging.getLogger(__name__)


class CallbackFailed(Exception):
    """Carries an error of the user's callback past handlers that could take it for one of a file."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class TreeProgress:
    """
    Counts files and bytes, logs a line every few seconds, and tells the callback. For the main thread only.

    The callback is told the fraction of the tree's bytes that is done, after every file and after every part of a large
    one; its errors come as CallbackFailed.
    """

    def __init__(self, total: Tally, callback: ProgressCallback | None, clock: Clock) -> None:
        self.total = total
        self._callback = callback
        self._clock = clock
        self._started = self._last_line = clock.monotonic()
        self._partly_bytes = 0.0
        self._highest_fraction = 0.0
        self.sent = self.skipped = self.failed = Tally()
        self.bytes_sent = self.bytes_verified = 0

    def file_skipped(self, size_bytes: int) -> None:
        """Count a file that OSS holds already; the callback gets None for the response."""
        self.skipped = self.skipped.plus(size_bytes)
        self._tell(None, None)

    def file_sent(self, size_bytes: int, result: UploadResult) -> None:
        """Count a file that was stored; the callback gets the result for the response."""
        self._partly_bytes = 0.0
        self.sent = self.sent.plus(size_bytes)
        self.bytes_sent += result.bytes_sent
        self.bytes_verified += result.bytes_verified
        self._tell(None, result)

    def file_failed(self, size_bytes: int) -> None:
        """Count a file that was not stored."""
        self._partly_bytes = 0.0
        self.failed = self.failed.plus(size_bytes)

    def part_done(self, size_bytes: int, fraction: float, checkpoint: Checkpoint | None, response: Any) -> None:
        """Note how much of a large file is done: what the engine tells of it."""
        self._partly_bytes = fraction * size_bytes
        self._tell(checkpoint, response)
        self.line_if_due()

    def line_if_due(self) -> None:
        """Log a line when the last one is old enough."""
        if self._clock.monotonic() - self._last_line >= LOG_INTERVAL_SECONDS:
            self.line()

    def line(self) -> None:
        """Log a line: files and bytes done of all, what that means, and the speed of sending."""
        self._last_line = self._clock.monotonic()
        elapsed_seconds = max(self._last_line - self._started, 1e-9)
        log.info(
            "%d of %d files, %.1f of %.1f MiB (%.1f%%): sent %d, already there %d, failed %d; %.1f files/s, %.1f MB/s",
            *(self._done_files, self.total.count, self._done_bytes / MIB, self.total.size_bytes / MIB),
            self._fraction * 100,
            *(self.sent.count, self.skipped.count, self.failed.count),
            self.sent.count / elapsed_seconds,
            (self.bytes_sent + self._partly_bytes) / 1e6 / elapsed_seconds,
        )

    @property
    def _done_files(self) -> int:
        return self.sent.count + self.skipped.count

    @property
    def _done_bytes(self) -> float:
        return self.sent.size_bytes + self.skipped.size_bytes + self._partly_bytes

    @property
    def _fraction(self) -> float:
        if self.total.size_bytes:
            return min(1.0, self._done_bytes / self.total.size_bytes)
        return self._done_files / self.total.count if self.total.count else 1.0

    def _tell(self, checkpoint: Checkpoint | None, response: Any) -> None:
        self._highest_fraction = max(self._highest_fraction, self._fraction)
        if self._callback is None:
            return
        try:
            self._callback(self._highest_fraction, checkpoint, response)
        except Exception as error:
            raise CallbackFailed(error) from error
