"""
One object stored by one request: bytes in memory, a file of any size that OSS takes in one, a stream, or a copy.

It is decided here what an object in the way means for such a request. After a lost answer ``forbid_overwrite`` meets
our own object, and another attempt may have been first: what is equal counts as stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import each_interruptible, interruptible, obeying
from airflow_provider_oss.engine.progress import make_result, watched
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.source import FileReader, FileSource, Stream, chunks_of
from airflow_provider_oss.engine.stored import Head, find_equal, find_equal_object, find_equal_stream
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSObjectAlreadyExists, naming_exhaustion
from airflow_provider_oss.file_range import Body
from airflow_provider_oss.model import (
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    Progress,
    StoredObject,
    TransferState,
    UploadResult,
)
from airflow_provider_oss.ports import SendingClient
from airflow_provider_oss.proof import Content, crc64


@dataclass(frozen=True, slots=True)
class PutOutcome:
    """The object that is there now: stored by this request, or found there and equal."""

    stored: StoredObject
    was_sent: bool


@dataclass(frozen=True, slots=True)
class SinglePut:
    """One request that stores an object; it is repeated after faults that may pass when its data can be read again."""

    ref: ObjectRef
    means: Means[SendingClient]
    options: ObjectOptions = field(default_factory=ObjectOptions)

    def put_data(self, data: Body, crc: int) -> PutOutcome:
        """Store bytes that do not change any more, whose CRC-64 is ``crc``."""
        content = Content(len(data), crc)
        return self._put(
            partial(self.means.client.put_object, self.ref, data, crc, self.options),
            lambda head: find_equal(head, self.ref, lambda: content, content.size_bytes),
        )

    def copy(self, source: ObjectRange, crc: int | None) -> PutOutcome:
        """Let OSS copy a whole object, whose CRC-64 is ``crc`` if OSS returns one."""
        content = None if crc is None else Content(len(source), crc)
        return self._put(
            partial(self.means.client.copy_object, source, self.ref, self.options),
            lambda head: find_equal(head, self.ref, lambda: content, len(source)),
        )

    def begin(self, data: Body) -> Callable[[], UploadResult]:
        """Send bytes now, once; return what waits for the answer. Both may raise what the request raises."""
        started, crc, size_bytes = self.means.clock.monotonic(), crc64(data), len(data)
        with obeying(self.means.cancellation):
            answer = self.means.client.begin_put_object(self.ref, data, crc, self.options)
        return lambda: self._result(answer(), crc, Progress(size_bytes, sent_bytes=size_bytes), started)

    def put_file(self, path: str) -> UploadResult:
        """
        Store a file; the object is compared with what was read, and the file did not change meanwhile.

        Raises OSSInvalidSource for a file that is missing, unreadable or larger than one request may carry (5 GB).
        """
        with obeying(self.means.cancellation), naming_exhaustion():
            started = self.means.clock.monotonic()
            with closing(FileSource(path).open()) as reader:
                size_bytes = len(reader.whole())
                if size_bytes > limits.MAX_PUT_SIZE_BYTES:
                    raise OSSInvalidSource(
                        f"file_path={path!r} has {size_bytes} bytes: one request carries at most "
                        f"{limits.MAX_PUT_SIZE_BYTES} (5 GB); use OSSResumableUploadOperator or upload_file"
                    )
                with self._watched(path, size_bytes) as ended:
                    outcome = self._put(
                        lambda: self._send(_checked_chunks(reader), size_bytes),
                        lambda head: find_equal_object(head, self.ref, reader),
                    )
                    ended(outcome, size_bytes)
            return self._result_of(outcome, size_bytes, started)

    def put_stream(self, stream: Stream | Callable[[], Stream], content_length: int | None = None) -> UploadResult:
        """
        Store a stream, or what a callable returns when it is called; only a callable is tried again after a fault.

        What the stream raises is passed on, and nothing is stored.
        """
        with obeying(self.means.cancellation):
            started = self.means.clock.monotonic()
            with self._watched(None, content_length) as ended:
                outcome = self._put_stream(stream, content_length)
                size_bytes = outcome.stored.size_bytes or 0
                ended(outcome, size_bytes)
            return self._result_of(outcome, size_bytes, started)

    def _put_stream(self, stream: Stream | Callable[[], Stream], content_length: int | None) -> PutOutcome:
        if not callable(stream):
            return PutOutcome(self._send(_opened(lambda: stream), content_length), was_sent=True)
        return self._put(
            lambda: self._send(_opened(stream), content_length),
            lambda head: _found_stream(head, self.ref, lambda: _opened(stream)),
        )

    @contextmanager
    def _watched(self, source: str | None, size_bytes: int | None) -> Iterator[Callable[[PutOutcome, int], None]]:
        """Let the request that the block makes be watched; the block calls what it is given when that has ended."""
        progress = Progress(size_bytes)

        def ended(outcome: PutOutcome, stored_bytes: int) -> None:
            nonlocal progress
            progress = _progress(outcome, stored_bytes)

        with watched(self.means.watcher, lambda: TransferState(self.ref.uri, source, progress)):
            self.means.watcher.tick()
            yield ended

    def _send(self, chunks: Iterator[bytes], content_length: int | None) -> StoredObject:
        return self.means.client.put_stream(self.ref, chunks, content_length, self.options)

    def _put(self, send: Callable[[], StoredObject], look: Callable[[Head], StoredObject | None]) -> PutOutcome:
        """Send; where an object is in the way, ``look`` for one that is equal."""
        try:
            return PutOutcome(self.means.call(send), was_sent=True)
        except OSSObjectAlreadyExists:
            found = look(partial(self.means.call, self.means.client.head_object))
            if found is None:
                raise
            return PutOutcome(found, was_sent=False)

    def _result_of(self, outcome: PutOutcome, size_bytes: int, started: float) -> UploadResult:
        return self._result(outcome.stored, outcome.stored.crc64, _progress(outcome, size_bytes), started)

    def _result(self, stored: StoredObject, crc: int | None, progress: Progress, started: float) -> UploadResult:
        elapsed_seconds = self.means.clock.monotonic() - started
        return make_result(self.ref, stored, crc, progress, attempts=1, elapsed_seconds=elapsed_seconds)


def _progress(outcome: PutOutcome, size_bytes: int) -> Progress:
    sent_bytes = size_bytes if outcome.was_sent else 0
    return Progress(size_bytes, sent_bytes, size_bytes - sent_bytes)


def _found_stream(head: Head, ref: ObjectRef, open_stream: Callable[[], Iterator[bytes]]) -> StoredObject | None:
    found = find_equal_stream(head, ref, open_stream)
    return None if found is None else replace(found[0], size_bytes=found[1])


def _checked_chunks(reader: FileReader) -> Iterator[bytes]:
    content = reader.whole()
    left = len(content)
    if not left:
        reader.check_unchanged()
    for block in content.blocks():
        left -= len(block)
        if not left:  # before OSS has the last byte, and with it an object
            reader.check_unchanged()
        yield bytes(block)


def _opened(open_stream: Callable[[], Stream]) -> Iterator[bytes]:
    """Return the bytes of what is opened; a signal that asks to stop ends the code of others, and nothing else."""
    with interruptible():
        chunks = chunks_of(open_stream())
    return each_interruptible(chunks)
