"""DAGs whose tasks hang until they are killed, for the tests of the local Airflow itself.

A run's ``conf`` says on which attempts (``hang_on``) the task hangs. An attempt that hangs first leaves its pid in the
Variable ``hanging-<run id>-<attempt>``, which is how a test knows that the task's own code has begun.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.common.compat.sdk import BaseHook, Variable, dag, get_current_context, task


def _hang_if_asked_to() -> None:
    context = get_current_context()
    if context["ti"].try_number in (context["dag_run"].conf or {})["hang_on"]:
        _hang()


def _hang() -> NoReturn:
    ti = get_current_context()["ti"]
    Variable.set(f"hanging-{ti.run_id}-{ti.try_number}", str(os.getpid()))
    while True:
        threading.Event().wait()


@task
def before() -> list[Any]:
    """Return something that is neither text nor a bare number."""
    return [1, {"two": 2.5}]


@task(retries=3, retry_delay=timedelta(seconds=1), multiple_outputs=False)
def work() -> dict[str, Any]:
    """Leave traces of the first attempt in the task state store and in its own XCom, then hang or say what it knows."""
    context = get_current_context()
    ti, store = context["ti"], context.get("task_state_store")
    if ti.try_number == 1:
        if store is not None:  # since Airflow 3.3
            store.set("seen", {"attempt": ti.try_number})
        ti.xcom_push("own", ti.try_number)
    _hang_if_asked_to()
    return {"attempt": ti.try_number, "pid": os.getpid(), "host": BaseHook.get_connection("harness").host}


@task
def stubborn() -> None:
    """Ignore SIGTERM, start a child in a session of its own, and hang."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Variable.set("stubborn-child", str(child.pid))
    _hang()


@dag(schedule=None)
def killable() -> None:
    """One task to kill, after one that leaves an XCom."""
    before() >> work()


@dag(schedule=None)
def immortal() -> None:
    """A task that has to be ended by force."""
    stubborn()


killable()
immortal()
