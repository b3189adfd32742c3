"""What OSS answers, and what its answers to writes say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from airflow_provider_oss.clients.headers import crc64_of
from airflow_provider_oss.exceptions import ErrorDetails, OSSCallbackFailed, OSSChecksumMismatch
from airflow_provider_oss.model import ObjectOptions, StoredObject

_CALLBACK_FAILED_STATUS: Final = 203


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has been read to its end."""

    status: int
    headers: Mapping[str, str]
    """Whose names are looked up in any case."""
    body: bytes


def stored_object(
    answer: Answer, options: ObjectOptions, details: ErrorDetails, size_bytes: int | None = None
) -> StoredObject:
    """
    Return what the answer to PutObject or CompleteMultipartUpload says.

    With a callback the answer's body is the application's answer, or the reason why there is none: OSSCallbackFailed.
    """
    response = None
    if options.callback is not None:
        if answer.status == _CALLBACK_FAILED_STATUS:
            raise OSSCallbackFailed(
                f"the object is stored, but the callback to {options.callback.url} failed: {_message_of(answer.body)}",
                details,
            )
        response = _json_or_text(answer.body)
    headers = answer.headers
    return StoredObject(
        etag=headers.get("etag", "").strip('"'),
        crc64=crc64_of(headers),
        size_bytes=size_bytes,
        version_id=headers.get("x-oss-version-id"),
        request_id=headers.get("x-oss-request-id"),
        callback_response=response,
    )


def compare_crc64(received: int | None, sent: int, details: ErrorDetails) -> None:
    """Raise OSSChecksumMismatch when OSS tells a CRC-64 and it is not that of what was sent."""
    if received is not None and received != sent:
        raise OSSChecksumMismatch(f"OSS received other bytes than were sent: CRC-64 {received} for {sent}", details)


def _message_of(body: bytes) -> str:
    return ET.fromstring(body).findtext("Message") or "no reason given"  # noqa: S314 - expat limits entity expansion


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
