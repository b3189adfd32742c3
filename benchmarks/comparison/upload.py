"""1 GiB over http, every client told to send parts of 8 MiB, 4 at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.comparison import report, verdicts
from benchmarks.comparison.compare import Setting, compare
from benchmarks.suite import Options, Result
from benchmarks.summary import MIB

PART_SIZE_BYTES: Final = 8 * MIB
PARALLEL: Final = 4


def run(options: Options) -> Result:
    """Measure all clients."""
    comparison = compare(Setting(PART_SIZE_BYTES, PARALLEL), options)
    return Result(
        name="upload",
        title=f"{comparison.size_bytes // MIB} MiB of random bytes from the page cache, http, 4 x 8 MiB parts.",
        table=report.table(comparison),
        figures=comparison.figures(),
        verdicts=(
            *verdicts.past_imports(comparison.found),
            *verdicts.whole_task(comparison.found),
            *verdicts.memory(comparison.found, PART_SIZE_BYTES, PARALLEL),
        ),
    )


def chart(figures: Mapping[str, Any]) -> bytes:
    """Return the figures as bars."""
    return report.chart("4 x 8 MiB parts, http", figures)
