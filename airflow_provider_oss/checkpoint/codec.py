"""Checkpoint to plain JSON data and back. What is read is checked: people can edit Variables, XComs and task state."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

VERSION: Final = 1
_MAX_NAME_CHARS: Final = 256


def encode(checkpoint: Checkpoint, owner: str) -> dict[str, Any]:
    """Return the checkpoint as plain data of about 1 KB, marked as belonging to ``owner``."""
    return {
        "version": VERSION,
        "owner": owner,
        "bucket": checkpoint.ref.bucket,
        "key": checkpoint.ref.key,
        "upload_id": checkpoint.upload_id,
        "part_size": checkpoint.part_size_bytes,
        "source": {
            "name": checkpoint.source.name[-_MAX_NAME_CHARS:],
            "size": checkpoint.source.size_bytes,
            "modified_at": checkpoint.source.modified_at,
        },
        "options": checkpoint.options_digest,
        "attempt": checkpoint.attempt,
        "done_parts": checkpoint.done_parts,
        "done_bytes": checkpoint.done_bytes,
        "created_at": checkpoint.created_at,
        "updated_at": checkpoint.updated_at,
    }


def decode(data: Any, owner: str) -> Checkpoint:
    """
    Return the checkpoint in ``data``, which may also be its JSON text.

    Raises OSSCheckpointUnreadable when it does not follow the schema, or belongs to another owner: its upload is then
    none of ours, and neither continued nor aborted.
    """
    record = _parse(data)
    errors = sorted(_validator().iter_errors(record), key=lambda error: list(error.absolute_path))
    if errors:
        where = "/".join(str(step) for step in errors[0].absolute_path) or "the whole"
        raise OSSCheckpointUnreadable(f"checkpoint, {where}: {errors[0].message[:200]}; it reads {_excerpt(data)}")
    if record["owner"] != owner:
        raise OSSCheckpointUnreadable(f"checkpoint belongs to {record['owner']!r}, not to {owner!r}")
    try:
        return _checkpoint(record)
    except ValueError as error:
        raise OSSCheckpointUnreadable(f"checkpoint: {error}; it reads {_excerpt(data)}") from error


def _checkpoint(record: dict[str, Any]) -> Checkpoint:
    source = record["source"]
    return Checkpoint(
        ref=ObjectRef(record["bucket"], record["key"]),
        upload_id=record["upload_id"],
        part_size_bytes=int(record["part_size"]),  # JSON Schema takes 1.0 for an integer
        source=Fingerprint(source["name"], int(source["size"]), source.get("modified_at")),
        options_digest=record["options"],
        attempt=int(record["attempt"]),
        done_parts=record["done_parts"],
        done_bytes=int(record.get("done_bytes", 0)),
        created_at=_checked_time(record.get("created_at", ""), is_needed=not record["upload_id"]),
        updated_at=record.get("updated_at", ""),
    )


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
