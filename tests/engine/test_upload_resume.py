"""A later attempt continues what an earlier one began."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSAccessDenied
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import KEY, PART, Scene, both_ways
from tests.engine.doubles import ClientWithoutListedCrc64
from tests.support.sources import descriptors_of
from tests.support.stores import MemoryStore

pytestmark = both_ways


def test_only_what_is_missing_is_sent(scene: Scene) -> None:
    """After a failure in the middle the next attempt verifies what is stored and sends the rest."""
    data = scene.write(6 * PART + 5)
    checkpoint = scene.stop_at_part(4)
    assert scene.uploads() == [checkpoint.upload_id]
    assert (checkpoint.done_parts, checkpoint.done_bytes, checkpoint.attempt) == ("1-3", 3 * PART, 1)

    result = scene.run()

    assert scene.sent() == [4, 5, 6, 7]
    assert scene.object() == data
    assert (result.attempts, result.resumed) == (2, True)
    assert (result.bytes_sent, result.bytes_verified) == (3 * PART + 5, 3 * PART)
    scene.assert_nothing_left()


def test_the_file_is_closed(scene: Scene) -> None:
    """No attempt keeps the file open, whether it failed or ended well."""
    scene.write(4 * PART)

    scene.stop_at_part(3)
    assert descriptors_of(scene.path) == 0
    scene.run()
    assert descriptors_of(scene.path) == 0


def test_holes_are_filled(scene: Scene) -> None:
    """Parts need not be stored in order: each that is there is kept, each that is not is sent."""
    data = scene.write(6 * PART)
    checkpoint = scene.stop_at_part(1)
    for number in (2, 3, 5):
        part = data[(number - 1) * PART : number * PART]
        scene.client.upload_part(scene.ref, checkpoint.upload_id, number, part, crc64(part), ObjectOptions())
    scene.server.forget_requests()

    result = scene.run()

    assert scene.sent() == [1, 4, 6]
    assert result.bytes_verified == 3 * PART
    assert scene.object() == data
    scene.assert_nothing_left()


def test_attempts_are_counted(scene: Scene) -> None:
    """Every attempt that worked on the upload counts, those that stored nothing too."""
    scene.write(5 * PART)
    for number in (3, 3, 5):
        scene.stop_at_part(number)

    result = scene.run()

    assert result.attempts == 4
    assert scene.sent() == [5]


def test_everything_stored_already(scene: Scene) -> None:
    """When only the completion was missing, nothing is sent again."""
    data = scene.write(3 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        scene.run()
    scene.server.faults.clear()
    scene.server.forget_requests()

    result = scene.run()

    assert scene.operations() == ["ListParts", "CompleteMultipartUpload"]
    assert (result.bytes_sent, result.bytes_verified) == (0, 3 * PART)
    assert scene.object() == data
    scene.assert_nothing_left()


def test_what_a_checkpoint_says_is_not_believed(scene: Scene) -> None:
    """A record that claims more parts than OSS lists changes nothing: what is missing is sent."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(2)
    scene.store.save(replace(checkpoint, done_parts="1-5", done_bytes=5 * PART))

    scene.run()

    assert scene.sent() == [2, 3, 4, 5]
    assert scene.object() == data


def test_foreign_bytes_in_a_part_are_replaced(scene: Scene) -> None:
    """A part that somebody overwrote with other bytes of the same size is sent again."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(4)
    foreign = bytes(PART)
    scene.client.upload_part(scene.ref, checkpoint.upload_id, 2, foreign, crc64(foreign), ObjectOptions())
    scene.server.forget_requests()

    scene.run()

    assert scene.sent() == [2, 4]
    assert scene.object() == data


def test_a_server_that_lists_no_crc64(scene: Scene) -> None:
    """Where OSS lists no CRC-64, the ETags (MD5) prove the stored parts."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4)
    foreign = bytes(PART)
    scene.client.upload_part(scene.ref, checkpoint.upload_id, 2, foreign, crc64(foreign), ObjectOptions())
    scene.server.forget_requests()

    result = scene.run(client=ClientWithoutListedCrc64(scene.client))

    assert scene.sent() == [2, 4, 5]
    assert result.bytes_verified == 2 * PART
    assert scene.object() == data


def assert_begun_anew(scene: Scene, old_upload_id: str, parts: int) -> None:
    """The old upload was aborted before the new one began, and every part was sent to the new one."""
    assert scene.operations()[:2] == ["AbortMultipartUpload", "InitiateMultipartUpload"]
    assert [request.upload_id for request in scene.requests("AbortMultipartUpload")] == [old_upload_id]
    assert scene.sent() == list(range(1, parts + 1))
    assert scene.requests("ListParts") == []
    scene.assert_nothing_left()


@pytest.mark.parametrize(("bucket", "key"), [("bucket", "elsewhere"), ("other_bucket", KEY)])
def test_another_target(scene: Scene, bucket: str, key: str) -> None:
    """When the object's address changed, the old upload is aborted where it was, and a new one begins."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)
    other = ObjectRef(getattr(scene, bucket), key)

    result = scene.run(ref=other)

    assert scene.object(other) == data
    assert (result.attempts, result.resumed) == (2, False)
    assert scene.requests("AbortMultipartUpload")[0].bucket == scene.bucket
    assert_begun_anew(scene, checkpoint.upload_id, 4)


def test_other_options(scene: Scene) -> None:
    """When what OSS fixes at the beginning changed, a new upload carries the new wishes."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3, options=parse_options(mime="text/plain", meta={"run": 1}))

    scene.run(options=parse_options(mime="text/csv", meta={"run": 2}))

    info = scene.client.head_object(scene.ref)
    assert (info.content_type, info.meta) == ("text/csv", {"run": "2"})
    assert scene.object() == data
    assert_begun_anew(scene, checkpoint.upload_id, 4)


def test_options_of_the_end_may_change(scene: Scene) -> None:
    """What OSS takes with the completion may differ from attempt to attempt."""
    scene.write(4 * PART)
    scene.stop_at_part(3)

    scene.run(options=parse_options(acl="private"))

    assert scene.sent() == [3, 4]


def test_another_part_size(scene: Scene) -> None:
    """When the user asks for other parts, a new upload has them."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)

    scene.run(settings=replace(scene.settings, part_size_bytes=2 * PART))

    assert scene.object() == data
    assert_begun_anew(scene, checkpoint.upload_id, 2)


def test_another_wish_for_an_upload_that_is_gone(scene: Scene) -> None:
    """That the old upload is gone already does not disturb the new one."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)
    scene.client.abort_multipart_upload(scene.ref, checkpoint.upload_id)
    scene.server.forget_requests()

    scene.run(settings=replace(scene.settings, part_size_bytes=2 * PART))

    assert scene.object() == data
    assert_begun_anew(scene, checkpoint.upload_id, 2)


def test_the_log_says_why_an_upload_is_given_up(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """An operator can read which upload is not continued, and for what reason."""
    scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)

    scene.run(settings=replace(scene.settings, part_size_bytes=2 * PART))

    assert f"not continuing {checkpoint.upload_id}: the part size changed from {PART} bytes" in caplog.text


def test_stores_do_not_share(scene: Scene) -> None:
    """Two uploads to one address with a store each do not touch each other's parts."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)

    scene.run(MemoryStore())

    assert scene.uploads() == [checkpoint.upload_id]
    result = scene.run()
    assert result.bytes_verified == 2 * PART
    assert scene.object() == data
    scene.assert_nothing_left()
