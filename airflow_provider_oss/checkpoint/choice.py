"""
Which store an operator's ``checkpoint`` names, and the names that task instances have in checkpoints.

A store is a class in a file of its own, and a line in ``STORES``.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from airflow_provider_oss.checkpoint.task_state import TaskStateCheckpointStore
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import FoundCheckpoint
from airflow_provider_oss.ports import CheckpointStore

_INSIDE: Final = ("airflow.", "airflow_provider_oss.")
_OWNER: Final = re.compile(
    r"(?P<dag_id>[^/]+)/(?P<run_id>.+)/(?P<task_id>[^/\[#]+)(\[(?P<map_index>\d+)\])?(#\d+)?", re.DOTALL
)
"""Ids of DAGs and tasks have neither slash nor bracket nor "#"; those of runs may have a slash."""


@dataclass(frozen=True, slots=True)
class InstanceName:
    """What identifies a task instance in all its attempts. ``map_index`` is -1 for one that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def owner_of(ti: Any) -> str:
    """Return the task instance's name, the same in all its attempts."""
    mapped = "" if ti.map_index is None or ti.map_index < 0 else f"[{ti.map_index}]"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"


def owners_of(ti: Any, count: int) -> list[str]:
    """Return the names in which so many checkpoints of one task instance are kept; the first is its own."""
    owner = owner_of(ti)
    return [owner, *(f"{owner}#{number}" for number in range(2, count + 1))]  # no id has "#"


def instance_of(owner: str) -> InstanceName | None:
    """Return whose name it is, whichever of its checkpoints it stands in; None when it is nobody's."""
    found = _OWNER.fullmatch(owner)
    if found is None:
        return None
    mapped = found["map_index"]
    return InstanceName(found["dag_id"], found["run_id"], found["task_id"], -1 if mapped is None else int(mapped))


class NamedStore(CheckpointStore, Protocol):
    """A store of this package: what ``checkpoint`` may name."""

    setting: ClassVar[str]
    """What may follow its name and a colon, in words; empty when nothing may."""

    @classmethod
    def of_task(cls, context: Mapping[str, Any], owner: str, number: int, setting: str) -> CheckpointStore:
        """
        Return the task instance's store for its upload of this number: 1, but for tasks with several.

        Raises OSSInvalidArgument when it cannot work for this task, on this Airflow, or with this setting.
        """

    @classmethod
    def is_seen(cls, context: Mapping[str, Any]) -> bool:
        """Whether the task of this context sees the checkpoints of all other task instances; none is seen as well."""

    @classmethod
    def find(cls, context: Mapping[str, Any]) -> Iterable[FoundCheckpoint]:
        """Return those that it sees. Raises when Airflow cannot be asked, or does not give what is there."""


STORES: Final[Mapping[str, type[NamedStore]]] = {
    "variable": VariableCheckpointStore,
    "xcom": XComCheckpointStore,
    "task_state": TaskStateCheckpointStore,
}
AUTO: Final = "auto"
NAMES: Final = (AUTO, *sorted(STORES))


def choose_store(
    wanted: str | CheckpointStore, context: Mapping[str, Any], checkpoint_anchor: str | None = None
) -> CheckpointStore:
    """
    Return the store that ``wanted`` names, for the task instance of ``context``; a store object is returned as it is.

    ``"auto"`` is the task state store where Airflow has it (3.3 and later), else a Variable. A store's setting comes
    after its name: ``"xcom:task_id"``. Raises OSSInvalidArgument for an unknown name, for ``"task_state"`` below 3.3,
    and where XCom cannot serve. ``checkpoint_anchor`` is deprecated: see ``anchored``.
    """
    if checkpoint_anchor is not None:
        warn_of_anchor(wanted, checkpoint_anchor)
    return choose_stores(anchored(wanted, checkpoint_anchor), context, count=1)[0]


def choose_stores(wanted: str | CheckpointStore, context: Mapping[str, Any], *, count: int) -> list[CheckpointStore]:
    """
    Return so many stores for one task instance, for as many unfinished uploads; of a store object, that one.

    The first is what ``choose_store`` returns. Raises OSSInvalidArgument as it does.
    """
    check_wanted(wanted)
    if not isinstance(wanted, str):
        return [wanted]
    name, _, setting = wanted.partition(":")
    if name == AUTO:
        name = "variable" if context.get("task_state_store") is None else "task_state"
    owners = owners_of(context["ti"], count)
    return [STORES[name].of_task(context, owner, number, setting) for number, owner in enumerate(owners, 1)]


def check_named_store(wanted: str | CheckpointStore) -> None:
    """Raise OSSInvalidArgument unless it names a store: an object would be one place for all tasks."""
    if not isinstance(wanted, str):
        raise OSSInvalidArgument(
            f"checkpoint={wanted!r} would be one place for all tasks: use one of {', '.join(NAMES)}"
        )
    check_wanted(wanted)


def check_wanted(wanted: str | CheckpointStore) -> None:
    """Raise OSSInvalidArgument for what names no store and is none."""
    if not isinstance(wanted, str):
        if not isinstance(wanted, CheckpointStore):
            raise OSSInvalidArgument(
                f"checkpoint={wanted!r} is no checkpoint store: it needs the methods load, save and delete"
            )
        return
    name, has_setting, setting = wanted.partition(":")
    if name not in NAMES:
        raise OSSInvalidArgument(
            f"checkpoint={wanted!r} is not known: use one of {', '.join(NAMES)}, or an object with load, save and "
            "delete"
        )
    if has_setting and (name == AUTO or not STORES[name].setting):
        raise OSSInvalidArgument(f"checkpoint={wanted!r} says too much: nothing may follow {name!r}")
    if has_setting and not setting:
        raise OSSInvalidArgument(f"checkpoint={wanted!r} says nothing after the colon: give {STORES[name].setting}")


def anchored(wanted: Any, checkpoint_anchor: str | None) -> Any:
    """
    Return what ``checkpoint`` says together with ``checkpoint_anchor``, which only means something to ``"xcom"``.

    Raises OSSInvalidArgument when both name an anchor, and not the same.
    """
    if checkpoint_anchor is None or not isinstance(wanted, str):
        return wanted
    name, has_setting, setting = wanted.partition(":")
    if name != "xcom":
        return wanted
    if has_setting and setting != checkpoint_anchor:
        raise OSSInvalidArgument(
            f"checkpoint={wanted!r} and checkpoint_anchor={checkpoint_anchor!r} name two tasks: remove the latter"
        )
    return f"{name}:{checkpoint_anchor}"


def check_anchor(wanted: Any, checkpoint_anchor: Any) -> None:
    """Warn of a deprecated argument, and refuse one that contradicts ``wanted``, unless a template may mend that."""
    warn_of_anchor(wanted, checkpoint_anchor)
    if isinstance(checkpoint_anchor, str) and "{" not in f"{wanted}{checkpoint_anchor}":
        anchored(wanted, checkpoint_anchor)


def warn_of_anchor(wanted: Any, checkpoint_anchor: Any) -> None:
    """Warn of a deprecated argument, where it is given: ``wanted`` is ``checkpoint``, which may be a template."""
    from airflow.exceptions import AirflowProviderDeprecationWarning  # noqa: PLC0415 - rarely needed

    anchor = checkpoint_anchor if isinstance(checkpoint_anchor, str) else "task_id"
    is_ignored = isinstance(wanted, str) and wanted != "xcom" and wanted.partition(":")[0] in NAMES
    remedy = (
        f"remove it, checkpoint={wanted!r} has no use for it" if is_ignored else f"write checkpoint='xcom:{anchor}'"
    )
    warnings.warn(
        f"checkpoint_anchor is deprecated since 1.0.0: {remedy}",
        AirflowProviderDeprecationWarning,
        stacklevel=_frames_inside(),
    )


def _frames_inside() -> int:
    """Return the place, from the caller on, of the first frame that is neither ours nor Airflow's: of a DAG file."""
    frame, count = sys._getframe(1), 1  # noqa: SLF001 - as the standard library's warnings count
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_INSIDE):
        frame, count = frame.f_back, count + 1
    return count
