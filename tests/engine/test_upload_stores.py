"""Checkpoint stores that fail, or hold something odd."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.plan import GROWING_PARTS
from airflow_provider_oss.engine.resume import sealed
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSCheckpointNotSaved
from airflow_provider_oss.model import CONSTANT_PARTS, Checkpoint, Fingerprint
from airflow_provider_oss.options import digest
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import HandClock
from tests.support.stores import FailingStore, MemoryStore, StoreDownError

pytestmark = both_ways

EVERY_TIME = 0.0


def test_the_upload_is_saved_before_anything_is_sent(scene: Scene) -> None:
    """The intent is saved before the upload begins, its id at once after; both have all that a later attempt needs."""
    scene.write(4 * PART)
    asked_at_save: list[list[str]] = []

    class Watching(MemoryStore):
        def save(self, checkpoint: Checkpoint) -> None:
            asked_at_save.append(scene.operations())
            super().save(checkpoint)

    store = Watching()
    scene.run(store, clock=HandClock())

    assert asked_at_save == [[], ["InitiateMultipartUpload"]]
    intent = Checkpoint(
        ref=scene.ref,
        upload_id="",
        part_size_bytes=PART,
        source=(
            Fingerprint("a stream", None)
            if scene.as_stream
            else Fingerprint(str(scene.path), 4 * PART, store.saved[0].source.modified_at)
        ),
        options_digest=digest(scene.upload().options),
        attempt=1,
        created_at="2030-01-01T00:00:00.000Z",
        updated_at="2030-01-01T00:00:00.000Z",
        schedule=GROWING_PARTS if scene.as_stream else CONSTANT_PARTS,
    )
    assert store.saved == [
        sealed(intent),
        sealed(replace(intent, upload_id=scene.requests("CompleteMultipartUpload")[0].upload_id or "")),
    ]


def test_saves_follow_the_parts(scene: Scene) -> None:
    """A checkpoint that is saved on the way says which parts are stored, and when that was."""
    scene.write(3 * PART)
    clock = HandClock()

    def one_second_later(*_: object) -> None:
        clock.seconds += 1

    settings = replace(scene.settings, parallel=1, save_interval_seconds=2.0)
    scene.run(settings=settings, clock=clock, progress=one_second_later)

    assert [(saved.done_parts, saved.done_bytes) for saved in scene.store.saved] == [
        ("", 0),
        ("", 0),
        ("1-2", 2 * PART),
    ]
    assert [saved.updated_at for saved in scene.store.saved] == [
        "2030-01-01T00:00:00.000Z",
        "2030-01-01T00:00:00.000Z",
        "2030-01-01T00:00:01.000Z",
    ]
    assert {saved.created_at for saved in scene.store.saved} == {"2030-01-01T00:00:00.000Z"}


def test_saves_are_rare(scene: Scene) -> None:
    """However many parts there are, nothing is saved between the upload's id and the next due checkpoint."""
    scene.write(12 * PART)

    scene.run(clock=HandClock())

    assert [bool(saved.upload_id) for saved in scene.store.saved] == [False, True]
    assert scene.store.deleted == 1


def test_a_store_that_cannot_be_read(scene: Scene) -> None:
    """When the store is down at the beginning its error is raised and nothing is sent: there may be an upload."""
    scene.write(4 * PART)

    with pytest.raises(StoreDownError):
        scene.run(FailingStore("load"))

    assert scene.operations() == []


def test_a_first_save_that_fails(scene: Scene) -> None:
    """When not even the intent can be saved, the attempt fails before it has begun an upload."""
    scene.write(4 * PART)

    with pytest.raises(
        OSSCheckpointNotSaved, match=r"could not be saved, so none is begun: the store is down for save"
    ):
        scene.run(FailingStore("save"))

    assert scene.operations() == []


def test_an_id_that_cannot_be_saved(scene: Scene) -> None:
    """An upload whose id could not be saved is aborted at once, its intent deleted, and the attempt fails."""
    scene.write(4 * PART)
    store = FailingStore("save", since=2)

    with pytest.raises(
        OSSCheckpointNotSaved, match=r"could not be saved, so it is aborted: the store is down for save"
    ):
        scene.run(store)

    assert scene.operations() == ["InitiateMultipartUpload", "AbortMultipartUpload"]
    assert store.data is None
    assert scene.uploads() == []


def test_a_later_save_that_fails(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Once the id is saved, the upload goes on without the store, and the log says that it does."""
    data = scene.write(4 * PART)
    store = FailingStore("save", since=3)

    scene.run(store, settings=replace(scene.settings, save_interval_seconds=EVERY_TIME))

    assert store.calls == ["load", "save", "save", *["save"] * 4, "load", "delete"]
    assert caplog.text.count("could not be brought up to date: the store is down") == 4
    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_failure_while_the_store_is_down(scene: Scene) -> None:
    """When the upload fails and the store too, the upload's error is raised, and the saved id still helps."""
    data = scene.write(4 * PART)
    store = FailingStore("save", since=3)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        scene.run(store, settings=replace(scene.settings, parallel=1))
    scene.server.faults.clear()
    scene.server.forget_requests()
    result = scene.run(store)

    assert scene.sent() == [3, 4]
    assert result.resumed
    assert scene.object() == data
    assert scene.uploads() == []


def test_a_delete_that_fails(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A finished upload is a success also when its checkpoint stays; a later run is not misled by it."""
    data = scene.write(4 * PART)
    store = FailingStore("delete")

    scene.run(store)
    assert "could not be deleted" in caplog.text
    assert store.load() is not None
    scene.server.forget_requests()
    result = scene.run(store)

    assert scene.sent() == []
    assert (result.attempts, result.resumed) == (2, True)
    assert scene.object() == data
    assert scene.uploads() == []


def test_a_stale_checkpoint_after_the_object_was_deleted(scene: Scene) -> None:
    """A checkpoint of a finished upload does not mean "done": when the object is gone it is uploaded again."""
    data = scene.write(4 * PART)
    store = FailingStore("delete")
    scene.run(store)
    scene.client.delete_object(scene.ref)
    scene.server.forget_requests()

    scene.run(store)

    assert scene.sent() == [1, 2, 3, 4]
    assert scene.object() == data


@pytest.mark.parametrize("data", [{}, "no JSON", [], {"upload_id": "LOST", "version": 99}])
@pytest.mark.parametrize("size_bytes", [10, 4 * PART])
def test_an_unreadable_checkpoint(scene: Scene, data: Any, size_bytes: int, caplog: pytest.LogCaptureFixture) -> None:
    """What is no checkpoint is logged for a person to read, replaced by a good one, and deleted at the end."""
    content = scene.write(size_bytes)
    scene.store.data = data

    result = scene.run()

    assert result.attempts == 1
    assert scene.object() == content
    assert "Starting anew" in caplog.text
    scene.assert_nothing_left()


def test_the_store_is_left_alone_without_need(scene: Scene) -> None:
    """A file of one part, with nothing stored before, is none of the store's business."""
    scene.write(10)
    store = FailingStore("save")

    scene.run(store)

    assert store.calls == ["load"]
