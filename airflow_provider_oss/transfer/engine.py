"""
The upload engine: the only place where planning, verifying, sending and saving come together.

The rule that everything rests on: a part is done if and only if OSS holds a part of that number under this upload id
whose size and CRC-64 are those of the bytes that the source has now. So it does not matter what a checkpoint says, who
else worked on the upload, or whether the source changed: what differs is sent again, and the object that
CompleteMultipartUpload makes is compared with the source as a whole. A source may be read at any offset, or forward
only: a Feed hides which.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCallbackFailed,
    OSSChecksumMismatch,
    OSSConnectionTimeout,
    OSSInvalidArgument,
    OSSInvalidPart,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSSourceChanged,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
    StoredPart,
    UploadResult,
)
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import CheckpointStore, Clock, ProgressCallback, SendingClient, Source
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.copy_feed import CopyFeed, CopySource
from airflow_provider_oss.transfer.feed import Feed, ReaderFeed, SourceFailed
from airflow_provider_oss.transfer.keeper import CheckpointKeeper
from airflow_provider_oss.transfer.parts import PartOutcome, PartTransfer
from airflow_provider_oss.transfer.plan import Plan, make_plan
from airflow_provider_oss.transfer.progress import ProgressReporter
from airflow_provider_oss.transfer.ranges import PartRanges, parse_ranges
from airflow_provider_oss.transfer.recognition import Content, find_equal
from airflow_provider_oss.transfer.result import make_result
from airflow_provider_oss.transfer.resume import Continue, Decision, Fresh, Wanted, decide
from airflow_provider_oss.transfer.retry import (
    RetryingClient,
    RetryPolicy,
    cannot_renew,
    make_retrying,
    may_have_been_done,
    renewing,
)
from airflow_provider_oss.transfer.slots import Slots
from airflow_provider_oss.transfer.stream import StreamSource
from airflow_provider_oss.transfer.stream_feed import StreamFeed
from airflow_provider_oss.transfer.upload_ids import UploadIds
from airflow_provider_oss.verify import combined_crc64

log = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 2.0  # for parts in flight when an attempt ends early: SIGKILL follows a SIGTERM in seconds


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """How an upload works. Raises OSSInvalidArgument when ``parallel`` is not 1 to 100."""

    part_size_bytes: int | None = None
    """None: chosen from the source's size, at least 8 MiB, at most 10,000 parts. A stream's first parts have this size
    (None: 8 MiB), later ones more: see GrowingPlan."""
    parallel: int = limits.DEFAULT_PARALLEL
    """Parts that are sent at the same time; above 1, one more may be read or wait for OSS's answer."""
    save_interval_seconds: float = 10.0
    """Least time between two saves of the checkpoint; the first follows the upload id at once."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if not 1 <= self.parallel <= limits.MAX_PARALLEL:
            raise OSSInvalidArgument(f"parallel={self.parallel} is out of range: use 1 to {limits.MAX_PARALLEL}")


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be uploaded, where to, and how: the arguments of ``run``."""

    source: Source | StreamSource | CopySource
    ref: ObjectRef
    client: SendingClient
    store: CheckpointStore | None = None
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, checkpoint, response)`` in the caller's thread after every part; ``response`` is
    the CompletedPart that OSS acknowledged (StoredObject for a single put), None for a part verified and not sent. The
    fraction of a stream is 0.0 until its end was read (``checkpoint.done_bytes`` tells how far it is); the last call
    has 1.0, and comes without a response when the end shows only after the last part was stored."""
    renew_credentials: Callable[[], bool] = cannot_renew
    """Called in the caller's thread when OSS says that the security token has expired; returns whether there are other
    credentials now, with which the upload then goes on."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=SystemClock)

    def run(self) -> UploadResult:
        """
        Make one attempt; return only when the stored object is proven equal to the source.

        With a ``store``, an attempt that ends in any way, SIGKILL included, leaves what a later attempt with the same
        store needs to continue; without one, an attempt that fails aborts its upload. A source of one part or less is
        sent as one PutObject. Memory: that one part, or a block of 256 KiB for each of ``parallel`` + 1 parts; of a
        stream ``parallel`` + 1 whole parts, those beyond 64 MiB in temporary files.

        A stream is read, and its code run, in the calling thread only. What it raises is passed on as it is; so is
        OSSStreamSpent when the upload has to begin anew and the stream is no callable.

        Raises OSSTransientError when another attempt may succeed and OSSPermanentError when none will. What the store
        raises when it is read is passed on; when it fails later, the upload goes on and the failure is logged.
        """
        attempt = _Attempt(self, self._open())
        try:
            return attempt.run()
        except SourceFailed as failed:
            failure = failed.cause
        finally:
            attempt.close()
        raise failure  # here, so that nothing of ours becomes its context

    def _open(self) -> Feed:
        if isinstance(self.source, StreamSource):
            return StreamFeed(self.source, self.clock, self.cancellation.check)
        if isinstance(self.source, CopySource):
            return CopyFeed(self.source)
        reader = self.source.open()
        try:
            return ReaderFeed(reader)
        except BaseException:
            reader.close()
            raise


class _Attempt:
    """One attempt. ``_checkpoint`` names the multipart upload that is under way, if there is one, and how far it is."""

    def __init__(self, upload: Upload, feed: Feed) -> None:
        self._upload = upload
        self._ref = upload.ref
        self._feed = feed
        self._slots = Slots(upload.settings.parallel)
        self._client = self._client_until(threading.Event())
        self._keeper = CheckpointKeeper(upload.store, upload.settings.save_interval_seconds, upload.clock)
        self._reporter = ProgressReporter(
            upload.ref, feed.size_bytes, upload.progress, upload.clock, "copied" if feed.copies else "sent"
        )
        self._started = upload.clock.monotonic()
        self._upload_ids = UploadIds(upload.ref, upload.options, self._client, self._keeper, upload.clock)
        self._parts = PartTransfer(feed, self._client_until, upload.options, threads=self._threads())
        self._checkpoint: Checkpoint | None = None
        self._begun: Checkpoint | None = None
        self._completed: dict[int, CompletedPart] = {}
        self._done = PartRanges()
        self._done_bytes = 0
        self._sent: set[int] = set()
        self._attempts = 1

    def _threads(self) -> int:
        """Return one more than parts may be sent at a time: a connection need not wait for the answer to another's."""
        parallel = self._upload.settings.parallel
        takes_memory = self._feed.reads_forward  # a whole part for each thread
        is_all_waiting = self._feed.copies  # there is nothing but the answer
        return parallel if takes_memory or is_all_waiting or parallel == 1 else parallel + 1

    def _client_until(self, stopping: threading.Event) -> RetryingClient:
        """Return a client that repeats failed calls until ``stopping`` is set."""
        policy = self._upload.settings.retry
        retrying = make_retrying(policy, stopping, self._observe_failure, self._describe_tries)
        return RetryingClient(self._upload.client, retrying, partial(self._slots.hold, stopping))

    def _observe_failure(self, method: str, error: BaseException) -> None:
        """Look at every failure that is worth repeating, in the thread of the call."""
        if method == "initiate_multipart_upload" and may_have_been_done(error):
            self._upload_ids.note_lost_answer()
        if method in ("upload_part", "upload_part_copy") and isinstance(error, OSSConnectionTimeout):
            self._slots.halve()
        if method == "upload_part" and isinstance(error, OSSChecksumMismatch):
            self._feed.check_unchanged()  # what changed after it was looked at is not sent any more

    def _describe_tries(self, tries: str) -> str:
        parallel, allowed = self._upload.settings.parallel, self._slots.allowed
        return tries if allowed == parallel else f"{tries}, parallel lowered from {parallel} to {allowed}"

    def close(self) -> None:
        """Stop the workers and release the source."""
        self._feed.close(is_in_use=not self._has_ended())

    def _has_ended(self) -> bool:
        """Stop the workers; return whether none is at work any more."""
        return self._parts.stop(_GRACE_SECONDS)

    def run(self) -> UploadResult:
        self._upload.cancellation.check()
        saved = self._keeper.load()
        self._attempts = 1 if saved is None else saved.attempt + 1
        try:
            return self._with_renewed_credentials(saved)
        except BaseException as error:
            self._leave(error)
            raise

    def _conclude(self, conflict: OSSObjectAlreadyExists) -> UploadResult:
        """Look at the object that is in the way; only then abort, so that an attempt that dies here sends nothing."""
        found = self._find_equal_object()
        self._discard_upload()
        if found is None:
            raise conflict
        return self._recognised(found)

    def _wanted(self) -> Wanted:
        part_size_bytes = self._upload.settings.part_size_bytes
        copied_from = self._feed.fingerprint if self._feed.copies else None
        return Wanted(self._ref, self._measure(), part_size_bytes, digest(self._upload.options), copied_from)

    def _measure(self) -> int | None:
        """Return the source's size, as if from its beginning; None for a stream of more than one part."""
        return self._feed.measure(self._upload.settings.part_size_bytes)

    def _with_renewed_credentials(self, latest: Checkpoint | None) -> UploadResult:
        """Go on as often as new credentials can be had for those that expired."""
        return renewing(
            self._upload.renew_credentials,
            self._ref,
            lambda: self._continue_or_begin(decide(self._checkpoint or latest, self._wanted())),
        )

    def _continue_or_begin(self, decision: Decision) -> UploadResult:
        try:
            return self._continue(decision) if isinstance(decision, Continue) else self._begin(decision)
        except OSSObjectAlreadyExists as error:
            return self._conclude(error)
        except OSSNoSuchUpload as error:
            log.info("%s: looking whether the upload has been completed: %s", self._ref, error)
            found = self._find_equal_object()
            return self._begin_again() if found is None else self._recognised(found)

    def _begin_again(self) -> UploadResult:
        if self._checkpoint is not None and not self._keeper.still_names(self._checkpoint.upload_id):
            raise OSSUploadCancelled(f"{self._ref}: another attempt of this task has taken over, this one stops")
        self._feed.check_unchanged()
        size_bytes = self._measure()
        log.warning("%s: the upload is gone and the object is not the source: sending everything again", self._ref)
        self._sent.clear()
        if self._checkpoint is not None and self._checkpoint is self._begun:
            # Not one part was acknowledged: the id was damaged on its way to us
            self._upload_ids.drop(replace(self._checkpoint, upload_id=""))
        self._upload_has_ended()
        plan = make_plan(size_bytes, self._upload.settings.part_size_bytes)
        return self._begin(Fresh(plan, "the upload is gone"))

    # Beginning

    def _begin(self, decision: Fresh) -> UploadResult:
        if decision.abandoned is not None:
            abandoned = decision.abandoned.upload_id or "an upload without an id"
            log.warning("%s: not continuing %s: %s", self._ref, abandoned, decision.reason)
            self._upload_ids.drop(decision.abandoned)
            self._checkpoint = None
        if decision.plan.count <= 1:
            return self._put()
        self._begun = self._upload_ids.begin(decision.plan, self._feed.fingerprint, self._attempts)
        return self._send_and_complete(self._begun, decision.plan, {})

    def _put(self) -> UploadResult:
        data, options = self._feed.whole(), self._upload.options
        if isinstance(data, ObjectRange):
            crc = self._crc64()
            stored = self._client.copy_object(data, self._ref, options)
        else:
            crc = crc64(data)
            stored = self._client.put_object(self._ref, data, crc, options)
        self._keeper.delete()  # a checkpoint that could not be read is still there
        self._reporter.total_is(len(data))
        self._reporter.part_sent(len(data), None, stored)
        return self._result(stored, crc)

    # Continuing

    def _continue(self, decision: Continue) -> UploadResult:
        now = self._upload.clock.utc_now()
        checkpoint = self._checkpoint = replace(decision.checkpoint, attempt=self._attempts, updated_at=now)
        stored = self._stored_parts(checkpoint, decision.plan)
        is_same_content = checkpoint.source.is_same_content(self._feed.fingerprint)
        if is_same_content or checkpoint.source.version is None:
            self._keeper.save(checkpoint)
        else:
            # From now on its parts may be of one version or another: no attempt may take them for equal unread
            checkpoint = self._checkpoint = replace(checkpoint, source=replace(checkpoint.source, version=None))
            self._keeper.save_change(checkpoint)
        log.info(
            "%s: continuing upload %s, attempt %d: %d parts are stored and %s",
            *(self._ref, checkpoint.upload_id, checkpoint.attempt, len(stored)),
            "the source is the same" if is_same_content else "are to be verified",
        )
        return self._send_and_complete(checkpoint, decision.plan, stored, is_same_content=is_same_content)

    def _stored_parts(self, checkpoint: Checkpoint, plan: Plan) -> dict[int, StoredPart]:
        """Return what OSS lists; without permission to list, what the checkpoint believes."""
        try:
            listed = self._client.list_parts(self._ref, checkpoint.upload_id)
        except OSSAccessDenied as error:
            log.warning("%s: the stored parts cannot be listed, relying on the checkpoint: %s", self._ref, error)
            believed = parse_ranges(checkpoint.done_parts, plan.count)
            return {number: StoredPart(number, plan.part(number).size_bytes) for number in believed}
        return {part.number: part for part in listed if part.number <= plan.count}

    # Sending

    def _send_and_complete(
        self, checkpoint: Checkpoint, plan: Plan, stored: dict[int, StoredPart], *, is_same_content: bool = False
    ) -> UploadResult:
        self._checkpoint = checkpoint
        self._transfer(checkpoint, plan, stored, is_same_content=is_same_content)
        try:
            return self._complete(checkpoint)
        except OSSInvalidPart as error:
            # Believed parts were not there, or a stale attempt replaced one meanwhile: look at each once more.
            log.warning("%s: verifying all parts again: %s", self._ref, error)
        checkpoint = self._checkpoint = replace(checkpoint, done_parts="", done_bytes=0)
        self._transfer(checkpoint, plan, self._stored_parts(checkpoint, plan))
        return self._complete(checkpoint)

    def _transfer(
        self, checkpoint: Checkpoint, plan: Plan, stored: dict[int, StoredPart], *, is_same_content: bool = False
    ) -> None:
        """Verify or send every part; afterwards ``_completed`` holds them all and the source is still the same."""
        self._reporter.restart()
        self._completed = {}
        # What the checkpoint alone knows must not be lost from it; what OSS lists it will list again
        believed = [part for part in stored.values() if part.is_only_believed]
        self._done = PartRanges(part.number for part in believed)
        self._done_bytes = sum(part.size_bytes for part in believed)
        for outcome in self._parts.run(checkpoint, plan, stored, is_same_content=is_same_content):
            # Before anything is saved: a stale attempt that was told to stop must not save over its successor
            self._upload.cancellation.check()
            self._reporter.total_is(self._feed.size_bytes)
            if outcome is not None:
                self._record(outcome, checkpoint)
            self._reporter.line_if_due()
        self._feed.check_unchanged()
        if not self._completed:
            raise OSSSourceChanged(f"{self._feed.fingerprint.name} is empty now: the next attempt stores it as it is")
        self._reporter.total_is(self._feed.size_bytes)
        self._reporter.end_reached(self._checkpoint or checkpoint)

    def _record(self, outcome: PartOutcome, checkpoint: Checkpoint) -> None:
        part = outcome.part
        self._completed[part.number] = part
        if self._done.add(part.number):
            self._done_bytes += part.size_bytes
        checkpoint = self._checkpoint = replace(
            checkpoint,
            done_parts=self._done.as_text(),
            done_bytes=self._done_bytes,
            updated_at=self._upload.clock.utc_now(),
        )
        if outcome.was_sent:
            self._sent.add(part.number)
            self._reporter.part_sent(part.size_bytes, checkpoint, part)
        elif part.number in self._sent:
            self._reporter.part_found_again(part.size_bytes, checkpoint)
        else:
            self._reporter.part_verified(part.size_bytes, checkpoint)
        if self._keeper.is_due():
            self._upload.cancellation.check()  # the callback may have asked to stop
            self._keeper.save(checkpoint)

    def _complete(self, checkpoint: Checkpoint) -> UploadResult:
        parts = sorted(self._completed.values(), key=lambda part: part.number)
        try:
            stored = self._client.complete_multipart_upload(
                self._ref, checkpoint.upload_id, parts, self._upload.options
            )
        except OSSCallbackFailed:
            self._upload_has_ended()
            raise
        self._upload_has_ended()
        self._reporter.line()
        return self._result(stored, self._crc64())

    # Ending

    def _result(self, stored: StoredObject, crc: int | None) -> UploadResult:
        """Compare the stored object with the source as a whole. Raises OSSChecksumMismatch when they differ."""
        # An answer without a CRC-64 leaves the parts' own proofs: Complete refuses parts with other ETags.
        if None not in (stored.crc64, crc) and stored.crc64 != crc:
            raise OSSChecksumMismatch(
                f"the object {self._ref} that OSS stored has the CRC-64 {stored.crc64}, the source has {crc}"
            )
        told_crc = stored.crc64 if self._feed.copies else crc
        elapsed_seconds = self._upload.clock.monotonic() - self._started
        return make_result(
            self._ref,
            stored,
            told_crc,
            self._reporter.progress,
            attempts=self._attempts,
            elapsed_seconds=elapsed_seconds,
        )

    def _find_equal_object(self) -> StoredObject | None:
        """Return the object when it is there and equal to the source: another call or attempt made it."""
        return find_equal(self._client, self._ref, self._content, self._feed.size_bytes)

    def _content(self) -> Content | None:
        if self._feed.copies or sum(part.size_bytes for part in self._completed.values()) != self._feed.size_bytes:
            return self._feed.content()
        return Content(self._feed.size_bytes, combined_crc64(self._completed.values()))

    def _crc64(self) -> int | None:
        content = self._content()
        return None if content is None else content.crc64

    def _recognised(self, found: StoredObject) -> UploadResult:
        self._upload_has_ended()
        self._reporter.total_is(self._feed.size_bytes)
        self._reporter.part_verified((self._feed.size_bytes or 0) - self._reporter.progress.done_bytes, None)
        if self._upload.options.callback is not None:
            log.warning("%s: whether the callback was answered is not known", self._ref)
        self._reporter.line()
        return self._result(found, found.crc64)

    def _upload_has_ended(self) -> None:
        """Delete the checkpoint, unless it is another attempt's by now."""
        ended, self._checkpoint = self._checkpoint, None
        if ended is None or self._keeper.still_names(ended.upload_id):
            self._keeper.delete()

    def _discard_upload(self) -> None:
        """Abort the upload and drop its checkpoint: one operation, so that no upload is forgotten."""
        if self._checkpoint is not None:
            self._upload_ids.drop(self._checkpoint)
            self._checkpoint = None

    def _leave(self, error: BaseException) -> None:
        """Leave the upload to a later attempt; without a store there is none, so it is aborted."""
        if self._checkpoint is None:
            return
        if not self._keeper.keeps:
            self._has_ended()
            self._upload_ids.clean_up(self._checkpoint)
            return
        # Not when told to stop (a successor may be at work), nor on a time-out or signal, which are no Exceptions: they
        # may have interrupted the store in the middle of a call
        may_save = isinstance(error, Exception) and not isinstance(error, OSSUploadCancelled)
        if may_save and self._completed and self._keeper.still_names(self._checkpoint.upload_id):
            self._keeper.save(self._checkpoint)
