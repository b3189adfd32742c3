"""Airflow 2's metadata database, which tasks read and write themselves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.models import crypto
from airflow.providers.common.compat.sdk import Variable
from airflow.utils.orm_event_handlers import setup_event_handlers
from cryptography.fernet import Fernet
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from airflow_provider_oss.checkpoint.choice import InstanceName
from tests.support.airflow_home import DATABASE_NAME, prepare_home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

UNREACHABLE = DBAPIError
"""What is raised where the database cannot be asked, or refuses."""

_DAG_ID = "export"
_RUN_IDS = ("run", "manual__1")
"""The runs that the tests' task instances are of."""


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """A Variable as a person sees it."""

    key: str
    value: str
    description: str | None


class Supervisor:
    """
    A migrated database of its own, with the runs that the tests are about.

    ``down`` lets no connection through. ``task_ids`` are the task instances of the runs: an XCom needs one.
    """

    def __init__(self, home: Path, task_ids: tuple[str, ...] = ("anchor",)) -> None:
        prepare_home(home)
        self._path = home / DATABASE_NAME
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool, future=True)
        setup_event_handlers(self._engine)
        self.session = scoped_session(sessionmaker(bind=self._engine, autoflush=False, expire_on_commit=False))
        self.down = False
        for number, run_id in enumerate(_RUN_IDS, 1):
            self._execute(
                "INSERT INTO dag_run (id, dag_id, run_id, run_type, execution_date) VALUES (?, ?, ?, 'manual', ?)",
                (number, _DAG_ID, run_id, f"2026-11-21 00:00:0{number}.000000"),
            )
        self.task_ids = task_ids

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The task instances of the runs."""
        rows = self._select(f"SELECT DISTINCT task_id FROM task_instance WHERE dag_id = '{_DAG_ID}'")  # noqa: S608 - our own
        return tuple(row["task_id"] for row in rows)

    @task_ids.setter
    def task_ids(self, task_ids: tuple[str, ...]) -> None:
        self._execute("DELETE FROM task_instance WHERE dag_id = ?", (_DAG_ID,))
        self.plant_task_instances(
            {InstanceName(_DAG_ID, run_id, task_id, -1): None for run_id in _RUN_IDS for task_id in task_ids}
        )

    @property
    def variables(self) -> dict[str, StoredVariable]:
        """All Variables."""
        return {
            row["key"]: StoredVariable(row["key"], Variable.get(row["key"]), row["description"])
            for row in self._select("SELECT key, description FROM variable ORDER BY key")
        }

    def plant_variable(self, key: str, value: str) -> None:
        """Write a Variable as a person does."""
        Variable.set(key, value)

    def plant_task_instances(self, states: Mapping[InstanceName, str | None]) -> None:
        """Let there be these task instances, in these states."""
        for one, state in states.items():
            self._execute(
                "INSERT INTO task_instance (dag_id, run_id, task_id, map_index, state, pool, pool_slots) "
                "VALUES (?, ?, ?, ?, ?, 'p', 1)",
                (one.dag_id, one.run_id, one.task_id, one.map_index, state),
            )

    def hide_variables(self) -> None:
        """Make the values unreadable, as a lost encryption key does."""
        self._execute("UPDATE variable SET val = 'gAAAAA', is_encrypted = 1")

    @property
    def xcoms(self) -> dict[tuple[str, ...], Any]:
        """All XComs by dag, run, task, map index and key."""
        return {
            (row["dag_id"], row["run_id"], row["task_id"], str(row["map_index"]), row["key"]): json.loads(row["value"])
            for row in self._select("SELECT * FROM xcom ORDER BY timestamp")
        }

    def forget_xcoms(self) -> None:
        """Remove all XComs."""
        self._execute("DELETE FROM xcom")

    @property
    def task_state(self) -> dict[str, Any]:
        """Nothing: the task state store came with Airflow 3.3."""
        return {}

    def holds_nothing(self) -> bool:
        """Whether nothing is left behind anywhere, but what is to be seen of a transfer that has ended."""
        return {*self.variables, *(address[-1] for address in self.xcoms)} <= {"oss_transfer"}

    def _connect(self) -> sqlite3.Connection:
        if self.down:
            raise sqlite3.OperationalError("made to fail")
        return sqlite3.connect(self._path)

    def _select(self, query: str) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query).fetchall()

    def _execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(statement, parameters)


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, folder: Path, task_ids: tuple[str, ...]) -> Iterator[Supervisor]:
    """Let Variable and XCom use the database of a new Supervisor, which is made in ``folder``."""
    supervisor = Supervisor(folder / "airflow-home", task_ids)
    monkeypatch.setattr(settings, "Session", supervisor.session)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    monkeypatch.setattr(crypto, "_fernet", None)
    yield supervisor
    supervisor.session.remove()


def get_task_states(*_: Any, **__: Any) -> None:
    """Tasks of Airflow 2 ask the database instead."""
    raise NotImplementedError
