"""Processes that are forked from one that uses its hooks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_forked_processes_mix_nothing() -> None:
    """Parent and children read their own bytes, however the children end, and the parent keeps its connections."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.forks", "--forks", "24"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=200,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
