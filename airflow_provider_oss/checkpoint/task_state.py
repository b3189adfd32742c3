"""Checkpoints in the task state store of Airflow 3.3 and later (AIP-103)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.model import Checkpoint

KEY: Final = "oss_upload_checkpoint"
RETENTION: Final = timedelta(days=30)
"""Renewed by every save; longer than any sensible retry delay, whatever the deployment's default is."""


class TaskStateAccessor(Protocol):
    """What of ``context["task_state_store"]`` is used."""

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        """Write the value."""

    def delete(self, key: str) -> None:
        """Remove the value, if there is one."""


@dataclass(frozen=True, slots=True)
class TaskStateCheckpointStore:
    """
    Keeps the checkpoint beside the task instance, where the UI shows it.

    It survives retries and a user's Clear. It is found by dag, run, task and map index.
    """

    accessor: TaskStateAccessor
    owner: str
    key: str = KEY

    def load(self) -> Checkpoint | None:
        """Return the saved checkpoint, if any."""
        value = self.accessor.get(self.key)
        return None if value is None else codec.decode(value, self.owner)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint and renew its retention."""
        self.accessor.set(self.key, codec.encode(checkpoint, self.owner), retention=RETENTION)

    def delete(self) -> None:
        """Remove the checkpoint."""
        self.accessor.delete(self.key)
