"""Which files differ from the objects of their keys: by ETag where that is enough, else by HeadObject's CRC-64."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation, check_in_force, nothing
from airflow_provider_oss.engine.retry import raising
from airflow_provider_oss.engine.source import FileReader, FileSource
from airflow_provider_oss.engine.tree.walk import LocalFile
from airflow_provider_oss.engine.workers import AT_ONCE, Tasks, left_by
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSInvalidSource,
    OSSNoSuchKey,
    OSSProviderError,
    OSSSourceChanged,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import ObjectInfo, ObjectRef
from airflow_provider_oss.ports import SendingClient
from airflow_provider_oss.proof import EMPTY, Content, crc64, md5_etag
from airflow_provider_oss.shown import Log

log = Log(__name__)

_SMALL_BYTES: Final = 64 * limits.KIB
"""To read so much and compute its MD5 takes less than to ask OSS."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file, and the object of the same size that has its key."""

    source: FileSource
    file: LocalFile
    ref: ObjectRef
    etag: str
    """As OSS lists it: the MD5 of an object that was stored in one request and not encrypted with a KMS key."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether the object is equal to the file; an error when OSS could not be asked."""

    candidate: Candidate
    is_equal: bool = False
    error: OSSProviderError | None = None


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A file whose object OSS is asked for, and that may be being read."""

    candidate: Candidate
    told: Callable[[], ObjectInfo]
    content: Callable[[], Content | None]
    give_up: Callable[[], None] = nothing
    """Called when the content does not matter any more."""


class Comparison:
    """
    Compares ``parallel`` files at a time.

    OSS is not asked where its listing is enough: an ETag that is the MD5 of a small file's bytes proves them equal.
    Else HeadObject returns the object's CRC-64. ``ask_again`` is HeadObject with all that can be done when it failed.
    ``idle`` is called from time to time in the caller's thread, and may raise to stop.
    """

    def __init__(
        self,
        client: SendingClient,
        ask_again: Callable[[ObjectRef], ObjectInfo],
        parallel: int,
        idle: Callable[[], None],
    ) -> None:
        self._client = client
        self._ask_again = ask_again
        self._parallel = parallel
        self._idle = idle
        self._refusals = 0

    def run(self, candidates: Iterable[Candidate]) -> Generator[Compared, None, None]:
        """
        Yield the outcome for every candidate, about in their order. A file that cannot be read counts as changed.

        When the caller stops, or is asked to, what is in flight is left as ``FileUploads.run`` does.
        """
        under_way: deque[_UnderWay] = deque()
        tasks = Tasks(self._parallel, "oss-file-reader")
        with left_by(lambda leaving: tasks.leave(leaving, (left.told for left in under_way)), AT_ONCE):
            for candidate in candidates:
                self._idle()
                begun = self._begin(candidate, tasks)
                if isinstance(begun, Compared):
                    yield begun
                    continue
                under_way.append(begun)
                if len(under_way) >= self._parallel:
                    yield self._finish(under_way.popleft())
            while under_way:
                yield self._finish(under_way.popleft())

    def _begin(self, candidate: Candidate, tasks: Tasks) -> _UnderWay | Compared:
        if candidate.file.size_bytes > _SMALL_BYTES:
            given_up = Cancellation()
            reading = tasks.submit(partial(_read_large, candidate, given_up))
            answer = self._ask(candidate.ref)
            return _UnderWay(candidate, answer, partial(reading.result, self._idle), given_up.request)
        data = _read_small(candidate)
        if data is None:
            return Compared(candidate)
        if md5_etag(data) == candidate.etag.upper():
            return Compared(candidate, is_equal=True)
        content = Content(len(data), crc64(data))
        return _UnderWay(candidate, self._ask(candidate.ref), lambda: content)

    def _ask(self, ref: ObjectRef) -> Callable[[], ObjectInfo]:
        """Send a HeadObject now. An error of sending is raised when its answer is waited for."""
        try:
            return self._client.begin_head_object(ref)
        except OSSProviderError as error:
            return raising(error)

    def _finish(self, under_way: _UnderWay) -> Compared:
        found = self._found(under_way)
        if isinstance(found, Compared):
            under_way.give_up()
            return found
        content = under_way.content()
        is_equal = content is not None and content.is_of(found)
        return Compared(under_way.candidate, is_equal=is_equal)

    def _found(self, under_way: _UnderWay) -> ObjectInfo | Compared:
        """Return the object if it may be equal to the file, else the outcome."""
        candidate = under_way.candidate
        try:
            found = self._told(under_way)
        except OSSNoSuchKey:
            return Compared(candidate)
        except OSSAccessDenied as error:
            self._refusals += 1
            log.log(
                logging.WARNING if self._refusals == 1 else logging.DEBUG,
                "%s cannot be looked at, so it counts as changed, as will all others of which this is true: %s",
                *(candidate.ref, error),
            )
            return Compared(candidate)
        except OSSUploadCancelled:
            raise
        except OSSProviderError as error:
            return Compared(candidate, error=error)
        may_be_equal = found.crc64 is not None and found.size_bytes == candidate.file.size_bytes
        return found if may_be_equal else Compared(candidate)

    def _told(self, under_way: _UnderWay) -> ObjectInfo:
        try:
            return under_way.told()
        except (OSSNoSuchKey, OSSAccessDenied, OSSUploadCancelled):
            raise
        except OSSProviderError:
            return self._ask_again(under_way.candidate.ref)


def _opened(candidate: Candidate) -> FileReader | None:
    """Return the file, opened; None when that is not possible (who stores it will say why), or its size changed."""
    try:
        reader = candidate.source.open()
    except (OSSInvalidSource, OSSSourceChanged):
        return None
    if len(reader.whole()) == candidate.file.size_bytes:
        return reader
    reader.close()
    return None


def _read_small(candidate: Candidate) -> bytearray | None:
    """Return the file's bytes; None when it cannot be read, or changes meanwhile."""
    reader = _opened(candidate)
    if reader is None:
        return None
    with closing(reader):
        try:
            data = reader.whole().in_memory()
            reader.check_unchanged()
        except (OSSSourceChanged, OSError):
            return None
    return data


def _read_large(candidate: Candidate, given_up: Cancellation) -> Content | None:
    """
    Run in a thread, until that is to stop, or the file is given up.

    Return what tells the file's content; None as ``_read_small`` does.
    """
    reader = _opened(candidate)
    if reader is None:
        return None
    crc = EMPTY
    with closing(reader):
        try:
            for block in reader.whole().blocks():
                crc = crc64(block, crc)
                check_in_force()
                given_up.check()
            reader.check_unchanged()
        except (OSSSourceChanged, OSError):
            return None
    return Content(candidate.file.size_bytes, crc)
