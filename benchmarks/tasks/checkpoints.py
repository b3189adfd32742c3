"""
What the metadata database pays for resumable uploads: writes of checkpoints, and of the record of how far they are.

In a real Airflow. The record is written beside a checkpoint, in the same write, and at the end in its own place.

A file of 10,000 parts is uploaded with each store twice. *quiet*: in one attempt. *killed*: the first attempt is
SIGKILLed in the middle, and every third of the parts that it had not sent is put beside its own, so that the second
finds the most ranges that there can be. Key and path are as long as can be, in characters that JSON makes long.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from airflow_provider_oss.checkpoint.codec import MAX_RECORD_CHARS
from airflow_provider_oss.progress.record import MAX_TRANSFER_CHARS
from benchmarks.rounds import BUCKET, BenchmarkError, Sink, running_sink
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.tables import markdown
from benchmarks.tasks.airflow_connection import connection_json
from benchmarks.tasks.write_log import Write, WriteLog
from tests.support.airflow_database import TaskInstanceRow
from tests.support.airflow_processes import wait_until_gone
from tests.support.local_airflow import LocalAirflow
from tests.support.waiting import wait_until

_CHECKOUT: Final = Path(__file__).parents[2]
_DAGS: Final = Path(__file__).parent / "dags"
_STORES: Final = ("task_state", "variable", "xcom")
_PARTS: Final = 10_000
_PART_BYTES: Final = 100 * 1024
_MAX_KEY_BYTES: Final = 1023
_MOST_BYTES: Final = MAX_RECORD_CHARS + MAX_TRANSFER_CHARS + len(', "transfer": ')
_FIRST_SAVES: Final = 2
_SECONDS_A_SAVE: Final = 10.0
_LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the upload task, and what was written of it."""

    store: str
    story: str
    number: int
    state: str | None
    seconds: float
    saves: int
    allowed_saves: int
    """Two, and one for every ten seconds."""
    records: int
    """Writes of the record by itself: one, when the attempt ends by itself."""
    deletes: int
    largest_bytes: int
    most_ranges: int
    """Of done parts in one checkpoint, at least 1."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload by a task, in as many attempts as it took."""

    attempts: tuple[Attempt, ...]
    result: dict[str, Any]
    """What the task returned."""


@dataclass(frozen=True, slots=True)
class Bench:
    """An Airflow that uploads a file to a sink, and what its database notes."""

    airflow: LocalAirflow
    sink: Sink
    log: WriteLog
    file: Path
    parts: int

    def quiet(self, store: str) -> Upload:
        """Upload in one attempt."""
        before = len(self.log.writes())
        run_id = self._start(store, "quiet")
        return self._end(store, "quiet", run_id, [before])

    def killed(self, store: str) -> Upload:
        """Kill the first attempt when it has sent a fifth, and scatter parts over the rest before it is gone."""
        before = len(self.log.writes())
        run_id = self._start(store, "killed")
        upload_id = wait_until(
            lambda: self._upload_with_a_fifth(before), _LONGEST_SECONDS, "a fifth of the parts", lambda: "fewer"
        )
        pid = self.airflow.kill_task(_dag_id(store), run_id, "upload", signal.SIGSTOP)
        self._scatter(_key(store, "killed"), upload_id)
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        return self._end(store, "killed", run_id, [before, len(self.log.writes())])

    def _start(self, store: str, story: str) -> str:
        self.airflow.wait_for_dag(_dag_id(store))
        conf = {"file_path": str(self.file), "key": _key(store, story), "part_size": _PART_BYTES}
        return self.airflow.trigger(_dag_id(store), conf)

    def _upload_with_a_fifth(self, before: int) -> str | None:
        """Return the id of the upload that the newest checkpoint names, once OSS has a fifth of its parts."""
        writes = [write for write in self.log.writes(after=before) if write.is_save]
        upload_id = str(writes[-1].checkpoint["upload_id"]) if writes else ""
        if not upload_id:
            return None
        query = urlencode({"uploadId": upload_id, "part-number-marker": self.parts // 5, "max-parts": 1})
        answer = httpx.get(f"{self.sink.endpoint}/{BUCKET}/any?{query}", trust_env=False)
        return upload_id if "<PartNumber>" in answer.text else None

    def _scatter(self, key: str, upload_id: str) -> None:
        url = f"{self.sink.endpoint}/{BUCKET}/{quote(key)}"
        with httpx.Client(trust_env=False) as client:
            for number in range(self.parts // 4, self.parts, 3):
                query = urlencode({"uploadId": upload_id, "partNumber": number})
                client.put(f"{url}?{query}", content=bytes(_PART_BYTES)).raise_for_status()

    def _end(self, store: str, story: str, run_id: str, boundaries: list[int]) -> Upload:
        """Wait for the end; the attempts' writes begin at the ``boundaries`` of the log."""
        state = self.airflow.wait_for_run(_dag_id(store), run_id, _LONGEST_SECONDS)
        rows = self.airflow.attempts(_dag_id(store), run_id, "upload")
        if state != "success" or len(rows) != len(boundaries):
            raise BenchmarkError(f"{store}, {story}: {state} after {len(rows)} attempts")
        writes = self.log.writes()
        attempts = tuple(
            _attempt(store, story, row, writes[first:last])
            for row, first, last in zip(rows, boundaries, [*boundaries[1:], len(writes)], strict=True)
        )
        return Upload(attempts, self.airflow.xcom(_dag_id(store), run_id, "upload"))


def run(options: Options) -> Result:
    """Upload with each store, quiet and killed, once: the writes are counted, there is no spread."""
    parts = max(40, round(_PARTS * options.scale))
    uploads = []
    with _bench(options.folder, parts) as bench:
        for store in _STORES:
            uploads += [bench.quiet(store), bench.killed(store)]
            for attempt in (attempt for upload in uploads[-2:] for attempt in upload.attempts):
                print(f"  {attempt}", flush=True)
    attempts = [attempt for upload in uploads for attempt in upload.attempts]
    return Result(
        "checkpoints",
        f"{parts} parts of 100 KiB, a key of {_MAX_KEY_BYTES} bytes: writes of checkpoints to Airflow's database",
        _table(attempts),
        {"attempts": [asdict(attempt) for attempt in attempts], "results": [upload.result for upload in uploads]},
        tuple(verdict for store in _STORES for verdict in _verdicts(store, attempts)),
    )


@contextmanager
def _bench(folder: Path, parts: int) -> Iterator[Bench]:
    file = folder / ("\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 100) / "export.bin"
    file.parent.mkdir()
    file.touch()
    os.truncate(file, parts * _PART_BYTES)
    with running_sink() as sink:
        environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(sink), "PYTHONPATH": str(_CHECKOUT)}
        with LocalAirflow(folder / "airflow", _DAGS, environment) as airflow:
            yield Bench(airflow, sink, WriteLog(airflow.database.path), file, parts)


def _dag_id(store: str) -> str:
    return f"checkpointed_{store}"


def _key(store: str, story: str) -> str:
    """Return a key as long as can be; JSON writes its letters with three times the bytes."""
    name = f"{store}/{story}/"
    return name + "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * ((_MAX_KEY_BYTES - len(name)) // 2)


def _attempt(store: str, story: str, row: TaskInstanceRow, writes: Sequence[Write]) -> Attempt:
    if row.start_date is None or row.end_date is None:
        raise BenchmarkError(f"{store}, {story}: attempt {row.try_number} has no times")
    seconds = (row.end_date - row.start_date).total_seconds()
    saves = [write for write in writes if write.is_save]
    records = [write for write in writes if write.is_record]
    return Attempt(
        store,
        story,
        row.try_number,
        row.state,
        seconds,
        saves=len(saves),
        allowed_saves=_FIRST_SAVES + int(seconds / _SECONDS_A_SAVE),
        records=len(records),
        deletes=len(writes) - len(saves) - len(records),
        largest_bytes=max(write.size_bytes for write in writes),
        most_ranges=max(len(write.checkpoint["done_parts"].split(",")) for write in saves),
    )


def _verdicts(store: str, attempts: Sequence[Attempt]) -> tuple[Verdict, ...]:
    its = [attempt for attempt in attempts if attempt.store == store]
    worst = max(its, key=lambda attempt: attempt.saves - attempt.allowed_saves)
    return (
        at_most(
            f"{store}: writes of the attempt that comes nearest to two and one for every ten seconds",
            worst.saves,
            worst.allowed_saves,
            "writes",
        ),
        at_most(f"{store}: records by themselves, in one attempt", max(one.records for one in its), 1, "writes"),
        at_most(f"{store}: the largest write", max(attempt.largest_bytes for attempt in its), _MOST_BYTES, "bytes"),
    )


def _table(attempts: Sequence[Attempt]) -> str:
    header = ["store", "attempt", "s", "writes", "allowed", "records", "largest, bytes", "most ranges"]
    rows = [
        [
            f"{attempt.store}, {attempt.story}",
            f"{attempt.number}, {attempt.state}",
            f"{attempt.seconds:.0f}",
            f"{attempt.saves}",
            f"{attempt.allowed_saves}",
            f"{attempt.records}",
            f"{attempt.largest_bytes}",
            f"{attempt.most_ranges}",
        ]
        for attempt in attempts
    ]
    return markdown(header, rows)
