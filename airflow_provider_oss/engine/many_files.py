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
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import StorePool
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.engine.progress import UNWATCHED
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.retry import Means, cannot_renew, raising
from airflow_provider_oss.engine.source import FileReader, FileSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.engine.workers import Leaving, Tasks, left_by
from airflow_provider_oss.exceptions import (
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSTransientError,
    OSSUploadCancelled,
    naming_exhaustion,
)
from airflow_provider_oss.model import Checkpoint, ObjectOptions, ObjectRef, UploadResult
from airflow_provider_oss.ports import SendingClient

_SMALL_BYTES: Final = 64 * limits.KIB
"""A new connection's socket takes so much at once: sending does not wait for the network."""

_QUEUED_FOR_EACH_THREAD: Final = 2


@dataclass(frozen=True, slots=True)
class FileToStore:
    """A file on this worker and the object it becomes."""

    path: str
    ref: ObjectRef
    no_links_below: str | None = None
    """See FileSource."""

    @property
    def source(self) -> FileSource:
        """The file, to be opened."""
        return FileSource(self.path, self.no_links_below)


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

    means: Means[SendingClient]
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    stores: StorePool = field(default_factory=StorePool)
    """For files of several parts, of which one is uploaded at a time."""
    part_done: FileProgress | None = None
    """Called in the caller's thread after every part of such a file."""

    def run(self, files: Iterable[FileToStore]) -> Generator[FileOutcome, None, None]:
        """
        Yield the outcome of every file, about in the order of ``files``, which is read as it goes.

        A file that fails does not stop the others: its error is in the outcome, after the repetitions that ``settings``
        allow. Raises OSSUploadCancelled when asked to stop. When the caller stops, or is asked to, what is in flight
        may end in 0.3 s; after an error of ``files``, in 2 s. What has not ended then is given up: its object is the
        file or is not there. Memory: 64 KiB for each of ``parallel`` small files, up to 8 MiB for each that a thread
        puts.
        """
        tasks = Tasks(self.settings.parallel, "oss-file-worker")
        batch = _Batch(self, tasks)
        with left_by(batch.abandon):
            for file in files:
                self.means.cancellation.check()
                yield from batch.begin(file)
            yield from batch.finish()

    def upload(self, file: FileToStore) -> UploadResult:
        """Upload one file of several parts in the calling thread, so that a later attempt can continue."""
        progress = None if self.part_done is None else partial(self.part_done, file)
        return replace(self._upload(file), store=self.stores.store_for(file.ref), progress=progress).run()

    def put(self, file: FileToStore) -> UploadResult:
        """Put a file of one part in any thread. It is tried once: who waits for it decides what follows."""
        tried_once = replace(self.means.retry, tries=1)
        once = replace(self.means, retry=tried_once, renew_credentials=cannot_renew, watcher=UNWATCHED)
        return replace(self._upload(file), means=once).run()

    def put_again(self, file: FileToStore) -> UploadResult:
        """Put a file of one part in the calling thread, with all that the engine does for it."""
        return self._upload(file).run()

    def begin(self, file: FileToStore, reader: FileReader) -> Callable[[], UploadResult]:
        """Send a small file now, once; return what waits for the answer. See ``SinglePut.begin``."""
        data = reader.whole().in_memory()
        reader.check_unchanged()  # it is published at once
        return SinglePut(file.ref, self.means, self.options).begin(data)

    def _upload(self, file: FileToStore) -> Upload:
        return Upload(file.source, file.ref, self.means, options=self.options, settings=self.settings)


class _Batch:
    """The files that are under way: small ones whose answer is to come, and those that threads work at."""

    def __init__(self, uploads: FileUploads, tasks: Tasks) -> None:
        self._uploads = uploads
        self._tasks = tasks
        self._sent: deque[_UnderWay] = deque()
        self._queued: deque[_UnderWay] = deque()

    def begin(self, file: FileToStore) -> Iterator[FileOutcome]:
        """Begin a file as soon as there is room for it; yield the outcomes of those that had to end before."""
        settings = self._uploads.settings
        try:
            with obeying(self._uploads.means.cancellation), self._uploads.stores.knowing_files(file.ref, file.path):
                reader = file.source.open()
        except OSSUploadCancelled:  # while a file of /proc was copied
            raise
        except OSSProviderError as error:
            yield FileOutcome(file, error=error)
            return
        with closing(reader):
            size_bytes = len(reader.whole())
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
        put = self._tasks.submit(partial(self._uploads.put, file))
        result = partial(put.result, self._uploads.means.cancellation.check)
        self._queued.append(_UnderWay(file, result, (OSSTransientError,)))

    def finish(self) -> Iterator[FileOutcome]:
        """Yield the outcomes of all that is left."""
        for under_way in (self._sent, self._queued):
            while under_way:
                yield self._outcome(under_way.popleft())

    def abandon(self, leaving: Leaving) -> None:
        """Begin nothing more; read the answers to what has been sent, and leave the threads, as ``leaving`` says."""
        self._tasks.leave(leaving, (sent.wait for sent in self._sent))

    def _send(self, file: FileToStore, reader: FileReader) -> _Wait:
        """Send a small file now. An error of sending is raised when its answer is waited for."""
        try:
            return self._uploads.begin(file, reader)
        except (OSSProviderError, OSError) as error:
            return raising(error)

    def _outcome(self, begun: _UnderWay) -> FileOutcome:
        """Wait for a file's end; where it failed and may succeed, upload it once more in this thread."""
        try:
            with obeying(self._uploads.means.cancellation), naming_exhaustion():
                return FileOutcome(begun.file, self._result(begun))
        except OSSUploadCancelled:
            raise
        except (OSSProviderError, OSError) as error:
            return FileOutcome(begun.file, error=error)

    def _result(self, begun: _UnderWay) -> UploadResult:
        try:
            return begun.wait()
        except OSSUploadCancelled:
            raise
        except begun.worth_another_try:
            return self._uploads.put_again(begun.file)
