"""The names that task instances have in checkpoints. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

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


def instance_of(owner: str) -> InstanceName | None:
    """Return whose name it is, whichever of its checkpoints it stands in; None when it is nobody's."""
    found = _OWNER.fullmatch(owner)
    if found is None:
        return None
    mapped = found["map_index"]
    return InstanceName(found["dag_id"], found["run_id"], found["task_id"], -1 if mapped is None else int(mapped))
