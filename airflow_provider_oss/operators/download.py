"""The operator that downloads an object to a file on the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once, needing_an_object, whole_number

if TYPE_CHECKING:
    import os

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.model import DownloadResult
    from airflow_provider_oss.ports import ProgressCallback
    from airflow_provider_oss.transfer.cancellation import Cancellation


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

    def __init__(
        self,
        *,
        key: str,
        file_path: str | os.PathLike[str],
        bucket_name: str | None = None,
        overwrite: bool = True,
        part_size: int | str | None = None,
        parallel: int | str = DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.file_path = file_path
        self.bucket_name = bucket_name
        self.overwrite = overwrite
        self.part_size = part_size
        self.parallel = parallel
        self.progress = progress
        self._cancellation: Cancellation | None = None
        self._result: DownloadResult | None = None

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - nothing of it is needed
        """Begin or continue the download and return the result as plain data."""
        with failing_at_once(), needing_an_object():
            result = self._result = self._download()
        self.log.info("%s", result.describe())
        return result.as_dict()

    def _download(self) -> DownloadResult:
        from airflow_provider_oss.transfer.cancellation import Cancellation

        # A new one for each attempt: dag.test() runs them all with the same object, and a time-out calls on_kill
        self._cancellation = Cancellation()
        parallel = whole_number("parallel", self.parallel)
        return self.hook.resume_download(
            self.key,
            self.file_path,
            self.bucket_name,
            part_size=whole_number("part_size", self.part_size),
            parallel=DEFAULT_PARALLEL if parallel is None else parallel,
            overwrite=self.overwrite,
            progress=self.progress,
            cancellation=self._cancellation,
        )

    def on_kill(self) -> None:
        """Ask the download to stop. Only a flag is set: this runs in a signal handler, and nothing needs saving."""
        if self._cancellation is not None:
            self._cancellation.request()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider gives it
        """Return what was read and written, for Airflow's OpenLineage provider: nothing, when nothing was written."""
        from airflow_provider_oss.operators.lineage import TaskLineage, as_openlineage, source, stored

        if self._result is None:
            return as_openlineage(TaskLineage())
        ref = self._result.info.ref
        return as_openlineage(TaskLineage([stored(ref.bucket, ref.key)], [source(self._result.file_path)]))
