"""An upload that is gone, or an object that is there already: recognised, or done again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSNoSuchUpload, OSSObjectAlreadyExists
from airflow_provider_oss.model import CompletedPart, ObjectOptions
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import InterferingClient
from tests.support.sources import some_bytes

pytestmark = both_ways

FORBID = parse_options(forbid_overwrite=True)


def put_other_object(scene: Scene, data: bytes = b"somebody else's") -> None:
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())


def finish_elsewhere(scene: Scene, upload_id: str, data: bytes) -> None:
    """Complete the upload as a stale attempt would that was believed dead."""
    parts: list[CompletedPart] = []
    for number in range(1, len(data) // PART + 1):
        part = data[(number - 1) * PART : number * PART]
        parts.append(scene.client.upload_part(scene.ref, upload_id, number, part, crc64(part), ObjectOptions()))
    scene.client.complete_multipart_upload(scene.ref, upload_id, parts, ObjectOptions())
    scene.server.forget_requests()


def test_aborted_by_somebody(scene: Scene) -> None:
    """When OSS does not have the upload any more, everything is sent again in the same attempt."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.client.abort_multipart_upload(scene.ref, checkpoint.upload_id)

    result = scene.run()

    assert scene.sent() == [1, 2, 3, 4, 5]
    assert scene.object() == data
    assert (result.attempts, result.resumed, result.bytes_sent) == (2, False, 5 * PART)
    scene.assert_nothing_left()


@pytest.mark.parametrize("options", [ObjectOptions(), FORBID])
def test_completed_by_somebody(scene: Scene, options: ObjectOptions) -> None:
    """When a stale attempt finished the job, the object is recognised and nothing is sent."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4, options=options)
    finish_elsewhere(scene, checkpoint.upload_id, data)

    result = scene.run(options=options)

    assert scene.operations() == ["ListParts", "HeadObject"]
    assert scene.object() == data
    assert (result.resumed, result.bytes_sent, result.bytes_verified) == (True, 0, 5 * PART)
    assert result.etag == scene.client.head_object(scene.ref).etag
    assert result.crc64 == str(crc64(data))
    scene.assert_nothing_left()


def test_completed_with_other_bytes(scene: Scene) -> None:
    """When the object that somebody made is not the source, everything is sent again."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4)
    finish_elsewhere(scene, checkpoint.upload_id, some_bytes(5 * PART, seed=9))

    result = scene.run()

    assert scene.sent() == [1, 2, 3, 4, 5]
    assert not result.resumed
    assert scene.object() == data
    scene.assert_nothing_left()


@pytest.mark.parametrize("options", [ObjectOptions(), FORBID])
def test_the_answer_to_complete_is_lost(scene: Scene, options: ObjectOptions) -> None:
    """When Complete worked but its answer was lost, the attempt succeeds and says that it sent the object."""
    data = scene.write(5 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", reset="after", times=1))

    result = scene.run(options=options)

    assert scene.sent() == [1, 2, 3, 4, 5]
    assert scene.object() == data
    assert (result.resumed, result.bytes_sent, result.bytes_verified) == (False, 5 * PART, 0)
    assert (result.attempts, result.crc64) == (1, str(crc64(data)))
    scene.assert_nothing_left()


@pytest.mark.parametrize("options", [ObjectOptions(), FORBID])
def test_complete_works_but_is_never_answered(scene: Scene, options: ObjectOptions) -> None:
    """When no repetition helps within the attempt, the next one recognises the object without sending anything."""
    data = scene.write(5 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", reset="after", times=1))
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", reset="before", skip=1))
    with pytest.raises(ConnectionError):
        scene.run(options=options)
    scene.server.faults.clear()
    scene.server.forget_requests()

    result = scene.run(options=options)

    assert scene.sent() == []
    assert scene.requests("HeadObject") != []
    assert (result.attempts, result.resumed, result.bytes_verified) == (2, True, 5 * PART)
    assert scene.object() == data
    scene.assert_nothing_left()


def test_the_answer_to_put_is_lost(scene: Scene) -> None:
    """With forbid_overwrite, a repeated PutObject meets its own object and takes it for what it is."""
    data = scene.write(PART)
    scene.server.faults.add(Fault(operation="PutObject", reset="after", times=1))

    result = scene.run(options=FORBID)

    assert scene.object() == data
    assert (result.size, result.crc64) == (PART, str(crc64(data)))
    scene.assert_nothing_left()


@pytest.mark.parametrize("size_bytes", [0, 10, 5 * PART])
def test_an_equal_object_may_be_there(scene: Scene, size_bytes: int) -> None:
    """With forbid_overwrite, an object that is equal to the source already is success."""
    data = scene.write(size_bytes)
    put_other_object(scene, data)

    result = scene.run(options=FORBID)

    assert (result.size, result.crc64, result.bytes_sent) == (size_bytes, str(crc64(data)), 0)
    scene.assert_nothing_left()


@pytest.mark.parametrize("size_bytes", [0, 10, 5 * PART])
def test_another_object_is_not_overwritten(scene: Scene, size_bytes: int) -> None:
    """With forbid_overwrite, a different object is an error; it stays, and no upload is left."""
    scene.write(size_bytes)
    put_other_object(scene)

    with pytest.raises(OSSObjectAlreadyExists):
        scene.run(options=FORBID)

    assert scene.object() == b"somebody else's"
    scene.assert_nothing_left()


def test_another_object_that_appears_meanwhile(scene: Scene) -> None:
    """With forbid_overwrite, an object that appears while parts are sent is noticed by Complete."""
    scene.write(5 * PART)
    client = InterferingClient(scene.client, "complete", lambda: put_other_object(scene))

    with pytest.raises(OSSObjectAlreadyExists):
        scene.run(options=FORBID, client=client)

    assert scene.object() == b"somebody else's"
    scene.assert_nothing_left()


def test_an_equal_object_that_appears_meanwhile(scene: Scene) -> None:
    """With forbid_overwrite, an equal object that another attempt made first is success, and our upload goes."""
    data = scene.write(5 * PART)
    client = InterferingClient(scene.client, "complete", lambda: put_other_object(scene, data))

    result = scene.run(options=FORBID, client=client)

    assert result.crc64 == str(crc64(data))
    scene.assert_nothing_left()


def abort_all(scene: Scene) -> None:
    for upload_id in scene.uploads():
        scene.client.abort_multipart_upload(scene.ref, upload_id)


@pytest.mark.parametrize("call", ["upload_part", "complete"])
def test_aborted_in_the_middle(scene: Scene, call: str) -> None:
    """An upload that goes away while its parts are sent is begun again, once, in the same attempt."""
    data = scene.write(5 * PART)
    client = InterferingClient(scene.client, call, lambda: abort_all(scene))
    fractions: list[float] = []

    result = scene.run(client=client, progress=lambda fraction, *_: fractions.append(fraction))

    assert len(scene.requests("InitiateMultipartUpload")) == 2
    assert scene.object() == data
    assert (result.attempts, result.resumed, result.bytes_sent) == (1, False, len(scene.sent()) * PART)
    assert fractions[-1] == 1.0
    scene.assert_nothing_left()


def test_an_equal_object_that_appears_after_the_upload_is_gone(scene: Scene) -> None:
    """While another attempt's Complete is at work the upload is gone and its object not there yet."""
    data = scene.write(5 * PART)
    scene.stop_at_part(4, options=FORBID)
    aborting = InterferingClient(scene.client, "complete", lambda: abort_all(scene))
    client = InterferingClient(aborting, "initiate", lambda: put_other_object(scene, data))

    result = scene.run(options=FORBID, client=client)

    assert (scene.object(), result.crc64) == (data, str(crc64(data)))
    scene.assert_nothing_left()


def test_a_busy_server_after_an_aborted_upload(scene: Scene) -> None:
    """Faults that pass are invisible also while the engine looks for the object and begins again."""
    data = scene.write(5 * PART)
    client = InterferingClient(scene.client, "upload_part", lambda: abort_all(scene))
    scene.server.faults.add(
        Fault(operation="HeadObject", status=503, times=1),
        Fault(operation="InitiateMultipartUpload", status=503, skip=1, times=1),
    )

    scene.run(client=client)

    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_small_rest_after_an_aborted_upload(scene: Scene) -> None:
    """When the upload is gone, the checkpoint's part size does not bind the new one."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.store.save(replace(checkpoint, attempt=7))
    scene.client.abort_multipart_upload(scene.ref, checkpoint.upload_id)

    result = scene.run()

    assert (result.attempts, scene.object()) == (8, data)


def test_aborted_again_and_again(scene: Scene) -> None:
    """When the new upload goes away too, the attempt fails with what OSS said instead of going on for ever."""
    scene.write(5 * PART)

    class Aborting(InterferingClient):
        def call(self, name: str, act: Any) -> Any:
            if name == "upload_part":
                abort_all(scene)
            return act()

    with pytest.raises(OSSNoSuchUpload):
        scene.run(client=Aborting(scene.client, "", print))

    assert len(scene.requests("InitiateMultipartUpload")) == 2
    assert scene.uploads() == []


def test_without_a_look_at_the_object(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission for HeadObject a finished upload cannot be recognised, so everything is sent again."""
    data = scene.write(5 * PART)
    checkpoint = scene.stop_at_part(4)
    finish_elsewhere(scene, checkpoint.upload_id, data)
    scene.server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))

    scene.run()

    scene.server.faults.clear()
    assert scene.sent() == [1, 2, 3, 4, 5]
    assert "cannot be looked at" in caplog.text
    assert scene.object() == data
