"""Forgotten uploads in a real Airflow: what somebody may continue is not touched, and then continued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.limits import MIB
from tests.integration.dags.uploads import PARALLEL, PART_SIZE
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_version import LISTS_VARIABLES, UNSEEN_STORES

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

KEPT = "stale/kept.bin"
ORPHAN = "stale/orphan.bin"
GAVE_UP = "stale/gave-up.bin"
LOST = "stale/lost.bin"


def clean(uploads: Uploads, **conf: str) -> dict[str, dict[str, Any]]:
    """Run the example; return what its dry run told and what it did."""
    dag_id = "oss_stale_uploads"
    run_id = uploads.trigger(dag_id, prefix="stale/", **conf)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"
    return {task: uploads.airflow.xcom(dag_id, run_id, task) for task in ("preview", "abort")}


@dataclass(frozen=True)
class Scene:
    """Four uploads of the same age, none of which is being sent."""

    live: RunningUpload
    """Its task was killed, and waits for its next attempt."""
    gave_up: RunningUpload
    """Its task has failed for good."""
    lost: RunningUpload
    """Its task has failed for good, and somebody has aborted it; its checkpoint is left."""


@pytest.fixture
def scene(uploads: Uploads, file_64: Path) -> Scene:
    """These uploads, and one that another program left behind."""
    gave_up, lost = (
        uploads.start("upload_variable_once", file_64, key, raise_at={"1": 0.5}) for key in (GAVE_UP, LOST)
    )
    assert (gave_up.end(), lost.end()) == ("failed", "failed")
    [gone] = [record for record in records(uploads) if record["key"] == LOST]
    uploads.bucket.abort_multipart_upload(LOST, gone["upload_id"])
    orphan = uploads.bucket.init_multipart_upload(ORPHAN).upload_id
    uploads.bucket.upload_part(ORPHAN, orphan, 1, bytes(MIB))

    uploads.slow_down(KEPT, 4.0)
    live = uploads.start("upload_variable_later", file_64, KEPT)
    live.wait_for_attempt(1)
    live.wait_until_stored(more_parts=2)
    live.kill()
    uploads.server.faults.clear()
    assert sorted(uploads.unfinished()) == [GAVE_UP, KEPT, ORPHAN]
    return Scene(live, gave_up, lost)


def test_live_and_forgotten(uploads: Uploads, scene: Scene) -> None:
    """
    What waits for its next attempt stays, and continues; the rest goes, with the Variables of what is over.

    Where a task cannot see Variables (Airflow 3.0 to 3.2) only age protects, here not at all; then what is continued
    begins anew, and the object is right all the same.
    """
    live, kept_parts = scene.live, scene.live.stored_parts()
    told, done = clean(uploads, older_than="PT0.1S").values()
    # A part that the killed attempt had handed to the system may arrive between the two
    growing = ("bytes", "kept_bytes", "first", "kept_first")
    assert {name: done[name] for name in done if name not in growing} == {
        name: told[name] for name in told if name not in growing
    } | {"dry_run": False}
    assert [one["upload_id"] for one in done["first"]] == [one["upload_id"] for one in told["first"]]
    assert (done["uploads"], done["unseen_stores"]) == (3, list(UNSEEN_STORES))
    aborted = [one["key"] for one in done["first"]]
    assert aborted == ([GAVE_UP, ORPHAN] if LISTS_VARIABLES else [GAVE_UP, KEPT, ORPHAN])
    assert (done["aborted"], done["kept"]) == (len(aborted), {"checkpoint": 1} if LISTS_VARIABLES else {})
    assert [(one["key"], one["owner"], one["reason"]) for one in done["kept_first"]] == (
        [(KEPT, live.owner, "checkpoint")] if LISTS_VARIABLES else []
    )
    assert done["variables_removed"] == (2 if LISTS_VARIABLES else 0)
    assert uploads.unfinished() == ([KEPT] if LISTS_VARIABLES else [])
    owners = [live] if LISTS_VARIABLES else [live, scene.gave_up, scene.lost]
    assert uploads.checkpoints() == {f"variable {one.owner}" for one in owners}

    assert live.end() == "success"
    assert live.attempts() == ["failed", "success"]
    assert live.result()["resumed"] is LISTS_VARIABLES
    if LISTS_VARIABLES:
        assert live.result()["bytes_verified"] >= kept_parts * PART_SIZE
        live.assert_continued(sent_twice_bytes=(PARALLEL + 1) * PART_SIZE)
    for one in (scene.gave_up, scene.lost):  # whoever clears them finds nothing of them, and they begin anew
        one.clear()
        assert one.end() == "success"
        assert one.result()["resumed"] is False
    for one in (live, scene.gave_up, scene.lost):
        uploads.assert_equal(one.key, one.file)
    uploads.assert_nothing_left()


def test_the_default_is_patient(uploads: Uploads) -> None:
    """Without being told otherwise nothing is aborted that happened within a month."""
    upload_id = uploads.bucket.init_multipart_upload(ORPHAN).upload_id
    done = clean(uploads)["abort"]
    assert (done["aborted"], done["kept"]) == (0, {"recent": 1})
    uploads.bucket.abort_multipart_upload(ORPHAN, upload_id)


def records(uploads: Uploads) -> list[dict[str, str]]:
    """Return all checkpoints that are in Variables."""
    return [json.loads(text) for key, text in uploads.airflow.variables().items() if key.startswith("oss_upload_")]
