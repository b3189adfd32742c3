"""An attempt in a process of its own, which may kill itself at any step. A fork server starts it in milliseconds."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeVar

import oss2  # noqa: F401 - loaded once, by the fork server
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseHook

from tests.chaos.client import Interference, disturbable
from tests.chaos.edges import airflow_edges
from tests.chaos.tasks import Attempt, Work, attempt, make_task
from tests.chaos.world import CONN_ID, demand

_SERVER: Final = multiprocessing.get_context("forkserver")
_PATIENCE_SECONDS: Final = 60.0

Task = TypeVar("Task", bound=Work)


@dataclass(frozen=True, slots=True)
class Orders(Generic[Task]):
    """What a process is to do."""

    work: Task
    connection: str
    die_at_step: int | None = None
    """Steps are the moments before and after each call of client and store, counted from 1."""
    audited: Path | None = None
    """Count as steps, too, the moments before files below it are changed, and before another server is asked."""
    execution_timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended. ``error`` is the name of the attempt's error, None for success; ``steps`` those it made."""

    exit_code: int
    steps: int = 0
    error: str | None = None
    result: Mapping[str, Any] | None = None

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.exit_code == -signal.SIGKILL

    @property
    def succeeded(self) -> bool:
        """Whether the attempt returned a result."""
        return self.exit_code == 0 and self.error is None


class Child:
    """A process that makes one attempt. Use it in a ``with`` block: it is gone afterwards."""

    def __init__(self, orders: Orders[Any]) -> None:
        _SERVER.set_forkserver_preload(["tests.chaos.child", "tests.chaos.warm"])
        self._here, there = _SERVER.Pipe()
        self._process = _SERVER.Process(target=_run, args=(orders, there))
        self._process.start()
        there.close()

    def __enter__(self) -> Self:
        demand(self._here.poll(_PATIENCE_SECONDS) and self._here.recv() == "ready", "the process begins")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._here.close()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def wait(self, seconds: float) -> None:
        """Let it work for so long, or until it ends."""
        self._process.join(seconds)

    def kill(self, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal; one that has ended already is left alone."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal_number)

    def end(self) -> End:
        """Wait until it ends and return how."""
        demand(self._here.poll(_PATIENCE_SECONDS), f"an attempt ends within {_PATIENCE_SECONDS} s")
        with suppress(EOFError):  # it was killed
            told = self._here.recv()
        self._process.join(_PATIENCE_SECONDS)
        exit_code = self._process.exitcode
        demand(exit_code is not None, f"an attempt ends within {_PATIENCE_SECONDS} s")
        assert exit_code is not None
        if exit_code == 0:
            return replace(End(exit_code), **told)
        return End(exit_code)


def run_child(orders: Orders[Any]) -> End:
    """Run a process to its end."""
    with Child(orders) as child:
        return child.end()


def _run(orders: Orders[Any], pipe: Connection) -> None:
    logging.disable()
    os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = orders.connection
    steps = _Steps(orders.die_at_step)
    state = replace(orders.work.state, before=steps, after=steps)
    work = replace(orders.work, state=state)
    with airflow_edges(state), disturbable():
        task = make_task(work)
        BaseHook.get_connection(CONN_ID)  # now: what Airflow imports for it makes other errors of a timeout
        _heed_signals(task)
        if orders.audited is not None:
            sys.addaudithook(partial(_audit, steps, str(orders.audited)))
        pipe.send("ready")
        try:
            signal.setitimer(signal.ITIMER_REAL, orders.execution_timeout_seconds or 0)
            ended = attempt(work, Interference(before=steps, after=steps), task=task)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except AirflowTaskTimeout as timeout:
            ended = Attempt(error=timeout)
    error = None if ended.error is None else type(ended.error).__name__
    pipe.send({"steps": steps.count, "error": error, "result": ended.result and json.loads(json.dumps(ended.result))})


def _heed_signals(task: Any) -> None:
    """Do what Airflow's task runner does: on_kill in the handler of SIGTERM, an error out of that of a timer."""

    def time_out(*_: object) -> None:
        raise AirflowTaskTimeout("execution_timeout")

    signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    signal.signal(signal.SIGALRM, time_out)


_CHANGES_FILES: Final = ("os.link", "os.remove", "os.rename", "os.truncate")
_ASKS_ELSEWHERE: Final = ("http.client.send", "sqlite3.connect")


def _audit(steps: _Steps, folder: str, event: str, arguments: tuple[Any, ...]) -> None:
    if event in _ASKS_ELSEWHERE or (event in _CHANGES_FILES and str(arguments[0]).startswith(folder)):
        steps(event)


class _Steps:
    """Counts, and kills this process at the chosen one."""

    def __init__(self, die_at: int | None) -> None:
        self._die_at = die_at
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self, _what: str) -> None:
        with self._lock:
            self.count = next(self._numbers)
            if self.count == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
