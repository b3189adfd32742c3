"""
Many files, each as an object of its own.

What a small object costs is not its bytes but the request, and threads that wait for the interpreter's lock at every
system call double that. So small files are sent by one thread, one after the other over several connections, and their
answers are looked at later. Files of up to one part, and 8 MiB, are put by a few threads; larger ones are uploaded one
after the other, in parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import (
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSTransientError,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import Checkpoint, ObjectOptions, ObjectRef, Progress, UploadResult
from airflow_provider_oss.ports import Clock, SendingClient
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.engine import Upload, UploadSettings
from airflow_provider_oss.transfer.places import CheckpointPlaces
from airflow_provider_oss.transfer.plan import DEFAULT_PART_SIZE_BYTES, whole
from airflow_provider_oss.transfer.result import make_result
from airflow_provider_oss.transfer.retry import cannot_renew
from airflow_provider_oss.transfer.source import FileReader, FileSource

_SMALL_BYTES: Final = 64 * limits.KIB
"""A new connection's socket takes so much at once: sending does not wait for the network."""

_QUEUED_FOR_EACH_THREAD: Final = 2


@dataclass(frozen=True, slots=True)
class FileToStore:
    """A file on this worker and the object it becomes."""

    path: str
    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file: its result, or the error that was met last."""

    file: FileToStore
    result: UploadResult | None = None
    error: OSSProviderError | OSError | None = None


FileProgress: TypeAlias = Callable[[FileToStore, float, Checkpoint | None, Any], None]
"""The arguments behind the file are those of ``ports.ProgressCallback``. What it raises must not be an OSError."""

_Wait: TypeAlias = Callable[[], UploadResult]


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A file that has been begun."""

    file: FileToStore
    wait: _Wait
    worth_another_try: tuple[type[OSSProviderError], ...]
    """Errors after which it is uploaded once more, with all that the engine does for a file."""


@dataclass(frozen=True, slots=True)
class FileUploads:
    """Stores files, ``settings.parallel`` at the same time; one that is sent in parts has as many parts in flight."""

    client: SendingClient
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    places: CheckpointPlaces = field(default_factory=CheckpointPlaces)
    """For files of several parts, of which one is uploaded at a time."""
    part_done: FileProgress | None = None
    """Called in the caller's thread after every part of such a file."""
    renew_credentials: Callable[[], bool] = cannot_renew
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=SystemClock)

    def run(self, files: Iterable[FileToStore]) -> Generator[FileOutcome, None, None]:
        """
        Yield the outcome of every file, about in the order of ``files``, which is read as it goes.

        A file that fails does not stop the others: its error is in the outcome, after the repetitions that ``settings``
        allow. Raises OSSUploadCancelled when asked to stop. What has been sent when the caller stops is finished.
        Memory: 64 KiB for each of ``parallel`` small files, up to 8 MiB for each that a thread puts.
        """
        with ThreadPoolExecutor(self.settings.parallel, "oss-file-worker") as pool:
            batch = _Batch(self, pool)
            try:
                for file in files:
                    self.cancellation.check()
                    yield from batch.begin(file)
                yield from batch.finish()
            finally:
                batch.abandon()

    def upload(self, file: FileToStore) -> UploadResult:
        """Upload one file of several parts in the calling thread, so that a later attempt can continue."""
        progress = None if self.part_done is None else partial(self.part_done, file)
        return replace(self._upload(file), store=self.places.place_for(file.ref), progress=progress).run()

    def put(self, file: FileToStore) -> UploadResult:
        """Put a file of one part in any thread. It is tried once: who waits for it decides what follows."""
        once = replace(self.settings, retry=replace(self.settings.retry, tries=1))
        return replace(self._upload(file), settings=once, renew_credentials=cannot_renew).run()

    def put_again(self, file: FileToStore) -> UploadResult:
        """Put a file of one part in the calling thread, with all that the engine does for it."""
        return self._upload(file).run()

    def _upload(self, file: FileToStore) -> Upload:
        return Upload(
            FileSource(file.path),
            file.ref,
            self.client,
            options=self.options,
            settings=self.settings,
            renew_credentials=self.renew_credentials,
            cancellation=self.cancellation,
            clock=self.clock,
        )


class _Batch:
    """The files that are under way: small ones whose answer is to come, and those that threads work at."""

    def __init__(self, uploads: FileUploads, pool: ThreadPoolExecutor) -> None:
        self._uploads = uploads
        self._pool = pool
        self._sent: deque[_UnderWay] = deque()
        self._queued: deque[_UnderWay] = deque()

    def begin(self, file: FileToStore) -> Iterator[FileOutcome]:
        """Begin a file as soon as there is room for it; yield the outcomes of those that had to end before."""
        settings = self._uploads.settings
        try:
            reader = FileSource(file.path).open()
        except OSSInvalidSource as error:
            yield FileOutcome(file, error=error)
            return
        with closing(reader):
            size_bytes = whole(reader).size_bytes
            if size_bytes <= _SMALL_BYTES:
                if len(self._sent) >= settings.parallel:
                    yield self._outcome(self._sent.popleft())
                self._sent.append(
                    _UnderWay(file, self._send(file, reader), (OSSTransientError, OSSObjectAlreadyExists))
                )
                return
        # What is put by several threads at a time is in memory: not more than 8 MiB of each
        if size_bytes > min(settings.part_size_bytes or DEFAULT_PART_SIZE_BYTES, DEFAULT_PART_SIZE_BYTES):
            yield self._outcome(_UnderWay(file, lambda: self._uploads.upload(file), ()))
            return
        if len(self._queued) >= _QUEUED_FOR_EACH_THREAD * settings.parallel:
            yield self._outcome(self._queued.popleft())
        put = self._pool.submit(self._uploads.put, file)
        self._queued.append(_UnderWay(file, put.result, (OSSTransientError,)))

    def finish(self) -> Iterator[FileOutcome]:
        """Yield the outcomes of all that is left."""
        for under_way in (self._sent, self._queued):
            while under_way:
                yield self._outcome(under_way.popleft())

    def abandon(self) -> None:
        """Begin nothing more, and read the answers to what has been sent."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for sent in self._sent:
            with suppress(OSSProviderError, OSError):
                sent.wait()

    def _send(self, file: FileToStore, reader: FileReader) -> _Wait:
        """Send a small file now. An error of sending is raised when its answer is waited for."""
        started = self._uploads.clock.monotonic()
        try:
            data = reader.data(whole(reader)).in_memory()
            reader.check_unchanged()  # it is published at once
            crc = crc64(data)
            answer = self._uploads.client.begin_put_object(file.ref, data, crc, self._uploads.options)
        except (OSSProviderError, OSError) as error:
            return partial(_raise, error)

        def wait() -> UploadResult:
            stored = answer()
            elapsed_seconds = self._uploads.clock.monotonic() - started
            progress = Progress(len(data), sent_bytes=len(data))
            return make_result(file.ref, stored, crc, progress, attempts=1, elapsed_seconds=elapsed_seconds)

        return wait

    def _outcome(self, begun: _UnderWay) -> FileOutcome:
        """Wait for a file's end; where it failed and may succeed, upload it once more in this thread."""
        try:
            try:
                return FileOutcome(begun.file, begun.wait())
            except begun.worth_another_try:
                return FileOutcome(begun.file, self._uploads.put_again(begun.file))
        except OSSUploadCancelled:
            raise
        except (OSSProviderError, OSError) as error:
            return FileOutcome(begun.file, error=error)


def _raise(error: Exception) -> NoReturn:
    raise error
