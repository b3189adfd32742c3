"""An attempt whose transfers are recorded, in a place and beside checkpoints that remember every write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.checkpoint.codec import Entry, EntryStore, decode_entry, encode_entry
from airflow_provider_oss.ports import CheckpointStore
from airflow_provider_oss.progress.recorder import AttemptName, TransferRecorder
from tests.engine.doubles import HandClock

OWNER = "dag/run/task"


class RunningClock(HandClock):
    """A clock on which some time passes whenever somebody looks at it."""

    def __init__(self, step_seconds: float = 0.0) -> None:
        super().__init__()
        self.step_seconds = step_seconds

    def monotonic(self) -> float:
        self.seconds += self.step_seconds
        return self.seconds

    def utc_now(self) -> str:
        return (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)).isoformat()


@dataclass(frozen=True)
class Write:
    """What was written: when, where, and the record."""

    at: float
    place: str
    record: Any


@dataclass
class Memory:
    """What one task instance keeps: its own place, and an entry of a store."""

    clock: RunningClock
    own: Any = None
    entry: Any = None
    writes: list[Write] = field(default_factory=list)
    fails: bool = False

    def read(self) -> Any:
        """Return the record of an earlier attempt."""
        if self.fails:
            raise RuntimeError("Airflow is down")
        return self.own

    def write(self, record: Mapping[str, Any]) -> None:
        """Replace it."""
        if self.fails:
            raise RuntimeError("Airflow is down")
        self.own = json.loads(json.dumps(record))
        self.writes.append(Write(self.clock.seconds, "own", self.own))


class MemoryEntryStore(EntryStore):
    """A store that keeps its entry in a Memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def load_entry(self) -> Entry | None:
        return None if self._memory.entry is None else decode_entry(self._memory.entry, OWNER)

    def save_entry(self, entry: Entry) -> None:
        memory = self._memory
        memory.entry = json.loads(json.dumps(encode_entry(entry, OWNER)))
        memory.writes.append(Write(memory.clock.seconds, "entry", memory.entry.get("transfer")))

    def delete(self) -> None:
        self._memory.entry = None


@dataclass
class Task:
    """A task instance: its attempts, one after the other."""

    clock: RunningClock = field(default_factory=RunningClock)
    attempts: int = 0
    kind: str = "upload"

    def __post_init__(self) -> None:
        self.memory = Memory(self.clock)
        self.begin()

    def begin(self) -> TransferRecorder:
        """Begin another attempt."""
        self.attempts += 1
        self.cancellation = Cancellation()
        self.memory.writes.clear()
        name = AttemptName(self.kind, self.attempts, "oss://exports/a")
        self.recorder = TransferRecorder(name, self.memory, self.clock, self.cancellation)
        self.recorder.look_back()
        return self.recorder

    @property
    def store(self) -> CheckpointStore:
        """The checkpoint store of this attempt."""
        return self.recorder.recorded(MemoryEntryStore(self.memory))

    @property
    def last(self) -> Any:
        """The record that was written last."""
        return self.memory.writes[-1].record


@pytest.fixture
def task() -> Task:
    """A task instance in its first attempt."""
    return Task()
