"""Data in one PutObject request: a file of any size that OSS takes in one, or a stream. Constant memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSObjectAlreadyExists
from airflow_provider_oss.model import ObjectOptions, ObjectRef, Progress, StoredObject, UploadResult
from airflow_provider_oss.ports import Clock
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.plan import whole
from airflow_provider_oss.transfer.recognition import HeadClient, find_equal_object, find_equal_stream
from airflow_provider_oss.transfer.result import make_result
from airflow_provider_oss.transfer.retry import RetryPolicy, cannot_renew, make_retrying, renewing
from airflow_provider_oss.transfer.source import FileReader, FileSource
from airflow_provider_oss.transfer.stream import Stream, chunks_of

log = logging.getLogger(__name__)


class StreamClient(HeadClient, Protocol):
    """What of a client is needed here."""

    def put_stream(
        self, ref: ObjectRef, chunks: Iterator[bytes], content_length: int | None, options: ObjectOptions
    ) -> StoredObject:
        """Store what ``chunks`` yields; chunked transfer encoding without ``content_length``."""


@dataclass(frozen=True, slots=True)
class SinglePut:
    """One PutObject request, repeated after faults that may pass when its data can be read again."""

    ref: ObjectRef
    client: StreamClient
    options: ObjectOptions = field(default_factory=ObjectOptions)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    renew_credentials: Callable[[], bool] = cannot_renew
    """Called when OSS says that the security token has expired; returns whether there are other credentials now."""
    clock: Clock = field(default_factory=SystemClock)

    def put_file(self, path: str) -> UploadResult:
        """
        Store a file; the object is compared with what was read, and the file did not change meanwhile.

        Raises OSSInvalidSource for a file that is missing, unreadable or larger than one request may carry (5 GB).
        """
        started = self.clock.monotonic()
        reader = FileSource(path).open()
        try:
            size_bytes = whole(reader).size_bytes
            if size_bytes > limits.MAX_PUT_SIZE_BYTES:
                raise OSSInvalidSource(
                    f"file_path={path!r} has {size_bytes} bytes: one request carries at most "
                    f"{limits.MAX_PUT_SIZE_BYTES} (5 GB); use OSSResumableUploadOperator or upload_file"
                )
            stored = self._put_readable(reader)
        finally:
            reader.close()
        sent_bytes = 0 if stored.size_bytes is None else size_bytes
        return self._result(stored, Progress(size_bytes, sent_bytes, size_bytes - sent_bytes), started)

    def put_stream(self, stream: Stream | Callable[[], Stream], content_length: int | None = None) -> UploadResult:
        """
        Store a stream, or what a callable returns when it is called; only a callable is tried again after a fault.

        What the stream raises is passed on, and nothing is stored.
        """
        started = self.clock.monotonic()
        if callable(stream):
            return self._put_callable(stream, content_length, started)
        stored = self._send(chunks_of(stream), content_length)
        size_bytes = stored.size_bytes or 0
        return self._result(stored, Progress(size_bytes, sent_bytes=size_bytes), started)

    def _put_callable(
        self, open_stream: Callable[[], Stream], content_length: int | None, started: float
    ) -> UploadResult:
        """Repeat with a new stream each time. After a lost answer ``forbid_overwrite`` meets our own object."""
        try:
            stored = self._repeat(lambda: self._send(chunks_of(open_stream()), content_length))
        except OSSObjectAlreadyExists:
            found = find_equal_stream(self.client, self.ref, lambda: chunks_of(open_stream()))
            if found is None:
                raise
            stored, size_bytes = found
            return self._result(stored, Progress(size_bytes, verified_bytes=size_bytes), started)
        size_bytes = stored.size_bytes or 0
        return self._result(stored, Progress(size_bytes, sent_bytes=size_bytes), started)

    def _put_readable(self, reader: FileReader) -> StoredObject:
        """Repeat with a new iterator each time. After a lost answer ``forbid_overwrite`` meets our own object."""
        size_bytes = whole(reader).size_bytes
        try:
            return self._repeat(lambda: self._send(_checked_chunks(reader), size_bytes))
        except OSSObjectAlreadyExists:
            found = find_equal_object(self.client, self.ref, reader)
            if found is None:
                raise
            return found

    def _repeat(self, send: Callable[[], StoredObject]) -> StoredObject:
        """Repeat as the policy says, and as often as new credentials can be had for those that expired."""
        return renewing(self.renew_credentials, self.ref, lambda: make_retrying(self.retry, threading.Event())(send))

    def _send(self, chunks: Iterator[bytes], content_length: int | None) -> StoredObject:
        return self.client.put_stream(self.ref, chunks, content_length, self.options)

    def _result(self, stored: StoredObject, progress: Progress, started: float) -> UploadResult:
        elapsed_seconds = self.clock.monotonic() - started
        return make_result(self.ref, stored, stored.crc64, progress, attempts=1, elapsed_seconds=elapsed_seconds)


def _checked_chunks(reader: FileReader) -> Iterator[bytes]:
    part = whole(reader)
    left = part.size_bytes
    if not left:
        reader.check_unchanged()
    for block in reader.data(part).blocks():
        left -= len(block)
        if not left:  # before OSS has the last byte, and with it an object
            reader.check_unchanged()
        yield bytes(block)
