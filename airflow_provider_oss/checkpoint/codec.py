"""Checkpoints to plain JSON data and back. What is read is checked: people can edit Variables, XComs and task state."""

from __future__ import annotations

import hashlib
import json
from base64 import b85decode, b85encode
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.model import CONSTANT_PARTS, Checkpoint, Fingerprint, FoundCheckpoint, ObjectRef
from airflow_provider_oss.shown import Log

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

log = Log(__name__)

VERSION: Final = 1
MAX_RECORD_CHARS: Final = 2048
"""
Of a record as ASCII JSON with spaces after commas and colons, the longest form in which any store of ours writes it.

What a deployment adds by encrypting its Variables comes on top.
"""
_MAX_PLAIN_KEY_CHARS: Final = 1279
"""As JSON: no less than base85 makes of any key, so what is longer is shorter in base85."""
_LEAST_SHARED_CHARS: Final = 180
"""What a version leaves to owner, source name and done parts."""
_OWNER_MARK_CHARS: Final = 8
TRANSFER: Final = "transfer"
"""
Where in an entry the record of the transfer is. Beyond MAX_RECORD_CHARS: it has a bound of its own. Earlier versions of
the package do not look at it.
"""
_MAX_NAME_CHARS: Final = 256
_MAX_DONE_PARTS_CHARS: Final = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store of this package holds: a checkpoint, and beside it how far the task's transfer is, for people."""

    checkpoint: Checkpoint
    transfer: Any = None
    """Plain data; None when there is none. Not checked here: whatever it is, the checkpoint beside it is good."""


class EntryStore:
    """A CheckpointStore whose entry has room for the record of the transfer."""

    __slots__ = ()

    def load_entry(self) -> Entry | None:
        """Return what was saved last, or None. Raises as ``load`` does."""
        raise NotImplementedError

    def save_entry(self, entry: Entry) -> None:
        """Replace what was saved. Raises as ``save`` does."""
        raise NotImplementedError

    def delete(self) -> None:
        """Remove what was saved."""
        raise NotImplementedError

    def load(self) -> Checkpoint | None:
        """Return the saved checkpoint, if any. Raises when Airflow cannot be asked, or does not give what is there."""
        entry = self.load_entry()
        return None if entry is None else entry.checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace what was saved. Raises when Airflow did not take it."""
        self.save_entry(Entry(checkpoint))


def encode_entry(entry: Entry, owner: str) -> dict[str, Any]:
    """Return an entry as plain data: that of the checkpoint, with the record of the transfer in it, if there is one."""
    record = encode(entry.checkpoint, owner)
    return record if entry.transfer is None else {**record, TRANSFER: entry.transfer}


def decode_entry(data: Any, owner: str) -> Entry:
    """Return the entry in ``data``. Raises as ``decode`` does."""
    record = _checked(data)
    if record.get("owner_digest", _digest(record["owner"])) != _digest(owner):
        raise OSSCheckpointUnreadable(f"checkpoint belongs to {record['owner']!r}, not to {owner!r}")
    return Entry(_checkpoint(record, data, owner), record.get(TRANSFER))


def encode(checkpoint: Checkpoint, owner: str) -> dict[str, Any]:
    """
    Return the checkpoint as plain data, marked as belonging to ``owner``: at most MAX_RECORD_CHARS, usually 0.6 KB.

    What decisions need is always whole; a key that JSON would blow up is written in base85. What is left is shared:
    owner and source name may lose their beginnings (the owner is then recognised by a digest), and of the done parts
    the shortest ranges are left out. They only matter where OSS may not be asked for the stored parts: those left out
    are sent again then. A version of the source that finds no room beside a very long key is left out as well: the
    stored parts are read then.
    """
    record: dict[str, Any] = {
        "version": VERSION,
        "upload_id": checkpoint.upload_id,  # in front, where the excerpt of an unreadable record shows it
        "owner": "",
        "bucket": checkpoint.ref.bucket,
        "key": _encoded_key(checkpoint.ref.key),
        "part_size": checkpoint.part_size_bytes,
        "source": {"name": "", "size": checkpoint.source.size_bytes, "modified_at": checkpoint.source.modified_at},
        "options": checkpoint.options_digest,
        "attempt": checkpoint.attempt,
        "done_parts": "",
        "done_bytes": checkpoint.done_bytes,
        "created_at": checkpoint.created_at,
        "updated_at": checkpoint.updated_at,
    }
    if checkpoint.schedule != CONSTANT_PARTS:
        record["schedule"] = checkpoint.schedule
    if checkpoint.seal:
        record["seal"] = checkpoint.seal + _owner_mark(checkpoint.seal, owner)
    _add_version(record, checkpoint.source.version)
    third = (MAX_RECORD_CHARS - len(json.dumps(record))) // 3
    record |= _owner_fields(owner, third)
    record["source"]["name"] = _ending(_sendable(checkpoint.source.name)[-_MAX_NAME_CHARS:], third)
    _add_done_parts(record, checkpoint)
    return record


def _add_done_parts(record: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Add as many as there is room for; the proof, which is for all of them, where all are there and a version is."""
    proven = {"proof": checkpoint.proof, "done_parts": checkpoint.done_parts}
    is_short = len(checkpoint.done_parts) <= _MAX_DONE_PARTS_CHARS
    has_room = is_short and len(json.dumps(record | proven)) <= MAX_RECORD_CHARS
    if checkpoint.proof and has_room and "version" in record["source"]:
        record |= proven
        return
    room_chars = min(MAX_RECORD_CHARS - len(json.dumps(record)), _MAX_DONE_PARTS_CHARS)
    record["done_parts"] = longest_ranges(checkpoint.done_parts, room_chars)


def _owner_mark(seal: str, owner: str) -> str:
    """Return what ties a seal to its owner: the checkpoint of another task names an upload that is none of ours."""
    return _digest(f"{seal} {owner}")[:_OWNER_MARK_CHARS]


def _seal(record: dict[str, Any], owner: str) -> str:
    """Return the checkpoint's seal. One that is not this owner's comes whole, and so fits to nothing."""
    text: str = record.get("seal", "")
    seal, mark = text[:-_OWNER_MARK_CHARS], text[-_OWNER_MARK_CHARS:]
    return seal if text and mark == _owner_mark(seal, owner) else text


def _add_version(record: dict[str, Any], version: str | None) -> None:
    """Add the version if that leaves room for the rest: without it the source is read again, and that is all."""
    if version is None:
        return
    source = record["source"] | {"version": version}
    if len(json.dumps(record | {"source": source})) <= MAX_RECORD_CHARS - _LEAST_SHARED_CHARS:
        record["source"] = source


def _encoded_key(key: str) -> str | dict[str, str]:
    return key if _json_chars(key) <= _MAX_PLAIN_KEY_CHARS else {"base85": b85encode(key.encode()).decode()}


def _owner_fields(owner: str, room_chars: int) -> dict[str, str]:
    if _json_chars(owner) <= room_chars:
        return {"owner": owner}
    digest = {"owner_digest": _digest(owner)}
    return {"owner": _ending(owner, room_chars - len(json.dumps(digest))), **digest}


def _ending(text: str, room_chars: int) -> str:
    """Return as much of the end of the text as JSON writes in so many characters."""
    if room_chars <= 0:
        return ""
    text = text[-room_chars:]
    while _json_chars(text) > room_chars:
        text = text[1:]
    return text


def _sendable(name: str) -> str:
    """Return the name of a file as UTF-8 can hold it: the name may be no UTF-8, and Airflow sends nothing else."""
    return name.encode("utf-8", "backslashreplace").decode()


def longest_ranges(text: str, room_chars: int) -> str:
    """Return the ranges that name the most parts, in their order, as many as there is room for."""
    if len(text) <= room_chars:
        return text
    ranges = text.split(",")
    kept: list[int] = []
    for index in sorted(range(len(ranges)), key=lambda index: _parts_in(ranges[index]), reverse=True):
        room_chars -= len(ranges[index]) + 1
        if room_chars < -1:  # the last one has no comma behind it
            break
        kept.append(index)
    return ",".join(ranges[index] for index in sorted(kept))


def _parts_in(item: str) -> int:
    first, _, last = item.partition("-")
    return int(last or first) - int(first)


def _json_chars(text: str) -> int:
    return len(json.dumps(text)) - 2


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def decode(data: Any, owner: str) -> Checkpoint:
    """
    Return the checkpoint in ``data``, which may also be its JSON text.

    Raises OSSCheckpointUnreadable when it does not follow the schema, or belongs to another owner: its upload is then
    none of ours, and neither continued nor aborted.
    """
    return decode_entry(data, owner).checkpoint


def decode_any(data: Any) -> tuple[Checkpoint, str | None]:
    """
    Return the checkpoint in ``data``, which may also be its JSON text, with its owner; None when that was shortened.

    Raises OSSCheckpointUnreadable when it does not follow the schema.
    """
    record = _checked(data)
    owner = record["owner"]
    is_whole = record.get("owner_digest", _digest(owner)) == _digest(owner)
    return _checkpoint(record, data, owner), owner if is_whole else None


def found(place: str, value: Any, variable_key: str | None = None) -> FoundCheckpoint:
    """Return what a value in a store says of somebody's upload; what is no checkpoint is logged."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        checkpoint, owner = decode_any(value)
    except OSSCheckpointUnreadable as error:
        log.warning("%s is no checkpoint that can be read, and left as it is: %s", place, error)
        return FoundCheckpoint(place, text, None, None, variable_key)
    return FoundCheckpoint(place, text, checkpoint, owner, variable_key)


def _checked(data: Any) -> Any:
    record = _parse(data)
    errors = sorted(_validator().iter_errors(record), key=lambda error: list(error.absolute_path))
    if errors:
        where = "/".join(str(step) for step in errors[0].absolute_path) or "the whole"
        raise OSSCheckpointUnreadable(f"checkpoint, {where}: {errors[0].message[:200]}; it reads {_excerpt(data)}")
    return record


def _checkpoint(record: dict[str, Any], data: Any, owner: str) -> Checkpoint:
    try:
        return _made(record, owner)
    except ValueError as error:
        raise OSSCheckpointUnreadable(f"checkpoint: {error}; it reads {_excerpt(data)}") from error


def _made(record: dict[str, Any], owner: str) -> Checkpoint:
    return Checkpoint(
        ref=ObjectRef(record["bucket"], _decoded_key(record["key"])),
        upload_id=record["upload_id"],
        part_size_bytes=int(record["part_size"]),  # JSON Schema takes 1.0 for an integer
        source=_fingerprint(record["source"]),
        options_digest=record["options"],
        attempt=int(record["attempt"]),
        done_parts=record["done_parts"],
        done_bytes=int(record.get("done_bytes", 0)),
        created_at=_checked_time(record.get("created_at", ""), is_needed=not record["upload_id"]),
        updated_at=record.get("updated_at", ""),
        schedule=record.get("schedule", CONSTANT_PARTS),
        seal=_seal(record, owner),
        proof=record.get("proof", ""),
    )


def _fingerprint(source: dict[str, Any]) -> Fingerprint:
    size = source["size"]
    return Fingerprint(
        source["name"], None if size is None else int(size), source.get("modified_at"), source.get("version")
    )


def _decoded_key(key: str | dict[str, str]) -> str:
    return key if isinstance(key, str) else b85decode(key["base85"]).decode()


def _checked_time(text: str, *, is_needed: bool) -> str:
    """Return the text. Raises ValueError unless it is a time in ISO 8601 with its offset to UTC, or absent."""
    try:
        is_time = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        is_time = False
    if (text or is_needed) and not is_time:
        raise ValueError(f"created_at={text!r} is no time in ISO 8601 with its offset to UTC")
    return text


def _parse(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OSSCheckpointUnreadable(f"checkpoint is no JSON ({error}); it reads {_excerpt(data)}") from error


def _excerpt(data: Any) -> str:
    """Return the beginning of what was read: it may hold the id of an upload that someone wants to abort."""
    return repr(data)[:600]


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator

    text = resources.files(__package__).joinpath("checkpoint.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))
