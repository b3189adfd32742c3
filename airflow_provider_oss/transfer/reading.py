"""An answer's whole body in memory: all that was asked for, or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse, OSSChecksumMismatch
from airflow_provider_oss.model import ObjectInfo


class ReadableBody(Protocol):
    """An object, or a range of one, being read."""

    info: ObjectInfo

    def read(self) -> bytes:
        """Return all that is left."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


def read_whole(open_body: Callable[[], ReadableBody]) -> bytes:
    """
    Return all bytes of the body that ``open_body`` opens.

    Raises OSSBadResponse when fewer arrive than were announced, and OSSChecksumMismatch when a whole object has another
    CRC-64 than OSS says; of a range there is none to compare with.
    """
    with open_body() as body:
        data, info = body.read(), body.info
    details = ErrorDetails(info.ref.bucket, info.ref.key)
    if len(data) != info.size_bytes:
        raise OSSBadResponse(f"{len(data)} bytes of {info.size_bytes} arrived", details)
    is_range = "content-range" in info.headers
    if not is_range and info.crc64 is not None and (crc := crc64(data)) != info.crc64:
        raise OSSChecksumMismatch(f"what arrived has the CRC-64 {crc}, the object {info.crc64}", details)
    return data
