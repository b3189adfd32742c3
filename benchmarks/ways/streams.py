"""Streams of unknown length: what they cost beside a file of the same bytes, and how much of them is in memory."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

from airflow_provider_oss.engine.plan import GrowingPlan, make_plan
from airflow_provider_oss.engine.stream_parts import MOST_IN_MEMORY_BYTES
from airflow_provider_oss.limits import DEFAULT_PARALLEL
from benchmarks.rounds import Sink, running_sink
from benchmarks.sample import Sample
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.sparse import crc64_of_zeros, sparse_sample
from benchmarks.ways.spread import cell, spread

_GIB: Final = 1024 * MIB
_SIZES_BYTES: Final = (256 * MIB, 1 * _GIB, 4 * _GIB, 16 * _GIB)
_MEMORY_SLACK_MIB: Final = 32


def run(options: Options) -> Result:
    """Upload zeros of growing length, as a stream and as a file."""
    sizes = [max(20 * MIB, round(size * options.scale)) for size in _SIZES_BYTES]
    with running_sink() as sink:
        numbers = count()
        rounds = [
            [(_stream(sink, size, options, next(numbers)), _file(sink, size, options, next(numbers))) for size in sizes]
            for _ in range(options.rounds)
        ]
    found = [_row(size, [each[index] for each in rounds]) for index, size in enumerate(sizes)]
    return Result(
        "streams",
        f"streams of zeros of unknown length, {DEFAULT_PARALLEL} parts at a time, all defaults, beside files of the "
        f"same bytes; past the imports; medians (ranges) of {options.rounds} rounds",
        _table(found),
        {"parallel": DEFAULT_PARALLEL, "by_size": found},
        tuple(_verdict(row) for row in found),
    )


def _stream(sink: Sink, size_bytes: int, options: Options, number: int) -> Measured:
    key, store = f"stream-{number}.bin", options.folder / "checkpoint.json"
    arguments = {"endpoint": sink.endpoint, "key": key, "size_bytes": size_bytes, "store": str(store)}
    measured = measure(Task("benchmarks.ways.ours:upload_stream", arguments), options.folder)
    sink.check(key, Sample(Path(key), size_bytes, crc64_of_zeros(size_bytes)))
    return measured


def _file(sink: Sink, size_bytes: int, options: Options, number: int) -> Measured:
    key, store = f"file-{number}.bin", options.folder / "checkpoint.json"
    with sparse_sample(options.folder, size_bytes) as sample:
        arguments = {"endpoint": sink.endpoint, "key": key, "path": str(sample.path), "store": str(store)}
        measured = measure(Task("benchmarks.ways.ours:upload", arguments), options.folder)
        sink.check(key, sample)
    return measured


def _row(size_bytes: int, runs: list[tuple[Measured, Measured]]) -> dict[str, Any]:
    streams, files = zip(*runs, strict=True)
    return {
        "size_bytes": size_bytes,
        "largest_part_bytes": _largest_part_bytes(size_bytes),
        **costs(streams),
        "file_wall_seconds": spread(each.usage.wall_seconds for each in files),
        "file_cpu_seconds": spread(each.usage.cpu_seconds for each in files),
        "file_peak_mib": median(each.peak_bytes / MIB for each in files),
    }


def _largest_part_bytes(size_bytes: int) -> int:
    """Return the size of the part in which the stream ends, were it whole."""
    plan = make_plan(None)
    assert isinstance(plan, GrowingPlan)
    return next(part.size_bytes for part in plan if part.offset_bytes + part.size_bytes >= size_bytes)


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['size_bytes'] / MIB:.0f} MiB, parts up to {row['largest_part_bytes'] / MIB:.1f} MiB",
            cell(row["wall_seconds"]),
            cell(row["file_wall_seconds"]),
            cell(row["cpu_seconds"]),
            cell(row["file_cpu_seconds"]),
            cell(row["peak_mib"], 1),
            f"{row['file_peak_mib']:.1f}",
        ]
        for row in found
    ]
    return markdown(["stream", "wall s", "of a file", "CPU s", "of a file", "+MiB", "of a file"], rows)


def _verdict(row: dict[str, Any]) -> Verdict:
    part_mib = min(row["largest_part_bytes"], MOST_IN_MEMORY_BYTES) / MIB
    return at_most(
        f"peak memory of a stream of {row['size_bytes'] / MIB:.0f} MiB at most {DEFAULT_PARALLEL + 1} parts of "
        f"{part_mib:.1f} MiB and {_MEMORY_SLACK_MIB} MiB over the imports",
        row["peak_mib"]["median"],
        (DEFAULT_PARALLEL + 1) * part_mib + _MEMORY_SLACK_MIB,
        "MiB",
    )
