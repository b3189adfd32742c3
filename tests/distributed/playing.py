"""What plays have in common: an upload that lasts, something that happens to its node, and a look around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.limits import MIB
from tests.distributed.cluster import DistributedAirflow
from tests.integration.dags.uploads import PARALLEL, PART_SIZE
from tests.integration.uploading import RunningUpload, Uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IN_FLIGHT_BYTES: Final = (PARALLEL + 1) * PART_SIZE
"""The parts that one attempt may have begun and not stored."""
MIB_PER_SECOND: Final = 0.5
"""Of each connection: 64 MiB take half a minute."""
_STORED_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a play takes place."""

    airflow: DistributedAirflow
    uploads: Uploads
    tell: Callable[[str, object], None]
    """Takes name and value of what was measured."""

    def begin(self, key: str, file: Path, dag_id: str = "upload_auto") -> RunningUpload:
        """Start an upload that lasts, and return when a quarter of it or more is in OSS."""
        self.uploads.slow_down(key, MIB_PER_SECOND)
        upload = self.uploads.start(dag_id, file, key)
        upload.wait_for_attempt(1)
        upload.wait_until_stored(_STORED_PARTS)
        return upload

    def node_of(self, upload: RunningUpload) -> str:
        """Return the node of the upload's latest attempt."""
        return self.airflow.node_of(upload.dag_id, upload.run_id, upload.task_id, upload.map_index)

    def nodes_of(self, upload: RunningUpload) -> list[str | None]:
        """Return the node of each attempt."""
        return [
            attempt.hostname
            for attempt in self.airflow.attempts(upload.dag_id, upload.run_id, upload.task_id, upload.map_index)
        ]

    def pid_of(self, upload: RunningUpload) -> int:
        """Return the process that runs the operator's code."""
        return self.airflow.task_process(upload.dag_id, upload.run_id, upload.task_id, upload.map_index)

    def wait_for_successor(self, upload: RunningUpload, happened: datetime) -> None:
        """Wait until the second attempt runs, and tell how long after the moment the loss of the first was noticed."""
        upload.wait_for_attempt(2)
        first, second = self.airflow.attempts(upload.dag_id, upload.run_id, upload.task_id, upload.map_index)
        for what, moment in (("noticed", first.end_date), ("continued", second.start_date)):
            assert moment is not None
            self.tell(f"{what} after", since(happened, moment))

    def hurry(self) -> None:
        """Let the server take what comes as fast as it can."""
        self.uploads.server.faults.clear()

    def assert_whole(self, upload: RunningUpload, *, sent_twice_bytes: int) -> None:
        """The object is the file, at most so much was sent twice, and nothing is left in OSS or Airflow."""
        size = upload.file.stat().st_size
        received = sum(request.bytes_received for request in self.uploads.part_requests(upload.key))
        self.tell("sent again", f"{(received - size) / MIB:.1f} MiB")
        assert size <= received <= size + sent_twice_bytes
        self.uploads.assert_equal(upload.key, upload.file)
        self.uploads.assert_nothing_left()


def now() -> datetime:
    """Return the time as Airflow's database has it."""
    return datetime.now(UTC)


def since(moment: datetime, until: datetime | None = None) -> str:
    """Return, as it is told, how long it is since the moment."""
    return f"{((until or now()) - moment).total_seconds():.1f} s"
