"""What Airflow's metadata database says, as plain rows: all SQL of the harness, read-only, for Airflow 2.11 to 3.3."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.airflow_version import HAS_TASK_STATE, IS_AIRFLOW_2, SERVED_DAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


Row = sqlite3.Row | dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskInstanceRow:
    """One attempt of one task instance; times are UTC.

    ``pid`` is the process that runs the operator's code (set when the attempt starts running), not its supervisor.
    """

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None
    start_date: datetime | None
    end_date: datetime | None
    hostname: str | None
    rendered_map_index: str | None


@dataclass(frozen=True, slots=True)
class XComRow:
    """One XCom with its value decoded from JSON."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class TaskStateRow:
    """One entry of the task state store with its value decoded from JSON; ``expires_at`` None means never."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str
    value: Any
    expires_at: datetime | None


_ATTEMPT = "task_id, map_index, state, try_number, pid, start_date, end_date, hostname, rendered_map_index"

_TASK_INSTANCES = f"""
    SELECT {_ATTEMPT} FROM task_instance WHERE dag_id = ? AND run_id = ? ORDER BY task_id, map_index
"""  # noqa: S608 - only our own constant

# The attempt that is going on or came last is in task_instance, the earlier ones are in the history; one that is in
# both (cleared) counts once. An instance that waits is no attempt yet, though it still has pid and times of the last.
_ATTEMPTS = f"""
    SELECT {_ATTEMPT} FROM task_instance_history
    WHERE dag_id = :dag_id AND run_id = :run_id AND task_id = :task_id AND map_index = :map_index
    UNION ALL
    SELECT {_ATTEMPT} FROM task_instance AS latest
    WHERE dag_id = :dag_id AND run_id = :run_id AND task_id = :task_id AND map_index = :map_index
        AND state NOT IN ('scheduled', 'queued')
        AND NOT EXISTS (
            SELECT 1 FROM task_instance_history AS earlier
            WHERE earlier.dag_id = latest.dag_id AND earlier.run_id = latest.run_id
                AND earlier.task_id = latest.task_id AND earlier.map_index = latest.map_index
                AND earlier.try_number = latest.try_number
        )
    ORDER BY try_number
"""  # noqa: S608 - only our own constant

_SERIALIZED_DAG = f"""
    SELECT 1 FROM serialized_dag JOIN dag ON dag.dag_id = serialized_dag.dag_id
    WHERE dag.dag_id = ? AND {SERVED_DAG}
"""  # noqa: S608 - only our own constant


@dataclass(frozen=True, slots=True)
class MetadataDatabase:
    """Reads one Airflow SQLite database, with a new connection for each question: it never holds up Airflow."""

    path: Path

    def has_dag(self, dag_id: str) -> bool:
        """Say whether the DAG was parsed, stored and not withdrawn since."""
        return bool(self._select(_SERIALIZED_DAG, (dag_id,)))

    def import_errors(self) -> dict[str, str]:
        """Return the traceback of each DAG file that failed to import, by file name."""
        return {row["filename"]: row["stacktrace"] for row in self._select("SELECT * FROM import_error")}

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of the run; raises ``LookupError`` when there is no such run."""
        rows = self._select("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?", (dag_id, run_id))
        if not rows:
            raise LookupError(f"no run {run_id!r} of DAG {dag_id!r}")
        return str(rows[0]["state"])

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the ids of the DAG's runs, oldest first."""
        return [
            row["run_id"] for row in self._select("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id", (dag_id,))
        ]

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstanceRow]:
        """Return the task instances of the run as they are now, by task id and map index."""
        return [_attempt(row) for row in self._select(_TASK_INSTANCES, (dag_id, run_id))]

    def attempts(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[TaskInstanceRow]:
        """Return every attempt of the task instance that has started, first to latest.

        The latest is ``up_for_retry`` while it waits for the next, and ``failed`` once that one is scheduled.
        """
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        return [_attempt(row) for row in self._select(_ATTEMPTS, key)]

    def names_of_mapped(self, dag_id: str, run_id: str, task_id: str) -> list[str | None]:
        """Return what people see in place of the map indexes of a mapped task, in their order."""
        query = """
            SELECT rendered_map_index FROM task_instance
            WHERE dag_id = ? AND run_id = ? AND task_id = ? AND map_index >= 0 ORDER BY map_index
        """
        return [row["rendered_map_index"] for row in self._select(query, (dag_id, run_id, task_id))]

    def xcom_rows(self) -> list[XComRow]:
        """Return all XComs of all runs."""
        return [
            XComRow(row["dag_id"], row["run_id"], row["task_id"], row["map_index"], row["key"], _decoded(row["value"]))
            for row in self._select("SELECT * FROM xcom ORDER BY timestamp")
        ]

    def task_state_rows(self) -> list[TaskStateRow]:
        """Return all entries of the task state store (table ``task_state_store``) of all runs, where it exists."""
        if not HAS_TASK_STATE:
            return []
        return [
            TaskStateRow(
                row["dag_id"],
                row["run_id"],
                row["task_id"],
                row["map_index"],
                row["key"],
                _decoded(row["value"]),
                _time(row["expires_at"]),
            )
            for row in self._select("SELECT * FROM task_state_store ORDER BY id")
        ]

    def asset_events(self, uri: str) -> list[Any]:
        """Return the extra of each event of the asset, oldest first."""
        word = "dataset" if IS_AIRFLOW_2 else "asset"
        query = f"""
            SELECT event.extra FROM {word}_event AS event JOIN {word} AS asset ON asset.id = event.{word}_id
            WHERE asset.uri = ? ORDER BY event.id
        """  # noqa: S608 - only our own words
        return [json.loads(row["extra"]) for row in self._select(query, (uri,))]

    def watchers(self) -> list[str]:
        """Return the classes of the triggers that no task waits for."""
        query = """
            SELECT classpath FROM "trigger" AS own
            WHERE NOT EXISTS (SELECT 1 FROM task_instance AS waiting WHERE waiting.trigger_id = own.id)
        """
        return [row["classpath"] for row in self._select(query)]

    def asset_states(self) -> list[Any]:
        """Return what is in the state stores of assets, where Airflow has them."""
        query = "SELECT value FROM asset_state_store ORDER BY key"
        return [_decoded(row["value"]) for row in self._select(query)] if HAS_TASK_STATE else []

    def variables(self) -> dict[str, str]:
        """Return all Variables as stored (readable, because the harness gives Airflow no encryption key)."""
        return {row["key"]: row["val"] for row in self._select("SELECT key, val FROM variable ORDER BY key")}

    def connection_extra(self, conn_id: str) -> Any:
        """Return the extra of a stored connection (readable, as Variables are)."""
        [row] = self._select("SELECT extra FROM connection WHERE conn_id = ?", (conn_id,))
        return json.loads(row["extra"])

    def dump(self, but_for: str) -> Iterator[tuple[str, Any]]:
        """Yield every value that is stored in any table but one, under the name of its table and column."""
        for table in self._select("SELECT name FROM sqlite_master WHERE type = 'table' AND name != ?", (but_for,)):
            name = table["name"]
            for row in self._select(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name that the database itself told
                for column in row.keys():  # noqa: SIM118 - a Row iterates over its values
                    yield f"{name}.{column}", row[column]

    def _select(self, query: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> Sequence[Row]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, parameters).fetchall()


def _attempt(row: Row) -> TaskInstanceRow:
    return TaskInstanceRow(
        task_id=row["task_id"],
        map_index=row["map_index"],
        state=row["state"],
        try_number=row["try_number"],
        pid=row["pid"],
        start_date=_time(row["start_date"]),
        end_date=_time(row["end_date"]),
        hostname=row["hostname"],
        rendered_map_index=row["rendered_map_index"],
    )


def _time(stored: str | datetime | None) -> datetime | None:
    """Read a time as Airflow stores it: in SQLite as text, UTC without saying so."""
    if stored is None or isinstance(stored, datetime):
        return stored
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def _decoded(stored: str | bytes | float | None) -> Any:
    """Read a JSON value; SQLite turns text that is a number into a number when the column is declared JSON."""
    return json.loads(stored) if isinstance(stored, str | bytes) else stored
