"""Work that is measured in a process of its own, so that no client finds warm what another one made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.job import Usage
from benchmarks.rounds import BenchmarkError, own_environment
from benchmarks.summary import MIB
from benchmarks.ways.spread import Spread, spread

_LONGEST_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work."""

    work: str
    """``module:function``. Called with ``arguments`` the function imports and prepares; it returns what is measured: a
    callable, which returns what it found as plain data."""
    arguments: dict[str, Any]
    processors: Sequence[int] = ()
    """Where the process may run; anywhere if none are named. Only Linux can keep a process there."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the work took, from inside of its process and past its imports."""

    usage: Usage
    peak_bytes: int
    """Largest resident memory, over what was resident before."""
    started_seconds: float
    """When the work began, on the clock that all processes of a machine share (``time.monotonic``)."""
    found: dict[str, Any]


def costs(runs: Sequence[Measured]) -> dict[str, Spread]:
    """Return time, CPU and memory of several runs of the same work, as a suite's figures have them."""
    return {
        "wall_seconds": spread(each.usage.wall_seconds for each in runs),
        "cpu_seconds": spread(each.usage.cpu_seconds for each in runs),
        "peak_mib": spread(each.peak_bytes / MIB for each in runs),
    }


def measure(task: Task, folder: Path, tree: Path | None = None) -> Measured:
    """
    Do the work in a new process and return what it took. Raises BenchmarkError when it fails.

    Its modules are those of ``tree``, a folder with both packages, unless None: then they are those of this process.
    """
    account = folder / "account.json"
    environment = own_environment(folder) | ({"PYTHONPATH": str(tree)} if tree else {})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ways.child", json.dumps(asdict(task)), str(account)],
        cwd=tree,
        env=os.environ | environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(f"{task.work} ended with status {done.returncode}:\n{done.stdout}")
    values: dict[str, Any] = json.loads(account.read_text("utf-8"))
    return Measured(**(values | {"usage": Usage(**values["usage"])}))
