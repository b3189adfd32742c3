"""A slow network: whether the default parallelism fills the connections that it is allowed."""

from __future__ import annotations

from statistics import mean, median
from typing import Any, Final

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from benchmarks.rounds import Sink, running_sink
from benchmarks.sample import Sample, write_sample
from benchmarks.suite import Options, Result, at_least
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.instruments import first_part_seconds, forget_first_part
from benchmarks.ways.processes import Task, measure
from benchmarks.ways.spread import cell, spread

_SIZE_BYTES: Final = 1024 * MIB
LATENCY_SECONDS: Final = 0.030
BYTES_PER_SECOND: Final = 20e6
_TARGET: Final = 0.95

_LOSSES: Final = {
    "begin_seconds": "until the first byte of a part arrives: connecting, InitiateMultipartUpload",
    "between_parts_seconds": "between one part and the next of a connection: waiting for OSS's answer, reading",
    "tail_seconds": "connections that have nothing left to carry while the last parts are on their way, on average",
    "end_seconds": "after the last part: CompleteMultipartUpload",
}
"""
Where time goes that the connections would not need. Together with what they need, it is the wall time.

Less than nothing between parts: more connections than ``parallel`` had something to carry.
"""


def run(options: Options) -> Result:
    """Upload with the defaults; the kernel and the sink are the network."""
    size_bytes = max(64 * MIB, round(_SIZE_BYTES * options.scale))
    sample = write_sample(options.folder / "sample.bin", size_bytes)
    with running_sink(latency_seconds=LATENCY_SECONDS, bytes_per_second=BYTES_PER_SECOND) as sink:
        runs = [_upload(sink, sample, options, number) for number in range(options.rounds)]
    figures = {
        "size_bytes": size_bytes,
        "parallel": DEFAULT_PARALLEL,
        "round_trip_seconds": LATENCY_SECONDS,
        "bytes_per_second_and_connection": BYTES_PER_SECOND,
        **{name: spread(each[name] for each in runs) for name in runs[0]},
    }
    share = median(each["share"] for each in runs)
    return Result(
        "latency",
        f"{size_bytes // MIB} MiB over a round trip of {LATENCY_SECONDS * 1000:.0f} ms and "
        f"{BYTES_PER_SECOND / 1e6:.0f} MB/s a connection, all defaults ({DEFAULT_PARALLEL} connections); past the "
        f"imports; medians (ranges) of {options.rounds} rounds",
        _table(figures),
        figures,
        (at_least("share of what the connections can carry at least 0.95", share, _TARGET, "of it"),),
    )


def _upload(sink: Sink, sample: Sample, options: Options, number: int) -> dict[str, float]:
    key, store = f"latency-{number}.bin", options.folder / "checkpoint.json"
    forget_first_part(sink)
    task = Task(
        "benchmarks.ways.ours:upload",
        {"endpoint": sink.endpoint, "key": key, "path": str(sample.path), "store": str(store)},
    )
    measured = measure(task, options.folder)
    sink.check(key, sample)
    done: list[float] = measured.found["done_seconds"]
    wall = measured.usage.wall_seconds
    needed = sample.size_bytes / (DEFAULT_PARALLEL * BYTES_PER_SECOND)
    begin, end = first_part_seconds(sink) - measured.started_seconds, wall - done[-1]
    tail = mean(done[-1] - each for each in done[-DEFAULT_PARALLEL:])
    return {
        "share": needed / wall,
        "wall_seconds": wall,
        "needed_seconds": needed,
        "begin_seconds": begin,
        "between_parts_seconds": wall - needed - begin - tail - end,
        "tail_seconds": tail,
        "end_seconds": end,
        "cpu_seconds": measured.usage.cpu_seconds,
    }


def _table(figures: dict[str, Any]) -> str:
    rows = [
        ["wall time", cell(figures["wall_seconds"]), ""],
        ["of it needed by the connections", cell(figures["needed_seconds"]), cell(figures["share"], 3)],
    ]
    wall = figures["wall_seconds"]["median"]
    rows += [[text, cell(figures[name]), f"{figures[name]['median'] / wall:.3f}"] for name, text in _LOSSES.items()]
    return markdown(["", "seconds", "share"], rows)
