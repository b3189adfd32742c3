"""Faults of network and server: those that pass are invisible, those that stay are raised as what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.retry import RetryPolicy
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSBadResponse,
    OSSCallbackFailed,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSConnectionTimeout,
    OSSProviderError,
    OSSServiceUnavailable,
)
from airflow_provider_oss.options import parse_options
from tests.conftest import client_settings
from tests.engine.conftest import IMPATIENT, PART, Scene, both_ways
from tests.engine.doubles import PassingClient

pytestmark = both_ways

PASSING = [
    {"status": 500},
    {"status": 503},
    {"status": 429},
    {"status": 400, "code": "RequestTimeout"},
    {"status": 400, "code": "InvalidDigest"},
    {"reset": "before"},
    {"reset": "after"},
    {"reset_after_bytes": 50_000},
    {"corrupt_request_byte": 0},
    {"corrupt_request_byte": PART - 1},
]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_part_is_tried_again(scene: Scene, fault: dict[str, Any]) -> None:
    """A fault of UploadPart that passes is invisible to the caller, and the object has the right bytes."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=2, times=2, **fault))

    result = scene.run()

    assert scene.object() == data
    assert (result.attempts, result.bytes_sent, result.bytes_verified) == (1, 4 * PART, 0)
    assert len([request for request in scene.requests("UploadPart") if request.part_number == 2]) == 3
    scene.assert_nothing_left()


@pytest.mark.parametrize("fault", PASSING[:-3], ids=repr)
@pytest.mark.parametrize("operation", ["ListParts", "CompleteMultipartUpload"])
def test_other_calls_are_tried_again(scene: Scene, operation: str, fault: dict[str, Any]) -> None:
    """Faults that pass are invisible at every other call of an upload that continues."""
    data = scene.write(4 * PART)
    scene.stop_at_part(3)
    scene.server.faults.add(Fault(operation=operation, times=2, **fault))

    scene.run()

    assert scene.sent() == [3, 4]
    assert scene.object() == data
    scene.assert_nothing_left()


@pytest.mark.parametrize("body", [b"", b"no XML", b"<Other/>", b"<ListPartsResult><IsTruncated>true</IsTruncated>"])
def test_an_answer_that_makes_no_sense_is_asked_for_again(scene: Scene, body: bytes) -> None:
    """A listing that cannot be understood is not "no parts": it is asked for again."""
    data = scene.write(4 * PART)
    scene.stop_at_part(3)
    scene.server.faults.add(Fault(operation="ListParts", response_body=body, times=2))

    scene.run()

    assert scene.sent() == [3, 4]
    assert scene.object() == data


def test_a_single_put_is_tried_again(scene: Scene) -> None:
    """A file of one part is sent again after faults that pass, and a flipped bit on the way is one."""
    data = scene.write(100)
    scene.server.faults.add(Fault(operation="PutObject", corrupt_request_byte=7, times=1))
    scene.server.faults.add(Fault(operation="PutObject", reset="before", skip=1, times=1))

    scene.run()

    assert scene.object() == data


def test_an_initiate_that_is_answered_late(scene: Scene) -> None:
    """When the answer to Initiate is lost, the upload that it began is found and aborted before parts are sent."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="InitiateMultipartUpload", reset="after", times=1))

    scene.run()

    assert scene.object() == data
    before_parts = scene.operations()[: scene.operations().index("UploadPart")]
    assert before_parts == [
        *["InitiateMultipartUpload"] * 2,
        "ListMultipartUploads",
        "ListParts",
        "AbortMultipartUpload",
    ]
    scene.assert_nothing_left()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503}, OSSServiceUnavailable),
        ({"status": 429}, OSSServiceUnavailable),
        ({"reset": "before"}, OSSConnectionError),
        ({"corrupt_request_byte": 5}, OSSChecksumMismatch),
    ],
    ids=repr,
)
def test_a_fault_that_stays_is_raised(scene: Scene, fault: dict[str, Any], error: type[OSSProviderError]) -> None:
    """When all tries are used up the last error is raised, with the place where it happened; the rest stays stored."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, **fault))

    with pytest.raises(error) as caught:
        scene.run(settings=replace(scene.settings, parallel=1))

    assert len([request for request in scene.requests("UploadPart") if request.part_number == 3]) == IMPATIENT.tries
    details = caught.value.details
    assert (details.bucket, details.key, details.part_number) == (scene.ref.bucket, scene.ref.key, 3)
    assert scene.uploads() == [details.upload_id] == [scene.store.upload_id]
    scene.server.faults.clear()
    scene.server.forget_requests()
    scene.run()
    assert 3 in scene.sent()
    assert not {1, 2} & set(scene.sent())
    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_refusal_is_not_repeated(scene: Scene) -> None:
    """What no repetition can mend is asked once."""
    scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=2, status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        scene.run()

    assert len([request for request in scene.requests("UploadPart") if request.part_number == 2]) == 1


def test_a_listing_that_fails_is_not_an_empty_one(scene: Scene) -> None:
    """When the stored parts cannot be listed for a passing reason, nothing is sent and the upload stays."""
    scene.write(4 * PART)
    checkpoint = scene.stop_at_part(3)
    scene.server.faults.add(Fault(operation="ListParts", response_body=b"no XML"))

    with pytest.raises(OSSBadResponse):
        scene.run()

    assert set(scene.operations()) == {"ListParts"}
    assert scene.uploads() == [checkpoint.upload_id] == [scene.store.upload_id]


def test_a_connection_that_stands_still(scene: Scene) -> None:
    """When nothing moves for the read timeout, that is the error, and it says what could be changed."""
    scene.write(4 * PART)
    quick = replace(client_settings(scene.server), read_timeout_seconds=0.3)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=2, stall=True))
    twice = RetryPolicy(tries=2, first_delay_seconds=0)

    with pytest.raises(OSSConnectionTimeout, match=r"raise read_timeout.*or lower part_size or parallel") as caught:
        scene.run(client=OSSObjectClient(quick), retry=twice)

    assert caught.value.message.endswith("; given up after 2 tries, parallel lowered from 2 to 1")
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.details.part_number == 2
    assert scene.uploads() == [scene.store.upload_id]


def test_a_pause_is_survived(scene: Scene) -> None:
    """A connection that stands still once is given up, and the part is sent over another one."""
    data = scene.write(4 * PART)
    quick = replace(client_settings(scene.server), read_timeout_seconds=0.3)
    scene.server.faults.add(Fault(operation="UploadPart", part_number=2, stall=True, times=1))

    scene.run(client=OSSObjectClient(quick))

    assert scene.object() == data
    scene.assert_nothing_left()


class WrongAnswer(PassingClient):
    """OSS made another object than the one that was asked for."""

    def call(self, name: str, act: Any) -> Any:
        stored = act()
        return replace(stored, crc64=stored.crc64 ^ 1) if name in ("complete", "put_object") else stored


@pytest.mark.parametrize("size_bytes", [10, 4 * PART])
def test_an_object_that_is_not_the_source_is_no_success(scene: Scene, size_bytes: int) -> None:
    """When the CRC-64 of the object differs from the source's, the attempt fails, and the next one begins anew."""
    data = scene.write(size_bytes)

    with pytest.raises(OSSChecksumMismatch, match=r"that OSS stored has the CRC-64 \d+, the source has \d+"):
        scene.run(client=WrongAnswer(scene.client))

    scene.assert_nothing_left()
    assert scene.run().attempts == 1
    assert scene.object() == data


class SilentAnswer(PassingClient):
    """A server that returns no CRC-64 of an object."""

    def call(self, name: str, act: Any) -> Any:
        stored = act()
        return replace(stored, crc64=None) if name == "complete" else stored


def test_a_server_that_tells_no_crc64(scene: Scene) -> None:
    """Without the object's CRC-64 the proofs of the parts stand, and the result has the source's."""
    data = scene.write(4 * PART)

    result = scene.run(client=SilentAnswer(scene.client))

    assert result.crc64 == str(scene.client.head_object(scene.ref).crc64)
    assert scene.object() == data


# Nothing listens on port 9 (discard) of this machine
CALLBACK = parse_options(callback={"url": "http://127.0.0.1:9/told", "body": "key=${object}"})


@pytest.mark.parametrize("size_bytes", [10, 4 * PART])
def test_a_callback_that_fails(scene: Scene, size_bytes: int) -> None:
    """When the application does not answer, the object is stored and nothing is left, but that is an error."""
    data = scene.write(size_bytes)

    with pytest.raises(OSSCallbackFailed):
        scene.run(options=CALLBACK)

    assert scene.object() == data
    scene.assert_nothing_left()


def test_a_callback_whose_answer_is_lost(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """When Complete's answer is lost, the upload is a success, and the log says that the callback's fate is unknown."""
    data = scene.write(4 * PART)
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", reset="after", times=1))

    result = scene.run(options=CALLBACK)

    assert scene.object() == data
    assert result.callback_response is None
    assert "whether the callback was answered is not known" in caplog.text
