"""What OSS answers to a write, callbacks to an application included."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_provider_oss.clients.messages import compare_crc64
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse, OSSCallbackFailed, OSSChecksumMismatch
from airflow_provider_oss.model import ObjectOptions, ObjectRef, StoredObject
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.clients.support import canned_server, client_of
from tests.conftest import BUCKET
from tests.emulator.support import callback_server, fail

REF = ObjectRef(BUCKET, "tell/me +& more.bin")
DATA = b"told"


def put(client: OSSObjectClient, options: ObjectOptions) -> StoredObject:
    return client.put_object(REF, DATA, crc64(DATA), options)


def stream(client: OSSObjectClient, options: ObjectOptions) -> StoredObject:
    return client.put_stream(REF, iter([DATA]), None, options)


def complete(client: OSSObjectClient, options: ObjectOptions) -> StoredObject:
    upload_id = client.initiate_multipart_upload(REF, options)
    part = client.upload_part(REF, upload_id, 1, DATA, crc64(DATA), options)
    return client.complete_multipart_upload(REF, upload_id, [part], options)


every_write = pytest.mark.parametrize("write", [put, stream, complete])
Write = Callable[[OSSObjectClient, ObjectOptions], StoredObject]


def telling(url: str) -> ObjectOptions:
    return parse_options(
        callback={
            "url": url,
            "body": '{"key":${object},"size":${size},"run":${x:run}}',
            "contentType": "application/json",
            "customValue": {"run": "manual__1"},
        }
    )


@every_write
def test_callback_is_answered(shared_client: OSSObjectClient, write: Write) -> None:
    """The application hears of the object, with the user's own values, and its JSON answer is in the result."""
    with callback_server(lambda _: (200, b'{"accepted": true}')) as application:
        stored = write(shared_client, telling(application.url))

    assert stored.callback_response == {"accepted": True}
    assert stored.crc64 == crc64(DATA)
    [(headers, body)] = application.received
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"key": REF.key, "size": 4, "run": "manual__1"}


@every_write
def test_callback_that_fails(shared_client: OSSObjectClient, write: Write) -> None:
    """When the application fails, the error says that the object is stored, and it is."""
    with (
        callback_server(fail) as application,
        pytest.raises(OSSCallbackFailed, match=r"the object is stored, but the callback to .*/told failed") as caught,
    ):
        write(shared_client, telling(application.url))

    assert "status 500" in str(caught.value)
    assert (caught.value.details.bucket, caught.value.details.key) == (BUCKET, REF.key)
    assert shared_client.head_object(REF).crc64 == crc64(DATA)


def test_callback_answer_that_is_no_json() -> None:
    """An answer that is no JSON, though OSS demands it, is handed on as text."""
    headers = {"ETag": '"E"', "x-oss-hash-crc64ecma": str(crc64(DATA)), "Content-Length": "4"}
    with canned_server(200, headers, b"\xffyes") as url:
        stored = put(client_of(url), telling("http://app/told"))
    assert stored.callback_response == "\ufffdyes"


def test_failed_callback_without_a_reason() -> None:
    """A failed callback whose answer gives no reason is still a failed callback."""
    with (
        canned_server(203, {"Content-Length": "8"}, b"<Error/>") as url,
        pytest.raises(OSSCallbackFailed, match="no reason given"),
    ):
        put(client_of(url), telling("http://app/told"))


def test_failed_callback_that_is_no_xml() -> None:
    """A 203 that is no error document is an answer that cannot be understood."""
    with canned_server(203, {"Content-Length": "2"}, b"no") as url, pytest.raises(OSSBadResponse):
        put(client_of(url), telling("http://app/told"))


def test_what_is_known_of_a_stored_object() -> None:
    """Version and request id are taken from the answer; without a callback there is no response."""
    headers = {"ETag": '"ABC"', "x-oss-version-id": "v1", "Content-Length": "0"}
    with canned_server(200, headers, b"", request_id="R7") as url:
        stored = put(client_of(url), ObjectOptions())
    assert stored == StoredObject("ABC", None, 4, "v1", "R7")


def test_comparing_checksums() -> None:
    """Another CRC-64 is a mismatch; the same one, or none, is not."""
    compare_crc64(None, 1, ErrorDetails())
    compare_crc64(1, 1, ErrorDetails())
    with pytest.raises(OSSChecksumMismatch, match="2 for 1"):
        compare_crc64(2, 1, ErrorDetails())
