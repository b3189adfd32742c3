"""The other end of what a task says to Airflow: a supervisor that answers from memory, or Airflow 2's database.

Everything on the task's side is Airflow's own: Variable, XCom, the task state store's accessor. Which of the two it
speaks to depends on the Airflow that is installed; for the tests they are one thing, called ``supervisor``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.support.airflow_version import HAS_TASK_STATE, IS_AIRFLOW_2

if TYPE_CHECKING or not IS_AIRFLOW_2:
    from tests.checkpoint.edge_of_airflow_3 import UNREACHABLE, Supervisor, connected, get_task_states
else:
    from tests.checkpoint.edge_of_airflow_2 import UNREACHABLE, Supervisor, connected, get_task_states

__all__ = ["UNREACHABLE", "Supervisor", "connected", "get_task_states", "task_state_accessor", "task_state_context"]

TI_ID = UUID("01a20005-698b-774c-b35e-f0bb865fb1fe")


def task_state_context() -> dict[str, Any]:
    """Return what a task's context has of the task state store: nothing below Airflow 3.3."""
    return {"task_state_store": task_state_accessor()} if HAS_TASK_STATE else {}


def task_state_accessor() -> Any:
    """Return Airflow's own accessor, which speaks to the supervisor."""
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor  # noqa: PLC0415 - since Airflow 3.3

    return TaskStateStoreAccessor(TI_ID, scope=None)  # type: ignore[arg-type]  # it is for custom backends
