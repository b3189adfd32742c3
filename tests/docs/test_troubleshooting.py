"""docs/troubleshooting.md says of every code and error what the package does."""

from __future__ import annotations

import pytest

from airflow_provider_oss import exceptions
from airflow_provider_oss.clients import errors
from airflow_provider_oss.clients.errors import answer_error
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.exceptions import NO_DETAILS, OSSPermanentError, OSSProviderError
from tests.docs.pages import ROOT, table_rows

PAGE = ROOT / "docs" / "troubleshooting.md"
BY_CODE = [
    [code.strip("`"), *consequence.replace("`", "").split(", "), advice]
    for code, consequence, advice in table_rows(PAGE, "By OSS's error code")
]
WITHOUT_ANSWER = [[cell.strip("`") for cell in row] for row in table_rows(PAGE, "Without an answer of OSS")]


def verdict(error: type[OSSProviderError]) -> str:
    return "for good" if issubclass(error, OSSPermanentError) else "next attempt"


def leaves(error: type[OSSProviderError]) -> set[str]:
    """Return the names of the classes below that are not only branches, and of those that are raised themselves."""
    below = {name for child in error.__subclasses__() for name in leaves(child)}
    branches = {"OSSProviderError", "OSSTransientError", "OSSPermanentError", "OSSNotFound"}
    return below | ({error.__name__} - branches)


@pytest.mark.parametrize(("code", "error", "airflow", "advice"), BY_CODE, ids=[row[0] for row in BY_CODE])
def test_a_code(code: str, error: str, airflow: str, advice: str) -> None:
    """OSS's answer with this code becomes the error that the page names, with the stated consequence."""
    status = 429 if code == "QpsLimitExceeded" else OSSError(code).status
    raised = answer_error(status, {}, {"Code": code}, NO_DETAILS, has_document=True)
    assert type(raised).__name__ == error
    assert airflow == verdict(type(raised))
    assert advice


@pytest.mark.parametrize(("error", "airflow", "advice"), WITHOUT_ANSWER, ids=[row[0] for row in WITHOUT_ANSWER])
def test_an_error(error: str, airflow: str, advice: str) -> None:
    """An error that is no answer of OSS exists and has the stated consequence."""
    assert airflow == verdict(getattr(exceptions, error))
    assert advice


def test_nothing_is_left_out() -> None:
    """Every class of errors, and every code that the package knows, is on the page."""
    shown = {row[1] for row in BY_CODE} | {row[0] for row in WITHOUT_ANSWER}
    # The engine answers this one itself: see OSSClockSkew
    assert leaves(OSSProviderError) - {"OSSClockCorrected"} == shown
    assert set(errors._BY_CODE) | set(errors._REMEDIES) <= {row[0] for row in BY_CODE}
