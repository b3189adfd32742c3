"""Task instances without a scheduler: the real operators, the real hook, a context, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Literal, TypeAlias

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_oss.exceptions import OSSPermanentError
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import CompletedPart
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.transfer.retry import RetryPolicy
from tests.chaos.client import UNDISTURBED, DisturbedClient, Interference
from tests.chaos.edges import StateFile, store_context
from tests.chaos.world import CONN_ID, PART_BYTES

Kind: TypeAlias = Literal["resumable", "stream", "bytes", "file", "callable", "one-shot"]
"""``resumable`` and ``stream`` continue: a file, and what a callable yields."""

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
    acknowledged: tuple[tuple[str, CompletedPart], ...] = ()
    """Upload id and part, for every part whose acknowledgement arrived."""

    def __str__(self) -> str:
        return "success" if self.error is None else f"{type(self.error).__name__}: {self.error}"


def attempt(
    job: Job, interference: Interference = UNDISTURBED, retry: RetryPolicy = WITHOUT_PAUSES, task: Any = None
) -> Attempt:
    """Run one attempt as the task runner would, with objects of its own; or with ``task``, from make_task."""
    task = task or (None if job.kind == "one-shot" else make_task(job))
    hook = OSSHook(CONN_ID) if task is None else task.hook
    client = _disturb(hook, interference, retry)
    try:
        result = _run_hook(hook, job) if task is None else task.execute(context_of(job, task))
    except Exception as error:  # noqa: BLE001 - how an attempt ended is what is asked
        ended = Attempt(error=error, permanent=job.kind == "one-shot" and isinstance(error, OSSPermanentError))
        if isinstance(error, AirflowFailException):
            ended = Attempt(error=error.__cause__, permanent=True)
    else:
        ended = Attempt(result)
    return replace(ended, acknowledged=tuple(client.acknowledged))


def _run_hook(hook: OSSHook, job: Job) -> Mapping[str, Any]:
    """Put a stream that cannot be read again: no operator does that."""
    return hook.put_stream(job.key, _chunks(job.path), **job.options).as_dict()


def _disturb(hook: OSSHook, interference: Interference, retry: RetryPolicy) -> DisturbedClient:
    hook.retry = retry
    client = hook.__dict__["_client"] = DisturbedClient(hook._client, interference)
    return client


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
            return _resumable(
                job, {"part_size": PART_BYTES, "parallel": job.parallel, "checkpoint": job.store, **common}
            )


def _resumable(job: Job, common: dict[str, Any]) -> Any:
    if job.kind == "stream":
        return OSSResumableStreamOperator(stream=lambda: _chunks(job.path), **common)
    return OSSResumableUploadOperator(file_path=str(job.path), **common)


def context_of(job: Job, task: Any) -> dict[str, Any]:
    """Return what of a task's context is used."""
    ti = SimpleNamespace(dag_id="chaos", run_id="manual", task_id="upload", map_index=-1)
    return {"ti": ti, "task": task, **store_context(job.state)}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(30_000):
            yield chunk
