"""Writes rows of Airflow's database as its scheduler and its tasks do, many in little time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.orm import Session

from tests.support.airflow_version import HAS_TASK_STATE

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

BUNDLE: Final = "tests"
RECORD: Final[dict[str, Any]] = {
    "version": 1,
    "kind": "upload",
    "target": "oss://exports/dump.bin",
    "source": "dump.bin",
    "state": "running",
    "attempt": 1,
    "started_at": "2026-11-30T18:00:00Z",
    "updated_at": "2026-11-30T18:00:10Z",
    "total": 1000,
    "done": 400,
    "sent": 300,
    "verified": 100,
    "skipped": 0,
    "rate": 30.0,
    "rates": [[10.0, 30.0]],
    "parts": {"size": 100, "count": 10, "first": 1, "stored": "1-4", "verified": "1", "in_flight": "5,6"},
    "retried": 1,
    "attempts": [{"number": 1, "started_at": "2026-11-30T18:00:00Z", "sent": 300, "state": "running", "error": None}],
    "events": [{"at": "2026-11-30T18:00:09Z", "text": "Part 5: try 1 failed: OSSConnectionTimeout"}],
}
"""A progress record that has every field but ``files``."""


@dataclass(frozen=True, slots=True)
class Ti:
    """A task instance in the database."""

    dag_run_id: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def columns(self) -> dict[str, Any]:
        """What names it in other tables."""
        return {
            "dag_run_id": self.dag_run_id,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
        }


class Rows:
    """One database; times are counted on from its first row, a second for each."""

    def __init__(self, database: Path) -> None:
        self._engine = create_engine(f"sqlite:///{database}?timeout=30")
        self._seconds = count()
        self._began = datetime.now(UTC) - timedelta(hours=1)
        self.statements: list[str] = []
        event.listen(self._engine, "before_cursor_execute", self._note)

    def __enter__(self) -> Self:
        self.session = Session(self._engine)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        self._engine.dispose()

    def _note(self, *arguments: Any) -> None:
        self.statements.append(arguments[2])

    def now(self) -> datetime:
        """Return a time later than all that were returned before."""
        return self._began + timedelta(seconds=next(self._seconds))

    def commit(self) -> None:
        """Let others see what was written."""
        self.session.commit()

    def dag(self, dag_id: str) -> None:
        """Add a DAG, unless it is there."""
        if self.session.get(DagBundleModel, BUNDLE) is None:
            self.session.execute(insert(DagBundleModel).values(name=BUNDLE, active=True))
        if self.session.scalar(select(DagModel.dag_id).where(DagModel.dag_id == dag_id)) is None:
            limits = {"max_active_tasks": 1, "max_consecutive_failed_dag_runs": 0, "has_task_concurrency_limits": False}
            self.session.execute(insert(DagModel).values(dag_id=dag_id, bundle_name=BUNDLE, is_stale=False, **limits))

    def _run(self, dag_id: str, run_id: str) -> int:
        wanted = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        found = self.session.scalar(wanted)
        if found is None:
            self.dag(dag_id)
            self.session.execute(
                insert(DagRun).values(dag_id=dag_id, run_id=run_id, run_type="manual", run_after=self.now())
            )
            found = self.session.scalar(wanted)
        assert found is not None
        return found

    def ti(
        self,
        dag_id: str,
        run_id: str = "run",
        task_id: str = "upload",
        map_index: int = -1,
        state: str | None = "running",
        operator: str = "OSSUploadOperator",
    ) -> Ti:
        """Add a task instance."""
        ti = Ti(self._run(dag_id, run_id), dag_id, run_id, task_id, map_index)
        names = {name: value for name, value in ti.columns.items() if name != "dag_run_id"}
        self.session.execute(
            insert(TaskInstance).values(
                **names,
                state=state,
                operator=operator,
                try_number=1,
                max_tries=3,
                pool="default_pool",
                pool_slots=1,
                start_date=self.now(),
            )
        )
        return ti

    def transfer(self, dag_id: str, run_id: str = "run", **others: Any) -> Ti:
        """Add a task instance that has begun a transfer."""
        ti = self.ti(dag_id, run_id, **others)
        self.xcom(ti, "oss_transfer_link", f"plugin/oss-transfers?dag_id={dag_id}")
        return ti

    def xcom(self, ti: Ti, key: str, value: Any) -> None:
        """Add an XCom, as a task does."""
        self.session.execute(insert(XComModel).values(**ti.columns, key=key, value=value, timestamp=self.now()))

    def task_state(self, ti: Ti, key: str, text: str) -> None:
        """Add an entry of the task state store."""
        assert HAS_TASK_STATE
        from airflow.models.task_state_store import TaskStateStoreModel  # noqa: PLC0415 - of Airflow 3.3

        self.session.execute(
            insert(TaskStateStoreModel).values(**ti.columns, key=key, value=text, updated_at=self.now())
        )

    def variable(self, key: str, text: str) -> None:
        """Add a Variable."""
        self.session.add(Variable(key=key, val=text))
        self.session.flush()
