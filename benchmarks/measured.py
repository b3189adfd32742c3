"""
The measured process: ``python -m benchmarks.measured JOB ACCOUNT`` does the job and writes its account into a file.

It is a process of its own for every upload, so that no client finds warm what another one made.
"""

from __future__ import annotations

import importlib
import resource
import sys
import time
from pathlib import Path

import psutil

from benchmarks.clients import CLIENTS
from benchmarks.job import Account, Job, Usage, job_from_json, to_json


def main(job: Job) -> Account:
    """Import the client, upload, and return what each took."""
    client = CLIENTS[job.client]
    began = _usage()
    _import(client.framework)
    framework = _usage()
    _import(client.library)
    library = _usage()
    imported_bytes = psutil.Process().memory_info().rss
    client.upload(job)
    return Account(
        framework=framework - began,
        library=library - framework,
        upload=_usage() - library,
        imported_bytes=imported_bytes,
        peak_bytes=_peak_bytes(),
    )


def _import(names: tuple[str, ...]) -> None:
    for name in names:
        importlib.import_module(name)


def _usage() -> Usage:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(time.perf_counter(), used.ru_utime, used.ru_stime)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(to_json(main(job_from_json(sys.argv[1]))), "utf-8")
