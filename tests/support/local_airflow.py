"""A real Airflow on this machine, for tests that kill tasks and for the demonstration.

Scheduler (LocalExecutor), dag-processor and api-server run as separate commands, started at the same time, with SQLite.
``airflow standalone`` would add a parent that nobody needs here and a triggerer that few tests need, and leaves
children when it is killed.
Measured with Airflow 3.3.2 on 2 cores: 13 to 16 s until a DAG can be triggered (21 s of CPU, nearly all of it imports),
1 s from there to a task's first line, 2 to 3 s to end it all; 0.9 GB of memory. So tests share one where they can.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from signal import SIGKILL, Signals
from typing import TYPE_CHECKING, Any

from tests.support.airflow_api import AirflowApi
from tests.support.airflow_database import MetadataDatabase, TaskInstanceRow, TaskStateRow, XComRow
from tests.support.airflow_home import DATABASE_NAME, LOOPBACK, airflow_environment, prepare_home
from tests.support.airflow_processes import TAIL_LINES, AirflowProcesses
from tests.support.airflow_version import RETRIES_KILLED_TASKS, SERVER
from tests.support.ports import reserved_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Literal, Self

START_TIMEOUT_SECONDS = 240.0
_ENDED_RUN = {"success", "failed"}


class LocalAirflow:
    """An Airflow that is up inside the ``with`` block and gone, with all its processes, after it.

    ``home`` is made if need be and keeps database and logs afterwards; nothing is written elsewhere. ``env`` reaches
    every component and every task: connections are given there as ``AIRFLOW_CONN_<ID>``. The UI is at ``url``; with
    ``only_server`` it is all there is, and nothing runs DAGs.
    Times are seconds. Waiting methods raise ``TimeoutError`` saying what was seen last, and ``RuntimeError`` with the
    end of the logs as soon as a component dies.
    """

    base_path = ""
    """Where on its server the UI and the APIs are."""

    def __init__(
        self, home: Path, dags_folder: Path, env: Mapping[str, str] | None = None, *, only_server: bool = False
    ) -> None:
        self.home = home
        self.dags_folder = dags_folder
        self.env = dict(env or {})
        self.only_server = only_server
        self.url = ""
        self.database = MetadataDatabase(home / DATABASE_NAME)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with self._exit as stack:
            self._start(stack)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def _start(self, stack: ExitStack) -> None:
        prepared = self._prepare(stack)
        port = stack.enter_context(reserved_port())  # kept, so that the server can come back there
        self.url = url = f"http://{LOOPBACK}:{port}{self.base_path}"
        server = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/", "AIRFLOW__API__BASE_URL": url}
        environment = airflow_environment(self.home, self.dags_folder, server | prepared | self.env)
        self._processes = AirflowProcesses(self.home, environment)
        stack.callback(self._processes.stop)
        self._serve = [SERVER.command, SERVER.host_option, LOOPBACK, "--port", str(port)]
        self.start_server()
        if not self.only_server:
            self._start_others()
        self._api = stack.enter_context(AirflowApi(url))
        self.wait_until_healthy()
        self._log_in()

    def _log_in(self) -> None:
        self._api.log_in()

    def _prepare(self, stack: ExitStack) -> dict[str, str]:  # noqa: ARG002 - for those who take something
        """Make the home and its database, and return the settings that go with them; the stack ends what it takes."""
        prepare_home(self.home)
        return {}

    def _start_others(self) -> None:
        for name, arguments in SERVER.others.items():
            self._processes.start(name, arguments)

    def start_server(self) -> None:
        """Start what serves the UI and the APIs, which is up at first; ``wait_until_healthy`` waits for it."""
        self._processes.start(SERVER.command, self._serve)

    def kill_server(self) -> None:
        """Kill it as when its machine dies; tasks that run try to reach it again and again."""
        for component in self._processes.named(SERVER.command):
            self._processes.kill(component)

    def start_triggerer(self) -> None:
        """Start what waits for deferred tasks, unless it runs: few tests need it."""
        if not self._processes.named("triggerer"):
            self._processes.start("triggerer", ["triggerer", "--skip-serve-logs"])

    def kill_triggerer(self) -> None:
        """Kill it as when its machine dies: the next one takes its triggers over when heartbeats are missed (10 s)."""
        for component in self._processes.named("triggerer"):
            self._processes.kill(component)

    def wait_until_healthy(self) -> None:
        """Wait until all that was started is up."""

        def look() -> bool | None:
            self._processes.check_alive()
            return None if self._missing() else True

        wait_until(
            look,
            START_TIMEOUT_SECONDS,
            "Airflow to start",
            lambda: f"not up: {', '.join(self._missing())}\n{self._processes.tails()}",
        )

    def wait_for_dag(self, dag_id: str, timeout: float = 60.0) -> None:
        """Wait until the DAG can be triggered. Raises ``RuntimeError`` with the traceback when a DAG file is broken."""

        def look() -> bool | None:
            self._processes.check_alive()
            if errors := self.database.import_errors():
                raise RuntimeError("\n".join(f"{file} does not import:\n{trace}" for file, trace in errors.items()))
            return self.database.has_dag(dag_id) or None

        wait_until(look, timeout, f"DAG {dag_id!r} to be parsed", lambda: f"no such DAG\n{self._processes.tails()}")

    def add_connection(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """Store a connection as the UI does: in the database, ``extra`` being JSON text."""
        self._api.add_connection(conn_id, fields)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Unpause the DAG, start a run and return the run's id."""
        self._api.unpause(dag_id)
        return self._api.trigger(dag_id, conf or {}, run_id)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run when its schedule says so."""
        self._api.unpause(dag_id)

    def pause(self, dag_id: str) -> None:
        """Let the DAG start no more runs."""
        self._api.pause(dag_id)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120.0) -> str:
        """Wait until the run has ended and return ``"success"`` or ``"failed"``."""

        def look() -> str | None:
            self._processes.check_alive()
            state = self.database.run_state(dag_id, run_id)
            return state if state in _ENDED_RUN else None

        return wait_until(look, timeout, f"the end of {dag_id} {run_id}", lambda: self._seen(dag_id, run_id))

    def wait_for_running(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, timeout: float = 60.0, map_index: int = -1
    ) -> TaskInstanceRow:
        """Wait until the attempt runs, and return its row with the pid.

        Raises ``RuntimeError`` when the attempt, or the whole run, is already over.
        """

        def look() -> TaskInstanceRow | None:
            self._processes.check_alive()
            attempts = self.attempts(dag_id, run_id, task_id, map_index)
            for attempt in attempts:
                if attempt.try_number == try_number and attempt.state == "running":
                    return attempt
            run_is_over = self.database.run_state(dag_id, run_id) in _ENDED_RUN
            if run_is_over or any(attempt.try_number >= try_number for attempt in attempts):
                raise RuntimeError(
                    f"attempt {try_number} of {task_id} is over or never came: {self._seen(dag_id, run_id)}"
                )
            return None

        return wait_until(
            look, timeout, f"attempt {try_number} of {task_id} to run", lambda: self._seen(dag_id, run_id)
        )

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstanceRow]:
        """Return the run's task instances as they are now, by task id and map index."""
        return self.database.task_instances(dag_id, run_id)

    def attempts(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> list[TaskInstanceRow]:
        """Return every attempt of the task that has started, first to latest."""
        return self.database.attempts(dag_id, run_id, task_id, map_index)

    def task_process(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> int:
        """Return the pid of the live process that runs the operator's code. Raises ``LookupError`` without one.

        It is the pid that Airflow records: a child of its supervisor, in a process group of its own.
        """
        for row in self.task_instances(dag_id, run_id):
            if (row.task_id, row.map_index, row.state) == (task_id, map_index, "running") and row.pid is not None:
                return row.pid
        raise LookupError(f"no running process of {task_id}: {self._seen(dag_id, run_id)}")

    def kill_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        signal: Signals = SIGKILL,
        map_index: int = -1,
        *,
        whole_tree: bool = False,
    ) -> int:
        """Send the signal to the process that runs the operator's code and return its pid.

        The supervisor sees a killed task at once, so the retry begins after its delay plus 0.3 to 1.5 s (measured).
        With ``whole_tree`` the supervisor gets the signal first and the task's whole process group after it, as when
        the worker's machine dies: nobody reports the death, and the scheduler finds out by itself when heartbeats have
        been missing for 10 s (measured: the next attempt runs 12 to 14 s later). So it is always in Airflow 3.0, which
        would not retry the task otherwise.

        An attempt counts as running 0.1 s before the operator's code does: to kill in the middle of something, wait
        for a trace of it.
        """
        pid = self.task_process(dag_id, run_id, task_id, map_index)
        if whole_tree or not RETRIES_KILLED_TASKS:
            has_own_group = os.getpgid(pid) == pid  # not in every version of Airflow
            os.kill(self._processes.supervisor(pid), signal)
            with suppress(ProcessLookupError):  # it may have seen that its supervisor is gone
                (os.killpg if has_own_group else os.kill)(pid, signal)
        else:
            os.kill(pid, signal)
        return pid

    def mark_failed(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Mark the task failed as the UI does. The row says so at once, the process lives on for a while.

        It gets SIGTERM at its next heartbeat (within 1 s), which only makes it call ``on_kill``, and SIGKILL 5 to 10 s
        later (measured). A task that is cleared meanwhile runs twice at the same time.
        """
        self.set_task_state(dag_id, run_id, task_id, "failed", map_index)

    def set_task_state(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: Literal["success", "failed", "skipped"],
        map_index: int = -1,
    ) -> None:
        """Mark the task as the UI does."""
        self._api.set_task_state(dag_id, run_id, task_id, state, map_index)

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, *, downstream: bool = False) -> None:
        """
        Clear the task, whatever its state, as the UI does: it runs again with all its retries.

        ``downstream``: and all tasks that follow it.

        After ``mark_failed`` wait for the end of the run first: the scheduler, still busy with the mark, can otherwise
        end the run as failed with the task cleared and never run (seen).
        """
        self._api.clear(dag_id, run_id, task_id, map_index, downstream=downstream)

    def extra_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the address behind each extra link that the UI shows of the task; None where there is none."""
        return self._api.extra_links(dag_id, run_id, task_id, map_index)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return one XCom's value. Raises ``LookupError`` when it does not exist."""
        wanted = (dag_id, run_id, task_id, key, map_index)
        for row in self.xcom_rows():
            if (row.dag_id, row.run_id, row.task_id, row.key, row.map_index) == wanted:
                return row.value
        raise LookupError(f"no XCom {key!r} of {task_id} in {dag_id} {run_id}")

    def xcom_rows(self) -> list[XComRow]:
        """Return all XComs of all runs."""
        return self.database.xcom_rows()

    def variables(self) -> dict[str, str]:
        """Return all Variables."""
        return self.database.variables()

    def task_state_rows(self) -> list[TaskStateRow]:
        """Return all entries of the task state store of all runs."""
        return self.database.task_state_rows()

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> str:
        """Return the attempt's log, one JSON object a line. Raises ``FileNotFoundError`` when it did not log."""
        mapped = f"map_index={map_index}/" if map_index >= 0 else ""
        name = f"dag_id={dag_id}/run_id={run_id}/task_id={task_id}/{mapped}attempt={try_number}.log"
        *others, last = [folder / name for folder in self._log_folders()]
        return next((log for log in others if log.exists()), last).read_text()

    def _log_folders(self) -> list[Path]:
        """Return the folders in which tasks may have logged."""
        return [self.home / "logs"]

    def _seen(self, dag_id: str, run_id: str) -> str:
        tasks = [
            f"{row.task_id}[{row.map_index}] try {row.try_number} {row.state}"
            for row in self.task_instances(dag_id, run_id)
        ]
        seen = f"run {self.database.run_state(dag_id, run_id)}, {'; '.join(tasks) or 'no tasks'}"
        return "\n".join([seen, *self._log_tails(dag_id, run_id), self._processes.tails()])

    def _log_tails(self, dag_id: str, run_id: str) -> Iterator[str]:
        """Give the end of each attempt's log under a heading that names it."""
        for logs in self._log_folders():
            folder = logs / f"dag_id={dag_id}" / f"run_id={run_id}"
            for log in sorted(folder.rglob("*.log")):
                lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
                yield "\n".join([f"--- last lines of {log.relative_to(folder)}:", *lines])

    def _missing(self) -> list[str]:
        """Return what was started and is not up yet."""
        return self._api.unhealthy(("metadatabase",) if self.only_server else SERVER.needed_components)
