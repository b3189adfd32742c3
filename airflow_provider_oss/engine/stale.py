"""
Multipart uploads that nobody continues any more: which those are, and how they are aborted.

The rule: an upload is forgotten when nothing happened to it for some time, and no live checkpoint names it. A
checkpoint is live while its task instance may run again, and for the same time after it was last saved: a person may
clear a failed task, whose next attempt then continues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from typing_extensions import override

from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchUpload
from airflow_provider_oss.model import (
    Checkpoint,
    FoundCheckpoint,
    KeyPrefix,
    ListedUpload,
    ObjectRef,
    Result,
    StoredPart,
)
from airflow_provider_oss.ports import CheckpointDirectory, ObjectClient
from airflow_provider_oss.shown import MOST_NAMED, Log

log = Log(__name__)

_LOGGED: Final = 1000


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
    """What is known of an upload by its parts."""

    size_bytes: int
    last_seen: int | None
    """When it was begun or a part was stored, whichever is later, in unix seconds; None when OSS did not say."""


def activity(upload: ListedUpload, parts: Iterable[StoredPart]) -> Activity:
    """Return what these, all its parts, show."""
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


# How they are aborted


@dataclass(frozen=True, slots=True)
class StaleUploadsResult(Result):
    """What was found and done. All but the counters of what is gone holds for a dry run too, as if it were done."""

    bucket: str
    prefix: str
    uploads: int
    """Unfinished uploads that were listed."""
    aborted: int
    bytes: int
    """In the parts of those that were aborted."""
    kept: dict[str, int]
    """How many stay for which reason: recent, checkpoint, unknown."""
    kept_bytes: int
    """In the parts of those that stay, but for those that were begun recently, and where OSS does not say when."""
    variables_removed: int
    first: list[dict[str, Any]]
    """The first ten that were aborted: key, upload_id, initiated, bytes, owner (the task instance that began it, None
    where no checkpoint that can be read says so)."""
    kept_first: list[dict[str, Any]]
    """The first ten that stay, but for those that were begun recently: the same, and the reason."""
    unseen_stores: list[str]
    """The stores whose checkpoints could not be seen: uploads named there are protected by their age alone."""
    dry_run: bool

    @override
    def describe(self) -> str:
        aborted, removed = ("Would have aborted", "would have removed") if self.dry_run else ("Aborted", "removed")
        return (
            f"{aborted} {self.aborted} of {self.uploads} unfinished uploads with {self.bytes} bytes, "
            f"{removed} {self.variables_removed} checkpoint Variables; kept: {self.kept or 'none'}"
        )


class StaleUploads:
    """
    One look at the unfinished uploads below a prefix.

    An upload that is completed or aborted meanwhile is fine. An attempt that comes back and finds its upload gone
    begins anew. So whatever interrupts this, a later look does the rest.
    """

    def __init__(
        self,
        below: KeyPrefix,
        client: ObjectClient,
        checkpoints: CheckpointDirectory,
        cutoff: float,
        *,
        dry_run: bool,
    ) -> None:
        self._below = below
        self._client = client
        self._checkpoints = checkpoints
        self._cutoff = cutoff
        self._dry_run = dry_run
        self._fates: Counter[Fate] = Counter()
        self._bytes: Counter[Fate] = Counter()
        self._first: list[dict[str, Any]] = []
        self._kept_first: list[dict[str, Any]] = []
        self._variables_removed = 0

    def run(self, uploads: Sequence[ListedUpload]) -> StaleUploadsResult:
        """Abort what is forgotten of these, all that there are below the prefix, and forget their checkpoints."""
        found = self._checkpoints.find()  # after the uploads were listed: each has had its checkpoint by now
        for upload in uploads:
            self._treat(upload, found)
        for orphan in without_upload(found, uploads, self._below.bucket, self._below.prefix):
            self._forget_orphan(orphan)
        kept = {reason: count for reason, count in self._fates.items() if reason is not Fate.FORGOTTEN}
        return StaleUploadsResult(
            bucket=self._below.bucket,
            prefix=self._below.prefix,
            uploads=len(uploads),
            aborted=self._fates[Fate.FORGOTTEN],
            bytes=self._bytes[Fate.FORGOTTEN],
            kept={reason.value: count for reason, count in kept.items()},
            kept_bytes=sum(self._bytes[reason] for reason in kept),
            variables_removed=self._variables_removed,
            first=self._first,
            kept_first=self._kept_first,
            unseen_stores=list(self._checkpoints.unseen),
            dry_run=self._dry_run,
        )

    def _treat(self, upload: ListedUpload, found: Sequence[FoundCheckpoint]) -> None:
        if upload.initiated > self._cutoff:
            self._fates[Fate.RECENT] += 1
            return
        names = checkpoints_of(upload, found)
        try:
            seen = self._activity(upload)
            is_named = any(is_live(one, is_over=self._is_over(one), cutoff=self._cutoff) for one in names)
            decided = fate(seen, is_named=is_named, cutoff=self._cutoff)
            size_bytes = 0 if seen is None else seen.size_bytes
            if decided is Fate.FORGOTTEN and not self._dry_run:
                self._client.abort_multipart_upload(upload.ref, upload.upload_id)
        except OSSNoSuchUpload:
            return
        self._note(upload, decided, size_bytes)
        self._name(upload, decided, size_bytes, next((one.owner for one in names if one.owner), None))
        if decided is Fate.FORGOTTEN:
            for one in names:
                self._forget(one)

    def _activity(self, upload: ListedUpload) -> Activity | None:
        try:
            return activity(upload, self._client.list_parts(upload.ref, upload.upload_id))
        except OSSAccessDenied as error:
            if not self._fates[Fate.UNKNOWN]:
                log.warning("When a part was last stored cannot be found out, so such uploads stay: %s", error)
            return None

    def _is_over(self, found: FoundCheckpoint) -> bool:
        return found.checkpoint is not None and self._checkpoints.is_over(found)

    def _name(self, upload: ListedUpload, decided: Fate, size_bytes: int, owner: str | None) -> None:
        """Name it in the result, while there is room."""
        shown = {
            "key": upload.ref.key,
            "upload_id": upload.upload_id,
            "initiated": datetime.fromtimestamp(upload.initiated, UTC).isoformat(),
            "bytes": size_bytes,
            "owner": owner,
        }
        if decided is Fate.FORGOTTEN:
            self._first += [shown][: MOST_NAMED - len(self._first)]
        else:
            self._kept_first += [shown | {"reason": decided.value}][: MOST_NAMED - len(self._kept_first)]

    def _note(self, upload: ListedUpload, decided: Fate, size_bytes: int) -> None:
        self._fates[decided] += 1
        self._bytes[decided] += size_bytes
        if decided is Fate.FORGOTTEN:
            done = "would be aborted" if self._dry_run else "aborted"
        else:
            done = f"stays ({decided.value})"
        if self._fates.total() - self._fates[Fate.RECENT] <= _LOGGED:
            log.info("%s, upload %s, %d bytes: %s", upload.ref, upload.upload_id, size_bytes, done)

    def _forget_orphan(self, orphan: FoundCheckpoint) -> None:
        """Forget a checkpoint of no use to anybody: its upload is gone, and its task instance does not run."""
        assert orphan.checkpoint is not None  # noqa: S101 - without_upload says so
        if not self._checkpoints.is_over(orphan):
            return
        ref, upload_id = orphan.checkpoint.ref, orphan.checkpoint.upload_id
        if not upload_id:
            # An upload was about to be begun: the next attempt looks for it, should its id have been lost
            is_of_use = is_live(orphan, is_over=True, cutoff=self._cutoff)
        else:
            is_of_use = not self._is_gone(ref, upload_id)
        if not is_of_use:
            self._forget(orphan)

    def _is_gone(self, ref: ObjectRef, upload_id: str) -> bool:
        """Whether there is no such upload: it may have been begun since the uploads were listed."""
        try:
            self._client.list_parts(ref, upload_id)
        except OSSNoSuchUpload:
            return True
        except OSSAccessDenied:
            return False
        return False

    def _forget(self, found: FoundCheckpoint) -> None:
        if found.variable_key is None:
            return
        if self._dry_run or self._checkpoints.forget(found):
            self._variables_removed += 1
            log.info("%s, %s", found.place, "would be removed" if self._dry_run else "removed")
