"""An object to a local file: whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from airflow_provider_oss.crc64 import EMPTY, crc64
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse, OSSChecksumMismatch
from airflow_provider_oss.model import ObjectInfo


class ReadableObject(Iterable[bytes], Protocol):
    """An object being read."""

    info: ObjectInfo

    def close(self) -> None:
        """Give the connection up."""


def download(open_object: Callable[[], ReadableObject], path: Path) -> ObjectInfo:
    """
    Write the object to ``path`` and return what it is.

    It is written beside and renamed when its length and CRC-64 are right: ``path`` holds the old content or the new,
    never a part of it. Raises OSSChecksumMismatch or OSSBadResponse when what arrived is not the object.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        body = open_object()
        try:
            _write(body, temporary)
        finally:
            body.close()
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return body.info


def _write(body: ReadableObject, path: Path) -> None:
    crc, size_bytes, info = EMPTY, 0, body.info
    with path.open("xb") as file:
        for chunk in body:
            file.write(chunk)
            crc = crc64(chunk, crc)
            size_bytes += len(chunk)
    details = ErrorDetails(info.ref.bucket, info.ref.key)
    if size_bytes != info.size_bytes:
        raise OSSBadResponse(f"{size_bytes} bytes of {info.size_bytes} arrived", details)
    if info.crc64 is not None and crc != info.crc64:
        raise OSSChecksumMismatch(f"what arrived has the CRC-64 {crc}, the object {info.crc64}", details)
