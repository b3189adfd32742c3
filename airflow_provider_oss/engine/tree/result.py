"""How far a tree of files is while it is sent, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from typing_extensions import override

from airflow_provider_oss.engine.progress import LinePace, LogIntervals, amount
from airflow_provider_oss.failures import CallbackFailed, Failure, ToldFailure, error_of_many
from airflow_provider_oss.model import Checkpoint, FilesState, Progress, Result, TransferState, UploadResult
from airflow_provider_oss.ports import Clock, ProgressCallback
from airflow_provider_oss.shown import MOST_NAMED, Log, printable, shortened


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files or objects, and how many bytes they have."""

    count: int = 0
    size_bytes: int = 0

    def plus(self, size_bytes: int) -> Tally:
        """Return the tally with one more."""
        return Tally(self.count + 1, self.size_bytes + size_bytes)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True)
class FilesResult(Result):
    """What became of many files in one attempt. ``as_dict`` is bounded, however many there are."""

    bucket: str
    prefix: str
    uri: str
    files: Tally
    """All that were to be stored."""
    sent: Tally
    skipped: Tally
    """What OSS held already."""
    failed: Tally
    not_tried: Tally
    """What was left when OSS could not be reached any more."""
    bytes_sent: int
    """On the wire, of files that were stored: less than their size where an earlier attempt had stored parts."""
    bytes_verified: int
    """In parts that an earlier attempt had stored."""
    elapsed_seconds: float
    problems: tuple[Failure, ...]
    """The first failures."""
    is_permanent: bool
    """Whether no retry can mend any of the failures."""

    @override
    def describe(self) -> str:
        return f"Stored {self.uri}: {self._done}, {self._outcome}"

    @property
    def _done(self) -> str:
        return f"sent {self.sent.count} files ({self.sent.size_bytes} bytes), {self.skipped.count} were there already"

    @property
    def _outcome(self) -> str:
        return f"failed {self.failed.count}, in {self.elapsed_seconds:.1f} s"

    @property
    def _which(self) -> str:
        return "files"

    @property
    @override
    def has_failures(self) -> bool:
        return self.failed.count > 0

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom: at most some KB."""
        return {
            "bucket": self.bucket,
            "prefix": self.prefix,
            "uri": self.uri,
            "files": self.files.count,
            "size": self.files.size_bytes,
            "sent": self.sent.count,
            "sent_size": self.sent.size_bytes,
            "skipped": self.skipped.count,
            "skipped_size": self.skipped.size_bytes,
            "failed": self.failed.count,
            "failed_size": self.failed.size_bytes,
            "not_tried": self.not_tried.count,
            "failures": [{"file": shortened(printable(one.name)), "error": one.text} for one in self.problems],
            "bytes_sent": self.bytes_sent,
            "bytes_verified": self.bytes_verified,
            "elapsed_seconds": self.elapsed_seconds,
        }

    @override
    def raise_failures(self) -> None:
        """Raise when a file failed: OSSPermanentError when no retry can mend any of them, else OSSTransientError."""
        if not self.failed.count:
            return
        rest = f"; {self.not_tried.count} more were not tried" if self.not_tried.count else ", the others were"
        raise error_of_many(
            f"{self.failed.count} of {self.files.count} {self._which} were not stored below {self.uri}{rest}",
            ((one.name or ".", one.text) for one in self.problems),
            self.failed.count,
            is_permanent=self.is_permanent,
        )


@dataclass(frozen=True, slots=True)
class TreeResult(FilesResult):
    """What became of a tree. With ``dry_run`` ``sent`` and ``deleted`` are what would be, and nothing was done."""

    directory: str
    dry_run: bool
    deleted: Tally
    left_out: int
    """Symlinks that were not followed, and what is neither file nor directory."""
    would_send: tuple[str, ...] = ()
    would_delete: tuple[str, ...] = ()
    shard: Mapping[str, str | None] | None = None
    """``after`` and ``until`` of the part of the directory that was meant; None for all of it."""

    @override
    def describe(self) -> str:
        stored = "Would have stored" if self.dry_run else "Stored"
        return f"{stored} {self.uri}: {self._done}, deleted {self.deleted.count}, {self._outcome}"

    @property
    @override
    def _which(self) -> str:
        return f"files of {self.directory}"

    @override
    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {} if self.shard is None else {"shard": dict(self.shard)}
        if self.dry_run:
            shown |= {"would_send": list(self.would_send), "would_delete": list(self.would_delete)}
        return {
            **FilesResult.as_dict(self),
            "directory": printable(self.directory),
            "dry_run": self.dry_run,
            "deleted": self.deleted.count,
            "deleted_size": self.deleted.size_bytes,
            "left_out": self.left_out,
            **shown,
        }


def sum_of(results: Sequence[Mapping[str, Any]]) -> TreeResult:
    """
    Return the sum of what ``as_dict`` made of the results of shards of one directory, of which there is at least one.

    No retry of whoever sums them can mend a failure: the task that met it has to run again.
    """

    def tally(name: str) -> Tally:
        return Tally(_sum(results, name), _sum(results, "size" if name == "files" else f"{name}_size"))

    first = results[0]
    return TreeResult(
        directory=first["directory"],
        bucket=first["bucket"],
        prefix=first["prefix"],
        uri=first["uri"],
        dry_run=any(one["dry_run"] for one in results),
        files=tally("files"),
        sent=tally("sent"),
        skipped=tally("skipped"),
        deleted=tally("deleted"),
        failed=tally("failed"),
        not_tried=Tally(_sum(results, "not_tried")),
        left_out=_sum(results, "left_out"),
        bytes_sent=_sum(results, "bytes_sent"),
        bytes_verified=_sum(results, "bytes_verified"),
        elapsed_seconds=round(sum(one["elapsed_seconds"] for one in results), 3),
        problems=tuple(
            ToldFailure(failed["file"], Exception(failed["error"]), may_pass=False)
            for failed in _first(results, "failures")
        ),
        is_permanent=True,
        would_send=tuple(_first(results, "would_send")),
    )


def _sum(results: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(one[name] for one in results)


def _first(results: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return list(islice(chain.from_iterable(one.get(name, ()) for one in results), MOST_NAMED))


log = Log(__name__)


class TreeProgress:
    """
    Counts files and bytes, logs a line every few seconds, and calls the callback. For the main thread only.

    The callback is given the fraction of the tree's bytes that is done, after every file and after every part of a
    large one; its errors come as CallbackFailed.
    """

    def __init__(
        self,
        total: Tally,
        callback: ProgressCallback | None,
        clock: Clock,
        intervals: LogIntervals = LogIntervals(),  # noqa: B008 - frozen
    ) -> None:
        self.total = total
        self._callback = callback
        self._started = clock.monotonic()
        self._pace = LinePace(clock, intervals)
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
        """Note how much of a large file is done: what the engine reports of it."""
        self._partly_bytes = fraction * size_bytes
        self._tell(checkpoint, response)
        self.line_if_due()

    def line_if_due(self) -> None:
        """Log a line when the last one is old enough."""
        if self._pace.is_due():
            self.line()

    def line(self) -> None:
        """Log a line: files and bytes done of all, what that means, and the speed of sending."""
        elapsed_seconds = max(self._pace.note_line() - self._started, 1e-9)
        log.info(
            "%d of %d files, %s (%.1f%%): sent %d, already there %d, failed %d; %.1f files/s, %s/s",
            *(self._done_files, self.total.count, amount(self._done_bytes, self.total.size_bytes)),
            self._fraction * 100,
            *(self.sent.count, self.skipped.count, self.failed.count),
            self.sent.count / elapsed_seconds,
            amount((self.bytes_sent + self._partly_bytes) / elapsed_seconds),
        )

    def state(self, target: str, source: str, *, is_total_known: bool) -> TransferState:
        """Return how far it is, for who watches it; a large file that is under way is watched beside."""
        total = self.total
        return TransferState(
            target,
            source,
            Progress(total.size_bytes if is_total_known else None, self.bytes_sent, self.bytes_verified),
            skipped_bytes=self.skipped.size_bytes,
            files=FilesState(
                total.count if is_total_known else None, self.sent.count, self.skipped.count, self.failed.count
            ),
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
        if self._callback is None:
            return
        self._highest_fraction = max(self._highest_fraction, self._fraction)
        try:
            self._callback(self._highest_fraction, checkpoint, response)
        except Exception as error:
            raise CallbackFailed(error) from error
