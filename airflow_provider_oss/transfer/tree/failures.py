"""What failed, and whether there is a point in going on."""

from __future__ import annotations

import logging
from typing import Final

from airflow_provider_oss.exceptions import OSSConnectionError, OSSSourceChanged, OSSTransientError
from airflow_provider_oss.transfer.tree.result import SHOWN, Tally, describe_problem, printable
from airflow_provider_oss.transfer.tree.walk import Problem

log = logging.getLogger(__name__)

_MOST_IN_A_ROW: Final = 3
"""Files that failed one after the other because of OSS: each took all the tries that are allowed."""


class Failures:
    """Counts failures, remembers the first few, and sees when OSS cannot be reached at all."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.first: list[Problem] = []
        self.is_permanent = True
        self._reason: type[Exception] | None = None
        self._in_a_row = 0

    def add(self, problem: Problem) -> None:
        """Note a failure; the first few are logged one by one."""
        self.tally = self.tally.plus(problem.size_bytes)
        self.is_permanent = self.is_permanent and not problem.may_pass
        if len(self.first) < SHOWN:
            self.first.append(problem)
            log.error("%s was not stored: %s", printable(problem.relative), describe_problem(problem))
        else:
            log.debug("%s was not stored: %s", printable(problem.relative), describe_problem(problem))
        reason = _reason(problem)
        self._in_a_row = self._in_a_row + 1 if reason is not None and reason is self._reason else 1
        self._reason = reason

    def note_success(self) -> None:
        """Note that OSS can be reached."""
        self._reason = None

    @property
    def is_hopeless(self) -> bool:
        """Whether several files in a row failed for one reason that has nothing to do with them."""
        return self._reason is not None and self._in_a_row >= _MOST_IN_A_ROW


def _reason(problem: Problem) -> type[Exception] | None:
    """Return why OSS could not be used; None for what says nothing about other files."""
    error = problem.error
    if not isinstance(error, OSSTransientError) or isinstance(error, OSSSourceChanged):
        return None
    return OSSConnectionError if isinstance(error, OSSConnectionError) else type(error)
