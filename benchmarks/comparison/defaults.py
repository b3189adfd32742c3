"""1 GiB over http, every client by its own defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.comparison import report, verdicts
from benchmarks.comparison.compare import Setting, compare
from benchmarks.suite import Options, Result
from benchmarks.summary import MIB


def run(options: Options) -> Result:
    """Measure all clients."""
    comparison = compare(Setting(part_size_bytes=None, parallel=None), options)
    return Result(
        name="defaults",
        title=f"{comparison.size_bytes // MIB} MiB of random bytes from the page cache, http, each client's defaults.",
        table=report.table(comparison),
        figures=comparison.figures(),
        verdicts=(*verdicts.past_imports(comparison.found), *verdicts.whole_task(comparison.found)),
    )


def chart(figures: Mapping[str, Any]) -> bytes:
    """Return the figures as bars."""
    return report.chart("each client's defaults, http", figures)
