"""Every upload id has an owner: uploads whose id was lost are found and aborted, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.checkpoints import CheckpointWriter, UploadIds
from airflow_provider_oss.engine.plan import PartPlan
from airflow_provider_oss.engine.progress import SystemClock
from airflow_provider_oss.engine.resume import sealed
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSBadResponse, OSSConnectionError
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectOptions, ObjectRef
from airflow_provider_oss.ports import Clock
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import KEY, PART, Scene, both_ways
from tests.engine.doubles import HandClock
from tests.support.stores import MemoryStore

PLAN = PartPlan(4 * PART, PART)
SOURCE = Fingerprint("file", 4 * PART)
NO_LISTING_OF_UPLOADS = Fault(operation="ListMultipartUploads", status=403, code="AccessDenied")
NO_LISTING_OF_PARTS = Fault(operation="ListParts", status=403, code="AccessDenied")
NO_ABORT = Fault(operation="AbortMultipartUpload", status=403, code="AccessDenied")


def upload_ids_of(scene: Scene, *, store: MemoryStore | None = None, clock: Clock | None = None) -> UploadIds:
    """Return what is tested, over the scene's client that repeats nothing; without a store unless one is given."""
    clock = clock or SystemClock()
    return UploadIds(scene.ref, ObjectOptions(), scene.client, CheckpointWriter(store, 10.0, clock), clock)


def begin_elsewhere(scene: Scene, key: str = KEY) -> str:
    """Begin an upload as somebody else would, and return its id."""
    return scene.client.initiate_multipart_upload(ObjectRef(scene.bucket, key), ObjectOptions())


def intent_in_store(scene: Scene, clock: Clock | None = None) -> Checkpoint:
    """Leave behind what a process leaves that dies before it knows its upload id."""
    now = (clock or SystemClock()).utc_now()
    intent = sealed(Checkpoint(scene.ref, "", PART, SOURCE, "0" * 16, created_at=now, updated_at=now))
    scene.store.save(intent)
    return intent


def drop(scene: Scene, checkpoint: Checkpoint) -> None:
    """Drop it as the attempt that finds it in the store does."""
    writer = CheckpointWriter(scene.store, 10.0, SystemClock())
    assert writer.load() == checkpoint
    UploadIds(scene.ref, ObjectOptions(), scene.client, writer, SystemClock()).drop(checkpoint)


def damaged(upload_id: str) -> str:
    """Return another id that could be one."""
    return f"{'1' if upload_id[0] == '0' else '0'}{upload_id[1:]}"


def test_lost_ids_are_found_and_the_new_one_is_kept(scene: Scene) -> None:
    """After an answer was lost, empty uploads of the key are aborted, and only the one that was begun is left."""
    begin_elsewhere(scene)
    begin_elsewhere(scene)
    upload_ids = upload_ids_of(scene, store=scene.store)
    upload_ids.note_lost_answer()

    checkpoint = upload_ids.begin(PLAN, SOURCE, attempt=3)

    assert scene.uploads() == [checkpoint.upload_id]
    assert scene.store.load() == checkpoint
    assert checkpoint.attempt == 3


def test_nobody_looks_without_need(scene: Scene) -> None:
    """When every answer arrived no upload is looked for: one that somebody else has just begun is theirs."""
    other = begin_elsewhere(scene)
    scene.server.forget_requests()

    checkpoint = upload_ids_of(scene, store=scene.store).begin(PLAN, SOURCE, attempt=1)

    assert scene.operations() == ["InitiateMultipartUpload"]
    assert sorted(scene.uploads()) == sorted([other, checkpoint.upload_id])


def test_an_intent_that_is_dropped(scene: Scene) -> None:
    """Whoever drops an intent aborts the upload that it may have begun, and then deletes it."""
    begin_elsewhere(scene)

    drop(scene, intent_in_store(scene))

    assert scene.operations()[-1] == "AbortMultipartUpload"
    scene.assert_nothing_left()


def test_an_intent_that_began_nothing(scene: Scene) -> None:
    """When there is no upload to find, the intent is deleted all the same."""
    drop(scene, intent_in_store(scene))

    assert scene.operations() == ["ListMultipartUploads"]
    scene.assert_nothing_left()


def test_uploads_of_others_are_left_alone(scene: Scene) -> None:
    """An upload that holds a part is at work, one of another key is none of ours: they stay, also its parts."""
    lost, at_work, longer_key = begin_elsewhere(scene), begin_elsewhere(scene), begin_elsewhere(scene, KEY + "2")
    scene.client.upload_part(scene.ref, at_work, 1, b"data", crc64(b"data"), ObjectOptions())

    drop(scene, intent_in_store(scene))

    assert lost not in scene.uploads()
    assert sorted(scene.uploads()) == sorted([at_work, longer_key])
    assert [part.size_bytes for part in scene.client.list_parts(scene.ref, at_work)] == [4]


def test_uploads_that_were_begun_before_are_left_alone(scene: Scene) -> None:
    """What was begun long before the intent is not what the intent began."""
    older = begin_elsewhere(scene)

    drop(scene, intent_in_store(scene, HandClock()))  # it is 2030 there

    assert scene.uploads() == [older]
    assert scene.store.data is None


def test_uploads_that_were_begun_long_after_are_left_alone(scene: Scene) -> None:
    """What was begun hours after the intent is another attempt's, or another run's."""
    later = begin_elsewhere(scene)
    intent = intent_in_store(scene)
    early = (datetime.fromisoformat(intent.created_at) - timedelta(hours=2)).isoformat()
    intent = sealed(replace(intent, created_at=early))
    scene.store.save(intent)

    drop(scene, intent)

    assert scene.uploads() == [later]
    assert scene.store.data is None


def test_a_damaged_id_that_is_dropped(scene: Scene) -> None:
    """An id that OSS does not know may have been damaged: what was begun for it is aborted, unless it had a part."""
    begun = begin_elsewhere(scene)
    kept = sealed(replace(intent_in_store(scene), upload_id=damaged(begun)))
    scene.store.save(replace(kept, done_parts="1", done_bytes=PART))
    drop(scene, replace(kept, done_parts="1", done_bytes=PART))
    assert scene.uploads() == [begun]

    scene.store.save(kept)
    drop(scene, kept)
    scene.assert_nothing_left()


@both_ways
def test_a_damaged_id_that_is_continued(scene: Scene) -> None:
    """An attempt that ends with a damaged id leaves an upload that nobody names: the next one finds it."""
    data = scene.write(4 * PART)
    begun = scene.stop_at_part(1)
    scene.store.save(sealed(replace(begun, upload_id=damaged(begun.upload_id))))

    scene.run()

    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_clock_that_is_wrong_within_reason(scene: Scene) -> None:
    """An upload that OSS's clock puts a few minutes before the intent is found: the two clocks differ."""
    begin_elsewhere(scene)
    [upload] = scene.client.list_uploads(scene.ref)

    def intent_after(minutes: int) -> Checkpoint:
        at = datetime.fromtimestamp(upload.initiated, UTC) + timedelta(minutes=minutes)
        intent = sealed(replace(intent_in_store(scene), created_at=at.isoformat()))
        scene.store.save(intent)
        return intent

    drop(scene, intent_after(16))
    assert scene.uploads() == [upload.upload_id]
    drop(scene, intent_after(14))
    scene.assert_nothing_left()


def test_where_uploads_may_not_be_listed(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission to list uploads the log says what may be left, and everything goes on."""
    lost = begin_elsewhere(scene)
    scene.server.faults.add(NO_LISTING_OF_UPLOADS)
    upload_ids = upload_ids_of(scene, store=scene.store)
    upload_ids.note_lost_answer()

    checkpoint = upload_ids.begin(PLAN, SOURCE, attempt=1)
    assert f"{scene.ref}: an empty upload whose id was lost may be left, looking for it failed" in caplog.text
    scene.store.data = None
    drop(scene, intent_in_store(scene))

    scene.server.faults.clear()
    assert sorted(scene.uploads()) == sorted([lost, checkpoint.upload_id])
    assert scene.store.data is None


def test_where_parts_may_not_be_listed(scene: Scene) -> None:
    """An upload of which nobody may know whether it is empty is not aborted."""
    unknown = begin_elsewhere(scene)
    scene.server.faults.add(NO_LISTING_OF_PARTS)

    drop(scene, intent_in_store(scene))

    assert scene.uploads() == [unknown]


def test_where_uploads_may_not_be_aborted(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission to abort, the log names the upload that somebody must clean up, and the intent is deleted."""
    lost = begin_elsewhere(scene)
    scene.server.faults.add(NO_ABORT)

    drop(scene, intent_in_store(scene))

    assert scene.uploads() == [lost]
    assert f"Upload {lost} of {scene.ref} could not be aborted and stays, billed" in caplog.text
    assert scene.store.data is None


@pytest.mark.parametrize("operation", ["ListMultipartUploads", "ListParts", "AbortMultipartUpload"])
def test_a_search_that_fails_for_now(scene: Scene, operation: str) -> None:
    """When looking or aborting fails in passing, the error is raised and the intent stays for a later attempt."""
    lost = begin_elsewhere(scene)
    intent = intent_in_store(scene)
    scene.server.faults.add(Fault(operation=operation, reset="before", times=1))

    with pytest.raises(OSSConnectionError):
        drop(scene, intent)

    assert scene.uploads() == [lost]
    assert scene.store.load() == intent
    drop(scene, intent)
    scene.assert_nothing_left()


def begin_and_fail(scene: Scene, fault: Fault, error: type[Exception], store: MemoryStore | None) -> UploadIds:
    scene.server.faults.add(fault)
    upload_ids = upload_ids_of(scene, store=store)
    if error is not OSSAccessDenied:
        upload_ids.note_lost_answer()
    with pytest.raises(error):
        upload_ids.begin(PLAN, SOURCE, attempt=1)
    scene.server.faults.clear()
    return upload_ids


def test_a_beginning_that_is_refused(scene: Scene) -> None:
    """When OSS refuses to begin an upload there is none, and nothing to remember."""
    fault = Fault(operation="InitiateMultipartUpload", status=403, code="AccessDenied")

    begin_and_fail(scene, fault, OSSAccessDenied, scene.store)

    scene.assert_nothing_left()
    assert scene.store.deleted == 1


LOST_ANSWERS: list[tuple[Fault, type[Exception]]] = [
    (Fault(operation="InitiateMultipartUpload", reset="after"), OSSConnectionError),
    (Fault(operation="InitiateMultipartUpload", response_body=b"no XML"), OSSBadResponse),
]


@pytest.mark.parametrize(("fault", "error"), LOST_ANSWERS, ids=repr)
def test_a_beginning_whose_answer_is_lost(scene: Scene, fault: Fault, error: type[Exception]) -> None:
    """When no answer arrives the intent stays, and whoever finds it aborts the upload that was begun."""
    begin_and_fail(scene, fault, error, scene.store)

    assert len(scene.uploads()) == 1
    intent = scene.store.load()
    assert intent is not None
    assert intent.upload_id == ""
    drop(scene, intent)
    scene.assert_nothing_left()


@pytest.mark.parametrize(("fault", "error"), LOST_ANSWERS, ids=repr)
def test_a_beginning_that_nobody_can_remember(scene: Scene, fault: Fault, error: type[Exception]) -> None:
    """Without a store there is no later attempt: the upload whose answer was lost is looked for and aborted at once."""
    begin_and_fail(scene, fault, error, store=None)

    assert scene.operations()[-1] == "AbortMultipartUpload"
    assert scene.uploads() == []
