"""What the operators share whose uploads a retried task instance continues."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from airflow_provider_oss.operators.base import OSSUploadBaseOperator, failing_at_once, whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss.model import UploadResult
    from airflow_provider_oss.options import ObjectOptionArguments
    from airflow_provider_oss.ports import CheckpointStore, ProgressCallback
    from airflow_provider_oss.transfer.cancellation import Cancellation


class ResumableArguments(TypedDict):
    """The keywords of the hook's resumable uploads."""

    part_size: int | None
    parallel: int
    progress: ProgressCallback | None
    checkpoint: CheckpointStore
    cancellation: Cancellation


class OSSResumableBaseOperator(OSSUploadBaseOperator):
    """
    Stores one object of any size; a retried task instance continues where the last attempt stopped.

    When the task fails for good the parts stay, so that clearing it continues; they are billed until the task is
    cleared, the upload is aborted, or a lifecycle rule of the bucket removes them. For the other arguments see
    OSSUploadBaseOperator.

    :param part_size: bytes, 100 KB to 5 GB; None chooses. Templated, so its text will do.
    :param parallel: parts sent at the same time, 1 to 100; of a file, one more may wait for OSS's answer. Templated.
    :param checkpoint: where the upload id is kept between attempts: ``"auto"`` (the task state store from Airflow 3.3
        on, else a Variable), ``"task_state"``, ``"variable"``, ``"xcom"``, or an object with ``load``, ``save`` and
        ``delete``. Templated.
    :param checkpoint_anchor: with ``"xcom"``, the task whose XCom holds it; None chooses one. Templated.
    :param progress: called as ``progress(fraction, checkpoint, response)`` after every part.
    """

    template_fields: Sequence[str] = (
        *OSSUploadBaseOperator.template_fields, "part_size", "parallel", "checkpoint", "checkpoint_anchor",
    )  # fmt: skip

    def __init__(
        self,
        *,
        part_size: int | str | None = None,
        parallel: int | str = DEFAULT_PARALLEL,
        checkpoint: str | CheckpointStore = "auto",
        checkpoint_anchor: str | None = None,
        progress: ProgressCallback | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.part_size = part_size
        self.parallel = parallel
        self.checkpoint = checkpoint
        self.checkpoint_anchor = checkpoint_anchor
        self.progress = progress
        self._cancellation: Cancellation | None = None

    def resumable_arguments(self, context: Context) -> ResumableArguments:
        """Return what makes one upload of this attempt resumable, for the hook. Once for each attempt."""
        from airflow_provider_oss.checkpoint.choice import choose_store
        from airflow_provider_oss.transfer.cancellation import Cancellation

        # A new one for each attempt: dag.test() runs them all with the same object, and a time-out calls on_kill
        self._cancellation = Cancellation()
        parallel = whole_number("parallel", self.parallel)
        return {
            "part_size": whole_number("part_size", self.part_size),
            "parallel": DEFAULT_PARALLEL if parallel is None else parallel,
            "progress": self.progress,
            "checkpoint": choose_store(self.checkpoint, context, self.checkpoint_anchor),
            "cancellation": self._cancellation,
        }

    def on_kill(self) -> None:
        """Ask the upload to stop. Only a flag is set: this runs in a signal handler, and nothing needs saving."""
        if self._cancellation is not None:
            self._cancellation.request()


class OSSStreamBaseOperator(OSSResumableBaseOperator):
    """
    Stores a stream that the user's code gives, and leaves nothing behind when that says to skip the task.

    A retried task instance runs the code again: what OSS holds with the same bytes is not sent again. With
    AirflowSkipException it says that there is nothing to store: what an earlier attempt has begun is aborted. For the
    other arguments see OSSResumableBaseOperator and OSSUploadBaseOperator.

    :param compression: None, ``"gzip"`` or ``"zstd"`` (extra ``zstd`` of the package), the same bytes in every attempt.
        A key that ends in ``.gz`` or ``.zst`` names a compressed file; with any other, the object gets the
        Content-Encoding, unless ``headers`` has one, and HTTP clients decompress it. Templated.
    """

    template_fields: Sequence[str] = (*OSSResumableBaseOperator.template_fields, "compression")

    def __init__(self, *, compression: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compression = compression

    @abstractmethod
    def upload_output(self, context: Context, resumable: ResumableArguments) -> UploadResult:
        """Run the user's code and store what it gives."""

    def upload(self, context: Context) -> UploadResult:
        """Begin or continue the upload."""
        with self.leaving_nothing_when_skipped(context):
            return self.upload_output(context, self.resumable_arguments(context))

    @contextmanager
    def leaving_nothing_when_skipped(self, context: Context) -> Iterator[None]:
        """Abort what an earlier attempt has begun when AirflowSkipException is raised; pass that on."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_oss.checkpoint.choice import choose_store

        try:
            yield
        except AirflowSkipException:
            with failing_at_once():
                self.hook.abandon_upload(choose_store(self.checkpoint, context, self.checkpoint_anchor))
            raise

    def object_options(self) -> ObjectOptionArguments:
        """Add Content-Encoding, unless the key names a compressed file or the user gave one."""
        from airflow_provider_oss.compression import content_encoding, suffix
        from airflow_provider_oss.options import mapping_of

        options = super().object_options()
        encoding, headers = content_encoding(self.compression), dict(mapping_of("headers", self.headers))
        if encoding is None or self.key.endswith(suffix(self.compression)) or _has_content_encoding(headers):
            return options
        return {**options, "headers": {**headers, "Content-Encoding": encoding}}


def _has_content_encoding(headers: Mapping[str, Any]) -> bool:
    return "content-encoding" in map(str.lower, headers)
