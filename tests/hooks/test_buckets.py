"""Buckets by the hook."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSInvalidArgument, OSSRequestRejected
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import BucketProperties
from tests.conftest import BUCKET

NEW = "new-bucket"


def operations(server: OSSEmulator) -> list[str]:
    return [request.operation for request in server.requests]


def test_creating_and_deleting(hook: OSSHook) -> None:
    """Creating and deleting again change nothing, and say so."""
    assert not hook.bucket_exists(NEW)
    assert hook.create_bucket(NEW, "private", "IA", "ZRS")
    assert hook.bucket_exists(NEW)
    assert hook.bucket_info(NEW).properties == BucketProperties("private", "IA", "ZRS")
    assert not hook.create_bucket(NEW)
    assert not hook.create_bucket(NEW, storage_class="IA")
    assert hook.bucket_info(NEW).properties == BucketProperties("private", "IA", "ZRS")

    assert hook.delete_bucket(NEW)
    assert not hook.delete_bucket(NEW)
    assert not hook.delete_bucket(NEW, force=True)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"acl": "public-read"}, "has acl='private', not 'public-read'"),
        ({"storage_class": "IA"}, "has storage_class='Standard', not 'IA'"),
        ({"redundancy": "ZRS"}, "has redundancy='LRS', not 'ZRS'"),
    ],
)
def test_a_bucket_with_other_properties(
    hook: OSSHook, server: OSSEmulator, asked: dict[str, Any], complaint: str
) -> None:
    """What is asked for and cannot be had is an error; the bucket stays as it is."""
    with pytest.raises(OSSRequestRejected, match=complaint):
        hook.create_bucket(BUCKET, **asked)
    assert operations(server) == ["GetBucketInfo"]


def test_a_public_acl_in_a_new_bucket(hook: OSSHook) -> None:
    """OSS has refused it since October 2025; the error says why, and what to do, for the bucket and its objects."""
    remedy = "blocks public access.*leave acl out"
    with pytest.raises(OSSAccessDenied, match=f"Put public bucket acl is not allowed; the bucket {remedy}"):
        hook.create_bucket(NEW, "public-read")
    hook.create_bucket(NEW)
    with pytest.raises(OSSAccessDenied, match=f"Put public object acl is not allowed; the bucket {remedy}"):
        hook.put_object("key", b"x", NEW, acl="public-read")


def test_a_bucket_of_somebody_else(hook: OSSHook, server: OSSEmulator) -> None:
    """A name that is taken is OSS's refusal, whether describing the bucket is denied or not."""
    server.faults.add(Fault(operation="GetBucketInfo", code="AccessDenied", status=403))
    server.faults.add(Fault(operation="PutBucket", code="BucketAlreadyExists", status=409))
    with pytest.raises(OSSRequestRejected, match="BucketAlreadyExists"):
        hook.create_bucket(NEW)
    with pytest.raises(OSSAccessDenied):
        hook.bucket_exists(NEW)


def test_creating_without_the_right_to_describe(hook: OSSHook, server: OSSEmulator) -> None:
    """Only PutBucket is needed for a bucket that is new."""
    server.faults.add(Fault(operation="GetBucketInfo", code="AccessDenied", status=403))
    assert hook.create_bucket(NEW)


def test_a_lost_answer(hook: OSSHook, server: OSSEmulator) -> None:
    """When OSS created the bucket and only the answer was lost, that is success, also where it says then: taken."""
    server.faults.add(Fault(operation="PutBucket", reset="after", times=1))
    server.faults.add(Fault(operation="PutBucket", skip=1, code="BucketAlreadyExists", status=409))
    assert hook.create_bucket(NEW)
    assert operations(server) == ["GetBucketInfo", "PutBucket", "PutBucket", "GetBucketInfo"]


def test_another_refusal(hook: OSSHook, server: OSSEmulator) -> None:
    """What else OSS refuses is raised as it is."""
    server.faults.add(Fault(operation="PutBucket", code="TooManyBuckets", status=400))
    with pytest.raises(OSSRequestRejected, match="TooManyBuckets"):
        hook.create_bucket(NEW)


def test_force(hook: OSSHook, server: OSSEmulator) -> None:
    """Objects and unfinished uploads make a bucket stay, unless all of them may go; one that goes meanwhile is fine."""
    hook.create_bucket(NEW)
    for number in range(3):
        hook.put_object(f"a/{number}", "x", NEW)
        hook.initiate_multipart_upload("a/upload", NEW)
    with pytest.raises(OSSRequestRejected, match="BucketNotEmpty"):
        hook.delete_bucket(NEW)

    server.faults.add(Fault(operation="AbortMultipartUpload", reset="after", times=1))
    assert hook.delete_bucket(NEW, force=True)
    assert not hook.bucket_exists(NEW)


@pytest.mark.parametrize("name", ["", "No_Bucket"])
def test_names_that_oss_forbids(hook: OSSHook, server: OSSEmulator, name: str) -> None:
    """A name is never left to the connection's default bucket, and one that OSS would refuse is refused before."""
    for call in (hook.create_bucket, hook.delete_bucket):
        with pytest.raises(OSSInvalidArgument, match="bucket_name"):
            call(name)
    with pytest.raises(OSSInvalidArgument, match="acl='default' is not known"):
        hook.create_bucket(NEW, acl="default")
    assert not server.requests
