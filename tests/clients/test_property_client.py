"""Buckets and tags, asked of the local OSS server."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSBadResponse, OSSNoSuchBucket, OSSNoSuchKey, OSSRequestRejected
from airflow_provider_oss.model import BucketProperties, ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "a b.csv")
NOTHING = BucketProperties()


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        (NOTHING, BucketProperties("private", "Standard", "LRS")),
        (BucketProperties("private", "IA", "ZRS"), BucketProperties("private", "IA", "ZRS")),
        (BucketProperties(redundancy="ZRS"), BucketProperties("private", "Standard", "ZRS")),
        (BucketProperties(storage_class="Archive"), BucketProperties("private", "Archive", "LRS")),
    ],
)
def test_buckets(client: OSSObjectClient, asked: BucketProperties, has: BucketProperties) -> None:
    """A bucket has what it was created with, and is gone when it was deleted."""
    client.create_bucket("new-bucket", asked)
    info = client.bucket_info("new-bucket")
    assert (info.name, info.location, info.properties) == ("new-bucket", "oss-cn-hangzhou", has)

    client.delete_bucket("new-bucket")
    for call in (client.bucket_info, client.delete_bucket):
        with pytest.raises(OSSNoSuchBucket):
            call("new-bucket")


def test_refusals_name_the_remedy(client: OSSObjectClient) -> None:
    """A name that is taken and a bucket that is not empty are refused, with OSS's code and what to do."""
    client.initiate_multipart_upload(REF, ObjectOptions())
    with pytest.raises(OSSRequestRejected, match=r"unfinished multipart uploads are left.*code=BucketNotEmpty"):
        client.delete_bucket(BUCKET)
    with pytest.raises(OSSRequestRejected, match=r"choose another.*code=BucketAlreadyExists"):
        client.create_bucket(BUCKET, BucketProperties(storage_class="IA"))


def test_tags(client: OSSObjectClient) -> None:
    """Tags are replaced as a whole, kept as they are, and removed."""
    client.put_object(REF, b"x", crc64(b"x"), ObjectOptions(tags={"old": "tag"}))
    assert client.get_object_tags(REF) == {"old": "tag"}
    tags = {"team": "ex ports", "größe.": "", "a+b": "1/2:3"}
    client.put_object_tags(REF, tags)
    assert client.get_object_tags(REF) == tags
    client.delete_object_tags(REF)
    assert client.get_object_tags(REF) == {}


def test_tags_of_what_is_not_there(client: OSSObjectClient) -> None:
    """Each call about a missing object says that it is missing."""
    for call in (
        lambda: client.get_object_tags(REF),
        lambda: client.put_object_tags(REF, {"a": "b"}),
        lambda: client.delete_object_tags(REF),
    ):
        with pytest.raises(OSSNoSuchKey):
            call()


@pytest.mark.parametrize("document", [b"", b"<html/>", b"<BucketInfo/>"])
def test_answers_that_are_none(client: OSSObjectClient, server: OSSEmulator, document: bytes) -> None:
    """A login page, an empty answer, or another document is no description of anything."""
    server.faults.add(Fault(response_body=document))
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.bucket_info(BUCKET),
        lambda: client.get_object_tags(REF),
    )
    for call in calls:
        with pytest.raises(OSSBadResponse):
            call()


def test_parts_have_a_time(client: OSSObjectClient) -> None:
    """OSS tells when a part was stored; two lists of the same parts are equal whatever it says."""
    upload_id = client.initiate_multipart_upload(REF, ObjectOptions())
    before = int(time.time())
    client.upload_part(REF, upload_id, 1, b"x", crc64(b"x"), ObjectOptions())
    [part] = client.list_parts(REF, upload_id)
    assert part.stored_at is not None
    assert before <= part.stored_at <= time.time()
