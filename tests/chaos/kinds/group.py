"""One object by many mapped tasks, played one after the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.exceptions import OSSPlanOutdated
from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.transfers.ranges import (
    UPLOAD_KEY,
    OSSCompleteUploadOperator,
    OSSPlanUploadOperator,
    OSSSendPartsOperator,
)
from tests.chaos.edges import StateFile, TaskStateAccessor
from tests.chaos.transfers import IN_PARTS, Transfer
from tests.chaos.world import CONN_ID, PART_BYTES, World, demand

_SIZE_BYTES = 5 * PART_BYTES + 700
_RANGES = 3
_XCOM = "xcom/"


class GroupOperator(OSSBaseOperator):
    """
    The tasks of a group, in their order, in the place of Airflow and of a person.

    A task that has succeeded is not run again by the next attempt. When an error says that the plan is to be cleared,
    with all that follows it, that is done once. What Airflow keeps of the run is forgotten when it has succeeded.
    """

    def __init__(self, *, state: StateFile, source: str, key: str, parallel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._state = state
        self._source = source
        self._key = key
        self._parallel = parallel

    def execute(self, context: Any) -> Any:
        del context
        try:
            result = self._run()
        except AirflowFailException as error:
            if not isinstance(error.__cause__, OSSPlanOutdated):
                raise
            self._forget(_XCOM)
            result = self._run()
        self._forget("")
        return result

    def _run(self) -> Any:
        both = {"source": self._source}
        ranges = self._task("plan", OSSPlanUploadOperator, key=self._key, ranges=_RANGES, part_size=PART_BYTES, **both)
        upload = self._state.content[f"{_XCOM}plan/{UPLOAD_KEY}"]
        results = [
            self._task(f"send-{one}", OSSSendPartsOperator, upload=upload, parts=one, parallel=self._parallel, **both)
            for one in ranges
        ]
        return self._task("complete", OSSCompleteUploadOperator, key=self._key, upload=upload, results=results)

    def _task(self, name: str, kind: Callable[..., OSSBaseOperator], **arguments: Any) -> Any:
        """Return what the task has returned; run it if it has not."""
        xcom = f"{_XCOM}{name}/return_value"
        if xcom not in self._state.content:
            task = kind(task_id=name, oss_conn_id=CONN_ID, dag=None, **arguments)
            self._state.write(xcom, task.execute(self._context(name, task)))
        return self._state.content[xcom]

    def _context(self, name: str, task: OSSBaseOperator) -> Any:
        def xcom_push(key: str, value: Any) -> None:
            self._state.write(f"{_XCOM}{name}/{key}", value)

        ti = SimpleNamespace(
            dag_id="chaos", run_id="manual", task_id=name, map_index=-1, try_number=1, xcom_push=xcom_push
        )
        return {"ti": ti, "task": task, "task_state_store": TaskStateAccessor(self._state, name)}

    def _forget(self, begins: str) -> None:
        self._state.put({key: value for key, value in self._state.content.items() if not key.startswith(begins)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Transfer):
    """A file, in three ranges of its parts."""

    name: ClassVar[str] = "group"
    calls: ClassVar[tuple[str, ...]] = IN_PARTS

    def make_source(self, world: World, random: random.Random) -> None:
        del world
        (self.folder / "source").write_bytes(random.randbytes(_SIZE_BYTES))

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}object", b"old")

    def operator(self) -> Any:
        return GroupOperator(
            state=self.state,
            source=str(self.folder / "source"),
            key=f"{self.key}object",
            parallel=self.parallel,
            task_id="group",
            oss_conn_id=CONN_ID,
        )

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(contents == {"object": (self.folder / "source").read_bytes()}, "the object is equal to its source")
        demand(result["size"] == _SIZE_BYTES, f"the result tells the size: {result}")

    def finish(self, world: World) -> None:
        world.finish({f"{self.key}object": (self.folder / "source").read_bytes()})
