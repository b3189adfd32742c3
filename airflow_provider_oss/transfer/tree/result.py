"""What became of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSPermanentError, OSSTransientError
from airflow_provider_oss.transfer.tree.walk import Problem

SHOWN: Final = 10
"""Failures, and names of a dry run, that the result tells; the log has more."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files or objects, and how many bytes they have."""

    count: int = 0
    size_bytes: int = 0

    def plus(self, size_bytes: int) -> Tally:
        """Return the tally with one more."""
        return Tally(self.count + 1, self.size_bytes + size_bytes)


@dataclass(frozen=True, slots=True)
class TreeResult:
    """
    What one attempt did. With ``dry_run`` ``sent`` and ``deleted`` are what would be, and nothing was done.

    ``as_dict`` is bounded, however many files there are.
    """

    directory: str
    bucket: str
    prefix: str
    uri: str
    dry_run: bool
    files: Tally
    """All that were to be stored."""
    sent: Tally
    skipped: Tally
    """What OSS held already."""
    deleted: Tally
    failed: Tally
    not_tried: Tally
    """What was left when OSS could not be reached any more."""
    left_out: int
    """Symlinks that were not followed, and what is neither file nor directory."""
    bytes_sent: int
    """On the wire, of files that were stored: less than their size where an earlier attempt had stored parts."""
    bytes_verified: int
    """In parts that an earlier attempt had stored."""
    elapsed_seconds: float
    problems: tuple[Problem, ...]
    """The first failures."""
    is_permanent: bool
    """Whether no retry can mend any of the failures."""
    would_send: tuple[str, ...] = ()
    would_delete: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom: at most some KB."""
        shown = {"would_send": list(self.would_send), "would_delete": list(self.would_delete)} if self.dry_run else {}
        return {
            "directory": printable(self.directory),
            "bucket": self.bucket,
            "prefix": self.prefix,
            "uri": self.uri,
            "dry_run": self.dry_run,
            "files": self.files.count,
            "size": self.files.size_bytes,
            "sent": self.sent.count,
            "sent_size": self.sent.size_bytes,
            "skipped": self.skipped.count,
            "skipped_size": self.skipped.size_bytes,
            "deleted": self.deleted.count,
            "deleted_size": self.deleted.size_bytes,
            "failed": self.failed.count,
            "failed_size": self.failed.size_bytes,
            "not_tried": self.not_tried.count,
            "left_out": self.left_out,
            "failures": [{"file": printable(one.relative), "error": describe_problem(one)} for one in self.problems],
            "bytes_sent": self.bytes_sent,
            "bytes_verified": self.bytes_verified,
            "elapsed_seconds": self.elapsed_seconds,
            **shown,
        }

    def raise_failures(self) -> None:
        """Raise when a file failed: OSSPermanentError when no retry can mend any of them, else OSSTransientError."""
        if not self.failed.count:
            return
        lines = [f"{printable(one.relative) or '.'}: {describe_problem(one)}" for one in self.problems]
        if more := self.failed.count - len(lines):
            lines.append(f"and {more} more")
        rest = f"; {self.not_tried.count} more were not tried" if self.not_tried.count else ", the others were"
        kind = OSSPermanentError if self.is_permanent else OSSTransientError
        raise kind(
            f"{self.failed.count} of {self.files.count} files of {printable(self.directory)} were not stored below "
            f"{self.uri}{rest}:\n" + "\n".join(lines)
        )


def describe_problem(problem: Problem) -> str:
    """Return the error as one text of bounded length."""
    text = printable(f"{type(problem.error).__name__}: {problem.error}")
    return text if len(text) <= 500 else f"{text[:497]}..."  # noqa: PLR2004 - some lines of a log


def printable(name: str) -> str:
    """Return the name as JSON in UTF-8 can hold it: a file's name may be no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
