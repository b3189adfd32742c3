"""
Which unfinished multipart uploads nobody continues any more. Pure.

The rule: an upload is forgotten when nothing happened to it for some time, and no live checkpoint names it. A
checkpoint is live while its task instance may run again, and for the same time after it was last saved: a person may
clear a failed task, whose next attempt then continues.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from airflow_provider_oss.model import Checkpoint, FoundCheckpoint, ListedUpload, StoredPart


class Fate(Enum):
    """What becomes of an upload. The values are the words of the operator's result."""

    FORGOTTEN = "forgotten"
    """It is aborted."""
    RECENT = "recent"
    """It was begun, or a part of it was stored, too short a time ago."""
    CHECKPOINT = "checkpoint"
    """A live checkpoint names it."""
    UNKNOWN = "unknown"
    """When something last happened to it cannot be found out."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the parts of an upload tell."""

    size_bytes: int
    last_seen: int | None
    """When it was begun or a part was stored, whichever is later, in unix seconds; None when OSS did not tell."""


def activity(upload: ListedUpload, parts: Iterable[StoredPart]) -> Activity:
    """Return what these, all its parts, tell."""
    size_bytes, last_seen = 0, upload.initiated
    is_known = True
    for part in parts:
        size_bytes += part.size_bytes
        is_known = is_known and part.stored_at is not None
        last_seen = max(last_seen, part.stored_at or 0)
    return Activity(size_bytes, last_seen if is_known else None)


def fate(seen: Activity | None, *, is_named: bool, cutoff: float) -> Fate:
    """
    Return what is to become of an upload.

    :param seen: None when its parts may not be listed.
    :param is_named: a live checkpoint names it.
    :param cutoff: what was last seen later than this, in unix seconds, is recent.
    """
    if is_named:
        return Fate.CHECKPOINT
    if seen is None or seen.last_seen is None:
        return Fate.UNKNOWN
    return Fate.RECENT if seen.last_seen > cutoff else Fate.FORGOTTEN


def is_live(found: FoundCheckpoint, *, is_over: bool, cutoff: float) -> bool:
    """Whether somebody may still continue what the checkpoint names. ``is_over``: its task instance does not."""
    if found.checkpoint is None or not is_over:
        return True
    saved = _saved_at(found.checkpoint)
    return saved is None or saved > cutoff


def checkpoints_of(upload: ListedUpload, found: Sequence[FoundCheckpoint]) -> list[FoundCheckpoint]:
    """Return the checkpoints that name the upload, or may do."""
    return [one for one in found if one.may_name(upload.ref, upload.upload_id)]


def without_upload(
    found: Sequence[FoundCheckpoint], uploads: Sequence[ListedUpload], bucket: str, prefix: str
) -> list[FoundCheckpoint]:
    """Return the readable checkpoints of uploads below the prefix that a complete listing of it does not have."""
    listed = {(upload.ref, upload.upload_id) for upload in uploads}
    return [
        one
        for one in found
        if one.checkpoint is not None
        and one.checkpoint.ref.bucket == bucket
        and one.checkpoint.ref.key.startswith(prefix)
        and (one.checkpoint.ref, one.checkpoint.upload_id) not in listed
    ]


def _saved_at(checkpoint: Checkpoint) -> float | None:
    """Return when it was last saved, in unix seconds; None when it does not say."""
    for text in (checkpoint.updated_at, checkpoint.created_at):
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            continue
        if time.tzinfo is not None:
            return time.timestamp()
    return None
