"""Checkpoints in XCom: not the task's own, which a retry deletes, but that of another task instance of the same run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from airflow.providers.common.compat.sdk import MappedOperator, XCom
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import FoundCheckpoint

KEY_PREFIX: Final = "oss_upload_checkpoint_"


@dataclass(frozen=True, slots=True)
class XComCheckpointStore(codec.EntryStore):
    """
    Keeps the checkpoint in the XCom of the *anchor*, another task of the same DAG run.

    Airflow deletes a task's own XComs when a retry of it starts, and an XCom must belong to a task instance that exists
    in the run: so a task that is alone in its DAG cannot use this store. When the anchor itself is cleared and runs
    again its XComs go, and with them the checkpoint.
    """

    dag_id: str
    run_id: str
    anchor_task_id: str
    owner: str

    setting: ClassVar[str] = "the task_id of the anchor"

    @classmethod
    def of_task(
        cls,
        context: Mapping[str, Any],
        owner: str,
        number: int,  # noqa: ARG003 - the owner tells them apart
        setting: str,
    ) -> XComCheckpointStore:
        """Return the task instance's store. Raises OSSInvalidArgument when the anchor, or every task, cannot serve."""
        ti = context["ti"]
        return cls(ti.dag_id, ti.run_id, choose_anchor(context["task"], setting or None), owner)

    @classmethod
    def is_seen(cls, context: Mapping[str, Any]) -> bool:  # noqa: ARG003 - the same for all tasks
        """Whether tasks may ask the database, as those of Airflow 2: later ones get an XCom by its whole key alone."""
        return not AIRFLOW_V_3_0_PLUS

    @classmethod
    def find(cls, context: Mapping[str, Any]) -> Iterator[FoundCheckpoint]:  # noqa: ARG003
        """Yield all checkpoints in XComs, on Airflow 2."""
        if AIRFLOW_V_3_0_PLUS:
            return
        from airflow.models.xcom import XCom as StoredXCom  # noqa: PLC0415 - not for tasks of Airflow 3
        from airflow.utils.session import create_session  # noqa: PLC0415

        with create_session() as session:
            columns = (StoredXCom.dag_id, StoredXCom.run_id, StoredXCom.task_id, StoredXCom.key, StoredXCom.value)
            rows = session.query(*columns).filter(StoredXCom.key.startswith(KEY_PREFIX, autoescape=True)).all()
            for row in rows:
                place = f"XCom {row.dag_id}/{row.run_id}/{row.task_id} {row.key}"
                yield codec.found(place, StoredXCom.deserialize_value(row))

    @property
    def key(self) -> str:
        """The XCom's key: one for each owner, so that mapped task instances may share an anchor."""
        return KEY_PREFIX + hashlib.sha256(self.owner.encode()).hexdigest()[:16]

    def load_entry(self) -> codec.Entry | None:
        """Return what was saved, if anything."""
        value = XCom.get_one(key=self.key, map_index=-1, **self._anchor())
        return None if value is None else codec.decode_entry(value, self.owner)

    def save_entry(self, entry: codec.Entry) -> None:
        """Write the XCom."""
        XCom.set(key=self.key, value=codec.encode_entry(entry, self.owner), **self._anchor())

    def delete(self) -> None:
        """Remove the XCom."""
        if AIRFLOW_V_3_0_PLUS:
            XCom.delete(key=self.key, map_index=-1, **self._anchor())
        else:
            _delete_from_database(key=self.key, map_index=-1, **self._anchor())

    def _anchor(self) -> dict[str, str]:
        return {"dag_id": self.dag_id, "run_id": self.run_id, "task_id": self.anchor_task_id}


def _delete_from_database(**columns: Any) -> None:
    """Find the XCom in the database, which tasks of Airflow 2 may do: what its XCom.delete takes is the row."""
    from airflow.utils.session import create_session  # noqa: PLC0415 - not for tasks of Airflow 3

    with create_session() as session:
        XCom.delete(session.query(XCom).filter_by(**columns).all(), session)


def choose_anchor(task: Any, wanted: str | None) -> str:
    """
    Return the id of the task whose XCom is to hold the checkpoint of ``task``: ``wanted``, or one that is chosen.

    Chosen is, in this order and by name: a direct upstream task, a direct downstream one, any other of the DAG; never a
    mapped one, whose instances may not exist. Raises OSSInvalidArgument when there is none, or ``wanted`` cannot serve.
    """
    usable = {other.task_id for other in task.dag.tasks if other.task_id != task.task_id and not _is_mapped(other)}
    if wanted is not None:
        if wanted not in usable:
            raise OSSInvalidArgument(
                f"checkpoint='xcom:{wanted}' cannot hold the checkpoint: name another, unmapped task of this DAG, "
                f"one of {', '.join(sorted(usable)) or '(there is none)'}"
            )
        return wanted
    for candidates in (task.upstream_task_ids, task.downstream_task_ids, usable):
        for candidate in _sorted_within(candidates, usable):
            return candidate
    raise OSSInvalidArgument(
        f"checkpoint='xcom' cannot work for task {task.task_id!r}: Airflow deletes a task's own XComs when it is "
        "retried, so the checkpoint is kept in another task's, and this DAG has no other unmapped task; use "
        "checkpoint='variable', or 'task_state' from Airflow 3.3 on"
    )


def _sorted_within(candidates: Iterable[str], usable: set[str]) -> Iterator[str]:
    return iter(sorted(usable.intersection(candidates)))


def _is_mapped(task: Any) -> bool:
    return isinstance(task, MappedOperator) or task.get_closest_mapped_task_group() is not None
