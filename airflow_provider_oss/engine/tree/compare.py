"""
What differs between a tree of files and the objects below a prefix.

Objects are listed, and compared with the files of their keys: by ETag where that is enough, else by the CRC-64 that
HeadObject returns. Objects without a file are deleted, as many in a request as OSS takes.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation, check_in_force, nothing
from airflow_provider_oss.engine.retry import Repeating, raising
from airflow_provider_oss.engine.source import FileReader, FileSource
from airflow_provider_oss.engine.tree.walk import LocalFile, TreeSource
from airflow_provider_oss.engine.workers import AT_ONCE, Tasks, left_by
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSBadResponse,
    OSSInvalidSource,
    OSSNoSuchKey,
    OSSProviderError,
    OSSSourceChanged,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import ListedObject, ObjectInfo, ObjectPrefix, ObjectRef, Page, pages
from airflow_provider_oss.ports import SendingClient, TreeClient
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


# Listing and deleting

_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""The request's list of keys is XML 1.0, which cannot hold these: a CR would name the key with an LF in its place."""


def delete_all(client: TreeClient, call: Repeating, bucket: str, keys: Sequence[str]) -> Iterator[list[str]]:
    """Delete these objects; yield the keys that OSS reports deleted, missing ones too, after every request."""
    listed = [key for key in keys if not _NOT_IN_XML.search(key)]
    for start in range(0, len(listed), limits.MAX_KEYS_PER_DELETE):
        yield call(client.delete_objects, bucket, listed[start : start + limits.MAX_KEYS_PER_DELETE])
    for key in keys:
        if _NOT_IN_XML.search(key):
            call(client.delete_object, ObjectRef(bucket, key))
            yield [key]


def check_all_deleted(bucket: str, wanted: Sequence[str], reported: Sequence[str]) -> None:
    """Raise OSSBadResponse unless OSS reported all of these deleted: another attempt deletes the rest."""
    done = set(reported)
    if left := [key for key in wanted if key not in done]:
        raise OSSBadResponse(
            f"OSS did not report {len(left)} of {len(wanted)} objects deleted, among them {left[0]!r}",
            ErrorDetails(bucket),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What of a listing matters. Names are those below the prefix."""

    same_size: dict[str, str] = field(default_factory=dict)
    """ETags of the objects that have the size of their file."""
    surplus: dict[str, int] = field(default_factory=dict)
    """Bytes of the objects that the selection means and that have no file."""


class RemoteTree:
    """Lists and deletes. ``idle`` is called between two requests, and may raise to stop."""

    def __init__(self, client: TreeClient, call: Repeating, target: ObjectPrefix, idle: Callable[[], None]) -> None:
        self._client = client
        self._call = call
        self._target = target
        self._idle = idle

    def find(self, files: Mapping[str, LocalFile], source: TreeSource) -> Found:
        """Return what is there, of all pages: a listing that is not complete raises."""
        found = Found()
        for listed in self._listed():
            name = self._target.below(listed.ref)
            file = files.get(name)
            if file is not None and file.size_bytes == listed.size_bytes:
                found.same_size[file.relative] = listed.etag
            elif file is None and _may_be_surplus(name) and source.selection.matches(name):
                found.surplus[name] = listed.size_bytes
        return found

    def _listed(self) -> Iterator[ListedObject]:
        for page in pages(self._page, "", ErrorDetails(self._target.bucket)):
            yield from page.items

    def _page(self, token: str) -> Page[ListedObject]:
        self._idle()
        return self._call(self._client.list_objects, self._target.bucket, self._target.prefix, "", token)

    def delete(self, surplus: dict[str, int]) -> None:
        """
        Delete these, and take them out of ``surplus`` as OSS reports them deleted.

        Raises OSSBadResponse when it does not report all of them.
        """
        keys = [self._target.ref(name).key for name in surplus]
        for reported in delete_all(self._client, self._call, self._target.bucket, keys):
            for key in reported:
                surplus.pop(key[len(self._target.prefix) :], None)
            self._idle()
        if surplus:
            raise OSSBadResponse(
                f"OSS did not report {len(surplus)} objects below {self._target} deleted, among them "
                f"{next(iter(surplus))!r}"
            )


def _may_be_surplus(name: str) -> bool:
    """Whether a file could have this name: what ends with a slash stands for a folder, which files never are."""
    return bool(name) and not name.endswith("/")
