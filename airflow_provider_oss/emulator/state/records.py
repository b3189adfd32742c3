"""What the store remembers, as frozen data with a JSON form. Times are seconds since the epoch, sizes bytes."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AbortRule:
    """A lifecycle rule that ends uploads of keys with the prefix: after so many days, or all that began before."""

    rule_id: str
    prefix: str
    is_enabled: bool
    days: int = 0
    """0 when the rule has a date."""
    created_before: str = ""
    """A midnight of UTC as XML has it, "" when the rule has days."""


@dataclass(frozen=True, slots=True)
class BucketRecord:
    """A bucket, as it was created."""

    name: str
    created_at: float
    acl: str = "private"
    storage_class: str = "Standard"
    redundancy: str = "LRS"
    blocks_public_access: bool = False
    """Whether public ACLs are refused, and ignored where they are; a bucket of an earlier version has no such word."""
    versioning: str = ""
    """Enabled or Suspended, "" where it never was enabled."""
    tags: Pairs = ()
    policy: str = ""
    """As the client wrote it, "" for none."""
    abort_rules: tuple[AbortRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client says about an object when it writes it."""

    content_type: str = "application/octet-stream"
    http_headers: Pairs = ()
    """Cache-Control, Content-Disposition, Content-Encoding, Content-Language and Expires, where given."""
    user: Pairs = ()
    """``x-oss-meta-*`` with lower-case full names; values are header texts."""
    storage_class: str = "Standard"
    acl: str = "default"
    encryption: Pairs = ()
    """The headers of server-side encryption, to be echoed."""
    tags: Pairs = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an object: a whole blob."""

    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object. The ETag is without quotes."""

    bucket: str
    key: str
    size: int
    etag: str
    crc64: int
    kind: str
    """Normal, Multipart, Appendable or Symlink."""
    modified_at: float
    segments: tuple[Segment, ...]
    metadata: Metadata = field(default_factory=Metadata)
    md5_base64: str = ""
    upload_id: str = ""
    """The upload this object came from: it shows after a kill that the upload is already complete."""
    version_id: str = ""
    """Hexadecimal digits, "" for the version that was written without versioning: OSS calls it ``null``."""
    sequence: int = 0
    """Higher than that of the versions that this one was put on."""
    is_delete_marker: bool = False
    symlink_target: str = ""
    """The key that a symbolic link stands for, "" for what is none."""


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A multipart upload in progress."""

    bucket: str
    key: str
    upload_id: str
    initiated_at: float
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part that has been stored whole. The ETag is without quotes."""

    number: int
    segment: Segment
    etag: str
    crc64: int
    modified_at: float

    @property
    def size(self) -> int:
        """Bytes of the part."""
        return self.segment.size


_BLOB: Final = re.compile(r"[0-9a-f]{32}")
_TYPES: dict[Any, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}
"""What a field may hold, by its annotation."""

_Record = TypeVar("_Record", AbortRule, BucketRecord, Metadata, Segment, ObjectRecord, UploadRecord, PartRecord)


# The inverses of ``record_to_json``. Each raises ValueError, TypeError or KeyError for what is no such record.


def bucket_from_json(data: dict[str, Any]) -> BucketRecord:
    """Return a bucket's record from its JSON data."""
    values = {"tags": (), "abort_rules": (), **data}
    tags = tuple((key, value) for key, value in values["tags"])
    rules = tuple(_checked(AbortRule(**rule)) for rule in values["abort_rules"])
    return _checked(BucketRecord(**{**values, "tags": tags, "abort_rules": rules}))


def object_from_json(data: dict[str, Any]) -> ObjectRecord:
    """Return an object's record from its JSON data."""
    segments = tuple(_segment(pair) for pair in data["segments"])
    return _checked(ObjectRecord(**{**data, "segments": segments, "metadata": _metadata(data["metadata"])}))


def upload_from_json(data: dict[str, Any]) -> UploadRecord:
    """Return an upload's record from its JSON data."""
    return _checked(UploadRecord(**{**data, "metadata": _metadata(data["metadata"])}))


def part_from_json(data: dict[str, Any]) -> PartRecord:
    """Return a part's record from its JSON data."""
    return _checked(PartRecord(**{**data, "segment": _segment(data["segment"])}))


def record_to_json(record: BucketRecord | ObjectRecord | UploadRecord | PartRecord) -> dict[str, Any]:
    """Return a record as plain JSON data; a segment is ``[blob, size]``, for an object may have 10,000 of them."""
    return {entry.name: _plain(getattr(record, entry.name)) for entry in fields(record)}


def _plain(value: object) -> object:
    if isinstance(value, Metadata | AbortRule):
        return asdict(value)
    if isinstance(value, Segment):
        return [value.blob, value.size]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _metadata(data: dict[str, Any]) -> Metadata:
    pairs = {
        name: tuple((key, value) for key, value in data[name])
        for name in ("http_headers", "user", "encryption", "tags")
    }
    return _checked(Metadata(**{**data, **pairs}))


def _segment(pair: list[Any]) -> Segment:
    """Return the segment. Its blob is a file, which is removed some day: no other name than a blob's will do."""
    segment = _checked(Segment(*pair))
    if not _BLOB.fullmatch(segment.blob):
        raise ValueError(f"{segment.blob!r} is not the name of a blob")
    return segment


def _checked(record: _Record) -> _Record:
    """Return the record. Raises TypeError when a text or a number in it is none."""
    for entry in fields(record):
        value, expected = getattr(record, entry.name), _TYPES.get(entry.type)
        if expected is not None and not isinstance(value, expected):
            raise TypeError(f"{entry.name} is no {entry.type} but {value!r}")
    return record
