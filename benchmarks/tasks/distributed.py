"""
One object, and one directory, by four mapped tasks on one, two and four workers that can send no faster each.

What more machines bring, and what the mapping costs: the operator that does it alone stands beside it. A worker runs
one task at a time, and a task sends by one connection, which the sink reads at a fixed rate: that rate is the worker's
network. All workers are on this machine, so a figure says something only while its processors have time left; and only
if one worker needs so long that beginning a task is little beside it. Else the row says so.
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
from benchmarks.tasks.dags.mapped import TASKS
from benchmarks.ways.spread import cell, spread
from tests.distributed.cluster import DistributedAirflow

_CHECKOUT: Final = Path(__file__).parents[2]
_DAGS: Final = Path(__file__).parent / "dags"
_SIZE_BYTES: Final = 256 * MIB
_FILES: Final = 64
_BYTES_PER_SECOND: Final = 2e6
_WORKERS: Final = (1, 2, 4)
_ALONE: Final = 0
"""Instead of a number of workers: one task without mapping, which one worker runs."""
_MOST_BUSY: Final = 0.6
_LEAST_SECONDS: Final = 120.0
_TIMES_AS_FAST: Final = {2: 1.8, 4: 3.3}
"""At least, as one worker: what is missing to 2 and 4 is beginning tasks."""
_MOST_SECONDS_A_TASK: Final = 5.0
"""How long Airflow may take for each task that is mapped, beyond sending."""
_LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Source:
    """What is sent, and what is to arrive of it."""

    dag_id: str
    path: Path
    arriving: dict[str, Sample]
    """By what stands behind the prefix."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One of them, sent."""

    what: str
    workers: int
    seconds: float
    """From the beginning of the first task that sends to the end of the last one."""
    busy: float
    """Which share of the time of all processors was used meanwhile, by whomever."""


def run(options: Options) -> Result:
    """Send each with one worker, alone and mapped, then with two, then with four."""
    sources = _sources(options.folder, options.scale)
    found = []
    with running_sink(bytes_per_second=_BYTES_PER_SECOND) as sink:
        for one in _sendings(options, sink, sources):
            print(f"  {one}", flush=True)
            found.append(one)
    return Result(
        "distributed",
        f"{round(_SIZE_BYTES * options.scale) // MIB} MiB, as one object and as {_FILES} files, by {TASKS} mapped "
        f"tasks; CeleryExecutor; each worker sends {_BYTES_PER_SECOND / 1e6:.0f} MB/s; from the beginning of the first "
        f"task that sends to the end of the last; medians (ranges) of {options.rounds} rounds",
        _table(sources, found),
        {"bytes_per_second_and_worker": _BYTES_PER_SECOND, "sendings": [asdict(one) for one in found]},
        tuple(verdict for source in sources for verdict in _verdicts(_of(source, found))),
    )


def _sources(folder: Path, scale: float) -> tuple[Source, ...]:
    size_bytes = round(_SIZE_BYTES * scale)
    directory = folder / "directory"
    directory.mkdir()
    names = [f"{number:04d}.bin" for number in range(_FILES)]
    return (
        Source("object", folder / "object", {"": write_sample(folder / "object", size_bytes)}),
        Source(
            "directory",
            directory,
            {f"/{name}": write_sample(directory / name, size_bytes // _FILES) for name in names},
        ),
    )


def _sendings(options: Options, sink: Sink, sources: Sequence[Source]) -> Iterator[Sending]:
    environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(sink), "PYTHONPATH": str(_CHECKOUT)}
    with DistributedAirflow(options.folder / "airflow", _DAGS, environment, nodes=(), slots=1) as airflow:
        for source in sources:
            airflow.wait_for_dag(source.dag_id)
        for workers in (_ALONE, *_WORKERS):
            airflow.add_nodes(f"node-{number}" for number in range(len(airflow.nodes) + 1, max(1, workers) + 1))
            for number in range(options.rounds):
                for source in sources:
                    key = f"{source.dag_id}-{workers}-{number}"
                    yield _send(airflow, source, workers, key)
                    for name, sample in source.arriving.items():
                        sink.check(f"{key}{name}", sample)


def _send(airflow: DistributedAirflow, source: Source, workers: int, key: str) -> Sending:
    dag_id, task_id, indexes = (
        (f"{source.dag_id}_alone", "all", [-1]) if workers == _ALONE else (source.dag_id, "all.send", range(TASKS))
    )
    run_id = airflow.trigger(dag_id, {"path": str(source.path), "key": key})
    airflow.wait_for_running(dag_id, run_id, task_id, timeout=_LONGEST_SECONDS, map_index=indexes[0])
    psutil.cpu_percent()
    state = airflow.wait_for_run(dag_id, run_id, _LONGEST_SECONDS)
    busy = psutil.cpu_percent() / 100
    attempts = [one for index in indexes for one in airflow.attempts(dag_id, run_id, task_id, index)]
    begun = [one.start_date for one in attempts if one.start_date is not None]
    ended = [one.end_date for one in attempts if one.end_date is not None]
    if state != "success" or len(begun) != len(indexes) or len(ended) != len(indexes):
        raise BenchmarkError(f"{key}: {state} after {len(attempts)} attempts")
    return Sending(source.dag_id, workers, (max(ended) - min(begun)).total_seconds(), busy)


def _of(source: Source, found: Sequence[Sending]) -> list[Sending]:
    return [one for one in found if one.what == source.dag_id]


def _is_measured(found: Sequence[Sending], workers: int) -> bool:
    """Whether the processors had time left, and one worker needs so long that it says something."""
    is_long = median(_seconds(found, 1)) >= _LEAST_SECONDS
    return is_long and all(one.busy <= _MOST_BUSY for one in found if one.workers in (1, workers))


def _seconds(found: Sequence[Sending], workers: int) -> list[float]:
    return [one.seconds for one in found if one.workers == workers]


def _share(found: Sequence[Sending], workers: int) -> float:
    """Return which share of the time of one worker it took."""
    return median(_seconds(found, workers)) / median(_seconds(found, 1))


def _table(sources: Sequence[Source], found: Sequence[Sending]) -> str:
    rows = [
        [source.dag_id, *_row(_of(source, found), workers)] for source in sources for workers in (_ALONE, *_WORKERS)
    ]
    return markdown(["what", "workers", "seconds", "of one worker's", "processors busy"], rows)


def _row(found: Sequence[Sending], workers: int) -> list[str]:
    name = "1, one task" if workers == _ALONE else str(workers)
    busy = f"{max(one.busy for one in found if one.workers == workers):.0%}"
    if not _is_measured(found, workers):
        return [name, "not measurable here", "", busy]
    return [name, cell(spread(_seconds(found, workers)), 1), f"{_share(found, workers):.2f}", busy]


def _verdicts(found: Sequence[Sending]) -> Iterator[Verdict]:
    what = found[0].what
    for workers, times in _TIMES_AS_FAST.items():
        if _is_measured(found, workers):
            yield at_most(
                f"{what}: {workers} workers need of the seconds of one", _share(found, workers), 1 / times, "of it"
            )
    if _is_measured(found, _ALONE):
        beyond = median(_seconds(found, 1)) - median(_seconds(found, _ALONE))
        yield at_most(f"{what}: one worker's {TASKS} tasks, beyond one task", beyond, TASKS * _MOST_SECONDS_A_TASK, "s")
