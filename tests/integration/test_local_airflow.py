"""The harness itself: what it shows, what it says when it waits in vain, and that it leaves nothing running."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import psutil
import pytest

from tests.support.airflow_database import MetadataDatabase
from tests.support.airflow_home import DATABASE_NAME, prepare_home
from tests.support.airflow_processes import wait_until_gone
from tests.support.airflow_version import HAS_TASK_STATE
from tests.support.local_airflow import LocalAirflow
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]


def wait_for_variable(airflow: LocalAirflow, name: str) -> str:
    return wait_until(
        lambda: airflow.variables().get(name), 120.0, f"Variable {name}", lambda: str(sorted(airflow.variables()))
    )


def wait_until_hanging(airflow: LocalAirflow, dag_id: str, run_id: str, task_id: str) -> int:
    try_number = airflow.wait_for_running(dag_id, run_id, task_id).try_number
    return int(wait_for_variable(airflow, f"hanging-{run_id}-{try_number}"))


def processes_with(word: str) -> list[psutil.Process]:
    """Return the live processes that name ``word`` in their environment or command line."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.environ().values(), *process.cmdline()]
        except psutil.Error:
            continue
        if any(word in one for one in words) and process.pid != os.getpid():
            found.append(process)
    return found


def test_what_tasks_leave_behind_is_visible(airflow: LocalAirflow) -> None:
    """The task state of a killed attempt outlives it, its own XComs do not, and values arrive as they were."""
    airflow.wait_for_dag("killable")
    run_id = airflow.trigger("killable", {"hang_on": [1]})
    pid = wait_until_hanging(airflow, "killable", run_id, "work")
    assert airflow.xcom("killable", run_id, "work", "own") == 1
    airflow.kill_task("killable", run_id, "work")
    assert airflow.wait_for_run("killable", run_id) == "success"

    assert airflow.xcom("killable", run_id, "before") == [1, {"two": 2.5}]
    assert airflow.xcom("killable", run_id, "work")["host"] == "connected.example"
    with pytest.raises(LookupError, match="own"):
        airflow.xcom("killable", run_id, "work", "own")
    keys = [(row.task_id, row.key) for row in airflow.xcom_rows() if row.run_id == run_id]
    assert keys == [("before", "return_value"), ("work", "return_value")]
    states = [(row.task_id, row.key, row.value) for row in airflow.task_state_rows() if row.run_id == run_id]
    assert states == ([("work", "seen", {"attempt": 1})] if HAS_TASK_STATE else [])
    assert airflow.variables()[f"hanging-{run_id}-1"] == str(pid)


def test_waiting_says_what_was_seen(airflow: LocalAirflow) -> None:
    """A wait that ends in vain names the states it saw, at once when what it waits for cannot come any more."""
    airflow.wait_for_dag("killable")
    run_id = airflow.trigger("killable", {"hang_on": [1]})
    wait_until_hanging(airflow, "killable", run_id, "work")
    with pytest.raises(TimeoutError, match=r"before\[-1\] try 1 success; work\[-1\] try 1 running"):
        airflow.wait_for_run("killable", run_id, timeout=0.2)
    airflow.kill_task("killable", run_id, "work")
    assert airflow.wait_for_run("killable", run_id) == "success"
    with pytest.raises(RuntimeError, match="attempt 3 of work is over or never came: run success"):
        airflow.wait_for_running("killable", run_id, "work", 3)
    with pytest.raises(LookupError, match="no running process of work"):
        airflow.kill_task("killable", run_id, "work")


def test_broken_dag_file_is_reported(airflow: LocalAirflow, dags_folder: Path) -> None:
    """Waiting for a DAG whose file does not import raises with the traceback."""
    broken = dags_folder / "broken.py"
    broken.write_text("from airflow.providers.common.compat.sdk import dag\n1 / 0\n")
    try:
        with pytest.raises(RuntimeError, match=r"(?s)broken\.py does not import.*ZeroDivisionError"):
            airflow.wait_for_dag("broken")
    finally:
        broken.unlink()
        wait_until(
            lambda: None if airflow.database.import_errors() else True,
            30.0,
            "the error to be withdrawn",
            lambda: "still",
        )


def test_failed_start_carries_the_logs_and_leaves_nothing(tmp_path: Path) -> None:
    """An Airflow that cannot start raises with the end of its components' output, and none of them stays."""
    with pytest.raises(RuntimeError, match=r"(?s)ended by itself.*no_such_executor"):
        LocalAirflow(tmp_path, tmp_path, {"AIRFLOW__CORE__EXECUTOR": "no_such_executor.Executor"}).__enter__()
    assert processes_with(str(tmp_path)) == []


def test_nothing_is_left_running(tmp_path: Path, dags_folder: Path) -> None:
    """Leaving ends tasks that ignore SIGTERM and children that went into sessions of their own; HOME stays empty."""
    user_home = tmp_path / "user"
    user_home.mkdir()
    home = tmp_path / "airflow"
    with LocalAirflow(home, dags_folder, {"HOME": str(user_home)}) as airflow:
        airflow.wait_for_dag("immortal")
        run_id = airflow.trigger("immortal")
        pids = [
            wait_until_hanging(airflow, "immortal", run_id, "stubborn"),
            int(wait_for_variable(airflow, "stubborn-child")),
        ]
        sessions = {os.getsid(pid) for pid in pids}
        assert len(sessions) == len(pids)
    for pid in pids:
        wait_until_gone(pid)
    assert processes_with(str(home)) == []
    assert list(user_home.iterdir()) == []


def test_homes_are_prepared_side_by_side(tmp_path: Path) -> None:
    """Two that ask for the first database at the same time both get a whole one, and a home is not prepared twice."""
    homes = [tmp_path / "one", tmp_path / "two"]
    threads = [threading.Thread(target=prepare_home, args=(home, tmp_path / "cache")) for home in homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for home in homes:
        assert MetadataDatabase(home / DATABASE_NAME).run_ids("any") == []
    assert len(list((tmp_path / "cache").glob("*.db"))) == 1
    with pytest.raises(FileExistsError, match="already holds"):
        prepare_home(homes[0], tmp_path / "cache")
