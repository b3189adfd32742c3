"""What the hook does with objects that are there, with multipart uploads call by call, and with buckets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Unpack

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.engine.copy import Copy
from airflow_provider_oss.engine.download import Download, read_whole
from airflow_provider_oss.engine.source import path_text
from airflow_provider_oss.engine.stale import StaleUploads, StaleUploadsResult
from airflow_provider_oss.engine.tree.remote import check_all_deleted, delete_all
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSAccessDenied,
    OSSInvalidArgument,
    OSSNoSuchBucket,
    OSSNoSuchKey,
    OSSNoSuchUpload,
    OSSRequestRejected,
)
from airflow_provider_oss.file_range import Buffer, bytes_of
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.lineage import report
from airflow_provider_oss.model import (
    BucketInfo,
    BucketProperties,
    CompletedPart,
    CopyResult,
    DownloadResult,
    ListedObject,
    ListedUpload,
    ObjectInfo,
    Page,
    StoredObject,
    StoredPart,
    check_bucket_name,
    pages,
)
from airflow_provider_oss.options import ObjectOptionArguments, parse_bucket_properties, parse_options, parse_tags
from airflow_provider_oss.ports import CheckpointDirectory, CheckpointStore, ProgressCallback
from airflow_provider_oss.proof import crc64
from airflow_provider_oss.quantities import size_in_bytes
from airflow_provider_oss.shown import Log

if TYPE_CHECKING:
    from airflow_provider_oss.clients.object_client import ObjectBody
    from airflow_provider_oss.globs import Selection


log = Log(__name__)

_TAKEN: Final = "BucketAlreadyExists"


class OSSObjectHook(OSSBaseHook):
    """Reads, lists, copies, deletes and signs."""

    # Reading

    def head_object(self, key: str, bucket_name: str | None = None) -> ObjectInfo:
        """Describe an object. Raises OSSNoSuchKey."""
        return self._calls.head_object(self.resolve(key, bucket_name))

    def object_exists(self, key: str, bucket_name: str | None = None) -> bool:
        """Whether the object is there. Only OSS's "no such key" means no; everything else that fails raises."""
        try:
            self.head_object(key, bucket_name)
        except OSSNoSuchKey:
            return False
        return True

    def get_object(
        self, key: str, bucket_name: str | None = None, byte_range: tuple[int | None, int | None] | None = None
    ) -> ObjectBody:
        """
        Open an object for reading: ``read(size)``, iteration, ``with``.

        :param byte_range: (first, last), both included; (None, n) means the last n bytes, (n, None) from n to the end.
        """
        ref = self.resolve(key, bucket_name)
        body = self._retrying(self._client.get_object, ref, byte_range)
        report(self, read=ref)
        return body

    def read_object(
        self,
        key: str,
        bucket_name: str | None = None,
        byte_range: tuple[int | None, int | None] | None = None,
        if_match: str | None = None,
    ) -> bytes:
        """
        Return an object's bytes, or a range of them: all of them and, of a whole object, with the right CRC-64.

        One request, repeated when it breaks off.

        :param byte_range: as in ``get_object``; it must begin inside the object.
        :param if_match: an ETag; when the object has another one by now, OSSSourceChanged is raised.
        """
        ref = self.resolve(key, bucket_name)
        data = self._retrying(read_whole, lambda: self._client.get_object(ref, byte_range, if_match))
        report(self, read=ref)
        return data

    def download_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> ObjectInfo:
        """
        Write an object to ``file_path``: whole and with the right CRC-64, or not at all.

        It is written beside and renamed; a download that fails leaves the old file as it was, and nothing else. A file
        that is equal to the object is left alone. Missing directories are made. For more see ``resume_download``.

        :param part_size: bytes of each range that is asked for, 100 KB to 5 GB; None chooses at least 8 MiB.
        :param parallel: ranges received at the same time. Each takes 256 KiB of memory.
        :param progress: called as ``progress(fraction, None, part)`` in this thread after every range.
        """
        download = self._download(key, file_path, bucket_name, part_size, parallel, cancellation)
        return self._downloaded(replace(download, progress=progress)).info

    def resume_download(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
        overwrite: bool = True,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> DownloadResult:
        """
        Begin a download, or continue one that ended early, as ``download_file`` does it.

        One that ends early leaves what has arrived in hidden files beside ``file_path``; a later call on this machine,
        or with the directory on a shared volume, compares that with what was noted of it and asks for the rest, if the
        object is still the same.

        :param overwrite: False raises OSSInvalidTarget when a file is there that is not equal to the object.
        """
        download = self._download(key, file_path, bucket_name, part_size, parallel, cancellation)
        return self._downloaded(replace(download, overwrite=overwrite, is_resumable=True, progress=progress))

    def _download(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None,
        part_size: int | str | None,
        parallel: int | str,
        cancellation: Cancellation | None,
    ) -> Download:
        return Download(
            self.resolve(key, bucket_name),
            path_text(file_path),
            self._means(cancellation),
            settings=self._settings(part_size, parallel),
        )

    def _downloaded(self, download: Download) -> DownloadResult:
        result = download.run()
        report(self, read=download.ref, written=download.file_path)
        return result

    def list_objects(
        self, prefix: str = "", bucket_name: str | None = None, delimiter: str = ""
    ) -> Iterator[ListedObject]:
        """
        Yield the objects whose key begins with ``prefix``, by key; pages as it goes. ``delimiter`` cuts subtrees.

        ``prefix`` may be a whole ``oss://bucket/prefix``.
        """
        for page in self.list_pages(prefix, bucket_name, delimiter):
            yield from page.items

    def list_pages(
        self, prefix: str = "", bucket_name: str | None = None, delimiter: str = "", most: int = 1000
    ) -> Iterator[Page[ListedObject]]:
        """Yield pages of at most ``most`` entries (1 to 1000): objects and, with ``delimiter``, common prefixes."""
        below = self.resolve_key_prefix(prefix, bucket_name)
        ask = partial(self._retrying, self._client.list_objects, below.bucket, below.prefix, delimiter, most=most)
        yield from pages(ask, "", ErrorDetails(below.bucket))

    # Changing

    def copy_object(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        source_key: str,
        key: str,
        source_bucket_name: str | None = None,
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
        multipart_threshold: int | str = limits.MAX_COPY_SIZE_BYTES,
        progress: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> CopyResult:
        """
        Copy an object of any size inside OSS, in one region; return when the copy's size and CRC-64 are the source's.

        With mime, meta, headers, storage_class or tags the copy gets these in place of all of the source's. It gets an
        ACL from ``acl`` only. With ``checkpoint`` a later attempt can continue; without one, a copy that fails is
        aborted. Raises OSSNoSuchKey when there is no source.

        :param part_size: bytes, 100 KB to 1 GB; None chooses at least 64 MiB so that there are at most 10,000 parts.
        :param parallel: parts copied at the same time.
        :param multipart_threshold: bytes, at most 1 GB; a larger object is copied in parts, any other in one request.
        :param progress: called as ``progress(fraction, checkpoint, response)`` in this thread after every part.
        :param checkpoint: an object with ``load``, ``save`` and ``delete``; see ``airflow_provider_oss.ports``.
        """
        copy = Copy(
            self.resolve(source_key, source_bucket_name),
            self.resolve(key, bucket_name, storing=True),
            self._means(cancellation),
            store=checkpoint,
            options=parse_options(**options),
            settings=self._settings(part_size, parallel),
            multipart_threshold_bytes=size_in_bytes(
                "multipart_threshold", multipart_threshold, limits.MAX_COPY_SIZE_BYTES
            ),
            progress=progress,
        )
        result = copy.run()
        report(self, read=copy.source, written=copy.ref)
        return result

    def delete_object(self, key: str, bucket_name: str | None = None) -> None:
        """Delete an object. That it is not there is no error."""
        self._retrying(self._client.delete_object, self.resolve(key, bucket_name))

    def delete_objects(self, keys: str | Iterable[str], bucket_name: str | None = None) -> list[str]:
        """
        Delete many objects of one bucket, 1000 a request; return their keys. That one is not there is no error.

        Raises OSSBadResponse when OSS does not report all of them deleted.
        """
        bucket = self.resolve_bucket(bucket_name)
        wanted = [self.resolve(key, bucket).key for key in ([keys] if isinstance(keys, str) else keys)]
        return self._delete(bucket, wanted)

    def delete_below(
        self, prefix: str, bucket_name: str | None = None, selection: Selection | None = None
    ) -> Iterator[list[str]]:
        """
        Delete the objects whose key begins with ``prefix``; yield after every request the keys deleted by it.

        Raises OSSBadResponse when OSS does not report all of them.

        :param selection: which of them, by their whole keys; None for all.
        """
        below = self.resolve_key_prefix(prefix, bucket_name)
        found = self.list_objects(str(below))
        wanted = (item.ref.key for item in found if selection is None or selection.matches(item.ref.key))
        while batch := list(islice(wanted, limits.MAX_KEYS_PER_DELETE)):
            yield self._delete(below.bucket, batch)

    def _delete(self, bucket: str, keys: list[str]) -> list[str]:
        deleted = [key for reported in delete_all(self._client, self._retrying, bucket, keys) for key in reported]
        check_all_deleted(bucket, keys, deleted)
        return deleted

    # Tags

    def get_object_tags(self, key: str, bucket_name: str | None = None) -> dict[str, str]:
        """Return the object's tags. Raises OSSNoSuchKey."""
        return self._retrying(self._client.get_object_tags, self.resolve(key, bucket_name))

    def set_object_tags(self, key: str, tags: Mapping[str, Any], bucket_name: str | None = None) -> dict[str, str]:
        """
        Give the object these tags and no others, up to 10; return them. Raises OSSNoSuchKey.

        Names have 1 to 128 characters, values up to 256; numbers and booleans become text.
        """
        parsed = parse_tags(tags)
        self._retrying(self._client.put_object_tags, self.resolve(key, bucket_name), parsed)
        return parsed

    def delete_object_tags(self, key: str, bucket_name: str | None = None) -> None:
        """Remove all tags of the object. Raises OSSNoSuchKey."""
        self._retrying(self._client.delete_object_tags, self.resolve(key, bucket_name))

    # Signing

    def sign_url(
        self,
        method: str,
        key: str,
        expires: timedelta | float,
        bucket_name: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> str:
        """
        Return a URL that lets its holder make one kind of request until it expires. Whoever has it can: do not log it.

        OSSPresignURLOperator registers what makes its URL valid with Airflow's log masker. Here that is left to the
        caller (``uri.secrets_of_url``): with each secret the masker takes longer, for every line and for the next
        secret, which many URLs in one task cannot afford (measured: half a second for each after 1,000).

        :param method: "GET", "PUT", ...; a URL for GET does not serve HEAD.
        :param expires: a ``timedelta`` (or pendulum Duration) or seconds; with V4 signatures at most 7 days.
        :param headers: headers that the request will carry and that are signed: Content-Type, x-oss-*.
        :param params: query parameters that belong to the URL, such as response-content-disposition.
        """
        seconds = int(expires.total_seconds() if isinstance(expires, timedelta) else expires)
        if seconds < 1:
            raise OSSInvalidArgument(f"expires={expires!r} is not in the future: give a positive duration")
        if self.settings.signature_version == "v4" and seconds > limits.MAX_PRESIGN_V4_SECONDS:
            raise OSSInvalidArgument(
                f"expires={expires!r} is longer than the 7 days a V4 signature may live: shorten it, or set "
                "signature_version to v1"
            )
        ref = self.resolve(key, bucket_name, storing=method.upper() == "PUT")
        return self._client.sign_url(ref, method.upper(), seconds, headers or {}, params or {})


class OSSMultipartHook(OSSBaseHook):
    """The calls that a multipart upload consists of, each repeated after faults that may pass."""

    def initiate_multipart_upload(
        self, key: str, bucket_name: str | None = None, **options: Unpack[ObjectOptionArguments]
    ) -> str:
        """Begin a multipart upload and return its id. Whoever begins one completes or aborts it: parts are billed."""
        ref = self.resolve(key, bucket_name, storing=True)
        return self._calls.initiate_multipart_upload(ref, parse_options(**options))

    def upload_part(
        self, key: str, upload_id: str, part_number: int, data: Buffer, bucket_name: str | None = None
    ) -> CompletedPart:
        """Store one part, 1 to 10,000, of at least 100 KB unless it is the last; its CRC-64 is compared."""
        if not 1 <= part_number <= limits.MAX_PARTS:
            raise OSSInvalidArgument(f"part_number={part_number} is out of range: use 1 to {limits.MAX_PARTS}")
        body = bytes_of(data)
        return self._calls.upload_part(
            self.resolve(key, bucket_name), upload_id, part_number, body, crc64(body), parse_options()
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
        ask = partial(self._retrying, self._client.list_multipart_uploads, below.bucket, below.prefix)
        for page in pages(ask, ("", ""), ErrorDetails(below.bucket)):
            yield from page.items

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

        For the rule see ``engine.stale``.

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


class OSSBucketHook(OSSMultipartHook, OSSObjectHook):
    """Creates, describes and deletes buckets."""

    def list_buckets(self) -> list[str]:
        """Return the names of all buckets of the account."""
        return self._retrying(self._client.list_buckets)

    def bucket_info(self, bucket_name: str | None = None) -> BucketInfo:
        """Describe a bucket. Raises OSSNoSuchBucket; OSSAccessDenied for one of somebody else."""
        return self._retrying(self._client.bucket_info, self.resolve_bucket(bucket_name))

    def bucket_exists(self, bucket_name: str | None = None) -> bool:
        """
        Whether there is such a bucket that this account may describe.

        Only OSS's "no such bucket" means no; everything else raises, OSSAccessDenied for a bucket of somebody else.
        """
        try:
            self.bucket_info(bucket_name)
        except OSSNoSuchBucket:
            return False
        return True

    def create_bucket(
        self,
        bucket_name: str,
        acl: str | None = None,
        storage_class: str | None = None,
        redundancy: str | None = None,
    ) -> bool:
        """
        Create a bucket in the region of the connection's endpoint; return whether it was not there before.

        One that the account has already is left as it is and must have what was asked for. Raises OSSRequestRejected
        when it has not, and when the name is taken by somebody else.

        :param acl: private (OSS's default), public-read or public-read-write.
        :param storage_class: Standard (the default), IA, Archive, ColdArchive or DeepColdArchive.
        :param redundancy: LRS (the default) or ZRS.
        """
        wanted = parse_bucket_properties(acl, storage_class, redundancy)
        check_bucket_name(bucket_name)
        if self._has_bucket(bucket_name, wanted):
            return False
        try:
            self._retrying(self._client.create_bucket, bucket_name, wanted)
        except OSSRequestRejected as error:
            # It may be this call's own work, whose first answer was lost
            if error.details.code != _TAKEN or not self._has_bucket(bucket_name, wanted):
                raise
        return True

    def _has_bucket(self, bucket: str, wanted: BucketProperties) -> bool:
        """
        Return whether the account has this bucket. Raises OSSRequestRejected when it has other properties.

        Where describing it is not allowed it may be somebody else's, or not be there: creating it shows that.
        """
        try:
            has = self.bucket_info(bucket).properties
        except (OSSNoSuchBucket, OSSAccessDenied):
            return False
        for name, value in asdict(wanted).items():
            if value is not None and value != (actual := getattr(has, name)):
                raise OSSRequestRejected(
                    f"the bucket is there already and has {name}={actual!r}, not {value!r}: ask for what it has, "
                    "change it by other means, or choose another name",
                    ErrorDetails(bucket),
                )
        return True

    def delete_bucket(self, bucket_name: str, *, force: bool = False) -> bool:
        """
        Delete a bucket; return whether it was there.

        Raises OSSRequestRejected when it is not empty: unfinished multipart uploads count.

        :param force: delete all its objects and abort all its multipart uploads first. Where versioning is or was on,
            OSS keeps versions, which this does not delete.
        """
        check_bucket_name(bucket_name)
        try:
            if force:
                self._empty(bucket_name)
            self._retrying(self._client.delete_bucket, bucket_name)
        except OSSNoSuchBucket:
            return False
        return True

    def _empty(self, bucket: str) -> None:
        deleted = sum(len(keys) for keys in self.delete_below("", bucket))
        aborted = 0
        for upload in self.list_multipart_uploads("", bucket):
            try:
                self._calls.abort_multipart_upload(upload.ref, upload.upload_id)
            except OSSNoSuchUpload:
                continue
            aborted += 1
        log.info("Bucket %s: deleted %d objects and aborted %d multipart uploads", bucket, deleted, aborted)
