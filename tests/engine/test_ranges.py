"""Ranges of the parts of an upload, each sent by another worker: whatever dies, is cleared, or is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSPlanOutdated, OSSSourceElsewhere, OSSUploadCancelled
from airflow_provider_oss.model import Checkpoint, ObjectOptions
from airflow_provider_oss.shown import host_name
from tests.engine.conftest import PART, Scene
from tests.engine.group import Group, put_part
from tests.engine.test_upload_versions import VersionedSource
from tests.support.sources import edit_unnoticed, some_bytes

ONE_AT_A_TIME = UploadSettings(parallel=1)


@pytest.fixture
def data(scene: Scene) -> bytes:
    return scene.write(9 * PART + 5)


@pytest.fixture
def group(scene: Scene, data: bytes) -> Group:
    assert scene.path.read_bytes() == data
    return Group(scene)


def stop_at_part(group: Group, parts: str, number: int) -> None:
    """Send a range by an attempt that fails at this part."""
    group.scene.server.faults.add(Fault(operation="UploadPart", part_number=number, status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        group.send(parts, settings=ONE_AT_A_TIME)
    group.scene.server.faults.clear()
    group.scene.server.forget_requests()


def test_ranges(group: Group, data: bytes) -> None:
    """Ranges in any order make the object; each part is sent once, and only the plan's record is left."""
    result = group.run()
    assert group.scene.sent() == list(range(1, 11))
    assert (result.bytes_sent, result.bytes_verified, result.resumed) == (len(data), 0, False)
    group.assert_stored(data, result)
    assert group.scene.store.upload_id == group.upload.upload_id


def test_a_range_is_tried_again(group: Group, data: bytes) -> None:
    """A retried range asks for its own parts only, verifies what is there and sends what is missing."""
    group.plan()
    group.send("1-3")
    stop_at_part(group, "7-10", 9)
    sent = group.send("7-10")
    assert group.scene.sent() == [9, 10]
    assert (sent.bytes_sent, sent.bytes_verified) == (PART + 5, 2 * PART)
    group.send("4-6")
    group.assert_stored(data, group.complete())


def test_a_version_is_not_read_again(group: Group, data: bytes) -> None:
    """Of a source with a strong version, what an earlier attempt has sent is not read again."""
    group.plan(source=VersionedSource(data, "etag-1"))
    group.scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        group.send("1-3", source=VersionedSource(data, "etag-1"), settings=ONE_AT_A_TIME)
    group.scene.server.faults.clear()
    again = VersionedSource(data, "etag-1")
    group.send("1-3", source=again)
    assert again.read == [3]
    with pytest.raises(OSSPlanOutdated, match="is not what it was when the upload"):
        group.send("4-6", source=VersionedSource(data, "etag-2"))


def test_a_source_that_changed(group: Group) -> None:
    """A changed source stops each range at once; planned again, the same upload gets what differs, and nothing else."""
    first = group.plan()
    group.send("1-3")
    data = group.scene.write(9 * PART + 5, seed=1)
    data = data[: 9 * PART] + b"tail!"
    group.scene.path.write_bytes(some_bytes(9 * PART + 5)[: 3 * PART] + data[3 * PART :])
    data = group.scene.path.read_bytes()
    with pytest.raises(OSSPlanOutdated, match="clear the task that plans"):
        group.send("4-6")
    assert group.plan().upload_id == first.upload_id
    group.scene.server.forget_requests()
    group.send_all()
    assert group.scene.sent() == [4, 5, 6, 7, 8, 9, 10]
    group.assert_stored(data, group.complete())


def test_a_source_edited_unnoticed(group: Group, data: bytes) -> None:
    """A file that is rewritten and keeps its size and time of modification is another one; nothing is mixed."""
    group.plan()
    group.send("1-3")
    edit_unnoticed(group.scene.path, 4 * PART, b"edited")
    with pytest.raises(OSSPlanOutdated, match="clear the task that plans"):
        group.send("4-6")
    group.plan()
    group.scene.server.forget_requests()
    group.send_all()
    assert group.scene.sent() == [4, 5, 6, 7, 8, 9, 10]
    group.assert_stored(data[: 4 * PART] + b"edited" + data[4 * PART + 6 :], group.complete())


def test_a_range_after_the_end(group: Group, data: bytes) -> None:
    """A range that is done again when the object is complete is read, and nothing is sent."""
    group.run()
    group.scene.server.forget_requests()
    sent = group.send("4-6")
    assert (sent.bytes_sent, sent.bytes_verified, sent.etags) == (0, 3 * PART, "")
    assert group.scene.operations() == ["ListParts", "HeadObject"]
    group.scene.server.forget_requests()
    group.assert_stored(data, group.complete())
    assert group.scene.operations()[:2] == ["ListParts", "HeadObject"]


def test_the_whole_group_again(group: Group, data: bytes) -> None:
    """A plan that is made again after the end begins anew, and leaves nothing."""
    group.run()
    group.assert_stored(data, group.run())


def test_an_upload_that_was_aborted(group: Group, data: bytes) -> None:
    """A range of an upload that is gone fails at once and says what to do; a new plan mends it."""
    group.plan()
    group.send("1-3")
    group.scene.client.abort_multipart_upload(group.scene.ref, group.upload.upload_id)
    with pytest.raises(OSSPlanOutdated, match="is gone, and the object that is there, if any, is not the source"):
        group.send("4-6")
    group.assert_stored(data, group.run())


def test_no_file_on_this_worker(group: Group) -> None:
    """A worker that does not see the file says that another one may: it was there when it was planned."""
    group.plan()
    group.scene.path.unlink()
    with pytest.raises(OSSSourceElsewhere, match=f"is not on this worker, {host_name()}"):
        group.send("1-3")


def test_a_record_of_something_else(group: Group, data: bytes) -> None:
    """A record that names another upload, or was edited, is replaced; what it names is not aborted."""
    group.plan()
    other = group.scene.client.initiate_multipart_upload(group.scene.ref, ObjectOptions())
    stop_at_part(group, "1-3", 2)
    saved = group.stores["1-3"].load()
    assert saved is not None
    group.stores["1-3"].save(replace(saved, upload_id=other))
    group.send_all()
    group.complete()
    assert group.scene.object() == data
    assert group.scene.uploads() == [other]


def test_a_part_of_somebody_else(group: Group, data: bytes) -> None:
    """A part that a stale attempt has stored with other bytes is replaced."""
    group.plan()
    put_part(group, 5, some_bytes(PART, seed=7))
    group.send_all()
    group.assert_stored(data, group.complete())


def test_asked_to_stop(group: Group, data: bytes) -> None:
    """A range that is asked to stop leaves the upload, and its parts, to the next attempt."""
    group.plan()
    cancellation = Cancellation()
    with pytest.raises(OSSUploadCancelled):
        group.send("1-3", cancellation=cancellation, settings=ONE_AT_A_TIME, progress=lambda *_: cancellation.request())
    assert group.scene.uploads() == [group.upload.upload_id]
    group.send_all()
    group.assert_stored(data, group.complete())


def test_progress(group: Group) -> None:
    """The callback is given the range's fraction, and a record that says how far it is."""
    group.plan()
    told: list[tuple[float, str]] = []

    def note(fraction: float, checkpoint: Checkpoint | None, _: object) -> None:
        assert checkpoint is not None
        told.append((round(fraction, 3), checkpoint.done_parts))

    group.send("4-6", settings=ONE_AT_A_TIME, progress=note)
    assert told == [(0.333, "4"), (0.667, "4-5"), (1.0, "4-6")]
