"""CompleteMultipartUpload: from parts to an object, without copying a byte."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.callback import answer_through_callback, read_callback
from airflow_provider_oss.emulator.checksums import combine_crc64, multipart_etag
from airflow_provider_oss.emulator.errors import OSSError, invalid_argument
from airflow_provider_oss.emulator.metadata import read_object_acl, refuse_encryption
from airflow_provider_oss.emulator.operations.call import version_headers
from airflow_provider_oss.emulator.operations.multipart import require_upload
from airflow_provider_oss.emulator.operations.writes import check_overwrite
from airflow_provider_oss.emulator.state.records import ObjectRecord, PartRecord
from airflow_provider_oss.emulator.wire.http import Response, encode_percent, xml_response
from airflow_provider_oss.emulator.wire.xml import document, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.state.store import Upload


@dataclass(frozen=True, slots=True)
class _Listed:
    """A part as the client lists it."""

    number: int
    etag: str


async def complete_multipart_upload(call: Call) -> Response:
    """Make the object, whole or not at all; the upload id is dead from then on."""
    encode = call.encoder()
    require_upload(call)
    refuse_encryption(call.request)
    callback = read_callback(call.request, call.limits)
    acl = read_object_acl(call.request, call.require_bucket())
    if "x-oss-storage-class" in call.request.headers:
        raise invalid_argument("x-oss-storage-class", call.request.header("x-oss-storage-class"), ec="0042-00000202")
    body = await call.body.document(call.limits.max_complete_body_bytes)
    upload = require_upload(call)
    parts = _choose_parts(call, upload, body)
    check_overwrite(call)
    record = await _finish(call, upload, parts, acl)
    etag = f'"{record.etag}"'
    root = document(
        "CompleteMultipartUploadResult",
        EncodingType=call.encoding_type(),
        Location=_location(call),
        Bucket=record.bucket,
        Key=encode(record.key),
        ETag=etag,
    )
    headers = {
        "ETag": etag,
        "x-oss-hash-crc64ecma": str(record.crc64),
        **dict(record.metadata.encryption),
        **version_headers(call.require_bucket(), record),
    }
    return await answer_through_callback(callback, record, xml_response(root, headers), call.limits)


async def _finish(call: Call, upload: Upload, parts: Sequence[PartRecord], acl: str | None) -> ObjectRecord:
    """Commit the object and clear the upload. While the checksums are computed nobody else can reach the upload."""
    call.store.withdraw_upload(upload)
    try:
        record = await asyncio.to_thread(_object_of, upload, parts, call.now())
        if acl is not None:
            record = replace(record, metadata=replace(record.metadata, acl=acl))
        check_overwrite(call)
        record = call.store.put_object(record)
    except BaseException:
        call.store.restore_upload(upload)
        raise
    call.store.forget_upload(upload)
    await asyncio.to_thread(call.store.clear_upload, upload, parts)
    return record


def _object_of(upload: Upload, parts: Sequence[PartRecord], now: float) -> ObjectRecord:
    return ObjectRecord(
        upload.record.bucket,
        upload.record.key,
        sum(part.size for part in parts),
        multipart_etag([part.etag for part in parts]),
        combine_crc64((part.crc64, part.size) for part in parts),
        "Multipart",
        now,
        tuple(part.segment for part in parts),
        upload.record.metadata,
        upload_id=upload.record.upload_id,
    )


def _choose_parts(call: Call, upload: Upload, body: bytes) -> list[PartRecord]:
    """Return the parts of the object, in order. Raises OSSError when the client's list does not fit them."""
    complete_all = call.request.headers.get("x-oss-complete-all")
    if complete_all is None:
        parts = [_matching_part(upload, listed) for listed in _read_list(body)]
    elif complete_all.lower() != "yes" or body:
        message = "The x-oss-complete-all header must be yes and the body empty."
        raise invalid_argument("x-oss-complete-all", complete_all, message, ec="0042-00000216")
    else:
        parts = [upload.parts[number] for number in upload.numbers]
        if not parts:
            raise OSSError("InvalidPart", extra={"UploadId": upload.record.upload_id})
    for part in parts[:-1]:
        if part.size < call.limits.min_part_size_bytes:
            raise OSSError(
                "EntityTooSmall",
                extra={
                    "ProposedSize": str(part.size),
                    "MinSizeAllowed": str(call.limits.min_part_size_bytes),
                    "PartNumber": str(part.number),
                },
            )
    return parts


def _read_list(body: bytes) -> list[_Listed]:
    root = parse(body, "CompleteMultipartUpload")
    listed = []
    for element in root.iterfind("Part"):
        number, etag = text_of(element, "PartNumber") or "", text_of(element, "ETag")
        if not number.strip().isdigit() or etag is None:
            raise OSSError("MalformedXML")
        listed.append(_Listed(int(number), etag.strip().strip('"').upper()))
    if not listed:
        raise OSSError("MalformedXML")
    if any(second.number <= first.number for first, second in pairwise(listed)):
        raise OSSError("InvalidPartOrder")
    return listed


def _matching_part(upload: Upload, listed: _Listed) -> PartRecord:
    part = upload.parts.get(listed.number)
    if part is None or part.etag != listed.etag:
        extra = {"PartNumber": str(listed.number), "PartEtag": listed.etag, "UploadId": upload.record.upload_id}
        raise OSSError("InvalidPart", extra=extra)
    return part


def _location(call: Call) -> str:
    host = call.request.header("host")
    key = encode_percent(call.target.key, safe="/")
    return (
        f"http://{host}/{key}"
        if host.startswith(f"{call.target.bucket}.")
        else f"http://{host}/{call.target.bucket}/{key}"
    )
