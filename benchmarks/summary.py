"""Runs to medians and ranges. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.rounds import Run

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of one measure in all rounds."""

    median: float
    lowest: float
    highest: float


MEASURES: Final[dict[str, Callable[[Run], float]]] = {
    "wall_seconds": lambda run: run.account.upload.wall_seconds,
    "cpu_seconds": lambda run: run.account.upload.cpu_seconds,
    "user_seconds": lambda run: run.account.upload.user_seconds,
    "system_seconds": lambda run: run.account.upload.system_seconds,
    "library_import_wall_seconds": lambda run: run.account.library.wall_seconds,
    "library_import_cpu_seconds": lambda run: run.account.library.cpu_seconds,
    "framework_import_cpu_seconds": lambda run: run.account.framework.cpu_seconds,
    "wall_with_import_seconds": lambda run: (run.account.library + run.account.upload).wall_seconds,
    "cpu_with_import_seconds": lambda run: (run.account.library + run.account.upload).cpu_seconds,
    "process_wall_seconds": lambda run: run.process.wall_seconds,
    "process_cpu_seconds": lambda run: run.process.cpu_seconds,
    "peak_mib": lambda run: run.account.peak_bytes / MIB,
    "peak_over_imports_mib": lambda run: (run.account.peak_bytes - run.account.imported_bytes) / MIB,
    "sink_cpu_seconds": lambda run: run.sink.cpu_seconds,
    "sink_busy_share": lambda run: run.sink.cpu_seconds / run.account.upload.wall_seconds,
}
"""
What is reported of a run.

``with_import``: the library's import counted, the framework's not: it is there anyway. ``sink_busy_share``: of the
upload's wall time, on the sink's one thread; near 1, the sink was the bottleneck.
"""

Summary = dict[str, Spread]
"""Spreads by the names of MEASURES."""


def summaries(runs: Iterable[Run]) -> dict[str, Summary]:
    """Return each client's summary, in the order of the first runs."""
    by_client: dict[str, list[Run]] = {}
    for run in runs:
        by_client.setdefault(run.client, []).append(run)
    return {client: _summary(its_runs) for client, its_runs in by_client.items()}


def _summary(runs: Sequence[Run]) -> Summary:
    return {name: _spread([measure(run) for run in runs]) for name, measure in MEASURES.items()}


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))
