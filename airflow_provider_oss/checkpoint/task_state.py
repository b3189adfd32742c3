"""Checkpoints in the task state store of Airflow 3.3 and later (AIP-103)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final, Protocol

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.model import FoundCheckpoint

KEY: Final = "oss_upload_checkpoint"
RETENTION: Final = timedelta(days=30)
"""Renewed by every save; longer than any sensible retry delay, whatever the deployment's default is."""


def key_of(number: int) -> str:
    """Return the key of a task instance's checkpoint of this number, from 1 on."""
    return KEY if number == 1 else f"{KEY}_{number}"


class TaskStateAccessor(Protocol):
    """What of ``context["task_state_store"]`` is used."""

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        """Write the value."""

    def delete(self, key: str) -> None:
        """Remove the value, if there is one."""


@dataclass(frozen=True, slots=True)
class TaskStateCheckpointStore(codec.EntryStore):
    """
    Keeps the checkpoint beside the task instance, where the UI shows it.

    It survives retries and a user's Clear. It is found by dag, run, task and map index.
    """

    accessor: TaskStateAccessor
    owner: str
    key: str = KEY

    setting: ClassVar[str] = ""

    @classmethod
    def of_task(
        cls,
        context: Mapping[str, Any],
        owner: str,
        number: int,
        setting: str,  # noqa: ARG003 - it has none
    ) -> TaskStateCheckpointStore:
        """Return the task instance's store. Raises OSSInvalidArgument below Airflow 3.3."""
        accessor = context.get("task_state_store")
        if accessor is None:
            raise OSSInvalidArgument(
                "checkpoint='task_state' needs the task state store of Airflow 3.3 or later: use 'auto', 'variable' or "
                "'xcom' here"
            )
        return cls(accessor, owner, key_of(number))

    @classmethod
    def is_seen(cls, context: Mapping[str, Any]) -> bool:
        """Whether there is no such store: an entry is given to its own task instance alone."""
        return context.get("task_state_store") is None

    @classmethod
    def find(cls, context: Mapping[str, Any]) -> Iterable[FoundCheckpoint]:  # noqa: ARG003 - see is_seen
        """Return nothing."""
        return ()

    def load_entry(self) -> codec.Entry | None:
        """Return what was saved, if anything."""
        value = self.accessor.get(self.key)
        return None if value is None else codec.decode_entry(value, self.owner)

    def save_entry(self, entry: codec.Entry) -> None:
        """Write the entry and renew its retention."""
        self.accessor.set(self.key, codec.encode_entry(entry, self.owner), retention=RETENTION)

    def delete(self) -> None:
        """Remove the checkpoint."""
        self.accessor.delete(self.key)
