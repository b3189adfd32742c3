"""Is an object there already, described as it should be? Asked before a file of several is sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchKey
from airflow_provider_oss.model import ObjectInfo, ObjectOptions, ObjectRef, UploadResult

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

log = logging.getLogger(__name__)

_DEFAULT_STORAGE_CLASS: Final = "Standard"


def look_at(hook: OSSHook, ref: ObjectRef) -> ObjectInfo | None:
    """Return the object; None when there is none. One that may not be looked at counts as none, which is logged."""
    try:
        return hook.head_object(ref.uri)
    except OSSNoSuchKey:
        return None
    except OSSAccessDenied as error:
        log.warning("%s cannot be looked at, so it counts as not stored: %s", ref, error)
        return None


def is_described_as(found: ObjectInfo, wanted: ObjectOptions) -> bool:
    """Whether the object has what is wanted of it, as far as OSS shows it here: ACL and tags it does not."""
    return (
        wanted.mime in {None, found.content_type}
        and wanted.storage_class in {None, found.storage_class or _DEFAULT_STORAGE_CLASS}
        and (not wanted.meta or dict(wanted.meta) == dict(found.meta))
        and all(found.headers.get(name.lower()) == value for name, value in wanted.headers.items())
    )


def as_result(info: ObjectInfo) -> UploadResult:
    """Return the result for an object that an earlier attempt or run has stored, and that was found equal."""
    return UploadResult(
        bucket=info.ref.bucket,
        key=info.ref.key,
        uri=info.ref.uri,
        size=info.size_bytes,
        etag=info.etag,
        crc64=str(info.crc64),
        version_id=info.version_id,
        request_id=None,
        attempts=1,
        resumed=True,
        bytes_sent=0,
        bytes_verified=info.size_bytes,
        elapsed_seconds=0.0,
    )
