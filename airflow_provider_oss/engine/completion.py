"""
The object made of ranges that many workers have sent, and proven to be what all of them had.

See ``planned`` for what the tasks do together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.plan import PartRange
from airflow_provider_oss.engine.planned import PlannedUpload, RangeResult, etags_digest
from airflow_provider_oss.engine.progress import make_result
from airflow_provider_oss.engine.retry import Means, RetryingClient
from airflow_provider_oss.engine.stored import find_equal
from airflow_provider_oss.exceptions import (
    OSSChecksumMismatch,
    OSSInvalidArgument,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSPlanOutdated,
    naming_exhaustion,
)
from airflow_provider_oss.model import CompletedPart, ObjectOptions, Progress, StoredObject, UploadResult
from airflow_provider_oss.options import digest
from airflow_provider_oss.ports import SendingClient
from airflow_provider_oss.proof import EMPTY, Content, combine, combined_crc64, differ
from airflow_provider_oss.shown import Log

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Completion:
    """Which upload is to become an object, and what has been sent of it: the arguments of ``run``."""

    upload: PlannedUpload
    results: Sequence[RangeResult]
    means: Means[SendingClient]
    options: ObjectOptions = field(default_factory=ObjectOptions)
    """Those of the plan. ACL, ``forbid_overwrite`` and callback take effect here."""

    def run(self) -> UploadResult:
        """
        Make the object; return only when it is proven to be what all ranges had.

        Before, what OSS lists is compared with each range: number, size and CRC-64 of its parts, or their ETags. An
        upload that is gone is looked for as an object: an earlier call may have made it.

        Raises OSSInvalidArgument for other options than the plan's; OSSPlanOutdated when the result of a range is
        missing or of another plan, when OSS does not hold what was sent, and when the upload is gone and the object
        another one; OSSObjectAlreadyExists when ``forbid_overwrite`` finds another object. Then, too, the upload stays.
        Else as ``Upload.run`` does.
        """
        with obeying(self.means.cancellation), naming_exhaustion():
            self.means.cancellation.check()
            self._check_options()
            results = self._in_order()
            crc = EMPTY
            for one in results:
                crc = combine(crc, int(one.crc64), one.size)
            stored = self.means.renewing(lambda: self._stored(results, crc))
            if differ(stored.crc64, crc):
                raise OSSChecksumMismatch(
                    f"the object {self.upload.ref} that OSS stored has the CRC-64 {stored.crc64}, the source has {crc}"
                )
            return self._result(stored, crc)

    def _check_options(self) -> None:
        if digest(self.options) != self.upload.options:
            raise OSSInvalidArgument(
                f"mime, meta, headers, storage_class or tags of {self.upload.ref} are not those that the upload was "
                "begun with, and OSS fixes them then: give the same ones, or clear the task that plans"
            )

    def _in_order(self) -> list[RangeResult]:
        """Return the results by their parts: of this plan, and of each part once."""
        upload, following = self.upload, 1
        of_it = (one for one in self.results if one.upload == upload.seal)
        results = sorted(of_it, key=lambda one: upload.range(one.parts).first)
        for one in results:
            found = upload.range(one.parts)
            if found.first != following or found.span.size_bytes != one.size:
                break
            following = found.last + 1
        else:
            if following == upload.parts + 1:
                return results
        raise OSSPlanOutdated(
            f"results: of {upload.ref}, what was sent from part {following} on is missing, or of another plan: clear "
            "the task that sends it (a task that was marked as successful has sent nothing)"
        )

    def _stored(self, results: Sequence[RangeResult], crc: int) -> StoredObject:
        upload, client = self.upload, RetryingClient(self.means.client, self.means.retrying())

        def find() -> StoredObject | None:
            return find_equal(client.head_object, upload.ref, lambda: Content(upload.size, crc), upload.size)

        try:
            if upload.upload_id:
                parts = list(self._listed(client, results))
                return client.complete_multipart_upload(upload.ref, upload.upload_id, parts, self.options)
            found = find()
        except OSSNoSuchUpload:
            found = find()
        except OSSObjectAlreadyExists:
            found = find()
            if found is None:
                raise
            with suppress(OSSNoSuchUpload):
                client.abort_multipart_upload(upload.ref, upload.upload_id)
        if found is None and upload.size and not upload.upload_id:
            raise OSSObjectAlreadyExists(f"{upload.ref} is another object than the source, and may not be overwritten")
        if found is None:
            raise upload.gone()
        if self.options.callback is not None:
            log.warning("%s: whether the callback was answered is not known", upload.ref)
        return found

    def _listed(self, client: RetryingClient, results: Sequence[RangeResult]) -> Iterator[CompletedPart]:
        """Yield all parts as OSS lists them. Raises OSSPlanOutdated unless these are the parts that were sent."""
        upload = self.upload
        listed = {part.number: part for part in client.list_parts(upload.ref, upload.upload_id)}
        for one in results:
            found = [listed[part.number] for part in upload.range(one.parts) if part.number in listed]
            parts = [CompletedPart(part.number, part.size_bytes, part.etag or "", part.crc64) for part in found]
            if not _are_those_sent(parts, upload.range(one.parts), one):
                raise OSSPlanOutdated(
                    f"OSS does not hold parts {one.parts} of {upload.ref}, upload {upload.upload_id}, as they were "
                    "sent: clear the task that sends them; what is right of them is not sent again"
                )
            yield from parts

    def _result(self, stored: StoredObject, crc: int) -> UploadResult:
        now = self.means.clock.utc_now()
        progress = Progress(
            self.upload.size,
            sent_bytes=sum(one.bytes_sent for one in self.results),
            verified_bytes=sum(one.bytes_verified for one in self.results),
        )
        elapsed = datetime.fromisoformat(now) - datetime.fromisoformat(self.upload.created_at or now)
        return make_result(
            self.upload.ref, stored, crc, progress, attempts=1, elapsed_seconds=max(0.0, elapsed.total_seconds())
        )


def _are_those_sent(parts: Sequence[CompletedPart], wanted: PartRange, sent: RangeResult) -> bool:
    """Whether what OSS lists of a range is what was sent: by their CRC-64, or their ETags where it lists none."""
    if [(part.number, part.size_bytes) for part in parts] != [(part.number, part.size_bytes) for part in wanted]:
        return False
    if any(part.crc64 is None for part in parts):
        return etags_digest(parts) == sent.etags
    return not differ(combined_crc64(parts), int(sent.crc64))
