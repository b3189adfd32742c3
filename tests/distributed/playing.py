"""What plays have in common: an upload that lasts, something that happens to its node, and a look around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.limits import MIB
from tests.distributed.cluster import DistributedAirflow
from tests.integration.dags.uploads import PARALLEL, PART_SIZE
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_processes import wait_until_gone
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.airflow_database import TaskInstanceRow

IN_FLIGHT_BYTES: Final = (PARALLEL + 1) * PART_SIZE
"""The parts that one attempt may have begun and not stored."""
BYTES_PER_SECOND: Final = PARALLEL * MIB
"""What one attempt sends: 64 MiB take 16 s."""
_STORED_PARTS: Final = 4
_WAIT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a play takes place."""

    airflow: DistributedAirflow
    uploads: Uploads
    tell: Callable[[str, object], None]
    """Takes name and value of what was measured."""

    def begin(self, key: str, file: Path, mib_per_second: float = 1.0) -> RunningUpload:
        """Start an upload that lasts, at this rate for each connection, and return in the middle of it."""
        self.uploads.slow_down(key, mib_per_second)
        upload = self.uploads.start("upload_auto", file, key)
        upload.wait_for_attempt(1)
        upload.wait_until_stored(_STORED_PARTS)
        return upload

    def attempts(self, upload: RunningUpload) -> list[TaskInstanceRow]:
        """Return every attempt that has begun."""
        return self.airflow.attempts(upload.dag_id, upload.run_id, upload.task_id, upload.map_index)

    def nodes_of(self, upload: RunningUpload) -> list[str]:
        """Return the node of each attempt."""
        return [str(attempt.hostname) for attempt in self.attempts(upload)]

    def node_of(self, upload: RunningUpload) -> str:
        """Return the node of the latest attempt."""
        return self.nodes_of(upload)[-1]

    def wait_for_successor(self, upload: RunningUpload, happened: datetime) -> None:
        """Wait until the second attempt runs, and tell how long after the moment the loss of the first was noticed."""
        upload.wait_for_attempt(2)
        first, second = self.attempts(upload)
        for what, moment in (("noticed", first.end_date), ("continued", second.start_date)):
            assert moment is not None
            self.tell(f"{what} after", since(happened, moment))

    def wait_until_ended(self, upload: RunningUpload, attempt: int) -> None:
        """Wait until the process of the attempt, counted from 1, is gone: Airflow's word for it may come before."""
        pid = self.attempts(upload)[attempt - 1].pid
        assert pid is not None
        wait_until_gone(pid)

    def wait_until_all_ended(self, *uploads: RunningUpload) -> None:
        """Wait until no process of any attempt is left, nor any request of one."""
        for upload in uploads:
            for attempt in self.attempts(upload):
                if attempt.pid is not None:  # it has not run when what comes before has failed
                    wait_until_gone(attempt.pid)
        running: Any = self.uploads.server._running
        being_served = running._server.config.app._open
        self.wait_until(lambda: not being_served, "the server to have read what the network still has")

    def hurry(self) -> None:
        """Let the server take what comes as fast as it can."""
        self.uploads.server.faults.clear()

    def wait_until(self, is_so: Callable[[], bool], wanted: str) -> None:
        """Wait until it is so."""
        wait_until(lambda: is_so() or None, _WAIT_SECONDS, wanted, lambda: "not so")

    def checkpoints_of(self, upload: RunningUpload) -> set[str]:
        """Return the checkpoints of all tasks of this run that Airflow holds anywhere."""
        return {one for one in self.uploads.checkpoints() if f" {upload.dag_id}/{upload.run_id}/" in one}

    def assert_whole(self, upload: RunningUpload, *, sent_twice_bytes: int) -> None:
        """The object is the file, at most so much was sent beyond it, and nothing is left in OSS or Airflow."""
        self.wait_until_all_ended(upload)
        size = upload.file.stat().st_size
        received = sum(request.bytes_received for request in self.uploads.part_requests(upload.key))
        self.tell("sent again", f"{(received - size) / MIB:.1f} MiB")
        assert size <= received <= size + sent_twice_bytes
        self.uploads.assert_equal(upload.key, upload.file)
        assert self.uploads.unfinished() == []
        assert self.checkpoints_of(upload) == set()


def now() -> datetime:
    """Return the time as Airflow's database has it."""
    return datetime.now(UTC)


def seconds_since(moment: datetime) -> float:
    """Return how long it is since the moment."""
    return (now() - moment).total_seconds()


def since(moment: datetime, until: datetime | None = None) -> str:
    """Return, as it is told, how long it is since the moment."""
    return f"{((until or now()) - moment).total_seconds():.1f} s"
