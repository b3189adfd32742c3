"""Stand-ins at the engine's seams: a clock that is set by hand, clients that record, fail or die on purpose."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.exceptions import OSSInvalidPart, OSSNoSuchKey, OSSNoSuchUpload
from airflow_provider_oss.file_range import Body, FileRange
from airflow_provider_oss.limits import MAX_PARTS
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.ports import ObjectClient
from airflow_provider_oss.proof import crc64 as crc64_of
from airflow_provider_oss.proof import md5_etag
from tests.support.stores import MemoryStore

Result = TypeVar("Result")
Transfer = TypeVar("Transfer")

MEANS = {field.name for field in fields(Means)}


def changed(transfer: Transfer, **changes: Any) -> Transfer:
    """Return a transfer with changes; those of a client, a clock and the like are made in its means."""
    usual: Any = transfer
    means = replace(usual.means, **{name: changes.pop(name) for name in MEANS & changes.keys()})
    made: Transfer = replace(usual, means=means, **changes)
    return made


class HandClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> str:
        return f"2030-01-01T00:00:{self.seconds - 1000:06.3f}Z"


class AnsweringAtOnce:
    """Begins a call by making it, and sends a stream as the bytes that it has."""

    sums_what_it_sends = False

    def begin_put_object(
        self: ObjectClient, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], StoredObject]:
        stored = self.put_object(ref, body, crc64, options)
        return lambda: stored

    def begin_upload_part(
        self: ObjectClient,
        ref: ObjectRef,
        upload_id: str,
        part_number: int,
        body: Body,
        crc64: int | None,
        options: ObjectOptions,
    ) -> Callable[[], CompletedPart]:
        part = self.upload_part(ref, upload_id, part_number, body, crc64, options)
        return lambda: part

    def begin_head_object(self: ObjectClient, ref: ObjectRef) -> Callable[[], ObjectInfo]:
        info = self.head_object(ref)
        return lambda: info

    def put_stream(
        self: ObjectClient, ref: ObjectRef, chunks: Iterator[bytes], content_length: int | None, options: ObjectOptions
    ) -> StoredObject:
        data = b"".join(chunks)
        return self.put_object(ref, data, crc64_of(data), options)

    def get_object_tags(self, ref: ObjectRef) -> Mapping[str, str]:
        """No object has tags."""
        return {}


class PassingClient(AnsweringAtOnce):
    """Hands every call on; the subclasses interfere in ``call``."""

    def __init__(self, client: ObjectClient) -> None:
        self._client = client

    def call(self, name: str, act: Callable[[], Result]) -> Result:
        """Make the call that ``name`` names."""
        del name
        return act()

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        return self.call("put_object", lambda: self._client.put_object(ref, body, crc64, options))

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        return self.call("head_object", lambda: self._client.head_object(ref))

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        return self.call("initiate", lambda: self._client.initiate_multipart_upload(ref, options))

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        return self.call(
            "upload_part", lambda: self._client.upload_part(ref, upload_id, part_number, body, crc64, options)
        )

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        return self.call("copy_object", lambda: self._client.copy_object(source, ref, options))

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        return self.call(
            "upload_part_copy",
            lambda: self._client.upload_part_copy(ref, upload_id, part_number, source, options),
        )

    def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> Sequence[StoredPart]:
        return self.call("list_parts", lambda: self._client.list_parts(ref, upload_id, first, last))

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        return self.call("complete", lambda: self._client.complete_multipart_upload(ref, upload_id, parts, options))

    def list_uploads(self, ref: ObjectRef) -> Sequence[ListedUpload]:
        return self.call("list_uploads", lambda: self._client.list_uploads(ref))

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        self.call("abort", lambda: self._client.abort_multipart_upload(ref, upload_id))


def content(body: Body) -> bytes:
    """Return what a client would send."""
    return bytes(body.in_memory() if isinstance(body, FileRange) else body)


class MemoryOSS(AnsweringAtOnce):
    """An OSS without a network, for thousands of calls: objects, parts, and the errors of what is not there."""

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.begun: dict[str, ListedUpload] = {}
        self.sent: list[int] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        self.objects[ref] = content(body)
        return StoredObject("etag", crc64)

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        if ref not in self.objects:
            raise OSSNoSuchKey("no such key")
        data = self.objects[ref]
        return ObjectInfo(ref, len(data), "etag", crc64_of(data), None, None, None, None, None, {}, {})

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        upload_id = f"UPLOAD{next(self._ids)}"
        self.uploads[upload_id] = {}
        self.begun[upload_id] = ListedUpload(ref, upload_id, int(time.time()))
        return upload_id

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        with self._lock:
            self._parts(upload_id)[part_number] = content(body)
            self.sent.append(part_number)
        return CompletedPart(part_number, len(body), md5_etag(body), crc64)

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        raise NotImplementedError

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        raise NotImplementedError

    def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> Sequence[StoredPart]:
        parts = sorted((number, data) for number, data in self._parts(upload_id).items() if first <= number <= last)
        return [StoredPart(number, len(data), md5_etag(data), crc64_of(data)) for number, data in parts]

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        held, whole = self._parts(upload_id), bytearray()
        for part in parts:
            if part.number not in held or md5_etag(held[part.number]) != part.etag:
                raise OSSInvalidPart("no such part")
            whole += held[part.number]
        del self.uploads[upload_id]
        self.objects[ref] = bytes(whole)
        return StoredObject("etag", crc64_of(whole))

    def list_uploads(self, ref: ObjectRef) -> Sequence[ListedUpload]:
        return [self.begun[upload_id] for upload_id in self.uploads if self.begun[upload_id].ref == ref]

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        self._parts(upload_id)
        del self.uploads[upload_id]

    def _parts(self, upload_id: str) -> dict[int, bytes]:
        if upload_id not in self.uploads:
            raise OSSNoSuchUpload("no such upload")
        return self.uploads[upload_id]


class CountingClient(PassingClient):
    """Knows how many parts were in flight at the same time, at most."""

    def __init__(self, client: ObjectClient) -> None:
        super().__init__(client)
        self._lock = threading.Lock()
        self._in_flight = 0
        self.most_in_flight = 0

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        if name != "upload_part":
            return act()
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return act()
        finally:
            with self._lock:
                self._in_flight -= 1


class ClientWithoutListedCrc64(PassingClient):
    """What a server that lists no HashCrc64ecma looks like."""

    def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> Sequence[StoredPart]:
        return [replace(part, crc64=None) for part in super().list_parts(ref, upload_id, first, last)]


class InterferingClient(PassingClient):
    """Does something else once, just before the first call of one kind."""

    def __init__(self, client: ObjectClient, name: str, interfere: Callable[[], Any]) -> None:
        super().__init__(client)
        self._name = name
        self._pending = [interfere]
        self._lock = threading.Lock()

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        with self._lock:
            if name == self._name and self._pending:
                self._pending.pop()()
        return act()


class KilledError(BaseException):
    """The process is dead: nothing catches this for good."""


@dataclass
class Life:
    """How many steps a process may still make; it dies just before or just after the work of its last one."""

    steps: int
    dies_after_the_work: bool
    made: list[str] = field(default_factory=list)
    is_over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, name: str, act: Callable[[], Result]) -> Result:
        """Make a step. A dead process makes none: everything it still tries raises as well."""
        with self._lock:
            if self.is_over:
                raise KilledError
            self.made.append(name)
            self.is_over = is_last = len(self.made) == self.steps
        if not is_last:
            return act()
        if self.dies_after_the_work:
            act()
        raise KilledError(name)


class MortalClient(PassingClient):
    """A client of a process that dies."""

    def __init__(self, client: ObjectClient, life: Life) -> None:
        super().__init__(client)
        self._life = life

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        return self._life.step(name, act)


class MortalStore:
    """A store as a process that dies sees it; what was stored outlives the process."""

    def __init__(self, store: MemoryStore, life: Life) -> None:
        self._store = store
        self._life = life

    def load(self) -> Checkpoint | None:
        return self._life.step("load", self._store.load)

    def save(self, checkpoint: Checkpoint) -> None:
        self._life.step("save", lambda: self._store.save(checkpoint))

    def delete(self) -> None:
        self._life.step("delete", self._store.delete)
