"""What a suite takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SUITES: Final = {
    "upload": "benchmarks.comparison.upload",
    "defaults": "benchmarks.comparison.defaults",
    "https": "benchmarks.comparison.https",
    "files": "benchmarks.ways.files",
    "latency": "benchmarks.ways.latency",
    "resume": "benchmarks.ways.resume",
    "growth": "benchmarks.ways.growth",
    "planning": "benchmarks.ways.planning",
    "streams": "benchmarks.ways.streams",
    "downloads": "benchmarks.ways.downloads",
    "paths": "benchmarks.ways.paths",
    "sql_export": "benchmarks.ways.sql_export",
    "exports": "benchmarks.ways.exports",
    "parse": "benchmarks.tasks.parse",
    "checkpoints": "benchmarks.tasks.checkpoints",
    "distributed": "benchmarks.tasks.distributed",
}
"""
The modules of the suites by name, in the order in which they run.

Each has ``run(options: Options) -> Result`` and may have ``chart(figures: dict[str, Any]) -> bytes | None``, which
returns an SVG (``benchmarks.charts`` draws them) of the figures of its result, also when these were read from JSON.
"""

VERSUS: Final = "versus"
"""What ``make compare`` measures; it needs another checkout, and so is no suite that runs among the others."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a suite is to measure."""

    rounds: int
    """How often each measurement is repeated, at least 1."""
    folder: Path
    """An empty folder of this suite alone, removed afterwards."""
    scale: float
    """What sizes and numbers are multiplied with: 1 measures, less only shows that the suite works."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim, and whether what was measured bears it out."""

    claim: str
    """What is claimed, as a sentence that names the target: "CPU at most a seventh of the better SDK's"."""
    measured: float
    target: float
    is_met: bool
    unit: str
    """Of ``measured`` and ``target``: "x" for ratios."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a suite found."""

    name: str
    title: str
    """What was measured, in a line: sizes, numbers, conditions."""
    table: str
    """Markdown, made by ``benchmarks.tables``: it is printed, and shown in the results' README."""
    figures: dict[str, Any]
    """All that was measured, as JSON has it: units in the names."""
    verdicts: tuple[Verdict, ...]


def at_most(claim: str, measured: float, target: float, unit: str = "x") -> Verdict:
    """Return the verdict on a figure that must not be above its target."""
    return Verdict(claim, measured, target, measured <= target, unit)


def at_least(claim: str, measured: float, target: float, unit: str = "x") -> Verdict:
    """Return the verdict on a figure that must not be below its target."""
    return Verdict(claim, measured, target, measured >= target, unit)
