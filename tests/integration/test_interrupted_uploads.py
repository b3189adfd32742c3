"""The promise of the package: whatever ends an attempt, the next one continues, and the object equals the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Fault
from tests.integration.dags.uploads import PARALLEL, PART_SIZE
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_version import DEFAULT_STORE, STORES

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

IN_FLIGHT = PARALLEL + 1
IN_FLIGHT_BYTES = IN_FLIGHT * PART_SIZE
MIB_PER_SECOND = 4.0  # of each connection: slow enough to be interrupted in the middle on a busy machine

each_store = pytest.mark.parametrize("store", STORES)


def assert_kept_in(upload: RunningUpload, store: str) -> None:
    """The upload is unfinished, and its checkpoint is in this store and no other."""
    assert upload.uploads.unfinished() == [upload.key]
    assert upload.uploads.checkpoints() == {f"{store} {upload.owner}"}


@each_store
def test_two_kills(uploads: Uploads, file_200: Path, store: str) -> None:
    """An upload that is SIGKILLed twice in the middle sends again only what was in flight, and leaves nothing."""
    key = f"killed/{store}.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start(f"upload_{store}", file_200, key)
    for try_number in (1, 2):
        upload.wait_for_attempt(try_number)
        upload.wait_until_stored(more_parts=12)
        upload.kill()
        assert_kept_in(upload, store)
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    upload.assert_killed(1, 2)
    assert upload.result()["attempts"] == 3
    assert upload.result()["bytes_verified"] >= 24 * PART_SIZE
    told = upload.record()["attempts"]
    assert [each["state"] for each in told] == ["killed", "killed", "succeeded"]
    numbers = [each["number"] for each in told]
    assert numbers == sorted({*numbers})  # Airflow 2 may count a try that never began
    assert (told[-1]["sent"], told[-1]["verified"]) == (
        upload.result()["bytes_sent"],
        upload.result()["bytes_verified"],
    )
    upload.assert_continued(sent_twice_bytes=2 * IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


def test_a_kill_of_the_hook(uploads: Uploads, file_64: Path) -> None:
    """A function that calls the hook with the operators' store is continued like an operator."""
    key = "killed/hook.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start("upload_hook", file_64, key)
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=6)
    upload.kill()
    assert_kept_in(upload, DEFAULT_STORE)
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert upload.result()["bytes_verified"] >= 6 * PART_SIZE
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


@each_store
def test_two_exceptions(uploads: Uploads, file_64: Path, store: str) -> None:
    """Two attempts that end with an error of the user's own callback in the middle are continued."""
    key = f"failed/{store}.bin"
    upload = uploads.start(f"upload_{store}", file_64, key, raise_at={"1": 0.3, "2": 0.6})
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    assert ["the callback fails at" in upload.log(try_number) for try_number in (1, 2, 3)] == [True, True, False]
    upload.assert_continued(sent_twice_bytes=2 * IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


def test_error_of_the_server(uploads: Uploads, file_64: Path) -> None:
    """An attempt that gives up a part after five answers of 500 is continued; the store is ``auto``."""
    key, tries = "unavailable.bin", 5
    uploads.server.faults.add(Fault(operation="UploadPart", key=key, part_number=14, status=500, times=tries))
    upload = uploads.start("upload_auto", file_64, key)
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert "OSSServiceUnavailable" in upload.log(1)
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES + tries * PART_SIZE)
    uploads.assert_nothing_left()


@each_store
def test_execution_timeout(uploads: Uploads, file_64: Path, store: str) -> None:
    """An attempt that hangs in the middle is ended by its ``execution_timeout``, and continued."""
    key = f"timed-out/{store}.bin"
    uploads.server.faults.add(Fault(operation="UploadPart", key=key, stall=True, skip=8, times=IN_FLIGHT))
    upload = uploads.start(f"upload_in_time_{store}", file_64, key)
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert "AirflowTaskTimeout" in upload.log(1)
    assert upload.result()["bytes_verified"] == 8 * PART_SIZE
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


@each_store
def test_mark_failed_then_clear(uploads: Uploads, file_64: Path, store: str) -> None:
    """A task that a user marks failed in the middle stops soon; when it is cleared it continues."""
    key = f"cleared/{store}.bin"
    uploads.slow_down(key, MIB_PER_SECOND / 16, after_parts=8)
    upload = uploads.start(f"upload_{store}", file_64, key)
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=8)
    upload.mark_failed()
    assert_kept_in(upload, store)
    uploads.server.faults.clear()
    upload.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


def test_death_of_the_worker(uploads: Uploads, file_64: Path) -> None:
    """When supervisor and task die together another worker continues; ``auto`` is the best store that there is."""
    key = "orphaned.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start("upload_auto", file_64, key)
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=8)
    upload.kill(whole_tree=True)
    assert_kept_in(upload, DEFAULT_STORE)
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    upload.assert_continued(sent_twice_bytes=IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()
