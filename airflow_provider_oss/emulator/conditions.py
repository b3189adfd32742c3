"""If-Match and its relatives, on reads and on the source of a copy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.errors import NotModifiedError, OSSError
from airflow_provider_oss.emulator.wire.dates import parse_http_date

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.state.records import ObjectRecord
    from airflow_provider_oss.emulator.wire.http import Request

COPY_SOURCE_PREFIX: Final = "x-oss-copy-source-"


def check(request: Request, record: ObjectRecord, prefix: str = "") -> None:
    """
    Hold the request's conditions against the object.

    ``prefix`` stands before the header names. A date that is none is as good as no condition. Raises OSSError 412
    PreconditionFailed, or NotModifiedError.
    """
    etags = request.headers.get(f"{prefix}if-match")
    if etags is not None and not _names(etags, record.etag):
        raise OSSError("PreconditionFailed", extra={"Condition": "If-Match"})
    since = _seconds(request.headers.get(f"{prefix}if-unmodified-since"))
    if since is not None and int(record.modified_at) > since:
        raise OSSError("PreconditionFailed", extra={"Condition": "If-Unmodified-Since"})
    etags = request.headers.get(f"{prefix}if-none-match")
    if etags is not None and _names(etags, record.etag):
        raise NotModifiedError(record.etag)
    since = _seconds(request.headers.get(f"{prefix}if-modified-since"))
    if since is not None and etags is None and int(record.modified_at) <= since:
        raise NotModifiedError(record.etag)


def _names(etags: str, etag: str) -> bool:
    wanted = [item.strip().removeprefix("W/").strip('"').upper() for item in etags.split(",")]
    return "*" in wanted or etag.upper() in wanted


def _seconds(date: str | None) -> float | None:
    """Return the moment of a condition, None when there is none or it is no date."""
    try:
        return None if date is None else parse_http_date(date)
    except ValueError:
        return None
