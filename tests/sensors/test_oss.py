"""The two sensors, waiting in the worker and deferred."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    BaseOperator,
    TaskDeferred,
)

from airflow_provider_oss import cancellation
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor
from airflow_provider_oss.watch import FoundObject
from tests.conftest import BUCKET
from tests.triggers.support import restored

HOUR = 3600.0

Run = Callable[[Callable[[], BaseOperator]], Any]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that sensors made between two looks in the worker: they are over at once, and the time has passed."""
    made: list[float] = []
    passed = 0.0
    now, monotonic = time.time, time.monotonic

    def pause(seconds: float, _check: object) -> None:
        nonlocal passed
        passed += seconds
        made.append(seconds)

    monkeypatch.setattr(cancellation, "pause", pause)
    monkeypatch.setattr(time, "time", lambda: now() + passed)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed)
    return made


@pytest.fixture(autouse=True)
def connected(connect: Callable[..., str]) -> None:
    """Airflow has the connection ``oss_default``."""
    connect()


def test_every_text_is_templated(run: Run, hook: OSSHook) -> None:
    """Keys, bucket, connection and conditions may be templates."""
    hook.put_object("in/2026-11-21.csv", b"12345")
    hook.put_object("csv/a", b"12345")
    found = run(
        lambda: OSSKeySensor(
            task_id="wait",
            oss_conn_id="oss_{{ 'default' }}",
            key=["in/{{ ds }}.csv", "{{ params.kind }}/*"],
            bucket_name="{{ 'exports' }}",
            wildcard_match=True,
            min_matches="{{ 0 + 1 }}",
            min_size="{{ 2 + 3 }}",
            min_age="{{ 0 }}",
            modified_after="{{ ds }}T00:00:00+00:00",
        )
    )
    assert found == [f"oss://{BUCKET}/in/2026-11-21.csv", f"oss://{BUCKET}/csv/a"]


def test_waiting_in_the_worker(run: Run, hook: OSSHook, pauses: list[float]) -> None:
    """Without a triggerer the sensor looks again after each interval, until its timeout."""

    def check(objects: list[FoundObject]) -> bool:
        hook.put_object("in/b.csv", b"22")
        return len(objects) == 2

    hook.put_object("in/a.csv", b"1")
    found = run(lambda: OSSKeySensor(task_id="wait", key="in/*", wildcard_match=True, check=check))
    assert found == [f"oss://{BUCKET}/in/a.csv", f"oss://{BUCKET}/in/b.csv"]
    assert pauses == [60.0]
    with pytest.raises(AirflowSensorTimeout):
        run(lambda: OSSKeySensor(task_id="wait", key="never", poke_interval=10, timeout=25))
    assert pauses[1:] == [10.0] * 3


def test_check_sees_the_objects(run: Run, hook: OSSHook) -> None:
    """A check function gets what counts, with address, size, ETag and time of change."""
    hook.put_object("in/a.csv", b"123")
    hook.put_object("in/empty.csv", b"")
    seen: list[FoundObject] = []
    run(
        lambda: OSSKeySensor(
            task_id="wait",
            key="in/*.csv",
            wildcard_match=True,
            min_size=1,
            check=lambda found: seen.extend(found) or True,
        )
    )
    [one] = seen
    assert (one.uri, one.key, one.size, one.storage_class) == (f"oss://{BUCKET}/in/a.csv", "in/a.csv", 3, "Standard")
    assert one.last_modified.utcoffset() == timedelta(0)


def test_check_that_raises(run: Run, hook: OSSHook) -> None:
    """What a check function raises is raised."""
    hook.put_object("a.csv", b"1")
    with pytest.raises(KeyError, match="x"):
        run(lambda: OSSKeySensor(task_id="wait", key="a.csv", check=lambda _objects: dict[str, str]()["x"]))


def test_check_of_a_deferred_sensor(run: Run, hook: OSSHook) -> None:
    """The trigger waits for other objects than those that the check was not content with."""
    hook.put_object("a.csv", b"1")
    with pytest.raises(TaskDeferred) as caught:
        run(lambda: OSSKeySensor(task_id="wait", key="a.csv", deferrable=True, check=lambda found: found[0].size > 1))
    trigger: Any = restored(caught.value.trigger)
    assert trigger.look(hook) is None
    hook.put_object("a.csv", b"12")
    assert trigger.look(hook) == {}


def test_conditions_of_a_deferred_sensor(run: Run) -> None:
    """The trigger knows all conditions of the sensor."""
    with pytest.raises(TaskDeferred) as caught:
        run(
            lambda: OSSKeySensor(
                task_id="wait",
                key=["in/*.csv", "b"],
                bucket_name="other",
                wildcard_match=True,
                min_matches=2,
                min_size=3,
                min_age=timedelta(minutes=1),
                modified_after="2026-11-24T00:00:00Z",
                deferrable=True,
            )
        )
    watched = caught.value.trigger.serialize()[1]["watched"]
    assert watched == {
        "keys": ("in/*.csv", "b"),
        "bucket_name": "other",
        "wildcard_match": True,
        "min_matches": 2,
        "min_size": 3,
        "min_age": 60.0,
        "modified_after": 1795478400.0,
    }


def test_settled_in_the_worker(run: Run, hook: OSSHook, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix has settled when nothing has changed for so long; a change in between begins the wait anew."""
    hook.put_object("in/a.csv", b"1")
    sleep = cancellation.pause

    def pause(seconds: float, check: Callable[[], None]) -> None:
        if not pauses:
            hook.put_object("in/b.csv", b"2")
        sleep(seconds, check)

    monkeypatch.setattr(cancellation, "pause", pause)
    result = run(
        lambda: OSSKeysUnchangedSensor(
            task_id="wait", prefix="{{ 'in' }}", inactivity_period="{{ 150 }}", min_objects="{{ 1 }}"
        )
    )
    assert (result["uri"], result["objects"], result["size"]) == (f"oss://{BUCKET}/in/", 2, 2)
    assert pauses == [60.0] * 4


def test_settled_deferred(run: Run, hook: OSSHook) -> None:
    """A deferred sensor hands on what its first look has seen, and returns what the trigger tells."""
    hook.put_object("in/a.csv", b"1")
    made: list[OSSKeysUnchangedSensor] = []

    def build() -> OSSKeysUnchangedSensor:
        made.append(
            OSSKeysUnchangedSensor(
                task_id="wait", prefix="in", inactivity_period=HOUR, allow_delete=False, deferrable=True
            )
        )
        return made[0]

    with pytest.raises(TaskDeferred) as caught:
        run(build)
    path, arguments = caught.value.trigger.serialize()
    assert path == "airflow_provider_oss.triggers.oss.OSSKeysUnchangedTrigger"
    assert arguments["settling"]["snapshot"]["objects"] == 1
    assert arguments["watched"] == {
        "prefix": "in",
        "bucket_name": None,
        "inactivity_period": HOUR,
        "min_objects": 1,
        "allow_delete": False,
    }
    result = {"uri": "oss://exports/in/", "objects": 1}
    event = {"status": "success", "result": result}
    assert made[0].resume_execution("execute_complete", {"event": event, "deadline": 4e9}, {}) == result


def test_a_deletion_that_is_not_allowed(run: Run, hook: OSSHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without allow_delete a deletion fails the task for good: the next attempt would not know of it."""
    hook.put_object("in/a.csv", b"1")
    monkeypatch.setattr(cancellation, "pause", lambda *_: hook.delete_object("in/a.csv"))
    with pytest.raises(
        AirflowFailException, match=r"OSSObjectsDeleted: 1 objects below oss://exports/in/.*'in/a\.csv'"
    ):
        run(lambda: OSSKeysUnchangedSensor(task_id="wait", prefix="in", allow_delete=False))


def test_reschedule_is_refused() -> None:
    """A mode in which every look is a new process, which knows nothing of the last one, is refused when it is made."""
    with pytest.raises(ValueError, match="Only 'poke' is acceptable"):
        OSSKeysUnchangedSensor(task_id="wait", prefix="in", mode="reschedule")


@pytest.mark.parametrize(
    ("sensor", "argument"), [(OSSKeySensor, "key"), (OSSKeysUnchangedSensor, "prefix")], ids=["key", "unchanged"]
)
def test_mapping(sensor: type[BaseOperator], argument: str) -> None:
    """A sensor can be mapped over what it waits for, with its usual arguments fixed."""
    with DAG("mapped", schedule=None):
        mapped = sensor.partial(task_id="wait", deferrable=True, poke_interval=5, soft_fail=True).expand(
            **{argument: ["a", "b"]}
        )
    assert mapped.operator_class is sensor
