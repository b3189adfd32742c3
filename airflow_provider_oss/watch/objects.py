"""Objects as they were found. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse
from airflow_provider_oss.model import ListedObject, ObjectInfo


@dataclass(frozen=True, slots=True)
class FoundObject:
    """
    An object that is there.

    ``size`` in bytes, ``etag`` without quotes, ``last_modified`` with time zone (UTC, by OSS's clock);
    ``storage_class`` is None where OSS does not tell it.
    """

    uri: str
    bucket: str
    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str | None


def listed(entry: ListedObject) -> FoundObject:
    """Return what an entry of a listing tells."""
    ref, when = entry.ref, datetime.fromtimestamp(entry.last_modified, UTC)
    return FoundObject(ref.uri, ref.bucket, ref.key, entry.size_bytes, entry.etag, when, entry.storage_class)


def described(info: ObjectInfo) -> FoundObject:
    """Return what HeadObject tells. Raises OSSBadResponse when it does not tell the time of the last change."""
    ref = info.ref
    try:
        when = parsedate_to_datetime(info.last_modified or "").astimezone(UTC)
    except ValueError as error:
        raise OSSBadResponse(
            f"the answer has Last-Modified {info.last_modified!r}, which is no date", ErrorDetails(ref.bucket, ref.key)
        ) from error
    return FoundObject(ref.uri, ref.bucket, ref.key, info.size_bytes, info.etag, when, info.storage_class)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    A set of objects, in a hundred bytes however many they are.

    Two sets have the same digest when they have the same objects in the same order: key, size, ETag and time of the
    last change.
    """

    digest: str
    objects: int
    size: int
    """Bytes of all objects."""


def snapshot(found: Iterable[FoundObject]) -> Snapshot:
    """Return what identifies these objects."""
    digest, count, size = hashlib.blake2b(digest_size=16), 0, 0
    for one in found:
        # No key has a NUL, which therefore ends it
        digest.update(f"{one.uri}\0{one.size} {one.etag} {one.last_modified.timestamp()}\0".encode())
        count, size = count + 1, size + one.size
    return Snapshot(digest.hexdigest(), count, size)
