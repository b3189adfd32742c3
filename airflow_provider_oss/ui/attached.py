"""
What Airflow's database holds beside task instances of this package: progress records, checkpoints, results, links.

All task instances of a page are read at once: one query for each place, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from sqlalchemy import Text, and_, cast, func, select, tuple_

from airflow_provider_oss.checkpoint import codec, task_state
from airflow_provider_oss.checkpoint.choice import owners_of
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.limits import MAX_UNFINISHED_OF_A_TASK
from airflow_provider_oss.links.oss import OSSObjectLink
from airflow_provider_oss.progress.places import KEY as OWN_RECORD
from airflow_provider_oss.ui import allowed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

try:
    from airflow.models.task_state_store import TaskStateStoreModel
except ImportError:  # it came with Airflow 3.3
    TaskStateStoreModel = None  # type: ignore[assignment,misc]  # see above

RETURN_KEY: Final = "return_value"
_MOST_CHARS: Final = 65_536
"""Longer values stay in the database: results that name thousands of objects."""

_CHECKPOINTS: Final = tuple(task_state.key_of(number) for number in range(1, MAX_UNFINISHED_OF_A_TASK + 1))


@dataclass(frozen=True, slots=True)
class Instance:
    """A task instance; ``map_index`` is -1 for one that is not mapped."""

    dag_run_id: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def key(self) -> tuple[int, str, int]:
        """What it is found by."""
        return self.dag_run_id, self.task_id, self.map_index


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it is stored, with its owner's name and the words for where it is."""

    place: str
    owner: str
    value: Any


@dataclass(frozen=True, slots=True)
class Attached:
    """What is stored of one task instance."""

    xcoms: dict[str, Any] = field(default_factory=dict)
    """By key."""
    entries: list[StoredCheckpoint] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    """Values that should be progress records, but for those in the entries."""

    def record(self) -> dict[str, Any] | None:
        """Return the newest progress record that can be read."""
        embedded = (value.get(codec.TRANSFER) for entry in self.entries if isinstance(value := entry.value, dict))
        found = [record for value in (*self.records, *embedded) if (record := allowed.record(value))]
        return max(found, key=allowed.updated_at, default=None)

    def result(self) -> dict[str, Any] | None:
        """Return what may be shown of what the task returned."""
        return allowed.result(self.xcoms.get(RETURN_KEY))

    def console_url(self) -> str | None:
        """Return the link to the object in OSS's console."""
        return allowed.console_link(self.xcoms.get(OSSObjectLink.xcom_key))

    def checkpoint(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the checkpoint that was saved last, and a note on each that cannot be read."""
        found, notes = [], []
        for entry in self.entries:
            try:
                found.append(allowed.checkpoint(codec.decode(entry.value, entry.owner), entry.place))
            except OSSCheckpointUnreadable:
                notes.append(f"The checkpoint in {entry.place} cannot be read; the task's log says why.")
        return max(found, key=lambda one: str(one["updated_at"]), default=None), notes


def attached_to(session: Session, instances: Sequence[Instance]) -> Mapping[tuple[int, str, int], Attached]:
    """Return what is stored of each, by its key."""
    found = {instance.key: Attached() for instance in instances}
    if found:
        _add_xcoms(session, found)
        _add_task_state(session, instances, found)
        names = {owner: instance for instance in instances for owner in _owners(instance)}
        _add_variables(session, names, found)
        _add_anchored(session, names, found)
    return found


def _owners(instance: Instance) -> list[str]:
    return owners_of(instance, MAX_UNFINISHED_OF_A_TASK)


def _add_xcoms(session: Session, found: Mapping[tuple[int, str, int], Attached]) -> None:
    own = tuple_(XComModel.dag_run_id, XComModel.task_id, XComModel.map_index).in_(found)
    keys = (OWN_RECORD, RETURN_KEY, OSSObjectLink.xcom_key)
    for row in _xcoms(session, and_(own, XComModel.key.in_(keys))):
        one = found[row.dag_run_id, row.task_id, row.map_index]
        one.xcoms[row.key] = row.value
        if row.key == OWN_RECORD:
            one.records.append(row.value)


def _add_anchored(
    session: Session, owners: Mapping[str, Instance], found: Mapping[tuple[int, str, int], Attached]
) -> None:
    """Add the checkpoints in XComs of other tasks of the same run."""
    named = {XComCheckpointStore("", "", "", owner).key: (owner, instance) for owner, instance in owners.items()}
    runs = {instance.dag_run_id for instance in owners.values()}
    for row in _xcoms(session, and_(XComModel.key.in_(named), XComModel.dag_run_id.in_(runs))):
        owner, instance = named[row.key]
        if row.dag_run_id == instance.dag_run_id:
            found[instance.key].entries.append(
                StoredCheckpoint(f"XCom {row.key} of {row.task_id}", owner, allowed.as_data(row.value))
            )


def _xcoms(session: Session, wanted: Any) -> Iterable[Any]:
    columns = (XComModel.dag_run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value)
    is_short = func.length(cast(XComModel.value, Text)) <= _MOST_CHARS
    return session.execute(select(*columns).where(wanted, is_short))


def _add_task_state(
    session: Session, instances: Sequence[Instance], found: Mapping[tuple[int, str, int], Attached]
) -> None:
    if TaskStateStoreModel is None:
        return
    model = TaskStateStoreModel
    own = tuple_(model.dag_run_id, model.task_id, model.map_index).in_(found)
    columns = (model.dag_run_id, model.task_id, model.map_index, model.key, model.value)
    owners = {instance.key: dict(zip(_CHECKPOINTS, _owners(instance), strict=True)) for instance in instances}
    for row in session.execute(select(*columns).where(own, model.key.in_((OWN_RECORD, *_CHECKPOINTS)))):
        key = (row.dag_run_id, row.task_id, row.map_index)
        value = allowed.as_data(row.value)
        if row.key == OWN_RECORD:
            found[key].records.append(value)
        else:
            found[key].entries.append(StoredCheckpoint(f"task state {row.key}", owners[key][row.key], value))


def _add_variables(
    session: Session, owners: Mapping[str, Instance], found: Mapping[tuple[int, str, int], Attached]
) -> None:
    named = {VariableCheckpointStore(owner).key: (owner, instance) for owner, instance in owners.items()}
    for variable in session.scalars(select(Variable).where(Variable.key.in_(named))):
        owner, instance = named[variable.key]
        found[instance.key].entries.append(
            StoredCheckpoint(f"Variable {variable.key}", owner, allowed.as_data(variable.val))
        )
