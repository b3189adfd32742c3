"""An object copied by OSS itself: in one request, or resumably in parts. Nothing of it passes through this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import obeying
from airflow_provider_oss.engine.parts import CopySource
from airflow_provider_oss.engine.plan import automatic_part_size_bytes
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSChecksumMismatch,
    OSSInvalidArgument,
    OSSNoSuchKey,
    naming_exhaustion,
)
from airflow_provider_oss.model import CopyResult, ObjectInfo, ObjectOptions, ObjectRef, UploadResult
from airflow_provider_oss.options import described_as, given, shown_of
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, SendingClient
from airflow_provider_oss.proof import differ
from airflow_provider_oss.shown import Log

log = Log(__name__)

_LEAST_PART_SIZE_BYTES: Final = 64 * limits.MIB
"""OSS answers when a part is copied, and nothing moves until then: parts must be done within the read timeout."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is to be copied, where to, and how: the arguments of ``run``."""

    source: ObjectRef
    ref: ObjectRef
    means: Means[SendingClient]
    store: CheckpointStore | None = None
    options: ObjectOptions = field(default_factory=ObjectOptions)
    """With mime, meta, headers, storage_class or tags the copy gets all of these from here; else all of the source."""
    settings: UploadSettings = field(default_factory=UploadSettings)
    """``part_size_bytes`` None chooses at least 64 MiB, so that there are at most 10,000 parts."""
    multipart_threshold_bytes: int = limits.MAX_COPY_SIZE_BYTES
    """A larger object is copied in parts."""
    progress: ProgressCallback | None = None

    def run(self) -> CopyResult:
        """
        Make one attempt; return only when the copy's size and CRC-64 are the source's, where OSS returns the latter.

        With a ``store``, an attempt that ends in any way, SIGKILL included, leaves what a later attempt with the same
        store needs to continue: parts of the same version of the source that OSS lists are not copied again. Without
        one, an attempt that fails aborts its upload. For all that may be raised see ``Upload.run``; beside it
        OSSNoSuchKey when there is no source, and OSSSourceChanged when it was replaced meanwhile: the next attempt
        copies what is there then.
        """
        self._check_arguments()
        with obeying(self.means.cancellation), naming_exhaustion():
            return self._run()

    def _run(self) -> CopyResult:
        info = self.means.call(self.means.client.head_object, self.source)
        result = self._upload(info).run()
        is_compared = bool(result.crc64) and info.crc64 is not None
        return self._result(info, result, info.crc64 if is_compared else self._compare(info, result))

    def _check_arguments(self) -> None:
        if self.options.callback is not None:
            raise OSSInvalidArgument("callback cannot be used here: OSS makes none for a copy")
        most = limits.MAX_COPY_SIZE_BYTES
        if not 0 <= self.multipart_threshold_bytes <= most:
            raise OSSInvalidArgument(
                f"multipart_threshold={self.multipart_threshold_bytes} is out of range: OSS copies at most {most} "
                "bytes (1 GB) in one request"
            )
        part_size_bytes = self.settings.part_size_bytes
        if part_size_bytes is not None and part_size_bytes > most:
            raise OSSInvalidArgument(f"part_size={part_size_bytes} is too large for a copy: use at most {most} (1 GB)")

    def _upload(self, info: ObjectInfo) -> Upload:
        return Upload(
            CopySource(info),
            self.ref,
            self.means,
            store=self.store,
            options=self._options(info),
            settings=replace(self.settings, part_size_bytes=self._part_size_bytes(info.size_bytes)),
            progress=self.progress,
        )

    def _part_size_bytes(self, size_bytes: int) -> int:
        """Return one part's size: what fits into one part is copied in one request."""
        if size_bytes <= self.multipart_threshold_bytes:
            return limits.MAX_COPY_SIZE_BYTES
        if self.settings.part_size_bytes is not None:
            return self.settings.part_size_bytes
        return automatic_part_size_bytes(size_bytes, _LEAST_PART_SIZE_BYTES)

    def _options(self, info: ObjectInfo) -> ObjectOptions:
        """Return what is stored with the copy. An upload in parts copies nothing of that by itself."""
        if any(given(self.options)):
            return self.options
        return described_as(self.options, replace(shown_of(info), tags=self._tags(info)))

    def _tags(self, info: ObjectInfo) -> Mapping[str, str]:
        if "x-oss-tagging-count" not in info.headers:
            return {}
        try:
            return self.means.call(self.means.client.get_object_tags, info.ref)
        except OSSAccessDenied as error:
            log.warning("%s: the copy gets no tags, for those of %s may not be read: %s", self.ref, info.ref, error)
            return {}

    def _compare(self, info: ObjectInfo, result: UploadResult) -> int | None:
        """
        Look at the copy, for OSS returned no CRC-64 when it was made, or none of the source; return what it has now.

        Raises OSSChecksumMismatch when it is not the source. One that cannot be looked at is noted in the log.
        """
        try:
            found = self.means.call(self.means.client.head_object, self.ref)
        except (OSSAccessDenied, OSSNoSuchKey) as error:
            log.warning("%s: the copy cannot be looked at, so its size is not compared: %s", self.ref, error)
            return None
        if found.etag != result.etag:
            log.warning("%s: the copy was replaced before it could be looked at", self.ref)
            return None
        if None in (found.crc64, info.crc64):
            log.info("%s: OSS returned no CRC-64; only the size is compared with the source's", self.ref)
        elif differ(found.crc64, info.crc64):
            raise self._mismatch(f"the CRC-64 {found.crc64}, the source {info.ref} has {info.crc64}")
        if found.size_bytes != info.size_bytes:
            raise self._mismatch(f"{found.size_bytes} bytes, the source {info.ref} has {info.size_bytes}")
        return found.crc64

    def _mismatch(self, difference: str) -> OSSChecksumMismatch:
        return OSSChecksumMismatch(f"the copy has {difference}", ErrorDetails(self.ref.bucket, self.ref.key))

    def _result(self, info: ObjectInfo, result: UploadResult, crc64: int | None) -> CopyResult:
        return CopyResult(
            bucket=result.bucket,
            key=result.key,
            uri=result.uri,
            source_uri=info.ref.uri,
            size=result.size,
            etag=result.etag,
            crc64=None if crc64 is None else str(crc64),
            version_id=result.version_id,
            request_id=result.request_id,
            attempts=result.attempts,
            resumed=result.resumed,
            bytes_copied=result.bytes_sent,
            bytes_verified=result.bytes_verified,
            elapsed_seconds=result.elapsed_seconds,
        )
