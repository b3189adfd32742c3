"""Task instances without a scheduler: the real operators, the real hook, a context, and what became of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Protocol, TypeAlias

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from tests.chaos.client import UNDISTURBED, Interference, interfering
from tests.chaos.edges import StateFile, store_context
from tests.chaos.world import CONN_ID, PART_BYTES, World

Kind: TypeAlias = Literal["resumable", "stream", "bytes", "file", "callable", "one-shot"]
"""``resumable`` and ``stream`` continue: a file, and what a callable yields."""

TASK_ID = "upload"


class Work(Protocol):
    """What a task instance does. It is sent to the processes that make attempts at it: plain data only."""

    @property
    def key(self) -> str:
        """The key, or the prefix, of what it stores."""

    @property
    def state(self) -> StateFile:
        """What Airflow keeps for the task instance."""

    def finish(self, world: World) -> None:
        """Finish the uploads that are under way, as another worker would."""

    def operator(self) -> Any:
        """Return the operator, whose id is ``TASK_ID``."""


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

    def operator(self) -> Any:
        common: dict[str, Any] = {"task_id": TASK_ID, "key": self.key, "oss_conn_id": CONN_ID, **self.options}
        match self.kind:
            case "bytes":
                return OSSPutObjectOperator(data=self.path.read_bytes(), **common)
            case "file":
                return OSSPutObjectOperator(file_path=str(self.path), **common)
            case "callable":
                return OSSPutStreamOperator(stream=lambda: _chunks(self.path), **common)
            case "one-shot":
                return HookOperator(work=self._put_once, task_id=TASK_ID, oss_conn_id=CONN_ID)
        common |= {"part_size": PART_BYTES, "parallel": self.parallel, "checkpoint": self.store}
        if self.kind == "stream":
            return OSSResumableStreamOperator(stream=lambda: _chunks(self.path), **common)
        return OSSResumableUploadOperator(file_path=str(self.path), **common)

    def finish(self, world: World) -> None:
        world.finish({self.key: self.path.read_bytes()})

    def _put_once(self, hook: OSSHook) -> Mapping[str, Any]:
        """Put a stream that cannot be read again: no operator does that."""
        return hook.put_stream(self.key, _chunks(self.path), **self.options).as_dict()


class HookOperator(OSSBaseOperator):
    """Does with the hook what a user's own code may do with it."""

    def __init__(self, *, work: Callable[[OSSHook], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._work = work

    def execute(self, context: Any) -> Any:
        del context
        with self.attempt():
            return self._work(self.hook)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended: with a result, or with an error; ``permanent`` says that Airflow would not retry."""

    result: Any = None
    error: BaseException | None = None
    permanent: bool = False
    acknowledged: tuple[tuple[str, int], ...] = ()
    """Upload id and number of every part whose acknowledgement arrived."""

    def __str__(self) -> str:
        return "success" if self.error is None else f"{type(self.error).__name__}: {self.error}"


def attempt(work: Work, interference: Interference = UNDISTURBED, task: Any = None) -> Attempt:
    """Run one attempt as the task runner would, with objects of its own; or with ``task``, from make_task."""
    task = task or make_task(work)
    acknowledged: list[tuple[str, int]] = []
    told = Interference(interference.before, interference.after, acknowledged)
    try:
        with interfering(told):
            result = task.execute(context_of(work, task))
    except AirflowFailException as error:
        return Attempt(error=error.__cause__, permanent=True, acknowledged=tuple(acknowledged))
    except Exception as error:  # noqa: BLE001 - how an attempt ended is what is asked
        return Attempt(error=error, acknowledged=tuple(acknowledged))
    return Attempt(result, acknowledged=tuple(acknowledged))


def make_task(work: Work) -> Any:
    """Return the operator, in a DAG with another task that may hold its checkpoint."""
    with DAG("chaos", schedule=None):
        task = work.operator()
        BaseOperator(task_id="anchor") >> task
    return task


def context_of(work: Work, task: Any) -> dict[str, Any]:
    """Return what of a task's context is used."""
    ti = SimpleNamespace(
        dag_id="chaos", run_id="manual", task_id=TASK_ID, map_index=-1, try_number=1, xcom_push=lambda **_: None
    )
    return {"ti": ti, "task": task, **store_context(work.state)}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(30_000):
            yield chunk
