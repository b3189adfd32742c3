"""Where a record is kept: beside a checkpoint, in its entry, or in a place of the task's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_provider_oss.checkpoint.codec import Entry, EntryStore
from airflow_provider_oss.checkpoint.task_state import RETENTION, TaskStateAccessor

if TYPE_CHECKING:
    from airflow_provider_oss.model import Checkpoint

KEY: Final = "oss_transfer"


class Place(Protocol):
    """A task's own place for its record. What Airflow raises is passed on."""

    def read(self) -> Any:
        """Return the record of an earlier attempt, as plain data; None where there is none."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Replace what is there."""


@dataclass(frozen=True, slots=True)
class TaskStatePlace:
    """The task state store, from Airflow 3.3 on: it survives retries, and is renewed by every write."""

    accessor: TaskStateAccessor

    def read(self) -> Any:
        """Return the record of an earlier attempt."""
        return self.accessor.get(KEY)

    def write(self, record: Mapping[str, Any]) -> None:
        """Replace what is there."""
        self.accessor.set(KEY, dict(record), retention=RETENTION)


@dataclass(frozen=True, slots=True)
class XComPlace:
    """An XCom of the task, which a retry clears: what an earlier attempt has said is in a checkpoint's entry alone."""

    ti: Any

    def read(self) -> None:
        """Return nothing."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Replace what is there."""
        self.ti.xcom_push(key=KEY, value=dict(record))


class NoPlace:
    """For a task that pushes no XComs on an Airflow without a task state store."""

    def read(self) -> None:
        """Return nothing."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Keep nothing."""


def place_of(context: Mapping[str, Any], *, may_push: bool) -> Place:
    """Return the task's own place. ``may_push`` is its ``do_xcom_push``."""
    accessor = context.get("task_state_store")
    if accessor is not None:
        return TaskStatePlace(accessor)
    return XComPlace(context["ti"]) if may_push else NoPlace()


class Recording(Protocol):
    """What a RecordedStore asks and reports."""

    def found(self, record: Any) -> None:
        """Take what an earlier attempt has left, as plain data."""

    def record_beside(self) -> Mapping[str, Any] | None:
        """Return the record as it is now, to be written beside a checkpoint. Raises nothing."""

    def kept_beside(self) -> None:
        """Note that it was written: from now on it is kept there."""

    def no_longer_beside(self) -> None:
        """Note that the checkpoint was deleted, and what was beside it."""


class RecordedStore:
    """A CheckpointStore that keeps the record beside each checkpoint, in one write."""

    def __init__(self, store: EntryStore, recording: Recording) -> None:
        self._store = store
        self._recording = recording

    def load(self) -> Checkpoint | None:
        """Return what was saved last, or None."""
        entry = self._store.load_entry()
        if entry is None:
            return None
        if entry.transfer is not None:
            self._recording.found(entry.transfer)
        return entry.checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace what was saved."""
        self._store.save_entry(Entry(checkpoint, self._recording.record_beside()))
        self._recording.kept_beside()

    def delete(self) -> None:
        """Remove what was saved."""
        self._store.delete()
        self._recording.no_longer_beside()
