"""From any storage that Airflow's ObjectStoragePath knows to OSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_oss.lineage import TaskLineage
    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.operators import KeylessKeywords
    from airflow_provider_oss.ports import CheckpointStore
    from airflow_provider_oss.sources.object_storage import SelectedSource
    from airflow_provider_oss.transfers.many import StoredAll


class ObjectStorageToOSSOperator(OSSResumableBaseOperator):
    """
    Copies one file, several, or all that a glob matches from a storage to OSS, resumably.

    Each file is read in ranges by ``parallel`` + 1 threads, and each range takes memory of a part's size; a file of
    this worker is read as OSSResumableUploadOperator reads it. A retried attempt does not send again what OSS holds,
    and does not even read it where the storage tells a strong version of the file (S3's ETag, GCS's generation, Azure's
    ETag) that is still the same.

    With ``key``, ``source`` is one file, and the result that of every upload. With ``prefix`` there may be many: they
    are stored one after the other, each under the prefix and its path below what is fixed of its glob (a single path
    under its last name). Two files with one key are an error before anything is sent. An object that is there already
    is not sent again if its size, its CRC-64 (the file is read for it), and of ``mime``, ``meta``, ``headers`` and
    ``storage_class`` what is given are equal; its ACL and tags cannot be seen. A file that cannot be read does not keep
    the others from being stored; then the task fails, and its retry stores what is missing. The result is a dict:
    ``objects`` and ``failed`` (lists of dicts, each with the ``source``), and the sums ``size``, ``bytes_sent``,
    ``bytes_verified``.

    For the other arguments see OSSResumableBaseOperator.

    :param source: ``scheme://[conn_id@]path``, an ObjectStoragePath, or a list of these. A text with ``*``, ``?`` or
        ``[`` is a glob, an ObjectStoragePath never. Templated.
    :param source_conn_id: id of the storage's connection, if it is not in ``source``. Templated.
    :param key: object name for one file, or a whole ``oss://bucket/key``. Templated. Give this or ``prefix``.
    :param prefix: what the names of the objects begin with, or ``oss://bucket/prefix``; "" for nothing. Templated.
    """

    template_fields: Sequence[str] = (
        *OSSResumableBaseOperator.template_fields, "source", "source_conn_id", "prefix",
    )  # fmt: skip
    exclusive: ClassVar[Sequence[str]] = ("key", "prefix")
    transfer_kind = "storage"

    source: str | ObjectStoragePath | Sequence[str | ObjectStoragePath]
    source_conn_id: str | None
    prefix: str | None
    _read: Sequence[str] = ()

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath | Sequence[str | ObjectStoragePath | XComArg] | XComArg,
        source_conn_id: str | XComArg | None = None,
        key: str | XComArg | None = None,
        prefix: str | XComArg | None = None,
        **kwargs: Unpack[KeylessKeywords],
    ) -> None:
        super().__init__(key=key, **kwargs)  # type: ignore[arg-type]  # None beside a prefix
        self._keep(source=source, source_conn_id=source_conn_id, prefix=prefix)

    def contradiction(self) -> str | None:
        """Return what is wrong when there is not one of them."""
        is_one = (self.key is None) != (self.prefix is None)
        return None if is_one else "give either key, for one file, or prefix, not both and not neither"

    @override
    def transfer_target(self) -> str:
        return str(self.key if self.prefix is None else self.prefix)

    def check_target(self) -> None:
        """Check the one object's address, or the prefix."""
        if self.prefix is None:
            super().check_target()
        else:
            self.hook.resolve_prefix(self.prefix, self.bucket_name, storing=True)

    def work(self, context: Context) -> UploadResult | StoredAll:
        """Store the one file, or all of them."""
        return self._store_one(context) if self.prefix is None else self._store_all(context, self.prefix)

    def _store_one(self, context: Context) -> UploadResult:
        from airflow_provider_oss.exceptions import OSSInvalidArgument

        arguments = self.resumable_arguments(context)
        selected = self._selected(arguments["checkpoint"])
        if len(selected) != 1 or self.key is None:
            raise OSSInvalidArgument(f"source={self.source!r} is {len(selected)} files: give prefix in place of key")
        self._read = [selected[0].name]
        return self.hook.upload_source(
            self.key, selected[0].source, self.bucket_name, **arguments, **self.object_options()
        )

    def _store_all(self, context: Context, prefix: str) -> StoredAll:
        from airflow_provider_oss.sources.object_storage import keys_below
        from airflow_provider_oss.transfers.many import StoreAll

        arguments = self.resumable_arguments(context)
        keys = keys_below(prefix, self._selected(arguments["checkpoint"]))
        return StoreAll(self.hook, self.bucket_name, arguments, self.object_options()).run(keys)

    def folder(self) -> str:
        """Return the folder of the one object, or the prefix."""
        return super().folder() if self.prefix is None else str(self.prefix)

    def lineage(self, result: UploadResult | StoredAll) -> TaskLineage:
        """Return the files that are stored and their objects."""
        from airflow_provider_oss.lineage import TaskLineage, source, stored
        from airflow_provider_oss.transfers.many import StoredAll

        if not isinstance(result, StoredAll):
            return super().lineage(result)
        return TaskLineage(
            [source(one.source) for one in result.objects],
            [stored(one.bucket, one.key, one.size, etag=one.etag) for one in result.objects],
        )

    @override
    def sources(self) -> Sequence[str]:
        return self._read

    def _selected(self, checkpoint: CheckpointStore) -> list[SelectedSource]:
        from airflow_provider_oss.exceptions import OSSSourceMissing, seen_elsewhere
        from airflow_provider_oss.sources.object_storage import select
        from airflow_provider_oss.transfers.opened import open_storage

        given = self.source if isinstance(self.source, Sequence) and not isinstance(self.source, str) else [self.source]
        try:
            return select(given, self.source_conn_id, open_storage)
        except OSSSourceMissing as missing:
            if self._was_begun(checkpoint):
                raise seen_elsewhere(f"source={self.source!r}") from missing
            raise

    def _was_begun(self, checkpoint: CheckpointStore) -> bool:
        """Whether an earlier attempt has begun to store what this one cannot find."""
        from airflow_provider_oss.transfers.many import saved_in

        saved = saved_in(checkpoint)
        if saved is None:
            return False
        if self.prefix is None:
            return bool(saved.ref == self.hook.resolve(self.key, self.bucket_name))
        return bool(self.hook.resolve_prefix(self.prefix, self.bucket_name).has(saved.ref))
