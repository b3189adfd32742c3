"""A sensor that is left while it pauses between two looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.sensors.oss import OSSKeySensor
from tests.conftest import connection_json
from tests.support.leaving import CALLER_SECONDS, WAYS, Leaver, Way, Work
from tests.support.waiting import wait_until


def make_sensor(arguments: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[], None]]:
    """Return what waits for an object that never comes, and ``on_kill``."""
    sensor = OSSKeySensor(task_id="wait", key="key", poke_interval=60, **arguments)
    context: Any = {"ti": SimpleNamespace(try_number=1), "task": sensor}

    def wait() -> None:
        sensor.render_template_fields(context)
        sensor.execute(context)

    return wait, sensor.on_kill


def takes_a_minute(_: Any) -> bool:
    """Stand for a check that waits for something else."""
    time.sleep(60)
    return False


def leave_when(server: OSSEmulator, arguments: dict[str, Any], way: Way, is_time: Callable[[], bool]) -> None:
    work = Work(make_sensor, (arguments,), {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)})
    with Leaver(work, way) as leaver:
        wait_until(lambda: is_time() or None, 20, "a look", lambda: str(server.requests))
        left = leaver.leave()
    assert left.error != "nothing"
    assert left.seconds < CALLER_SECONDS
    assert left.threads == ()


@pytest.mark.parametrize("way", WAYS)
def test_between_two_looks(server: OSSEmulator, way: Way) -> None:
    """Airflow would sleep on until the next look."""
    leave_when(server, {}, way, lambda: bool(server.requests))


def test_one_that_goes_on_after_failures(server: OSSEmulator) -> None:
    """With ``silent_fail`` a look that fails is no reason to end, but a request to stop is."""
    server.faults.add(Fault(status=403, code="AccessDenied"))
    leave_when(server, {"silent_fail": True}, "Airflow 3", lambda: bool(server.requests))


@pytest.mark.parametrize("argument", ["soft_fail", "never_fail", "silent_fail"])
def test_one_that_is_killed_is_not_skipped(server: OSSEmulator, monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    """Whatever failures mean to it, a sensor that was told to stop ends as such: Airflow runs it again."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(server))
    wait, on_kill = make_sensor({argument: True, "timeout": 5})
    server.faults.add(Fault(stall=True))
    threading.Timer(0.3, on_kill).start()
    with pytest.raises(OSSUploadCancelled):
        wait()


def test_a_check_of_the_user(server: OSSEmulator, hook: OSSHook) -> None:
    """The user's own code is interrupted."""
    hook.put_object("key", b"x")
    server.forget_requests()
    leave_when(server, {"check": takes_a_minute}, "Airflow 3", lambda: bool(server.requests))
