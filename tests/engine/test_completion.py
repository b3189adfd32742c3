"""The object made of ranges: whole, of one plan, of what OSS holds, and compared at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import (
    OSSCallbackFailed,
    OSSChecksumMismatch,
    OSSInvalidArgument,
    OSSObjectAlreadyExists,
    OSSPlanOutdated,
    OSSServiceUnavailable,
)
from airflow_provider_oss.model import StoredObject
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import ClientWithoutListedCrc64, InterferingClient, PassingClient
from tests.engine.group import Group, put_part
from tests.support.sources import some_bytes


@pytest.fixture
def group(scene: Scene) -> Group:
    """All ranges are sent."""
    scene.write(9 * PART + 5)
    made = Group(scene)
    made.plan()
    made.send_all()
    scene.server.forget_requests()
    return made


@pytest.fixture
def data(group: Group) -> bytes:
    return group.scene.path.read_bytes()


@pytest.mark.parametrize("lost", ["1-3", "4-6", "7-10"])
def test_a_missing_range(group: Group, data: bytes, lost: str) -> None:
    """Without the result of a range nothing is completed; once it is there, the object is."""
    kept = group.results.pop(lost)
    with pytest.raises(OSSPlanOutdated, match=rf"sent from part {lost.partition('-')[0]} on is missing"):
        group.complete()
    assert group.scene.operations() == []
    group.results[lost] = kept
    group.assert_stored(data, group.complete())


def test_results_of_another_plan(group: Group) -> None:
    """What was sent to another upload, or of another version of the source, is not taken for this one's."""
    first = dict(group.results)
    group.scene.write(9 * PART + 5, seed=3)
    group.plan()
    group.results = first
    with pytest.raises(OSSPlanOutdated, match="from part 1 on is missing, or of another plan"):
        group.complete()
    assert group.scene.uploads() == [group.upload.upload_id]


def test_results_of_a_larger_source(group: Group) -> None:
    """Ranges that the source does not have any more are results of another plan, and no wrong argument."""
    group.scene.write(2 * PART)
    group.plan()
    with pytest.raises(OSSPlanOutdated, match="from part 1 on is missing, or of another plan"):
        group.complete()


def test_a_range_twice(group: Group) -> None:
    """Results that overlap are not completed."""
    group.results["again"] = group.results["4-6"]
    with pytest.raises(OSSPlanOutdated, match="from part 7 on is missing"):
        group.complete()


def test_other_options(group: Group) -> None:
    """Metadata that is not what the upload was begun with is refused, for OSS would ignore it."""
    with pytest.raises(OSSInvalidArgument, match="are not those that the upload was begun with"):
        group.complete(options=parse_options(meta={"a": "b"}))


@pytest.mark.parametrize("number", [1, 5, 10])
def test_a_part_replaced_meanwhile(group: Group, data: bytes, number: int) -> None:
    """A part that OSS holds with other bytes than were sent is found; its range done again, the object is right."""
    size_bytes = 5 if number == 10 else PART
    put_part(group, number, some_bytes(size_bytes, seed=number))
    with pytest.raises(OSSPlanOutdated, match=r"OSS does not hold parts .* as they were sent: clear the task"):
        group.complete()
    group.scene.server.forget_requests()
    for parts in group.parts:
        group.send(parts)
    assert group.scene.sent() == [number]
    group.assert_stored(data, group.complete())


def test_without_listed_sums(group: Group, data: bytes) -> None:
    """Where OSS lists no CRC-64 the ETags are compared."""
    client = ClientWithoutListedCrc64(group.scene.client)
    put_part(group, 2, some_bytes(PART, seed=2))
    with pytest.raises(OSSPlanOutdated, match="OSS does not hold parts 1-3"):
        group.complete(client=client)
    group.send("1-3")
    group.assert_stored(data, group.complete(client=client))


@pytest.mark.parametrize("forbid", [False, True])
def test_a_lost_answer(group: Group, data: bytes, *, forbid: bool) -> None:
    """When the object was made and the answer lost, the object is found and compared; so it is by a later attempt."""
    options = parse_options(forbid_overwrite=forbid)
    group.scene.server.faults.add(Fault(operation="CompleteMultipartUpload", reset="after", times=1))
    group.assert_stored(data, group.complete(options=options))
    group.assert_stored(data, group.complete(options=options))


def test_busy(group: Group, data: bytes) -> None:
    """An attempt that fails leaves everything to the next one."""
    group.scene.server.faults.add(Fault(operation="CompleteMultipartUpload", status=503, times=3))
    with pytest.raises(OSSServiceUnavailable):
        group.complete()
    assert group.scene.uploads() == [group.upload.upload_id]
    group.assert_stored(data, group.complete())


def test_an_object_in_the_way(group: Group, data: bytes) -> None:
    """Another object that must not be overwritten fails the task and leaves the upload; an equal one is success."""
    forbid = parse_options(forbid_overwrite=True)
    group.scene.client.put_object(group.scene.ref, b"other", crc64(b"other"), parse_options())
    with pytest.raises(OSSObjectAlreadyExists):
        group.complete(options=forbid)
    assert group.scene.uploads() == [group.upload.upload_id]
    group.scene.client.put_object(group.scene.ref, data, crc64(data), parse_options())
    group.assert_stored(data, group.complete(options=forbid))


def test_gone(group: Group, data: bytes) -> None:
    """An upload that was aborted cannot be completed, and the text says what to clear."""
    group.scene.client.abort_multipart_upload(group.scene.ref, group.upload.upload_id)
    with pytest.raises(OSSPlanOutdated, match="clear the task that plans"):
        group.complete()
    group.assert_stored(data, group.run())


def test_a_callback_that_fails(group: Group, data: bytes) -> None:
    """The object is there although its callback failed; a task that is cleared says that it does not know of it."""
    options = parse_options(callback={"url": "http://127.0.0.1:9/x", "body": "a"})
    with pytest.raises(OSSCallbackFailed):
        group.complete(options=options)
    group.assert_stored(data, group.complete(options=options))


def test_a_part_replaced_at_the_last_moment(group: Group, data: bytes) -> None:
    """What a stale attempt stores between the list and the call is refused by OSS, for its ETag is another."""
    other = some_bytes(PART, seed=8)
    client = InterferingClient(group.scene.client, "complete", lambda: put_part(group, 5, other))
    with pytest.raises(Exception, match="InvalidPart"):
        group.complete(client=client)
    group.send("4-6")
    group.assert_stored(data, group.complete())


def test_another_sum_at_the_end(group: Group) -> None:
    """An object whose CRC-64 is not that of all ranges is never success."""

    class Lying(PassingClient):
        def complete_multipart_upload(self, *call: object) -> StoredObject:
            return replace(super().complete_multipart_upload(*call), crc64=1)  # type: ignore[arg-type]

    with pytest.raises(OSSChecksumMismatch, match="has the CRC-64 1, the source has"):
        group.complete(client=Lying(group.scene.client))
