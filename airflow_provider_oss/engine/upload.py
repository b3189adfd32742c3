"""
The upload engine: where planning, verifying, sending and saving come together.

The rule that everything rests on: a part is done if and only if OSS holds a part of that number under this upload id
whose size and CRC-64 are those of the bytes that the source has now. So it does not matter what a checkpoint says, who
else worked on the upload, or whether the source changed: what differs is sent again, and the object that
CompleteMultipartUpload makes is compared with the source as a whole. A source may be read at any offset, or forward
only: SourceParts hides which.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import CheckpointWriter, CurrentUpload, UploadIds, open_source
from airflow_provider_oss.engine.parts import (
    CopyParts,
    CopySource,
    PartCalls,
    PartOutcome,
    PartTransfer,
    ReaderParts,
)
from airflow_provider_oss.engine.plan import PartPlan, Plan, make_plan
from airflow_provider_oss.engine.progress import ProgressReporter, make_result, watched
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.resume import (
    Continue,
    Decision,
    Fresh,
    UploadGoal,
    decide,
    parse_ranges,
    proven_parts,
)
from airflow_provider_oss.engine.retry import Means, RetryingClient
from airflow_provider_oss.engine.source import SourceParts, StreamSource
from airflow_provider_oss.engine.stored import find_equal
from airflow_provider_oss.engine.stream_parts import StreamParts
from airflow_provider_oss.engine.workers import AT_ONCE, IN_PEACE, NO_LONGER, is_hasty, leaving_by
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCallbackFailed,
    OSSChecksumMismatch,
    OSSInvalidPart,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSSourceChanged,
    OSSUploadCancelled,
    naming_exhaustion,
)
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
    StoredPart,
    TransferState,
    UploadResult,
)
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, SendingClient, Source
from airflow_provider_oss.proof import Content, combined_crc64, crc64, differ
from airflow_provider_oss.quantities import check_parallel
from airflow_provider_oss.shown import Log

log = Log(__name__)


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

    def __post_init__(self) -> None:
        check_parallel(self.parallel)


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be uploaded, where to, and how: the arguments of ``run``."""

    source: Source | StreamSource | CopySource
    ref: ObjectRef
    means: Means[SendingClient]
    store: CheckpointStore | None = None
    options: ObjectOptions = field(default_factory=ObjectOptions)
    settings: UploadSettings = field(default_factory=UploadSettings)
    progress: ProgressCallback | None = None
    """Called as ``progress(fraction, checkpoint, response)`` in the caller's thread after every part; ``response`` is
    the CompletedPart that OSS acknowledged (StoredObject for a single put), None for a part verified and not sent. The
    fraction of a stream is 0.0 until its end was read (``checkpoint.done_bytes`` says how far it is); the last call
    has 1.0, and comes without a response when the end shows only after the last part was stored."""

    def run(self) -> UploadResult:
        """
        Make one attempt; return only when the stored object is proven equal to the source.

        With a ``store``, an attempt that ends in any way, SIGKILL included, leaves what a later attempt with the same
        store needs to continue; without one, an attempt that fails aborts its upload. A source of one part or less is
        sent as one PutObject. Memory: that one part, or a block of a FileRange for each of ``parallel`` + 1 parts; of a
        stream ``parallel`` + 1 whole parts, those beyond 64 MiB in temporary files.

        A stream is read, and its code run, in the calling thread only. What it raises is passed on as it is; so is
        OSSStreamSpent when the upload has to begin anew and the stream is no callable.

        An attempt that is asked to stop, or is left by what is no Exception (a timeout, a signal), is left within a
        second: parts in flight may end in 0.3 s and are then given up.

        Raises OSSTransientError when another attempt may succeed and OSSPermanentError when none will: of a file that
        this worker does not see, OSSSourceElsewhere if the store shows that an earlier attempt has read it, else
        OSSSourceMissing. What the store raises when it is read is passed on; when it fails later, the upload goes on
        and the failure is logged.
        """
        try:
            with obeying(self.means.cancellation), naming_exhaustion():
                return self._run()
        except SourceFailed as failed:
            failure = failed.cause
        raise failure  # here, so that nothing of ours becomes its context

    def _run(self) -> UploadResult:
        attempt = _Attempt(self, self._open())
        try:
            with watched(self.means.watcher, attempt.state):
                return attempt.run()
        finally:
            attempt.close()

    def _open(self) -> SourceParts:
        if isinstance(self.source, StreamSource):
            return StreamParts(self.source, self.means.clock, self.means.cancellation.check)
        if isinstance(self.source, CopySource):
            return CopyParts(self.source)
        reader = open_source(self.source, self.ref, self.store)
        try:
            return ReaderParts(reader, self.settings.parallel, self.means.clock)
        except BaseException:
            reader.close()
            raise


class _Attempt:
    """
    One attempt, step by step.

    What changes meanwhile has owners: ``_current`` the upload that is under way and its done parts, ``_transfer`` the
    threads, ``_reporter`` what is counted.
    """

    def __init__(self, upload: Upload, source: SourceParts) -> None:
        means, settings = upload.means, upload.settings
        self._upload = upload
        self._ref = upload.ref
        self._means = means
        self._source = source
        self._started = means.clock.monotonic()
        self._attempts = 1
        self._leaving = IN_PEACE
        calls = PartCalls(means, settings.parallel, source)
        retrying = means.retrying(tried=calls.describe_tries)
        self._client = RetryingClient(means.client, retrying, begin_failed=self._begin_failed)
        writer = CheckpointWriter(upload.store, settings.save_interval_seconds, means.clock)
        ids = UploadIds(upload.ref, upload.options, self._client, writer, means.clock)
        self._current = CurrentUpload(ids, writer, means.clock)
        self._reporter = ProgressReporter(
            upload.ref,
            source.size_bytes,
            upload.progress,
            means.clock,
            "copied" if source.copies else "sent",
            source=source.fingerprint.name,
            watcher=means.watcher,
            intervals=means.log_intervals,
        )
        self._transfer = PartTransfer(
            source, calls.client_until, upload.options, threads=calls.threads, begins=self._reporter.part_begins
        )

    def _begin_failed(self, error: OSSProviderError) -> None:
        self._current.note_failed_begin(error)

    def state(self) -> TransferState:
        """Return how far it is."""
        return self._reporter.state()

    def close(self) -> None:
        """Stop the workers and release the source."""
        self._source.close(is_in_use=not self._stop_workers())

    def _stop_workers(self) -> bool:
        """Stop them; return whether none is at work any more."""
        return self._transfer.stop(self._leaving)

    def run(self) -> UploadResult:
        self._means.cancellation.check()
        saved = self._current.saved()
        self._attempts = 1 if saved is None else saved.attempt + 1
        try:
            return self._means.renewing(
                lambda: self._continue_or_begin(decide(self._current.checkpoint or saved, self._goal()))
            )
        except BaseException as error:
            self._leave(error)
            raise

    def _goal(self) -> UploadGoal:
        part_size_bytes = self._upload.settings.part_size_bytes
        copied_from = self._source.fingerprint if self._source.copies else None
        return UploadGoal(self._ref, self._measure(), part_size_bytes, digest(self._upload.options), copied_from)

    def _measure(self) -> int | None:
        """Return the source's size, as if from its beginning; None for a stream of more than one part."""
        return self._source.measure(self._upload.settings.part_size_bytes)

    def _continue_or_begin(self, decision: Decision) -> UploadResult:
        """Do as decided; begin anew when OSS does not know the upload, and has not made the object of it."""
        try:
            return self._do(decision)
        except OSSNoSuchUpload as error:
            log.info("%s: looking whether the upload has been completed: %s", self._ref, error)
            found = self._find_equal_object()
        return self._do(self._anew()) if found is None else self._already_stored(found)

    def _do(self, decision: Decision) -> UploadResult:
        """Do as decided; an object in the way may be this source's, by whichever step it is met."""
        if isinstance(decision, Fresh):
            self._drop_abandoned(decision)
            if decision.plan.count <= 1:
                return self._put()
        try:
            return self._continue(decision) if isinstance(decision, Continue) else self._begin(decision.plan)
        except OSSObjectAlreadyExists:
            # Look first and abort only then, so that an attempt that dies here sends nothing
            found = self._find_equal_object()
            self._current.drop()
            if found is None:
                raise
            return self._already_stored(found)

    # Beginning

    def _anew(self) -> Fresh:
        """Decide how to begin anew when the upload is gone."""
        if self._current.is_overtaken():
            raise OSSUploadCancelled(f"{self._ref}: another attempt of this task has taken over, this one stops")
        self._source.check_unchanged()
        size_bytes = self._measure()
        log.warning("%s: the upload is gone and the object is not the source: sending everything again", self._ref)
        self._current.forget()
        return Fresh(make_plan(size_bytes, self._upload.settings.part_size_bytes), "the upload is gone")

    def _drop_abandoned(self, decision: Fresh) -> None:
        if decision.abandoned is None:
            return
        abandoned = decision.abandoned.upload_id or "an upload without an id"
        log.warning("%s: not continuing %s: %s", self._ref, abandoned, decision.reason)
        self._current.drop_other(decision.abandoned)

    def _begin(self, plan: Plan) -> UploadResult:
        checkpoint = self._current.begin(plan, self._source.fingerprint, self._attempts)
        return self._send_and_complete(checkpoint, plan, {})

    def _put(self) -> UploadResult:
        """Store a source of one part or less by one request."""
        data, single = self._source.whole(), SinglePut(self._ref, self._means, self._upload.options)
        self._means.watcher.tick()
        if isinstance(data, ObjectRange):
            crc = self._crc64()
            put = single.copy(data, crc)
        else:
            crc = crc64(data)
            put = single.put_data(data, crc)
        if not put.was_sent:
            return self._already_stored(put.stored)
        self._current.end()  # a checkpoint that could not be read is still there
        self._reporter.total_is(len(data))
        self._reporter.part_sent(len(data), None, put.stored)
        return self._result(put.stored, crc)

    # Continuing

    def _continue(self, decision: Continue) -> UploadResult:
        saved = decision.checkpoint
        checkpoint = self._current.resume(saved, self._attempts)
        stored = self._stored_parts(checkpoint, decision.plan)
        fingerprint = self._source.fingerprint
        self._current.save_resumed(fingerprint)
        proven = self._proven(saved, stored) if saved.source.is_same_content(fingerprint) else frozenset()
        log.info(
            "%s: continuing upload %s of %s, attempt %d: %d parts are stored, %d are to be verified: compared with the "
            "source, and sent again only if they differ",
            *(self._ref, checkpoint.upload_id, fingerprint.name, checkpoint.attempt),
            *(len(stored), len(stored.keys() - proven)),
        )
        return self._send_and_complete(checkpoint, decision.plan, stored, proven)

    def _proven(self, checkpoint: Checkpoint, stored: dict[int, StoredPart]) -> frozenset[int]:
        """Return the parts that the same source need not be read for: of a copy all, if it can be proven as a whole."""
        proven = proven_parts(checkpoint, stored)
        if not self._source.copies or self._source.content() is None:
            return proven
        return proven.union(part.number for part in stored.values() if part.crc64 is not None)

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
        self, checkpoint: Checkpoint, plan: Plan, stored: dict[int, StoredPart], proven: Collection[int] = ()
    ) -> UploadResult:
        self._send(checkpoint, plan, stored, proven)
        try:
            self._check_copied(checkpoint)
            return self._complete(checkpoint)
        except OSSInvalidPart as error:
            # Believed parts were not there, or a stale attempt replaced one meanwhile: look at each once more.
            log.warning("%s: verifying all parts again: %s", self._ref, error)
        checkpoint = self._current.distrust()
        self._send(checkpoint, plan, self._stored_parts(checkpoint, plan))
        return self._complete(checkpoint)

    def _send(
        self, checkpoint: Checkpoint, plan: Plan, stored: dict[int, StoredPart], proven: Collection[int] = ()
    ) -> None:
        """Verify or send every part; afterwards all are done and the source is still the same."""
        self._reporter.restart()
        self._reporter.parts_are(plan.part_size_bytes, plan.count if isinstance(plan, PartPlan) else None)
        self._current.done.restart(stored.values())
        for outcome in self._transfer.run(checkpoint, plan, stored, proven):
            # Before anything is saved: a stale attempt that was asked to stop must not save over its successor
            self._means.cancellation.check()
            self._reporter.total_is(self._source.size_bytes)
            if outcome is not None:
                self._record(outcome)
            if self._current.is_save_due() and (outcome is not None or self._means.watcher.wants_save()):
                self._means.cancellation.check()  # the callback may have asked to stop
                self._current.save()
            self._reporter.tick()
        self._source.check_unchanged()
        if not self._current.done.completed:
            raise OSSSourceChanged(f"{self._source.fingerprint.name} is empty now: the next attempt stores it as it is")
        self._reporter.total_is(self._source.size_bytes)
        self._reporter.parts_are(plan.part_size_bytes, len(self._current.done.completed))
        self._reporter.end_reached(self._current.checkpoint or checkpoint)

    def _record(self, outcome: PartOutcome) -> None:
        part = outcome.part
        checkpoint = self._current.add(part, was_sent=outcome.was_sent)
        was_sent_before = self._current.done.was_sent(part.number)
        self._reporter.part_done(part, checkpoint, was_sent=outcome.was_sent, was_sent_before=was_sent_before)

    def _check_copied(self, checkpoint: Checkpoint) -> None:
        """Raise OSSInvalidPart before a copy is published with parts of earlier attempts that are not its source's."""
        content, done = (self._source.content() if self._source.copies else None), self._current.done
        if content is None or done.are_all_sent:
            return
        parts = list(done.completed.values())
        if any(part.crc64 is None for part in parts):  # when OSS copies a part it need not return its CRC-64
            listed = self._client.list_parts(self._ref, checkpoint.upload_id)
            parts = [CompletedPart(part.number, part.size_bytes, part.etag or "", part.crc64) for part in listed]
        if all(part.crc64 is not None for part in parts) and differ(combined_crc64(parts), content.crc64):
            raise OSSInvalidPart("the CRC-64 of the copied parts is not the source's")

    def _complete(self, checkpoint: Checkpoint) -> UploadResult:
        parts = sorted(self._current.done.completed.values(), key=lambda part: part.number)
        try:
            stored = self._client.complete_multipart_upload(
                self._ref, checkpoint.upload_id, parts, self._upload.options
            )
        except OSSCallbackFailed:
            self._current.end()
            raise
        self._current.end()
        self._reporter.line()
        return self._result(stored, self._crc64())

    # Ending

    def _result(self, stored: StoredObject, crc: int | None) -> UploadResult:
        """Compare the stored object with the source as a whole. Raises OSSChecksumMismatch when they differ."""
        # An answer without a CRC-64 leaves the parts' own proofs: Complete refuses parts with other ETags.
        if differ(stored.crc64, crc):
            raise OSSChecksumMismatch(
                f"the object {self._ref} that OSS stored has the CRC-64 {stored.crc64}, the source has {crc}"
            )
        return make_result(
            self._ref,
            stored,
            stored.crc64 if self._source.copies else crc,
            self._reporter.progress,
            attempts=self._attempts,
            elapsed_seconds=self._means.clock.monotonic() - self._started,
        )

    def _find_equal_object(self) -> StoredObject | None:
        """Return the object when it is there and equal to the source: another call or attempt made it."""
        return find_equal(self._client.head_object, self._ref, self._content, self._source.size_bytes)

    def _content(self) -> Content | None:
        parts = self._current.done.completed.values()
        if self._source.copies or sum(part.size_bytes for part in parts) != self._source.size_bytes:
            return self._source.content()
        return Content(self._source.size_bytes, combined_crc64(parts))

    def _crc64(self) -> int | None:
        content = self._content()
        return None if content is None else content.crc64

    def _already_stored(self, found: StoredObject) -> UploadResult:
        self._current.end()
        self._reporter.total_is(self._source.size_bytes)
        self._reporter.part_verified((self._source.size_bytes or 0) - self._reporter.progress.done_bytes, None)
        if self._upload.options.callback is not None:
            log.warning("%s: whether the callback was answered is not known", self._ref)
        self._reporter.line()
        return self._result(found, found.crc64)

    def _leave(self, error: BaseException) -> None:
        """Leave the upload to a later attempt; without a store there is none, so it is aborted."""
        self._leaving = leaving_by(error)
        if self._current.is_left_to_nobody():
            if is_hasty(error):
                self._leaving = AT_ONCE
            self._stop_workers()
            self._leaving = NO_LONGER
        self._means.watcher.failing(error)
        self._current.leave(error)
