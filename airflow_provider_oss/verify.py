"""Is what OSS holds the same as the source's bytes? The one home of that rule. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from airflow_provider_oss.crc64 import EMPTY, combine
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import CompletedPart, StoredPart
from airflow_provider_oss.ports import Body

_MD5: Final = re.compile(r"[0-9A-Fa-f]{32}")


def proven_etag(stored: StoredPart, data: Body, data_crc64: int) -> str | None:
    """
    Return the ETag under which OSS holds exactly ``data``, or None when that is not proven.

    OSS lists the CRC-64 of a part; where a server does not, the part's ETag is the MD5 of its bytes. A part that is
    only believed to be stored (its ETag is unknown) yields the ETag it must have: Complete refuses any other.
    """
    if stored.size_bytes != len(data):
        return None
    if stored.crc64 is not None:
        return stored.etag if stored.crc64 == data_crc64 else None
    expected = md5_etag(data)
    if stored.etag is None:
        return expected
    matches = _MD5.fullmatch(stored.etag) and stored.etag.upper() == expected
    return stored.etag if matches else None


def md5_etag(data: Body) -> str:
    """Return the ETag that OSS gives to a part of these bytes: their MD5 in upper-case hexadecimal digits."""
    return _md5(data).hex().upper()


def content_md5(body: Body) -> str:
    """Return the Content-MD5 header for a body: OSS refuses a request whose body arrived otherwise (InvalidDigest)."""
    return base64.b64encode(_md5(body)).decode()


def _md5(body: Body) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for block in body.blocks() if isinstance(body, FileRange) else (body,):
        digest.update(block)
    return digest.digest()


def combined_crc64(parts: Iterable[CompletedPart]) -> int:
    """Return the CRC-64 of the object that these parts, in order of their numbers, make up. All must have theirs."""
    crc = EMPTY
    for part in sorted(parts, key=lambda part: part.number):
        assert part.crc64 is not None  # noqa: S101 - only a copy has parts without, and is never combined
        crc = combine(crc, part.crc64, part.size_bytes)
    return crc
