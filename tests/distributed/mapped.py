"""What several mapped tasks do together, as the plays have it: one object, or one directory."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from typing_extensions import override

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.limits import MIB
from tests.distributed.dags import mapped as dags
from tests.distributed.playing import Stage
from tests.integration.uploading import RunningUpload
from tests.support.airflow_version import DEFAULT_STORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_oss.emulator import RecordedRequest


@dataclass(frozen=True, slots=True)
class Mapped:
    """One run: its tasks, each of which can be killed, cleared and marked, and what it has sent."""

    DAG_ID: ClassVar[str]
    LAST: ClassVar[str]
    """The task behind those that send."""
    PLANNED: ClassVar[str]
    """The key of the XCom in which the plan says what all tasks have in common."""
    SENDS: ClassVar[str]
    """OSS's name of the requests that send."""
    UNIT_BYTES: ClassVar[int]
    """What one request sends."""
    ENOUGH_REQUESTS: ClassVar[int]
    """When so many have ended, the run is in its middle."""
    BYTES_PER_SECOND: ClassVar[float]
    """Of each connection: all takes half a minute."""
    REMEDY: ClassVar[str]
    """What the last task says when a task has sent too little."""

    stage: Stage
    run_id: str
    source: Path
    key: str

    @classmethod
    def begin(cls, stage: Stage, source: Path, key: str) -> Self:
        """Start a run that lasts, and return when all its tasks send, and are in the middle of it."""
        server = stage.uploads.server
        server.faults.add(Fault(operation=cls.SENDS, rate_bytes_per_second=cls.BYTES_PER_SECOND))
        mapped = cls._start(stage, source, key)
        for send in mapped.sends:
            send.wait_for_attempt(1)
        mapped.stage.wait_until(lambda: len(mapped.requests()) >= cls.ENOUGH_REQUESTS, "the middle of the run")
        return mapped

    @classmethod
    def finished(cls, stage: Stage, source: Path, key: str) -> Self:
        """Run, and return when all is done."""
        mapped = cls._start(stage, source, key)
        assert mapped.end() == "success"
        return mapped

    @classmethod
    def _start(cls, stage: Stage, source: Path, key: str) -> Self:
        run_id = stage.uploads.trigger(cls.DAG_ID, source=str(source), key=key)
        return cls(stage, run_id, source, key)

    @property
    def plan(self) -> RunningUpload:
        """The task that plans."""
        return self._task("plan")

    @property
    def sends(self) -> Sequence[RunningUpload]:
        """The tasks that send."""
        return [self._task("send", index) for index in range(dags.TASKS)]

    @property
    def last(self) -> RunningUpload:
        """The task behind them."""
        return self._task(self.LAST)

    def _task(self, name: str, map_index: int = -1) -> RunningUpload:
        task_id = f"{dags.GROUP}.{name}"
        return RunningUpload(self.stage.uploads, self.DAG_ID, self.run_id, self.source, self.key, task_id, map_index)

    def end(self) -> str:
        """Wait for the end of the run and return its state."""
        return self.last.end()

    def planned(self) -> object:
        """Return what the plan has said to all."""
        return self.stage.airflow.xcom(self.DAG_ID, self.run_id, self.plan.task_id, self.PLANNED)

    def runs(self) -> list[int]:
        """Return how often each of the tasks that send has begun."""
        return [len(self.stage.attempts(send)) for send in self.sends]

    def requests(self) -> list[RecordedRequest]:
        """Return the requests that have sent, whatever became of them."""
        sent = [one for one in self.stage.uploads.server.requests if one.operation == self.SENDS]
        return [one for one in sent if one.key.startswith(self.key)]

    def sent_bytes(self) -> int:
        """Return the bytes that have arrived."""
        return sum(request.bytes_received for request in self.requests())

    @classmethod
    def in_flight_bytes(cls, tasks: int = 1, seconds: float = 0.0) -> int:
        """Return the most that so many tasks send twice: what they have begun, and what they send for so long."""
        begun = (dags.PARALLEL + 1) * cls.UNIT_BYTES
        return tasks * (begun + int(seconds * dags.PARALLEL * cls.BYTES_PER_SECOND))

    def assert_whole(self, *, sent_twice_bytes: int) -> None:
        """All is stored and equal, at most so much was sent beyond it, and nothing is left in OSS or Airflow."""
        self.stage.wait_until_all_ended(self.plan, *self.sends, self.last)
        sent_twice = self.sent_bytes() - self.size_bytes()
        self.stage.tell("sent again", f"{sent_twice / MIB:.1f} MiB")
        assert 0 <= sent_twice <= sent_twice_bytes
        self.assert_equal()
        assert self.stage.uploads.unfinished() == []
        assert self.stage.checkpoints_of(self.last) <= self.kept()

    @abstractmethod
    def size_bytes(self) -> int:
        """Return the bytes that are to be sent."""

    @abstractmethod
    def assert_equal(self) -> None:
        """Compare what is stored with the source."""

    @abstractmethod
    def unfinished(self) -> list[str]:
        """Return the keys of the multipart uploads that there are when a task has failed."""

    @abstractmethod
    def kept(self) -> set[str]:
        """Return the checkpoints that may stay at the end."""

    @abstractmethod
    def size_when_planned_again_bytes(self) -> int:
        """Return the bytes that are sent when all is there, and all tasks are cleared."""


@dataclass(frozen=True, slots=True)
class MappedUpload(Mapped):
    """One object."""

    DAG_ID = "mapped_upload"
    LAST = "complete"
    PLANNED = "upload"
    SENDS = "UploadPart"
    UNIT_BYTES = dags.PART_SIZE
    ENOUGH_REQUESTS = 12
    BYTES_PER_SECOND = 0.25 * MIB
    REMEDY = "clear the task that sends it"

    @override
    def size_bytes(self) -> int:
        return self.source.stat().st_size

    @override
    def assert_equal(self) -> None:
        self.stage.uploads.assert_equal(self.key, self.source)

    @override
    def unfinished(self) -> list[str]:
        return [self.key]

    @override
    def kept(self) -> set[str]:
        """The plan's, for a task that is cleared later."""
        return {f"{DEFAULT_STORE} {self.plan.owner}"}

    @override
    def size_when_planned_again_bytes(self) -> int:
        """All: another upload is begun."""
        return self.size_bytes()


@dataclass(frozen=True, slots=True)
class MappedDirectory(Mapped):
    """One directory of small files."""

    DAG_ID = "mapped_directory"
    LAST = "finish"
    PLANNED = "return_value"
    SENDS = "PutObject"
    UNIT_BYTES = 128 * 1024
    ENOUGH_REQUESTS = 24
    BYTES_PER_SECOND = 64 * 1024
    REMEDY = "clear the task with map index"

    @override
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self._files())

    @override
    def assert_equal(self) -> None:
        for file in self._files():
            self.stage.uploads.assert_equal(f"{self.key}/{file.relative_to(self.source)}", file)

    @override
    def unfinished(self) -> list[str]:
        return []

    @override
    def kept(self) -> set[str]:
        return set()

    @override
    def size_when_planned_again_bytes(self) -> int:
        """Nothing: what is there is seen to be equal."""
        return 0

    def _files(self) -> list[Path]:
        return [file for file in self.source.rglob("*") if file.is_file()]
