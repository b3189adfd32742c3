"""Forgotten uploads in a real Airflow: what somebody may continue is not touched, and then continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_oss.limits import MIB
from tests.integration.dags.uploads import PARALLEL, PART_SIZE
from tests.integration.uploading import Uploads

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

KEPT = "stale/kept.bin"
ORPHAN = "stale/orphan.bin"
GAVE_UP = "stale/gave-up.bin"


def clean(uploads: Uploads, **conf: str) -> dict[str, dict[str, object]]:
    """Run the example; return what its dry run told and what it did."""
    dag_id = "oss_stale_uploads"
    run_id = uploads.trigger(dag_id, prefix="stale/", **conf)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"
    return {task: uploads.airflow.xcom(dag_id, run_id, task) for task in ("preview", "abort")}


def test_live_and_forgotten(uploads: Uploads, file_64: Path) -> None:
    """
    Of four uploads of the same age the one whose task was killed and waits for its next attempt stays, and continues.

    Aborted are the one that another program left behind and, with its Variable, that of a task that has failed for
    good; the Variable of one whose upload is gone is removed.
    """
    failed = uploads.start("upload_variable_once", file_64, GAVE_UP, raise_at={"1": 0.5})
    assert failed.end() == "failed"
    lost = uploads.start("upload_variable_once", file_64, "stale/lost.bin", raise_at={"1": 0.5})
    assert lost.end() == "failed"
    [gone] = [record for record in records(uploads) if record["key"] == lost.key]
    uploads.bucket.abort_multipart_upload(lost.key, gone["upload_id"])
    orphan = uploads.bucket.init_multipart_upload(ORPHAN).upload_id
    uploads.bucket.upload_part(ORPHAN, orphan, 1, bytes(MIB))

    uploads.slow_down(KEPT, 4.0)
    live = uploads.start("upload_variable_later", file_64, KEPT)
    live.wait_for_attempt(1)
    live.wait_until_stored(more_parts=2)
    live.kill()
    assert sorted(uploads.unfinished()) == [GAVE_UP, KEPT, ORPHAN]
    uploads.server.faults.clear()

    kept = live.stored_parts()
    told, done = clean(uploads, older_than="PT0.1S").values()
    assert done == told | {"dry_run": False}
    assert (done["uploads"], done["aborted"], done["kept"]) == (3, 2, {"checkpoint": 1})
    assert (done["variables_removed"], done["unseen_stores"]) == (2, ["xcom", "task_state"])
    assert [one["key"] for one in done["first"]] == [GAVE_UP, ORPHAN]
    assert uploads.unfinished() == [KEPT]
    assert uploads.checkpoints() == {f"variable {live.owner}"}

    assert live.end() == "success"
    assert live.attempts() == ["failed", "success"]
    assert live.result()["bytes_verified"] >= kept * PART_SIZE
    live.assert_continued(sent_twice_bytes=(PARALLEL + 1) * PART_SIZE)
    uploads.assert_nothing_left()


def test_the_default_is_patient(uploads: Uploads) -> None:
    """Without being told otherwise nothing is aborted that happened within a week."""
    upload_id = uploads.bucket.init_multipart_upload(ORPHAN).upload_id
    done = clean(uploads)["abort"]
    assert (done["aborted"], done["kept"]) == (0, {"recent": 1})
    uploads.bucket.abort_multipart_upload(ORPHAN, upload_id)


def records(uploads: Uploads) -> list[dict[str, str]]:
    """Return all checkpoints that are in Variables."""
    return [json.loads(text) for key, text in uploads.airflow.variables().items() if key.startswith("oss_upload_")]
