"""How time, CPU and memory grow with the number of files, when a directory is cut into shards for mapped tasks."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.charts import Line, Plot, lines
from benchmarks.rounds import BenchmarkError
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.tables import markdown
from benchmarks.ways.ours import new_hook
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.spread import cell, spread

_COUNTS: Final = (1_000, 10_000, 100_000, 1_000_000)
_FILES_IN_A_FOLDER: Final = 1_000
_FILE_BYTES: Final = 10 * 1024
_SHARDS: Final = 8
_NO_ENDPOINT: Final = "http://127.0.0.1:9"
"""Planning asks OSS nothing."""

_MOST_MEMORY_GROWTH: Final = 1.05
_MEMORY_GROWTH_SLACK_MIB: Final = 4
_MOST_TIME_GROWTH: Final = 1.15
_MOST_OF_A_SHARE: Final = 1.05


def plan(directory: str) -> Callable[[], dict[str, Any]]:
    """Prepare to cut the directory, once all modules are loaded; it returns where the shards end."""
    hook = new_hook(_NO_ENDPOINT, None)
    with TemporaryDirectory() as empty:
        hook.plan_directory(empty)

    def work() -> dict[str, Any]:
        return {"ends": [shard["until"] for shard in hook.plan_directory(directory, shards=_SHARDS)]}

    return work


def run(options: Options) -> Result:
    """Let a directory grow, and cut it at each size."""
    directory = options.folder / "files"
    counts = [max(_SHARDS, round(count * options.scale)) for count in _COUNTS]
    found = []
    for there, count in pairwise((0, *counts)):
        _add_files(directory, range(there, count))
        found.append(_row(count, [_plan(directory, options) for _ in range(options.rounds)]))
    figures = {"shards": _SHARDS, "file_bytes": _FILE_BYTES, "by_files": found}
    return Result(
        "planning",
        f"a directory of files of 10 KiB, 1,000 in each folder, cut into {_SHARDS} shards; past the imports; medians "
        f"(ranges) of {options.rounds} rounds",
        _table(found),
        figures,
        _verdicts(found),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw memory and time against the number of files."""

    def line(label: str, measure: str) -> Line:
        return Line(label, [(row["files"] / 1000, row[measure]["median"]) for row in figures["by_files"]])

    return lines(
        f"What it takes to cut a directory into {figures['shards']} shards",
        [
            Plot("memory by files", "thousand files", "MiB over the imports", [line("peak memory", "peak_mib")]),
            Plot(
                "time by files",
                "thousand files",
                "s",
                [line("wall", "wall_seconds"), line("CPU", "cpu_seconds")],
                is_logarithmic=True,
            ),
        ],
    )


def _add_files(directory: Path, numbers: range) -> None:
    """Make these files, without blocks on the disk: what counts is their names and sizes."""
    for number in numbers:
        path = directory / _name(number)
        if number == numbers.start or number % _FILES_IN_A_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            os.truncate(file.fileno(), _FILE_BYTES)


def _name(number: int) -> str:
    folder, file = divmod(number, _FILES_IN_A_FOLDER)
    return f"{folder:06}/{file:03}.bin"


def _number(name: str) -> int:
    """Return which file it is: names are in the order of their numbers."""
    folder, file = name.removesuffix(".bin").split("/")
    return int(folder) * _FILES_IN_A_FOLDER + int(file)


def _plan(directory: Path, options: Options) -> Measured:
    return measure(Task("benchmarks.ways.planning:plan", {"directory": str(directory)}), options.folder)


def _row(count: int, runs: list[Measured]) -> dict[str, Any]:
    return {
        "files": count,
        **costs(runs),
        "cpu_us_per_file": spread(1e6 * each.usage.cpu_seconds / count for each in runs),
        "largest_share": _largest_share(count, {tuple(each.found["ends"]) for each in runs}),
    }


def _largest_share(count: int, plans: set[tuple[str | None, ...]]) -> float:
    """Return how large the largest shard is, compared with an equal one. Raises BenchmarkError for different plans."""
    if len(plans) != 1:
        raise BenchmarkError(f"the same {count} files gave {len(plans)} different plans")
    [ends] = plans
    numbers = [_number(end) for end in ends if end is not None]
    sizes = [until - after for after, until in pairwise((-1, *numbers, count - 1))]
    return max(sizes) * _SHARDS / count


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['files']:,}",
            cell(row["wall_seconds"]),
            cell(row["cpu_seconds"]),
            f"{row['cpu_us_per_file']['median']:.2f}",
            cell(row["peak_mib"], 1),
            f"{row['largest_share']:.3f}",
        ]
        for row in found
    ]
    return markdown(["files", "wall s", "CPU s", "CPU us a file", "+MiB", "largest shard / equal share"], rows)


def _verdicts(found: list[dict[str, Any]]) -> tuple[Verdict, ...]:
    *_, some, many = found
    from_to = f"at {many['files']:,} files at most {{}} that at {some['files']:,}"
    return (
        at_most(
            f"peak memory {from_to.format('1.05 times')} and 4 MiB",
            many["peak_mib"]["median"],
            _MOST_MEMORY_GROWTH * some["peak_mib"]["median"] + _MEMORY_GROWTH_SLACK_MIB,
            "MiB",
        ),
        at_most(
            f"CPU a file {from_to.format('1.15 times')}",
            many["cpu_us_per_file"]["median"] / some["cpu_us_per_file"]["median"],
            _MOST_TIME_GROWTH,
        ),
        at_most(
            f"the largest of {_SHARDS} shards of {many['files']:,} files at most 1.05 equal shares",
            many["largest_share"],
            _MOST_OF_A_SHARE,
        ),
    )
