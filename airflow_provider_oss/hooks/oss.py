"""The hook: what it stores, resumable or in one request, and all that it does beside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Unpack, overload

from airflow_provider_oss import limits
from airflow_provider_oss import provider_info as classic_form
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.engine.checkpoints import StorePool, abandon
from airflow_provider_oss.engine.completion import Completion
from airflow_provider_oss.engine.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.engine.planned import Cut, PlannedUpload, RangeResult, UploadPlanning
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.ranges import RangeUpload
from airflow_provider_oss.engine.source import BytesSource, FileSource, Stream, StreamSource, path_text
from airflow_provider_oss.engine.tree.remote import Removed, TreeRemoval
from airflow_provider_oss.engine.tree.result import FilesResult, TreeResult
from airflow_provider_oss.engine.tree.shards import plan_shards
from airflow_provider_oss.engine.tree.upload import FilesUpload, TreeUpload
from airflow_provider_oss.engine.tree.walk import (
    NamedFiles,
    TreeRules,
    TreeSource,
    check_plan,
    checked_symlinks,
    named_paths,
    range_of,
)
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.file_range import Buffer, bytes_of
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.hooks.objects import OSSBucketHook
from airflow_provider_oss.lineage import report_batch, report_tree, report_upload, report_uploads
from airflow_provider_oss.model import UploadResult
from airflow_provider_oss.options import ObjectOptionArguments, parse_options
from airflow_provider_oss.ports import CheckpointStore, ProgressCallback, Source
from airflow_provider_oss.quantities import size_in_bytes, whole_number


class OSSUploadHook(OSSBaseHook):
    """Stores bytes, files, streams and directories, in one request or resumably in parts."""

    def put_object(
        self, key: str, data: Buffer | str, bucket_name: str | None = None, **options: Unpack[ObjectOptionArguments]
    ) -> UploadResult:
        """Store data that is in memory in one request, at most 5 GB. Text is encoded as UTF-8."""
        body = bytes_of(data)
        if len(body) > limits.MAX_PUT_SIZE_BYTES:
            raise OSSInvalidArgument(f"data has {len(body)} bytes: one request carries at most 5 GB; use upload_file")
        upload = Upload(
            BytesSource(body),
            self.resolve(key, bucket_name, storing=True),
            self._means(),
            options=parse_options(**options),
            settings=UploadSettings(part_size_bytes=limits.MAX_PUT_SIZE_BYTES),
        )
        return report_upload(self, upload.run())

    def put_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """Store a file in one request, at most 5 GB, in constant memory."""
        return report_upload(
            self, self._single_put(key, bucket_name, options).put_file(path_text(file_path)), file_path
        )

    def put_stream(
        self,
        key: str,
        stream: Stream | Callable[[], Stream],
        content_length: int | str | None = None,
        bucket_name: str | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Store a stream in one request, at most 5 GB, in constant memory; what it raises is passed on, nothing is stored.

        :param stream: an object with ``read()``, an iterable of bytes, or a callable that returns one of these: only a
            callable is tried again after a fault.
        :param content_length: bytes in the stream; None sends it in chunked transfer encoding.
        """
        return report_upload(
            self, self._single_put(key, bucket_name, options).put_stream(stream, _length(content_length))
        )

    def upload_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
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
            256 KiB of memory, 2 MiB while other threads compute, whatever ``part_size`` is; a file of one part or less
            is read whole.
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
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
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
        upload = Upload(
            source,
            self.resolve(key, bucket_name, storing=True),
            self._means(cancellation),
            store=checkpoint,
            options=parse_options(**options),
            settings=self._settings(part_size, parallel),
            progress=progress,
        )
        return report_upload(self, upload.run(), source.path if isinstance(source, FileSource) else None)

    def upload_stream(
        self,
        key: str,
        stream: Stream | Callable[[], Stream],
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
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
            hold 48.8 TB: see ``airflow_provider_oss.engine.plan.GrowingPlan``.
        :param parallel: parts in flight. In memory are ``parallel`` + 1 parts; those beyond 64 MiB are in temporary
            files.
        :param progress: called as ``progress(fraction, checkpoint, response)`` in this thread after every part; the
            fraction is 0.0 until the stream has ended, ``checkpoint.done_bytes`` says how much is stored.
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
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
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
            self._means(cancellation),
            parse_options(**options),
            self._settings(part_size, parallel),
            stores=StorePool(() if checkpoint is None else (checkpoint,)),
        )
        outcomes = uploads.run(
            FileToStore(path_text(path), self.resolve(key, bucket_name, storing=True)) for key, path in files
        )
        return report_uploads(self, outcomes)

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
        shard: Mapping[str, Any] | None = None,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
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
        :param shard: one of what ``plan_directory`` returned: only what is in it; None for all.
        :param checkpoints: stores for the uploads of large files: a later call with the same ones continues, one that
            fails for each. Without any an upload that fails is aborted.
        """
        upload = TreeUpload(
            _tree(directory, include, exclude, symlinks, shard),
            self.resolve_prefix(key, bucket_name, storing=True),
            self._means(cancellation),
            parse_options(**options),
            self._settings(part_size, parallel),
            stores=checkpoints,
            progress=progress,
            skip_unchanged=skip_unchanged,
            rules=TreeRules(delete_removed=delete_removed, allow_empty=allow_empty, dry_run=dry_run),
        )
        return report_tree(self, upload.run())

    def upload_batch(  # noqa: PLR0913 - as above
        self,
        key: str,
        files: Mapping[str, str | os.PathLike[str]] | Sequence[str | os.PathLike[str]],
        bucket_name: str | None = None,
        *,
        skip_unchanged: bool = True,
        part_size: int | str | None = None,
        parallel: int | str = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoints: Sequence[CheckpointStore] = (),
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> FilesResult:
        """
        Store files under ``key`` and their names, as ``upload_directory`` does with those of a directory.

        A file that fails does not stop the others: ask the result, or call its ``raise_failures``. ``options`` hold for
        all objects. Raises OSSInvalidArgument when two files have one name.

        :param key: a prefix, or ``oss://bucket/prefix``; it gets a slash at its end. "" is the whole bucket.
        :param files: the path of each, by its name below ``key``; or paths, whose last components are the names.
        :param skip_unchanged: do not send what OSS holds already: a HeadObject for each file.
        :param checkpoints: as for ``upload_directory``.
        """
        paths = named_paths(files)
        upload = FilesUpload(
            NamedFiles(paths),
            self.resolve_prefix(key, bucket_name, storing=True),
            self._means(cancellation),
            parse_options(**options),
            self._settings(part_size, parallel),
            stores=checkpoints,
            progress=progress,
            skip_unchanged=skip_unchanged,
        )
        return report_batch(self, upload.run(), paths.values())

    def plan_upload(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        key: str,
        source: Source,
        bucket_name: str | None = None,
        *,
        part_size: int | str | None = None,
        ranges: int | str | None = None,
        range_size: int | str | None = None,
        max_ranges: int = limits.MAX_MAPPED_TASKS,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> tuple[PlannedUpload, list[str]]:
        """
        Begin an upload that many workers send ranges of, or find the one that an earlier call began.

        Returns it, and the ranges of its parts as texts: ``["1-400", "401-800"]``.

        See ``airflow_provider_oss.engine.planned`` for what must be done with it, and UploadPlanning for the errors.
        Nothing but OSSAbortStaleUploadsOperator aborts it when that is not done.

        :param ranges: how many; None for 8, or as ``range_size`` says, in bytes.
        :param checkpoint: where its id is kept: a later call with the same store returns the same upload.
        """
        planning = UploadPlanning(
            source,
            self.resolve(key, bucket_name, storing=True),
            self._means(cancellation),
            store=checkpoint,
            options=parse_options(**options),
            part_size_bytes=size_in_bytes("part_size", part_size),
            cut=Cut(whole_number("ranges", ranges), size_in_bytes("range_size", range_size), max_ranges),
        )
        upload, found = planning.run()
        return upload, [str(one) for one in found]

    def send_parts(
        self,
        upload: PlannedUpload,
        parts: str,
        source: Source,
        *,
        parallel: int | str = limits.DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        cancellation: Cancellation | None = None,
        traffic_limit: int | str | None = None,
    ) -> RangeResult:
        """
        Verify and send a range of the parts of a planned upload; return what ``complete_upload`` needs to know of it.

        :param parts: one of the ranges that ``plan_upload`` has returned.
        :param checkpoint: lets a later call with the same store take parts of a source with a version for proven.
        """
        sending = RangeUpload(
            source,
            upload,
            upload.range(parts),
            self._means(cancellation),
            store=checkpoint,
            options=parse_options(traffic_limit=traffic_limit),
            settings=self._settings(None, parallel),
            progress=progress,
        )
        return sending.run()

    def complete_upload(
        self,
        upload: PlannedUpload,
        results: Sequence[RangeResult],
        *,
        cancellation: Cancellation | None = None,
        **options: Unpack[ObjectOptionArguments],
    ) -> UploadResult:
        """
        Make the object of a planned upload all of whose ranges were sent, and prove it equal to what they had.

        Of the options, acl, forbid_overwrite and callback matter here; of an object without bytes, all.
        """
        completion = Completion(upload, results, self._means(cancellation), parse_options(**options))
        return report_upload(self, completion.run(), upload.source)

    def plan_directory(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        directory: str | os.PathLike[str],
        *,
        shards: int | str = 8,
        shard_files: int | str | None = None,
        max_shards: int | str = limits.MAX_MAPPED_TASKS,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        symlinks: str = "follow",
        allow_empty: bool = False,
        cancellation: Cancellation | None = None,
    ) -> list[dict[str, Any]]:
        """
        Cut a directory into shards of about equal work, one for each call of ``upload_directory``; OSS is not asked.

        Each is a dict: ``after`` and ``until``, between which the paths of its files are, and about how many ``files``
        and bytes (``size``) it has. The same directory gives the same shards. For the arguments see
        OSSPlanDirectoryOperator, for memory and precision ``airflow_provider_oss.engine.tree.shards``.
        """
        found = plan_shards(
            _tree(directory, include, exclude, symlinks),
            (cancellation or self.cancellation).check,
            shards=_positive("shards", whole_number("shards", shards, 8)),
            shard_files=_positive("shard_files", whole_number("shard_files", shard_files)),
            max_shards=_positive("max_shards", whole_number("max_shards", max_shards, limits.MAX_MAPPED_TASKS)),
            allow_empty=allow_empty,
        )
        return [shard.plain for shard in found]

    def delete_removed(  # noqa: PLR0913 - one argument for each thing a user may want otherwise
        self,
        key: str,
        directory: str | os.PathLike[str],
        bucket_name: str | None = None,
        *,
        shards: Iterable[Mapping[str, Any]],
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        symlinks: str = "follow",
        allow_empty: bool = False,
        dry_run: bool = False,
        cancellation: Cancellation | None = None,
    ) -> Removed:
        """
        Delete what a directory that was stored by shards does not have.

        The guards are those of ``upload_directory``: never without a prefix, nor of an empty directory unless
        ``allow_empty``. See TreeRemoval for what is raised.

        :param shards: what ``plan_directory`` returned.
        """
        all_of_it = list(shards)
        check_plan(all_of_it)
        sources = [_tree(directory, include, exclude, symlinks, shard) for shard in all_of_it]
        removal = TreeRemoval(
            sources,
            self.resolve_prefix(key, bucket_name, storing=True),
            self._means(cancellation),
            TreeRules(allow_empty=allow_empty, dry_run=dry_run),
        )
        return removal.run()

    def abandon_upload(self, checkpoint: CheckpointStore) -> None:
        """
        Abort the upload that a checkpoint names, if it names one, and delete the checkpoint: nobody continues it.

        Where aborting is forbidden the log names the upload that is left; so it shows a checkpoint that cannot be read.
        """
        abandon(checkpoint, self._means())

    def _single_put(self, key: str, bucket_name: str | None, options: ObjectOptionArguments) -> SinglePut:
        return SinglePut(self.resolve(key, bucket_name, storing=True), self._means(), parse_options(**options))


class OSSHook(OSSUploadHook, OSSBucketHook):
    """
    Talks to Alibaba Cloud OSS with the credentials of an Airflow connection.

    Everywhere ``key`` may be a whole ``oss://bucket/key``; else the bucket is ``bucket_name`` of the call, of the hook,
    or the connection's schema. Calls are repeated after faults that may pass, five tries in all. All raise the classes
    of ``airflow_provider_oss.exceptions``, and none answers an error with None or False. For the constructor's
    arguments see OSSBaseHook; ``**options`` are those of ``airflow_provider_oss.options.parse_options``: mime, meta,
    headers, acl, storage_class, tags, forbid_overwrite, traffic_limit, callback.
    """

    # Airflow asks the class that the provider's information names for these, not its bases

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's own fields. Called by Airflow below 3.2 only."""
        return classic_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return what the connection form calls Airflow's fields. Called by Airflow below 3.2 only."""
        return classic_form.field_behaviour()


def _tree(
    directory: str | os.PathLike[str],
    include: str | Iterable[str] | None,
    exclude: str | Iterable[str] | None,
    symlinks: str,
    shard: Mapping[str, Any] | None = None,
) -> TreeSource:
    return TreeSource(
        path_text(directory, "directory"),
        Selection(include, exclude),
        checked_symlinks(symlinks),
        None if shard is None else range_of(shard),
        has_files=shard is not None and bool(shard.get("files")),
    )


@overload
def _positive(name: str, number: int) -> int: ...
@overload
def _positive(name: str, number: int | None) -> int | None: ...
def _positive(name: str, number: int | None) -> int | None:
    if number is not None and number < 1:
        raise OSSInvalidArgument(f"{name}={number} is less than 1: give a positive number")
    return number


def _length(content_length: int | str | None) -> int | None:
    length = size_in_bytes("content_length", content_length)
    if length is not None and length < 0:
        raise OSSInvalidArgument(f"content_length={content_length!r} is negative: leave it out if it is not known")
    return length
