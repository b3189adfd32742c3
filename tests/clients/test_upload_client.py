"""The calls of the upload engine: what OSS holds is compared, and answers that make no sense are errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSInvalidPart,
    OSSNoSuchKey,
    OSSNoSuchUpload,
)
from airflow_provider_oss.file_range import Body
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import CompletedPart, ObjectOptions, ObjectRef, StoredPart
from airflow_provider_oss.proof import crc64, md5_etag
from tests.clients.support import canned_server, client_of
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "dump.bin")
PLAIN = ObjectOptions()

KEYS = [
    "plain.txt",
    "a/../b/./c",
    "../../etc/passwd",
    "folder/",
    "double//slash",
    "space and+plus",
    "percent%20kept%",
    "question?mark#hash&ampersand=equals",
    "?at the beginning",
    "uploads",
    "中文/日本語/😀.bin",
    "quote\"'<tag>]]>",
    "tilde~dot.dash-under_",
    "line\nbreak\ttab",
    "x" * 1023,
]

every_key = pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))


def upload(client: OSSObjectClient, ref: ObjectRef, data: bytes) -> str:
    """Make the object of one part; return the upload's id."""
    upload_id = client.initiate_multipart_upload(ref, PLAIN)
    part = client.upload_part(ref, upload_id, 1, data, crc64(data), PLAIN)
    client.complete_multipart_upload(ref, upload_id, [part], PLAIN)
    return upload_id


@every_key
def test_every_key_is_itself(shared_client: OSSObjectClient, key: str) -> None:
    """An object is stored, read and described under exactly the key that was given, in one request and in parts."""
    ref = ObjectRef(BUCKET, key)
    for data in (b"in one request", b"in parts"):
        if data == b"in parts":
            upload(shared_client, ref, data)
        else:
            shared_client.put_object(ref, data, crc64(data), PLAIN)
        with shared_client.get_object(ref, None) as body:
            assert body.read() == data
        assert shared_client.head_object(ref).size_bytes == len(data)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes(shared_client: OSSObjectClient, make: Callable[[bytes], Body]) -> None:
    """A body may be bytes, a bytearray, or a view of a buffer that is used again."""
    data = make(b"0123456789")
    shared_client.put_object(REF, data, crc64(data), PLAIN)
    upload_id = shared_client.initiate_multipart_upload(REF, PLAIN)
    assert shared_client.upload_part(REF, upload_id, 1, data, crc64(data), PLAIN).size_bytes == 10
    shared_client.abort_multipart_upload(REF, upload_id)
    assert shared_client.head_object(REF).crc64 == crc64(b"0123456789")


def test_answers_may_be_waited_for_later(client: OSSObjectClient, server: OSSEmulator) -> None:
    """Several objects are asked for at once; each answer is that of its own object."""
    refs = [ObjectRef(BUCKET, f"object-{size}") for size in range(3)]
    for size, ref in enumerate(refs):
        client.put_object(ref, b"x" * size, crc64(b"x" * size), PLAIN)
    server.forget_requests()

    answers = [client.begin_head_object(ref) for ref in [*refs, ObjectRef(BUCKET, "missing")]]

    assert [answer().size_bytes for answer in answers[:3]] == [0, 1, 2]
    with pytest.raises(OSSNoSuchKey):
        answers[3]()
    assert [request.operation for request in server.requests] == ["HeadObject"] * 4


def test_empty_object(shared_client: OSSObjectClient) -> None:
    """No bytes are an object too."""
    stored = shared_client.put_object(REF, b"", crc64(b""), PLAIN)
    assert (stored.size_bytes, stored.crc64, stored.etag) == (0, 0, md5_etag(b""))


def test_result_of_an_upload(client: OSSObjectClient, server: OSSEmulator) -> None:
    """The result has ETag and CRC-64 of the whole object and the id of the request that made it."""
    upload_id = client.initiate_multipart_upload(REF, PLAIN)
    parts = [
        client.upload_part(REF, upload_id, number, data, crc64(data), PLAIN) for number, data in ((1, b"ab"), (3, b"c"))
    ]
    stored = client.complete_multipart_upload(REF, upload_id, parts, PLAIN)

    found = client.head_object(REF)
    assert (stored.etag, stored.crc64) == (found.etag, found.crc64)
    assert stored.crc64 == crc64(b"abc")
    assert '"' not in stored.etag
    done = next(request for request in server.requests if request.operation == "CompleteMultipartUpload")
    assert stored.request_id == done.request_id
    assert found.object_type == "Multipart"


def test_damaged_put(server: OSSEmulator, client: OSSObjectClient) -> None:
    """When OSS stores other bytes than were sent, the put fails."""
    server.faults.add(Fault(operation="PutObject", corrupt_request_byte=0))
    with pytest.raises(OSSChecksumMismatch) as caught:
        client.put_object(REF, b"data", crc64(b"data"), PLAIN)
    assert caught.value.details.key == REF.key


def test_damaged_part(server: OSSEmulator, client: OSSObjectClient) -> None:
    """When OSS stores other bytes than were sent, the part fails and says which it is."""
    upload_id = client.initiate_multipart_upload(REF, PLAIN)
    server.faults.add(Fault(operation="UploadPart", corrupt_request_byte=3))
    with pytest.raises(OSSChecksumMismatch, match="another part than was sent") as caught:
        client.upload_part(REF, upload_id, 5, b"data", crc64(b"data"), PLAIN)
    assert (caught.value.details.upload_id, caught.value.details.part_number) == (upload_id, 5)


def test_part_without_a_checksum_is_proven_by_its_etag() -> None:
    """A server that sends no CRC-64 proves a part by its ETag, the MD5; another ETag is a mismatch."""
    data = b"data"
    for etag, proves in ((md5_etag(data), True), (md5_etag(b"else"), False)):
        with canned_server(200, {"ETag": f'"{etag}"', "Content-Length": "0"}, b"") as url:
            client = client_of(url)
            if proves:
                assert client.upload_part(REF, "U1", 1, data, crc64(data), PLAIN) == CompletedPart(
                    1, 4, etag, crc64(data)
                )
            else:
                with pytest.raises(OSSChecksumMismatch):
                    client.upload_part(REF, "U1", 1, data, crc64(data), PLAIN)


def test_parts_are_listed_with_their_checksums(shared_client: OSSObjectClient) -> None:
    """What is listed of a part proves its content: size, ETag and CRC-64, whatever order they were sent in."""
    upload_id = shared_client.initiate_multipart_upload(REF, PLAIN)
    for number, data in ((7, b"seven"), (2, b"two")):
        shared_client.upload_part(REF, upload_id, number, data, crc64(data), PLAIN)

    assert shared_client.list_parts(REF, upload_id) == (
        StoredPart(2, 3, md5_etag(b"two"), crc64(b"two")),
        StoredPart(7, 5, md5_etag(b"seven"), crc64(b"seven")),
    )


def test_all_pages_of_parts_are_listed(server: OSSEmulator, client: OSSObjectClient) -> None:
    """An upload of more parts than one answer holds is listed whole, a thousand at a time."""
    upload_id = client.initiate_multipart_upload(REF, PLAIN)
    for number in range(1, 1003):
        client.upload_part(REF, upload_id, number, b"x", crc64(b"x"), PLAIN)

    listed = client.list_parts(REF, upload_id)

    assert [part.number for part in listed] == list(range(1, 1003))
    assert {part.crc64 for part in listed} == {crc64(b"x")}
    assert [request.operation for request in server.requests].count("ListParts") == 2

    for first, last, requests in ((1, 1000, 1), (3, 5, 1), (900, 1001, 1), (2, 1002, 2), (1002, 10_000, 1)):
        server.forget_requests()
        some = client.list_parts(REF, upload_id, first, last)
        assert [part.number for part in some] == list(range(first, min(last, 1002) + 1))
        assert len(server.requests) == requests


def test_upload_that_is_gone(shared_client: OSSObjectClient) -> None:
    """After Complete and after Abort every call says that there is no such upload."""
    aborted = shared_client.initiate_multipart_upload(REF, PLAIN)
    shared_client.abort_multipart_upload(REF, aborted)
    for upload_id in (upload(shared_client, REF, b"data"), aborted, "0123456789ABCDEF0123456789ABCDEF"):
        calls: Mapping[str, Callable[[], object]] = {
            "list": lambda upload_id=upload_id: shared_client.list_parts(REF, upload_id),  # type: ignore[misc]
            "part": lambda upload_id=upload_id: shared_client.upload_part(REF, upload_id, 1, b"", 0, PLAIN),  # type: ignore[misc]
            "complete": lambda upload_id=upload_id: shared_client.complete_multipart_upload(  # type: ignore[misc]
                REF, upload_id, [CompletedPart(1, 0, md5_etag(b""), 0)], PLAIN
            ),
            "abort": lambda upload_id=upload_id: shared_client.abort_multipart_upload(REF, upload_id),  # type: ignore[misc]
        }
        for call in calls.values():
            with pytest.raises(OSSNoSuchUpload) as caught:
                call()
            assert caught.value.details.upload_id == upload_id


def test_part_with_another_etag(shared_client: OSSObjectClient) -> None:
    """Complete refuses a part that OSS holds otherwise than it is named."""
    upload_id = shared_client.initiate_multipart_upload(REF, PLAIN)
    shared_client.upload_part(REF, upload_id, 1, b"data", crc64(b"data"), PLAIN)
    with pytest.raises(OSSInvalidPart):
        shared_client.complete_multipart_upload(REF, upload_id, [CompletedPart(1, 4, md5_etag(b"else"), 0)], PLAIN)


CALLS: dict[str, Callable[[OSSObjectClient], object]] = {
    "InitiateMultipartUpload": lambda client: client.initiate_multipart_upload(REF, PLAIN),
    "ListParts": lambda client: client.list_parts(REF, "U1"),
    "CompleteMultipartUpload": lambda client: client.complete_multipart_upload(
        REF, "U1", [CompletedPart(1, 0, "E", 0)], PLAIN
    ),
    "ListObjectsV2": lambda client: client.list_objects(BUCKET, "", "", ""),
    "ListMultipartUploads": lambda client: client.list_multipart_uploads(BUCKET, "", ("", "")),
    "DeleteMultipleObjects": lambda client: client.delete_objects(BUCKET, ["k"]),
    "ListBuckets": lambda client: client.list_buckets(),
}

NONSENSE = {
    "no XML": b"sorry",
    "nothing": b"",
    "HTML": b"<html><body>sorry</body></html>",
    "cut short": b'<?xml version="1.0" encoding="UTF-8"?><ListPartsResult><IsTruncated>',
    "other elements": b"<Result><Truth>42</Truth></Result>",
    "empty elements": (
        b"<R><UploadId/><IsTruncated/><Part/><Contents/><Upload/><Buckets><Bucket/></Buckets><Deleted/></R>"
    ),
    "no numbers": (
        b"<R><IsTruncated>true</IsTruncated><Part><PartNumber>one</PartNumber><Size>big</Size><ETag>E</ETag></Part>"
        b"<Contents><Key>k</Key><LastModified>today</LastModified><Size>big</Size></Contents></R>"
    ),
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><R/>',
}


READ_NO_ELEMENT = {"CompleteMultipartUpload"}
"""What Complete needs is in the headers."""


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("name", sorted(CALLS.keys() - READ_NO_ELEMENT))
def test_answers_that_make_no_sense(name: str, body: bytes) -> None:
    """An answer of status 200 that is not what was asked for is a bad response, never an empty list or a made-up id."""
    root = f"{name.removesuffix('V2')}Result".encode()
    body = body.replace(b"<R>", b"<%s>" % root).replace(b"</R>", b"</%s>" % root)
    with (
        canned_server(200, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSBadResponse, match="could not be understood") as caught,
    ):
        CALLS[name](client_of(url))
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", ["InitiateMultipartUpload", "ListParts", "ListMultipartUploads"])
def test_answer_to_another_call(name: str) -> None:
    """A document that answers another question is a bad response, whatever elements it has."""
    body = b"<CopyObjectResult><UploadId>U</UploadId><IsTruncated>false</IsTruncated><ETag>E</ETag></CopyObjectResult>"
    with (
        canned_server(200, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSBadResponse, match="it is a document <CopyObjectResult>"),
    ):
        CALLS[name](client_of(url))


@pytest.mark.parametrize("upload_id", ["@8E210F2000A05", "U 1", "U/1", "U" * 129])
def test_ids_that_are_none(upload_id: str) -> None:
    """An id that no checkpoint takes was damaged on its way: with it, the upload would be forgotten."""
    root = "InitiateMultipartUploadResult"
    body = f"<{root}><UploadId>{upload_id}</UploadId></{root}>".encode()
    with (
        canned_server(200, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSBadResponse, match="which is no upload id"),
    ):
        CALLS["InitiateMultipartUpload"](client_of(url))


def test_checksum_that_is_no_number() -> None:
    """A checksum header that is no number is a bad response."""
    headers = {"ETag": '"E"', "x-oss-hash-crc64ecma": "many", "Content-Length": "0"}
    with canned_server(200, headers, b"") as url:
        client = client_of(url)
        for call in (
            lambda: client.put_object(REF, b"", 0, PLAIN),
            lambda: client.upload_part(REF, "U1", 1, b"", 0, PLAIN),
            lambda: client.head_object(REF),
        ):
            with pytest.raises(OSSBadResponse, match="many"):
                call()


def test_object_of_unknown_size() -> None:
    """An answer to HEAD or GET without a length is a bad response."""
    with canned_server(200, {"ETag": '"E"'}, b"") as url:
        client = client_of(url)
        for call in (lambda: client.head_object(REF), lambda: client.get_object(REF, None)):
            with pytest.raises(OSSBadResponse):
                call()


def test_document_without_end() -> None:
    """A document larger than OSS ever sends is a bad response, and is not read into memory without limit."""
    body = b"<R>" + b" " * 16 * MIB + b"</R>"
    with (
        canned_server(200, {"Content-Length": str(len(body))}, body) as url,
        pytest.raises(OSSBadResponse, match="more than"),
    ):
        client_of(url).list_parts(REF, "U1")


def test_uploads_of_one_key(client: OSSObjectClient) -> None:
    """The unfinished uploads of a key are listed without those of keys that only begin like it."""
    wanted = {client.initiate_multipart_upload(REF, PLAIN) for _ in range(2)}
    client.initiate_multipart_upload(ObjectRef(BUCKET, f"{REF.key}.bak"), PLAIN)

    assert {upload.upload_id for upload in client.list_uploads(REF)} == wanted
    assert client.list_uploads(ObjectRef(BUCKET, "dump")) == ()
