"""Is the object there already, and equal to the source? Asked when an answer was lost, or another was first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss.crc64 import EMPTY, crc64
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchKey
from airflow_provider_oss.model import ObjectInfo, ObjectRef, StoredObject
from airflow_provider_oss.ports import SourceReader
from airflow_provider_oss.transfer.plan import whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """What tells one content from another."""

    size_bytes: int
    crc64: int


class HeadClient(Protocol):
    """What of a client is needed to look at an object."""

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """HeadObject."""


def find_equal(
    client: HeadClient, ref: ObjectRef, read: Callable[[], Content | None], size_bytes: int | None = None
) -> StoredObject | None:
    """
    Return the object, CRC-64 included, if it is what ``read`` returns; None when missing, different or unprovable.

    Nothing is read when there is no object, or when it has another than the ``size_bytes`` that are known. An object
    that may not be looked at counts as unprovable, which is logged.
    """
    found = _look_at(client, ref)
    if found is None or (size_bytes is not None and found.size_bytes != size_bytes):
        return None
    content = read()
    if content is None or (found.size_bytes, found.crc64) != (content.size_bytes, content.crc64):
        return None
    log.info("%s: the object is there already and equal to the source", found.ref)
    return StoredObject(found.etag, found.crc64, version_id=found.version_id)


def find_equal_object(client: HeadClient, ref: ObjectRef, reader: SourceReader) -> StoredObject | None:
    """Return the object if it is equal to the source: ``find_equal``."""
    size_bytes = whole(reader).size_bytes
    return find_equal(client, ref, lambda: Content(size_bytes, source_crc64(reader)), size_bytes)


def find_equal_stream(
    client: HeadClient, ref: ObjectRef, open_stream: Callable[[], Iterator[bytes]]
) -> tuple[StoredObject, int] | None:
    """Return the object and its size if it is equal to the stream, which is read whole only when there is an object."""
    crc, size_bytes = EMPTY, 0

    def read() -> Content:
        nonlocal crc, size_bytes
        for chunk in open_stream():
            crc = crc64(chunk, crc)
            size_bytes += len(chunk)
        return Content(size_bytes, crc)

    found = find_equal(client, ref, read)
    return None if found is None else (found, size_bytes)


def _look_at(client: HeadClient, ref: ObjectRef) -> ObjectInfo | None:
    """Return the object when it is there, may be looked at and has a CRC-64."""
    try:
        found = client.head_object(ref)
    except OSSNoSuchKey:
        return None
    except OSSAccessDenied as error:
        log.warning("%s: the object cannot be looked at, so it counts as not uploaded: %s", ref, error)
        return None
    return None if found.crc64 is None else found


def source_crc64(reader: SourceReader) -> int:
    """Return the CRC-64 of the whole source. Raises OSSSourceChanged when it changes meanwhile."""
    crc = crc64(reader.data(whole(reader)))
    reader.check_unchanged()
    return crc
