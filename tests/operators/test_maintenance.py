"""Stale uploads as a task sees them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_oss.checkpoint.choice import InstanceName
from airflow_provider_oss.checkpoint.task_state import RETENTION
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.operators.maintenance import OSSAbortStaleUploadsOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.conftest import BUCKET, TINY_PARTS
from tests.operators.conftest import Run
from tests.support.airflow_version import LISTS_VARIABLES, UNSEEN_STORES

Begin = Callable[..., str]

CHECKPOINT = Checkpoint(
    ObjectRef(BUCKET, "key"), "U", 100, Fingerprint("f", 1), "0123456789abcdef",
    created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z",
)  # fmt: skip
AN_HOUR_SECONDS = 3600.0


class Clock:
    """The server's clock, an hour ahead but while uploads are begun: so they are an hour old."""

    ahead_seconds = AN_HOUR_SECONDS

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> Iterator[OSSEmulator]:
    """A local OSS server whose clock, and not this machine's, says how old an upload is."""
    emulator = OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET, "other"), limits=TINY_PARTS, clock=clock)
    with emulator:
        yield emulator


@pytest.fixture
def begin(clock: Clock) -> Begin:
    """Begin an upload an hour ago; return its id."""

    def make(key: str, bucket: str = BUCKET) -> str:
        clock.ahead_seconds = 0
        hook = OSSHook()
        upload_id = hook.initiate_multipart_upload(key, bucket)
        hook.upload_part(key, upload_id, 1, b"123", bucket)
        clock.ahead_seconds = AN_HOUR_SECONDS
        return upload_id

    return make


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], supervisor: Supervisor) -> None:
    supervisor.plant_task_instances(
        {InstanceName("dag", "run", "waiting", -1): "up_for_retry", InstanceName("dag", "run", "failed", -1): "failed"}
    )
    connect()


def clean(run: Run, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = run(lambda: OSSAbortStaleUploadsOperator(task_id="clean", **arguments))
    return result


def left(bucket: str = BUCKET) -> list[str]:
    return [upload.ref.key for upload in OSSHook().list_multipart_uploads(bucket_name=bucket)]


def save(owner: str, key: str, upload_id: str) -> str:
    """Save a checkpoint as the task instance does; return the Variable's key."""
    store = VariableCheckpointStore(owner)
    store.save(replace(CHECKPOINT, ref=ObjectRef(BUCKET, key), upload_id=upload_id))
    return store.key


def test_what_is_aborted_and_what_not(
    run: Run, begin: Begin, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Forgotten uploads go with their Variables, as do orphaned Variables; live ones stay; a dry run tells so first.

    Where a task cannot list Variables (Airflow 3.0 to 3.2) only age protects an upload, and no Variable is touched.
    """
    begin("forgotten")
    live = save("dag/run/waiting", "live", begin("live"))
    dead = save("dag/run/failed", "dead", begin("dead"))
    orphan = save("dag/deleted_run/task", "orphan", "0123456789ABCDEF")

    told = clean(run, older_than=1800, dry_run=True)
    assert (left(), len(supervisor.variables)) == (["dead", "forgotten", "live"], 3)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        done = clean(run, older_than="{{ 1800 }}", prefix="{{ '' }}")
    assert left() == (["live"] if LISTS_VARIABLES else [])
    assert set(supervisor.variables) == ({live} if LISTS_VARIABLES else {live, dead, orphan})

    assert done == told | {"dry_run": False}
    assert json.loads(json.dumps(done)) == done
    kept = {"checkpoint": 1} if LISTS_VARIABLES else {}
    aborted = ["dead", "forgotten"] if LISTS_VARIABLES else ["dead", "forgotten", "live"]
    removed = 2 if LISTS_VARIABLES else 0
    assert {name: done[name] for name in ("uploads", "aborted", "bytes", "kept", "kept_bytes")} == {
        "uploads": 3,
        "aborted": len(aborted),
        "bytes": 3 * len(aborted),
        "kept": kept,
        "kept_bytes": 3 * len(kept),
    }
    assert (done["variables_removed"], done["unseen_stores"]) == (removed, list(UNSEEN_STORES))
    assert [one["key"] for one in done["first"]] == aborted
    warning = f"Checkpoints in {' and '.join(UNSEEN_STORES)} cannot be seen by a task of this Airflow"
    assert (warning in caplog.text) is bool(UNSEEN_STORES)
    assert (
        f"Aborted {len(aborted)} of 3 unfinished uploads with {done['bytes']} bytes, "
        f"removed {removed} checkpoint Variables; kept: {kept or 'none'}"
    ) in caplog.text


@pytest.mark.parametrize("older_than", [None, "P1D", timedelta(hours=2)])
def test_what_is_recent(run: Run, begin: Begin, older_than: Any) -> None:
    """What happened within ``older_than`` is not touched."""
    begin("key")
    result = clean(run, **{} if older_than is None else {"older_than": older_than})
    assert (result["aborted"], result["kept"], left()) == (0, {"recent": 1}, ["key"])


def test_the_default_is_longer_than_a_checkpoint_lives_unseen(run: Run, begin: Begin, clock: Clock) -> None:
    """Without ``older_than`` an upload stays as long as the task state store may have a checkpoint that names it."""
    begin("key")
    clock.ahead_seconds = RETENTION.total_seconds() + AN_HOUR_SECONDS
    assert clean(run)["kept"] == {"recent": 1}
    clock.ahead_seconds += timedelta(days=1).total_seconds()
    assert clean(run)["aborted"] == 1


def test_prefix_and_bucket(run: Run, begin: Begin) -> None:
    """Only what is below the prefix in the bucket is looked at."""
    for key in ("a/1", "ab", "b"):
        begin(key)
        begin(key, "other")
    assert clean(run, older_than=60, prefix="oss://other/a/")["aborted"] == 1
    assert (left("other"), left()) == (["ab", "b"], ["a/1", "ab", "b"])
    assert clean(run, older_than=60, prefix="a", bucket_name="{{ 'other' }}")["aborted"] == 1
    assert left("other") == ["b"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"older_than": "a week"}, "older_than='a week' is no duration"),
        ({"older_than": 0}, "older_than=0 is not positive"),
        ({"bucket_name": "not-there"}, "OSSNoSuchBucket"),
        ({"prefix": "/a"}, "begins with '/'"),
    ],
)
def test_what_cannot_work(run: Run, arguments: dict[str, Any], complaint: str) -> None:
    """It fails the task at once."""
    with pytest.raises(AirflowFailException, match=complaint):
        clean(run, **arguments)


def test_the_method_dry_run_is_not_hidden() -> None:
    """The argument does not hide the method of that name, which Airflow calls for ``tasks test --dry-run``."""
    operator = OSSAbortStaleUploadsOperator(task_id="clean", dry_run=True)
    assert "dry_run" not in vars(operator)
    if hasattr(BaseOperator, "dry_run"):  # not in Airflow 3.0
        operator.dry_run()
