"""
Every upload id has an owner: here uploads are begun, aborted, and found again when their id was lost.

An id is lost when OSS begins an upload and its answer does not arrive, or when the process dies before it could save
it. So the *intent* to begin is saved first: a checkpoint without an id. Whoever finds one looks for uploads of the same
key that were begun since and hold no part; they are nobody's, and aborted.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Final

from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCredentialsExpired,
    OSSCredentialsUnavailable,
    OSSNoSuchUpload,
    OSSPermanentError,
    OSSProviderError,
)
from airflow_provider_oss.model import Checkpoint, Fingerprint, ListedUpload, ObjectOptions, ObjectRef
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import CheckpointStore, Clock, ObjectClient
from airflow_provider_oss.transfer.keeper import CheckpointKeeper
from airflow_provider_oss.transfer.plan import Plan

log = logging.getLogger(__name__)

_NOTHING_BEGUN: Final = (OSSPermanentError, OSSCredentialsExpired, OSSCredentialsUnavailable)
"""How Initiate fails when OSS has begun no upload."""
_CLOCK_TOLERANCE_SECONDS: Final = 15 * 60
"""How far OSS's clock may be from ours: it refuses requests beyond."""


def abandon(store: CheckpointStore, client: ObjectClient, clock: Clock) -> None:
    """
    Abort the upload that a store's checkpoint names, if there is one, and delete the checkpoint. See ``drop``.

    A checkpoint that cannot be read is shown by the log and deleted.
    """
    keeper = CheckpointKeeper(store, 0, clock)
    saved = keeper.load()
    if saved is None:
        keeper.delete()
    else:
        UploadIds(saved.ref, ObjectOptions(), client, keeper, clock).drop(saved)


class UploadIds:
    """Begins and ends the uploads of one object for one attempt."""

    def __init__(
        self, ref: ObjectRef, options: ObjectOptions, client: ObjectClient, keeper: CheckpointKeeper, clock: Clock
    ) -> None:
        self._ref = ref
        self._options = options
        self._client = client
        self._keeper = keeper
        self._clock = clock
        self._answers_lost = False

    def note_lost_answer(self) -> None:
        """Remember that a call to begin an upload failed in a way that may have begun one."""
        self._answers_lost = True

    def begin(self, plan: Plan, source: Fingerprint, attempt: int) -> Checkpoint:
        """
        Begin an upload and return its checkpoint, saved.

        Raises OSSCheckpointNotSaved when the store fails; then no upload is left.
        """
        now = self._clock.utc_now()
        intent = Checkpoint(
            ref=self._ref,
            upload_id="",
            part_size_bytes=plan.part_size_bytes,
            source=source,
            options_digest=digest(self._options),
            attempt=attempt,
            created_at=now,
            updated_at=now,
            schedule=plan.schedule,
        )
        self._keeper.save_first(intent)
        checkpoint = self._initiate(intent)
        try:
            self._keeper.save_first(checkpoint)
        except BaseException:
            self.clean_up(checkpoint)
            raise
        log.info("%s: began upload %s: %s", self._ref, checkpoint.upload_id, plan)
        return checkpoint

    def drop(self, checkpoint: Checkpoint) -> None:
        """
        Abort the upload that the checkpoint names, or the one it was about to name, and delete the checkpoint.

        Where aborting is forbidden, or can never work, the log names the upload that is left. When it fails otherwise
        the error is raised and the checkpoint stays, for a later attempt to drop.
        """
        if checkpoint.upload_id:
            self._abort(checkpoint)
        else:
            self._abort_lost(checkpoint, keep=None)
        self._keeper.delete()

    def clean_up(self, checkpoint: Checkpoint) -> None:
        """Drop after an error that is about to be raised: what fails now is only logged."""
        try:
            self.drop(checkpoint)
        except OSSProviderError as error:
            _log_left(checkpoint, error)

    def _abort(self, checkpoint: Checkpoint) -> None:
        try:
            self._client.abort_multipart_upload(checkpoint.ref, checkpoint.upload_id)
        except OSSNoSuchUpload:
            pass
        except OSSPermanentError as error:
            _log_left(checkpoint, error)

    def _initiate(self, intent: Checkpoint) -> Checkpoint:
        """Begin an upload. When that fails, the intent stays in the store for the next attempt, if it can matter."""
        try:
            upload_id = self._client.initiate_multipart_upload(self._ref, self._options)
            if self._answers_lost:
                self._abort_lost(intent, keep=upload_id)
        except BaseException as error:
            is_refusal = isinstance(error, _NOTHING_BEGUN) and not self._answers_lost
            if is_refusal:
                self._keeper.delete()
            elif not self._keeper.keeps:
                self.clean_up(intent)
            raise
        return replace(intent, upload_id=upload_id)

    def _abort_lost(self, intent: Checkpoint, keep: str | None) -> None:
        """
        Abort uploads of the key that were begun since the intent and hold no part.

        Where they may not be listed the log says that one may be left. Raises what else fails.
        """
        begun_since = datetime.fromisoformat(intent.created_at).timestamp() - _CLOCK_TOLERANCE_SECONDS
        try:
            uploads = self._client.list_uploads(intent.ref)
        except OSSPermanentError as error:
            log.warning(
                "%s: an empty upload whose id was lost may be left, looking for it failed: %s", intent.ref, error
            )
            return
        for upload in uploads:
            if upload.upload_id != keep and upload.initiated >= begun_since and self._is_empty(upload):
                log.info("%s: aborting upload %s, whose id was lost", intent.ref, upload.upload_id)
                self._abort(replace(intent, upload_id=upload.upload_id))

    def _is_empty(self, upload: ListedUpload) -> bool:
        try:
            return not self._client.list_parts(upload.ref, upload.upload_id)
        except (OSSNoSuchUpload, OSSAccessDenied):
            return False


def _log_left(checkpoint: Checkpoint, error: Exception) -> None:
    """Say what somebody needs who cleans up by hand."""
    log.error(
        "Upload %s of %s could not be aborted and stays, billed, until it is: %s",
        *(checkpoint.upload_id or "(id unknown, empty)", checkpoint.ref, error),
    )
