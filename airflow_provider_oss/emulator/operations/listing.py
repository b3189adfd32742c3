"""Objects: list, in both versions of the operation."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from typing import TYPE_CHECKING
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.errors import invalid_argument
from airflow_provider_oss.emulator.operations.buckets import add_owner
from airflow_provider_oss.emulator.operations.call import require_object
from airflow_provider_oss.emulator.paging import Page, page
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import Element, add, document

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_oss.emulator.operations.call import Call


async def list_objects(call: Call) -> Response:
    """List keys and common prefixes, paged by marker."""
    encode = call.encoder()
    marker = call.request.parameter("marker")
    limit = _limit(call)
    found = _page(call, marker, limit)
    root = document(
        "ListBucketResult",
        Name=call.target.bucket,
        Prefix=encode(call.request.parameter("prefix")),
        Marker=encode(marker),
        MaxKeys=limit,
        Delimiter=encode(call.request.parameter("delimiter")),
        EncodingType=call.encoding_type(),
        IsTruncated=str(found.truncated).lower(),
        NextMarker=encode(found.last_name) if found.truncated else None,
    )
    _add_entries(call, root, found, encode, with_owner=True)
    return xml_response(root)


async def list_objects_v2(call: Call) -> Response:
    """List keys and common prefixes, paged by an opaque token."""
    encode = call.encoder()
    token, start_after = call.request.parameter("continuation-token"), call.request.parameter("start-after")
    limit = _limit(call)
    found = _page(call, _decode_token(token) if token else start_after, limit)
    root = document(
        "ListBucketResult",
        Name=call.target.bucket,
        Prefix=encode(call.request.parameter("prefix")),
        StartAfter=encode(start_after) if start_after else None,
        ContinuationToken=token or None,
        MaxKeys=limit,
        Delimiter=encode(call.request.parameter("delimiter")),
        EncodingType=call.encoding_type(),
        IsTruncated=str(found.truncated).lower(),
        NextContinuationToken=_encode_token(found.last_name) if found.truncated else None,
        KeyCount=len(found.entries),
    )
    with_owner = call.request.parameter("fetch-owner").lower() == "true"
    _add_entries(call, root, found, encode, with_owner=with_owner)
    return xml_response(root)


def _limit(call: Call) -> int:
    return call.number("max-keys", call.limits.default_max_keys, 1, call.limits.max_listed)


def _page(call: Call, after: str, limit: int) -> Page:
    bucket = call.require_bucket()
    keys = call.store.keys(bucket.name)
    prefix, delimiter = call.request.parameter("prefix"), call.request.parameter("delimiter")
    start = bisect_right(keys, after) if after else 0
    return page(keys, start=start, prefix=prefix, delimiter=delimiter, after=after, limit=limit)


def _add_entries(call: Call, root: Element, found: Page, encode: Callable[[str], str], *, with_owner: bool) -> None:
    for entry in found.entries:
        if entry.position is None:
            continue
        record = require_object(call.store, call.target.bucket, entry.name)
        element = SubElement(root, "Contents")
        add(
            element,
            Key=encode(record.key),
            LastModified=xml_date(record.modified_at),
            ETag=f'"{record.etag}"',
            Type=record.kind,
            Size=record.size,
            StorageClass=record.metadata.storage_class,
        )
        if with_owner:
            add_owner(element)
    for entry in found.entries:
        if entry.position is None:
            add(SubElement(root, "CommonPrefixes"), Prefix=encode(entry.name))


def _encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode("ascii")


def _decode_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("continuation-token", token, "The continuation token is invalid.") from error
