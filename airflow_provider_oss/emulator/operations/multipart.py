"""Multipart uploads: initiate, upload a part, list, abort. ``complete.py`` has the rest."""

from __future__ import annotations

import asyncio
import re
import secrets
from bisect import bisect_right
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator.checksums import base64_text
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.metadata import (
    client_encryption,
    read_metadata,
    refuse_encryption,
    traffic_limit_bytes_per_second,
)
from airflow_provider_oss.emulator.operations.writes import check_overwrite, copied_version_headers, read_copy_source
from airflow_provider_oss.emulator.paging import page
from airflow_provider_oss.emulator.ranges import ByteRange
from airflow_provider_oss.emulator.state.records import PartRecord, UploadRecord
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, xml_response
from airflow_provider_oss.emulator.wire.xml import add, document

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.state.blobs import StoredBody
    from airflow_provider_oss.emulator.state.store import Store, Upload

_PART_WITHOUT_UPLOAD: Final = "0017-00000244"
"""The EC of NoSuchUpload on a part; the other calls have another one."""
_COPY_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)", re.ASCII)


async def initiate_multipart_upload(call: Call) -> Response:
    """Begin an upload: a new id every time."""
    await call.body.drain()
    bucket = call.require_bucket()
    encode = call.encoder()
    metadata = read_metadata(call.request, bucket, call.limits)
    check_overwrite(call)
    upload_id = secrets.token_hex(16).upper()
    call.store.create_upload(UploadRecord(call.target.bucket, call.target.key, upload_id, call.now(), metadata))
    root = document(
        "InitiateMultipartUploadResult",
        EncodingType=call.encoding_type(),
        Bucket=call.target.bucket,
        Key=encode(call.target.key),
        UploadId=upload_id,
    )
    return xml_response(root, dict(metadata.encryption))


async def upload_part(call: Call) -> Response:
    """Store a part, replacing one of that number."""
    number = _part_number(call)
    refuse_encryption(call.request)
    upload = require_upload(call)
    rate = traffic_limit_bytes_per_second(call.request, call.limits)
    stored = await call.body.store(call.store.blobs, call.limits.max_part_size_bytes, rate)
    part = _commit_part(call, number, stored)
    headers = {
        "ETag": f'"{part.etag}"',
        "x-oss-hash-crc64ecma": str(part.crc64),
        "Content-MD5": base64_text(stored.md5),
        **dict(upload.record.metadata.encryption),
    }
    return Response(headers=headers)


async def upload_part_copy(call: Call) -> Response:
    """Store a part that is a range of an object."""
    await call.body.drain()
    number = _part_number(call)
    require_upload(call)
    source = read_copy_source(call)
    wanted = _copy_range(call, source.size)
    if wanted.length > call.limits.max_part_size_bytes:
        raise OSSError("EntityTooLarge", extra={"MaxSizeAllowed": str(call.limits.max_part_size_bytes)})
    with call.store.blobs.pinned(source.segments):
        stored = await asyncio.to_thread(call.store.blobs.copy, source.segments, wanted.offset, wanted.length)
    part = _commit_part(call, number, stored)
    etag = f'"{part.etag}"'
    root = document("CopyPartResult", LastModified=xml_date(part.modified_at), ETag=etag)
    headers = {
        "ETag": etag,
        "Content-Range": wanted.content_range(source.size),
        **copied_version_headers(call, source),
    }
    return xml_response(root, headers)


async def list_parts(call: Call) -> Response:
    """List the parts of an upload in ascending order."""
    encode = call.encoder()
    upload = require_upload(call)
    limit = call.number("max-parts", call.limits.max_listed, 1, call.limits.max_listed)
    marker = call.number("part-number-marker", 0, 0, 2**31 - 1)
    numbers = upload.numbers
    start = bisect_right(numbers, marker)
    shown = numbers[start : start + limit]
    root = document(
        "ListPartsResult",
        EncodingType=call.encoding_type(),
        Bucket=call.target.bucket,
        Key=encode(call.target.key),
        UploadId=upload.record.upload_id,
        StorageClass=upload.record.metadata.storage_class,
        **client_encryption(upload.record.metadata.user),
        PartNumberMarker=marker,
        NextPartNumberMarker=shown[-1] if shown else marker,
        MaxParts=limit,
        IsTruncated=str(start + limit < len(numbers)).lower(),
    )
    for number in shown:
        part = upload.parts[number]
        add(
            SubElement(root, "Part"),
            PartNumber=number,
            LastModified=xml_date(part.modified_at),
            ETag=f'"{part.etag}"',
            HashCrc64ecma=part.crc64,
            Size=part.size,
        )
    return xml_response(root)


async def list_multipart_uploads(call: Call) -> Response:
    """List the unfinished uploads of a bucket by key, then by id."""
    bucket = call.require_bucket()
    encode = call.encoder()
    ask = call.request.parameter
    prefix, delimiter, key_marker = ask("prefix"), ask("delimiter"), ask("key-marker")
    id_marker = ask("upload-id-marker") if key_marker else ""
    limit = call.number("max-uploads", call.limits.max_listed, 1, call.limits.max_listed)
    uploads = call.store.uploads(bucket.name)
    names = [key for key, _ in uploads]
    start = bisect_right(uploads, (key_marker, id_marker)) if id_marker else bisect_right(names, key_marker)
    found = page(
        names, start=start if key_marker else 0, prefix=prefix, delimiter=delimiter, after=key_marker, limit=limit
    )
    last = found.entries[-1] if found.entries else None
    last_id = uploads[last.position][1] if last is not None and last.position is not None else ""
    root = document(
        "ListMultipartUploadsResult",
        EncodingType=call.encoding_type(),
        Bucket=bucket.name,
        KeyMarker=encode(key_marker),
        UploadIdMarker=id_marker,
        NextKeyMarker=encode(last.name) if last else "",
        NextUploadIdMarker=last_id,
        Delimiter=encode(delimiter),
        Prefix=encode(prefix),
        MaxUploads=limit,
        IsTruncated=str(found.truncated).lower(),
    )
    for entry in found.entries:
        if entry.position is None:
            add(SubElement(root, "CommonPrefixes"), Prefix=encode(entry.name))
            continue
        record = call.store.upload_by_id(bucket.name, uploads[entry.position][1])
        add(
            SubElement(root, "Upload"),
            Key=encode(record.key),
            UploadId=record.upload_id,
            StorageClass=record.metadata.storage_class,
            Initiated=xml_date(record.initiated_at),
        )
    return xml_response(root)


async def abort_multipart_upload(call: Call) -> Response:
    """End an upload and drop its parts; a part that is in flight finds no upload any more."""
    await end_upload(call.store, require_upload(call))
    return Response(204)


async def end_upload(store: Store, upload: Upload) -> None:
    """Drop an upload with its parts, for good from the first moment on."""
    store.withdraw_upload(upload)
    store.forget_upload(upload)
    await asyncio.to_thread(store.clear_upload, upload)


def require_upload(call: Call) -> Upload:
    """
    Return the upload of the request. Raises OSSError 404 NoSuchUpload, or what ``require_bucket`` raises.

    To be asked again after anything that was awaited: the upload may have ended.
    """
    call.require_bucket()
    upload_id = call.request.parameter("uploadId")
    upload = call.store.upload(call.target.bucket, call.target.key, upload_id)
    if upload is None:
        ec = _PART_WITHOUT_UPLOAD if call.request.has_parameter("partNumber") else None
        raise OSSError("NoSuchUpload", ec=ec, extra={"UploadId": upload_id})
    return upload


def _part_number(call: Call) -> int:
    text = call.request.parameter("partNumber")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= call.limits.max_parts):
        message = f"Part number must be an integer between 1 and {call.limits.max_parts}, inclusive."
        raise invalid_argument("partNumber", text, message)
    return int(text)


def _commit_part(call: Call, number: int, stored: StoredBody) -> PartRecord:
    try:
        upload = require_upload(call)
    except OSSError:
        call.store.blobs.discard([stored.segment])
        raise
    part = PartRecord(number, stored.segment, stored.etag, stored.crc64, call.now())
    call.store.put_part(upload, part)
    return part


def _copy_range(call: Call, size: int) -> ByteRange:
    text = call.request.headers.get("x-oss-copy-source-range")
    if text is None:
        return ByteRange(0, size)
    match = _COPY_RANGE.fullmatch(text.strip())
    first = int(match[1]) if match else size
    last = int(match[2]) if match and match[2] else size - 1
    if match is None or not first <= last < size:
        raise invalid_argument("x-oss-copy-source-range", text, "The range of the copy source is invalid.")
    return ByteRange(first, last - first + 1)
