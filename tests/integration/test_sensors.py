"""Deferred sensors in a real Airflow: what ends their wait, and that nothing but a missing object is waited for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_oss.emulator import Fault
from tests.conftest import BUCKET, connection_json
from tests.integration.uploading import Uploads
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from airflow_provider_oss.emulator import OSSEmulator
    from tests.support.local_airflow import LocalAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]


@pytest.fixture(autouse=True)
def triggerer(airflow: LocalAirflow, server: OSSEmulator) -> None:
    """A triggerer is running, and the server has noted no requests."""
    airflow.start_triggerer()
    server.forget_requests()


def wait_until_deferred(uploads: Uploads, dag_id: str, run_id: str, task_id: str = "wait") -> None:
    """Wait until the task has given its worker slot back."""

    def look() -> bool | None:
        states = {row.task_id: row.state for row in uploads.airflow.task_instances(dag_id, run_id)}
        return True if states.get(task_id) == "deferred" else None

    wait_until(look, 60.0, f"{task_id} to be deferred", lambda: str(uploads.airflow.task_instances(dag_id, run_id)))


def looks(server: OSSEmulator, key: str) -> int:
    """Return how often the key was asked for."""
    return len([one for one in server.requests if (one.operation, one.key) == ("HeadObject", key)])


def test_key_comes_while_deferred(uploads: Uploads, server: OSSEmulator) -> None:
    """A deferred sensor ends when the object is there, and returns its address."""
    key = "incoming/late.csv"
    run_id = uploads.trigger("wait_for_key", key=key)
    wait_until_deferred(uploads, "wait_for_key", run_id)
    assert looks(server, key) >= 1
    uploads.bucket.put_object(key, b"late")
    assert uploads.airflow.wait_for_run("wait_for_key", run_id) == "success"

    assert uploads.airflow.xcom("wait_for_key", run_id, "wait") == [f"oss://{BUCKET}/{key}"]
    assert len(uploads.airflow.attempts("wait_for_key", run_id, "wait")) == 1


@pytest.mark.parametrize(
    ("fields", "fault", "error"),
    [
        ({"password": "wrong-secret-of-a-test"}, None, "OSSAccessDenied"),
        ({"schema": "not-there"}, None, "OSSNoSuchBucket"),
        ({}, Fault(key="refused.csv", status=403, code="AccessDenied"), "OSSAccessDenied"),
    ],
    ids=["wrong-secret", "wrong-bucket", "no-permission"],
)
def test_only_what_is_missing_is_waited_for(
    uploads: Uploads,
    server: OSSEmulator,
    request: pytest.FixtureRequest,
    fields: dict[str, Any],
    fault: Any,
    error: str,
) -> None:
    """A wrong secret, a bucket that is not there and a refusal fail the task at its first look, without a retry."""
    conn_id = f"oss_{request.node.callspec.id}"
    connection = json.loads(connection_json(server, **fields))
    uploads.airflow.add_connection(conn_id, connection | {"extra": json.dumps(connection["extra"])})
    if fault is not None:
        server.faults.add(fault)
    run_id = uploads.trigger("wait_for_key", key="refused.csv", conn=conn_id)
    assert uploads.airflow.wait_for_run("wait_for_key", run_id) == "failed"

    assert len(uploads.airflow.attempts("wait_for_key", run_id, "wait")) == 1
    assert [one.operation for one in server.requests if one.key == "refused.csv"] == ["HeadObject"]
    log = uploads.airflow.task_log("wait_for_key", run_id, "wait", 1)
    assert error in log
    assert "wrong-secret-of-a-test" not in log


def test_refusal_while_deferred(uploads: Uploads, server: OSSEmulator) -> None:
    """What is refused in the triggerer fails the task as it would have in the worker: no retry, and the reason."""
    key = "incoming/refused-later.csv"
    run_id = uploads.trigger("wait_for_key", key=key)
    wait_until_deferred(uploads, "wait_for_key", run_id)
    server.faults.add(Fault(key=key, status=403, code="AccessDenied"))
    assert uploads.airflow.wait_for_run("wait_for_key", run_id) == "failed"

    assert len(uploads.airflow.attempts("wait_for_key", run_id, "wait")) == 1
    assert "OSSAccessDenied" in uploads.airflow.task_log("wait_for_key", run_id, "wait", 1)


def test_outage_while_deferred(uploads: Uploads, server: OSSEmulator) -> None:
    """Errors that may pass are repeated by the hook and then fail the attempt; the next one waits on."""
    key = "incoming/outage.csv"
    run_id = uploads.trigger("wait_for_key", key=key)
    wait_until_deferred(uploads, "wait_for_key", run_id)
    server.faults.add(Fault(key=key, status=503, times=5))
    server.faults.wait_for_hits(5, 60.0)
    uploads.bucket.put_object(key, b"after the outage")
    assert uploads.airflow.wait_for_run("wait_for_key", run_id) == "success"

    states = [attempt.state for attempt in uploads.airflow.attempts("wait_for_key", run_id, "wait")]
    assert states[-1] == "success"
    assert len(states) == 2
    assert "OSSServiceUnavailable" in uploads.airflow.task_log("wait_for_key", run_id, "wait", 1)


def test_check_is_asked_in_the_worker(uploads: Uploads, server: OSSEmulator) -> None:
    """A check function is asked again when other objects match, and not while they are the same."""
    run_id = uploads.trigger("wait_for_check", key="checked/*.txt")
    wait_until_deferred(uploads, "wait_for_check", run_id)
    uploads.bucket.put_object("checked/a.txt", b"one\n")

    def log() -> str:
        return uploads.airflow.task_log("wait_for_check", run_id, "wait", 1)

    def refusals() -> int:
        return log().count("check is not content with these 1 objects")

    wait_until(lambda: refusals() or None, 60.0, "the check to be asked", log)
    server.forget_requests()
    wait_until(lambda: len(server.requests) >= 3 or None, 60.0, "the trigger to go on", lambda: str(server.requests))
    assert refusals() == 1
    uploads.bucket.put_object("checked/b.txt", b"one\ntwo\n")
    assert uploads.airflow.wait_for_run("wait_for_check", run_id) == "success"

    found = uploads.airflow.xcom("wait_for_check", run_id, "wait")
    assert found == [f"oss://{BUCKET}/checked/a.txt", f"oss://{BUCKET}/checked/b.txt"]
    assert refusals() == 1


def test_unchanged_survives_the_death_of_the_triggerer(uploads: Uploads, airflow: LocalAirflow) -> None:
    """A prefix settles though the triggerer is killed and another takes over; what came late is in the result."""
    uploads.bucket.put_object("settling/a.csv", b"12")
    run_id = uploads.trigger("wait_for_unchanged", prefix="settling")
    wait_until_deferred(uploads, "wait_for_unchanged", run_id)
    airflow.kill_triggerer()
    uploads.bucket.put_object("settling/b.csv", b"345")
    airflow.start_triggerer()
    assert airflow.wait_for_run("wait_for_unchanged", run_id) == "success"

    result = airflow.xcom("wait_for_unchanged", run_id, "wait")
    assert (result["uri"], result["objects"], result["size"]) == (f"oss://{BUCKET}/settling/", 2, 5)


def test_timeout_with_soft_fail(uploads: Uploads) -> None:
    """When time is over a deferred sensor with soft_fail is skipped."""
    run_id = uploads.trigger("wait_too_long", key="incoming/never.csv")
    assert uploads.airflow.wait_for_run("wait_too_long", run_id) == "success"
    [row] = uploads.airflow.task_instances("wait_too_long", run_id)
    assert row.state == "skipped"


def test_example(uploads: Uploads) -> None:
    """The example waits for the marker, for objects of a pattern, and until all has settled."""
    prefix, dag_id = "incoming/example", "oss_wait_for_objects"
    for name in ("_SUCCESS", "manifest.json", "hourly/00.csv", "hourly/01.csv"):
        uploads.bucket.put_object(f"{prefix}/{name}", b"1")
    run_id = uploads.trigger(dag_id, prefix=prefix, hours=2, quiet_seconds=2)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"

    marker, hourly, settled = (uploads.airflow.xcom(dag_id, run_id, task) for task in ("marker", "hourly", "settled"))
    assert marker == [f"oss://{BUCKET}/{prefix}/{name}" for name in ("_SUCCESS", "manifest.json")]
    assert hourly == [f"oss://{BUCKET}/{prefix}/hourly/{name}" for name in ("00.csv", "01.csv")]
    assert (settled["objects"], settled["size"]) == (4, 4)
