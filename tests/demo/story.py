"""The demonstration itself: one upload in a real Airflow, killed twice in the middle, told step by step."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.limits import GIB, KIB, MIB
from tests.conftest import connection_json
from tests.demo.account import Attempt, BrokenPromiseError, Evidence, account, sent_again_bytes, upload_id_of
from tests.demo.plan import DemoPlan, plan_for
from tests.demo.server import ServerProcess, running_server
from tests.demo.sizes import in_words
from tests.support.airflow_processes import wait_until_gone
from tests.support.airflow_version import VERSION
from tests.support.local_airflow import LocalAirflow
from tests.support.outside_view import (
    Comparison,
    checkpoints,
    compare,
    official_bucket,
    stored_parts,
    unfinished_uploads,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

DAG_ID = "oss_resumable_upload"
TASK_ID = "upload"
KEY = "demo/upload.bin"

_EXAMPLES = Path(__file__).parents[2] / "dags_examples"
_VERIFIED = re.compile(r"verified ([0-9.]+) (bytes|KiB|MiB)")
_UNITS = {"bytes": 1, "KiB": KIB, "MiB": MIB}
_SPARE_BYTES = GIB // 2
_LOG_TAIL_CHARS = 2000
_LOG_PRECISION_BYTES = MIB // 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the report needs."""

    plan: DemoPlan
    attempts: list[Attempt]
    upload_id: str | None
    sent_again_bytes: int
    comparison: Comparison
    uploads_left: int
    checkpoints_left: int
    airflow_url: str
    oss_endpoint: str

    @property
    def sent_bytes(self) -> int:
        """By all attempts."""
        return sum(attempt.sent_bytes for attempt in self.attempts)


def demonstrate(folder: Path, file: Path | None, random_bytes: int, stack: ExitStack, *, keep: bool = False) -> Outcome:
    """Run the demonstration in ``folder``; what it starts is ended by ``stack``.

    ``keep``: also start what it does not need itself, for a user who goes on with the other examples.
    Raises BrokenPromiseError when anything is not as promised.
    """
    say = _Narrator()
    file = file or _random_file(folder, random_bytes, say)
    plan = plan_for(file.stat().st_size)
    _check_space(folder, plan.size_bytes)
    server = stack.enter_context(running_server(folder / "oss"))
    say(f"Local OSS server: process {server.pid}, {server.endpoint}, empty.")
    airflow = LocalAirflow(folder / "airflow", _EXAMPLES, {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)})
    say(f"Airflow {VERSION} is starting: scheduler with LocalExecutor, SQLite. About 20 s ...")
    stack.enter_context(airflow)
    airflow.wait_for_dag(DAG_ID)
    outcome = _Demonstration(say, server, airflow, file, plan).run()
    if keep:
        airflow.start_triggerer()
    return outcome


class _Narrator:
    """Prints what happens, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {text}", flush=True)  # noqa: T201 - what the user came for


class _Demonstration:
    """One run of the example DAG."""

    def __init__(
        self, say: Callable[[str], None], server: ServerProcess, airflow: LocalAirflow, file: Path, plan: DemoPlan
    ) -> None:
        self._say = say
        self._server = server
        self._airflow = airflow
        self._file = file
        self._plan = plan
        self._bucket = official_bucket(server.endpoint)
        self._run_id = ""

    def run(self) -> Outcome:
        """Upload, kill, and look at everything."""
        plan = self._plan
        self._slow_down(parts_held=0, attempt=1)
        conf = {"file_path": str(self._file), "key": KEY, "part_size": plan.part_size_bytes}
        self._run_id = self._airflow.trigger(DAG_ID, conf)
        self._say(f"DAG {DAG_ID} (dags_examples/resumable_upload.py) is triggered for {self._file.name}:")
        parts = "one part" if plan.is_single_put else f"{plan.parts} parts"
        self._say(f"  {in_words(plan.size_bytes)}, {parts} of {in_words(plan.part_size_bytes)} or less.")
        if plan.is_single_put:
            self._say("  A file of one part is sent in one request: there is no middle to kill it in, so nobody does.")
        evidence = [self._kill(attempt) for attempt in range(1, len(plan.kill_at) + 1)]
        return self._finish(evidence)

    def _slow_down(self, parts_held: int, attempt: int) -> None:
        """Keep the coming attempt in the middle: slow, and from the part on at which it is killed without answers."""
        if attempt > len(self._plan.kill_at):
            self._server.replace_faults()
            return
        answered = max(0, self._plan.kill_at[attempt - 1] - parts_held)
        self._server.replace_faults(
            Fault(operation="UploadPart", rate_bytes_per_second=self._plan.bytes_per_second),
            Fault(operation="UploadPart", stall=True, skip=answered),
        )

    def _kill(self, attempt: int) -> Evidence:
        """Let the attempt come as far as the plan says, kill its process, and prepare for the next."""
        patience = self._plan.patience_seconds
        row = self._airflow.wait_for_running(DAG_ID, self._run_id, TASK_ID, attempt, patience)
        held_before = self._held()
        self._say(f"Attempt {attempt} runs in process {row.pid}." + (" It continues the same upload." * (attempt > 1)))
        wait_until(
            lambda: self._is_in_the_middle(attempt) or None,
            patience,
            f"attempt {attempt} to be in the middle",
            lambda: f"{len(self._held())} of {self._plan.parts} parts stored",
        )
        pid = self._airflow.kill_task(DAG_ID, self._run_id, TASK_ID)
        wait_until_gone(pid)
        held = self._held()
        self._slow_down(len(held), attempt + 1)
        self._say(
            f"  SIGKILL to process {pid}: it is gone. OSS holds {len(held)} of {self._plan.parts} parts, "
            f"{in_words(sum(held.values()))}."
        )
        return Evidence("SIGKILL", held_before, self._verified_of(attempt, sum(held_before.values())))

    def _is_in_the_middle(self, attempt: int) -> bool:
        """Say so; raise LookupError when the attempt is over already."""
        self._airflow.task_process(DAG_ID, self._run_id, TASK_ID)
        enough = len(self._held()) >= self._plan.kill_at[attempt - 1]
        return enough and (attempt == 1 or self._verified(attempt) is not None)

    def _held(self) -> dict[int, int]:
        """Return number and size of the parts that OSS holds now."""
        uploads = unfinished_uploads(self._bucket)
        if len(uploads) > 1:
            raise BrokenPromiseError(f"there are {len(uploads)} multipart uploads instead of one")
        return stored_parts(self._bucket, uploads[0]) if uploads else {}

    def _verified_of(self, attempt: int, held_bytes: int) -> int:
        """Return the bytes that a killed attempt has verified; its log rounds them."""
        logged = self._verified(attempt) or 0
        return held_bytes if abs(logged - held_bytes) < _LOG_PRECISION_BYTES else logged

    def _verified(self, attempt: int) -> int | None:
        """Return the bytes that the attempt has verified, as the last progress line of its log says; None before."""
        try:
            log = self._airflow.task_log(DAG_ID, self._run_id, TASK_ID, attempt)
        except FileNotFoundError:
            return None
        said = _VERIFIED.findall(log)
        return round(float(said[-1][0]) * _UNITS[said[-1][1]]) if said else None

    def _finish(self, evidence: list[Evidence]) -> Outcome:
        last = len(evidence) + 1
        if last > 1:
            self._say(f"Attempt {last} is left alone, and the server is no longer slow.")
        state = self._airflow.wait_for_run(DAG_ID, self._run_id, self._plan.patience_seconds)
        rows = self._airflow.attempts(DAG_ID, self._run_id, TASK_ID)
        wanted = ["failed"] * len(evidence) + ["success"]
        if [row.state for row in rows] != wanted:
            raise BrokenPromiseError(
                f"run {state}, attempts {[row.state for row in rows]}\n{self._last_log(len(rows))}"
            )
        self._say(f"  It ran in process {rows[-1].pid} and ended well. Comparing object and file ...")
        return self._look(evidence)

    def _look(self, evidence: list[Evidence]) -> Outcome:
        plan, result = self._plan, self._airflow.xcom(DAG_ID, self._run_id, TASK_ID)
        # A successful attempt ends with every part stored: those that it did not send were there before
        others = {} if plan.is_single_put else plan.part_sizes
        requests = self._server.requests()
        rows = self._airflow.attempts(DAG_ID, self._run_id, TASK_ID)
        attempts = account(rows, requests, [*evidence, Evidence("success", others, result["bytes_verified"])])
        return Outcome(
            plan=plan,
            attempts=attempts,
            upload_id=upload_id_of(requests),
            sent_again_bytes=sent_again_bytes(attempts, requests, plan.size_bytes),
            comparison=compare(self._bucket, KEY, self._file),
            uploads_left=len(unfinished_uploads(self._bucket)),
            checkpoints_left=len(checkpoints(self._airflow)),
            airflow_url=self._airflow.url,
            oss_endpoint=self._server.endpoint,
        )

    def _last_log(self, attempt: int) -> str:
        try:
            return self._airflow.task_log(DAG_ID, self._run_id, TASK_ID, attempt)[-_LOG_TAIL_CHARS:]
        except FileNotFoundError:
            return "the attempt did not log"


def check(outcome: Outcome) -> None:
    """Raise BrokenPromiseError unless everything is as this package promises."""
    last, comparison = outcome.attempts[-1], outcome.comparison
    if not comparison.equal or len({comparison.downloaded_crc64, comparison.file_crc64, comparison.told_crc64}) != 1:
        raise BrokenPromiseError(f"object and file differ: {comparison}")
    if outcome.uploads_left or outcome.checkpoints_left:
        raise BrokenPromiseError(
            f"left behind: {outcome.uploads_left} multipart uploads, {outcome.checkpoints_left} checkpoints"
        )
    if last.verified_bytes != last.skipped_bytes:
        raise BrokenPromiseError(
            f"attempt {last.number} skipped {last.skipped_bytes} bytes, but verified {last.verified_bytes}"
        )
    if outcome.plan.kill_at and not last.skipped_bytes:
        raise BrokenPromiseError("the last attempt sent everything: nothing was resumed")


def _random_file(folder: Path, size_bytes: int, say: Callable[[str], None]) -> Path:
    path = folder / "random.bin"
    with path.open("wb") as file:
        for begin in range(0, size_bytes, MIB):
            file.write(os.urandom(min(MIB, size_bytes - begin)))
    say(f"A file of {in_words(size_bytes)} of random bytes: {path}")
    return path


def _check_space(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes + _SPARE_BYTES:
        raise BrokenPromiseError(
            f"{folder} has {in_words(free)} free, and the object needs {in_words(size_bytes)} and some room: set "
            "TMPDIR to a folder with more space"
        )
