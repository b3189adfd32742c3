"""
One range of the parts of an upload that others work at too: verified, and sent where it differs.

See ``planned`` for what the tasks do together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.checkpoints import CheckpointWriter
from airflow_provider_oss.engine.parts import PartCalls, PartOutcome, PartTransfer, ReaderParts
from airflow_provider_oss.engine.plan import PartRange
from airflow_provider_oss.engine.planned import PlannedUpload, RangeResult, etags_digest
from airflow_provider_oss.engine.progress import ProgressReporter, watched
from airflow_provider_oss.engine.resume import DoneParts, is_sealed, proven_parts, sealed, with_proof
from airflow_provider_oss.engine.retry import Means, RetryingClient
from airflow_provider_oss.engine.stored import look_at, source_crc64
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.engine.workers import Leaving, is_hasty, left_by
from airflow_provider_oss.exceptions import (
    OSSNoSuchUpload,
    OSSSourceMissing,
    naming_exhaustion,
    seen_elsewhere,
)
from airflow_provider_oss.model import Checkpoint, ObjectOptions, StoredPart, TransferState
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, SendingClient, Source, SourceReader
from airflow_provider_oss.proof import combined_crc64
from airflow_provider_oss.shown import Log

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class RangeUpload:
    """Which parts of an upload are to be sent, and how: the arguments of ``run``."""

    source: Source
    upload: PlannedUpload
    parts: PartRange
    means: Means[SendingClient]
    store: CheckpointStore | None = None
    """Holds how far the range is, while it is sent, and lets parts of a source with a version stay unread."""
    options: ObjectOptions = field(default_factory=ObjectOptions)
    """Of them, ``traffic_limit_bits`` matters."""
    settings: UploadSettings = field(default_factory=UploadSettings)
    progress: ProgressCallback | None = None
    """Called as that of ``Upload``; the fraction is the range's."""

    def run(self) -> RangeResult:
        """
        Make one attempt; return only when OSS holds every part of the range, equal to the source.

        Where the upload is gone, and an object of the source's size there, the range is only read: ``Completion``
        compares the object with what all ranges have. Memory is that of ``Upload``.

        Raises OSSPlanOutdated when the source is not what was planned, or the upload is gone and there is no such
        object; OSSSourceElsewhere when this worker does not see the file; else as ``Upload.run`` does.
        """
        with obeying(self.means.cancellation), naming_exhaustion():
            self.means.cancellation.check()
            sending = _Sending(self, self._open())
            with left_by(sending.close), watched(self.means.watcher, sending.state):
                return sending.run()

    def _open(self) -> SourceReader:
        try:
            return self.source.open()
        except OSSSourceMissing as missing:
            raise seen_elsewhere(f"source={self.upload.source!r}") from missing


class _Sending:
    """One attempt to send a range."""

    def __init__(self, wanted: RangeUpload, reader: SourceReader) -> None:
        means, settings = wanted.means, wanted.settings
        self._wanted = wanted
        self._upload = wanted.upload
        self._parts = wanted.parts
        self._means = means
        self._reader = reader
        self._started = means.clock.monotonic()
        self._source = ReaderParts(reader, settings.parallel, means.clock)
        calls = PartCalls(means, settings.parallel, self._source)
        self._client = RetryingClient(means.client, means.retrying(tried=calls.describe_tries))
        self._writer = CheckpointWriter(wanted.store, settings.save_interval_seconds, means.clock)
        self._done = DoneParts()
        self._reporter = ProgressReporter(
            wanted.upload.ref,
            wanted.parts.span.size_bytes,
            wanted.progress,
            means.clock,
            source=wanted.upload.source,
            watcher=means.watcher,
            intervals=means.log_intervals,
        )
        self._reporter.parts_are(wanted.upload.part_size, wanted.parts.count, wanted.parts.first)
        self._transfer = PartTransfer(
            self._source,
            calls.client_until,
            wanted.options,
            threads=calls.threads,
            begins=self._reporter.part_begins,
        )

    def state(self) -> TransferState:
        """Return how far the range is."""
        return self._reporter.state()

    def close(self, leaving: Leaving) -> None:
        """Stop the workers and release the source."""
        self._source.close(is_in_use=not self._transfer.stop(leaving))

    def run(self) -> RangeResult:
        self._upload.check_source(self._reader.fingerprint)
        saved = self._writer.load()
        if not self._upload.upload_id:
            return self._read()
        try:
            return self._means.renewing(lambda: self._sent(saved))
        except OSSNoSuchUpload:
            log.info("%s: upload %s is gone, looking at the object", self._upload.ref, self._upload.upload_id)
            return self._read()

    def _sent(self, saved: Checkpoint | None) -> RangeResult:
        upload, parts = self._upload, self._parts
        checkpoint = self._checkpoint(1 if saved is None else saved.attempt + 1)
        listed = self._client.list_parts(upload.ref, upload.upload_id, parts.first, parts.last)
        stored = {part.number: part for part in listed}
        proven = proven_parts(saved, stored) if saved is not None and _is_of(saved, checkpoint) else frozenset()
        log.info(
            "%s: parts %s of %d of upload %s of %s: %d are stored, %d are to be verified: compared with the source, "
            "and sent again only if they differ",
            *(upload.ref, parts, upload.parts, upload.upload_id, upload.source),
            *(len(stored), len(stored.keys() - proven)),
        )
        self._send(checkpoint, stored, proven)
        done = self._done.completed
        self._writer.delete()
        self._reporter.line()
        return self._result(combined_crc64(done.values()), etags_digest(done.values()))

    def _checkpoint(self, attempt: int) -> Checkpoint:
        """Return the record of this range."""
        upload, now = self._upload, self._means.clock.utc_now()
        return sealed(
            Checkpoint(
                ref=upload.ref,
                upload_id=upload.upload_id,
                part_size_bytes=upload.part_size,
                source=self._reader.fingerprint,
                options_digest=upload.options,
                attempt=attempt,
                created_at=upload.created_at,
                updated_at=now,
            )
        )

    def _send(self, checkpoint: Checkpoint, stored: dict[int, StoredPart], proven: Collection[int]) -> None:
        self._reporter.restart()
        self._done.restart()
        self._writer.save(checkpoint)
        try:
            for outcome in self._transfer.run(checkpoint, self._parts, stored, proven):
                self._means.cancellation.check()
                if outcome is not None:
                    checkpoint = self._record(checkpoint, outcome)
                if self._writer.is_due() and (outcome is not None or self._means.watcher.wants_save()):
                    self._means.cancellation.check()  # the callback may have asked to stop
                    self._save(checkpoint)
                self._reporter.tick()
        except Exception as error:
            self._means.watcher.failing(error)
            if not is_hasty(error) and self._done.completed:
                self._save(checkpoint)
            raise
        self._source.check_unchanged()

    def _record(self, checkpoint: Checkpoint, outcome: PartOutcome) -> Checkpoint:
        part = outcome.part
        self._done.add(part, was_sent=outcome.was_sent)
        checkpoint = self._done.noted_in(checkpoint, self._means.clock.utc_now())
        was_sent_before = self._done.was_sent(part.number)
        self._reporter.part_done(part, checkpoint, was_sent=outcome.was_sent, was_sent_before=was_sent_before)
        return checkpoint

    def _save(self, checkpoint: Checkpoint) -> None:
        self._writer.save(with_proof(checkpoint, self._done.completed))

    def _read(self) -> RangeResult:
        """Read the range, for the object to be compared with. Raises OSSPlanOutdated when there is none to compare."""
        upload, span = self._upload, self._parts.span
        if span.size_bytes:
            there = look_at(self._client.head_object, upload.ref)
            if there is None or there.size_bytes != upload.size:
                raise upload.gone()
        crc = source_crc64(self._reader, self._wanted.settings.parallel, self._means.clock, span)
        self._writer.delete()
        self._reporter.restart()
        self._reporter.part_verified(span.size_bytes, None)
        return self._result(crc, "")

    def _result(self, crc: int, etags: str) -> RangeResult:
        progress = self._reporter.progress
        return RangeResult(
            upload=self._upload.seal,
            parts=str(self._parts),
            size=self._parts.span.size_bytes,
            crc64=str(crc),
            etags=etags,
            bytes_sent=progress.sent_bytes,
            bytes_verified=progress.verified_bytes,
            elapsed_seconds=round(self._means.clock.monotonic() - self._started, 3),
        )


def _is_of(saved: Checkpoint, checkpoint: Checkpoint) -> bool:
    """Whether the record is of the same upload and of the same version of the source."""
    is_same = (saved.ref, saved.upload_id) == (checkpoint.ref, checkpoint.upload_id)
    return is_same and is_sealed(saved) and saved.source.is_same_content(checkpoint.source)
