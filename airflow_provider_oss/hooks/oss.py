"""The hook: an Airflow connection to OSS calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_oss import limits
from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSNoSuchKey
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.model import (
    CompletedPart,
    ListedObject,
    ListedUpload,
    ObjectInfo,
    StoredObject,
    StoredPart,
    UploadResult,
)
from airflow_provider_oss.options import ObjectOptionArguments, parse_options
from airflow_provider_oss.ports import Buffer, CheckpointStore, ProgressCallback, Source
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.clock import SystemClock
from airflow_provider_oss.transfer.deletion import delete_all
from airflow_provider_oss.transfer.download import download
from airflow_provider_oss.transfer.engine import Upload, UploadSettings
from airflow_provider_oss.transfer.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.transfer.places import CheckpointPlaces
from airflow_provider_oss.transfer.retry import RetryingClient
from airflow_provider_oss.transfer.single_put import SinglePut
from airflow_provider_oss.transfer.source import BytesSource, FileSource, path_text
from airflow_provider_oss.transfer.stream import Stream, StreamSource
from airflow_provider_oss.transfer.tree.globs import Selection
from airflow_provider_oss.transfer.tree.result import TreeResult
from airflow_provider_oss.transfer.tree.rules import TreeRules, TreeSource
from airflow_provider_oss.transfer.tree.upload import TreeUpload
from airflow_provider_oss.transfer.tree.walk import checked_symlinks
from airflow_provider_oss.transfer.upload_ids import abandon
from airflow_provider_oss.uri import resolve_prefix

if TYPE_CHECKING:
    from airflow_provider_oss.clients.object_client import ObjectBody


class OSSHook(OSSBaseHook):
    """
    Talks to Alibaba Cloud OSS with the credentials of an Airflow connection.

    Everywhere ``key`` may be a whole ``oss://bucket/key``; else the bucket is ``bucket_name`` of the call, of the hook,
    or the connection's schema. Calls are repeated after faults that may pass, five tries in all. All raise the classes
    of ``airflow_provider_oss.exceptions``, and none answers an error with None or False. For the constructor's
    arguments see OSSBaseHook; ``**options`` are those of ``airflow_provider_oss.options.parse_options``: mime, meta,
    headers, acl, storage_class, tags, forbid_overwrite, traffic_limit, callback.
    """

    @cached_property
    def _calls(self) -> RetryingClient:
        return RetryingClient(self._client, self._retrying)

    # Writing

    def put_object(
        self, key: str, data: Buffer | str, bucket_name: str | None = None, **options: Unpack[ObjectOptionArguments]
    ) -> UploadResult:
        """Store data that is in memory in one request, at most 5 GB. Text is encoded as UTF-8."""
        body = data.encode() if isinstance(data, str) else data
        if len(body) > limits.MAX_PUT_SIZE_BYTES:
            raise OSSInvalidArgument(f"data has {len(body)} bytes: one request carries at most 5 GB; use upload_file")
        return Upload(
            BytesSource(body),
            self.resolve(key, bucket_name),
            self._client,
            options=parse_options(**options),
            settings=UploadSettings(part_size_bytes=limits.MAX_PUT_SIZE_BYTES, retry=self.retry),
            renew_credentials=self.renew_credentials,
        ).run()

    def put_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """Store a file in one request, at most 5 GB, in constant memory."""
        return self._single_put(key, bucket_name, options).put_file(path_text(file_path))

    def put_stream(
        self,
        key: str,
        stream: Stream | Callable[[], Stream],
        content_length: int | None = None,
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Store a stream in one request, at most 5 GB, in constant memory; what it raises is passed on, nothing is stored.

        :param stream: an object with ``read()``, an iterable of bytes, or a callable that returns one of these: only a
            callable is tried again after a fault.
        :param content_length: bytes in the stream; None sends it in chunked transfer encoding.
        """
        return self._single_put(key, bucket_name, options).put_stream(stream, content_length)

    def upload_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Store a file of any size in parts, proven equal to it; with ``checkpoint`` a later attempt can continue.

        Without ``checkpoint`` an upload that fails is aborted. A file of one part or less is stored in one request.

        :param part_size: bytes, 100 KB to 5 GB; None chooses at least 8 MiB so that there are at most 10,000 parts.
        :param parallel: parts sent at the same time; above 1, one more may wait for OSS's answer meanwhile. Each takes
            256 KiB of memory, whatever ``part_size`` is.
        :param progress: called as ``progress(fraction, checkpoint, response)`` in this thread after every part.
        :param checkpoint: an object with ``load``, ``save`` and ``delete``; see ``airflow_provider_oss.ports``.
        """
        return self.upload_source(
            key,
            FileSource(path_text(file_path)),
            bucket_name,
            part_size=part_size,
            parallel=parallel,
            progress=progress,
            checkpoint=checkpoint,
            cancellation=cancellation,
            **options,
        )

    def upload_source(
        self,
        key: str,
        source: Source | StreamSource,
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Store what can be read at any offset in parts, as ``upload_file`` does with a file.

        :param source: see ``airflow_provider_oss.ports.Source``. If its fingerprint has a version and that is the one
            which an earlier attempt saw, the parts stored since then are not read again.
        """
        return Upload(
            source,
            self.resolve(key, bucket_name),
            self._client,
            store=checkpoint,
            options=parse_options(**options),
            settings=UploadSettings(part_size_bytes=part_size, parallel=parallel, retry=self.retry),
            progress=progress,
            renew_credentials=self.renew_credentials,
            cancellation=cancellation or Cancellation(),
        ).run()

    def upload_stream(
        self,
        key: str,
        stream: Stream | Callable[[], Stream],
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Store a stream of any length in parts, proven equal to it; with ``checkpoint`` a later attempt can continue.

        A later attempt reads the stream again; the parts that OSS holds with the same bytes are not sent again. What
        the stream raises is passed on and never makes an object. A stream of one part or less is stored in one request.
        Without ``checkpoint`` an upload that fails is aborted.

        :param stream: a callable that returns an object with ``read(size)`` or an iterable of bytes, which is closed at
            its end; or such an object itself, which can be read once: should the upload have to begin anew within this
            call, OSSStreamSpent is raised. It is read in this thread only.
        :param part_size: bytes of the first parts, 100 KB to 5 GB; None means 8 MiB. Later parts grow so that 10,000
            hold 48.8 TB: see ``airflow_provider_oss.transfer.plan.GrowingPlan``.
        :param parallel: parts in flight. In memory are ``parallel`` + 1 parts; those beyond 64 MiB are in temporary
            files.
        :param progress: called as ``progress(fraction, checkpoint, response)`` in this thread after every part; the
            fraction is 0.0 until the stream has ended, ``checkpoint.done_bytes`` tells how much is stored.
        :param checkpoint: an object with ``load``, ``save`` and ``delete``; see ``airflow_provider_oss.ports``.
        """
        return self.upload_source(
            key,
            StreamSource(stream),
            bucket_name,
            part_size=part_size,
            parallel=parallel,
            progress=progress,
            checkpoint=checkpoint,
            cancellation=cancellation,
            **options,
        )

    def upload_files(
        self,
        files: Iterable[tuple[str, str | os.PathLike[str]]],
        bucket_name: str | None = None,
        *,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> Iterator[FileOutcome]:
        """
        Store many files, several at a time; yield what became of each, about in their order.

        One that fails does not stop the others: its outcome has the error. Ten thousand small files cost a third of
        the CPU of as many calls of ``upload_file`` by threads. ``options`` hold for all of them.

        :param files: (key, path) of each; read as it goes.
        :param parallel: small files, or parts of a larger one, in flight.
        """
        uploads = FileUploads(
            self._client,
            parse_options(**options),
            UploadSettings(part_size_bytes=part_size, parallel=parallel, retry=self.retry),
            places=CheckpointPlaces(() if checkpoint is None else (checkpoint,)),
            renew_credentials=self.renew_credentials,
            cancellation=cancellation or Cancellation(),
        )
        return uploads.run(FileToStore(path_text(path), self.resolve(key, bucket_name)) for key, path in files)

    def upload_directory(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        key: str,
        directory: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        symlinks: str = "follow",
        skip_unchanged: bool = True,
        delete_removed: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        part_size: int | None = None,
        parallel: int = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoints: Sequence[CheckpointStore] = (),
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> TreeResult:
        """
        Store the files of a directory and all below it, each under ``key`` and its path below the directory.

        A file that fails does not stop the others: ask the result, or call its ``raise_failures``. For include, exclude
        and the other rules see OSSUploadDirectoryOperator, for all that may be raised TreeUpload. ``options`` hold for
        all objects.

        :param key: a prefix, or ``oss://bucket/prefix``; it gets a slash at its end. "" is the whole bucket.
        :param checkpoints: stores for the uploads of large files: a later call with the same ones continues, one that
            fails for each. Without any an upload that fails is aborted.
        """
        return TreeUpload(
            TreeSource(path_text(directory, "directory"), Selection(include, exclude), checked_symlinks(symlinks)),
            resolve_prefix(key, bucket_name, self.bucket_name or self.settings.default_bucket),
            self._client,
            TreeRules(
                skip_unchanged=skip_unchanged, delete_removed=delete_removed, allow_empty=allow_empty, dry_run=dry_run
            ),
            parse_options(**options),
            UploadSettings(part_size_bytes=part_size, parallel=parallel, retry=self.retry),
            stores=checkpoints,
            progress=progress,
            renew_credentials=self.renew_credentials,
            cancellation=cancellation or Cancellation(),
        ).run()

    def abandon_upload(self, checkpoint: CheckpointStore) -> None:
        """
        Abort the upload that a checkpoint names, if it names one, and delete the checkpoint: nobody continues it.

        Where aborting is forbidden the log names the upload that is left; so it shows a checkpoint that cannot be read.
        """
        abandon(checkpoint, self._calls, SystemClock())

    def _single_put(self, key: str, bucket_name: str | None, options: ObjectOptionArguments) -> SinglePut:
        ref = self.resolve(key, bucket_name)
        return SinglePut(ref, self._client, parse_options(**options), self.retry, self.renew_credentials)

    # Multipart, call by call

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
        return self._calls.complete_multipart_upload(ref, upload_id, parts, parse_options(**options))

    def abort_multipart_upload(self, key: str, upload_id: str, bucket_name: str | None = None) -> None:
        """Drop an upload and its parts. Raises OSSNoSuchUpload when it is gone."""
        self._calls.abort_multipart_upload(self.resolve(key, bucket_name), upload_id)

    def list_multipart_uploads(self, prefix: str = "", bucket_name: str | None = None) -> Iterator[ListedUpload]:
        """Yield the unfinished uploads whose key begins with ``prefix``, by key and upload id; pages as it goes."""
        bucket = self.resolve_bucket(bucket_name)
        token: Any = ("", "")
        while token is not None:
            page = self._retrying(self._client.list_multipart_uploads, bucket, prefix, token)
            yield from page.items
            token = page.next_token

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
        return self._retrying(self._client.get_object, self.resolve(key, bucket_name), byte_range)

    def download_file(self, key: str, file_path: str | os.PathLike[str], bucket_name: str | None = None) -> ObjectInfo:
        """
        Write an object to ``file_path``: whole and with the right CRC-64, or not at all.

        It is written beside and renamed; a download that fails leaves the old file as it was.
        """
        ref = self.resolve(key, bucket_name)
        return self._retrying(download, lambda: self._client.get_object(ref, None), Path(path_text(file_path)))

    def list_objects(
        self, prefix: str = "", bucket_name: str | None = None, delimiter: str = ""
    ) -> Iterator[ListedObject]:
        """Yield the objects whose key begins with ``prefix``, by key; pages as it goes. ``delimiter`` cuts subtrees."""
        bucket = self.resolve_bucket(bucket_name)
        token: str | None = ""
        while token is not None:
            page = self._retrying(self._client.list_objects, bucket, prefix, delimiter, token)
            yield from page.items
            token = page.next_token

    # Changing

    def copy_object(
        self,
        source_key: str,
        key: str,
        source_bucket_name: str | None = None,
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> ObjectInfo:
        """
        Copy an object inside OSS (in one region, up to 1 GB) and describe the copy.

        With mime, meta, headers, storage_class or tags the copy gets these in place of the source's.
        """
        parsed = parse_options(**options)
        changed = any((parsed.mime, parsed.meta, parsed.headers, parsed.storage_class, parsed.tags))
        source, target = self.resolve(source_key, source_bucket_name), self.resolve(key, bucket_name)
        return self._retrying(self._client.copy_object, source, target, parsed, replace_metadata=changed)

    def delete_object(self, key: str, bucket_name: str | None = None) -> None:
        """Delete an object. That it is not there is no error."""
        self._retrying(self._client.delete_object, self.resolve(key, bucket_name))

    def delete_objects(self, keys: Iterable[str], bucket_name: str | None = None) -> list[str]:
        """Delete many objects of one bucket, 1000 a request; return the keys that OSS reports, missing ones too."""
        bucket = self.resolve_bucket(bucket_name)
        wanted = [self.resolve(key, bucket).key for key in keys]
        return [key for reported in delete_all(self._client, self._retrying, bucket, wanted) for key in reported]

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
        return self._client.sign_url(
            self.resolve(key, bucket_name), method.upper(), seconds, headers or {}, params or {}
        )
