"""One object by many mapped tasks in a real Airflow: killed, cleared, and marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss.limits import MIB
from tests.integration.conftest import random_file
from tests.integration.dags.groups import PART_SIZE
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_processes import wait_until_gone

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

DAG_ID = "mapped_upload"
IN_FLIGHT_BYTES = 3 * PART_SIZE


def start(uploads: Uploads, file: Path, key: str) -> RunningUpload:
    """Start a run; what is looked at first is the range in the middle."""
    run_id = uploads.trigger(DAG_ID, source=str(file), key=key)
    return RunningUpload(uploads, DAG_ID, run_id, file, key, "upload.send", map_index=1)


def received(upload: RunningUpload) -> int:
    return sum(request.bytes_received for request in upload.uploads.part_requests(upload.key))


def test_a_killed_range(uploads: Uploads, folder: Path) -> None:
    """Only the range that is killed runs again; then each task is cleared, and nothing is sent any more."""
    file = random_file(folder / "mapped.bin", 24 * MIB)
    uploads.slow_down("mapped/killed.bin", 0.6)
    upload = start(uploads, file, "mapped/killed.bin")
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=4)
    upload.kill()
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    others = [replace(upload, map_index=index).attempts() for index in (0, 2)]
    assert others == [["success"], ["success"]]
    uploads.assert_equal(upload.key, file)
    assert uploads.unfinished() == []
    assert received(upload) <= 24 * MIB + IN_FLIGHT_BYTES
    [record] = (one for one in uploads.plans() if upload.run_id in one)
    assert record.endswith(f"{DAG_ID}/{upload.run_id}/upload.plan")
    assert uploads.checkpoints() == set()
    result = uploads.airflow.xcom(DAG_ID, upload.run_id, "upload.complete")
    assert (result["size"], result["bytes_sent"] + result["bytes_verified"]) == (24 * MIB, 24 * MIB)

    sent = received(upload)
    for task_id, map_index in (("upload.send", 1), ("upload.complete", -1)):
        uploads.airflow.clear(DAG_ID, upload.run_id, task_id, map_index)
        assert upload.end() == "success"
    assert received(upload) == sent
    uploads.assert_equal(upload.key, file)
    assert uploads.unfinished() == []


def test_cleared_as_a_whole(uploads: Uploads, folder: Path) -> None:
    """A group whose range was marked as successful says so; cleared from its plan on, it continues and is whole."""
    file = random_file(folder / "marked.bin", 12 * MIB)
    uploads.slow_down("mapped/marked.bin", 0.01, after_parts=3)
    upload = start(uploads, file, "mapped/marked.bin")
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=3)
    pid = uploads.airflow.task_process(DAG_ID, upload.run_id, "upload.send", upload.map_index)
    uploads.airflow.set_task_state(DAG_ID, upload.run_id, "upload.send", "success", upload.map_index)
    wait_until_gone(pid)
    uploads.server.faults.clear()
    assert upload.end() == "failed"
    told = uploads.airflow.task_log(DAG_ID, upload.run_id, "upload.complete", 1)
    assert "was sent from part 5 on is missing, or of another plan: clear the task that sends it" in told
    assert uploads.unfinished() == [upload.key]

    uploads.airflow.clear(DAG_ID, upload.run_id, "upload.plan", downstream=True)
    assert upload.end() == "success"
    uploads.assert_equal(upload.key, file)
    assert uploads.unfinished() == []
    assert received(upload) <= 12 * MIB + 3 * IN_FLIGHT_BYTES
