"""The documentation says what the hostile server proves."""

from __future__ import annotations

from collections import Counter

from airflow_provider_oss import exceptions
from airflow_provider_oss.engine.retry import is_worth_repeating
from tests.hostile.outcomes import REPEATED
from tests.hostile.rendering import BEGIN, END, rendered
from tests.hostile.rows import ROWS
from tests.support.marked_page import HOSTILE_SERVER_PAGE, between


def test_the_page_shows_the_table() -> None:
    """Between its two markers docs/hostile_server.md has the table of exchanges, character by character."""
    assert between(HOSTILE_SERVER_PAGE, BEGIN, END) == rendered()


def test_every_row_is_stated_once() -> None:
    """No two rows have the same title, and no call stands twice in one."""
    assert [title for title, times in Counter(row.title for row in ROWS).items() if times > 1] == []
    assert [row.title for row in ROWS if len(set(row.calls)) != len(row.calls)] == []


def test_errors_are_those_of_the_package() -> None:
    """An outcome names classes of the package, and those that are repeated are the ones that the package repeats."""
    named = {name for row in ROWS for outcome in row.outcomes.values() for name in outcome.errors} | REPEATED
    for name in named:
        error_class = getattr(exceptions, name)
        assert issubclass(error_class, exceptions.OSSProviderError)
        assert is_worth_repeating(error_class("")) == (name in REPEATED)
