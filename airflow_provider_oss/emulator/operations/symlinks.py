"""Symbolic links: objects that stand for another object of their bucket."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.metadata import is_public, read_metadata
from airflow_provider_oss.emulator.operations.call import check_key, version_headers
from airflow_provider_oss.emulator.operations.writes import check_overwrite
from airflow_provider_oss.emulator.state.records import ObjectRecord
from airflow_provider_oss.emulator.wire.http import Response, decode_percent, encode_percent

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call

_KIND: Final = "Symlink"
_TARGET: Final = "x-oss-symlink-target"


async def put_symlink(call: Call) -> Response:
    """Make a link; whether there is such an object is of interest only to those who read it."""
    await call.body.drain()
    bucket = call.require_bucket()
    target = decode_percent(call.request.header(_TARGET).encode("latin-1"))
    if not target:
        raise OSSError("MissingArgument", extra={"ArgumentName": _TARGET})
    check_key(target, call.limits)
    metadata = read_metadata(call.request, bucket, call.limits)
    check_overwrite(call)
    digest = hashlib.md5(target.encode(), usedforsecurity=False).hexdigest().upper()
    link = ObjectRecord(
        bucket.name, call.target.key, 0, digest, 0, _KIND, call.now(), (), metadata, symlink_target=target
    )
    record = call.store.put_object(link)
    return Response(headers={"ETag": f'"{digest}"', **version_headers(bucket, record)})


async def get_symlink(call: Call) -> Response:
    """Answer which object a link stands for."""
    record = call.require_object()
    if not record.symlink_target:
        raise OSSError("NotSymlink", extra={"Key": record.key})
    headers = {
        _TARGET: encode_percent(record.symlink_target),
        "ETag": f'"{record.etag}"',
        **version_headers(call.require_bucket(), record),
    }
    return Response(headers=headers)


def followed(call: Call, record: ObjectRecord) -> ObjectRecord:
    """
    Return what a reader of the object gets: the object itself, or the bytes of a link's target as the link's.

    Of the target are size, checksums and storage class, of the link its metadata; the later time counts. The sender
    needs to be allowed to read both. Raises OSSError 404 SymlinkTargetNotExist, 400 InvalidTargetType for a link to a
    link, 403 AccessDenied.
    """
    if not record.symlink_target:
        return record
    target = call.store.object(record.bucket, record.symlink_target)
    if target is None:
        raise OSSError("SymlinkTargetNotExist", extra={"Key": record.symlink_target})
    if target.symlink_target:
        raise OSSError("InvalidTargetType", extra={"Key": record.symlink_target})
    call.require_permission("oss:GetObject", target.bucket, target.key)
    if not call.is_owner and not is_public(call.require_bucket(), target):
        raise OSSError("AccessDenied", "Anonymous user has no right to access this object.")
    return replace(
        target,
        key=record.key,
        kind=record.kind,
        modified_at=max(record.modified_at, target.modified_at),
        metadata=replace(record.metadata, storage_class=target.metadata.storage_class),
        version_id=record.version_id,
    )
