"""When the checkpoint of an upload is saved, and what a failing store means."""

from __future__ import annotations

import logging

from airflow_provider_oss.exceptions import OSSCheckpointNotSaved, OSSCheckpointUnreadable
from airflow_provider_oss.model import Checkpoint
from airflow_provider_oss.ports import CheckpointStore, Clock

log = logging.getLogger(__name__)


class CheckpointKeeper:
    """
    Stands between the engine and a CheckpointStore; without a store it keeps nothing.

    Once the upload id is saved, what is saved later only tells people how far the upload is (and, where OSS may not be
    asked for the stored parts, what to verify). So a later save that fails is logged and the upload goes on.
    """

    def __init__(self, store: CheckpointStore | None, interval_seconds: float, clock: Clock) -> None:
        self._store = store
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._last_save = clock.monotonic()
        self._holds_something = False

    @property
    def keeps(self) -> bool:
        """Whether an upload may be left to a later attempt."""
        return self._store is not None

    def load(self) -> Checkpoint | None:
        """Return the saved checkpoint. One that cannot be read is reported with its text and counts as none."""
        if self._store is None:
            return None
        try:
            checkpoint = self._store.load()
        except OSSCheckpointUnreadable as error:
            self._holds_something = True
            log.error("Starting anew, the saved checkpoint is ignored and will be replaced: %s", error)  # noqa: TRY400
            return None
        self._holds_something = checkpoint is not None
        return checkpoint

    def save_first(self, checkpoint: Checkpoint) -> None:
        """Save the intent to begin an upload, or its id. Raises OSSCheckpointNotSaved: such an upload would be lost."""
        if self._store is None:
            return
        self._holds_something = True
        try:
            self._store.save(checkpoint)
        except Exception as error:
            upload, outcome = (
                (f"upload {checkpoint.upload_id}", "it is aborted")
                if checkpoint.upload_id
                else (f"a new upload of {checkpoint.ref}", "none is begun")
            )
            raise OSSCheckpointNotSaved(
                f"the checkpoint of {upload} could not be saved, so {outcome}: {error}"
            ) from error
        self._last_save = self._clock.monotonic()

    def save_change(self, checkpoint: Checkpoint) -> None:
        """Save what a later attempt must know before the upload goes on. Raises OSSCheckpointNotSaved."""
        if self._store is None:
            return
        try:
            self._store.save(checkpoint)
        except Exception as error:
            raise OSSCheckpointNotSaved(
                f"that the source changed could not be saved in the checkpoint of upload {checkpoint.upload_id}, which "
                f"stays for the next attempt: {error}"
            ) from error

    def is_due(self) -> bool:
        """Whether the last save is old enough for another one."""
        return self._clock.monotonic() - self._last_save >= self._interval_seconds

    def save(self, checkpoint: Checkpoint) -> None:
        """Save; a failure is logged."""
        if self._store is None:
            return
        self._last_save = self._clock.monotonic()
        try:
            self._store.save(checkpoint)
        except Exception as error:  # noqa: BLE001 - a store may raise anything, and nothing is lost by it
            log.warning("The checkpoint of upload %s could not be brought up to date: %s", checkpoint.upload_id, error)

    def still_names(self, upload_id: str) -> bool:
        """Whether the store names this upload; if not, another attempt of the task has replaced or deleted it."""
        if self._store is None:
            return True
        try:
            checkpoint = self._store.load()
        except Exception as error:  # noqa: BLE001 - as in save
            log.warning("Whether another attempt saved a checkpoint is not known: %s", error)
            return True
        return checkpoint is not None and checkpoint.upload_id == upload_id

    def delete(self) -> None:
        """Delete; a failure is logged. A checkpoint that stays is harmless: it is verified like any other."""
        if self._store is None or not self._holds_something:
            return
        try:
            self._store.delete()
        except Exception as error:  # noqa: BLE001 - as in save
            log.warning("The checkpoint of an ended upload could not be deleted: %s", error)
        else:
            self._holds_something = False
