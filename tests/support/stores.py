"""Checkpoint stores for tests: one that remembers all that happened to it, one that fails on purpose."""

from __future__ import annotations

from airflow_provider_oss.checkpoint.codec import decode, encode
from airflow_provider_oss.model import Checkpoint, FoundCheckpoint

OWNER = "a test"


class MemoryStore:
    """Keeps a checkpoint as the plain data that a real store would keep, and every checkpoint it was ever given."""

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self.data = None if checkpoint is None else encode(checkpoint, OWNER)
        self.saved: list[Checkpoint] = []
        self.deleted = 0

    def load(self) -> Checkpoint | None:
        """Return what was saved last. Raises OSSCheckpointUnreadable when the data is no checkpoint."""
        return None if self.data is None else decode(self.data, OWNER)

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace what was saved."""
        self.data = encode(checkpoint, OWNER)
        self.saved.append(checkpoint)

    def delete(self) -> None:
        """Remove what was saved."""
        self.data = None
        self.deleted += 1

    @property
    def upload_id(self) -> str | None:
        """The upload that the saved checkpoint names."""
        checkpoint = self.load()
        return None if checkpoint is None else checkpoint.upload_id


class StoreDownError(Exception):
    """What a failing store raises."""


class FailingStore(MemoryStore):
    """A MemoryStore of which one method raises, from its call number ``since`` (the first is 1) on."""

    def __init__(self, method: str, since: int = 1, checkpoint: Checkpoint | None = None) -> None:
        super().__init__(checkpoint)
        self._method = method
        self._since = since
        self.calls: list[str] = []

    def load(self) -> Checkpoint | None:
        self._fail_if_due("load")
        return super().load()

    def save(self, checkpoint: Checkpoint) -> None:
        self._fail_if_due("save")
        super().save(checkpoint)

    def delete(self) -> None:
        self._fail_if_due("delete")
        super().delete()

    def _fail_if_due(self, method: str) -> None:
        self.calls.append(method)
        if method == self._method and self.calls.count(method) >= self._since:
            raise StoreDownError(f"the store is down for {method}")


class MemoryDirectory:
    """The checkpoints of other task instances, said by a test: those whose owners are over, and all that there are."""

    def __init__(self, *found: FoundCheckpoint, over: tuple[str, ...] = (), unseen: tuple[str, ...] = ()) -> None:
        self.found = list(found)
        self.over = over
        self.unseen = unseen

    def find(self) -> list[FoundCheckpoint]:
        """Return those that are left."""
        return list(self.found)

    def is_over(self, found: FoundCheckpoint) -> bool:
        """Whether the test says so."""
        return found.owner in self.over

    def forget(self, found: FoundCheckpoint) -> bool:
        """Remove it."""
        self.found.remove(found)
        return True
