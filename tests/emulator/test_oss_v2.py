"""The official Python client alibabacloud-oss-v2 against the local server, with both signature versions."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_oss_v2.exceptions import InconsistentError, OperationError, RequestError, ServiceError

from airflow_provider_oss.emulator import Fault, OSSEmulator, StsSession
from tests.emulator.support import KEY_ID, REGION, SECRET, accept, callback_server, fail, send

BUCKET = "exports"


def make_client(server: OSSEmulator, **options: Any) -> oss.Client:
    """A client that does not retry unless told otherwise."""
    config = oss.config.load_default()
    config.region = REGION
    config.endpoint = server.endpoint
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        options.pop("key_id", KEY_ID), options.pop("secret", SECRET), options.pop("token", None)
    )
    config.retry_max_attempts = 1
    for name, value in options.items():
        setattr(config, name, value)
    return oss.Client(config)


def test_additional_headers(server: OSSEmulator) -> None:
    """Version 4 may sign more headers, such as the host."""
    client = make_client(server, additional_headers=["Host", "range"])
    client.put_object(oss.PutObjectRequest(BUCKET, "a", body=b"123456789"))
    got = client.get_object(oss.GetObjectRequest(BUCKET, "a", range_header="bytes=2-3"))
    assert got.body is not None
    assert got.body.read() == b"34"


@pytest.fixture(params=["v1", "v4"])
def client(server: OSSEmulator, request: pytest.FixtureRequest) -> oss.Client:
    """A client, once with each signature version."""
    return make_client(server, signature_version=request.param)


def refused(attempt: Any) -> ServiceError:
    """The error of the service that the attempt ends with."""
    with pytest.raises(OperationError) as caught:
        attempt()
    error = caught.value.unwrap()
    assert isinstance(error, ServiceError)
    return error


@pytest.mark.parametrize("key", ["plain", "folder/a b+c%20", "中文/😀", "?query#hash&x=y", "'quote\"<tag>"])
def test_objects(client: oss.Client, key: str) -> None:
    """Objects are put, described, read, copied, listed and removed under exactly their keys."""
    put = client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"123456789", metadata={"owner": "data team"}))
    assert (put.etag, put.hash_crc64) == ('"25F9E794323B453885F5181F1B624D0B"', "11051210869376104954")
    head = client.head_object(oss.HeadObjectRequest(BUCKET, key))
    assert head.metadata is not None
    assert (head.content_length, head.metadata["owner"], head.object_type) == (9, "data team", "Normal")
    got = client.get_object(oss.GetObjectRequest(BUCKET, key))
    assert got.body is not None
    assert got.body.read() == b"123456789"
    client.copy_object(oss.CopyObjectRequest(BUCKET, f"{key}.copy", source_bucket=BUCKET, source_key=key))
    listed = client.list_objects_v2(oss.ListObjectsV2Request(BUCKET))
    assert [found.key for found in listed.contents or []] == [key, f"{key}.copy"]
    client.delete_object(oss.DeleteObjectRequest(BUCKET, key))
    assert not client.is_object_exist(BUCKET, key)
    assert client.is_object_exist(BUCKET, f"{key}.copy")


@pytest.mark.parametrize(
    "options", [{"endpoint": "http://localhost:{port}", "use_path_style": True}, {"use_cname": True}]
)
def test_other_styles(tmp_path: Path, options: dict[str, Any]) -> None:
    """Path style with a host name works, and so does a custom domain that is mapped to its bucket."""
    with OSSEmulator(root=tmp_path, cname_buckets={"localhost": BUCKET} if "use_cname" in options else {}) as server:
        endpoint = f"http://localhost:{server.port}"
        client = make_client(server, **{**options, "endpoint": endpoint})
        client.put_object(oss.PutObjectRequest(BUCKET, "exports/a", body=b"x"))
        assert [(found.bucket, found.key) for found in server.requests] == [(BUCKET, "exports/a")]


def test_streams(client: oss.Client, server: OSSEmulator) -> None:
    """A generator is sent chunked and arrives whole."""

    def blocks() -> Iterator[bytes]:
        for index in range(20):
            yield bytes([index]) * 10_000

    client.put_object(oss.PutObjectRequest(BUCKET, "stream", body=blocks()))
    assert server.requests[0].bytes_received == 200_000
    assert client.head_object(oss.HeadObjectRequest(BUCKET, "stream")).content_length == 200_000


def test_ranges_and_conditions(client: oss.Client) -> None:
    """Ranges are cut, conditions are held, and an invalid range is 416 when the client asks for it."""
    client.put_object(oss.PutObjectRequest(BUCKET, "a", body=bytes(range(100))))
    part = client.get_object(oss.GetObjectRequest(BUCKET, "a", range_header="bytes=10-19"))
    assert part.body is not None
    assert (part.status_code, part.body.read()) == (206, bytes(range(10, 20)))
    error = refused(lambda: client.get_object(oss.GetObjectRequest(BUCKET, "a", if_match='"none"')))
    assert (error.status_code, error.code) == (412, "PreconditionFailed")
    wrong = oss.GetObjectRequest(BUCKET, "a", range_header="bytes=100-", range_behavior="standard")
    assert refused(lambda: client.get_object(wrong)).code == "InvalidRange"


def test_multipart(client: oss.Client) -> None:
    """The multipart calls one by one, with the CRC-64 of each part in the list and of the whole at the end."""
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, "a b/中")).upload_id
    parts = []
    for number, body in ((1, b"first part"), (2, b"second")):
        part = client.upload_part(oss.UploadPartRequest(BUCKET, "a b/中", number, upload_id, body=body))
        parts.append(oss.UploadPart(part_number=number, etag=part.etag))
    listed = client.list_parts(oss.ListPartsRequest(BUCKET, "a b/中", upload_id))
    assert [(part.part_number, part.size, part.hash_crc64) for part in listed.parts or []] == [
        (1, 10, "6825384999812488855"),
        (2, 6, "8409400034483300408"),
    ]
    uploads = client.list_multipart_uploads(oss.ListMultipartUploadsRequest(BUCKET))
    assert [(found.key, found.upload_id) for found in uploads.uploads or []] == [("a b/中", upload_id)]
    done = client.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            BUCKET, "a b/中", upload_id, complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts)
        )
    )
    assert (done.key, done.hash_crc64) == ("a b/中", "6729427774510890272")
    error = refused(lambda: client.list_parts(oss.ListPartsRequest(BUCKET, "a b/中", upload_id)))
    assert (error.status_code, error.code, error.ec) == (404, "NoSuchUpload", "0042-00000002")


def test_complete_all(client: oss.Client) -> None:
    """The server takes all parts when it is asked to."""
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, "a")).upload_id
    client.upload_part(oss.UploadPartRequest(BUCKET, "a", 1, upload_id, body=b"part"))
    client.complete_multipart_upload(oss.CompleteMultipartUploadRequest(BUCKET, "a", upload_id, complete_all="yes"))
    assert client.head_object(oss.HeadObjectRequest(BUCKET, "a")).content_length == 4


def test_upload_part_copy_and_abort(client: oss.Client) -> None:
    """A part is copied from an object, and an abort ends the upload."""
    client.put_object(oss.PutObjectRequest(BUCKET, "source", body=b"0123456789"))
    upload_id = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, "a")).upload_id
    copied = client.upload_part_copy(
        oss.UploadPartCopyRequest(
            BUCKET, "a", 1, upload_id, source_bucket=BUCKET, source_key="source", source_range="bytes=2-5"
        )
    )
    assert copied.etag == '"81B073DE9370EA873F548E31B8ADC081"'
    client.abort_multipart_upload(oss.AbortMultipartUploadRequest(BUCKET, "a", upload_id))
    gone = oss.AbortMultipartUploadRequest(BUCKET, "a", upload_id)
    assert refused(lambda: client.abort_multipart_upload(gone)).code == "NoSuchUpload"


def test_the_uploader_resumes(client: oss.Client, server: OSSEmulator, tmp_path: Path) -> None:
    """The client's own uploader, interrupted, goes on from its checkpoint and checks the CRC-64 of listed parts too."""
    data = random.Random(1).randbytes(600_000)
    (tmp_path / "file").write_bytes(data)
    uploader = client.uploader(
        part_size=102_400,
        parallel_num=1,
        enable_checkpoint=True,
        checkpoint_dir=f"{tmp_path}/",
        leave_parts_on_error=True,
    )
    request = oss.PutObjectRequest(BUCKET, "big")
    server.faults.add(Fault(operation="UploadPart", part_number=4, status=403, code="AccessDenied"))
    with pytest.raises(oss.uploader.UploadError):
        uploader.upload_file(request, str(tmp_path / "file"))
    server.faults.clear()
    server.forget_requests()
    uploader.upload_file(request, str(tmp_path / "file"))
    assert [found.part_number for found in server.requests if found.operation == "UploadPart"] == [4, 5, 6]
    got = client.get_object(oss.GetObjectRequest(BUCKET, "big"))
    assert got.body is not None
    assert got.body.read() == data


def test_retries_recover(server: OSSEmulator) -> None:
    """An error of the server and a reset connection are retried by the client and leave no trace."""
    client = make_client(server, retry_max_attempts=3)
    server.faults.add(
        Fault(operation="PutObject", times=1, status=503), Fault(operation="PutObject", skip=1, times=1, reset="after")
    )
    client.put_object(oss.PutObjectRequest(BUCKET, "a", body=b"x"))
    assert [found.status for found in server.requests] == [503, None, 200]


def test_lists(client: oss.Client) -> None:
    """Both listings page and roll common prefixes up."""
    keys = ["a", "b/1", "b/2", "c d+e", "中"]
    for key in keys:
        client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x"))
    v1 = client.list_objects_paginator(limit=2).iter_page(oss.ListObjectsRequest(BUCKET))
    v2 = client.list_objects_v2_paginator(limit=2).iter_page(oss.ListObjectsV2Request(BUCKET))
    assert [found.key for page in v1 for found in page.contents or []] == keys
    assert [found.key for page in v2 for found in page.contents or []] == keys
    rolled_up = client.list_objects_v2(oss.ListObjectsV2Request(BUCKET, delimiter="/"))
    assert [found.prefix for found in rolled_up.common_prefixes or []] == ["b/"]


def test_delete_multiple(client: oss.Client) -> None:
    """Many keys are deleted at once and reported, whatever characters they have."""
    keys = ["a &<中>", "a\x01\x10\t\r\n", "absent"]
    for key in keys[:2]:
        client.put_object(oss.PutObjectRequest(BUCKET, key, body=b"x"))
    objects = [oss.DeleteObject(key) for key in keys]
    result = client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(BUCKET, objects=objects))
    assert [found.key for found in result.deleted_objects or []] == keys
    assert client.list_objects_v2(oss.ListObjectsV2Request(BUCKET)).contents is None


def test_append(client: oss.Client) -> None:
    """Appends grow the object, and a wrong position is refused."""
    first = client.append_object(oss.AppendObjectRequest(BUCKET, "log", position=0, body=b"12345"))
    assert first.next_position == 5
    second = client.append_object(oss.AppendObjectRequest(BUCKET, "log", position=5, body=b"6789"))
    assert second.hash_crc64 == "11051210869376104954"
    wrong = oss.AppendObjectRequest(BUCKET, "log", position=1, body=b"x")
    assert refused(lambda: client.append_object(wrong)).code == "PositionNotEqualToLength"


def test_properties(client: oss.Client) -> None:
    """Tags and ACL of an object are set, read and removed."""
    client.put_object(oss.PutObjectRequest(BUCKET, "a", body=b"x", tagging="k=v"))
    tags = client.get_object_tagging(oss.GetObjectTaggingRequest(BUCKET, "a"))
    assert tags.tag_set is not None
    assert [(tag.key, tag.value) for tag in tags.tag_set.tags or []] == [("k", "v")]
    client.put_object_acl(oss.PutObjectAclRequest(BUCKET, "a", acl="private"))
    assert client.get_object_acl(oss.GetObjectAclRequest(BUCKET, "a")).acl == "private"


def test_buckets(client: oss.Client) -> None:
    """A bucket is created, described, listed and deleted."""
    client.put_bucket(oss.PutBucketRequest("from-v2", acl="private"))
    info = client.get_bucket_info(oss.GetBucketInfoRequest("from-v2")).bucket_info
    assert info is not None
    assert (info.name, info.location, info.acl) == ("from-v2", "oss-cn-hangzhou", "private")
    listed = client.list_buckets(oss.ListBucketsRequest())
    assert [found.name for found in listed.buckets or []] == ["exports", "from-v2"]
    client.delete_bucket(oss.DeleteBucketRequest("from-v2"))
    assert not client.is_bucket_exist("from-v2")


def test_presigned(client: oss.Client, server: OSSEmulator) -> None:
    """A presigned URL puts and gets exactly its object."""
    put = client.presign(oss.PutObjectRequest(BUCKET, "a b/中"), expires=timedelta(minutes=1))
    target = (put.url or "").removeprefix(server.endpoint)
    assert send(server.endpoint, "PUT", target, put.signed_headers, b"signed").status == 200
    get = client.presign(oss.GetObjectRequest(BUCKET, "a b/中"), expires=timedelta(minutes=1))
    target = (get.url or "").removeprefix(server.endpoint)
    assert send(server.endpoint, "GET", target).body == b"signed"
    assert send(server.endpoint, "GET", target.replace("a%20b", "b%20a")).code == "SignatureDoesNotMatch"


def test_callback(client: oss.Client) -> None:
    """The application is told; its answer, or the failure, is in the result."""
    for application_answer, status in ((accept, 200), (fail, 203)):
        with callback_server(application_answer) as application:
            callback = {"callbackUrl": application.url, "callbackBody": '{"o":${object},"s":${size}}'}
            callback["callbackBodyType"] = "application/json"
            encoded = base64.b64encode(json.dumps(callback).encode()).decode()
            result = client.put_object(oss.PutObjectRequest(BUCKET, 'a"b', body=b"hello", callback=encoded))
        assert [json.loads(body) for _, body in application.received] == [{"o": 'a"b', "s": 5}]
        assert result.status_code == status
        if status == 200:
            assert json.loads(result.callback_result or "") == {"Status": "OK"}


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key_id": "unknown"}, "InvalidAccessKeyId"),
        ({"token": "made-up"}, "InvalidSecurityToken"),
    ],
)
def test_errors_of_credentials(server: OSSEmulator, version: str, options: dict[str, str], code: str) -> None:
    """Each kind of wrong credentials is refused with its own code, on HEAD too."""
    client = make_client(server, signature_version=version, **options)
    for attempt in (
        lambda: client.put_object(oss.PutObjectRequest(BUCKET, "a", body=b"x")),
        lambda: client.head_object(oss.HeadObjectRequest(BUCKET, "a")),
    ):
        error = refused(attempt)
        assert (error.status_code, error.code) == (403, code)
        assert len(error.request_id or "") == 24
        assert error.ec


def test_a_wrong_region(server: OSSEmulator) -> None:
    """A version 4 signature for another region is an invalid argument."""
    client = make_client(server, region="cn-beijing")
    error = refused(lambda: client.get_object(oss.GetObjectRequest(BUCKET, "a")))
    assert (error.status_code, error.code, error.ec) == (400, "InvalidArgument", "0002-00000226")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_sts(tmp_path: Path, version: str) -> None:
    """Temporary credentials work with their token and, once expired, do not."""
    sessions = [StsSession("STS.id", "secret", "token"), StsSession("STS.old", "secret", "old", expires_at=1.0)]
    with OSSEmulator(root=tmp_path, sts_sessions=sessions) as server:
        request = oss.PutObjectRequest(BUCKET, "a", body=b"x")
        good = make_client(server, signature_version=version, key_id="STS.id", secret="secret", token="token")
        assert good.put_object(request).status_code == 200
        bare = make_client(server, signature_version=version, key_id="STS.id", secret="secret")
        assert refused(lambda: bare.put_object(request)).code == "InvalidAccessKeyId"
        old = make_client(server, signature_version=version, key_id="STS.old", secret="secret", token="old")
        assert refused(lambda: old.put_object(request)).code == "SecurityTokenExpired"


def test_missing_things(client: oss.Client) -> None:
    """What is missing is told apart, on HEAD too."""
    assert refused(lambda: client.get_object(oss.GetObjectRequest(BUCKET, "a"))).code == "NoSuchKey"
    assert refused(lambda: client.head_object(oss.HeadObjectRequest(BUCKET, "a"))).code == "NoSuchKey"
    assert refused(lambda: client.head_object(oss.HeadObjectRequest("not-there", "a"))).code == "NoSuchBucket"


def test_damage_is_found(server: OSSEmulator) -> None:
    """A byte that is damaged on its way fails the client's own CRC-64 check, and a cut answer its length."""
    client = make_client(server)
    server.faults.add(Fault(operation="PutObject", corrupt_request_byte=0))
    with pytest.raises(OperationError) as caught:
        client.put_object(oss.PutObjectRequest(BUCKET, "a", body=b"0123456789"))
    assert isinstance(caught.value.unwrap(), InconsistentError)
    server.faults.add(Fault(operation="InitiateMultipartUpload", truncate_response=True))
    with pytest.raises(OperationError) as caught:
        client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(BUCKET, "a"))
    assert not isinstance(caught.value.unwrap(), ServiceError)
    server.faults.add(Fault(operation="GetObject", reset="before"))
    with pytest.raises(OperationError) as caught:
        client.get_object(oss.GetObjectRequest(BUCKET, "a"))
    assert isinstance(caught.value.unwrap(), RequestError)
