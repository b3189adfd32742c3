"""What a finished upload hands back: the one place that builds it."""

from __future__ import annotations

from airflow_provider_oss.model import ObjectRef, Progress, StoredObject, UploadResult


def make_result(
    ref: ObjectRef,
    stored: StoredObject,
    crc64: int | None,
    progress: Progress,
    *,
    attempts: int,
    elapsed_seconds: float,
) -> UploadResult:
    """Return the result for an object whose CRC-64 was compared, and whose size is therefore known."""
    assert progress.total_bytes is not None  # noqa: S101 - what was not read to its end is not stored
    return UploadResult(
        bucket=ref.bucket,
        key=ref.key,
        uri=ref.uri,
        size=progress.total_bytes,
        etag=stored.etag,
        crc64="" if crc64 is None else str(crc64),
        version_id=stored.version_id,
        request_id=stored.request_id,
        attempts=attempts,
        resumed=progress.verified_bytes > 0,
        bytes_sent=progress.sent_bytes,
        bytes_verified=progress.verified_bytes,
        elapsed_seconds=round(elapsed_seconds, 3),
        callback_response=stored.callback_response,
    )
