"""Objects: get, head, metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator import conditions
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.metadata import ARCHIVED, response_headers, traffic_limit_bytes_per_second
from airflow_provider_oss.emulator.operations.call import version_headers
from airflow_provider_oss.emulator.operations.compression import compressed_if_asked
from airflow_provider_oss.emulator.operations.symlinks import followed
from airflow_provider_oss.emulator.ranges import read_range
from airflow_provider_oss.emulator.wire.dates import http_date
from airflow_provider_oss.emulator.wire.http import Payload, Response, header_text

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.operations.call import Call
    from airflow_provider_oss.emulator.state.records import ObjectRecord

_OVERRIDES: Final = (
    "Content-Type",
    "Content-Language",
    "Cache-Control",
    "Content-Encoding",
    "Content-Disposition",
    "Expires",
)


async def get_object(call: Call) -> Response:
    """Answer an object or a range of it."""
    record = followed(call, call.require_object())
    conditions.check(call.request, record)
    if record.metadata.storage_class in ARCHIVED:
        raise OSSError("InvalidObjectState", extra={"Key": record.key})
    rate = traffic_limit_bytes_per_second(call.request, call.limits)
    response = _object_response(call, record)
    return compressed_if_asked(call.request, replace(response, rate_bytes_per_second=rate))


async def head_object(call: Call) -> Response:
    """Answer what GetObject would, without the body."""
    record = followed(call, call.require_object())
    conditions.check(call.request, record)
    return compressed_if_asked(call.request, _object_response(call, record))


async def get_object_meta(call: Call) -> Response:
    """
    Answer the few properties that cost OSS nothing: no Content-Type, no user metadata, and no body to a GET either.

    Of old this was a GET, and the Content-Length is the object's size all the same.
    """
    record = call.require_object()
    headers = {
        "ETag": f'"{record.etag}"',
        "Last-Modified": http_date(record.modified_at),
        "x-oss-hash-crc64ecma": str(record.crc64),
        **version_headers(call.require_bucket(), record),
    }
    return Response(200, headers, Payload(record.segments, 0, record.size), is_head_only=True)


def _object_response(call: Call, record: ObjectRecord) -> Response:
    headers = {
        "ETag": f'"{record.etag}"',
        "Last-Modified": http_date(record.modified_at),
        "Accept-Ranges": "bytes",
        "x-oss-object-type": record.kind,
        "x-oss-hash-crc64ecma": str(record.crc64),
        **({"Content-MD5": record.md5_base64} if record.md5_base64 else {}),
        **({"x-oss-next-append-position": str(record.size)} if record.kind == "Appendable" else {}),
        **response_headers(record.metadata),
        **version_headers(call.require_bucket(), record),
        **_overrides(call),
    }
    standard = call.request.header("x-oss-range-behavior").lower() == "standard"
    part = read_range(call.request.header("range"), record.size, standard=standard)
    if part is None:
        return Response(200, headers, Payload(record.segments, 0, record.size))
    headers["Content-Range"] = part.content_range(record.size)
    return Response(206, headers, Payload(record.segments, part.offset, part.length))


def _overrides(call: Call) -> dict[str, str]:
    """Return the ``response-*`` parameters. An anonymous request may not use them. Raises OSSError 400 then."""
    wanted = {name: call.request.parameter(f"response-{name.lower()}") for name in _OVERRIDES}
    headers = {name: value for name, value in wanted.items() if value}
    if headers and not call.is_owner:
        raise OSSError("InvalidArgument", "Request specific response headers cannot be used for anonymous requests.")
    if not all(value.isprintable() for value in headers.values()):
        raise OSSError("InvalidArgument", "A response header must not contain control characters.")
    return {name: header_text(value) for name, value in headers.items()}
