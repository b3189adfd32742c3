"""Files that are not closed at the end of an attempt; tests/fs/test_writing.py has those that are opened in OSS."""

from __future__ import annotations

import pytest

from airflow_provider_oss.exceptions import OSSFileNotClosed
from airflow_provider_oss.unclosed import UnclosedFile, losing_no_file


def lose_after_an_inner_attempt() -> None:
    """Lose a file in the outer of two attempts, which had the same files, none, when the inner one ended."""
    with losing_no_file():
        with losing_no_file():
            pass
        UnclosedFile("oss://b/later")


def test_an_attempt_in_another_ends_alone() -> None:
    """The outer attempt goes on seeing what is lost, and after both none is under way."""
    with pytest.raises(OSSFileNotClosed, match=r"oss://b/later \(0 bytes\); open it"):
        lose_after_an_inner_attempt()
    UnclosedFile("oss://b/of-no-attempt")
    with losing_no_file():
        pass
