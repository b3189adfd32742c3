"""The tasks of a group, played one after the other by one attempt, in the place of Airflow and of a person."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from airflow_provider_oss.operators.base import OSSBaseOperator
from tests.chaos.edges import StateFile, TaskStateAccessor
from tests.chaos.world import CONN_ID

_RUN = "run/"


class GroupOperator(OSSBaseOperator):
    """
    The tasks of a group, in their order.

    A task that has succeeded is not run again by the next attempt. When all have, the next attempt is another run.
    """

    def __init__(self, *, state: StateFile, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._state = state

    def execute(self, context: Any) -> Any:
        del context
        result = self.run_all()
        self.clear()
        return result

    @abstractmethod
    def run_all(self) -> Any:
        """Run the tasks, with ``run_task``, and return what the last one returns."""

    def run_task(self, name: str, kind: Callable[..., OSSBaseOperator], **arguments: Any) -> Any:
        """Return what the task has returned; run it if it has not."""
        task = kind(task_id=name, oss_conn_id=CONN_ID, dag=None, **arguments)
        return self.once(name, lambda: task.execute(self._context(name, task)))

    def run_mapped(self, tasks: Iterable[Callable[[], Any]]) -> list[Any]:
        """Return what these calls of ``run_task`` return. When one raises, the others are made all the same."""
        returned: list[Any] = []
        errors: list[Exception] = []
        for run in tasks:
            try:
                returned.append(run())
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)
        if errors:
            raise errors[0]
        return returned

    def once(self, name: str, act: Callable[[], Any]) -> Any:
        """Return what this has returned in this run; do it if it has not."""
        returned = f"{_RUN}{name}"
        if returned not in self._state.content:
            self._state.write(returned, act())
        return self._state.content[returned]

    def pushed(self, name: str, key: str) -> Any:
        """Return what the task has pushed."""
        return self._state.content[f"{_RUN}{name}/{key}"]

    def clear(self) -> None:
        """Let all tasks run again. Their checkpoints stay."""
        self._keep_all_but(_RUN)

    def forget(self) -> None:
        """Forget the run, and the checkpoints of its tasks."""
        self._keep_all_but("")

    def _context(self, name: str, task: OSSBaseOperator) -> Any:
        def xcom_push(key: str, value: Any) -> None:
            self._state.write(f"{_RUN}{name}/{key}", value)

        ti = SimpleNamespace(
            dag_id="chaos", run_id="manual", task_id=name, map_index=-1, try_number=1, xcom_push=xcom_push
        )
        return {"ti": ti, "task": task, "task_state_store": TaskStateAccessor(self._state, name)}

    def _keep_all_but(self, begins: str) -> None:
        self._state.put({key: value for key, value in self._state.content.items() if not key.startswith(begins)})
