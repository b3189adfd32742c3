"""The documentation says what the campaign proves."""

from __future__ import annotations

from airflow_provider_oss import exceptions
from tests.chaos import troubles
from tests.chaos.outcomes import CALLS, FAULTS, Verdict, rows
from tests.chaos.rendering import BEGIN, END, KINDS_BEGIN, KINDS_END, rendered, rendered_kinds
from tests.support.marked_page import FAULTS_PAGE, between


def test_the_page_shows_the_table() -> None:
    """Between its two markers docs/faults.md has the outcome table, character by character."""
    assert between(FAULTS_PAGE, BEGIN, END) == rendered()


def test_the_page_shows_the_kinds() -> None:
    """Between its two markers it has the kinds of transfers with their calls, and it names every fault."""
    assert between(FAULTS_PAGE, KINDS_BEGIN, KINDS_END) == rendered_kinds()
    assert (*FAULTS, *troubles.ALSO) == troubles.FAULTS
    page = " ".join(FAULTS_PAGE.read_text("utf-8").split())
    assert [text for text in troubles.ALSO.values() if text not in page] == []


def test_every_cell_is_stated() -> None:
    """Each fault at each call has an outcome in both columns, and names an error if and only if the attempt fails."""
    stated = list(rows())
    assert len(stated) == len(CALLS) * len(FAULTS)
    for row in stated:
        for outcome in (row.once, row.always):
            fails = outcome.verdict in (Verdict.NEXT, Verdict.FAILS)
            assert (outcome.error is not None) == fails
            assert outcome.error is None or issubclass(
                getattr(exceptions, outcome.error),
                exceptions.OSSPermanentError if outcome.verdict is Verdict.FAILS else exceptions.OSSTransientError,
            )
