"""
The data that crosses borders inside the package: frozen, checked when made, with units in the names.

What a user gives as strings and dicts is turned into these once, at the edge; behind it the type is the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Generic, TypeVar

from typing_extensions import override

from airflow_provider_oss import limits
from airflow_provider_oss.exceptions import ErrorDetails, OSSBadResponse, OSSInvalidArgument
from airflow_provider_oss.shown import shortened

Item = TypeVar("Item")

CONSTANT_PARTS: Final = "constant"
"""Name of the schedule of parts that are all of one size."""

MAX_VERSION_CHARS: Final = 128

_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def plain(text: str) -> str:
    """Return what a text is itself: of a member of an enumeration ``str`` and f-strings may make another."""
    return text if type(text) is str else str.__str__(text)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """
    One object's address: bucket and key.

    Raises OSSInvalidArgument when OSS would refuse either (OSS: "Object naming conventions", "Bucket naming").
    """

    bucket: str
    key: str

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        check_key(self.key)
        object.__setattr__(self, "bucket", plain(self.bucket))
        object.__setattr__(self, "key", plain(self.key))

    @property
    def uri(self) -> str:
        """``oss://bucket/key``, the key unescaped."""
        return f"oss://{self.bucket}/{self.key}"

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, slots=True)
class ObjectPrefix:
    """
    All objects below a prefix, which is empty (the whole bucket) or ends with "/": ``a/b/`` has nothing of ``a/b-c/d``.

    Raises OSSInvalidArgument when OSS would refuse the bucket, or every key below.
    """

    bucket: str
    prefix: str

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        if self.prefix:
            check_key(self.prefix)
        object.__setattr__(self, "bucket", plain(self.bucket))
        object.__setattr__(self, "prefix", plain(self.prefix))

    def ref(self, below: str) -> ObjectRef:
        """Return the object of this name below the prefix. Raises OSSInvalidArgument when OSS would refuse it."""
        return ObjectRef(self.bucket, self.prefix + below)

    def has(self, ref: ObjectRef) -> bool:
        """Whether the object is, or would be, below the prefix."""
        return ref.bucket == self.bucket and ref.key.startswith(self.prefix)

    def below(self, ref: ObjectRef) -> str:
        """Return the name below the prefix of an object that is there."""
        return ref.key[len(self.prefix) :]

    @property
    def uri(self) -> str:
        """``oss://bucket/prefix``, unescaped."""
        return f"oss://{self.bucket}/{self.prefix}"

    def __str__(self) -> str:
        return self.uri


@dataclass(frozen=True, slots=True)
class KeyPrefix:
    """
    All objects whose key begins with ``prefix``, as OSS has it: ``a/b`` has ``a/b-c/d`` too. "" is the whole bucket.

    Raises OSSInvalidArgument when OSS would refuse the bucket, or every such key.
    """

    bucket: str
    prefix: str

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        if self.prefix:
            check_key(self.prefix)
        object.__setattr__(self, "bucket", plain(self.bucket))
        object.__setattr__(self, "prefix", plain(self.prefix))

    def __str__(self) -> str:
        return f"oss://{self.bucket}/{self.prefix}"


def is_bucket_name(text: str) -> bool:
    """Whether OSS allows a bucket of this name."""
    return _BUCKET_NAME.fullmatch(text) is not None


def check_bucket_name(bucket: str) -> None:
    """Raise OSSInvalidArgument unless OSS allows a bucket of this name."""
    if not isinstance(bucket, str) or not is_bucket_name(bucket):
        raise OSSInvalidArgument(
            f"bucket_name={bucket!r} is not a name OSS allows: use 3 to 63 characters of a-z, 0-9 and '-', "
            "beginning and ending with a letter or a digit"
        )


def check_key(key: str) -> None:
    """Raise OSSInvalidArgument unless OSS allows an object of this name."""
    try:
        length_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(f"key={key!r} cannot be written as UTF-8: {error.reason}") from error
    if not 1 <= length_bytes <= limits.MAX_KEY_BYTES:
        raise OSSInvalidArgument(
            f"key={shortened(key, 80)!r} has {length_bytes} bytes in UTF-8: OSS allows 1 to {limits.MAX_KEY_BYTES}"
        )
    if key[0] in "/\\":
        raise OSSInvalidArgument(f"key={shortened(key, 80)!r} begins with {key[0]!r}, which OSS refuses: remove it")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """
    What was seen of a source when it was opened. For people and for part planning; never proof of its content.

    ``version`` alone may stand for the content, if the source has such a thing. Raises OSSInvalidArgument when it is
    longer than a checkpoint has room for.
    """

    name: str
    size_bytes: int | None
    """None for a stream, whose length shows only when it has been read."""
    modified_at: str | None = None
    """ISO 8601, UTC; None when the source has no such time."""
    version: str | None = None
    """
    Strong identity of the content, such as an ETag or a generation: with the same name, size and version the source has
    the same bytes. None when there is none.
    """
    changed_at: str | None = field(default=None, compare=False)
    """
    When anything of it last changed, its description too, where the source tells that; never kept. A file that is
    rewritten and given its old time of modification shows it.
    """

    def __post_init__(self) -> None:
        if self.version is not None and not 1 <= len(self.version) <= MAX_VERSION_CHARS:
            raise OSSInvalidArgument(
                f"version={self.version[:80]!r} of the source {self.name!r} has {len(self.version)} characters: use 1 "
                f"to {MAX_VERSION_CHARS}, a digest of it for instance"
            )

    def is_same_content(self, other: Fingerprint) -> bool:
        """Whether both are known to stand for the same bytes."""
        mine, others = (self.name, self.size_bytes, self.version), (other.name, other.size_bytes, other.version)
        return self.version is not None and mine == others


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of the source: what is sent as one part. Numbers begin at 1 (OSS API: UploadPart)."""

    number: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ObjectRange:
    """Bytes of an object that OSS copies itself, of the version with this ETag only. ``etag`` without quotes."""

    ref: ObjectRef
    etag: str
    offset_bytes: int
    size_bytes: int

    def __len__(self) -> int:
        return self.size_bytes


@dataclass(frozen=True, slots=True)
class StoredPart:
    """
    A part as OSS holds it, or is believed to hold it.

    Without ``crc64`` and ``etag`` it is only believed: a checkpoint says so and OSS could not be asked.
    """

    number: int
    size_bytes: int
    etag: str | None = None
    """Without quotes."""
    crc64: int | None = None
    stored_at: int | None = field(default=None, compare=False)
    """Unix seconds; None when OSS did not say. What is stored is the same whenever it was."""

    @property
    def is_only_believed(self) -> bool:
        """Whether OSS did not list it."""
        return self.etag is None and self.crc64 is None


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """What CompleteMultipartUpload and the whole object's checksum need of a part. ``etag`` without quotes."""

    number: int
    size_bytes: int
    etag: str
    crc64: int | None
    """None for a part that OSS copied itself, of which it need not return one."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What OSS said of an object when it was written or looked at. ``etag`` without quotes."""

    etag: str
    crc64: int | None
    size_bytes: int | None = None
    version_id: str | None = None
    request_id: str | None = None
    callback_response: Any = None
    """The application's JSON answer to the callback, if one was asked for."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What HeadObject returns of an object. ``etag`` without quotes, times as OSS sends them (HTTP dates)."""

    ref: ObjectRef
    size_bytes: int
    etag: str
    crc64: int | None
    content_type: str | None
    last_modified: str | None
    object_type: str | None
    storage_class: str | None
    version_id: str | None
    meta: Mapping[str, str]
    headers: Mapping[str, str]
    """All headers of the answer, names in lower case."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object of a listing. ``etag`` without quotes; ``last_modified`` in unix seconds."""

    ref: ObjectRef
    size_bytes: int
    etag: str
    last_modified: int
    storage_class: str | None


@dataclass(frozen=True, slots=True)
class ListedUpload:
    """One unfinished multipart upload of a listing. ``initiated`` in unix seconds."""

    ref: ObjectRef
    upload_id: str
    initiated: int


@dataclass(frozen=True, slots=True)
class BucketProperties:
    """What is chosen when a bucket is created. None leaves it to OSS, or to what the bucket has."""

    acl: str | None = None
    storage_class: str | None = None
    redundancy: str | None = None
    """LRS or ZRS."""


@dataclass(frozen=True, slots=True)
class BucketInfo:
    """What GetBucketInfo returns of a bucket."""

    name: str
    location: str
    """Such as oss-cn-hangzhou."""
    properties: BucketProperties


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a listing. ``next_token`` asks for the next one; None says this is the last."""

    items: tuple[Item, ...]
    prefixes: tuple[str, ...]
    next_token: Any
    last: Any
    """How far the list has got in its order, of which it is the greatest: a name, for instance. None for no entry."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    What a later attempt needs to find an upload again, and a person to see how far it is.

    It is a hint, never proof: each part is compared with what OSS lists before it counts as done.
    """

    ref: ObjectRef
    upload_id: str
    """Empty while the upload is about to be begun: what a later attempt must look for, should the id be lost."""
    part_size_bytes: int
    """Of the first part."""
    source: Fingerprint
    options_digest: str
    """options.digest() of the options that the upload was begun with: OSS fixes them at its beginning."""
    attempt: int = 1
    """How many attempts have worked on this upload."""
    done_parts: str = ""
    """Numbers of the parts known to be stored, as ranges: ``1-57,60``. May leave some out."""
    done_bytes: int = 0
    created_at: str = ""
    """ISO 8601, UTC."""
    updated_at: str = ""
    schedule: str = CONSTANT_PARTS
    """By which rule the source is cut into parts: the ``schedule`` of a plan."""
    seal: str = ""
    """Digest of what names the upload; empty in one of an earlier version of the package. See ``engine.resume``."""
    proof: str = ""
    """Digest of the parts in ``done_parts`` as they were when they were seen to be the source's; may be empty."""


@dataclass(frozen=True, slots=True)
class FoundCheckpoint:
    """A checkpoint that somebody else's task instance has saved, or what is in the place of one."""

    place: str
    """For people: which store's entry it is."""
    text: str
    """As it is stored."""
    checkpoint: Checkpoint | None
    """None when it cannot be read: then it may name any upload whose id is in the text."""
    owner: str | None
    """The task instance; None when that is not known."""
    variable_key: str | None = None
    """Of a Variable that holds nothing else, so that it can be deleted."""

    def may_name(self, ref: ObjectRef, upload_id: str) -> bool:
        """Whether it is, or cannot be excluded to be, the checkpoint of this upload."""
        if self.checkpoint is None:
            return upload_id in self.text
        return (self.checkpoint.ref, self.checkpoint.upload_id) == (ref, upload_id)


@dataclass(frozen=True, slots=True)
class Callback:
    """
    A call that OSS makes to an application when the object is stored (OSS API: Callback).

    ``custom_value`` becomes ``x:`` variables that ``body`` may name as ``${x:name}``.
    """

    url: str
    body: str
    host: str | None = None
    content_type: str = "application/x-www-form-urlencoded"
    custom_value: Mapping[str, str] = field(default_factory=dict)


def in_header(header: str, if_absent: str | None = None) -> Any:
    """
    Declare a text of ObjectDescription that a header of this name, in lower case, carries.

    :param if_absent: what an object has whose answers do not show the header.
    """
    return field(default=None, metadata={"header": header, "if_absent": if_absent})


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """
    What OSS fixes when an upload begins: one that was begun with another description cannot be continued.

    A field says which header carries it. All else follows from that: see ``options``.
    """

    mime: str | None = in_header("content-type")
    """None lets it be guessed from the key's ending."""
    meta: Mapping[str, str] = field(default_factory=dict, metadata={"prefix": "x-oss-meta-"})
    headers: Mapping[str, str] = field(default_factory=dict, metadata={"prefix": ""})
    storage_class: str | None = in_header("x-oss-storage-class", if_absent="Standard")
    tags: Mapping[str, str] = field(default_factory=dict, metadata={"header": "x-oss-tagging"})
    """The only ones that HeadObject does not show."""


@dataclass(frozen=True, slots=True)
class ObjectOptions(ObjectDescription):
    """What is stored with an object, and how. Made by ``options.parse_options`` from a user's arguments."""

    acl: str | None = None
    forbid_overwrite: bool = False
    traffic_limit_bits: int | None = None
    """Bits per second (OSS: single-connection bandwidth throttling)."""
    callback: Callback | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far an upload is.

    ``sent_bytes`` counts every part that OSS acknowledged in this attempt, one that was sent twice twice;
    ``verified_bytes`` those that an earlier attempt had stored and that proved equal to the source.
    """

    total_bytes: int | None
    """None while the end of a stream has not been read."""
    sent_bytes: int = 0
    verified_bytes: int = 0
    doubtful_bytes: int = 0
    """Of ``sent_bytes``, what is not known to be stored any more: OSS lost it, or has to be asked again."""

    @property
    def done_bytes(self) -> int:
        """Bytes of the source known to be stored."""
        return self.sent_bytes - self.doubtful_bytes + self.verified_bytes

    @property
    def fraction(self) -> float:
        """0.0 to 1.0; an empty source is done from the beginning, a stream at 0.0 until its end has been read."""
        if self.total_bytes is None:
            return 0.0
        return self.done_bytes / self.total_bytes if self.total_bytes else 1.0


@dataclass(frozen=True, slots=True)
class PartsState:
    """How far the parts of a transfer are. Numbers are written as ranges: ``1-57,60``."""

    size_bytes: int
    """Of the first part."""
    count: int | None
    """None while the end of a stream has not been read."""
    first: int = 1
    """Number of the first one: of a range of an upload, not 1."""
    stored: str = ""
    """Those known to be stored, the verified ones included."""
    verified: str = ""
    in_flight: str = ""


@dataclass(frozen=True, slots=True)
class FilesState:
    """How far a transfer of many files is."""

    total: int | None
    """None when it is not known yet."""
    sent: int = 0
    skipped: int = 0
    """Those that were there already."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class TransferState:
    """How far a transfer is, for who watches it."""

    target: str
    """Address of what is made."""
    source: str | None = None
    """Name of what it is made of; None when that has none."""
    progress: Progress | None = None
    """None when it consists of other transfers, which are watched too, and knows no more than they do."""
    skipped_bytes: int = 0
    """Of whole files that were there already; not part of ``progress``."""
    parts: PartsState | None = None
    files: FilesState | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task's work: a line for people, plain data, and an error if some of it failed."""

    def describe(self) -> str:
        """Return one line for people."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom."""
        return asdict(self)

    @property
    def has_failures(self) -> bool:
        """Whether some of it failed, where there was more than one thing to do."""
        return False

    def raise_failures(self) -> None:
        """Raise when some of it failed: OSSPermanentError when no retry can mend that, else OSSTransientError."""


@dataclass(frozen=True, slots=True)
class PlainResult(Result):
    """What is plain data by itself."""

    value: Any
    line: str

    @override
    def describe(self) -> str:
        return self.line

    @override
    def as_dict(self) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class UploadResult(Result):
    """An object that is stored and whose CRC-64 was compared with the source's."""

    bucket: str
    key: str
    uri: str
    size: int
    """Bytes."""
    etag: str
    crc64: str
    """
    Decimal, as OSS writes it: it does not fit the numbers of JSON readers that use doubles. Empty only for what OSS
    copied itself and returned none of.
    """
    version_id: str | None
    request_id: str | None
    attempts: int
    """Attempts that worked on this object, this one included."""
    resumed: bool
    """An earlier attempt's parts, or its finished object, were used."""
    bytes_sent: int
    """By this attempt, in parts that were acknowledged; one that had to be sent twice counts twice."""
    bytes_verified: int
    """Stored by an earlier attempt and proven equal to the source by this one."""
    elapsed_seconds: float
    callback_response: Any = None

    @override
    def describe(self) -> str:
        done = f"{self.size} bytes, {self.bytes_sent} of them sent and {self.bytes_verified} verified"
        return f"Stored {self.uri}: {done} in {self.elapsed_seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class CopyResult(Result):
    """An object that OSS copied itself, and whose size and CRC-64 were compared with the source's."""

    bucket: str
    key: str
    uri: str
    source_uri: str
    size: int
    """Bytes."""
    etag: str
    crc64: str | None
    """Decimal. None when OSS returned none of the source, and size and ETags alone prove the copy."""
    version_id: str | None
    request_id: str | None
    attempts: int
    """Attempts that worked on this copy, this one included."""
    resumed: bool
    """An earlier attempt's parts, or its finished copy, were used."""
    bytes_copied: int
    """By OSS in this attempt. Nothing passes through the worker."""
    bytes_verified: int
    """Copied by an earlier attempt from the same version of the source, and still there."""
    elapsed_seconds: float

    @override
    def describe(self) -> str:
        done = f"{self.size} bytes, {self.bytes_copied} of them copied and {self.bytes_verified} verified"
        return f"Copied {self.source_uri} to {self.uri}: {done} in {self.elapsed_seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class DownloadResult(Result):
    """A local file whose size and CRC-64 are the object's, where OSS returned the latter."""

    info: ObjectInfo
    """The object, as the answer described it with which the download began."""
    file_path: str
    bytes_received: int
    """By this attempt, in ranges that arrived whole; one that had to be asked for twice counts once."""
    bytes_verified: int
    """There already, from an earlier attempt or an earlier download, and found equal by this one."""
    elapsed_seconds: float

    @property
    def resumed(self) -> bool:
        """Whether something was used that was there already."""
        return self.bytes_verified > 0

    @override
    def describe(self) -> str:
        done = (
            f"{self.info.size_bytes} bytes, {self.bytes_received} of them received and {self.bytes_verified} verified"
        )
        return f"Downloaded {self.info.ref} to {self.file_path}: {done} in {self.elapsed_seconds:.1f} s"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, fit for XCom. ``crc64`` is decimal text, None when OSS returned none of the object."""
        info = self.info
        return {
            "bucket": info.ref.bucket,
            "key": info.ref.key,
            "uri": info.ref.uri,
            "file_path": self.file_path,
            "size": info.size_bytes,
            "etag": info.etag,
            "crc64": None if info.crc64 is None else str(info.crc64),
            "bytes_received": self.bytes_received,
            "bytes_verified": self.bytes_verified,
            "resumed": self.resumed,
            "elapsed_seconds": self.elapsed_seconds,
        }


_MOST_IDLE: Final = 100
"""Pages in a row that may show nothing new: OSS may look through so much that is deleted, or left out."""


def pages(ask: Callable[[Any], Page[Item]], token: Any, details: ErrorDetails) -> Iterator[Page[Item]]:
    """
    Yield the page that ``ask`` returns for ``token``, and all that follow it.

    Raises OSSBadResponse, without that page, when the list would go round. What is listed is in order, so a page gets
    further or shows nothing new: then the next token is one that was not asked for since the list last got further,
    and there are at most 100 such pages in a row.
    """
    reached: Any = None
    idle: list[Any] = []
    while token is not None:
        page = ask(token)
        idle.append(token)
        if page.last is not None and (reached is None or page.last > reached):
            reached, idle = page.last, [token]
        if page.next_token in idle or len(idle) > _MOST_IDLE:
            raise OSSBadResponse(f"the list does not end: no page gets past {reached!r}", details)
        yield page
        token = page.next_token
