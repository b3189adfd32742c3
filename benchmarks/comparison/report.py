"""A comparison as a table and as a chart. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.charts import Bar, Panel, bars
from benchmarks.clients import HOOK, OPERATOR
from benchmarks.comparison.compare import Comparison
from benchmarks.summary import MIB, Spread
from benchmarks.tables import markdown

_COLUMNS: Final = {
    "wall s": "wall_seconds",
    "CPU s": "cpu_seconds",
    "system": "system_seconds",
    "import CPU s": "library_import_cpu_seconds",
    "wall with import s": "wall_with_import_seconds",
    "CPU with import s": "cpu_with_import_seconds",
    "process wall s": "process_wall_seconds",
    "process CPU s": "process_cpu_seconds",
    "peak MiB": "peak_mib",
    "over imports MiB": "peak_over_imports_mib",
    "sink busy": "sink_busy_share",
    "sink CPU s": "sink_cpu_seconds",
}
_WITH_RANGE: Final = ("wall s", "CPU s")
_LEGEND: Final = """\
Medians (ranges). *wall, CPU, system*: the upload with all it takes, past all imports. *import*: the client's
library with all that an upload imports; *with import*: both. *process*: from start to end; those in an Airflow task
import Airflow too, which every task's process has loaded in any case, so it is in no other column. *peak*: resident
memory, and how far above that after the imports. *sink busy*: the share of the upload's time in which the server's one
thread was at work; near 100 %, it was the bottleneck."""


def table(comparison: Comparison) -> str:
    """Return the table with its legend, and with who was left out and why."""
    rows = [
        [client, comparison.checks[client], *(_cell(title, summary[name]) for title, name in _COLUMNS.items())]
        for client, summary in comparison.found.items()
    ]
    versions = f"Versions: {', '.join(dict.fromkeys(comparison.versions.values()))}."
    missing = [f"Left out: {client}: {reason}." for client, reason in comparison.left_out.items()]
    return "\n\n".join([markdown(["client", "checks", *_COLUMNS], rows), _LEGEND, versions, *missing])


def chart(conditions: str, figures: Mapping[str, Any]) -> bytes:
    """Return times of every client as bars, from the figures of a comparison."""
    found = figures["found"]
    title = f"{figures['size_bytes'] // MIB} MiB, {conditions} (less is better)"
    panels = [
        Panel("wall time past imports, s", [_bar(found[client]["wall_seconds"]) for client in found]),
        Panel("CPU past imports, s", [_bar(found[client]["cpu_seconds"]) for client in found]),
        Panel("CPU of the imports, s", [_bar(found[client]["library_import_cpu_seconds"]) for client in found]),
    ]
    return bars(title, list(found), panels, highlighted=(HOOK.name, OPERATOR.name))


def _bar(spread: Spread | Mapping[str, float]) -> Bar:
    return Bar(**spread) if isinstance(spread, Mapping) else Bar(spread.median, spread.lowest, spread.highest)


def _cell(title: str, spread: Spread) -> str:
    if title in _WITH_RANGE:
        return f"{spread.median:.2f} ({spread.lowest:.2f}-{spread.highest:.2f})"
    if title.endswith("MiB"):
        return f"{spread.median:.0f}" if spread.highest else "-"
    if title == "sink busy":
        return f"{spread.median:.0%}"
    return f"{spread.median:.2f}"
