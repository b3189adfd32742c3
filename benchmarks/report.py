"""What was measured, as a table for people and as JSON. Pure."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

from benchmarks.clients import CLIENTS
from benchmarks.rounds import Plan, Run
from benchmarks.summary import MIB, Ratio, Spread, Summary

_COLUMNS: Final = {
    "wall s": "wall_seconds",
    "CPU s": "cpu_seconds",
    "user": "user_seconds",
    "system": "system_seconds",
    "import CPU s": "library_import_cpu_seconds",
    "process wall s": "process_wall_seconds",
    "process CPU s": "process_cpu_seconds",
    "peak MiB": "peak_mib",
    "+MiB": "peak_over_imports_mib",
    "sink CPU s": "sink_cpu_seconds",
}
_WITH_RANGE: Final = ("wall s", "CPU s")
_LEGEND: Final = """\
Medians (ranges). wall, CPU, user, system: the upload with all it takes, past the imports. import: the client library.
process: from start to end; the hook's imports Airflow, which every task's process has loaded in any case. +MiB: peak
memory over the memory after the imports. sink CPU: of the server, on one thread; near wall s, it was the bottleneck."""


def table(found: Mapping[str, Summary]) -> str:
    """Return the table with its legend."""
    rows = [["client", *_COLUMNS]]
    for client, summary in found.items():
        rows.append([client, *(_cell(title, summary[measure]) for title, measure in _COLUMNS.items())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_aligned(row, widths)) for row in rows]
    return "\n".join([*lines, "", _LEGEND])


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells padded: names to the left, figures to the right."""
    return [
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _cell(title: str, spread: Spread) -> str:
    if title in _WITH_RANGE:
        return f"{spread.median:.2f} ({spread.lowest:.2f}-{spread.highest:.2f})"
    return f"{spread.median:.0f}" if title.endswith("MiB") else f"{spread.median:.2f}"


def as_json(plan: Plan, runs: Sequence[Run], found: Mapping[str, Summary], compared: Sequence[Ratio]) -> str:
    """Return everything that was measured."""
    content: dict[str, Any] = {
        "machine": machine(),
        "size_bytes": plan.sample.size_bytes,
        "part_size_bytes": plan.part_size_bytes,
        "parallel": plan.parallel,
        "rounds": plan.rounds,
        "versions": {client: version(CLIENTS[client].distribution) for client in found},
        "summaries": {
            client: {name: asdict(spread) for name, spread in each.items()} for client, each in found.items()
        },
        "ratios": [asdict(ratio) for ratio in compared],
        "runs": [asdict(run) for run in runs],
    }
    return json.dumps(content, indent=2) + "\n"


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()}


def heading(plan: Plan) -> str:
    """Return what is measured, and where."""
    size, part = plan.sample.size_bytes / MIB, plan.part_size_bytes / MIB
    return (
        f"{size:.0f} MiB of random bytes from the page cache, {plan.parallel} x {part:.0f} MiB parts, CRC-64 on, "
        f"{plan.rounds} rounds, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
