"""The operator that downloads an object to a file on the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from airflow_provider_oss.links.oss import TRANSFER_LINKS
from airflow_provider_oss.operators.base import OSSBaseOperator, needing_an_object

if TYPE_CHECKING:
    import os
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_oss.model import DownloadResult
    from airflow_provider_oss.operators import ConnectionKeywords
    from airflow_provider_oss.ports import ProgressCallback


class OSSDownloadObjectOperator(OSSBaseOperator):
    """
    Writes an object of any size to a file on the worker, whole and with the right CRC-64, or fails and changes nothing.

    The file is written beside and renamed: whoever reads ``file_path`` sees the old content or the new. A retried task
    instance that runs on the same worker, or has the directory on a shared volume, continues: what has arrived is
    compared with what was noted of it, and the rest is asked for, if the object is still the same. When the task fails
    for good that stays, in hidden files beside ``file_path``, for the task to be cleared. A file that is equal to the
    object already is left alone. Missing directories are made. A missing object fails the task at once.

    Memory is 256 KiB for each of ``parallel`` ranges. For ``oss_conn_id`` and ``region`` see OSSBaseOperator. Returns a
    plain dict: ``bucket, key, uri, file_path, size, etag, crc64, bytes_received, bytes_verified, resumed,
    elapsed_seconds``.

    :param key: object name, or a whole ``oss://bucket/key``. Templated, like every text below.
    :param file_path: path of the file on the worker.
    :param bucket_name: bucket; None for the connection's schema.
    :param overwrite: False fails the task when a file is there that is not equal to the object.
    :param part_size: bytes of each range that is asked for, 100 KB to 5 GB; None chooses at least 8 MiB so that there
        are at most 10,000. Templated, so its text will do.
    :param parallel: ranges received at the same time, 1 to 100. Templated.
    :param progress: called as ``progress(fraction, None, part)`` after every range.
    """

    template_fields: Sequence[str] = (
        *OSSBaseOperator.template_fields, "key", "file_path", "bucket_name", "part_size", "parallel",
    )  # fmt: skip
    operator_extra_links = TRANSFER_LINKS
    transfer_kind = "download"

    key: str
    file_path: str | os.PathLike[str]
    bucket_name: str | None
    overwrite: bool
    part_size: int | str | None
    parallel: int | str | None
    progress: ProgressCallback | None

    def __init__(
        self,
        *,
        key: str | XComArg,
        file_path: str | os.PathLike[str] | XComArg,
        bucket_name: str | XComArg | None = None,
        overwrite: bool = True,
        part_size: int | str | XComArg | None = None,
        parallel: int | str | XComArg | None = DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        **kwargs: Unpack[ConnectionKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            key=key,
            file_path=file_path,
            bucket_name=bucket_name,
            overwrite=overwrite,
            part_size=part_size,
            parallel=parallel,
            progress=progress,
        )

    @override
    def work(self, context: Context) -> DownloadResult:
        from airflow_provider_oss.quantities import size_in_bytes, whole_number

        with needing_an_object():
            return self.hook.resume_download(
                self.key,
                self.file_path,
                self.bucket_name,
                part_size=size_in_bytes("part_size", self.part_size),
                parallel=whole_number("parallel", self.parallel, DEFAULT_PARALLEL),
                overwrite=self.overwrite,
                progress=self.progress,
            )

    @override
    def transfer_target(self) -> str:
        return str(self.file_path)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider gives it
        """Return what was read and written, for Airflow's OpenLineage provider: nothing, when nothing was written."""
        from airflow_provider_oss.lineage import TaskLineage, as_openlineage, source, stored

        if self._result is None:
            return as_openlineage(TaskLineage())
        ref = self._result.info.ref
        return as_openlineage(TaskLineage([stored(ref.bucket, ref.key)], [source(self._result.file_path)]))
