"""
What a DAG file costs Airflow for having our operators in it, against EmptyOperator and the alibaba provider's.

Measured in both ways in which Airflow parses, and then what of it our operators can do something about: constructing
them, beside classes with the same arguments and template fields that are derived from BaseOperator alone, and
importing their module. *dag-processor*: the real one, which forks a process for every file, each
time that it looks at it; before it forks it imports what the file imports from ``airflow.``, and never again, so the
modules of other packages, ours included, are imported anew for each file. It is asked for the time that it records for
each file. *DagBag*: one process for all files, as ``airflow dags list`` and tests of DAGs have it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from benchmarks.charts import Bar, Panel, bars
from benchmarks.rounds import BenchmarkError
from benchmarks.suite import Options, Result, at_most
from benchmarks.tables import markdown
from benchmarks.tasks.dag_files import EMPTY, KINDS, OURS, Kind
from benchmarks.ways.processes import Task, measure
from benchmarks.ways.spread import cell, spread
from tests.support.airflow_home import DATABASE_NAME, airflow_environment, prepare_home
from tests.support.airflow_processes import AirflowProcesses
from tests.support.waiting import wait_until

_CHECKOUT: Final = Path(__file__).parents[2]
_FILES: Final = 100
_MOST: Final = 1.10
_LONGEST_SECONDS: Final = 600.0
_MEASURES: Final = {
    ("dag-processor", "ms"): "dag-processor: time",
    ("dag-processor", "cpu_ms"): "dag-processor: CPU",
    ("DagBag", "ms"): "DagBag: time",
    ("DagBag", "cpu_ms"): "DagBag: CPU",
}
"""Way of parsing and measure of it, with a title."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One folder of DAG files, parsed once: milliseconds for one file."""

    kind: str
    way: str
    ms: float
    cpu_ms: float


def run(options: Options) -> Result:
    """Parse the folders of all kinds in turn, round after round."""
    files = max(2, round(_FILES * options.scale))
    for kind in KINDS:
        kind.write(_dags(options.folder, kind), files)
    found: list[Parsed] = []
    for _ in range(options.rounds):
        for kind in KINDS:
            found += _round(kind, options.folder, files)
    figures = _figures(found) | {"ours": _ours(options)}
    return Result(
        "parse",
        f"{files} DAG files of ten tasks each: milliseconds for one file, medians (ranges) of the rounds",
        f"{_table(figures)}\n\n{_table_of_ours(figures['ours'])}",
        figures,
        (
            at_most(
                "constructing our operators: at most a tenth more CPU than bare ones with the same arguments",
                figures["ours"]["ratio"]["median"],
                _MOST,
            ),
        ),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Return bars: a row for each kind of operator, a panel for each way of parsing."""
    kinds = figures["kinds"]
    panels = [
        Panel(f"{title}, ms a file", [Bar(**kinds[kind][title]) for kind in kinds])
        for (_, measure), title in _MEASURES.items()
        if measure == "ms"
    ]
    return bars("Parsing DAG files of ten tasks", list(kinds), panels, [OURS.name])


def _dags(folder: Path, kind: Kind) -> Path:
    return folder / f"dags-{KINDS.index(kind)}"


def _round(kind: Kind, folder: Path, files: int) -> list[Parsed]:
    home = folder / "home"
    prepare_home(home)
    dags = _dags(folder, kind)
    # Compiled modules as an installation has them, whatever the calling environment says
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment = airflow_environment(home, dags, {"PYTHONPATH": str(_CHECKOUT), **compiled})
    found = [_processed(kind, home, environment, files), _bagged(kind, dags, environment, files)]
    shutil.rmtree(home)
    for each in found:
        print(f"  {each.way}, {each.kind}: {each.ms:.1f} ms a file, CPU {each.cpu_ms:.1f} ms", flush=True)
    return found


def _processed(kind: Kind, home: Path, environment: dict[str, str], files: int) -> Parsed:
    """Let a real dag-processor parse all files once. It records the time for each; its children's CPU is divided."""
    processes = AirflowProcesses(home, environment)
    try:
        component = processes.start("dag-processor", ["dag-processor"])
        seconds = wait_until(
            lambda: _recorded(home / DATABASE_NAME, files, processes),
            _LONGEST_SECONDS,
            f"{files} DAG files to be parsed",
            processes.tails,
        )
        used = psutil.Process(component.process.pid).cpu_times()
    finally:
        processes.stop()
    cpu_seconds = used.children_user + used.children_system
    return Parsed(kind.name, "dag-processor", median(seconds) * 1000, cpu_seconds / files * 1000)


def _recorded(database: Path, files: int, processes: AirflowProcesses) -> list[float] | None:
    """Return how many seconds each file took, None while some have not been parsed."""
    processes.check_alive()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        errors = connection.execute("SELECT stacktrace FROM import_error").fetchall()
        seconds = connection.execute("SELECT last_parse_duration FROM dag").fetchall()
    if errors:
        raise BenchmarkError(f"a DAG file does not import: {errors[0][0]}")
    known = [each for (each,) in seconds if each is not None]
    return known if len(known) == files else None


def _bagged(kind: Kind, dags: Path, environment: dict[str, str], files: int) -> Parsed:
    """Parse all files in one new process: they share what is imported."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tasks.dag_bag", str(dags)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(done.stderr)
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["dags"] != files:
        raise BenchmarkError(f"{answer['dags']} of {files} DAGs were parsed")
    return Parsed(kind.name, "DagBag", answer["seconds"] / files * 1000, answer["cpu_seconds"] / files * 1000)


def _figures(found: list[Parsed]) -> dict[str, Any]:
    kinds = {
        kind.name: {
            title: asdict(_bar([getattr(one, measure) for one in found if (one.kind, one.way) == (kind.name, way)]))
            for (way, measure), title in _MEASURES.items()
        }
        for kind in KINDS
    }
    return {"unit": "milliseconds per file", "kinds": kinds, "rounds": [asdict(each) for each in found]}


def _bar(values: list[float]) -> Bar:
    return Bar(median(values), min(values), max(values))


def _ratio(figures: dict[str, Any], kind: str, title: str) -> float:
    kinds = figures["kinds"]
    return float(kinds[kind][title]["median"] / kinds[EMPTY.name][title]["median"])


def _table(figures: dict[str, Any]) -> str:
    rows = []
    for kind, measured in figures["kinds"].items():
        cells = []
        for title in _MEASURES.values():
            bar = Bar(**measured[title])
            cells += [f"{bar.median:.1f} ({bar.lowest:.1f}-{bar.highest:.1f})", f"{_ratio(figures, kind, title):.2f}"]
        rows.append([kind, *cells])
    return markdown(["operators", *(head for title in _MEASURES.values() for head in (title, "x"))], rows)


def _ours(options: Options) -> dict[str, Any]:
    """Construct and import, each time in a process of its own; return microseconds a task, and milliseconds."""
    found: dict[str, list[float]] = {"bare_us": [], "ours_us": [], "ratio": [], "import_ms": []}
    for _ in range(options.rounds):
        for name, value in measure(Task("benchmarks.tasks.construct:constructing", {}), options.folder).found.items():
            found[name].append(value)
        imported = measure(Task("benchmarks.tasks.construct:importing", {}), options.folder)
        found["import_ms"].append(imported.usage.cpu_seconds * 1000)
    return {name: spread(values) for name, values in found.items()}


def _table_of_ours(figures: dict[str, Any]) -> str:
    header = ["constructing one task", "CPU, us", "x", "importing, CPU ms"]
    return markdown(
        header,
        [
            ["bare, with the same arguments", cell(figures["bare_us"], 0), "1.00", ""],
            [
                "airflow_provider_oss",
                cell(figures["ours_us"], 0),
                cell(figures["ratio"]),
                cell(figures["import_ms"], 1),
            ],
        ],
    )
