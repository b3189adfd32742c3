"""Objects: put, append, copy, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import SubElement

from airflow_provider_oss.emulator import conditions
from airflow_provider_oss.emulator.callback import answer_through_callback, read_callback
from airflow_provider_oss.emulator.checksums import append_etag, base64_text, combine_crc64
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument, not_implemented
from airflow_provider_oss.emulator.metadata import (
    ARCHIVED,
    forbids_overwrite,
    parse_tagging_header,
    read_metadata,
    traffic_limit_bytes_per_second,
)
from airflow_provider_oss.emulator.operations.call import Call, check_key, require_bucket, require_object
from airflow_provider_oss.emulator.state.records import Metadata, ObjectRecord
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, decode_percent, encode_percent, xml_response
from airflow_provider_oss.emulator.wire.xml import add, document, parse, text_of

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.state.blobs import StoredBody


async def put_object(call: Call) -> Response:
    """Store an object."""
    bucket = call.require_bucket()
    metadata = read_metadata(call.request, bucket, call.limits)
    callback = read_callback(call.request, call.limits)
    check_overwrite(call)
    stored = await _receive(call, call.limits.max_put_size_bytes)
    try:
        call.require_bucket()
        check_overwrite(call)
    except OSSError:
        call.store.blobs.discard([stored.segment])
        raise
    record = ObjectRecord(
        call.target.bucket,
        call.target.key,
        stored.segment.size,
        stored.etag,
        stored.crc64,
        "Normal",
        call.now(),
        (stored.segment,),
        metadata,
        base64_text(stored.md5),
    )
    call.store.put_object(record)
    headers = {
        "ETag": f'"{record.etag}"',
        "x-oss-hash-crc64ecma": str(record.crc64),
        "Content-MD5": record.md5_base64,
        **dict(metadata.encryption),
    }
    return await answer_through_callback(callback, record, Response(headers=headers), call.limits)


async def append_object(call: Call) -> Response:
    """Append to an appendable object, or begin one; what later appends say of the object is ignored."""
    bucket = call.require_bucket()
    position = _read_position(call)
    begun = _check_appendable(call, position)
    metadata = begun.metadata if begun else read_metadata(call.request, bucket, call.limits)
    stored = await _receive(call, call.limits.max_put_size_bytes - position)
    try:
        call.require_bucket()
        existing = _check_appendable(call, position)
    except OSSError:
        call.store.blobs.discard([stored.segment])
        raise
    record = _appended(call, existing, metadata, stored)
    call.store.put_object(record)
    headers = {
        "ETag": f'"{record.etag}"',
        "x-oss-hash-crc64ecma": str(record.crc64),
        "x-oss-next-append-position": str(record.size),
        **dict(record.metadata.encryption),
    }
    return Response(headers=headers)


async def copy_object(call: Call) -> Response:
    """Copy an object; the copy shares the bytes on disk, so that its size costs nothing."""
    await call.body.drain()
    bucket = call.require_bucket()
    source = read_copy_source(call)
    given = read_metadata(call.request, bucket, call.limits)
    check_overwrite(call)
    if source.size > call.limits.max_copy_size_bytes:
        raise OSSError("EntityTooLarge", extra={"MaxSizeAllowed": str(call.limits.max_copy_size_bytes)})
    record = replace(
        source,
        bucket=call.target.bucket,
        key=call.target.key,
        kind="Normal",
        modified_at=call.now(),
        metadata=_copied_metadata(call, source, given),
        segments=tuple(call.store.blobs.link(segment) for segment in source.segments),
        upload_id="",
    )
    call.store.put_object(record)
    etag = f'"{record.etag}"'
    root = document("CopyObjectResult", ETag=etag, LastModified=xml_date(record.modified_at))
    headers = {"ETag": etag, "x-oss-hash-crc64ecma": str(record.crc64), **dict(record.metadata.encryption)}
    return xml_response(root, headers)


async def delete_object(call: Call) -> Response:
    """Remove an object; one that is absent is 204 as well."""
    bucket = call.require_bucket()
    call.store.delete_object(bucket.name, call.target.key)
    return Response(204)


async def delete_multiple_objects(call: Call) -> Response:
    """Remove up to 1000 objects; all of them are reported, absent ones too, unless the client wants it quiet."""
    call.require_bucket()
    encode = call.encoder()
    if "content-md5" not in call.request.headers:
        raise OSSError("MissingArgument", ec="0016-00000606", extra={"ArgumentName": "Content-MD5"})
    if "content-length" not in call.request.headers:
        raise OSSError("MissingContentLength")
    keys, quiet = _read_deletions(
        await call.body.document(call.limits.max_delete_body_bytes), call.limits.max_deleted_keys
    )
    bucket = call.require_bucket()
    for key in keys:
        check_key(key, call.limits)
        call.require_permission("oss:DeleteObject", bucket.name, key)
    for key in keys:
        call.store.delete_object(bucket.name, key)
    if quiet:
        return Response()
    root = document("DeleteResult", EncodingType=call.encoding_type())
    for key in keys:
        add(SubElement(root, "Deleted"), Key=encode(key))
    return xml_response(root)


def check_overwrite(call: Call) -> None:
    """Raise OSSError 409 FileAlreadyExists when the request forbids to replace an object that is there."""
    if forbids_overwrite(call.request) and call.store.object(call.target.bucket, call.target.key) is not None:
        raise OSSError("FileAlreadyExists", extra={"Key": call.target.key})


def read_copy_source(call: Call) -> ObjectRecord:
    """Return the source of a copy, its conditions checked. Raises OSSError, or NotModifiedError."""
    text = call.request.header("x-oss-copy-source").removeprefix("/")
    path, _, query = text.partition("?")
    bucket, _, raw_key = path.partition("/")
    key = decode_percent(raw_key.encode("latin-1"))
    if query:
        raise not_implemented("The version of a copy source")
    if not bucket or not key:
        raise invalid_argument("x-oss-copy-source", encode_percent(text, safe="/"), "The copy source is invalid.")
    call.require_permission("oss:GetObject", bucket, key)
    require_bucket(call.store, bucket)
    source = require_object(call.store, bucket, key)
    conditions.check(call.request, source, conditions.COPY_SOURCE_PREFIX)
    if source.metadata.storage_class in ARCHIVED:
        raise OSSError("InvalidObjectState", extra={"Key": key})
    return source


async def _receive(call: Call, max_bytes: int) -> StoredBody:
    rate = traffic_limit_bytes_per_second(call.request, call.limits)
    return await call.body.store(call.store.blobs, max_bytes, rate)


def _read_position(call: Call) -> int:
    text = call.request.parameter("position")
    if not (text.isascii() and text.isdigit()):
        raise invalid_argument("position", text, "The position of an append must be a whole number.")
    return int(text)


def _check_appendable(call: Call, position: int) -> ObjectRecord | None:
    """Return the object to append to, None when there is none."""
    existing = call.store.object(call.target.bucket, call.target.key)
    if existing is not None and existing.kind != "Appendable":
        raise OSSError("ObjectNotAppendable", extra={"Key": call.target.key})
    length = existing.size if existing else 0
    if position != length:
        raise OSSError("PositionNotEqualToLength", headers={"x-oss-next-append-position": str(length)})
    return existing


def _appended(call: Call, existing: ObjectRecord | None, metadata: Metadata, stored: StoredBody) -> ObjectRecord:
    crc64 = combine_crc64([(existing.crc64 if existing else 0, 0), (stored.crc64, stored.segment.size)])
    return ObjectRecord(
        call.target.bucket,
        call.target.key,
        (existing.size if existing else 0) + stored.segment.size,
        append_etag(crc64),
        crc64,
        "Appendable",
        call.now(),
        (*(existing.segments if existing else ()), stored.segment),
        existing.metadata if existing else metadata,
    )


def _copied_metadata(call: Call, source: ObjectRecord, given: Metadata) -> Metadata:
    """Return what a copy keeps of its source and what it takes from the request."""
    if not _directive(call, "x-oss-metadata-directive"):
        kept = replace(source.metadata, storage_class=given.storage_class, encryption=given.encryption)
    elif "content-type" in call.request.headers:
        kept = given
    else:
        kept = replace(given, content_type=source.metadata.content_type)
    replace_tags = _directive(call, "x-oss-tagging-directive")
    tags = (
        parse_tagging_header(call.request.header("x-oss-tagging"), call.limits)
        if replace_tags
        else source.metadata.tags
    )
    return replace(kept, acl=given.acl, tags=tags)


def _directive(call: Call, name: str) -> bool:
    """Whether the directive says to replace. Raises OSSError 400 for an unknown one."""
    text = call.request.header(name, "COPY").upper()
    if text not in ("COPY", "REPLACE"):
        raise invalid_argument(name, text)
    return text == "REPLACE"


def _read_deletions(body: bytes, max_keys: int) -> tuple[list[str], bool]:
    root = parse(body, "Delete")
    keys = []
    for element in root.iterfind("Object"):
        if text_of(element, "VersionId"):
            raise not_implemented("Versioning")
        key = text_of(element, "Key")
        if key is None:
            raise OSSError("MalformedXML", ec="0016-00000607")
        keys.append(key)
    if not keys or len(keys) > max_keys:
        raise OSSError("MalformedXML", ec="0016-00000615")
    return keys, (text_of(root, "Quiet") or "").lower() == "true"
