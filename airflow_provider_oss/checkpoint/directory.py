"""
The checkpoints of other task instances, as far as a task may see them.

======== ========= ===================== ==========
Airflow  Variables XComs                 task state
======== ========= ===================== ==========
2.11     all       all                   (none)
3.0-3.2  none      none                  (none)
3.3      all       none                  none
======== ========= ===================== ==========

From Airflow 3 on a task has no database. The api-server lists Variables since 3.3; it gives an XCom only to who knows
its key, which is made from the owner's name, and an entry of the task state store only to the task instance itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow.providers.common.compat.sdk import Variable
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss.checkpoint import variable
from airflow_provider_oss.checkpoint.choice import STORES, InstanceName, instance_of
from airflow_provider_oss.model import FoundCheckpoint

_ENDED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class AirflowCheckpointDirectory:
    """What the task instance of a context can see. Implements ``ports.CheckpointDirectory``."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context

    @property
    def unseen(self) -> Sequence[str]:
        """Names of the stores that cannot be listed from here."""
        return [name for name, store in STORES.items() if not store.is_seen(self._context)]

    def find(self) -> Sequence[FoundCheckpoint]:
        """
        Return all checkpoints of the stores that can be listed.

        Raises when Airflow cannot be asked, or does not give what is there. What is no checkpoint is logged.
        """
        return [found for store in STORES.values() for found in store.find(self._context)]

    def is_over(self, found: FoundCheckpoint) -> bool:
        """Whether the owner has ended, or is not there any more; False when it is not known who it is."""
        instance = None if found.owner is None else instance_of(found.owner)
        if instance is None:
            return False
        states = _states_in_database(instance) if not AIRFLOW_V_3_0_PLUS else self._states(instance)
        return all(state in _ENDED for state in states)

    def forget(self, found: FoundCheckpoint) -> bool:
        """Delete a Variable unless it was changed since; return whether it was deleted."""
        key = found.variable_key
        if key is None or variable.read(key, "a checkpoint") != found.text:
            return False
        Variable.delete(key)
        return True

    def _states(self, instance: InstanceName) -> list[str | None]:
        """Return the state of the task instance, if there is one, by the api-server."""
        of_runs = self._context["ti"].get_task_states(
            instance.dag_id, task_ids=[instance.task_id], run_ids=[instance.run_id]
        )
        name = instance.task_id if instance.map_index < 0 else f"{instance.task_id}_{instance.map_index}"
        states = of_runs.get(instance.run_id, {})
        return [states[name]] if name in states else []


def _states_in_database(instance: InstanceName) -> list[str | None]:
    """Return the state of the task instance, if there is one, by the database, as tasks of Airflow 2 may."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 - not for tasks of Airflow 3
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        found = session.query(TaskInstance.state).filter(
            TaskInstance.dag_id == instance.dag_id,
            TaskInstance.run_id == instance.run_id,
            TaskInstance.task_id == instance.task_id,
            TaskInstance.map_index == instance.map_index,
        )
        return [state for (state,) in found]
