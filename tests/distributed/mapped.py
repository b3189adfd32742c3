"""An upload of one object by many mapped tasks, as the plays have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.distributed.dags.mapped import GROUP, PARALLEL, PART_SIZE, RANGES
from tests.distributed.playing import Stage
from tests.integration.uploading import RunningUpload
from tests.support.airflow_version import DEFAULT_STORE

if TYPE_CHECKING:
    from pathlib import Path

IN_FLIGHT_BYTES: Final = (PARALLEL + 1) * PART_SIZE
"""The parts that one attempt of one task may have begun and not stored."""
PLAN, SEND, COMPLETE = (f"{GROUP}.{name}" for name in ("plan", "send", "complete"))
_MIB_PER_SECOND: Final = 0.25
"""Of each connection: 64 MiB take half a minute."""
_STORED_PARTS: Final = 12


@dataclass(frozen=True, slots=True)
class MappedUpload:
    """The tasks of one run, each of which can be killed, cleared and marked."""

    stage: Stage
    plan: RunningUpload
    complete: RunningUpload
    sends: tuple[RunningUpload, ...]

    @classmethod
    def begin(cls, stage: Stage, key: str, file: Path) -> MappedUpload:
        """Start an upload that lasts, and return when all its tasks send, and are in the middle of it."""
        stage.uploads.slow_down(key, _MIB_PER_SECOND)
        mapped = cls._start(stage, key, file)
        for send in mapped.sends:
            send.wait_for_attempt(1)
        mapped.complete.wait_until_stored(_STORED_PARTS)
        return mapped

    @classmethod
    def finished(cls, stage: Stage, key: str, file: Path) -> MappedUpload:
        """Upload, and return when all is done."""
        mapped = cls._start(stage, key, file)
        assert mapped.end() == "success"
        return mapped

    @classmethod
    def _start(cls, stage: Stage, key: str, file: Path) -> MappedUpload:
        upload = stage.uploads.start("mapped_upload", file, key)
        sends = tuple(replace(upload, task_id=SEND, map_index=index) for index in range(RANGES))
        return cls(stage, replace(upload, task_id=PLAN), replace(upload, task_id=COMPLETE), sends)

    def end(self) -> str:
        """Wait for the end of the run and return its state."""
        return self.complete.end()

    def runs(self) -> list[int]:
        """Return how often each of the tasks that send has begun."""
        return [len(self.stage.attempts(send)) for send in self.sends]

    def sent_bytes(self) -> int:
        """Return the bytes of all parts that have arrived since the server has forgotten what came before."""
        return sum(request.bytes_received for request in self.stage.uploads.part_requests(self.complete.key))

    def assert_whole(self, *, sent_twice_bytes: int) -> None:
        """As of an upload by one task; what the plan has noted may stay, for a task that is cleared."""
        self.stage.wait_until_all_ended(self.plan, *self.sends)
        kept = {f"{DEFAULT_STORE} {self.plan.owner}"}
        self.stage.assert_whole(self.complete, sent_twice_bytes=sent_twice_bytes, kept=kept)
