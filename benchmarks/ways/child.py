"""The measured process: ``python -m benchmarks.ways.child TASK ACCOUNT`` does a task and writes what it took."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final

import psutil

from benchmarks.job import Usage
from benchmarks.ways.processes import Measured, Task

_STATUS: Final = Path("/proc/self/status")
_FORGET_PEAK: Final = "5"


def main(task: Task) -> Measured:
    """Prepare, then measure."""
    if task.processors and sys.platform == "linux":
        os.sched_setaffinity(0, task.processors)
    module, _, function = task.work.partition(":")
    work = getattr(import_module(module), function)(**task.arguments)
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, "ascii")
    resident_bytes = psutil.Process().memory_info().rss
    started, began = time.monotonic(), _usage()
    found = work()
    usage = _usage() - began
    return Measured(usage, _peak_bytes() - resident_bytes, started, found)


def _usage() -> Usage:
    """Return what was used by this process, and by those that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Usage(time.perf_counter(), sum(each.ru_utime for each in used), sum(each.ru_stime for each in used))


def _peak_bytes() -> int:
    """Return the largest resident memory: on Linux of this program alone, where ru_maxrss begins with its parent's."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(asdict(main(Task(**json.loads(sys.argv[1]))))), "utf-8")
