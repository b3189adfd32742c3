"""A checkpoint store that keeps the checkpoint in memory: what a store costs is measured elsewhere, in an Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_oss.model import Checkpoint


class MemoryStore:
    """Holds the checkpoint that was saved last."""

    def __init__(self) -> None:
        self._checkpoint: Checkpoint | None = None

    def load(self) -> Checkpoint | None:
        """Return the checkpoint that was saved last."""
        return self._checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the checkpoint."""
        self._checkpoint = checkpoint

    def delete(self) -> None:
        """Keep nothing."""
        self._checkpoint = None
