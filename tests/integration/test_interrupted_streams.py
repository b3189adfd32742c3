"""Streams in a real Airflow: whatever ends an attempt, the next one reads again and sends only what is not stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.integration.dags.streams import blocks
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_version import DEFAULT_STORE

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

PART_SIZE = 8 * MIB
IN_FLIGHT_BYTES = DEFAULT_PARALLEL * PART_SIZE
MIB_PER_SECOND = 8.0  # of each connection


def stream_file(path: Path, size_bytes: int, differs_from: int | None = None) -> Path:
    """Write the bytes that the generator yields, to compare the object with."""
    with path.open("wb") as file:
        file.writelines(blocks(size_bytes, differs_from))
    return path


def start(uploads: Uploads, expected: Path, key: str, **conf: object) -> RunningUpload:
    """Upload a stream; ``expected`` holds the bytes that the object is to have."""
    run_id = uploads.trigger("upload_stream", size_bytes=expected.stat().st_size, key=key, **conf)
    return RunningUpload(uploads, "upload_stream", run_id, expected, key)


def test_two_kills(uploads: Uploads, folder: Path) -> None:
    """A generator of 500 MB whose task is SIGKILLed twice sends again only what was in flight, and leaves nothing."""
    key = "streams/killed.bin"
    expected = stream_file(folder / "stream.bin", 500 * 10**6)
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = start(uploads, expected, key)
    for try_number in (1, 2):
        upload.wait_for_attempt(try_number)
        upload.wait_until_stored(more_parts=12)
        upload.kill()
        assert uploads.unfinished() == [key]
        assert uploads.checkpoints() == {f"{DEFAULT_STORE} {upload.owner}"}
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    upload.assert_killed(1, 2)
    assert upload.result()["attempts"] == 3
    assert upload.result()["bytes_verified"] >= 24 * PART_SIZE
    upload.assert_continued(sent_twice_bytes=2 * IN_FLIGHT_BYTES)
    uploads.assert_nothing_left()


def test_a_source_that_fails_and_then_differs(uploads: Uploads, folder: Path) -> None:
    """The generator raises at 60 %, then gives other bytes from the half on: the object is the second time's bytes."""
    key, size_bytes = "streams/failed.bin", 100 * 10**6
    expected = stream_file(folder / "second.bin", size_bytes, differs_from=size_bytes // 2)
    upload = start(uploads, expected, key, raise_at={"1": size_bytes * 6 // 10}, differs_from={"2": size_bytes // 2})
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "success"]
    assert "the generator fails at byte 60000000" in upload.log(1)
    assert upload.result()["bytes_verified"] == size_bytes // 2 // PART_SIZE * PART_SIZE
    upload.assert_continued(sent_twice_bytes=(60 * 10**6 // PART_SIZE) * PART_SIZE)
    uploads.assert_nothing_left()
