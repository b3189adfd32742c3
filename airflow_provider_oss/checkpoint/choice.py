"""The operator's ``checkpoint`` argument and the task's context to a CheckpointStore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_oss.checkpoint.owners import owner_of
from airflow_provider_oss.checkpoint.task_state import KEY, TaskStateCheckpointStore
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore, choose_anchor
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.ports import CheckpointStore

NAMES: Final = ("auto", "task_state", "variable", "xcom")


def choose_store(
    wanted: str | CheckpointStore, context: Mapping[str, Any], checkpoint_anchor: str | None = None
) -> CheckpointStore:
    """
    Return the store that ``wanted`` names, for the task instance of ``context``; a store object is returned as it is.

    ``"auto"`` is the task state store where Airflow has it (3.3 and later), else a Variable. Raises OSSInvalidArgument
    for an unknown name, for ``"task_state"`` below 3.3, and where XCom cannot serve.
    """
    return choose_stores(wanted, context, checkpoint_anchor, count=1)[0]


def choose_stores(
    wanted: str | CheckpointStore, context: Mapping[str, Any], checkpoint_anchor: str | None = None, *, count: int
) -> list[CheckpointStore]:
    """
    Return so many stores for one task instance, for as many unfinished uploads; of a store object, that one.

    The first is what ``choose_store`` returns. Raises OSSInvalidArgument as it does.
    """
    if not isinstance(wanted, str):
        return [_checked(wanted)]
    return [_choose(wanted, context, checkpoint_anchor, number) for number in range(1, count + 1)]


def _choose(wanted: str, context: Mapping[str, Any], checkpoint_anchor: str | None, number: int) -> CheckpointStore:
    ti = context["ti"]
    owner = owner_of(ti) if number == 1 else f"{owner_of(ti)}#{number}"  # no id has this sign
    if wanted == "auto":
        wanted = "variable" if context.get("task_state_store") is None else "task_state"
    if wanted == "task_state":
        return _task_state(context, owner, KEY if number == 1 else f"{KEY}_{number}")
    if wanted == "variable":
        return VariableCheckpointStore(owner)
    if wanted == "xcom":
        anchor = choose_anchor(context["task"], checkpoint_anchor)
        return XComCheckpointStore(ti.dag_id, ti.run_id, anchor, owner)
    raise OSSInvalidArgument(
        f"checkpoint={wanted!r} is not known: use one of {', '.join(NAMES)}, or an object with load, save and delete"
    )


def _checked(store: Any) -> CheckpointStore:
    if not isinstance(store, CheckpointStore):
        raise OSSInvalidArgument(
            f"checkpoint={store!r} is no checkpoint store: it needs the methods load, save and delete"
        )
    return store


def _task_state(context: Mapping[str, Any], owner: str, key: str) -> TaskStateCheckpointStore:
    accessor = context.get("task_state_store")
    if accessor is None:
        raise OSSInvalidArgument(
            "checkpoint='task_state' needs the task state store of Airflow 3.3 or later: use 'auto', 'variable' or "
            "'xcom' here"
        )
    return TaskStateCheckpointStore(accessor, owner, key)
