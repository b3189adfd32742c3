"""
Upload ids and their checkpoints: saved before an upload begins, found again, dropped at its end.

Every upload id has an owner: here uploads are begun, aborted, and found again when their id was lost. That is so when
OSS begins an upload and its answer does not arrive, or when the process dies before it could save the id. So the
*intent* to begin is saved first: a checkpoint without an id. Whoever finds one, or one whose id OSS does not know and
of which no part is known, looks for uploads of the same key that were begun soon after and hold no part; they are
nobody's, and aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from airflow_provider_oss.engine.plan import Plan
from airflow_provider_oss.engine.resume import DoneParts, is_of_file, is_sealed, sealed, with_proof
from airflow_provider_oss.engine.retry import Means, RetryingClient, may_have_been_done
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.engine.workers import clean_up_in_haste, is_hasty
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCheckpointNotSaved,
    OSSCheckpointUnreadable,
    OSSCredentialsExpired,
    OSSCredentialsUnavailable,
    OSSNoSuchUpload,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceMissing,
    seen_elsewhere,
)
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    Fingerprint,
    ListedUpload,
    ObjectOptions,
    ObjectRef,
)
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import CheckpointStore, Clock, ObjectClient, SendingClient, Source, SourceReader
from airflow_provider_oss.shown import Log

log = Log(__name__)


class CheckpointWriter:
    """
    Writes the checkpoint of one upload to a CheckpointStore; without a store it keeps nothing.

    Once the upload id is saved, what is saved later only shows people how far the upload is (and, where OSS may not be
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
        self._holds_something = True
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


class StorePool:
    """
    The stores for uploads that are made one after the other; without any, nothing is kept.

    An upload gets the store that has its checkpoint, else a free one. So one that failed keeps its checkpoint while the
    others go on. Where none is free the last is given away, and the engine aborts the upload that was kept there.
    """

    def __init__(self, stores: Sequence[CheckpointStore] = ()) -> None:
        self._stores = stores
        self._held: list[Checkpoint | None] | None = None
        self._given: int | None = None

    def store_for(self, ref: ObjectRef) -> CheckpointStore | None:
        """Return the store for an upload, which must have ended before another one is asked for."""
        if not self._stores:
            return None
        held = self._look()
        wanted = (index for index, checkpoint in enumerate(held) if checkpoint is not None and checkpoint.ref == ref)
        free = (index for index, checkpoint in enumerate(held) if checkpoint is None)
        self._given = next(wanted, None)
        if self._given is None:
            self._given = next(free, len(held) - 1)
        return self._stores[self._given]

    def left_behind(self, wanted: Collection[ObjectRef]) -> Iterator[tuple[CheckpointStore, Checkpoint]]:
        """Yield the stores with a checkpoint of anything else than ``wanted``."""
        for store, checkpoint in zip(self._stores, self._look(), strict=True):
            if checkpoint is not None and checkpoint.ref not in wanted:
                yield store, checkpoint

    @property
    def held(self) -> Iterator[Checkpoint]:
        """What the stores hold."""
        return (checkpoint for checkpoint in self._look() if checkpoint is not None)

    @contextmanager
    def knowing_files(self, ref: ObjectRef, path: str) -> Iterator[None]:
        """
        Raise OSSSourceElsewhere where the file that becomes ``ref`` is missing and an earlier attempt has read it.

        Its checkpoint shows that. Where there is none, OSSSourceMissing is passed on.
        """
        try:
            yield
        except OSSSourceMissing as missing:
            if any(is_of_file(checkpoint, ref, path) for checkpoint in self.held):
                raise seen_elsewhere(f"file_path={path!r}") from missing
            raise

    def _look(self) -> list[Checkpoint | None]:
        """Return what the stores hold. Only the one that was given away may have changed since the last look."""
        if self._held is None:
            self._held = [_read(store) for store in self._stores]
        elif self._given is not None:
            self._held[self._given] = _read(self._stores[self._given])
        self._given = None
        return self._held


def open_source(source: Source, ref: ObjectRef, store: CheckpointStore | None) -> SourceReader:
    """
    Open the source of an upload.

    Raises OSSSourceElsewhere for a file that this worker does not see, if the store shows that an attempt has read it.
    """
    if store is None or not isinstance(source, FileSource):
        return source.open()
    with StorePool([store]).knowing_files(ref, source.path):
        return source.open()


def _read(store: CheckpointStore) -> Checkpoint | None:
    """Return what a store holds; what cannot be read is nothing, and replaced by the next that is kept there."""
    try:
        return store.load()
    except OSSCheckpointUnreadable as error:
        log.error("A saved checkpoint is ignored: %s", error)  # noqa: TRY400 - a traceback says no more
        return None


_NOTHING_BEGUN: Final = (OSSPermanentError, OSSCredentialsExpired, OSSCredentialsUnavailable)
"""How Initiate fails when OSS has begun no upload."""
_CLOCK_TOLERANCE_SECONDS: Final = 15 * 60
"""How far OSS's clock may be from ours: it refuses requests beyond."""
_LONGEST_BEGIN_SECONDS: Final = 60 * 60
"""Within which the call to begin an upload is made, with all its tries: what is begun later is another's."""


def abandon(store: CheckpointStore, means: Means[SendingClient]) -> None:
    """
    Abort the upload that a store's checkpoint names, if there is one, and delete the checkpoint. See ``drop``.

    A checkpoint that cannot be read is shown by the log and deleted.
    """
    writer = CheckpointWriter(store, 0, means.clock)
    saved = writer.load()
    if saved is None:
        writer.delete()
    else:
        client = RetryingClient(means.client, means.call)
        UploadIds(saved.ref, ObjectOptions(), client, writer, means.clock).drop(saved)


class UploadIds:
    """Begins and ends the uploads of one object for one attempt."""

    def __init__(
        self, ref: ObjectRef, options: ObjectOptions, client: ObjectClient, writer: CheckpointWriter, clock: Clock
    ) -> None:
        self._ref = ref
        self._options = options
        self._client = client
        self._writer = writer
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
        intent = sealed(
            Checkpoint(
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
        )
        self._writer.save_first(intent)
        checkpoint = self._initiate(intent)
        try:
            self._writer.save_first(checkpoint)
        except BaseException as error:
            self.clean_up(checkpoint, error)
            raise
        log.info("%s: began upload %s of %s: %s", self._ref, checkpoint.upload_id, source.name, plan)
        return checkpoint

    def drop(self, checkpoint: Checkpoint) -> None:
        """
        Abort the upload that the checkpoint names, or the one it was about to name, and delete the checkpoint.

        An upload that the checkpoint named from its beginning, that is: see ``seal``. Any other is left to its owner.
        Where aborting is forbidden, or can never work, the log names the upload that is left. When it fails otherwise
        the error is raised and the checkpoint stays, for a later attempt to drop.
        """
        self._drop_at_oss(checkpoint)
        self._writer.delete()

    def clean_up(self, checkpoint: Checkpoint, error: BaseException) -> None:
        """
        Drop because of an error that is about to be raised: what fails now is only logged.

        In haste the store is left alone, for the error may have interrupted it; a checkpoint of an upload that is gone
        is harmless.
        """
        if is_hasty(error):
            clean_up_in_haste(partial(self._logging_failure, self._drop_at_oss, checkpoint), "oss-abort-upload")
        else:
            self._logging_failure(self.drop, checkpoint)

    def _logging_failure(self, drop: Callable[[Checkpoint], None], checkpoint: Checkpoint) -> None:
        try:
            drop(checkpoint)
        except OSSProviderError as error:
            _log_left(checkpoint, error)

    def _drop_at_oss(self, checkpoint: Checkpoint) -> None:
        if not is_sealed(checkpoint):
            _log_foreign(checkpoint)
        elif not checkpoint.upload_id or not self._abort(checkpoint):
            self.abort_unknown(checkpoint)

    def abort_unknown(self, checkpoint: Checkpoint) -> None:
        """
        Abort what was begun for a checkpoint whose upload id OSS does not know, or that has none yet.

        The id may have been damaged on its way to us, unless a part is known to be stored under it.
        """
        if is_sealed(checkpoint) and not (checkpoint.upload_id and checkpoint.done_parts):
            self._abort_lost(checkpoint, keep=None)

    def _abort(self, checkpoint: Checkpoint) -> bool:
        """Abort it; return whether OSS knows it."""
        try:
            self._client.abort_multipart_upload(checkpoint.ref, checkpoint.upload_id)
        except OSSNoSuchUpload:
            return False
        except OSSPermanentError as error:
            _log_left(checkpoint, error)
        return True

    def _initiate(self, intent: Checkpoint) -> Checkpoint:
        """Begin an upload. When that fails, the intent stays in the store for the next attempt, if it can matter."""
        try:
            upload_id = self._client.initiate_multipart_upload(self._ref, self._options)
            if self._answers_lost:
                self._abort_lost(intent, keep=upload_id)
        except BaseException as error:
            is_refusal = isinstance(error, _NOTHING_BEGUN) and not self._answers_lost
            if is_refusal:
                self._writer.delete()
            elif not self._writer.keeps:
                self.clean_up(intent, error)
            raise
        return sealed(replace(intent, upload_id=upload_id))

    def _abort_lost(self, intent: Checkpoint, keep: str | None) -> None:
        """
        Abort uploads of the key that were begun soon after the intent and hold no part.

        Where they may not be listed the log says that one may be left. Raises what else fails.
        """
        intended = datetime.fromisoformat(intent.created_at).timestamp()
        first, last = intended - _CLOCK_TOLERANCE_SECONDS, intended + _LONGEST_BEGIN_SECONDS + _CLOCK_TOLERANCE_SECONDS
        try:
            uploads = self._client.list_uploads(intent.ref)
        except OSSPermanentError as error:
            log.warning(
                "%s: an empty upload whose id was lost may be left, looking for it failed: %s", intent.ref, error
            )
            return
        for upload in uploads:
            if upload.upload_id != keep and first <= upload.initiated <= last and self._is_empty(upload):
                log.info("%s: aborting upload %s, whose id was lost", intent.ref, upload.upload_id)
                self._abort(replace(intent, upload_id=upload.upload_id))

    def _is_empty(self, upload: ListedUpload) -> bool:
        try:
            return not self._client.list_parts(upload.ref, upload.upload_id)
        except (OSSNoSuchUpload, OSSAccessDenied):
            return False


class CurrentUpload:
    """
    The multipart upload that an attempt works at, if there is one: its checkpoint, and the parts that are done.

    All that changes while it goes on is here, so that what is saved, aborted or left is always the upload that is under
    way.
    """

    def __init__(self, ids: UploadIds, writer: CheckpointWriter, clock: Clock) -> None:
        self._ids = ids
        self._writer = writer
        self._clock = clock
        self._checkpoint: Checkpoint | None = None
        self.done = DoneParts()

    @property
    def checkpoint(self) -> Checkpoint | None:
        """It, as far as it is; None when there is no upload."""
        return self._checkpoint

    def saved(self) -> Checkpoint | None:
        """Return what an earlier attempt has saved."""
        return self._writer.load()

    def note_failed_begin(self, error: OSSProviderError) -> None:
        """Note that a call to begin an upload has failed: it may have begun one all the same."""
        if may_have_been_done(error):
            self._ids.note_lost_answer()

    def begin(self, plan: Plan, source: Fingerprint, attempt: int) -> Checkpoint:
        """Begin an upload. See ``UploadIds.begin``."""
        self._checkpoint = self._ids.begin(plan, source, attempt)
        return self._checkpoint

    def resume(self, checkpoint: Checkpoint, attempt: int) -> Checkpoint:
        """Continue the upload of a checkpoint; nothing is saved yet, for OSS may not have it any more."""
        self._checkpoint = replace(checkpoint, attempt=attempt, updated_at=self._clock.utc_now())
        return self._checkpoint

    def save_resumed(self, source: Fingerprint) -> None:
        """
        Save that it is continued.

        Where ``source`` is another version than the one it was begun with, that must be saved: raises
        OSSCheckpointNotSaved.
        """
        checkpoint = self._under_way()
        if checkpoint.source.is_same_content(source) or checkpoint.source.version is None:
            self._writer.save(checkpoint)
            return
        # From now on its parts may be of one version or another: no attempt may take them for equal unread
        self._checkpoint = replace(checkpoint, source=replace(checkpoint.source, version=None))
        self._writer.save_change(self._checkpoint)

    def distrust(self) -> Checkpoint:
        """Forget which parts are done: OSS does not hold one of them like that."""
        self._checkpoint = replace(self._under_way(), done_parts="", done_bytes=0)
        return self._checkpoint

    def add(self, part: CompletedPart, *, was_sent: bool) -> Checkpoint:
        """Note that a part is done; return the checkpoint that says so."""
        self.done.add(part, was_sent=was_sent)
        self._checkpoint = self.done.noted_in(self._under_way(), self._clock.utc_now())
        return self._checkpoint

    def is_save_due(self) -> bool:
        """Whether the last save is old enough for another one."""
        return self._writer.is_due()

    def save(self) -> None:
        """Save how far it is, with the proof for it; a failure is logged."""
        self._writer.save(with_proof(self._under_way(), self.done.completed))

    def is_overtaken(self) -> bool:
        """Whether another attempt of the task has replaced or deleted its checkpoint."""
        return self._checkpoint is not None and not self._writer.still_names(self._checkpoint.upload_id)

    def end(self) -> None:
        """Forget it, for it was completed, and delete what the store holds, unless that is another attempt's by now."""
        ended, self._checkpoint = self._checkpoint, None
        if ended is None or self._writer.still_names(ended.upload_id):
            self._writer.delete()

    def forget(self) -> None:
        """Forget it, for OSS does not know it any more."""
        self.done.forget_sent()
        if self._checkpoint is not None:
            self._ids.abort_unknown(self._checkpoint)
        self.end()

    def drop(self) -> None:
        """Abort it and delete its checkpoint: one operation, so that no upload is forgotten."""
        if self._checkpoint is not None:
            self.drop_other(self._checkpoint)

    def drop_other(self, abandoned: Checkpoint) -> None:
        """Drop the upload of a checkpoint that is not continued; there is none under way then."""
        self._ids.drop(abandoned)
        self._checkpoint = None

    def is_left_to_nobody(self) -> bool:
        """Whether there is an upload and no store that a later attempt could find it in: ``leave`` aborts it."""
        return self._checkpoint is not None and not self._writer.keeps

    def leave(self, error: BaseException) -> None:
        """Leave it to a later attempt because of an error; without a store there is none, so it is aborted."""
        if self._checkpoint is None:
            return
        if self.is_left_to_nobody():
            self._ids.clean_up(self._checkpoint, error)
        # Not in haste: a successor may be at work after a request to stop, and a timeout or signal may have interrupted
        # the store in the middle of a call
        elif not is_hasty(error) and self.done.completed and not self.is_overtaken():
            self.save()

    def _under_way(self) -> Checkpoint:
        assert self._checkpoint is not None  # noqa: S101 - asked for between its beginning and its end only
        return self._checkpoint


def _log_left(checkpoint: Checkpoint, error: Exception) -> None:
    """Say what somebody needs who cleans up by hand."""
    log.error(
        "Upload %s of %s could not be aborted and stays, billed, until it is: %s",
        *(checkpoint.upload_id or "(id unknown, empty)", checkpoint.ref, error),
    )


def _log_foreign(checkpoint: Checkpoint) -> None:
    log.warning(
        "Upload %s of %s is not aborted, for it may be another's: the checkpoint that names it was edited, or is of an "
        "earlier version of this package; OSSAbortStaleUploadsOperator aborts it if nobody continues it",
        *(checkpoint.upload_id or "(id unknown, empty)", checkpoint.ref),
    )
