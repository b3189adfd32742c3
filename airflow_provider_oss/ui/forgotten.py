"""Forgotten uploads: what the tasks that look for them found last. Nothing is aborted here."""

from __future__ import annotations

from typing import Any, Final

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from airflow_provider_oss.links.oss import OSSObjectLink
from airflow_provider_oss.ui import allowed
from airflow_provider_oss.ui.attached import RETURN_KEY
from airflow_provider_oss.ui.transfers import task_url

_OPERATOR: Final = "OSSAbortStaleUploadsOperator"
_MOST: Final = 100
_NONE: Final = (
    "No task of OSSAbortStaleUploadsOperator has run yet in a DAG that you may read; docs/maintenance.md has the DAG."
)


def latest_findings(session: Session, readable: frozenset[str]) -> dict[str, Any]:
    """Return what each task returned last, the newest first: at most 100."""
    findings = [
        {
            "dag_id": row.dag_id,
            "run_id": row.run_id,
            "task_id": row.task_id,
            "map_index": row.map_index,
            "when": row.timestamp.isoformat(),
            "task_url": task_url(row),
            "result": shown,
        }
        for row in session.execute(_latest(readable))
        if (shown := allowed.stale_uploads(row.value))
    ]
    return {"findings": findings, "notes": [] if findings else [_NONE]}


def _latest(readable: frozenset[str]) -> Any:
    """
    Select the newest result of each task.

    Every task of this package has an XCom with its link to the console, under a key of its own that is indexed: from
    there on few rows are left. There is no index of operators.
    """
    link, ti = aliased(XComModel), TaskInstance
    returned = aliased(XComModel)
    number = func.row_number().over(
        partition_by=(ti.dag_id, ti.task_id, ti.map_index), order_by=returned.timestamp.desc()
    )
    columns = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, returned.timestamp, returned.value)
    found = (
        select(*columns, number.label("number"))
        .select_from(link)
        .join(ti, _same_instance(link, ti))
        .join(returned, and_(_same_instance(link, returned), returned.key == RETURN_KEY))
        .where(link.key == OSSObjectLink.xcom_key, ti.operator == _OPERATOR, ti.dag_id.in_(readable))
        .subquery()
    )
    return select(found).where(found.c.number == 1).order_by(found.c.timestamp.desc()).limit(_MOST)


def _same_instance(one: Any, other: Any) -> Any:
    return and_(
        one.dag_id == other.dag_id,
        one.run_id == other.run_id,
        one.task_id == other.task_id,
        one.map_index == other.map_index,
    )
