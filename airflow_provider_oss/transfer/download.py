"""An object to a local file: whole and right, or not at all; what has arrived once is not asked for again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import EMPTY, crc64
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSInvalidSource,
    OSSInvalidTarget,
)
from airflow_provider_oss.model import CompletedPart, DownloadResult, ObjectInfo, ObjectRef, Part
from airflow_provider_oss.ports import Clock, ProgressCallback
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.download_record import DownloadedVersion, DownloadRecord
from airflow_provider_oss.transfer.engine import UploadSettings
from airflow_provider_oss.transfer.local_target import checked_target, naming_errors
from airflow_provider_oss.transfer.partial_file import PartialFile
from airflow_provider_oss.transfer.plan import DEFAULT_PART_SIZE_BYTES, in_working_order, make_plan
from airflow_provider_oss.transfer.progress import ProgressReporter
from airflow_provider_oss.transfer.recognition import source_crc64
from airflow_provider_oss.transfer.retry import cannot_renew, make_retrying, renewing
from airflow_provider_oss.transfer.source import FileSource
from airflow_provider_oss.transfer.workers import PartWorkers
from airflow_provider_oss.verify import combined_crc64

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

_BLOCK_BYTES: Final = 256 * limits.KIB
_GRACE_SECONDS: Final = 2.0


class Body(AbstractContextManager["Body"], Protocol):
    """An object, or a range of one, being read."""

    info: ObjectInfo

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, or as much as is left; return how much that was, 0 at the end."""

    def close(self) -> None:
        """Give the connection up."""


class ReadingClient(Protocol):
    """What of a client is needed here."""

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """HeadObject."""

    def get_object(
        self,
        ref: ObjectRef,
        byte_range: tuple[int | None, int | None] | None,
        if_match: str | None = None,
        *,
        is_strict: bool = True,
    ) -> Body:
        """GetObject; OSSSourceChanged when the ETag is not ``if_match``."""


@dataclass(frozen=True, slots=True)
class Download:
    """What is to be downloaded, where to, and how: the arguments of ``run``."""

    ref: ObjectRef
    file_path: str
    client: ReadingClient
    settings: UploadSettings = field(default_factory=UploadSettings)
    """``parallel`` ranges of ``part_size_bytes`` are received at a time."""
    overwrite: bool = True
    """False: a file that is there, and is not the object, is left as it is, and OSSInvalidTarget raised."""
    is_resumable: bool = False
    """Whether an attempt that ends early leaves what has arrived beside the file, for a later one."""
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, None, part)`` in the caller's thread after every range."""
    renew_credentials: Callable[[], bool] = cannot_renew
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=SystemClock)

    def run(self) -> DownloadResult:
        """
        Make one attempt; return when the file has the object's size and CRC-64, where OSS tells the latter.

        The file appears in one step; whatever ends an attempt, SIGKILL included, the old file is as it was. All ranges
        are of one version of the object. A file that is equal to the object already is left alone. An object of one
        range is one request. Memory: 256 KiB for each of ``parallel`` ranges.

        With ``is_resumable`` a later attempt on this machine, or on a shared volume, continues. Each range that is
        noted as arrived is read again from the disk and its CRC-64 compared before it counts. Two attempts at the same
        time do not disturb each other: the second one begins anew in a file of its own.

        Raises OSSNoSuchKey when there is no object, OSSSourceChanged when it is replaced meanwhile: the next attempt
        begins anew; OSSInvalidTarget and OSSDiskFull.
        """
        self.cancellation.check()
        if self.settings.part_size_bytes is not None:
            make_plan(0, self.settings.part_size_bytes)  # raises what it would raise once the object is known
        partial = PartialFile.open(checked_target(self.file_path), keep=self.is_resumable)
        attempt = _Attempt(self, partial)
        try:
            return attempt.run()
        except BaseException:
            partial.leave()
            raise
        finally:
            if attempt.has_ended():  # else a thread still writes, and its descriptor's number must not be another's
                partial.close()


class _Attempt:
    """One attempt. ``_done`` has the ranges that are in the file and right."""

    def __init__(self, download: Download, partial: PartialFile) -> None:
        self._download = download
        self._ref = download.ref
        self._partial = partial
        self._reporter = ProgressReporter(download.ref, None, download.progress, download.clock, "received")
        self._started = download.clock.monotonic()
        self._done: dict[int, CompletedPart] = {}
        self._workers: PartWorkers[Part, _Range] | None = None

    def has_ended(self) -> bool:
        """Stop the threads; return whether none is at work any more."""
        return self._workers is None or self._workers.stop(_GRACE_SECONDS)

    def run(self) -> DownloadResult:
        record = self._partial.record()
        info, version = self._ask_anew() if record is None else self._look_again(record)
        if version is None:
            return self._result(info)
        claimed = dict(record.done) if record is not None and record.version == version else {}
        self._renewing(lambda: self._receive(version, claimed))
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
            with self._download.client.get_object(self._ref, (0, last), is_strict=False) as body:
                info = self._whole(body.info)
                version = self._begin(info)
                if version is not None:
                    self._take_first(body, version)
                return info, version

        return self._call(ask)

    def _take_first(self, body: Body, version: DownloadedVersion) -> None:
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
        info = self._call(lambda: self._download.client.head_object(self._ref))
        if not record.version.is_of(info):
            log.warning("%s: not continuing, it is another object or another version of it by now", self._ref)
            return info, self._begin(info)
        if self._is_there(info):
            return info, None
        self._reporter.total_is(info.size_bytes)
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
        self._partial.begin(version)
        return version

    def _is_there(self, info: ObjectInfo) -> bool:
        """Whether the file is the object already. Raises OSSInvalidTarget when it may not be replaced otherwise."""
        path = self._partial.path
        with naming_errors(path):
            if not path.exists():
                return False
            has_size = path.stat().st_size == info.size_bytes
        is_equal = has_size and info.crc64 is not None and _file_crc64(path) == info.crc64
        if is_equal:
            log.info("%s: %s is there already and equal", self._ref, path)
            self._reporter.total_is(info.size_bytes)
            self._reporter.part_verified(info.size_bytes, None)
            self._partial.discard()
        elif not self._download.overwrite:
            raise OSSInvalidTarget(
                f"file_path={str(path)!r} is there, is not the object, and overwrite=False: remove it, or allow it"
            )
        return is_equal

    # Receiving

    def _receive(self, version: DownloadedVersion, claimed: dict[int, int]) -> None:
        """Verify the ranges that are claimed to be there, receive the others, several at a time."""
        if len(self._done) == version.plan.count:
            return
        missing = (part for part in in_working_order(version.plan, claimed) if part.number not in self._done)
        stopping = threading.Event()
        retrying = make_retrying(self._download.settings.retry, stopping)

        def handle(part: Part) -> _Range:
            if part.number in claimed and self._partial.crc64(part) == claimed[part.number]:
                return _Range(part, claimed[part.number], was_received=False)
            return _Range(part, retrying(self._fetch, version, part), was_received=True)

        self._workers = PartWorkers(
            missing, handle, threads=min(self._download.settings.parallel, version.plan.count), stopping=stopping
        )
        for received in self._workers.outcomes():
            self._download.cancellation.check()
            if received is not None:
                self._arrived(received)
            self._reporter.line_if_due()

    def _fetch(self, version: DownloadedVersion, part: Part) -> int:
        """Receive one range and return its CRC-64. Run in a worker thread."""
        last = part.offset_bytes + part.size_bytes - 1
        with self._download.client.get_object(self._ref, (part.offset_bytes, last), version.etag) as body:
            wanted = f"bytes {part.offset_bytes}-{last}/{version.size_bytes}"
            answered = body.info.headers.get("content-range")
            if answered != wanted:
                raise OSSBadResponse(f"{answered} arrived for {wanted}", self._details)
            crc = self._copy(body, part)
        self._partial.note(part, crc)
        return crc

    def _copy(self, body: Body, part: Part) -> int:
        """Write what arrives to its place and return its CRC-64."""
        buffer = memoryview(bytearray(min(_BLOCK_BYTES, part.size_bytes)))
        crc, done = EMPTY, 0
        while done < part.size_bytes:
            self._download.cancellation.check()
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
            self._reporter.part_sent(part.size_bytes, None, part)
        else:
            self._reporter.part_verified(part.size_bytes, None)

    def _compare(self, info: ObjectInfo, crc: int) -> None:
        if info.crc64 is None:
            log.info("%s: OSS tells no CRC-64, so size and ETag alone prove the file", self._ref)
        elif crc != info.crc64:
            self._partial.distrust()
            raise OSSChecksumMismatch(f"what arrived has the CRC-64 {crc}, the object {info.crc64}", self._details)

    # Common to all

    @property
    def _details(self) -> ErrorDetails:
        return ErrorDetails(self._ref.bucket, self._ref.key)

    def _call(self, ask: Callable[[], Answer]) -> Answer:
        retrying = make_retrying(self._download.settings.retry, threading.Event())
        return self._renewing(lambda: retrying(ask))

    def _renewing(self, work: Callable[[], Answer]) -> Answer:
        return renewing(self._download.renew_credentials, self._ref, work)

    def _result(self, info: ObjectInfo) -> DownloadResult:
        progress = self._reporter.progress
        return DownloadResult(
            info=info,
            file_path=self._download.file_path,
            bytes_received=progress.sent_bytes,
            bytes_verified=progress.verified_bytes,
            elapsed_seconds=round(self._download.clock.monotonic() - self._started, 3),
        )


@dataclass(frozen=True, slots=True)
class _Range:
    """A range that is in the file: received now, or by an earlier attempt and found right."""

    part: Part
    crc64: int
    was_received: bool


def _file_crc64(path: Path) -> int | None:
    """Return the CRC-64 of a file; None when it may not be read."""
    try:
        reader = FileSource(str(path)).open()
    except OSSInvalidSource:
        return None
    try:
        return source_crc64(reader)
    finally:
        reader.close()
