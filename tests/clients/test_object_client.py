"""Reading, copying, deleting, listing and signing."""

from __future__ import annotations

import urllib.error
import urllib.request
from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSNoSuchUpload,
    OSSRequestRejected,
    OSSSourceChanged,
)
from airflow_provider_oss.model import ListedObject, ObjectInfo, ObjectOptions, ObjectRange, ObjectRef
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64, md5_etag
from tests.clients.support import canned_server, client_of, client_with
from tests.clients.test_upload_client import every_key
from tests.conftest import BUCKET, KEY_SECRET

REF = ObjectRef(BUCKET, "dump.bin")
PLAIN = ObjectOptions()


def put(client: OSSObjectClient, *keys: str, data: bytes = b"0123456789") -> None:
    for key in keys:
        client.put_object(ObjectRef(BUCKET, key), data, crc64(data), PLAIN)


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (None, b"0123456789"),
        ((2, 4), b"234"),
        ((None, 3), b"789"),
        ((7, None), b"789"),
        ((0, 0), b"0"),
        ((8, 100), b"89"),
    ],
)
def test_ranges(client: OSSObjectClient, byte_range: tuple[int | None, int | None] | None, expected: bytes) -> None:
    """A range is read exactly; one that reaches past the end is cut off at the end."""
    put(client, REF.key)
    with client.get_object(REF, byte_range) as body:
        assert body.read() == expected


def test_range_outside_the_object(client: OSSObjectClient) -> None:
    """A range behind the end is an error and not, as OSS does by default, the whole object."""
    put(client, REF.key)
    with pytest.raises(OSSRequestRejected, match="range") as caught:
        client.get_object(REF, (10, 20))
    assert caught.value.details.code == "InvalidRange"


def test_reading_in_pieces(client: OSSObjectClient) -> None:
    """A body is read by size or by iteration, and ends with no bytes."""
    data = bytes(range(256)) * 10_000
    put(client, REF.key, data=data)

    with client.get_object(REF, None) as body:
        assert body.info.size_bytes == len(data)
        assert body.read(1000) == data[:1000]
        assert b"".join(body) == data[1000:]
        assert body.read(1) == b""


def test_reading_can_be_given_up(client: OSSObjectClient) -> None:
    """A body that is closed early does not disturb the calls that follow."""
    data = bytes(4_000_000)
    put(client, REF.key, data=data)
    body = client.get_object(REF, None)
    body.read(10)
    body.close()
    assert client.head_object(REF).size_bytes == len(data)


def test_reading_a_missing_object(client: OSSObjectClient) -> None:
    """A missing object is an error when it is opened, with its key."""
    with pytest.raises(OSSNoSuchKey) as caught:
        client.get_object(REF, None)
    assert caught.value.details.key == REF.key


@every_key
def test_copy_list_delete_every_key(shared_client: OSSObjectClient, key: str) -> None:
    """Every key can be copied from and to, is listed as it is, and is deleted alone."""
    source, target = ObjectRef(BUCKET, key), ObjectRef("other", key)
    put(shared_client, key)

    whole = whole_of(shared_client.head_object(source))
    assert shared_client.copy_object(whole, target, PLAIN).crc64 == crc64(b"0123456789")
    for bucket in (BUCKET, "other"):
        assert [item.ref for item in shared_client.list_objects(bucket, key[:1], "", "").items] == [
            ObjectRef(bucket, key)
        ]
    assert shared_client.delete_objects("other", [key]) == [key]
    shared_client.delete_object(source)
    assert not shared_client.list_objects(BUCKET, "", "", "").items
    assert not shared_client.list_objects("other", "", "", "").items


def whole_of(info: ObjectInfo) -> ObjectRange:
    return ObjectRange(info.ref, info.etag, 0, info.size_bytes)


def test_a_copy_has_what_is_given(client: OSSObjectClient) -> None:
    """A copy has the metadata and tags that are given, and nothing of its source's."""
    source = parse_options(mime="text/csv", meta={"from": "source"}, tags={"from": "source"})
    client.put_object(REF, b"data", crc64(b"data"), source)
    given = parse_options(mime="text/plain", meta={"to": "target"}, tags={"to": "target ü+="}, storage_class="IA")
    target = ObjectRef(BUCKET, "copy")

    client.copy_object(whole_of(client.head_object(REF)), target, given)

    copied = client.head_object(target)
    assert (copied.content_type, copied.meta, copied.storage_class) == ("text/plain", {"to": "target"}, "IA")
    assert client.get_object_tags(target) == {"to": "target ü+="}
    assert client.get_object_tags(REF) == {"from": "source"}


@pytest.mark.parametrize(
    ("interfere", "message"),
    [
        (lambda client: client.put_object(REF, b"else", crc64(b"else"), PLAIN), "was replaced while it was read"),
        (lambda client: client.delete_object(REF), "was deleted while it was read"),
    ],
    ids=["replaced", "deleted"],
)
def test_copy_of_another_version(
    client: OSSObjectClient, interfere: Callable[[OSSObjectClient], object], message: str
) -> None:
    """A source that is not the one that was looked at is not copied, neither whole nor in part."""
    client.put_object(REF, b"data", crc64(b"data"), PLAIN)
    source, target = whole_of(client.head_object(REF)), ObjectRef(BUCKET, "copy")
    upload_id = client.initiate_multipart_upload(target, PLAIN)
    interfere(client)

    with pytest.raises(OSSSourceChanged, match=message):
        client.copy_object(source, target, PLAIN)
    with pytest.raises(OSSSourceChanged, match=message):
        client.upload_part_copy(target, upload_id, 1, source, PLAIN)

    assert client.list_parts(target, upload_id) == ()
    with pytest.raises(OSSNoSuchKey):
        client.head_object(target)


def test_a_copied_part(client: OSSObjectClient) -> None:
    """A part is the range of the source that was asked for."""
    client.put_object(REF, b"0123456789", crc64(b"0123456789"), PLAIN)
    source, target = whole_of(client.head_object(REF)), ObjectRef(BUCKET, "copy")
    upload_id = client.initiate_multipart_upload(target, PLAIN)

    part = client.upload_part_copy(target, upload_id, 3, replace(source, offset_bytes=2, size_bytes=5), PLAIN)

    assert (part.number, part.size_bytes, part.etag) == (3, 5, md5_etag(b"23456"))
    client.complete_multipart_upload(target, upload_id, [part], PLAIN)
    with client.get_object(target, None) as body:
        assert body.read() == b"23456"


def test_other_refusals_of_a_copy(client: OSSObjectClient) -> None:
    """What OSS refuses for other reasons stays what it is."""
    client.put_object(REF, b"data", crc64(b"data"), PLAIN)
    source = whole_of(client.head_object(REF))
    with pytest.raises(OSSNoSuchUpload):
        client.upload_part_copy(ObjectRef(BUCKET, "copy"), "GONE", 1, source, PLAIN)
    with pytest.raises(OSSRequestRejected, match="range of the copy source"):
        client.upload_part_copy(
            ObjectRef(BUCKET, "copy"),
            client.initiate_multipart_upload(ObjectRef(BUCKET, "copy"), PLAIN),
            1,
            replace(source, size_bytes=5),
            PLAIN,
        )


def test_deleting_what_is_not_there(client: OSSObjectClient) -> None:
    """Deleting a missing object is no error, alone or among others."""
    client.delete_object(REF)
    assert client.delete_objects(BUCKET, ["a", "b"]) == ["a", "b"]


def test_a_listing_has_all_about_each_object(client: OSSObjectClient) -> None:
    """A listed object has size, ETag without quotes, time and class."""
    put(client, "a")
    found = client.head_object(ObjectRef(BUCKET, "a"))
    [item] = client.list_objects(BUCKET, "", "", "").items
    assert item == ListedObject(ObjectRef(BUCKET, "a"), 10, found.etag, item.last_modified, "Standard")
    assert '"' not in item.etag


def test_a_listing_by_folder(client: OSSObjectClient) -> None:
    """With a delimiter the listing shows one level, and what is below it as prefixes."""
    put(client, "top", "year=2025/a", "year=2025/b", "year=2026/month +1/c")

    page = client.list_objects(BUCKET, "", "/", "")
    assert [item.ref.key for item in page.items] == ["top"]
    assert page.prefixes == ("year=2025/", "year=2026/")
    assert page.next_token is None
    assert client.list_objects(BUCKET, "year=2026/", "/", "").prefixes == ("year=2026/month +1/",)


def test_unfinished_uploads_are_listed(client: OSSObjectClient) -> None:
    """Uploads in progress are listed with key and id, by prefix; those that ended are not."""
    kept = client.initiate_multipart_upload(ObjectRef(BUCKET, "a + b"), PLAIN)
    client.initiate_multipart_upload(ObjectRef(BUCKET, "z"), PLAIN)
    aborted = client.initiate_multipart_upload(ObjectRef(BUCKET, "a + c"), PLAIN)
    client.abort_multipart_upload(ObjectRef(BUCKET, "a + c"), aborted)

    page = client.list_multipart_uploads(BUCKET, "a", ("", ""))
    assert [(item.ref.key, item.upload_id) for item in page.items] == [("a + b", kept)]
    assert page.items[0].initiated > 1_700_000_000
    assert page.next_token is None


@every_key
@pytest.mark.parametrize("version", ["v1", "v4"])
def test_signed_urls_of_every_key(shared_settings: ClientSettings, version: str, key: str) -> None:
    """A signed URL works without credentials for every key, and only for the method it was signed for."""
    client = client_with(shared_settings, signature_version=version)
    ref = ObjectRef(BUCKET, key)
    put(client, key)
    if version == "v1" and key.startswith("?"):
        with pytest.raises(OSSInvalidArgument, match="cannot start with"):
            client.sign_url(ref, "GET", 60, {}, {})
        client.delete_object(ref)
        return

    url = client.sign_url(ref, "GET", 60, {}, {})

    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the local server
        assert answer.read() == b"0123456789"
    with pytest.raises(urllib.error.HTTPError, match="403") as caught:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"))  # noqa: S310 - as above
    caught.value.close()
    assert KEY_SECRET not in url
    client.delete_object(ref)


def test_signed_url_is_readable(client: OSSObjectClient) -> None:
    """The slashes of the key stay slashes in the URL, and parameters are part of it."""
    url = client.sign_url(ObjectRef(BUCKET, "a/b c"), "GET", 60, {}, {"response-content-type": "text/plain"})
    assert urlsplit(url).path == f"/{BUCKET}/a/b%20c"
    assert parse_qs(urlsplit(url).query)["response-content-type"] == ["text/plain"]


def test_broken_connection_while_reading(server: OSSEmulator, client: OSSObjectClient) -> None:
    """A connection that breaks while an object is read is a connection error with the key."""
    put(client, REF.key, data=bytes(1_000_000))
    server.faults.add(Fault(operation="GetObject", truncate_response=True))
    with client.get_object(REF, None) as body, pytest.raises(OSSConnectionError) as caught:
        body.read()
    assert caught.value.details.key == REF.key


@pytest.mark.parametrize("operation", ["DeleteMultipleObjects", "ListObjectsV2", "ListBuckets"])
def test_another_document_is_no_empty_list(client: OSSObjectClient, server: OSSEmulator, operation: str) -> None:
    """An answer that is XML but no such list is an error, and not a list of nothing."""
    server.faults.add(Fault(operation=operation, response_body=b"<html><IsTruncated>false</IsTruncated></html>"))
    calls: dict[str, Callable[[], object]] = {
        "DeleteMultipleObjects": lambda: client.delete_objects(BUCKET, ["a"]),
        "ListObjectsV2": lambda: client.list_objects(BUCKET, "", "", ""),
        "ListBuckets": client.list_buckets,
    }
    with pytest.raises(OSSBadResponse, match="<html>, not <"):
        calls[operation]()


@pytest.mark.parametrize(
    ("status", "content_range", "etag", "length"),
    [
        (206, "bytes 0-9/100", '"E"', 10),
        (206, "bytes 10-18/100", '"E"', 9),
        (206, "bytes 10-19/*", '"E"', 10),
        (206, "bytes 10-19/100", '"E"', 11),
        (206, None, '"E"', 10),
        (206, "bytes 10-19/100", '"F"', 10),
        (206, "bytes 10-19/100", None, 10),
        (200, "bytes 10-19/100", '"E"', 10),
        (200, None, '"E"', 100),
    ],
)
def test_answer_to_another_question(status: int, content_range: str | None, etag: str | None, length: int) -> None:
    """What has another range or ETag than was asked for, or does not say, is not taken for the object's bytes."""
    headers = {"Content-Range": content_range, "ETag": etag, "Content-Length": str(length)}
    given = {name: value for name, value in headers.items() if value is not None}
    with canned_server(status, given, b"x" * length) as url, pytest.raises(OSSBadResponse, match="asked for"):
        client_of(url).get_object(REF, (10, 19), "E")


@pytest.mark.parametrize("byte_range", [(10, 19), (10, None), (None, 90), (10, 200), (None, 200)])
def test_ranges_at_the_end(client: OSSObjectClient, byte_range: tuple[int | None, int | None]) -> None:
    """A range that goes beyond the end is answered with what there is of it."""
    data = bytes(range(100))
    client.put_object(REF, data, crc64(data), PLAIN)
    first, last = byte_range
    expected = data[-(last or 0) :] if first is None else data[first : None if last is None else last + 1]
    with client.get_object(REF, byte_range) as body:
        assert body.read() == expected


@pytest.mark.parametrize(
    "make", [bytearray, lambda size: memoryview(bytearray(size)), lambda size: array("i", bytes(size))]
)
def test_any_writable_buffer_is_filled(client: OSSObjectClient, make: Callable[[int], Any]) -> None:
    """``readinto`` fills what it is given, also where a slice of it would be a copy."""
    data = bytes(range(256)) * 4000
    client.put_object(REF, data, crc64(data), PLAIN)
    for size in (4, 4096, len(data)):
        buffer = make(size)
        with client.get_object(REF, None) as body:
            assert body.readinto(buffer) == size
            assert bytes(memoryview(buffer).cast("B")) == data[:size]
            assert body.read(-1) == data[size:]


@pytest.mark.parametrize("byte_range", [(5, 4), (-1, 3), (None, None), ("a", 1), (1.5, 2), (True, 5), 5, (1, 2, 3)])
def test_a_range_that_is_none(client: OSSObjectClient, server: OSSEmulator, byte_range: Any) -> None:
    """It is refused before anything is asked, and shown."""
    with pytest.raises(OSSInvalidArgument, match=r"byte_range=.*give"):
        client.get_object(REF, byte_range)
    assert server.requests == ()
