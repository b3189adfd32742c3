"""
Whether an object is there already and equal to a source.

Asked when an answer was lost, or another attempt was first, and before one of several files is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

from airflow_provider_oss.cancellation import check_in_force
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES, PartPlan
from airflow_provider_oss.engine.progress import ReadingReporter, SystemClock, make_result
from airflow_provider_oss.engine.source import whole
from airflow_provider_oss.engine.workers import Promise, Tasks, left_by
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchKey
from airflow_provider_oss.model import ObjectInfo, ObjectRef, Part, Progress, StoredObject, UploadResult
from airflow_provider_oss.ports import Clock, SourceReader
from airflow_provider_oss.proof import EMPTY, Content, combine, crc64
from airflow_provider_oss.shown import Log

log = Log(__name__)

Head: TypeAlias = Callable[[ObjectRef], ObjectInfo]
"""HeadObject: of a client, or of a hook."""

_SYSTEM_CLOCK: Final = SystemClock()


def source_crc64(
    reader: SourceReader, parallel: int = 1, clock: Clock = _SYSTEM_CLOCK, span: Part | None = None
) -> int:
    """
    Return the CRC-64 of the source, or of a span of it, read by ``parallel`` threads, each with 8 MiB in memory.

    How far it is is logged from time to time. Raises OSSSourceChanged when the source changes meanwhile, and
    OSSUploadCancelled soon after what this thread obeys was requested, also while a read is waited for.
    """

    def checksum(part: Part) -> int:
        check_in_force()
        return crc64(reader.data(replace(part, offset_bytes=wanted.offset_bytes + part.offset_bytes)))

    wanted = span or whole(reader)
    reporter = ReadingReporter(reader.fingerprint.name, wanted.size_bytes, clock)
    crc = EMPTY
    begun: deque[tuple[Part, Promise[int]]] = deque()
    tasks = Tasks(parallel, "oss-source-checksum")

    def finish_first() -> int:
        part, promise = begun.popleft()
        combined = combine(crc, promise.result(check_in_force), part.size_bytes)
        reporter.read(part.size_bytes)
        return combined

    with left_by(tasks.leave):
        check_in_force()
        for part in PartPlan(wanted.size_bytes, DEFAULT_PART_SIZE_BYTES):
            begun.append((part, tasks.submit(partial(checksum, part))))
            if len(begun) > parallel:
                crc = finish_first()
        while begun:
            crc = finish_first()
    reader.check_unchanged()
    return crc


def look_at(head: Head, ref: ObjectRef) -> ObjectInfo | None:
    """Return the object; None when there is none. One that may not be looked at counts as none, which is logged."""
    try:
        return head(ref)
    except OSSNoSuchKey:
        return None
    except OSSAccessDenied as error:
        log.warning("%s cannot be looked at, so it counts as not stored: %s", ref, error)
        return None


def is_equal(found: ObjectInfo, reader: SourceReader, parallel: int = 1) -> bool:
    """
    Whether an object is the source, which is read, as ``source_crc64`` does, only when it has the object's size.

    An object of which OSS returned no CRC-64 is not known to be.
    """
    size_bytes = whole(reader).size_bytes
    if found.crc64 is None or found.size_bytes != size_bytes:
        return False
    return Content(size_bytes, source_crc64(reader, parallel)).is_of(found)


def find_equal(
    head: Head, ref: ObjectRef, read: Callable[[], Content | None], size_bytes: int | None = None
) -> StoredObject | None:
    """
    Return the object, CRC-64 included, if it is what ``read`` returns; None when missing, different or unprovable.

    Nothing is read when there is no object, or when it has another than the ``size_bytes`` that are known. An object
    that may not be looked at counts as unprovable, which is logged.
    """
    found = look_at(head, ref)
    if found is None or found.crc64 is None or (size_bytes is not None and found.size_bytes != size_bytes):
        return None
    content = read()
    return None if content is None or not content.is_of(found) else _recognised(found)


def find_equal_object(head: Head, ref: ObjectRef, reader: SourceReader) -> StoredObject | None:
    """Return the object if it is equal to the source: ``find_equal``."""
    found = look_at(head, ref)
    return _recognised(found) if found is not None and is_equal(found, reader) else None


def find_equal_stream(
    head: Head, ref: ObjectRef, open_stream: Callable[[], Iterator[bytes]]
) -> tuple[StoredObject, int] | None:
    """Return the object and its size if it is equal to the stream, which is read whole only when there is an object."""
    crc, size_bytes = EMPTY, 0

    def read() -> Content:
        nonlocal crc, size_bytes
        reporter = ReadingReporter(f"what is to be {ref}", None, SystemClock())
        for chunk in open_stream():
            crc = crc64(chunk, crc)
            size_bytes += len(chunk)
            reporter.read(len(chunk))
        return Content(size_bytes, crc)

    found = find_equal(head, ref, read)
    return None if found is None else (found, size_bytes)


def _recognised(found: ObjectInfo) -> StoredObject:
    log.info("%s: the object is there already and equal to the source", found.ref)
    return _stored(found)


def _stored(found: ObjectInfo) -> StoredObject:
    return StoredObject(found.etag, found.crc64, version_id=found.version_id)


def result_of(found: ObjectInfo) -> UploadResult:
    """Return the result for an object that an earlier attempt or run has stored, and that was found equal."""
    progress = Progress(found.size_bytes, verified_bytes=found.size_bytes)
    result = make_result(found.ref, _stored(found), found.crc64, progress, attempts=1, elapsed_seconds=0.0)
    return replace(result, resumed=True)  # an empty object, too
