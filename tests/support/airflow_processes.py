"""Airflow's processes: each component starts in a session of its own, and at the end nothing of them is left.

Facts of Airflow 3.3.2 that this module answers: a task's process has a process group of its own (ending the
scheduler's group would miss it), a worker that was told SIGTERM waits for its task, and killing a parent leaves the
children running. So a process is ours when its session is one of ours *or* it has our AIRFLOW_HOME in its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from tests.support.airflow_home import airflow_executable
from tests.support.waiting import POLL_INTERVAL_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 40
_GRACE_SECONDS = 3.0
_KILL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Component:
    """One started Airflow command and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """Return the end of the component's output under a heading that names it."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        state = "running" if self.process.poll() is None else f"ended with {self.process.returncode}"
        return "\n".join([f"--- {self.name} ({state}), last lines of {self.log.name}:", *lines])


class AirflowProcesses:
    """The components of one Airflow home."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = environment
        self.components: list[Component] = []

    def start(self, name: str, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Component:
        """
        Start ``airflow <arguments>`` in a session of its own, its output in ``<home>/<name>.log``.

        ``variables`` are its own, beside the environment that all components share.
        """
        log = self.home / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(airflow_executable()), *arguments],
                env=dict(self.environment) | dict(variables or {}),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        component = Component(name, process, log)
        self.components.append(component)
        return component

    def named(self, name: str) -> list[Component]:
        """Return the components of this name that were started and not ended."""
        return [component for component in self.components if component.name == name]

    def kill(self, component: Component) -> None:
        """Kill one component with all that it has started, as when its machine dies."""
        self._until_each(component, lambda process: process.kill(), {psutil.STATUS_ZOMBIE})
        component.process.wait(_KILL_SECONDS)
        self.components.remove(component)

    def freeze(self, component: Component) -> None:
        """Stop one component with all that it has started, as when its machine hangs."""
        self._until_each(component, lambda process: process.suspend(), {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE})

    def wake(self, component: Component) -> None:
        """Let go on what was frozen."""
        for process in self._session(component):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def leave(self, component: Component) -> None:
        """Tell one component to end when it has done what it does, which is no failure of it."""
        self.components.remove(component)
        component.process.terminate()

    def _until_each(self, component: Component, act: Callable[[psutil.Process], None], wanted: set[str]) -> None:
        """Do it to each process of the component, those started meanwhile too, until each is in a wanted state."""

        def look() -> bool | None:
            others = [process for process in self._session(component) if _status(process) not in wanted]
            for process in others:
                with suppress(psutil.NoSuchProcess):
                    act(process)
            return None if others else True

        wait_until(look, _KILL_SECONDS, f"all of {component.name} to obey", lambda: str(self._session(component)))

    def _session(self, component: Component) -> list[psutil.Process]:
        """Return the component's process and all that it has started; tasks have groups, not sessions, of their own."""
        return [process for process in psutil.process_iter() if _session_of(process) == component.process.pid]

    def check_alive(self) -> None:
        """Raise ``RuntimeError`` with the end of every component's output when one of them has ended."""
        ended = [component.name for component in self.components if component.process.poll() is not None]
        if ended:
            raise RuntimeError(f"Airflow {', '.join(ended)} ended by itself\n{self.tails()}")

    def tails(self) -> str:
        """Return the end of every component's output."""
        return "\n".join(component.tail() for component in self.components)

    def alive(self) -> list[psutil.Process]:
        """Return every live process that belongs to this Airflow, tasks and their children included."""
        sessions = {component.process.pid for component in self.components}
        home = str(self.home)
        return [one for one in psutil.process_iter() if belongs(one, sessions, "AIRFLOW_HOME", home)]

    def supervisor(self, pid: int) -> int:
        """Return the pid of the process that watches over this task process. Raises ``LookupError`` when it is gone."""
        parent = psutil.Process(pid).ppid()
        started = {component.process.pid for component in self.components}
        if os.getsid(parent) not in started or parent in started:
            raise LookupError(f"the parent {parent} of task process {pid} is no supervisor of this Airflow")
        return parent

    def stop(self) -> None:
        """End every process of this Airflow: politely, after 3 s by SIGKILL, until none is left.

        Raises ``RuntimeError`` naming the processes that outlive SIGKILL by 15 s.
        """
        self._signal_until_ended(signal.SIGTERM, _GRACE_SECONDS)
        left = self._signal_until_ended(signal.SIGKILL, _KILL_SECONDS)
        if left:
            raise RuntimeError(f"processes of {self.home} survive SIGKILL: {left}")
        for component in self.components:
            component.process.wait()

    def _signal_until_ended(self, signal_number: signal.Signals, seconds: float) -> list[psutil.Process]:
        """Send the signal to all that live, once to each, and return those that are left after at most ``seconds``."""
        told: set[psutil.Process] = set()
        deadline = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < deadline:
            for process in set(left) - told:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal_number)
            told.update(left)
            time.sleep(POLL_INTERVAL_SECONDS)
        return left


def wait_until_gone(pid: int, timeout_seconds: float = 30.0) -> None:
    """Wait until the process runs no more. Raises ``TimeoutError``."""
    wait_until(
        lambda: None if is_running(pid) else True,
        timeout_seconds,
        f"the end of process {pid}",
        lambda: "still running",
    )


def is_running(pid: int) -> bool:
    """Say whether the process can still do something: an orphan's remains stay where nobody collects them."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def belongs(process: psutil.Process, sessions: set[int], variable: str, value: str) -> bool:
    """Whether it lives, and is of one of the sessions or has this variable: a title of its own overwrites variables."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.getsid(process.pid) in sessions or process.environ().get(variable) == value
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    except (psutil.AccessDenied, PermissionError):  # somebody else's process, so not ours
        return False
