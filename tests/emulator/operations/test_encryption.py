"""The headers of server-side encryption: what is echoed, completed, left out and refused."""

from __future__ import annotations

import oss2
import pytest
from oss2.models import PartInfo

from tests.emulator.support import Client

SSE, KEY_ID, DATA = (
    "x-oss-server-side-encryption",
    "x-oss-server-side-encryption-key-id",
    "x-oss-server-side-data-encryption",
)
KMS = {SSE: "KMS", DATA: "SM4"}


def encryption_of(result: oss2.models.RequestResult) -> tuple[str | None, bool, str | None]:
    """Return the algorithm that an answer names, whether it names a key, and how the data is encrypted with it."""
    return result.headers.get(SSE), KEY_ID in result.headers, result.headers.get(DATA)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (None, False, None)),
        ({SSE: "AES256"}, ("AES256", False, None)),
        ({SSE: "SM4", DATA: "SM4"}, ("SM4", False, None)),
        ({SSE: "KMS"}, ("KMS", True, None)),
        (KMS, ("KMS", True, "SM4")),
        ({DATA: "SM4"}, (None, False, None)),
    ],
)
def test_what_is_echoed(bucket: oss2.Bucket, headers: dict[str, str], expected: tuple[str | None, bool, str]) -> None:
    """KMS has a key, one of its own when the request names none, and alone it has an encryption of the data."""
    assert encryption_of(bucket.put_object("a", b"x", headers=headers)) == expected
    assert encryption_of(bucket.get_object("a")) == encryption_of(bucket.head_object("a")) == expected
    assert encryption_of(bucket.append_object("log", 0, b"x", headers=headers)) == expected


def test_a_key_that_is_named(bucket: oss2.Bucket) -> None:
    """A key of the request's own is kept."""
    bucket.put_object("a", b"x", headers={SSE: "KMS", KEY_ID: "mine"})
    assert bucket.head_object("a").headers[KEY_ID] == "mine"


def test_of_a_multipart_upload(bucket: oss2.Bucket) -> None:
    """An upload is encrypted as it began: its answers say so, and a part or a Complete that names one is refused."""
    begun = bucket.init_multipart_upload("big", headers=KMS)
    upload_id = begun.upload_id
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.upload_part("big", upload_id, 1, b"x", headers={SSE: "KMS"})
    part = bucket.upload_part("big", upload_id, 1, b"x")
    parts = [PartInfo(1, part.etag)]
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.complete_multipart_upload("big", upload_id, parts, headers=KMS)
    completed = bucket.complete_multipart_upload("big", upload_id, parts)
    answers = [encryption_of(found) for found in (begun, part, completed, bucket.head_object("big"))]
    assert answers == [("KMS", True, "SM4")] * 4


def test_what_clients_encrypted(client: Client) -> None:
    """What is said of client-side encryption is listed with the parts, and no copy loses it."""
    prefix = "x-oss-meta-client-side-encryption-"
    said = {f"{prefix}key": "k", f"{prefix}start": "s", f"{prefix}data-size": "9", f"{prefix}part-size": "3"}
    upload_id = client.send("POST", "big", {"uploads": ""}, said).text("UploadId") or ""
    parts = client.send("GET", "big", {"uploadId": upload_id})
    names = ("Key", "Start", "DataSize", "PartSize", "CekAlg")
    assert [parts.text(f"ClientEncryption{name}") for name in names] == ["k", "s", "9", "3", None]
    client.send("PUT", "a", headers={**said, "x-oss-meta-other": "o"}, body=b"x")
    replacing = {"x-oss-copy-source": "/exports/a", "x-oss-metadata-directive": "REPLACE", f"{prefix}start": "new"}
    client.send("PUT", "copy", headers=replacing)
    found = client.send("HEAD", "copy").headers
    kept = [found.get(name) for name in (f"{prefix}key", f"{prefix}start", "x-oss-meta-other")]
    assert kept == ["k", "new", None]


def test_an_unknown_data_encryption(client: Client) -> None:
    """Data is encrypted with SM4 or not at all."""
    answer = client.send("PUT", "a", headers={SSE: "KMS", DATA: "ROT13"}, body=b"x")
    assert (answer.status, answer.code) == (400, "InvalidEncryptionAlgorithmError")
