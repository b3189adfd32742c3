"""The suite in one row's environment: everything that it starts ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import psutil

from tests.matrix.mysqlclient import install_mysqlclient
from tests.matrix.rows import DISTRIBUTED, FOLDER, ROOT, Row, left_out
from tests.matrix.uv import install
from tests.support.airflow_processes import belongs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MARK = "AIRFLOW_PROVIDER_OSS_MATRIX"
"""A variable of the environment, by whose value processes of one run are known that have left its session."""
_TIMEOUT_SECONDS = 90 * 60
_GRACE_SECONDS = 60


_TWO_WORKERS = ("--numprocesses", "2", "--dist", "loadgroup")
_ONE_WORKER = ("--numprocesses", "0")
_REPORTS_FIGURES = "junit_family=xunit1"
"""The form of a report in which a test may say what it has measured."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of one run of pytest."""

    passed: int
    failed: int
    skipped: int
    remark: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the suite on one row."""

    row: Row
    passed: int
    failed: int
    skipped: int
    seconds: float
    remark: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all ran, and all passed."""
        return not self.remark and not self.failed and not self.skipped and self.passed > 0


def run(row: Row, *, is_short: bool) -> Outcome:
    """Install what the row needs, run the suite there with two workers, and say what became of it."""
    began = time.monotonic()
    try:
        python = install(row)
        if not is_short:
            install_mysqlclient(python)
    except subprocess.CalledProcessError as error:
        return Outcome(row, 0, 0, 0, time.monotonic() - began, f"not installed: uv ended with {error.returncode}")
    except RuntimeError as error:
        return Outcome(row, 0, 0, 0, time.monotonic() - began, f"not installed: {error}")
    ignored = [f"--ignore={folder}" for folder in left_out(row, is_short=is_short)]
    ended = [_run_tests(python, FOLDER / f"{row.name}.xml", [*_TWO_WORKERS, *ignored])]
    if row.is_distributed and not is_short:
        ended.append(_run_tests(python, FOLDER / f"{row.name}-distributed.xml", [*_ONE_WORKER, *DISTRIBUTED]))
    return Outcome(
        row,
        passed=sum(each.passed for each in ended),
        failed=sum(each.failed for each in ended),
        skipped=sum(each.skipped for each in ended),
        seconds=time.monotonic() - began,
        remark=", ".join(each.remark for each in ended if each.remark),
    )


def _run_tests(python: Path, report: Path, arguments: Iterable[str]) -> _Ended:
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", f"--override-ini={_REPORTS_FIGURES}"]
    remark = _run_pytest([str(python), "-m", "pytest", *options, *arguments])
    return _Ended(*_counts(report), remark)


def _run_pytest(command: list[str]) -> str:
    """Run it and return what is wrong beside failed tests: nothing as a rule."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, MARK: mark}, start_new_session=True)
    try:
        code = process.wait(_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"not at its end after {_TIMEOUT_SECONDS // 60} minutes"
    finally:
        _end(process, mark)
    return "" if code in (0, 1) else f"pytest ended with {code}"


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """Let pytest tidy up if it still runs, then end whatever it has left."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    kill_started(process.pid, mark)
    process.wait()


def kill_started(session: int, mark: str) -> None:
    """
    Kill all processes of the session, and those elsewhere that have this value of the variable MARK.

    Airflow's processes give themselves titles, which overwrites the environment that the mark is looked for in.
    """
    while left := [process for process in psutil.process_iter() if belongs(process, {session}, MARK, mark)]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def _counts(report: Path) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped."""
    if not report.exists():
        return 0, 0, 0
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 - pytest wrote it
    totals = [
        {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")} for suite in suites
    ]
    failed = sum(total["failures"] + total["errors"] for total in totals)
    skipped = sum(total["skipped"] for total in totals)
    return sum(total["tests"] for total in totals) - failed - skipped, failed, skipped
