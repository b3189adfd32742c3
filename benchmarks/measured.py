"""
The measured process of a client in Python: ``python -m benchmarks.measured MODULE JOB ACCOUNT``.

Imports the client's module, does the job and writes its account into a file. It is a process of its own for every
upload, so that no client finds warm what another one made; what it imports itself is little.
"""

from __future__ import annotations

import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmarks.job import Account, Job, Usage, job_from_json, to_json


def main(client: ModuleType, job: Job) -> Account:
    """Import what the client needs, upload, and return what each took."""
    began = _usage()
    _import(client.FRAMEWORK)
    framework = _usage()
    _import((*client.LIBRARY, *job.modules))
    library = _usage()
    imported_bytes = _resident_bytes()
    known = set(sys.modules)
    client.upload(job)
    upload = _usage()
    return Account(
        framework=framework - began,
        library=library - framework,
        upload=upload - library,
        imported_bytes=imported_bytes,
        peak_bytes=_peak_bytes(),
        late_modules=tuple(name for name in sys.modules if name not in known),
    )


def _import(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            import_module(name)
        except ImportError:  # a name that a module put into sys.modules itself; the upload brings it along again
            if name.partition(".")[0] not in sys.modules:
                raise


def _usage() -> Usage:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(time.perf_counter(), used.ru_utime, used.ru_stime)


def _resident_bytes() -> int:
    return _status("VmRSS") or _largest_bytes()


def _peak_bytes() -> int:
    return _status("VmHWM") or _largest_bytes()


def _status(name: str) -> int:
    """Return what Linux says of this program alone; 0 elsewhere."""
    path = Path("/proc/self/status")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _largest_bytes() -> int:
    """Return the peak so far. On Linux it would count the parent's memory too, from before the exec."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    _, module_name, job_text, account_path = sys.argv
    Path(account_path).write_text(to_json(main(import_module(module_name), job_from_json(job_text))), "utf-8")
