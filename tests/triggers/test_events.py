"""Errors on their way through Airflow's database."""

from __future__ import annotations

import json

import pytest

from airflow_provider_oss.exceptions import ErrorDetails, OSSAccessDenied, OSSConnectionTimeout, OSSProviderError
from airflow_provider_oss.triggers.oss import failed, raise_error, seen


@pytest.mark.parametrize(
    "error",
    [
        OSSAccessDenied("no", ErrorDetails("exports", "a.csv", http_status=403, code="AccessDenied", ec="0003-1")),
        OSSConnectionTimeout("too slow"),
    ],
)
def test_our_errors_arrive_as_they_were(error: OSSProviderError) -> None:
    """Class, text and details of an error of ours are the same in the process that reads the event."""
    event = json.loads(json.dumps(failed(error)))
    assert event["status"] == "error"
    with pytest.raises(type(error)) as caught:
        raise_error(event)
    assert (caught.value.message, caught.value.details) == (error.message, error.details)


def test_other_errors_are_named() -> None:
    """Any other error arrives with its name and text."""
    event = json.loads(json.dumps(failed(KeyError("x"))))
    with pytest.raises(RuntimeError, match=r"^the trigger failed: builtins\.KeyError: 'x'$"):
        raise_error(event)


def test_success_raises_nothing() -> None:
    """An event that tells of success carries its values."""
    event = seen(result={"objects": 1})
    assert event == {"status": "success", "result": {"objects": 1}}
    raise_error(event)
