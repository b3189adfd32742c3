"""Several of many that failed: how many, the first few, whether to go on, and the error at the end."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_oss.exceptions import (
    OSSConnectionError,
    OSSConnectionTimeout,
    OSSInvalidSource,
    OSSPermanentError,
    OSSProviderError,
    OSSServiceUnavailable,
    OSSSourceChanged,
    OSSSourceElsewhere,
    OSSSourceUnavailable,
    OSSTransientError,
)
from airflow_provider_oss.failures import Failure, Failures, UserCodeFailed, error_of_many
from tests.support.source_text import occurrences


def noted(*errors: OSSProviderError | OSError | None) -> Failures:
    """Return what was noted of these, one after the other; None is a success."""
    failures = Failures()
    for number, error in enumerate(errors):
        if error is None:
            failures.note_success()
        else:
            failures.add(Failure(f"file-{number}", error, isinstance(error, OSSTransientError), size_bytes=10))
    return failures


BUSY = OSSServiceUnavailable("busy")
DOWN = OSSConnectionError("down")
SLOW = OSSConnectionTimeout("slow")
UNREAD = OSSSourceUnavailable("unread")
CHANGED = OSSSourceChanged("changed")
ELSEWHERE = OSSSourceElsewhere("elsewhere")
MISSING = OSSInvalidSource("missing")


@pytest.mark.parametrize(
    ("errors", "is_hopeless"),
    [
        ((BUSY, BUSY), False),
        ((BUSY, BUSY, BUSY), True),
        ((UNREAD, UNREAD, UNREAD), True),
        ((DOWN, SLOW, DOWN), True),
        ((BUSY, BUSY, DOWN), False),
        ((BUSY, BUSY, None, BUSY), False),
        ((UNREAD, MISSING, UNREAD, UNREAD), False),
        ((MISSING,) * 5, False),
        ((CHANGED,) * 5, False),
        ((ELSEWHERE,) * 5, False),
        ((OSError("disk"),) * 5, False),
        ((MISSING, BUSY, BUSY, BUSY), True),
        ((BUSY, BUSY, BUSY, None), False),
    ],
)
def test_three_in_a_row(errors: tuple[OSSProviderError | None, ...], *, is_hopeless: bool) -> None:
    """After three for one reason that is not theirs, all the rest would fail, too."""
    assert noted(*errors).is_hopeless == is_hopeless


def test_the_first_few(caplog: pytest.LogCaptureFixture) -> None:
    """All are counted; ten are kept, and logged as errors."""
    with caplog.at_level(logging.INFO):
        failures = noted(*[MISSING] * 12)
    assert (failures.count, failures.size_bytes, len(failures.first)) == (12, 120, 10)
    assert [line for line in caplog.messages if "was not stored: OSSInvalidSource: missing" in line] == caplog.messages
    assert len(caplog.messages) == 10


@pytest.mark.parametrize(
    ("errors", "is_permanent"), [((MISSING,), True), ((MISSING, BUSY), False), ((BUSY, MISSING), False)]
)
def test_whether_a_retry_helps(errors: tuple[OSSProviderError, ...], *, is_permanent: bool) -> None:
    """It does not only when it mends none of them."""
    assert noted(*errors).is_permanent == is_permanent


def test_a_text_is_bounded() -> None:
    """However long an error is, and whatever is in it, it is one line of bounded length."""
    text = Failure("a", OSSInvalidSource("x\n" * 5000), may_pass=False).text
    assert "\n" not in text
    assert len(text) < 600


@pytest.mark.parametrize(("is_permanent", "kind"), [(True, OSSPermanentError), (False, OSSTransientError)])
def test_the_error_of_many(kind: type[OSSProviderError], *, is_permanent: bool) -> None:
    """It names some, says how many more there are, and is of the kind that Airflow is to take it for."""
    failed = [("a", "gone"), ("b", "busy")]
    error = error_of_many("5 of 9 files failed", failed, 5, is_permanent=is_permanent)
    assert type(error) is kind
    assert str(error) == "5 of 9 files failed: a: gone; b: busy; and 3 more"
    assert str(error_of_many("2 of 9 files failed", failed, 2, is_permanent=True)).endswith(": a: gone; b: busy")


def test_a_carrier() -> None:
    """It says what the error says, and has the very object."""
    cause = ValueError("theirs")
    failed = UserCodeFailed(cause)
    assert (str(failed), failed.cause is cause) == ("theirs", True)


def test_one_home() -> None:
    """Nothing else carries errors, counts failures in a row, or builds the error of many."""
    assert occurrences(r"self\.cause = ") == {"failures.py"}
    assert occurrences(r"in_a_row") == {"failures.py"}
    assert occurrences(r"and \{more\} more") == {"failures.py"}
