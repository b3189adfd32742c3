"""Objects: put, append, copy. ``deletes.py`` has the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator import conditions
from airflow_provider_oss.emulator.callback import answer_through_callback, read_callback
from airflow_provider_oss.emulator.checksums import append_etag, base64_text, combine_crc64
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.metadata import (
    ARCHIVED,
    forbids_overwrite,
    parse_tagging_header,
    read_metadata,
    traffic_limit_bytes_per_second,
    with_client_encryption,
)
from airflow_provider_oss.emulator.operations.call import (
    NULL_VERSION,
    Call,
    parse_version_id,
    require_bucket,
    require_object,
    version_headers,
)
from airflow_provider_oss.emulator.state.records import Metadata, ObjectRecord
from airflow_provider_oss.emulator.wire.dates import xml_date
from airflow_provider_oss.emulator.wire.http import Response, decode_percent, encode_percent, parse_query, xml_response
from airflow_provider_oss.emulator.wire.xml import document

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
    written = ObjectRecord(
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
    record = call.store.put_object(written)
    headers = {
        "ETag": f'"{record.etag}"',
        "x-oss-hash-crc64ecma": str(record.crc64),
        "Content-MD5": record.md5_base64,
        **dict(metadata.encryption),
        **version_headers(call.require_bucket(), record),
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
    if existing is None:
        record = call.store.put_object(record)
    else:
        call.store.update_object(record)
    headers = {
        "ETag": f'"{record.etag}"',
        "x-oss-hash-crc64ecma": str(record.crc64),
        "x-oss-next-append-position": str(record.size),
        **dict(record.metadata.encryption),
        **version_headers(call.require_bucket(), record),
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
    copied = replace(
        source,
        bucket=call.target.bucket,
        key=call.target.key,
        kind=source.kind if source.symlink_target else "Normal",
        modified_at=call.now(),
        metadata=_copied_metadata(call, source, given),
        segments=tuple(call.store.blobs.link(segment) for segment in source.segments),
        upload_id="",
    )
    record = call.store.put_object(copied)
    etag = f'"{record.etag}"'
    root = document("CopyObjectResult", ETag=etag, LastModified=xml_date(record.modified_at))
    headers = {
        "ETag": etag,
        "x-oss-hash-crc64ecma": str(record.crc64),
        **dict(record.metadata.encryption),
        **copied_version_headers(call, source),
        **version_headers(bucket, record),
    }
    return xml_response(root, headers)


def check_overwrite(call: Call) -> None:
    """
    Raise OSSError 409 FileAlreadyExists when the request forbids to replace an object that is there.

    Where versioning is or was on nothing is replaced, and nothing can be forbidden.
    """
    forbids = forbids_overwrite(call.request) and not call.require_bucket().versioning
    if forbids and call.store.object(call.target.bucket, call.target.key) is not None:
        raise OSSError("FileAlreadyExists", extra={"Key": call.target.key})


def read_copy_source(call: Call) -> ObjectRecord:
    """Return the source of a copy, its conditions checked. Raises OSSError, or NotModifiedError."""
    text = call.request.header("x-oss-copy-source").removeprefix("/")
    path, _, query = text.partition("?")
    bucket, _, raw_key = path.partition("/")
    key = decode_percent(raw_key.encode("latin-1"))
    version_ids = [value for name, value in parse_query(query.encode("latin-1")) if name == "versionId"]
    version_id = parse_version_id(version_ids[0]) if version_ids else None
    if not bucket or not key:
        raise invalid_argument("x-oss-copy-source", encode_percent(text, safe="/"), "The copy source is invalid.")
    call.require_permission("oss:GetObject" if version_id is None else "oss:GetObjectVersion", bucket, key)
    require_bucket(call.store, bucket)
    source = require_object(call.store, bucket, key, version_id)
    conditions.check(call.request, source, conditions.COPY_SOURCE_PREFIX)
    if source.metadata.storage_class in ARCHIVED:
        raise OSSError("InvalidObjectState", extra={"Key": key})
    return source


def copied_version_headers(call: Call, source: ObjectRecord) -> dict[str, str]:
    """Return the header that names the version of a copy's source: where versioning is or was on."""
    is_named = require_bucket(call.store, source.bucket).versioning
    return {"x-oss-copy-source-version-id": source.version_id or NULL_VERSION} if is_named else {}


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
        version_id=existing.version_id if existing else "",
        sequence=existing.sequence if existing else 0,
    )


def _copied_metadata(call: Call, source: ObjectRecord, given: Metadata) -> Metadata:
    """Return what a copy keeps of its source and what it takes from the request."""
    if not _directive(call, "x-oss-metadata-directive"):
        kept = replace(source.metadata, storage_class=given.storage_class, encryption=given.encryption)
    else:
        has_type = "content-type" in call.request.headers
        kept = replace(
            given,
            content_type=given.content_type if has_type else source.metadata.content_type,
            user=with_client_encryption(given.user, source.metadata.user),
        )
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
