"""Which files are what OSS holds already: their bytes are compared with what OSS tells of the objects."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import EMPTY, crc64
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
from airflow_provider_oss.transfer.plan import whole
from airflow_provider_oss.transfer.recognition import Content
from airflow_provider_oss.transfer.source import FileReader, FileSource
from airflow_provider_oss.transfer.tree.walk import LocalFile
from airflow_provider_oss.verify import md5_etag

log = logging.getLogger(__name__)

_SMALL_BYTES: Final = 64 * limits.KIB
"""To read so much and compute its MD5 takes less than to ask OSS."""

_TICK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file, and the object of the same size that has its key."""

    file: LocalFile
    path: str
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
    content: Future[Content | None]


class Comparison:
    """
    Compares ``parallel`` files at a time.

    OSS is not asked where its listing is enough: an ETag that is the MD5 of a small file's bytes proves them equal.
    Else HeadObject tells the object's CRC-64. ``ask_again`` is HeadObject with all that can be done when it failed.
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
        """Yield the outcome for every candidate, about in their order. A file that cannot be read counts as changed."""
        under_way: deque[_UnderWay] = deque()
        stopping = threading.Event()
        with ThreadPoolExecutor(self._parallel, "oss-file-reader") as pool:
            try:
                for candidate in candidates:
                    self._idle()
                    begun = self._begin(candidate, partial(pool.submit, _read_large, candidate, stopping))
                    if isinstance(begun, Compared):
                        yield begun
                        continue
                    under_way.append(begun)
                    if len(under_way) >= self._parallel:
                        yield self._finish(under_way.popleft())
                while under_way:
                    yield self._finish(under_way.popleft())
            finally:
                stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for left in under_way:  # so that no connection is left in the middle
                    with suppress(OSSProviderError):
                        left.told()

    def _begin(
        self, candidate: Candidate, read_in_thread: Callable[[], Future[Content | None]]
    ) -> _UnderWay | Compared:
        if candidate.file.size_bytes > _SMALL_BYTES:
            return _UnderWay(candidate, self._ask(candidate.ref), read_in_thread())
        data = _read_small(candidate)
        if data is None:
            return Compared(candidate)
        if md5_etag(data) == candidate.etag.upper():
            return Compared(candidate, is_equal=True)
        content: Future[Content | None] = Future()
        content.set_result(Content(len(data), crc64(data)))
        return _UnderWay(candidate, self._ask(candidate.ref), content)

    def _ask(self, ref: ObjectRef) -> Callable[[], ObjectInfo]:
        """Send a HeadObject now. An error of sending is raised when its answer is waited for."""
        try:
            return self._client.begin_head_object(ref)
        except OSSProviderError as error:
            return partial(_raise, error)

    def _finish(self, under_way: _UnderWay) -> Compared:
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
        while not wait((under_way.content,), _TICK_SECONDS).done:
            self._idle()
        content = under_way.content.result()
        is_equal = content is not None and (found.size_bytes, found.crc64) == (content.size_bytes, content.crc64)
        return Compared(candidate, is_equal=is_equal)

    def _told(self, under_way: _UnderWay) -> ObjectInfo:
        try:
            return under_way.told()
        except (OSSNoSuchKey, OSSAccessDenied):
            raise
        except OSSProviderError:
            return self._ask_again(under_way.candidate.ref)


def _raise(error: OSSProviderError) -> NoReturn:
    raise error


def _opened(candidate: Candidate) -> FileReader | None:
    """Return the file, opened; None when that is not possible (who stores it will say why), or its size changed."""
    try:
        reader = FileSource(candidate.path).open()
    except OSSInvalidSource:
        return None
    if whole(reader).size_bytes == candidate.file.size_bytes:
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
            data = reader.data(whole(reader)).in_memory()
            reader.check_unchanged()
        except (OSSSourceChanged, OSError):
            return None
    return data


def _read_large(candidate: Candidate, stopping: threading.Event) -> Content | None:
    """Run in a thread. Return what tells the file's content; None as ``_read_small`` does, and when it is to stop."""
    reader = _opened(candidate)
    if reader is None:
        return None
    crc = EMPTY
    with closing(reader):
        try:
            for block in reader.data(whole(reader)).blocks():
                crc = crc64(block, crc)
                if stopping.is_set():
                    return None
            reader.check_unchanged()
        except (OSSSourceChanged, OSError):
            return None
    return Content(candidate.file.size_bytes, crc)
