"""Forgotten multipart uploads, found and aborted; what decides is in ``stale``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from airflow_provider_oss.exceptions import OSSAccessDenied, OSSNoSuchUpload
from airflow_provider_oss.model import FoundCheckpoint, KeyPrefix, ListedUpload, ObjectRef, StoredPart
from airflow_provider_oss.ports import CheckpointDirectory
from airflow_provider_oss.transfer.stale import (
    Activity,
    Fate,
    activity,
    checkpoints_of,
    fate,
    is_live,
    without_upload,
)

log = logging.getLogger(__name__)

_LOGGED: Final = 1000
_SHOWN: Final = 10


class MultipartClient(Protocol):
    """What of a client is needed here."""

    def list_parts(self, ref: ObjectRef, upload_id: str) -> Sequence[StoredPart]:
        """Return all stored parts; OSSNoSuchUpload when the upload is gone."""

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        """Drop the upload and its parts; OSSNoSuchUpload when it is gone."""


@dataclass(frozen=True, slots=True)
class StaleUploadsResult:
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
    """In the parts of those that stay; not counted are those that were begun recently, and where OSS does not tell."""
    variables_removed: int
    first: list[dict[str, Any]]
    """The first ten that were aborted: key, upload_id, initiated, bytes."""
    unseen_stores: list[str]
    """The stores whose checkpoints could not be seen: uploads named there are protected by their age alone."""
    dry_run: bool


class StaleUploads:
    """
    One look at the unfinished uploads below a prefix.

    An upload that is completed or aborted meanwhile is fine. An attempt that comes back and finds its upload gone
    begins anew. So whatever interrupts this, a later look does the rest.
    """

    def __init__(
        self,
        below: KeyPrefix,
        client: MultipartClient,
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
            if decided is Fate.FORGOTTEN:
                self._abort(upload, size_bytes)
        except OSSNoSuchUpload:
            return
        self._note(upload, decided, size_bytes)
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

    def _abort(self, upload: ListedUpload, size_bytes: int) -> None:
        if not self._dry_run:
            self._client.abort_multipart_upload(upload.ref, upload.upload_id)
        if len(self._first) < _SHOWN:
            initiated = datetime.fromtimestamp(upload.initiated, UTC).isoformat()
            self._first.append(
                {"key": upload.ref.key, "upload_id": upload.upload_id, "initiated": initiated, "bytes": size_bytes}
            )

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
