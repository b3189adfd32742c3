"""Forgotten uploads on the local OSS server, whose clock can be put forward."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.stale import StaleUploads, StaleUploadsResult
from airflow_provider_oss.exceptions import OSSServiceUnavailable
from airflow_provider_oss.model import Checkpoint, Fingerprint, FoundCheckpoint, KeyPrefix, ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET, TINY_PARTS, client_settings
from tests.support.stores import MemoryDirectory

PLAIN = ObjectOptions()
OWNER = "dag/run/task"
DAY = timedelta(days=1)


class World:
    """The server at some time, and what a user sees of it."""

    def __init__(self, root: Path) -> None:
        self.ahead_seconds = 0.0
        self.server = OSSEmulator(root=root, buckets=(BUCKET,), limits=TINY_PARTS, clock=self.now)

    def now(self) -> float:
        return time.time() + self.ahead_seconds

    def days_pass(self, days: float) -> None:
        self.ahead_seconds += days * 86400
        self.client = OSSObjectClient(client_settings(self.server))
        self.client._api.clock.correct(self.now())

    def begin(self, key: str, *sizes: int) -> str:
        """Begin an upload and store parts of these sizes; return its id."""
        ref = ObjectRef(BUCKET, key)
        upload_id = self.client.initiate_multipart_upload(ref, PLAIN)
        for number, size in enumerate(sizes, 1):
            self.client.upload_part(ref, upload_id, number, bytes(size), crc64(bytes(size)), PLAIN)
        return upload_id

    def found(self, key: str, upload_id: str, owner: str | None = OWNER) -> FoundCheckpoint:
        """Return a checkpoint of an upload, saved now, as it is found in a Variable of the key's name."""
        now = datetime.fromtimestamp(self.now(), UTC).isoformat()
        checkpoint = Checkpoint(
            ObjectRef(BUCKET, key), upload_id, 100, Fingerprint("f", 1), "", created_at=now, updated_at=now
        )
        return FoundCheckpoint(f"Variable {key}", "{}", checkpoint, owner, key)

    def clean(self, directory: MemoryDirectory, prefix: str = "", *, dry_run: bool = False) -> StaleUploadsResult:
        """Clean up what is older than a day."""
        below, cutoff = KeyPrefix(BUCKET, prefix), self.now() - DAY.total_seconds()
        uploads = self.client.list_multipart_uploads(BUCKET, prefix, ("", "")).items
        return StaleUploads(below, self.client, directory, cutoff, dry_run=dry_run).run(uploads)

    def left(self) -> list[str]:
        return [upload.ref.key for upload in self.client.list_multipart_uploads(BUCKET, "", ("", "")).items]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "oss")
    with world.server:
        world.days_pass(0)
        yield world


def numbers(result: StaleUploadsResult) -> dict[str, Any]:
    """Return what is not nothing."""
    told = {name: getattr(result, name) for name in ("uploads", "aborted", "bytes", "kept", "kept_bytes")}
    told["variables_removed"] = result.variables_removed
    return {name: value for name, value in told.items() if value}


def test_old_and_named_by_nobody(world: World) -> None:
    """What nothing happened to for long is aborted, and what it cost is told; a new part or upload is not old."""
    old_id = world.begin("old", 3, 4)
    slow_id = world.begin("slow", 5)
    world.days_pass(2)
    world.client.upload_part(ObjectRef(BUCKET, "slow"), slow_id, 2, b"12", crc64(b"12"), PLAIN)
    world.begin("new", 1)

    result = world.clean(MemoryDirectory(unseen=("xcom",)))
    assert world.left() == ["new", "slow"]
    assert numbers(result) == {"uploads": 3, "aborted": 1, "bytes": 7, "kept": {"recent": 2}, "kept_bytes": 7}
    assert (result.unseen_stores, result.dry_run) == (["xcom"], False)
    [told] = result.first
    assert (told["key"], told["upload_id"], told["bytes"], told["owner"]) == ("old", old_id, 7, None)
    assert [(one["key"], one["bytes"], one["reason"]) for one in result.kept_first] == [("slow", 7, "recent")]
    assert datetime.fromisoformat(told["initiated"]).timestamp() == pytest.approx(time.time(), abs=60)


def test_the_live_are_not_touched(world: World) -> None:
    """An upload stays while the checkpoint that names it is of a task that may run, is new, or cannot be read."""
    waiting, clearable, unreadable = (world.begin(key, 1) for key in ("waiting", "clearable", "unreadable"))
    checkpoints = [
        world.found("waiting", waiting, "dag/run/waiting"),
        FoundCheckpoint("Variable x", f"{{{unreadable}", None, None, "x"),
    ]
    world.days_pass(3)
    checkpoints.append(world.found("clearable", clearable))

    directory = MemoryDirectory(*checkpoints, over=(OWNER,))
    result = world.clean(directory)
    assert numbers(result) == {"uploads": 3, "kept": {"checkpoint": 3}, "kept_bytes": 3}
    assert [(one["key"], one["owner"], one["reason"]) for one in result.kept_first] == [
        ("clearable", OWNER, "checkpoint"),
        ("unreadable", None, "checkpoint"),
        ("waiting", "dag/run/waiting", "checkpoint"),
    ]
    assert world.left() == ["clearable", "unreadable", "waiting"]
    assert directory.found == checkpoints


def test_the_dead_go_with_their_checkpoints(world: World) -> None:
    """A task that failed for good and was not cleared for long gives up its upload and its Variable; XComs stay."""
    in_variable, in_xcom = (world.begin(key, 2) for key in ("variable", "xcom"))
    xcom = replace(world.found("xcom", in_xcom), variable_key=None)
    directory = MemoryDirectory(world.found("variable", in_variable), xcom, over=(OWNER,))
    world.days_pass(2)
    dry = world.clean(directory, dry_run=True)
    assert (world.left(), len(directory.found)) == (["variable", "xcom"], 2)
    assert [one["owner"] for one in dry.first] == [OWNER, OWNER]
    result = world.clean(directory)
    assert numbers(result) == numbers(dry) == {"uploads": 2, "aborted": 2, "bytes": 4, "variables_removed": 1}
    assert (world.left(), directory.found) == ([], [xcom])


def test_orphaned_checkpoints(world: World) -> None:
    """A checkpoint whose upload is gone goes too, but not while its task may run, nor outside the prefix."""
    used = world.begin("a/used", 1)
    gone = world.begin("a/gone")
    world.client.abort_multipart_upload(ObjectRef(BUCKET, "a/gone"), gone)
    orphan, outside = world.found("a/gone", gone), world.found("b/gone", gone)
    kept = [outside, world.found("a/gone", gone, "dag/run/waiting"), world.found("a/used", used)]
    kept.append(world.found("a/gone", gone, None))
    directory = MemoryDirectory(orphan, *kept, over=(OWNER,))
    assert numbers(world.clean(directory, "a/", dry_run=True))["variables_removed"] == 1
    assert orphan in directory.found
    assert numbers(world.clean(directory, "a/"))["variables_removed"] == 1
    assert directory.found == kept


def test_an_upload_that_was_begun_meanwhile_is_no_orphan(world: World) -> None:
    """A checkpoint that names an upload newer than the listing is not of an upload that is gone."""
    directory = MemoryDirectory(world.found("key", world.begin("key")), over=(OWNER,))
    below = KeyPrefix(BUCKET, "")
    result = StaleUploads(below, world.client, directory, world.now() - 1, dry_run=False).run([])
    assert (result.variables_removed, len(directory.found)) == (0, 1)


def test_intents(world: World) -> None:
    """A checkpoint that only says that an upload is about to begin goes when it is old and its task is over."""
    directory = MemoryDirectory(world.found("old", ""), world.found("waiting", "", "dag/run/w"), over=(OWNER,))
    world.days_pass(2)
    new = world.found("new", "")
    directory.found.append(new)
    assert numbers(world.clean(directory)) == {"variables_removed": 1}
    assert [one.variable_key for one in directory.found] == ["waiting", "new"]


def test_without_the_right_to_list_parts(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What is not known to be old stays, no checkpoint is taken for an orphan's, and the log says once why."""
    for key in ("a", "b"):
        world.begin(key, 1)
    gone = world.found("gone", "0123456789ABCDEF")
    world.days_pass(2)
    world.server.faults.add(Fault(operation="ListParts", status=403, code="AccessDenied"))
    directory = MemoryDirectory(gone, over=(OWNER,))
    assert numbers(world.clean(directory)) == {"uploads": 2, "kept": {"unknown": 2}}
    assert (world.left(), directory.found) == (["a", "b"], [gone])
    assert caplog.text.count("cannot be found out, so such uploads stay") == 1


@pytest.mark.parametrize("operation", ["ListParts", "AbortMultipartUpload"])
def test_an_upload_that_goes_meanwhile(world: World, operation: str) -> None:
    """That somebody else completed or aborted it is fine; it is not counted as ours."""
    world.begin("key", 1)
    world.days_pass(2)
    world.server.faults.add(Fault(operation=operation, status=404, code="NoSuchUpload"))
    assert numbers(world.clean(MemoryDirectory())) == {"uploads": 1}


def test_a_failure_is_raised(world: World) -> None:
    """What else fails is raised; what was done is done, and the next time does the rest."""
    for key in ("a", "b"):
        world.begin(key, 1)
    world.days_pass(2)
    world.server.faults.add(Fault(operation="AbortMultipartUpload", key="b", status=503, times=1))
    with pytest.raises(OSSServiceUnavailable):
        world.clean(MemoryDirectory())
    assert world.left() == ["b"]
    assert numbers(world.clean(MemoryDirectory())) == {"uploads": 1, "aborted": 1, "bytes": 1}


def test_the_log_and_the_result_are_bounded(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each upload, but for a great many; the result shows ten."""
    monkeypatch.setattr("airflow_provider_oss.engine.stale._LOGGED", 11)
    caplog.set_level(logging.INFO)
    for number in range(13):
        world.begin(f"{number:02}")
    world.days_pass(2)
    result = world.clean(MemoryDirectory())
    assert (result.aborted, len(result.first)) == (13, 10)
    assert caplog.text.count("bytes: aborted") == 11
