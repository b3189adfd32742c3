"""The transfers of task instances: which there are, and what the page shows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import TaskInstanceState
from sqlalchemy import Text, and_, case, cast, func, select

from airflow_provider_oss.limits import MAX_MAPPED_TASKS
from airflow_provider_oss.links.oss import OSSTransferLink
from airflow_provider_oss.ui import allowed
from airflow_provider_oss.ui.attached import Attached, Instance, attached_to

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_MARK: Final = OSSTransferLink.xcom_key
"""The XCom that every task instance with a transfer pushes when it begins."""
_EMPTY_CHARS: Final = len("null")
"""As JSON: the link of a task that has ended without a transfer is empty."""

_MOST_COUNTED: Final = 10_000
_STALE: Final = timedelta(seconds=60)
_OF_A_PICTURE: Final = frozenset({"rates", "attempts", "events"})
"""What the picture of a whole mapped group does without."""

_NOT_LISTED: Final = "Tasks with do_xcom_push=False are not listed."
_NO_RECORD: Final = (
    "This task has no progress record: it has not begun, it ended before there was one, or it has no place for one "
    "(do_xcom_push=False below Airflow 3.3)."
)
_TOO_MANY: Final = f"Only the first {MAX_MAPPED_TASKS} instances of the mapped task are shown."


@dataclass(frozen=True, slots=True)
class TransferQuery:
    """A page of transfers of readable DAGs: of one DAG, and in one state, if these are given."""

    readable: frozenset[str]
    dag_id: str | None
    state: str | None
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a DAG run."""

    dag_id: str
    run_id: str
    task_id: str


def list_transfers(session: Session, wanted: TransferQuery) -> dict[str, Any]:
    """
    Return a page of transfers, how many there are, and the DAGs that have any.

    Running ones come first, then the newest. The number is None when there are more than 10,000.
    """
    chosen = _marked().where(TaskInstance.dag_id.in_(wanted.readable))
    if wanted.dag_id:
        chosen = chosen.where(TaskInstance.dag_id == wanted.dag_id)
    if wanted.state:
        chosen = chosen.where(TaskInstance.state == wanted.state)
    counted = session.scalar(select(func.count()).select_from(chosen.limit(_MOST_COUNTED + 1).subquery())) or 0
    is_waiting = case((TaskInstance.state == TaskInstanceState.RUNNING, 0), else_=1)
    newest = chosen.order_by(is_waiting, XComModel.timestamp.desc(), TaskInstance.id)
    rows = session.execute(newest.limit(wanted.limit).offset(wanted.offset)).all()
    found = attached_to(session, [_instance(row) for row in rows])
    return {
        "transfers": [_shown(row, found[_instance(row).key]) for row in rows],
        "total": counted if counted <= _MOST_COUNTED else None,
        "dags": _dags(session, wanted.readable),
        "notes": [_NOT_LISTED],
    }


def one_transfer(session: Session, task: Task, map_index: int | None) -> dict[str, Any] | None:
    """
    Return the transfer of a task's instance, with its checkpoint and result, and its group when the task is mapped.

    Of a mapped task without such an instance only the group. None when none of the task's instances has a transfer.
    """
    of_task = _columns().where(
        TaskInstance.dag_id == task.dag_id, TaskInstance.run_id == task.run_id, TaskInstance.task_id == task.task_id
    )
    rows = session.execute(of_task.order_by(TaskInstance.map_index).limit(MAX_MAPPED_TASKS + 1)).all()
    found = attached_to(session, [_instance(row) for row in rows])
    marked = _marked_indexes(session, task)
    transfers = {
        row.map_index: _shown(row, one)
        for row in rows[:MAX_MAPPED_TASKS]
        if (one := found[_instance(row).key]).record() or one.entries or row.map_index in marked
    }
    if not transfers:
        return None
    asked = transfers.get(-1 if map_index is None else map_index)
    notes = [_TOO_MANY] if len(rows) > MAX_MAPPED_TASKS else []
    group = [_for_picture(one) for index, one in transfers.items() if index >= 0]
    if asked is None:
        return {"transfer": None, "checkpoint": None, "result": None, "group": group, "notes": notes}
    own = next(found[_instance(row).key] for row in rows if row.map_index == asked["map_index"])
    checkpoint, unreadable = own.checkpoint()
    notes += [*unreadable, *([] if asked["record"] else [_NO_RECORD])]
    return {"transfer": asked, "checkpoint": checkpoint, "result": own.result(), "group": group, "notes": notes}


# Queries


def _columns() -> Any:
    ti = TaskInstance
    return select(
        DagRun.id.label("dag_run_id"),
        *(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number, ti.max_tries, ti.state),
        *(ti.operator, ti.custom_operator_name, ti.start_date, ti.end_date),
    ).join(DagRun, and_(DagRun.dag_id == ti.dag_id, DagRun.run_id == ti.run_id))


def _marked() -> Any:
    """Select the task instances that have a transfer."""
    is_own = and_(
        XComModel.dag_run_id == DagRun.id,
        XComModel.task_id == TaskInstance.task_id,
        XComModel.map_index == TaskInstance.map_index,
        _is_mark(),
    )
    return _columns().join(XComModel, is_own)


def _is_mark() -> Any:
    return and_(XComModel.key == _MARK, func.length(cast(XComModel.value, Text)) > _EMPTY_CHARS)


def _marked_indexes(session: Session, task: Task) -> set[int]:
    return set(
        session.scalars(
            select(XComModel.map_index).where(
                XComModel.dag_id == task.dag_id,
                XComModel.run_id == task.run_id,
                XComModel.task_id == task.task_id,
                _is_mark(),
            )
        )
    )


def _dags(session: Session, readable: frozenset[str]) -> list[str]:
    found = select(XComModel.dag_id).where(_is_mark(), XComModel.dag_id.in_(readable)).distinct()
    return sorted(session.scalars(found))


def _instance(row: Any) -> Instance:
    return Instance(row.dag_run_id, row.dag_id, row.run_id, row.task_id, row.map_index)


# What is shown


def _shown(row: Any, attached: Attached) -> dict[str, Any]:
    record = attached.record()
    return {
        "dag_id": row.dag_id,
        "run_id": row.run_id,
        "task_id": row.task_id,
        "map_index": row.map_index,
        "try_number": row.try_number,
        "max_tries": row.max_tries,
        "state": row.state,
        "operator": row.custom_operator_name or row.operator,
        "started_at": _iso(row.start_date),
        "ended_at": _iso(row.end_date),
        "record": record,
        "result_summary": allowed.summary(attached.result()),
        "task_url": task_url(row),
        "console_url": attached.console_url(),
        "stale": _is_stale(row.state, record),
    }


def task_url(row: Any) -> str:
    """Return the address of a task instance in Airflow's UI, below its base."""
    mapped = f"/mapped/{row.map_index}" if row.map_index >= 0 else ""
    dag_id, run_id, task_id = (quote(text, safe="") for text in (row.dag_id, row.run_id, row.task_id))
    return f"dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"


def _is_stale(state: str | None, record: Mapping[str, Any] | None) -> bool:
    """Whether a task that runs has not said for a minute how far it is: it may hang, or its worker be gone."""
    if state != TaskInstanceState.RUNNING or record is None:
        return False
    return datetime.now(UTC) - allowed.updated_at(record) > _STALE


def _for_picture(transfer: Mapping[str, Any]) -> dict[str, Any]:
    record = transfer["record"]
    slim = None if record is None else {name: value for name, value in record.items() if name not in _OF_A_PICTURE}
    return {**transfer, "record": slim}


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
