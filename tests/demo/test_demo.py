"""``make demo`` does what it says, with a smaller file, and ends what it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.support.airflow_processes import wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

ROOT = Path(__file__).parents[2]
NUMBER = r"\s+([\d.]+)"
ROW = re.compile(rf"^\s+(\d)  (\w+){NUMBER}{NUMBER}{NUMBER}{NUMBER}$", re.MULTILINE)


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demonstration with a folder of its own for temporary files."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo", *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - before it is any program
    )


def _heed_interrupts() -> None:
    """Undo what a shell does for a test run in its background: Ctrl-C would be ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what the demonstration prints, as it comes."""
    assert process.stdout is not None
    return iter(process.stdout)


def pids_in(text: str) -> set[int]:
    """Return the processes that the demonstration names."""
    return {int(pid) for pid in re.findall(r"process (\d+)", text)}


def test_two_kills(tmp_path: Path) -> None:
    """It ends 0 with the facts of two kills: what was sent, verified and skipped, one upload id, equal checksums."""
    with start(tmp_path, "--random-mib", "32") as process:
        output = "".join(lines_of(process))
    assert process.returncode == 0, output

    rows = ROW.findall(output)
    assert [(number, ended_by) for number, ended_by, *_ in rows] == [
        ("1", "SIGKILL"), ("2", "SIGKILL"), ("3", "success"),
    ]  # fmt: skip
    sent, verified, skipped = ([float(row[column]) for row in rows] for column in (2, 3, 4))
    assert 32.0 <= round(sum(sent), 1) < 32.0 + 8 * 1.1  # eight parts in flight, of 1 MiB or less
    assert verified[0] == skipped[0] == 0.0
    assert 0.0 < skipped[1] < skipped[2] == verified[2] < 32.0
    checksums = re.findall(r"^CRC-64, .*?(\d{5,})", output, re.MULTILINE)
    assert len(checksums) == 3
    assert len(set(checksums)) == 1
    assert "uploads on the server: 0, checkpoints: 0" in output
    assert "Traceback" not in output
    assert len(output.splitlines()) <= 45

    assert len(pids_in(output)) == 4
    assert not any(psutil.pid_exists(pid) for pid in pids_in(output))
    assert list(tmp_path.iterdir()) == []


def test_ends_everything_when_terminated(tmp_path: Path) -> None:
    """SIGTERM in the middle of an attempt ends server, Airflow and task, and removes the temporary folder."""
    with start(tmp_path, "--random-mib", "32") as process:
        output = ""
        for line in lines_of(process):
            output += line
            if "Attempt 1 runs" in line:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "everything that was started has been ended" in output
    assert "Traceback" not in output
    for pid in pids_in(output):
        wait_until_gone(pid)
    assert list(tmp_path.iterdir()) == []


def test_it_stays_open(tmp_path: Path) -> None:
    """With --keep the UI can be read where it says, without a login, until Ctrl-C, which ends all and is no failure."""
    with start(tmp_path, "--keep", "--random-mib", "32") as process:
        output = ""
        for line in lines_of(process):
            output += line
            if line.startswith("Ctrl-C"):
                [url] = re.findall(r"^Airflow's UI: +(\S+)", output, re.MULTILINE)
                page = httpx.get(url, trust_env=False, follow_redirects=True)
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0, output
    assert (page.status_code, "<title>Airflow</title>" in page.text) == (200, True)
    assert "Nothing is left running" in output
    assert "Traceback" not in output
    for pid in pids_in(output):
        wait_until_gone(pid)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that is not there is named at once, and nothing is started."""
    with start(tmp_path, "--file", str(tmp_path / "missing.bin")) as process:
        output = "".join(lines_of(process))
    assert (process.returncode, output.strip()) == (
        2,
        f"make demo: {tmp_path / 'missing.bin'} is no file that can be read",
    )
