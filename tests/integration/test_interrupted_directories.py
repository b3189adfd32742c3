"""A directory in a real Airflow: whatever ends an attempt, the next one sends what is missing, and no more."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from pathlib import Path

import oss2
import pytest

from airflow_provider_oss.emulator import RecordedRequest
from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.integration.conftest import random_file
from tests.integration.uploading import RunningUpload, Uploads

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

FILES = 5000
PART_SIZE = 8 * MIB
PREFIX = "trees/killed/"


@pytest.fixture
def tree(folder: Path) -> Path:
    """4,999 small files in 50 directories, and a large one."""
    root = folder / "tree"
    random_file(root / "a-large.bin", 6 * PART_SIZE)
    for number in range(FILES - 1):
        path = root / f"{number % 50:02}" / f"{number:04}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(number % 4000))
    return root


def start(uploads: Uploads, tree: Path) -> RunningUpload:
    run_id = uploads.trigger("upload_directory", directory=str(tree), key=PREFIX)
    return RunningUpload(uploads, "upload_directory", run_id, tree / "a-large.bin", PREFIX + "a-large.bin")


def is_stored_file(request: RecordedRequest) -> bool:
    return request.operation == "PutObject" and request.key.startswith(PREFIX) and request.status == 200


def test_two_kills(uploads: Uploads, tree: Path) -> None:
    """5,000 files, SIGKILLed in the large one and half way through the small ones: nothing that arrived is sent again.

    A second run of the same task sends nothing.
    """
    uploads.slow_down(PREFIX + "a-large.bin", 8.0)
    upload = start(uploads, tree)
    upload.wait_for_attempt(1)
    upload.wait_until_stored(more_parts=1)
    upload.kill()
    assert uploads.unfinished() == [PREFIX + "a-large.bin"]
    uploads.server.faults.clear()
    half = itertools.count(1)
    uploads.server.wait_for_requests(lambda request: is_stored_file(request) and next(half) == FILES // 2, 60)
    upload.kill()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    stored = Counter(request.key for request in uploads.server.requests if is_stored_file(request))
    assert set(stored.values()) == {1}
    assert len(stored) >= FILES - 1 - DEFAULT_PARALLEL  # those whose client was dead before it could be answered
    received = sum(request.bytes_received for request in uploads.part_requests(upload.key))
    assert upload.file.stat().st_size <= received <= upload.file.stat().st_size + (DEFAULT_PARALLEL + 1) * PART_SIZE
    result = upload.result()
    assert result["files"] == result["sent"] + result["skipped"] == FILES
    assert result["skipped"] >= FILES // 2
    uploads.assert_equal(upload.key, upload.file)
    assert_equal_tree(uploads, tree)
    uploads.assert_nothing_left()

    uploads.server.forget_requests()
    again = start(uploads, tree)
    assert again.end() == "success"
    assert Counter(request.operation for request in uploads.server.requests) == {"ListObjectsV2": 5, "HeadObject": 1}
    assert (again.result()["sent"], again.result()["skipped"], again.result()["bytes_sent"]) == (0, FILES, 0)


def assert_equal_tree(uploads: Uploads, tree: Path) -> None:
    """All objects below the prefix are the small files, by the official client's listing: its ETags are their MD5."""
    listed = {
        found.key.removeprefix(PREFIX): found.etag
        for found in oss2.ObjectIteratorV2(uploads.bucket, prefix=PREFIX, max_keys=1000)
    }
    del listed["a-large.bin"]
    files = {str(path.relative_to(tree)): path for path in tree.glob("*/*.csv")}
    assert listed == {
        name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest().upper() for name, path in files.items()
    }
