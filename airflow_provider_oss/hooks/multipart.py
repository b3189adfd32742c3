"""Multipart uploads, call by call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Unpack

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.hooks.lineage import report
from airflow_provider_oss.model import (
    CompletedPart,
    ListedUpload,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.options import ObjectOptionArguments, parse_options
from airflow_provider_oss.ports import Buffer, CheckpointDirectory
from airflow_provider_oss.transfer.stale_uploads import StaleUploads, StaleUploadsResult


class OSSMultipartHook(OSSBaseHook):
    """The calls that a multipart upload consists of, each repeated after faults that may pass."""

    def initiate_multipart_upload(
        self, key: str, bucket_name: str | None = None, **options: Unpack[ObjectOptionArguments]
    ) -> str:
        """Begin a multipart upload and return its id. Whoever begins one completes or aborts it: parts are billed."""
        return self._calls.initiate_multipart_upload(self.resolve(key, bucket_name), parse_options(**options))

    def upload_part(
        self, key: str, upload_id: str, part_number: int, data: Buffer, bucket_name: str | None = None
    ) -> CompletedPart:
        """Store one part, 1 to 10,000, of at least 100 KB unless it is the last; its CRC-64 is compared."""
        if not 1 <= part_number <= limits.MAX_PARTS:
            raise OSSInvalidArgument(f"part_number={part_number} is out of range: use 1 to {limits.MAX_PARTS}")
        return self._calls.upload_part(
            self.resolve(key, bucket_name), upload_id, part_number, data, crc64(data), parse_options()
        )

    def list_parts(self, key: str, upload_id: str, bucket_name: str | None = None) -> tuple[StoredPart, ...]:
        """Return all stored parts of an upload. Raises OSSNoSuchUpload when it is gone."""
        return tuple(self._calls.list_parts(self.resolve(key, bucket_name), upload_id))

    def complete_multipart_upload(
        self,
        key: str,
        upload_id: str,
        parts: Iterable[CompletedPart],
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> StoredObject:
        """Make the object of ``parts``. Of the options, acl, forbid_overwrite and callback matter here."""
        ref = self.resolve(key, bucket_name)
        stored = self._calls.complete_multipart_upload(ref, upload_id, parts, parse_options(**options))
        report(self, written=ref)
        return stored

    def abort_multipart_upload(self, key: str, upload_id: str, bucket_name: str | None = None) -> None:
        """Drop an upload and its parts. Raises OSSNoSuchUpload when it is gone."""
        self._calls.abort_multipart_upload(self.resolve(key, bucket_name), upload_id)

    def list_multipart_uploads(self, prefix: str = "", bucket_name: str | None = None) -> Iterator[ListedUpload]:
        """
        Yield the unfinished uploads whose key begins with ``prefix``, by key and upload id; pages as it goes.

        ``prefix`` may be a whole ``oss://bucket/prefix``.
        """
        below = self.resolve_key_prefix(prefix, bucket_name)
        token: Any = ("", "")
        while token is not None:
            page = self._retrying(self._client.list_multipart_uploads, below.bucket, below.prefix, token)
            yield from page.items
            token = page.next_token

    def abort_stale_uploads(
        self,
        older_than: timedelta,
        checkpoints: CheckpointDirectory,
        prefix: str = "",
        bucket_name: str | None = None,
        *,
        dry_run: bool = False,
    ) -> StaleUploadsResult:
        """
        Abort the multipart uploads that nobody continues, and forget their checkpoints.

        For the rule see ``transfer.stale``.

        :param older_than: how long nothing may have happened to them; not shorter than the longest pause between two
            attempts at one upload.
        :param checkpoints: those that uploads may be continued from: in a task
            ``checkpoint.directory.AirflowCheckpointDirectory``.
        :param prefix: what their keys begin with, or ``oss://bucket/prefix``.
        """
        below = self.resolve_key_prefix(prefix, bucket_name)
        uploads = list(self.list_multipart_uploads(str(below)))
        cutoff = self._client.server_time() - older_than.total_seconds()  # corrected, if need be, by the listing
        return StaleUploads(below, self._calls, checkpoints, cutoff, dry_run=dry_run).run(uploads)
