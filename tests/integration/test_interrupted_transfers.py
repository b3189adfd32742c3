"""Data of other servers in a real Airflow: whatever ends an attempt, the next one continues."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.dags.ranged import PARALLEL, PART_SIZE, TOKEN
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.s3_server import BUCKET, S3Server
from tests.support.web_server import WebServer, chunked, ranged

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

IN_FLIGHT_BYTES = PARALLEL * PART_SIZE
MIB_PER_SECOND = 2.0  # of each connection: slow enough to be interrupted in the middle on a busy machine


def kill_twice(uploads: Uploads, upload: RunningUpload, more_parts: int) -> int:
    """SIGKILL two attempts in the middle, let the third finish; return how many bytes the later two found stored."""
    found_bytes = 0
    for try_number in (1, 2):
        upload.wait_for_attempt(try_number)
        upload.wait_until_stored(more_parts)
        upload.kill()
        found_bytes += upload.stored_parts() * PART_SIZE
        assert uploads.unfinished() == [upload.key]
    uploads.server.faults.clear()
    assert upload.end() == "success"
    assert upload.attempts() == ["failed", "failed", "success"]
    assert upload.result()["attempts"] == 3
    assert upload.result()["bytes_verified"] >= 2 * more_parts * PART_SIZE
    upload.assert_continued(sent_twice_bytes=2 * IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()
    return found_bytes


def test_s3(uploads: Uploads, s3_server: S3Server, file_64: Path) -> None:
    """A copy from S3 that is SIGKILLed twice in the middle sends again only what was in flight."""
    s3_server.put("killed.bin", file_64.read_bytes())
    key = "killed/from-s3.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start("upload_s3", file_64, key, source=f"s3://aws_default@{BUCKET}/killed.bin")
    kill_twice(uploads, upload, more_parts=8)


def test_http_with_ranges(uploads: Uploads, web_server: WebServer, file_64: Path) -> None:
    """
    A mirror that is SIGKILLed twice sends once, but for what was in flight; no log has its query.

    What was stored since the checkpoint was saved, which is every 10 s, is read again to be compared.
    """
    web_server.pages["/killed.bin"] = ranged(file_64.read_bytes())
    web_server.requests.clear()
    key = "killed/from-ranges.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start("upload_http", file_64, key, endpoint="/killed.bin")
    found_bytes = kill_twice(uploads, upload, more_parts=8)

    asked_bytes = sum(last - first + 1 for first, last in web_server.ranges)
    assert asked_bytes <= file_64.stat().st_size + found_bytes + 2 * 2 * IN_FLIGHT_BYTES  # read, and being sent
    assert not any(TOKEN in upload.log(try_number) for try_number in (1, 2, 3))


def test_http_without_ranges(uploads: Uploads, web_server: WebServer, file_64: Path) -> None:
    """An answer that can only be read forward is read again from its beginning; what OSS holds is not sent again."""
    web_server.pages["/killed.bin"] = chunked(file_64.read_bytes())
    key = "killed/from-stream.bin"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = uploads.start("upload_http", file_64, key, endpoint="/killed.bin")
    kill_twice(uploads, upload, more_parts=8)
