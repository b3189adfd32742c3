"""Where the checkpoints of several uploads of one task are kept: one store for each that is unfinished."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from airflow_provider_oss.exceptions import OSSCheckpointUnreadable
from airflow_provider_oss.model import Checkpoint, ObjectRef
from airflow_provider_oss.ports import CheckpointStore

log = logging.getLogger(__name__)


class CheckpointPlaces:
    """
    Stores for uploads that are made one after the other; without any, nothing is kept.

    An upload gets the store that has its checkpoint, else a free one. So one that failed keeps its checkpoint while the
    others go on. Where none is free the last is given away, and the engine aborts the upload that was kept there.
    """

    def __init__(self, stores: Sequence[CheckpointStore] = ()) -> None:
        self._stores = stores
        self._held: list[Checkpoint | None] | None = None
        self._given: int | None = None

    def place_for(self, ref: ObjectRef) -> CheckpointStore | None:
        """Return the store for an upload, which must have ended before another one is asked for."""
        if not self._stores:
            return None
        held = self._look()
        wanted = (index for index, checkpoint in enumerate(held) if checkpoint is not None and checkpoint.ref == ref)
        free = (index for index, checkpoint in enumerate(held) if checkpoint is None)
        self._given = next(wanted, None)
        if self._given is None:
            self._given = next(free, len(held) - 1)
        return self._stores[self._given]

    def left_behind(self, wanted: Collection[ObjectRef]) -> Iterator[tuple[CheckpointStore, Checkpoint]]:
        """Yield the stores with a checkpoint of anything else than ``wanted``."""
        for store, checkpoint in zip(self._stores, self._look(), strict=True):
            if checkpoint is not None and checkpoint.ref not in wanted:
                yield store, checkpoint

    def _look(self) -> list[Checkpoint | None]:
        """Return what the stores hold. Only the one that was given away may have changed since the last look."""
        if self._held is None:
            self._held = [_read(store) for store in self._stores]
        elif self._given is not None:
            self._held[self._given] = _read(self._stores[self._given])
        self._given = None
        return self._held


def _read(store: CheckpointStore) -> Checkpoint | None:
    """Return what a store holds; what cannot be read is nothing, and replaced by the next that is kept there."""
    try:
        return store.load()
    except OSSCheckpointUnreadable as error:
        log.error("A saved checkpoint is ignored: %s", error)  # noqa: TRY400 - a traceback says no more
        return None
