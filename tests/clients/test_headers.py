"""What a user says of an object arrives at OSS and comes back as it was said."""

from __future__ import annotations

import pytest

from airflow_provider_oss.clients.messages import (
    content_headers,
    crc64_of,
    publishing_headers,
    sending_headers,
)
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSObjectAlreadyExists
from airflow_provider_oss.model import Callback, ObjectOptions, ObjectRange, ObjectRef
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "dump.bin")
EVERYTHING = parse_options(
    mime="text/csv; charset=utf-8",
    meta={"Owner": "Jörg 张 €", "rows": 12, "empty": ""},
    headers={
        "Cache-Control": "no-cache",
        "Content-Disposition": "attachment; filename*=UTF-8''bericht.csv",
        "Content-Encoding": "identity",
        "Content-Language": "de",
        "Expires": "Sat, 05 Dec 2026 11:10:29 GMT",
        "x-oss-server-side-encryption": "AES256",
    },
    acl="private",
    storage_class="IA",
    tags={"team+co": "a=b c", "kind": ""},
    traffic_limit=819_200,
)


def put_everything(client: OSSObjectClient) -> None:
    client.put_object(REF, b"data", crc64(b"data"), EVERYTHING)


def upload_everything_in_parts(client: OSSObjectClient) -> None:
    upload_id = client.initiate_multipart_upload(REF, EVERYTHING)
    part = client.upload_part(REF, upload_id, 1, b"data", crc64(b"data"), EVERYTHING)
    client.complete_multipart_upload(REF, upload_id, [part], EVERYTHING)


def stream_everything(client: OSSObjectClient) -> None:
    client.put_stream(REF, iter([b"da", b"ta"]), None, EVERYTHING)


@pytest.mark.parametrize("write", [put_everything, upload_everything_in_parts, stream_everything])
def test_everything_is_stored(client: OSSObjectClient, write: object) -> None:
    """Type, metadata in any script, headers, class, ACL, tags and encryption are stored by every way of writing."""
    write(client)  # type: ignore[operator]

    found = client.head_object(REF)
    assert found.content_type == "text/csv; charset=utf-8"
    assert found.meta == {"owner": "Jörg 张 €", "rows": "12", "empty": ""}
    assert found.storage_class == "IA"
    assert found.crc64 == crc64(b"data")
    expected = {
        "cache-control": "no-cache",
        "content-disposition": "attachment; filename*=UTF-8''bericht.csv",
        "content-encoding": "identity",
        "content-language": "de",
        "expires": "Sat, 05 Dec 2026 11:10:29 GMT",
        "x-oss-server-side-encryption": "AES256",
    }
    assert {name: found.headers.get(name) for name in expected} == expected

    bucket = client.buckets.get(BUCKET)
    assert bucket.get_object_tagging(REF.key).tag_set.tagging_rule == {"team+co": "a=b c", "kind": ""}
    assert bucket.get_object_acl(REF.key).acl == "private"


def test_type_is_guessed_from_the_key(client: OSSObjectClient) -> None:
    """Without ``mime`` the key's ending decides, and without a known ending it is plain bytes."""
    for key, expected in (("a/report.csv", "text/csv"), ("dump", "application/octet-stream")):
        ref = ObjectRef(BUCKET, key)
        client.put_object(ref, b"", 0, ObjectOptions())
        assert client.head_object(ref).content_type == expected


def test_forbid_overwrite(client: OSSObjectClient) -> None:
    """With ``forbid_overwrite`` OSS refuses to replace an object at each step that could."""
    client.put_object(REF, b"old", crc64(b"old"), ObjectOptions())
    upload_id = client.initiate_multipart_upload(REF, ObjectOptions())
    part = client.upload_part(REF, upload_id, 1, b"new", crc64(b"new"), ObjectOptions())
    careful = ObjectOptions(forbid_overwrite=True)

    with pytest.raises(OSSObjectAlreadyExists):
        client.put_object(REF, b"new", crc64(b"new"), careful)
    with pytest.raises(OSSObjectAlreadyExists):
        client.initiate_multipart_upload(REF, careful)
    with pytest.raises(OSSObjectAlreadyExists):
        client.complete_multipart_upload(REF, upload_id, [part], careful)
    with pytest.raises(OSSObjectAlreadyExists):
        client.copy_object(ObjectRange(REF, client.head_object(REF).etag, 0, 3), REF, careful)
    assert client.head_object(REF).size_bytes == 3


def test_headers_go_where_they_take_effect() -> None:
    """Each header is sent with the requests that OSS heeds it in: beginning, sending, or publishing."""
    options = parse_options(
        meta={"a": 1}, acl="private", storage_class="IA", forbid_overwrite=True, traffic_limit=819_200
    )
    assert content_headers(REF, options) == {
        "content-type": "application/octet-stream",
        "x-oss-meta-a": "1",
        "x-oss-storage-class": "IA",
        "x-oss-forbid-overwrite": "true",
    }
    assert publishing_headers(options) == {"x-oss-object-acl": "private", "x-oss-forbid-overwrite": "true"}
    assert sending_headers(options) == {"x-oss-traffic-limit": "819200"}
    assert publishing_headers(ObjectOptions()) == sending_headers(ObjectOptions()) == {}


def test_callback_variables_have_their_prefix() -> None:
    """Custom values get the ``x:`` that OSS wants, once; without any there is no header for them."""
    import base64  # noqa: PLC0415
    import json  # noqa: PLC0415

    def decoded(custom_value: dict[str, str], host: str | None = None) -> dict[str, dict[str, str]]:
        callback = Callback("http://app/told", "key=${object}", host=host, custom_value=custom_value)
        headers = publishing_headers(ObjectOptions(callback=callback))
        return {name: json.loads(base64.b64decode(value)) for name, value in headers.items()}

    assert decoded({"run": "1", "x:try": "2"})["x-oss-callback-var"] == {"x:run": "1", "x:try": "2"}
    assert decoded({}, host="app.example.com") == {
        "x-oss-callback": {
            "callbackUrl": "http://app/told",
            "callbackBody": "key=${object}",
            "callbackBodyType": "application/x-www-form-urlencoded",
            "callbackHost": "app.example.com",
        }
    }


def test_answer_without_a_checksum(server: OSSEmulator, client: OSSObjectClient) -> None:
    """An object of which OSS returns no CRC-64 has none, which is not zero."""
    assert crc64_of({}) is None
    assert crc64_of({"x-oss-hash-crc64ecma": "0"}) == 0
    server.faults.add(Fault(operation="PutObject", latency_seconds=0.0))
    assert client.put_object(REF, b"", 0, ObjectOptions()).crc64 == 0
