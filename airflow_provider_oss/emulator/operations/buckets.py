"""Buckets: create, delete, describe, list, ACL."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.addressing import is_bucket_name
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.metadata import BUCKET_ACLS, STORAGE_CLASSES, refuse_public_acl
from airflow_provider_oss.emulator.operations.call import OWNER_ID, OWNER_NAME, RESOURCE_GROUP_ID, Call
from airflow_provider_oss.emulator.paging import page
from airflow_provider_oss.emulator.state.records import BucketRecord
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import Element, add, add_tags, document, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REDUNDANCIES: Final = frozenset({"LRS", "ZRS"})
_DEFAULT_LISTED: Final = 100


async def put_bucket(call: Call) -> Response:
    """Create a bucket; once more with the same settings is 200 as well."""
    storage_class, redundancy = await _read_configuration(call)
    acl = _read_acl(call)
    bucket = call.store.bucket(call.target.bucket)
    if bucket is None:
        bucket = replace(_new_bucket(call), storage_class=storage_class, redundancy=redundancy)
    elif (bucket.storage_class, bucket.redundancy) != (storage_class, redundancy):
        raise OSSError("BucketAlreadyExists", extra={"BucketName": bucket.name})
    refuse_public_acl(bucket, acl, "bucket")
    call.store.put_bucket(bucket if acl is None else replace(bucket, acl=acl))
    return _created(bucket)


async def delete_bucket(call: Call) -> Response:
    """Remove an empty bucket; an unfinished upload makes it non-empty."""
    bucket = call.require_bucket()
    if not call.store.bucket_is_empty(bucket.name):
        raise OSSError("BucketNotEmpty", extra={"BucketName": bucket.name})
    call.store.delete_bucket(bucket.name)
    return Response(204)


async def get_bucket_info(call: Call) -> Response:
    """Describe a bucket."""
    bucket = call.require_bucket()
    root = document("BucketInfo")
    element = SubElement(root, "Bucket")
    _describe(call, element, bucket)
    add(element, DataRedundancyType=bucket.redundancy, Comment="", AccessMonitor="Disabled")
    add(element, CrossRegionReplication="Disabled", TransferAcceleration="Disabled", ResourceGroupId=RESOURCE_GROUP_ID)
    add(element, BlockPublicAccess=str(bucket.blocks_public_access).lower(), Versioning=bucket.versioning or None)
    add_owner(element)
    add(SubElement(element, "AccessControlList"), Grant=bucket.acl)
    add(SubElement(element, "ServerSideEncryptionRule"), SSEAlgorithm="None")
    return xml_response(root)


async def head_bucket(call: Call) -> Response:
    """Answer whether the bucket is there, and may be listed."""
    call.require_bucket()
    return Response()


async def get_bucket_location(call: Call) -> Response:
    """Say where a bucket is."""
    call.require_bucket()
    root = document("LocationConstraint")
    root.text = call.environment.location
    return xml_response(root)


async def get_bucket_acl(call: Call) -> Response:
    """Answer the bucket's ACL."""
    return acl_document(call.require_bucket().acl)


async def put_bucket_acl(call: Call) -> Response:
    """Change the bucket's ACL; a bucket that is not there is created with it."""
    acl = _read_acl(call)
    if acl is None:
        raise OSSError("MissingArgument", extra={"ArgumentName": "x-oss-acl"})
    bucket = call.store.bucket(call.target.bucket) or _new_bucket(call)
    refuse_public_acl(bucket, acl, "bucket")
    call.store.put_bucket(replace(bucket, acl=acl))
    return _created(bucket)


async def list_buckets(call: Call) -> Response:
    """List the buckets, paged by name; those that a list of tags chose, with all their tags."""
    limit = call.number("max-keys", _DEFAULT_LISTED, 1, call.limits.max_listed)
    prefix, marker = call.request.parameter("prefix"), call.request.parameter("marker")
    tags = _wanted_tags(call)
    buckets = [bucket for bucket in call.store.buckets() if bucket.name > marker and _has_tags(bucket, tags)]
    names = [bucket.name for bucket in buckets]
    found = page(names, start=0, prefix=prefix, delimiter="", after="", limit=limit)
    root = document("ListAllMyBucketsResult")
    if found.truncated or prefix or marker or call.request.has_parameter("max-keys"):
        add(root, Prefix=prefix, Marker=marker, MaxKeys=limit, IsTruncated=str(found.truncated).lower())
        add(root, NextMarker=found.last_name if found.truncated else None)
    add_owner(root)
    _add_buckets(call, root, (buckets[entry.position] for entry in found.entries if entry.position is not None))
    return xml_response(root)


def add_owner(parent: Element) -> None:
    """Append the ``Owner`` element: all that is here has one owner."""
    add(SubElement(parent, "Owner"), ID=OWNER_ID, DisplayName=OWNER_NAME)


def acl_document(acl: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer of GetBucketAcl and GetObjectAcl."""
    root = document("AccessControlPolicy")
    add_owner(root)
    add(SubElement(root, "AccessControlList"), Grant=acl)
    return xml_response(root, headers)


def _wanted_tags(call: Call) -> dict[str, str | None]:
    """
    Return the tags that a listing is narrowed to; None means any value.

    They come as ``tag-key``, maybe with ``tag-value``, or as ``tagging``: ``"key":"value","key":"value"``. Raises
    OSSError 400 for both together, and for a list that is none.
    """
    key, listed = call.request.parameter("tag-key"), call.request.parameter("tagging")
    if not listed:
        return {key: call.request.parameter("tag-value") or None} if key else {}
    tags: dict[str, str | None] = {}
    with suppress(ValueError):
        tags = json.loads(f"{{{listed}}}")
    if key or not tags or not all(isinstance(value, str) for value in tags.values()):
        raise invalid_argument("tagging", listed)
    return tags


def _has_tags(bucket: BucketRecord, wanted: Mapping[str, str | None]) -> bool:
    tags = dict(bucket.tags)
    return all(key in tags and value in (None, tags[key]) for key, value in wanted.items())


def _add_buckets(call: Call, root: Element, buckets: Iterable[BucketRecord]) -> None:
    parent = SubElement(root, "Buckets")
    for bucket in buckets:
        element = SubElement(parent, "Bucket")
        _describe(call, element, bucket)
        if call.request.parameter("tagging"):
            add_tags(SubElement(element, "Tagging"), bucket.tags)


def _describe(call: Call, element: Element, bucket: BucketRecord) -> None:
    region = call.environment.region
    add(
        element,
        Name=bucket.name,
        CreationDate=xml_date(bucket.created_at),
        Location=call.environment.location,
        Region=region,
        StorageClass=bucket.storage_class,
        ExtranetEndpoint=f"oss-{region}.aliyuncs.com",
        IntranetEndpoint=f"oss-{region}-internal.aliyuncs.com",
    )


def _new_bucket(call: Call) -> BucketRecord:
    """Return a bucket that may be created. Raises OSSError 400 for a bad name, or one bucket too many."""
    name = call.target.bucket
    if not is_bucket_name(name):
        raise OSSError("InvalidBucketName", extra={"BucketName": name})
    if len(call.store.buckets()) >= call.limits.max_buckets:
        raise OSSError("TooManyBuckets")
    return BucketRecord(name, call.now(), blocks_public_access=True)


def _created(bucket: BucketRecord) -> Response:
    """Answer PutBucket, and PutBucketAcl, which may create a bucket too."""
    return Response(headers={"Location": f"/{bucket.name}"})


def _read_acl(call: Call) -> str | None:
    acl = call.request.headers.get("x-oss-acl")
    if acl is not None and acl not in BUCKET_ACLS:
        raise invalid_argument("x-oss-acl", acl, "The bucket ACL is invalid.")
    return acl


async def _read_configuration(call: Call) -> tuple[str, str]:
    """Storage class and redundancy of a new bucket."""
    body = await call.body.document(call.limits.max_document_bytes)
    if not body.strip():
        return "Standard", "LRS"
    root = parse(body, "CreateBucketConfiguration")
    storage_class = text_of(root, "StorageClass") or "Standard"
    redundancy = text_of(root, "DataRedundancyType") or "LRS"
    if storage_class not in STORAGE_CLASSES:
        raise invalid_argument("StorageClass", storage_class)
    if redundancy not in _REDUNDANCIES:
        raise invalid_argument("DataRedundancyType", redundancy)
    return storage_class, redundancy
