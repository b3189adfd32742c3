"""The seams of the engine: what it asks of a client, a store, a source and a clock. Plain Protocols, no code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from airflow_provider_oss.file_range import Body as Body  # noqa: PLC0414 - users take it from here
from airflow_provider_oss.file_range import Buffer as Buffer  # noqa: PLC0414
from airflow_provider_oss.limits import MAX_PARTS
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    Fingerprint,
    FoundCheckpoint,
    ListedObject,
    ListedUpload,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    Page,
    Part,
    StoredObject,
    StoredPart,
    TransferState,
)

ProgressCallback: TypeAlias = Callable[[float, Checkpoint | None, Any], None]


class ObjectClient(Protocol):
    """
    The OSS calls that an upload needs. Each is one request, not repeated by the client.

    All raise the classes of ``exceptions``; what a "not found" means is the caller's to decide. What writes takes the
    CRC-64 of ``body`` and raises OSSChecksumMismatch when OSS received anything else.
    """

    @property
    def sums_what_it_sends(self) -> bool:
        """Whether a file's bytes pass through this process when they are sent: their CRC-64 costs no reading then."""

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        """Store ``body`` in one request (PutObject)."""

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """Describe the object; OSSNoSuchKey when there is none (HeadObject)."""

    def initiate_multipart_upload(self, ref: ObjectRef, options: ObjectOptions) -> str:
        """Begin an upload and return its id (InitiateMultipartUpload)."""

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        """
        Store one part; OSSNoSuchUpload when the upload is gone (UploadPart).

        Without ``crc64`` it is made of what is sent.
        """

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        """Let OSS copy a whole object; OSSSourceChanged when it is another one by now (CopyObject)."""

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        """Let OSS copy one part; OSSSourceChanged, OSSNoSuchUpload (UploadPartCopy)."""

    def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> Sequence[StoredPart]:
        """
        Return the stored parts; OSSNoSuchUpload when the upload is gone (ListParts, all pages).

        Those from number ``first`` to number ``last`` only.
        """

    def complete_multipart_upload(
        self, ref: ObjectRef, upload_id: str, parts: Iterable[CompletedPart], options: ObjectOptions
    ) -> StoredObject:
        """Make the object; OSSNoSuchUpload, OSSInvalidPart, OSSObjectAlreadyExists (CompleteMultipartUpload)."""

    def list_uploads(self, ref: ObjectRef) -> Sequence[ListedUpload]:
        """Return all unfinished uploads of exactly this key (ListMultipartUploads, all pages)."""

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        """Drop the upload and its parts; OSSNoSuchUpload when it is gone (AbortMultipartUpload)."""


class SendingClient(ObjectClient, Protocol):
    """
    What stores and copies objects: also a client that can begin the calls of which there are many.

    What begins a call returns when all is sent, with a function that waits for the answer; both may raise what the
    whole call raises.
    """

    def begin_head_object(self, ref: ObjectRef) -> Callable[[], ObjectInfo]:
        """Send a HeadObject."""

    def begin_put_object(
        self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], StoredObject]:
        """Send a PutObject."""

    def begin_upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> Callable[[], CompletedPart]:
        """Send an UploadPart."""

    def put_stream(
        self, ref: ObjectRef, chunks: Iterator[bytes], content_length: int | None, options: ObjectOptions
    ) -> StoredObject:
        """Store what ``chunks`` yields (PutObject); chunked transfer encoding without ``content_length``."""

    def get_object_tags(self, ref: ObjectRef) -> Mapping[str, str]:
        """Return the object's tags (GetObjectTagging)."""


class TreeClient(SendingClient, Protocol):
    """What lists and deletes, too: it makes the objects below a prefix equal to a tree of files."""

    def list_objects(
        self, bucket: str, prefix: str, delimiter: str, token: str, *, start_after: str = ""
    ) -> Page[ListedObject]:
        """Return one page of the objects whose key begins with ``prefix``, by key (ListObjectsV2)."""

    def delete_object(self, ref: ObjectRef) -> None:
        """Delete an object. That it is not there is no error (DeleteObject)."""

    def delete_objects(self, bucket: str, keys: Sequence[str]) -> list[str]:
        """Delete up to 1000 objects; return the keys that OSS reports, missing ones too (DeleteMultipleObjects)."""


class ObjectReader(AbstractContextManager["ObjectReader"], Protocol):
    """An object, or a range of one, that is being read."""

    info: ObjectInfo

    def read(self) -> bytes:
        """Return all that is left."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, or as much as is left; return how much that was, 0 at the end."""

    def close(self) -> None:
        """Give the connection up."""


class ReadingClient(Protocol):
    """A client that reads objects."""

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        """Describe the object; OSSNoSuchKey when there is none (HeadObject)."""

    def get_object(
        self,
        ref: ObjectRef,
        byte_range: tuple[int | None, int | None] | None,
        if_match: str | None = None,
        *,
        is_strict: bool = True,
    ) -> ObjectReader:
        """Open an object, or a range of one; OSSSourceChanged when its ETag is not ``if_match`` (GetObject)."""


@runtime_checkable
class CheckpointStore(Protocol):
    """
    Where one task instance's checkpoint lives between its attempts. Called from the task's main thread only.

    ``load`` returns None when nothing was saved and raises OSSCheckpointUnreadable when what was saved is no
    checkpoint; ``save`` replaces; ``delete`` of nothing is fine. A failure raises, it is never reported as "nothing".
    """

    def load(self) -> Checkpoint | None:
        """Return what was saved last, or None."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace what was saved."""

    def delete(self) -> None:
        """Remove what was saved."""


class CheckpointDirectory(Protocol):
    """The checkpoints of all task instances, as far as they can be seen from here. A failure raises."""

    @property
    def unseen(self) -> Sequence[str]:
        """Names of the stores that cannot be listed from here."""

    def find(self) -> Sequence[FoundCheckpoint]:
        """Return all checkpoints of the stores that can be listed."""

    def is_over(self, found: FoundCheckpoint) -> bool:
        """Whether its task instance has ended and does not run again by itself; False when that is not known."""

    def forget(self, found: FoundCheckpoint) -> bool:
        """Delete a Variable unless it was changed since; return whether it was deleted."""


class SourceReader(Protocol):
    """
    An opened source of known size.

    ``data`` may be called, and what it returns be read, from several threads before ``close``.
    """

    @property
    def fingerprint(self) -> Fingerprint:
        """
        What was seen when it was opened; its size is known.

        A reader whose fingerprint has a version gives bytes of that version only, else it raises OSSSourceChanged:
        parts stored under the same version by an earlier attempt are taken for equal and not read again.
        """

    def data(self, part: Part) -> Body:
        """Return the part's bytes. They may be read only when they are used: OSSSourceChanged if short then."""

    def check_unchanged(self) -> None:
        """Raise OSSSourceChanged when the source is not what it was when it was opened."""

    def close(self) -> None:
        """Release it."""


class Source(Protocol):
    """Data that can be read at any offset, again in every attempt."""

    def open(self) -> SourceReader:
        """Open it for one attempt. Raises OSSInvalidSource when that is not possible."""


class Clock(Protocol):
    """Time, as an argument."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never runs backwards."""

    def utc_now(self) -> str:
        """Return the time now as ISO 8601, UTC."""


class TransferWatcher(Protocol):
    """
    Is told how far transfers are. All but ``repeated`` is called in the task's main thread only.

    What it raises ends the transfer: of its own failures it raises none.
    """

    def began(self, state: Callable[[], TransferState]) -> None:
        """Watch a transfer, inside the one that began before and has not ended; ``state`` says how far it is."""

    def ended(self) -> None:
        """Forget the transfer that began last: its state is final now."""

    def failing(self, error: BaseException) -> None:
        """Note that the transfer which began last is about to end with this error, and its checkpoint to be saved."""

    def tick(self) -> None:
        """Look at what is watched, if it is time. Called several times a second, and before one long request."""

    def wants_save(self) -> bool:
        """Whether a checkpoint should be saved now although no part was done since the last time."""

    def repeated(self, what: str) -> None:
        """Note that a call has failed and is made again. May be called in any thread."""
