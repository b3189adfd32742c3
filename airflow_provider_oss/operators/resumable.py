"""What the operators share whose uploads a retried task instance continues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from airflow_provider_oss.operators.base import OSSUploadBaseOperator, whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

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
    :param parallel: parts in flight, 1 to 100. Templated.
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
