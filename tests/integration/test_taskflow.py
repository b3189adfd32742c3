"""``@task.oss_upload`` in a real Airflow: killed in the middle, and skipped where an earlier attempt left something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.integration.test_interrupted_streams import stream_file
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_version import DEFAULT_STORE

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

DAG_ID = "upload_taskflow"
PART_SIZE = 8 * MIB
IN_FLIGHT_BYTES = DEFAULT_PARALLEL * PART_SIZE
MIB_PER_SECOND = 4.0  # of each connection


def start(uploads: Uploads, expected: Path, key: str, **conf: Any) -> RunningUpload:
    """Upload what the function yields; ``expected`` holds the bytes that the object is to have."""
    run_id = uploads.trigger(DAG_ID, size_bytes=expected.stat().st_size, key=key, **conf)
    return RunningUpload(uploads, DAG_ID, run_id, expected, f"{run_id}/{key}")


def test_a_kill(uploads: Uploads, folder: Path) -> None:
    """A generator of 120 MB whose task is SIGKILLed sends again only what was in flight; its key is a template."""
    expected = stream_file(folder / "taskflow.bin", 120 * 10**6)
    upload = start(uploads, expected, "killed.bin")
    uploads.slow_down(upload.key, MIB_PER_SECOND)
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=5)
    upload.kill()
    assert uploads.unfinished() == [upload.key]
    assert uploads.checkpoints() == {f"{DEFAULT_STORE} {upload.owner}"}
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert upload.result()["bytes_verified"] >= 5 * PART_SIZE
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


@pytest.mark.parametrize(
    "skipping", [{"skip_at": {"2": 30 * 10**6}}, {"skip_before": 2}], ids=["by the function", "by skip_if"]
)
def test_skipped(uploads: Uploads, folder: Path, skipping: dict[str, Any]) -> None:
    """An attempt that is skipped leaves nothing of what the one before it has stored."""
    size_bytes = 50 * 10**6
    expected = stream_file(folder / "skipped.bin", size_bytes)
    upload = start(uploads, expected, "skipped.bin", raise_at={"1": 40 * 10**6}, **skipping)
    assert upload.end() == "success"  # of the run, in which nothing failed

    assert upload.attempts() == ["failed", "skipped"]
    assert "the generator fails at byte 40000000" in upload.log(1)
    assert upload.stored_parts() >= 4
    assert not uploads.bucket.object_exists(upload.key)
    uploads.assert_nothing_left()
