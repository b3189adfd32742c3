"""Forgotten uploads, as the page is told of them."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_oss.ui.forgotten import latest_findings
from tests.ui.rows import Rows

OPERATOR: Final = "OSSAbortStaleUploadsOperator"
UNFINISHED: Final[dict[str, Any]] = {
    "key": "<img onerror=x>",
    "upload_id": "0004",
    "initiated": "2026-10-01T00:00:00+00:00",
    "bytes": 200,
    "owner": "daily/run/upload",
}
RESULT: Final[dict[str, Any]] = {
    "bucket": "exports",
    "prefix": "daily/",
    "uploads": 5,
    "aborted": 2,
    "bytes": 300,
    "kept": {"recent": 2, "checkpoint": 1},
    "kept_bytes": 100,
    "variables_removed": 1,
    "first": [UNFINISHED],
    "kept_first": [UNFINISHED | {"reason": "checkpoint", "owner": None}],
    "unseen_stores": ["task_state"],
    "dry_run": True,
}


def look(rows: Rows, dag_id: str, run_id: str, result: Any, operator: str = OPERATOR) -> None:
    """Add a task that has looked for forgotten uploads."""
    ti = rows.ti(dag_id, run_id, "look", state="success", operator=operator)
    rows.xcom(ti, "oss_object_link", "")
    rows.xcom(ti, "return_value", result)


def test_what_each_task_found_last(rows: Rows) -> None:
    """Of DAGs that may be read, and of the operator that looks for forgotten uploads alone."""
    look(rows, "maintenance", "monday", RESULT | {"uploads": 99})
    look(rows, "maintenance", "tuesday", RESULT | {"secret": "sesame"})
    look(rows, "theirs", "tuesday", RESULT)
    look(rows, "daily", "tuesday", {"size": 1}, operator="OSSUploadOperator")
    look(rows, "broken", "tuesday", "sesame")
    answer = latest_findings(rows.session, frozenset({"maintenance", "daily", "broken"}))
    [one] = answer["findings"]
    assert one["result"] == RESULT
    assert (one["dag_id"], one["run_id"], one["task_id"]) == ("maintenance", "tuesday", "look")
    assert one["task_url"] == "dags/maintenance/runs/tuesday/tasks/look"
    assert answer["notes"] == []


def test_none_has_looked(rows: Rows) -> None:
    """The page says what would look."""
    answer = latest_findings(rows.session, frozenset({"maintenance"}))
    assert answer["findings"] == []
    assert OPERATOR in answer["notes"][0]
