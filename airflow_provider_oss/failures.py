"""What fails without ending everything: some of many files, and the user's own code while ours is at work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from airflow_provider_oss.exceptions import (
    OSSConnectionError,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceElsewhere,
    OSSTransientError,
)
from airflow_provider_oss.shown import MOST_NAMED, Log, printable, shortened

log = Log(__name__)

_MOST_IN_A_ROW: Final = 3
"""Files that failed one after the other for a reason of which all will fail: each took all the tries allowed."""


class UserCodeFailed(Exception):
    """Carries an error of the user's code past handlers that could take it for one of OSS, of HTTP or of a file."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class SourceFailed(UserCodeFailed):
    """Of a stream, or a file that is read while it is sent: to be delivered by what sends it."""


class CallbackFailed(UserCodeFailed):
    """Of the callback of many uploads: it has to pass the one upload that is under way, too."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one of many was not stored."""

    name: str
    error: Exception
    may_pass: bool
    """Whether another attempt may succeed."""
    size_bytes: int = 0

    @property
    def text(self) -> str:
        """The error, of bounded length."""
        return shortened(printable(f"{type(self.error).__name__}: {self.error}"), 500)


@dataclass(frozen=True, slots=True)
class ToldFailure(Failure):
    """One that another task has told of: its error is nothing but the text."""

    @property
    @override
    def text(self) -> str:
        return str(self.error)


class Failures:
    """Counts failures, remembers the first few, and sees when there is no point in going on."""

    def __init__(self) -> None:
        self.count = self.size_bytes = 0
        self.first: list[Failure] = []
        self.is_permanent = True
        """Whether no retry can mend any of them."""
        self._reason: type[Exception] | None = None
        self._in_a_row = 0

    def add(self, failure: Failure) -> None:
        """Note a failure; the first few are logged one by one."""
        self.count += 1
        self.size_bytes += failure.size_bytes
        self.is_permanent = self.is_permanent and not failure.may_pass
        if len(self.first) < MOST_NAMED:
            self.first.append(failure)
            log.error("%s was not stored: %s", failure.name, failure.text)
        else:
            log.debug("%s was not stored: %s", failure.name, failure.text)
        reason = _reason(failure.error)
        self._in_a_row = self._in_a_row + 1 if reason is not None and reason is self._reason else 1
        self._reason = reason

    def note_success(self) -> None:
        """Note that nothing is wrong with what all depend on."""
        self._reason = None

    @property
    def is_hopeless(self) -> bool:
        """Whether several in a row failed for one reason that has nothing to do with them."""
        return self._reason is not None and self._in_a_row >= _MOST_IN_A_ROW


def _reason(error: Exception) -> type[Exception] | None:
    """Return why OSS, or a storage, could not be used; None for what says nothing about other files."""
    if not isinstance(error, OSSTransientError) or isinstance(error, OSSSourceChanged | OSSSourceElsewhere):
        return None
    return OSSConnectionError if isinstance(error, OSSConnectionError) else type(error)


def error_of_many(what: str, failed: Iterable[tuple[str, str]], count: int, *, is_permanent: bool) -> OSSProviderError:
    """
    Return the error that says that some of many failed: OSSPermanentError when no retry can mend any of them.

    :param failed: name and error of the first ones.
    """
    lines = [f"{name}: {error}" for name, error in failed]
    if more := count - len(lines):
        lines.append(f"and {more} more")
    kind = OSSPermanentError if is_permanent else OSSTransientError
    return kind(f"{what}: " + "; ".join(lines))
