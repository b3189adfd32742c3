"""An account that may not do everything: the upload still ends well where it can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSInvalidPart
from airflow_provider_oss.model import ObjectOptions
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene, both_ways
from tests.engine.doubles import InterferingClient
from tests.support.sources import edit_unnoticed

pytestmark = both_ways

NO_LISTING = Fault(operation="ListParts", status=403, code="AccessDenied")
NO_ABORT = Fault(operation="AbortMultipartUpload", status=403, code="AccessDenied")


def test_without_listing_the_record_is_the_hint(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Where stored parts may not be listed, the parts that the record names are verified and not sent again."""
    data = scene.write(6 * PART)
    scene.stop_at_part(4)
    scene.server.faults.add(NO_LISTING)

    result = scene.run()

    assert scene.sent() == [4, 5, 6]
    assert (result.bytes_sent, result.bytes_verified) == (3 * PART, 3 * PART)
    assert scene.object() == data
    assert "cannot be listed, relying on the checkpoint" in caplog.text
    scene.assert_nothing_left()


def test_without_listing_a_record_may_say_too_little(scene: Scene) -> None:
    """Parts that the record does not name are sent again."""
    data = scene.write(6 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.store.save(replace(checkpoint, done_parts="1,3"))
    scene.server.faults.add(NO_LISTING)

    scene.run()

    assert scene.sent() == [2, 4, 5, 6]
    assert scene.object() == data


def test_without_listing_a_failing_attempt_forgets_nothing(scene: Scene) -> None:
    """An attempt that fails before it came to all parts of the record leaves a record that still names them."""
    data = scene.write(6 * PART)
    scene.stop_at_part(5)
    scene.server.faults.add(NO_LISTING, Fault(operation="UploadPart", part_number=6, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        scene.run(settings=replace(scene.settings, parallel=1, save_interval_seconds=0.0))

    named = {(saved.done_parts, saved.done_bytes) for saved in scene.store.saved[-2:]}
    assert named == {("1-5", 5 * PART)}
    scene.server.faults.clear()
    scene.server.faults.add(NO_LISTING)
    scene.run()
    assert scene.sent() == [5, 6]
    assert scene.object() == data
    scene.assert_nothing_left()


def test_without_listing_a_disproved_record_is_given_up(scene: Scene) -> None:
    """Once Complete has refused what the record named, an attempt that fails leaves only what was sent since."""
    data = scene.write(6 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.store.save(replace(checkpoint, done_parts="1-5"))
    scene.server.faults.add(NO_LISTING, Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        scene.run(settings=replace(scene.settings, parallel=1))

    left = scene.store.load()
    assert left is not None
    assert (left.done_parts, left.done_bytes) == ("1-2", 2 * PART)
    scene.server.faults.clear()
    scene.run()
    assert scene.object() == data
    scene.assert_nothing_left()


def test_without_listing_a_lying_record_is_found_out(scene: Scene) -> None:
    """When the record names parts that are not there, Complete refuses them and every part is sent."""
    data = scene.write(6 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.store.save(replace(checkpoint, done_parts="1-5,9-9999"))
    scene.server.faults.add(NO_LISTING)

    result = scene.run()

    assert scene.sent() == sorted([6, *range(1, 7)])
    assert (result.bytes_sent, result.bytes_verified) == (7 * PART, 0)
    assert scene.object() == data
    scene.assert_nothing_left()


def test_without_listing_an_edited_file_is_found_out(scene: Scene) -> None:
    """When the file changed under the record, Complete refuses the stored part and every part is sent."""
    scene.write(6 * PART)
    scene.stop_at_part(4)
    edit_unnoticed(scene.path, PART, b"edited")
    scene.server.faults.add(NO_LISTING)

    scene.run()

    assert scene.object() == scene.path.read_bytes()
    scene.assert_nothing_left()


def test_listing_that_is_allowed_later(scene: Scene) -> None:
    """When only the first look was refused, what OSS lists at the second one is not sent again."""
    data = scene.write(6 * PART)
    checkpoint = scene.stop_at_part(4)
    scene.store.save(replace(checkpoint, done_parts="1-5"))
    scene.server.faults.add(replace(NO_LISTING, times=1))

    scene.run()

    assert scene.sent() == [4, 5, 6]
    assert scene.object() == data


def test_a_part_that_is_overwritten_before_complete(scene: Scene) -> None:
    """When a stale attempt replaced a part meanwhile, Complete refuses it; only that part is sent again."""
    data = scene.write(4 * PART)

    def interfere() -> None:
        scene.client.upload_part(scene.ref, scene.uploads()[0], 2, bytes(PART), crc64(bytes(PART)), ObjectOptions())

    result = scene.run(client=InterferingClient(scene.client, "complete", interfere))

    assert scene.sent() == [1, 2, 2, 2, 3, 4]
    assert (result.bytes_sent, result.bytes_verified) == (5 * PART, 0)
    assert scene.object() == data
    scene.assert_nothing_left()


def test_parts_that_are_never_right(scene: Scene) -> None:
    """When Complete refuses the parts a second time, the attempt fails and leaves the upload to the next one."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", status=400, code="InvalidPart"))

    with pytest.raises(OSSInvalidPart):
        scene.run()

    assert len(scene.requests("CompleteMultipartUpload")) == 2
    assert scene.uploads() == [scene.store.upload_id]
    scene.server.faults.clear()
    scene.server.forget_requests()
    assert scene.run().bytes_verified == 4 * PART
    assert scene.object() == data
    scene.assert_nothing_left()


def test_an_upload_that_may_not_be_aborted(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """When the old upload may not be aborted, the new one succeeds and the log names what is left to clean up."""
    data = scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)
    scene.server.faults.add(NO_ABORT)

    scene.run(settings=replace(scene.settings, part_size_bytes=2 * PART))

    assert scene.object() == data
    assert scene.uploads() == [checkpoint.upload_id]
    assert f"Upload {checkpoint.upload_id} of {scene.ref} could not be aborted and stays, billed" in caplog.text
    assert scene.store.data is None


def test_without_a_store_nothing_is_left(scene: Scene) -> None:
    """An attempt that nobody can continue aborts its upload when it fails."""
    scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        replace(scene.upload(), store=None).run()

    assert scene.uploads() == []


def test_a_busy_server_at_the_abort(scene: Scene) -> None:
    """Without a store, the abort is repeated when OSS is busy: an upload that is forgotten is billed for ever."""
    scene.write(4 * PART)
    scene.server.faults.add(
        Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"),
        Fault(operation="AbortMultipartUpload", status=503, times=2),
    )

    with pytest.raises(OSSAccessDenied):
        replace(scene.upload(), store=None).run()

    assert scene.uploads() == []


@pytest.mark.parametrize("operation", ["PutObject", "InitiateMultipartUpload"])
def test_no_permission_at_all(scene: Scene, operation: str) -> None:
    """When OSS refuses the very first request, the error names the address and nothing is left."""
    scene.write(10 if operation == "PutObject" else 4 * PART)
    scene.server.faults.add(Fault(operation=operation, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied, match="AccessDenied") as caught:
        scene.run()

    assert (caught.value.details.bucket, caught.value.details.key) == (scene.ref.bucket, scene.ref.key)
    assert scene.operations() == [operation]
    scene.assert_nothing_left()
