"""
Downloads: an object to a local file, whole and right or not at all, and what has arrived is not asked for again.

An object, or a range of one, to memory too: all that was asked for, or an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.partial_file import (
    DownloadedVersion,
    DownloadRecord,
    PartialFile,
    checked_target,
    naming_errors,
)
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES, in_working_order, make_plan
from airflow_provider_oss.engine.progress import ProgressReporter, amount, watched
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.stored import is_equal
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.engine.workers import IN_PEACE, Leaving, PartWorkers, leaving_by
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSInvalidSource,
    OSSInvalidTarget,
    OSSRequestRejected,
    naming_exhaustion,
)
from airflow_provider_oss.model import CompletedPart, DownloadResult, ObjectInfo, ObjectRef, Part, TransferState
from airflow_provider_oss.ports import ObjectReader, ProgressCallback, ReadingClient
from airflow_provider_oss.proof import EMPTY, combined_crc64, crc64, differ
from airflow_provider_oss.shown import Log

log = Log(__name__)

_BLOCK_BYTES: Final = 256 * limits.KIB


def read_whole(open_body: Callable[[], ObjectReader]) -> bytes:
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
    if not is_range and info.crc64 is not None and differ(crc := crc64(data), info.crc64):
        raise OSSChecksumMismatch(f"what arrived has the CRC-64 {crc}, the object {info.crc64}", details)
    return data


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be downloaded, where to, and how: the arguments of ``run``."""

    ref: ObjectRef
    file_path: str
    means: Means[ReadingClient]
    settings: UploadSettings = field(default_factory=UploadSettings)
    """``parallel`` ranges of ``part_size_bytes`` are received at a time."""
    overwrite: bool = True
    """False: a file that is there, and is not the object, is left as it is, and OSSInvalidTarget raised."""
    is_resumable: bool = False
    """Whether an attempt that ends early leaves what has arrived beside the file, for a later one."""
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, None, part)`` in the caller's thread after every range."""

    def run(self) -> DownloadResult:
        """
        Make one attempt; return when the file has the object's size and CRC-64, where OSS returns the latter.

        The file appears in one step; whatever ends an attempt, SIGKILL included, the old file is as it was. All ranges
        are of one version of the object. A file that is equal to the object already is left alone. An object of one
        range is one request. Memory: 256 KiB for each of ``parallel`` ranges.

        With ``is_resumable`` a later attempt on this machine, or on a shared volume, continues. Each range that is
        noted as arrived is read again from the disk and its CRC-64 compared before it counts. Two attempts at the same
        time do not disturb each other: the second one begins anew in a file of its own.

        Raises OSSNoSuchKey when there is no object, OSSSourceChanged when it is replaced meanwhile: the next attempt
        begins anew; OSSInvalidTarget and OSSDiskFull.
        """
        self.means.cancellation.check()
        if self.settings.part_size_bytes is not None:
            make_plan(0, self.settings.part_size_bytes)  # raises what it would raise once the object is known
        with obeying(self.means.cancellation), naming_exhaustion():
            return self._run()

    def _run(self) -> DownloadResult:
        partial = PartialFile(checked_target(self.file_path), keep=self.is_resumable)
        attempt = _Attempt(self, partial)
        leaving = IN_PEACE
        try:
            partial.open()
            with watched(self.means.watcher, attempt.state):
                return attempt.run()
        except BaseException as error:
            leaving = leaving_by(error)
            partial.leave()
            raise
        finally:
            if attempt.has_ended(leaving):  # else a thread still writes: its descriptor's number must not be another's
                partial.close()


class _Attempt:
    """One attempt. ``_done`` has the ranges that are in the file and right."""

    def __init__(self, download: Download, partial: PartialFile) -> None:
        self._download = download
        self._means = download.means
        self._ref = download.ref
        self._partial = partial
        self._reporter = ProgressReporter(
            download.ref,
            None,
            download.progress,
            download.means.clock,
            "received",
            source=download.ref.uri,
            watcher=download.means.watcher,
            intervals=download.means.log_intervals,
        )
        self._started = self._means.clock.monotonic()
        self._done: dict[int, CompletedPart] = {}
        self._workers: PartWorkers[Part, _Range] | None = None

    def state(self) -> TransferState:
        """Return how far it is: what is made is the file."""
        return replace(self._reporter.state(), target=self._download.file_path)

    def has_ended(self, leaving: Leaving) -> bool:
        """Stop the threads; return whether none is at work any more."""
        return self._workers is None or self._workers.stop(leaving)

    def run(self) -> DownloadResult:
        record = self._partial.record()
        info, version = self._ask_anew() if record is None else self._look_again(record)
        if version is None:
            return self._result(info)
        claimed = dict(record.done) if record is not None and record.version == version else {}
        self._means.renewing(lambda: self._receive(version, claimed))
        self._compare(info, combined_crc64(self._done.values()))
        self._partial.publish(overwrite=self._download.overwrite)
        self._reporter.line()
        return self._result(info)

    # What is to be downloaded

    def _ask_anew(self) -> tuple[ObjectInfo, DownloadedVersion | None]:
        """Ask for the beginning of the object: the answer says what it is, and has all of a small one."""
        wanted = self._download.settings.part_size_bytes or DEFAULT_PART_SIZE_BYTES
        last = min(wanted, DEFAULT_PART_SIZE_BYTES) - 1

        def ask() -> tuple[ObjectInfo, DownloadedVersion | None]:
            with self._means.client.get_object(self._ref, (0, last), is_strict=False) as body:
                info = self._whole(body.info)
                version = self._begin(info)
                if version is not None:
                    self._take_first(body, version)
                return info, version

        return self._means.call(ask)

    def _take_first(self, body: ObjectReader, version: DownloadedVersion) -> None:
        """Receive what has come with the first answer, if it is the first range."""
        if not version.plan.count:
            return
        first = version.plan.part(1)
        if body.info.size_bytes != first.size_bytes:
            return
        crc = self._copy(body, first)
        if version.plan.count == 1:
            self._compare(body.info, crc)  # here, where it is repeated
        else:
            self._partial.note(first, crc)
        self._arrived(_Range(first, crc, was_received=True))

    def _whole(self, info: ObjectInfo) -> ObjectInfo:
        """Return what an answer, which may have a range of it only, says of the object."""
        content_range = info.headers.get("content-range")
        if content_range is None:
            return info
        total = content_range.rpartition("/")[2]
        if not total.isdecimal():
            raise OSSBadResponse(f"a range arrived without the object's size: {content_range}", self._details)
        return replace(info, size_bytes=int(total))

    def _look_again(self, record: DownloadRecord) -> tuple[ObjectInfo, DownloadedVersion | None]:
        """Ask whether the object is still what an earlier attempt has begun to download."""
        info = self._means.call(self._means.client.head_object, self._ref)
        if not record.version.is_of(info):
            log.warning("%s: not continuing, it is another object or another version of it by now", self._ref)
            return info, self._begin(info)
        if info.crc64 is None:
            log.info("%s: not continuing: OSS returned no CRC-64, and nothing else would prove the whole", self._ref)
            return info, self._begin(info)
        if self._is_there(info):
            return info, None
        self._reporter.total_is(info.size_bytes)
        self._count_parts(record.version)
        self._partial.go_on(record.version)
        log.info("%s: continuing, %d of %d ranges have arrived", self._ref, len(record.done), record.version.plan.count)
        return info, record.version

    def _begin(self, info: ObjectInfo) -> DownloadedVersion | None:
        """Return what is to be downloaded; None when the file is equal to it."""
        if self._is_there(info):
            return None
        self._reporter.total_is(info.size_bytes)
        plan = make_plan(info.size_bytes, self._download.settings.part_size_bytes)
        version = DownloadedVersion(self._ref, info.etag, info.size_bytes, info.crc64, plan.part_size_bytes)
        self._count_parts(version)
        if version.plan.count > 1:
            log.info(
                "%s: receiving %s in %d ranges into %s",
                *(self._ref, amount(info.size_bytes), version.plan.count, self._download.file_path),
            )
        self._partial.begin(version)
        return version

    def _count_parts(self, version: DownloadedVersion) -> None:
        self._reporter.parts_are(version.plan.part_size_bytes, version.plan.count)

    def _is_there(self, info: ObjectInfo) -> bool:
        """Whether the file is the object already. Raises OSSInvalidTarget when it may not be replaced otherwise."""
        path = self._partial.path
        with naming_errors(path):
            if not path.exists():
                return False
            is_there = path.stat().st_size == info.size_bytes and _is_equal(path, info)
        if is_there:
            log.info("%s: %s is there already and equal", self._ref, path)
            self._reporter.total_is(info.size_bytes)
            self._reporter.part_verified(info.size_bytes, None)
            self._partial.discard()
        elif not self._download.overwrite:
            raise OSSInvalidTarget(
                f"file_path={str(path)!r} is there, is not the object, and overwrite=False: remove it, or allow it"
            )
        return is_there

    # Receiving

    def _receive(self, version: DownloadedVersion, claimed: dict[int, int]) -> None:
        """Verify the ranges that are claimed to be there, receive the others, several at a time."""
        if len(self._done) == version.plan.count:
            return
        missing = (part for part in in_working_order(version.plan, claimed) if part.number not in self._done)
        stopping = threading.Event()
        retrying = self._means.retrying(stopping)

        def handle(part: Part) -> _Range:
            if part.number in claimed and not differ(self._partial.crc64(part), claimed[part.number]):
                return _Range(part, claimed[part.number], was_received=False)
            self._reporter.part_begins(part.number)
            return _Range(part, retrying(self._fetch, version, part), was_received=True)

        self._workers = PartWorkers(
            missing, handle, threads=min(self._download.settings.parallel, version.plan.count), stopping=stopping
        )
        for received in self._workers.outcomes():
            self._means.cancellation.check()
            if received is not None:
                self._arrived(received)
            self._reporter.tick()

    def _fetch(self, version: DownloadedVersion, part: Part) -> int:
        """Receive one range and return its CRC-64. Run in a worker thread."""
        last = part.offset_bytes + part.size_bytes - 1
        with (
            self._inside(version),
            self._means.client.get_object(self._ref, (part.offset_bytes, last), version.etag) as body,
        ):
            crc = self._copy(body, part)
        self._partial.note(part, crc)
        return crc

    @contextmanager
    def _inside(self, version: DownloadedVersion) -> Iterator[None]:
        """Raise OSSBadResponse where a range is not inside the version: then the size that was given is wrong."""
        try:
            yield
        except OSSRequestRejected as error:
            if error.details.http_status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            raise OSSBadResponse(
                f"the object has fewer bytes than the {version.size_bytes} that an answer gave", error.details
            ) from error

    def _copy(self, body: ObjectReader, part: Part) -> int:
        """Write what arrives to its place and return its CRC-64."""
        buffer = memoryview(bytearray(min(_BLOCK_BYTES, part.size_bytes)))
        crc, done = EMPTY, 0
        while done < part.size_bytes:
            self._means.cancellation.check()
            count = body.readinto(buffer[: part.size_bytes - done])
            if not count:
                raise OSSBadResponse(f"{done} bytes of {part.size_bytes} arrived", self._details)
            block = buffer[:count]
            crc = crc64(block, crc)
            self._partial.write(block, part.offset_bytes + done)
            done += count
        return crc

    def _arrived(self, received: _Range) -> None:
        part = received.part
        self._done[part.number] = CompletedPart(part.number, part.size_bytes, "", received.crc64)
        if received.was_received:
            self._reporter.part_sent(part.size_bytes, None, part, part.number)
        else:
            self._reporter.part_verified(part.size_bytes, None, part.number)

    def _compare(self, info: ObjectInfo, crc: int) -> None:
        if info.crc64 is None:
            log.info("%s: OSS returned no CRC-64; only size and ETag prove the file", self._ref)
        elif differ(crc, info.crc64):
            self._partial.distrust()
            raise OSSChecksumMismatch(f"what arrived has the CRC-64 {crc}, the object {info.crc64}", self._details)

    # Common to all

    @property
    def _details(self) -> ErrorDetails:
        return ErrorDetails(self._ref.bucket, self._ref.key)

    def _result(self, info: ObjectInfo) -> DownloadResult:
        progress = self._reporter.progress
        return DownloadResult(
            info=info,
            file_path=self._download.file_path,
            bytes_received=progress.sent_bytes,
            bytes_verified=progress.verified_bytes,
            elapsed_seconds=round(self._means.clock.monotonic() - self._started, 3),
        )


@dataclass(frozen=True, slots=True)
class _Range:
    """A range that is in the file: received now, or by an earlier attempt and found right."""

    part: Part
    crc64: int
    was_received: bool


def _is_equal(path: Path, info: ObjectInfo) -> bool:
    """Whether a file is the object; False when it may not be read."""
    try:
        reader = FileSource(str(path)).open()
    except OSSInvalidSource:
        return False
    try:
        return is_equal(info, reader)
    finally:
        reader.close()
