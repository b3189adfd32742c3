"""An upload in a real Airflow, as a test sees it: interrupted from outside, then looked at from all sides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.emulator import Fault, OSSEmulator, RecordedRequest
from airflow_provider_oss.limits import MIB
from tests.support.airflow_processes import wait_until_gone
from tests.support.airflow_version import KILLED
from tests.support.local_airflow import LocalAirflow
from tests.support.outside_view import checkpoints, compare, official_bucket, unfinished_uploads

if TYPE_CHECKING:
    from pathlib import Path

    import oss2

_WAIT_SECONDS = 120.0
_PLAN = ".plan"
"""How the ids of the tasks end that plan."""


@dataclass(frozen=True)
class Uploads:
    """Starts uploads and knows what is left of them."""

    airflow: LocalAirflow
    server: OSSEmulator

    def start(self, dag_id: str, file: Path, key: str, **conf: Any) -> RunningUpload:
        """Upload the file by the task ``upload`` of a DAG of ``dags/uploads.py``."""
        run_id = self.trigger(dag_id, file_path=str(file), key=key, **conf)
        return RunningUpload(self, dag_id, run_id, file, key)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run of any DAG and return its id."""
        self.airflow.wait_for_dag(dag_id)
        return self.airflow.trigger(dag_id, conf)

    def slow_down(self, key: str, mib_per_second: float, *, after_parts: int = 0) -> None:
        """Let each connection send the parts of this object no faster than this, once so many were sent."""
        rate = mib_per_second * MIB
        self.server.faults.add(Fault(operation="UploadPart", key=key, rate_bytes_per_second=rate, skip=after_parts))

    @property
    def bucket(self) -> oss2.Bucket:
        """The bucket, read by the official client."""
        return official_bucket(self.server.endpoint)

    def unfinished(self) -> list[str]:
        """Return the keys of the multipart uploads that the server still holds."""
        return [upload.key for upload in unfinished_uploads(self.bucket)]

    def checkpoints(self) -> set[str]:
        """Return the store and the task instance of every checkpoint that Airflow holds, but for those of plans."""
        return set(checkpoints(self.airflow)) - self.plans()

    def plans(self) -> set[str]:
        """Return likewise the records of planned uploads, which stay after the end: a task may be cleared then."""
        return {one for one in checkpoints(self.airflow) if one.endswith(_PLAN)}

    def part_requests(self, key: str) -> list[RecordedRequest]:
        """Return the UploadPart requests for the object, whatever became of them."""
        return [one for one in self.server.requests if one.operation == "UploadPart" and one.key == key]

    def assert_equal(self, key: str, file: Path) -> None:
        """Compare the object with the file: every byte, and the CRC-64 that the server tells."""
        comparison = compare(self.bucket, key, file)
        assert comparison.equal
        assert comparison.told_crc64 == comparison.file_crc64

    def assert_nothing_left(self) -> None:
        """Neither the server nor Airflow holds anything unfinished."""
        assert self.unfinished() == []
        assert self.checkpoints() == set()


@dataclass(frozen=True)
class RunningUpload:
    """One run whose task ``upload`` stores ``file`` as ``key``."""

    uploads: Uploads
    dag_id: str
    run_id: str
    file: Path
    key: str
    task_id: str = "upload"
    map_index: int = -1

    @property
    def _airflow(self) -> LocalAirflow:
        return self.uploads.airflow

    @property
    def owner(self) -> str:
        """The task instance's name in its checkpoint."""
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}/{self.run_id}/{self.task_id}{mapped}"

    def wait_for_attempt(self, try_number: int) -> None:
        """Wait until the attempt runs."""
        self._airflow.wait_for_running(
            self.dag_id, self.run_id, self.task_id, try_number, _WAIT_SECONDS, self.map_index
        )

    def wait_until_stored(self, more_parts: int) -> None:
        """Wait until the server has stored so many parts more than now."""
        wanted = self.stored_parts() + more_parts
        stored = itertools.count(1)
        self.uploads.server.wait_for_requests(
            lambda request: request.key == self.key and _stored_a_part(request) and next(stored) == wanted,
            _WAIT_SECONDS,
        )

    def stored_parts(self) -> int:
        """Return how many parts the server has stored so far."""
        return sum(map(_stored_a_part, self.uploads.part_requests(self.key)))

    def kill(self, *, whole_tree: bool = False) -> None:
        """SIGKILL the task's process, or its whole worker, and wait until it is gone."""
        pid = self._airflow.kill_task(
            self.dag_id, self.run_id, self.task_id, map_index=self.map_index, whole_tree=whole_tree
        )
        wait_until_gone(pid)

    def mark_failed(self) -> None:
        """Mark the task failed, and wait until its run has ended and its process is gone."""
        pid = self._airflow.task_process(self.dag_id, self.run_id, self.task_id)
        self._airflow.mark_failed(self.dag_id, self.run_id, self.task_id)
        assert self.end() == "failed"
        wait_until_gone(pid)

    def clear(self, *, downstream: bool = False) -> None:
        """Clear the task, and all that follow it, if asked."""
        self._airflow.clear(self.dag_id, self.run_id, self.task_id, self.map_index, downstream=downstream)

    def end(self) -> str:
        """Wait for the end of the run and return its state."""
        return self._airflow.wait_for_run(self.dag_id, self.run_id)

    def attempts(self) -> list[str | None]:
        """Return how each attempt ended."""
        attempts = self._airflow.attempts(self.dag_id, self.run_id, self.task_id, self.map_index)
        return [attempt.state for attempt in attempts]

    def log(self, try_number: int) -> str:
        """Return the attempt's log."""
        return self._airflow.task_log(self.dag_id, self.run_id, self.task_id, try_number, self.map_index)

    def assert_killed(self, *try_numbers: int) -> None:
        """The logs of these attempts, and of no others, tell that they were killed, if this Airflow tells it."""
        told = [
            number for number, _ in enumerate(self.attempts(), 1) if any(trace in self.log(number) for trace in KILLED)
        ]
        assert told == (list(try_numbers) if KILLED else [])

    def result(self) -> dict[str, Any]:
        """Return what the task returned."""
        value: dict[str, Any] = self._airflow.xcom(self.dag_id, self.run_id, self.task_id, map_index=self.map_index)
        return value

    def record(self) -> dict[str, Any]:
        """Return what the last attempt has recorded of the transfer."""
        rows: list[Any] = [*self._airflow.task_state_rows(), *self._airflow.xcom_rows()]
        mine = (self.run_id, self.task_id, self.map_index, "oss_transfer")
        [record] = [row.value for row in rows if (row.run_id, row.task_id, row.map_index, row.key) == mine]
        found: dict[str, Any] = record
        return found

    def assert_continued(self, *, sent_twice_bytes: int) -> None:
        """Look at the result, the object, the bytes on the wire and at what is left of an interrupted upload."""
        result, size_bytes = self.result(), self.file.stat().st_size
        assert (result["size"], result["resumed"]) == (size_bytes, True)
        assert result["bytes_sent"] + result["bytes_verified"] == size_bytes
        received = sum(request.bytes_received for request in self.uploads.part_requests(self.key))
        assert size_bytes <= received <= size_bytes + sent_twice_bytes
        self.uploads.assert_equal(self.key, self.file)


def _stored_a_part(request: RecordedRequest) -> bool:
    return request.operation == "UploadPart" and request.status == 200
