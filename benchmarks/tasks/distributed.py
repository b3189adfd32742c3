"""
One object by four mapped tasks, on one, two and four workers that can send no faster each: what more machines bring.

A worker runs one task at a time, and a task sends by one connection, which the sink reads at a fixed rate: that rate is
the worker's network. All workers are on this machine, so a figure says something only while its processors have time
left; and only if the object takes one worker so long that beginning a task is little beside it. Else the row says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from benchmarks.rounds import BenchmarkError, Sink, running_sink
from benchmarks.sample import Sample, write_sample
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.tasks.airflow_connection import connection_json
from benchmarks.tasks.dags.mapped import DAG_ID, RANGES, SEND
from benchmarks.ways.spread import cell, spread
from tests.distributed.cluster import DistributedAirflow

_CHECKOUT: Final = Path(__file__).parents[2]
_DAGS: Final = Path(__file__).parent / "dags"
_SIZE_BYTES: Final = 256 * MIB
_BYTES_PER_SECOND: Final = 2e6
_WORKERS: Final = (1, 2, 4)
_MOST_BUSY: Final = 0.6
_LEAST_SECONDS: Final = 120.0
_TARGETS: Final = {2: 0.6, 4: 0.35}
"""Of the seconds of one worker: beginning tasks takes what is beyond a half and a quarter."""
_LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Sending:
    """One upload."""

    workers: int
    seconds: float
    """From the beginning of the first task that sends to the end of the last one."""
    busy: float
    """Which share of the time of all processors was used meanwhile, by whomever."""


def run(options: Options) -> Result:
    """Upload with one worker, then with two, then with four."""
    sample = write_sample(options.folder / "sample.bin", max(4 * MIB, round(_SIZE_BYTES * options.scale)))
    found = []
    with running_sink(bytes_per_second=_BYTES_PER_SECOND) as sink:
        for one in _sendings(options, sink, sample):
            print(f"  {one}", flush=True)
            found.append(one)
    return Result(
        "distributed",
        f"{sample.size_bytes // MIB} MiB as one object in {RANGES} ranges; CeleryExecutor; each worker sends "
        f"{_BYTES_PER_SECOND / 1e6:.0f} MB/s; from the beginning of the first task that sends to the end of the last; "
        f"medians (ranges) of {options.rounds} rounds",
        _table(found),
        {"bytes_per_second_and_worker": _BYTES_PER_SECOND, "sendings": [asdict(one) for one in found]},
        _verdicts(found),
    )


def _sendings(options: Options, sink: Sink, sample: Sample) -> Iterator[Sending]:
    environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(sink), "PYTHONPATH": str(_CHECKOUT)}
    with DistributedAirflow(options.folder / "airflow", _DAGS, environment, nodes=(), slots=1) as airflow:
        airflow.wait_for_dag(DAG_ID)
        for workers in _WORKERS:
            airflow.add_nodes(f"node-{number}" for number in range(len(airflow.nodes) + 1, workers + 1))
            for number in range(options.rounds):
                key = f"distributed-{workers}-{number}.bin"
                yield _send(airflow, workers, key, sample)
                sink.check(key, sample)


def _send(airflow: DistributedAirflow, workers: int, key: str, sample: Sample) -> Sending:
    run_id = airflow.trigger(DAG_ID, {"file_path": str(sample.path), "key": key})
    airflow.wait_for_running(DAG_ID, run_id, SEND, timeout=_LONGEST_SECONDS, map_index=0)
    psutil.cpu_percent()
    state = airflow.wait_for_run(DAG_ID, run_id, _LONGEST_SECONDS)
    busy = psutil.cpu_percent() / 100
    attempts = [one for index in range(RANGES) for one in airflow.attempts(DAG_ID, run_id, SEND, index)]
    begun = [one.start_date for one in attempts if one.start_date is not None]
    ended = [one.end_date for one in attempts if one.end_date is not None]
    if state != "success" or len(begun) != RANGES or len(ended) != RANGES:
        raise BenchmarkError(f"{workers} workers: {state} after {len(attempts)} attempts")
    return Sending(workers, (max(ended) - min(begun)).total_seconds(), busy)


def _is_measured(found: Sequence[Sending], workers: int) -> bool:
    """Whether the processors had time left, and one worker needs so long that it says something."""
    alone = median(one.seconds for one in found if one.workers == 1)
    return alone >= _LEAST_SECONDS and all(one.busy <= _MOST_BUSY for one in found if one.workers in (1, workers))


def _seconds(found: Sequence[Sending], workers: int) -> list[float]:
    return [one.seconds for one in found if one.workers == workers]


def _share(found: Sequence[Sending], workers: int) -> float:
    """Return which share of the time of one worker it took."""
    return median(_seconds(found, workers)) / median(_seconds(found, 1))


def _table(found: Sequence[Sending]) -> str:
    rows = [_row(found, workers) for workers in _WORKERS]
    return markdown(["workers", "seconds", "of one worker's", "processors busy"], rows)


def _row(found: Sequence[Sending], workers: int) -> list[str]:
    busy = f"{max(one.busy for one in found if one.workers == workers):.0%}"
    if not _is_measured(found, workers):
        return [str(workers), "not measurable here", "", busy]
    return [str(workers), cell(spread(_seconds(found, workers)), 1), f"{_share(found, workers):.2f}", busy]


def _verdicts(found: Sequence[Sending]) -> tuple[Verdict, ...]:
    return tuple(
        at_most(f"{workers} workers need of the seconds of one at most", _share(found, workers), target, "of it")
        for workers, target in _TARGETS.items()
        if _is_measured(found, workers)
    )
