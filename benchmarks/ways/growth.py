"""How time, CPU and memory grow with the size of a file, and with the number of its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import count
from math import log2
from statistics import linear_regression
from typing import Any, Final

from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.limits import DEFAULT_PARALLEL, KIB
from benchmarks.charts import Line, Plot, lines
from benchmarks.rounds import Sink, running_sink
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.sparse import sparse_sample
from benchmarks.ways.spread import cell, spread

_GIB: Final = 1024 * MIB
_SIZES_BYTES: Final = (64 * MIB, 256 * MIB, 1 * _GIB, 4 * _GIB, 16 * _GIB)
_SMALL_PART_BYTES: Final = 100 * KIB
_PART_COUNTS: Final = (100, 1000, 10_000)
_HUGE_PART_BYTES: Final = MIB
_LEAST_BYTES: Final = 3 * MIB

_MOST_TIME_GROWTH: Final = 1.15
_MEMORY_SLACK_MIB: Final = 16
_MOST_MEMORY_GROWTH: Final = 1.05
_MEMORY_GROWTH_SLACK_MIB: Final = 4


@dataclass(frozen=True, slots=True)
class _Case:
    """An upload that is measured. ``part_size_bytes`` None: chosen by us."""

    size_bytes: int
    part_size_bytes: int | None = None

    @property
    def parts(self) -> int:
        return make_plan(self.size_bytes, self.part_size_bytes).count

    @property
    def part_bytes(self) -> int:
        return make_plan(self.size_bytes, self.part_size_bytes).part_size_bytes


def run(options: Options) -> Result:
    """Upload sparse files of growing size, then files in a growing number of small parts."""
    sizes = [_Case(max(_LEAST_BYTES, round(size * options.scale))) for size in _SIZES_BYTES]
    counts = [max(20, round(number * options.scale)) for number in _PART_COUNTS]
    parts = [_Case(number * _SMALL_PART_BYTES, _SMALL_PART_BYTES) for number in counts]
    huge = _Case(counts[-1] * _HUGE_PART_BYTES, _HUGE_PART_BYTES)
    cases = [*sizes, *parts, huge]
    with running_sink() as sink:
        numbers = count()
        rounds = [[_upload(sink, case, options, next(numbers)) for case in cases] for _ in range(options.rounds)]
    found = [_row(case, [each[index] for each in rounds]) for index, case in enumerate(cases)]
    figures: dict[str, Any] = {
        "parallel": DEFAULT_PARALLEL,
        "by_size": found[: len(sizes)],
        "by_parts": found[len(sizes) : -1],
        "huge": found[-1],
        "growth_exponents": _exponents(found[: len(sizes)]),
    }
    return Result(
        "growth",
        f"files of zeros that cost nothing to read, {DEFAULT_PARALLEL} parts at a time, CRC-64 on; the default part "
        f"size, then a given one; past the imports; medians (ranges) of {options.rounds} rounds",
        _table(found),
        figures,
        _verdicts(figures),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw time against size, memory against size, and time against the number of parts."""
    by_size, by_parts = figures["by_size"], figures["by_parts"]

    def points(rows: list[dict[str, Any]], across: str, unit: float, measure: str) -> list[tuple[float, float]]:
        return [(row[across] / unit, row[measure]["median"]) for row in rows]

    def seconds(rows: list[dict[str, Any]], across: str, unit: float) -> list[Line]:
        return [
            Line("wall", points(rows, across, unit, "wall_seconds")),
            Line("CPU", points(rows, across, unit, "cpu_seconds")),
        ]

    memory = Line("peak memory", points(by_size, "size_bytes", _GIB, "peak_mib"))
    return lines(
        "What an upload costs as it grows",
        [
            Plot("time by size", "GiB", "s", seconds(by_size, "size_bytes", _GIB), is_logarithmic=True),
            Plot("memory by size", "GiB", "MiB over the imports", [memory]),
            Plot("time by parts of 100 KiB", "parts", "s", seconds(by_parts, "parts", 1), is_logarithmic=True),
        ],
    )


def _upload(sink: Sink, case: _Case, options: Options, number: int) -> Measured:
    key = f"growth-{number}.bin"
    with sparse_sample(options.folder, case.size_bytes) as sample:
        task = Task(
            "benchmarks.ways.ours:upload",
            {
                "endpoint": sink.endpoint,
                "key": key,
                "path": str(sample.path),
                "store": str(options.folder / "checkpoint.json"),
                "part_size_bytes": case.part_size_bytes,
            },
        )
        measured = measure(task, options.folder)
        sink.check(key, sample)
    return measured


def _row(case: _Case, runs: list[Measured]) -> dict[str, Any]:
    return {
        **asdict(case),
        "part_bytes": case.part_bytes,
        "parts": case.parts,
        **costs(runs),
        "wall_seconds_per_gib": spread(each.usage.wall_seconds * _GIB / case.size_bytes for each in runs),
        "cpu_seconds_per_gib": spread(each.usage.cpu_seconds * _GIB / case.size_bytes for each in runs),
        "cpu_ms_per_part": spread(each.usage.cpu_seconds * 1000 / case.parts for each in runs),
    }


def _exponents(by_size: list[dict[str, Any]]) -> dict[str, float]:
    """Return by least squares the power of the size that time grows with: 1 is in proportion."""
    sizes = [log2(row["size_bytes"]) for row in by_size]
    return {
        name: linear_regression(sizes, [log2(row[name]["median"]) for row in by_size]).slope
        for name in ("wall_seconds", "cpu_seconds")
    }


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['size_bytes'] / MIB:.0f} MiB, {row['parts']} x {row['part_bytes'] / KIB:.0f} KiB",
            cell(row["wall_seconds"]),
            cell(row["cpu_seconds"]),
            f"{row['wall_seconds_per_gib']['median']:.2f}",
            f"{row['cpu_seconds_per_gib']['median']:.2f}",
            f"{row['cpu_ms_per_part']['median']:.2f}",
            cell(row["peak_mib"], 1),
        ]
        for row in found
    ]
    return markdown(["upload", "wall s", "CPU s", "wall s/GiB", "CPU s/GiB", "CPU ms a part", "+MiB"], rows)


def _verdicts(figures: dict[str, Any]) -> tuple[Verdict, ...]:
    _, small, middle, _, large = figures["by_size"]
    few, _, many = figures["by_parts"]
    huge = figures["huge"]
    is_comparable = small["part_bytes"] == large["part_bytes"] and small["parts"] > DEFAULT_PARALLEL
    verdicts = [
        *(
            at_most(
                f"peak memory at {row['parts']} parts of {row['part_bytes'] // MIB} MiB at most "
                f"{DEFAULT_PARALLEL + 1} parts and 16 MiB over the imports",
                row["peak_mib"]["median"],
                (DEFAULT_PARALLEL + 1) * row["part_bytes"] / MIB + _MEMORY_SLACK_MIB,
                "MiB",
            )
            for row in (large, huge)
        ),
        *(
            at_most(
                f"{what} a GiB at {_size(large)} at most 1.15 times that at {_size(middle)}",
                large[measure]["median"] / middle[measure]["median"],
                _MOST_TIME_GROWTH,
            )
            for what, measure in (("wall time", "wall_seconds_per_gib"), ("CPU", "cpu_seconds_per_gib"))
        ),
        at_most(
            f"CPU a part of 100 KiB at {many['parts']} parts at most 1.15 times that at {few['parts']}",
            many["cpu_ms_per_part"]["median"] / few["cpu_ms_per_part"]["median"],
            _MOST_TIME_GROWTH,
        ),
    ]
    if is_comparable:
        claim = f"peak memory at {_size(large)} at most 1.05 times that at {_size(small)} and 4 MiB"
        allowed = _MOST_MEMORY_GROWTH * small["peak_mib"]["median"] + _MEMORY_GROWTH_SLACK_MIB
        verdicts.append(at_most(claim, large["peak_mib"]["median"], allowed, "MiB"))
    return tuple(verdicts)


def _size(row: dict[str, Any]) -> str:
    mib = row["size_bytes"] / MIB
    return f"{mib / 1024:.0f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"  # noqa: PLR2004 - MiB in a GiB
