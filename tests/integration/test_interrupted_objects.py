"""Copies inside OSS and downloads in a real Airflow: whatever ends an attempt, the next one continues."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Fault, RecordedRequest
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.proof import crc64
from tests.integration.conftest import random_file
from tests.integration.dags.objects import PARALLEL, PART_SIZE
from tests.integration.uploading import Uploads

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

PARTS = 64
IN_FLIGHT = PARALLEL


def requests(uploads: Uploads, operation: str, key: str) -> list[RecordedRequest]:
    """Return the requests of this kind for an object that OSS has fulfilled."""
    return [
        one
        for one in uploads.server.requests
        if (one.operation, one.key) == (operation, key) and one.status in (200, 206)
    ]


def wait_for_more(uploads: Uploads, operation: str, key: str, more: int) -> None:
    """Wait until the server has fulfilled so many requests more than now."""
    wanted = len(requests(uploads, operation, key)) + more
    uploads.server.wait_for_requests(lambda _: len(requests(uploads, operation, key)) >= wanted, 60.0)


def test_a_copy_is_killed_twice(uploads: Uploads, file_64: Path) -> None:
    """A copy that is SIGKILLed twice in the middle copies again only what was in flight, and leaves nothing."""
    source, key = "sources/64-mib.bin", "killed/copied.bin"
    uploads.bucket.put_object_from_file(source, str(file_64), headers={"x-oss-meta-from": "source"})
    uploads.server.faults.add(Fault(operation="UploadPartCopy", latency_seconds=0.5))
    copy = uploads.start("copy_object", file_64, key, source=source)
    for try_number in (1, 2):
        copy.wait_for_attempt(try_number)
        wait_for_more(uploads, "UploadPartCopy", key, 12)
        copy.kill()
        assert uploads.unfinished() == [key]
    uploads.server.faults.clear()
    assert copy.end() == "success"

    assert copy.attempts() == ["failed", "failed", "success"]
    result = copy.result()
    assert (result["attempts"], result["resumed"], result["size"]) == (3, True, PARTS * MIB)
    assert result["bytes_verified"] >= 24 * PART_SIZE
    copied = Counter(request.part_number for request in requests(uploads, "UploadPartCopy", key))
    assert set(copied) == set(range(1, PARTS + 1))
    assert copied.total() <= PARTS + 2 * IN_FLIGHT
    uploads.assert_equal(key, file_64)
    assert uploads.bucket.head_object(key).headers["x-oss-meta-from"] == "source"
    uploads.assert_nothing_left()


def test_a_download_is_killed_twice(uploads: Uploads, file_64: Path, folder: Path) -> None:
    """A download that is SIGKILLed twice asks again only for what was in flight; the old file stays until the end."""
    key, target = "sources/download.bin", folder / "downloads" / "download.bin"
    uploads.bucket.put_object_from_file(key, str(file_64))
    target.parent.mkdir()
    target.write_bytes(b"old")
    uploads.server.faults.add(Fault(operation="GetObject", key=key, rate_bytes_per_second=2 * MIB))
    download = uploads.start("download_object", target, key)
    for try_number in (1, 2):
        download.wait_for_attempt(try_number)
        wait_for_more(uploads, "GetObject", key, 12)
        download.kill()
        assert target.read_bytes() == b"old"
    uploads.server.faults.clear()
    assert download.end() == "success"

    assert download.attempts() == ["failed", "failed", "success"]
    result = download.result()
    assert (result["resumed"], result["size"], result["crc64"]) == (True, PARTS * MIB, str(crc64(file_64.read_bytes())))
    assert result["bytes_received"] + result["bytes_verified"] == PARTS * MIB
    asked = Counter(request.range for request in requests(uploads, "GetObject", key))
    assert len(asked) == PARTS
    assert asked.total() <= PARTS + 2 * IN_FLIGHT
    assert target.read_bytes() == file_64.read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_a_download_that_fails(uploads: Uploads, folder: Path) -> None:
    """A download of nothing is a failed task, not retried, and the old file is as it was."""
    target = folder / "failed" / "report.csv"
    target.parent.mkdir()
    target.write_bytes(b"old")
    download = uploads.start("download_object", target, "no/such/object")
    assert download.end() == "failed"
    assert download.attempts() == ["failed"]
    assert "the object does not exist" in download.log(1)
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"old"


def test_examples(uploads: Uploads, folder: Path) -> None:
    """The example DAGs copy an object aside, and download one to a path of the day."""
    report = random_file(folder / "examples" / "report.bin", 3 * MIB)
    uploads.bucket.put_object_from_file("reports/report.bin", str(report))

    run_id = uploads.trigger("oss_copy_object", source="reports/report.bin", archive="archive")
    assert uploads.airflow.wait_for_run("oss_copy_object", run_id) == "success"
    uploads.assert_equal("archive/reports/report.bin", report)

    directory = folder / "examples" / "downloaded"
    run_id = uploads.trigger("oss_download_object", key="reports/report.bin", directory=str(directory))
    assert uploads.airflow.wait_for_run("oss_download_object", run_id) == "success"
    [downloaded] = directory.rglob("*.bin")
    assert downloaded.read_bytes() == report.read_bytes()
