"""When a checkpoint is saved, and what a failing store means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.engine.checkpoints import CheckpointWriter
from airflow_provider_oss.exceptions import OSSCheckpointNotSaved
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.ports import CheckpointStore
from tests.engine.doubles import HandClock
from tests.support.stores import FailingStore, MemoryStore, StoreDownError

CHECKPOINT = Checkpoint(ObjectRef("exports", "a"), "UPLOAD", 5, Fingerprint("file", 10), "0" * 16)
INTERVAL_SECONDS = 10.0


def writer_of(store: CheckpointStore | None, clock: HandClock | None = None) -> CheckpointWriter:
    return CheckpointWriter(store, INTERVAL_SECONDS, clock or HandClock())


def test_without_a_store_nothing_is_kept() -> None:
    """Every call is fine without a store, and nothing is there to be loaded."""
    writer = writer_of(None)

    writer.save_first(CHECKPOINT)
    writer.save(CHECKPOINT)
    writer.delete()

    assert not writer.keeps
    assert writer.load() is None


def test_what_was_saved_is_loaded() -> None:
    """The store gets the checkpoint, a later writer of the same store loads it."""
    store = MemoryStore()

    writer_of(store).save_first(CHECKPOINT)

    assert writer_of(store).keeps
    assert writer_of(store).load() == CHECKPOINT


def test_a_store_that_cannot_be_read_is_an_error() -> None:
    """That a store is down does not mean that there is no checkpoint: its error is passed on."""
    with pytest.raises(StoreDownError):
        writer_of(FailingStore("load")).load()


def test_an_unreadable_checkpoint_is_reported_and_deleted(caplog: pytest.LogCaptureFixture) -> None:
    """What is no checkpoint counts as none, its text is logged for a person to read, and it goes with the next one."""
    store = MemoryStore(CHECKPOINT)
    store.data = {"upload_id": "LOST-UPLOAD"}
    writer = writer_of(store)

    assert writer.load() is None
    assert "LOST-UPLOAD" in caplog.text
    writer.delete()
    assert store.data is None


def test_the_id_of_a_new_upload_must_be_saved() -> None:
    """A first save that fails is an error that names the upload and keeps the store's own."""
    with pytest.raises(OSSCheckpointNotSaved, match=r"UPLOAD could not be saved.*the store is down") as caught:
        writer_of(FailingStore("save")).save_first(CHECKPOINT)

    assert isinstance(caught.value.__cause__, StoreDownError)


def test_a_later_save_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """A save that only tells how far the upload is may fail: that is logged, with the id of the upload."""
    store = FailingStore("save", since=2)
    writer = writer_of(store)
    writer.save_first(CHECKPOINT)

    writer.save(replace(CHECKPOINT, done_parts="1"))

    assert store.load() == CHECKPOINT
    assert "UPLOAD could not be brought up to date: the store is down" in caplog.text


def test_saves_are_rare() -> None:
    """A save is due when the last one, the first included, is old enough; one that failed counts too."""
    clock = HandClock()
    writer = writer_of(FailingStore("save", since=2), clock)

    clock.seconds += INTERVAL_SECONDS
    assert writer.is_due()
    writer.save_first(CHECKPOINT)
    assert not writer.is_due()
    clock.seconds += INTERVAL_SECONDS - 1
    assert not writer.is_due()
    clock.seconds += 1
    assert writer.is_due()
    writer.save(CHECKPOINT)
    assert not writer.is_due()


def test_only_what_is_there_is_deleted() -> None:
    """The store is asked to delete once, and only when it holds something."""
    store = MemoryStore()
    writer = writer_of(store)

    assert writer.load() is None
    writer.delete()
    assert store.deleted == 0
    writer.save_first(CHECKPOINT)
    writer.delete()
    writer.delete()
    assert store.deleted == 1


def test_a_delete_may_fail_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A checkpoint that cannot be deleted is logged; it is harmless, and the next delete tries once more."""
    store = FailingStore("delete", checkpoint=CHECKPOINT)
    writer = writer_of(store)
    assert writer.load() == CHECKPOINT

    writer.delete()
    writer.delete()

    assert store.calls.count("delete") == 2
    assert "could not be deleted: the store is down" in caplog.text


def test_a_change_that_must_be_known(caplog: pytest.LogCaptureFixture) -> None:
    """What a later attempt has to know is saved, or an error that says what stays; without a store nobody will ask."""
    store = MemoryStore(CHECKPOINT)
    changed = replace(CHECKPOINT, attempt=2)
    writer_of(store).save_change(changed)
    assert store.load() == changed

    with pytest.raises(OSSCheckpointNotSaved, match="UPLOAD, which stays for the next attempt: the store is down"):
        writer_of(FailingStore("save", checkpoint=CHECKPOINT)).save_change(changed)
    writer_of(None).save_change(changed)
    assert caplog.messages == []
