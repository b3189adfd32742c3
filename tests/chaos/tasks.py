"""Task instances without a scheduler: the real operators, the real hook, a context, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Literal, TypeAlias

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, BaseOperator

from airflow_provider_oss.exceptions import OSSPermanentError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.transfer.retry import RetryPolicy
from tests.chaos.client import UNDISTURBED, DisturbedClient, Interference
from tests.chaos.edges import StateFile, store_context
from tests.chaos.world import CONN_ID, PART_BYTES

Kind: TypeAlias = Literal["resumable", "bytes", "file", "callable", "one-shot"]

WITHOUT_PAUSES: Final = RetryPolicy(first_delay_seconds=0.0, longest_delay_seconds=0.0)


@dataclass(frozen=True, slots=True)
class Job:
    """What a task instance is to upload. ``store`` is the operator's ``checkpoint``."""

    key: str
    path: Path
    state: StateFile
    kind: Kind = "resumable"
    store: str = "task_state"
    parallel: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended: with a result, or with an error; ``permanent`` says that Airflow would not retry."""

    result: Mapping[str, Any] | None = None
    error: BaseException | None = None
    permanent: bool = False

    def __str__(self) -> str:
        return "success" if self.error is None else f"{type(self.error).__name__}: {self.error}"


def attempt(
    job: Job, interference: Interference = UNDISTURBED, retry: RetryPolicy = WITHOUT_PAUSES, task: Any = None
) -> Attempt:
    """Run one attempt as the task runner would, with objects of its own; or with ``task``, from make_task."""
    try:
        if job.kind == "one-shot":
            hook = OSSHook(CONN_ID)
            _disturb(hook, interference, retry)
            return Attempt(hook.put_stream(job.key, _chunks(job.path), **job.options).as_dict())
        task = task or make_task(job)
        _disturb(task.hook, interference, retry)
        return Attempt(task.execute(context_of(job, task)))
    except Exception as error:  # noqa: BLE001 - how an attempt ended is what is asked
        if isinstance(error, AirflowFailException):
            return Attempt(error=error.__cause__, permanent=True)
        return Attempt(error=error, permanent=job.kind == "one-shot" and isinstance(error, OSSPermanentError))


def _disturb(hook: OSSHook, interference: Interference, retry: RetryPolicy) -> None:
    hook.retry = retry
    if interference is not UNDISTURBED:
        hook.__dict__["_client"] = DisturbedClient(hook._client, interference)


def make_task(job: Job) -> Any:
    """Return the operator, in a DAG with another task that may hold its checkpoint."""
    with DAG("chaos", schedule=None):
        task = _operator(job)
        BaseOperator(task_id="anchor") >> task
    return task


def _operator(job: Job) -> Any:
    common: dict[str, Any] = {"task_id": "upload", "key": job.key, "oss_conn_id": CONN_ID, **job.options}
    match job.kind:
        case "bytes":
            return OSSPutObjectOperator(data=job.path.read_bytes(), **common)
        case "file":
            return OSSPutObjectOperator(file_path=str(job.path), **common)
        case "callable":
            return OSSPutStreamOperator(stream=lambda: _chunks(job.path), **common)
        case _:
            return OSSResumableUploadOperator(
                file_path=str(job.path),
                part_size=PART_BYTES,
                parallel=job.parallel,
                checkpoint=job.store,
                **common,
            )


def context_of(job: Job, task: Any) -> dict[str, Any]:
    """Return what of a task's context is used."""
    ti = SimpleNamespace(dag_id="chaos", run_id="manual", task_id="upload", map_index=-1)
    return {"ti": ti, "task": task, **store_context(job.state)}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(30_000):
            yield chunk
