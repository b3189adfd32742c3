"""What is compared, and how much of the time before it may take afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_oss.limits import DEFAULT_PARALLEL
from benchmarks.rounds import BenchmarkError
from benchmarks.versus.stage import CPU, GIB, MEMORY, WALL, Figures, Stage
from benchmarks.versus.targets import Target, at_least, at_most, at_most_of_before
from benchmarks.ways.files import check_files
from benchmarks.ways.latency import BYTES_PER_SECOND
from benchmarks.ways.sparse import sparse_sample

_HEADS: Final = 5000
_LARGE_BYTES: Final = 16 * GIB

PER_HEAD: Final = "CPU us a HEAD"
TO_FILE: Final = "CPU / CPU of a file"
GROWTH: Final = "CPU a GiB / at 1 GiB"
PER_TASK: Final = "CPU us a task"
TO_BARE: Final = "CPU / CPU of a bare one"
SHARE: Final = "share of the link"


@dataclass(frozen=True, slots=True)
class Row:
    """A work, measured once by ``run``, and what is claimed of its measures; None claims nothing."""

    title: str
    run: Callable[[Stage], Figures]
    targets: Mapping[str, Target | None]
    network: str = "http"
    """Or "https", or "slow": http with the round trip and the rate of the latency suite."""


def _upload(stage: Stage) -> Figures:
    sample = stage.samples.gibibyte
    return stage.send(sample, "upload", path=str(sample.path))


def _upload_while_computing(stage: Stage) -> Figures:
    sample = stage.samples.quarter
    return stage.send(sample, "upload_while_computing", path=str(sample.path))


def _latency(stage: Stage) -> Figures:
    sample, figures = stage.samples.gibibyte, _upload(stage)
    return figures | {SHARE: sample.size_bytes / (DEFAULT_PARALLEL * BYTES_PER_SECOND) / figures[WALL]}


def _growth(stage: Stage, congestion: str | None = None) -> Figures:
    sizes = [stage.samples.bytes_of(size) for size in (GIB, _LARGE_BYTES)]
    small, large = (_upload_sparse(stage, size, congestion) for size in sizes)
    return large | {GROWTH: (large[CPU] / sizes[1]) / (small[CPU] / sizes[0])}


def _growth_by_reno(stage: Stage) -> Figures:
    """Keep out what BBR costs: it sends by timers once it has found a rate, which is after the first GiB or so."""
    return _growth(stage, "reno")


def _stream(stage: Stage) -> Figures:
    of_file, of_stream = _upload(stage), _send_zeros(stage, "upload_stream")
    return of_stream | {TO_FILE: of_stream[CPU] / of_file[CPU]}


def _put_stream(stage: Stage) -> Figures:
    return _send_zeros(stage, "put_stream")


def _upload_sparse(stage: Stage, size_bytes: int, congestion: str | None = None) -> Figures:
    with sparse_sample(stage.folder, size_bytes) as sample:
        return stage.send(sample, "upload", path=str(sample.path), congestion=congestion)


def _send_zeros(stage: Stage, work: str) -> Figures:
    with sparse_sample(stage.folder, stage.samples.bytes_of(GIB)) as sample:
        return stage.send(sample, work, size_bytes=sample.size_bytes)


def _small_files(work: str) -> Callable[[Stage], Figures]:
    def run(stage: Stage) -> Figures:
        prefix, samples = stage.name(), stage.samples.small
        figures = stage.do(work, prefix=prefix, folder=str(samples[0].path.parent))
        check_files(stage.sink, prefix, samples)
        return figures

    return run


def _download(stage: Stage) -> Figures:
    key = stage.name()
    with sparse_sample(stage.folder, stage.samples.bytes_of(GIB)) as sample:
        stage.sink.put(key, sample)
        arrived = Path(f"{sample.path}.arrived")
        try:
            figures = stage.do("download", key=key, path=str(arrived))
            if arrived.stat().st_size != sample.size_bytes:
                raise BenchmarkError(f"{arrived.stat().st_size} bytes arrived of {sample.size_bytes}")
        finally:
            arrived.unlink(missing_ok=True)
    return figures


def _heads(stage: Stage) -> Figures:
    count = max(100, round(_HEADS * stage.samples.scale))
    figures = stage.do("heads", count=count)
    return figures | {PER_HEAD: 1e6 * figures[CPU] / count}


def _find(stage: Stage) -> Figures:
    return stage.do("find")


def _construct(stage: Stage) -> Figures:
    figures = stage.do("construct")
    return figures | {PER_TASK: figures["ours_us"], TO_BARE: figures["ratio"]}


def _import(stage: Stage) -> Figures:
    return stage.do("import_operators")


_SAME: Final = at_most_of_before(1.0)
_SAME_MEMORY: Final = at_most_of_before(1.0, allowance=1.0)
"""A MiB is what allocators differ by."""

ROWS: Final = {
    "upload": Row("1 GiB file, http", _upload, {CPU: _SAME, WALL: _SAME, MEMORY: _SAME_MEMORY}),
    "upload-https": Row(
        "1 GiB file, https", _upload, {CPU: at_most_of_before(0.85), WALL: _SAME, MEMORY: _SAME_MEMORY}, "https"
    ),
    "busy": Row("256 MiB while a thread computes, http", _upload_while_computing, {WALL: at_most_of_before(0.5)}),
    "busy-https": Row(
        "256 MiB while a thread computes, https", _upload_while_computing, {WALL: at_most_of_before(0.5)}, "https"
    ),
    "files": Row(
        "10,000 files of 10 KiB",
        _small_files("upload_files"),
        {CPU: at_most_of_before(0.75), WALL: None, MEMORY: _SAME_MEMORY},
    ),
    "directory": Row(
        "the same as a directory",
        _small_files("upload_directory"),
        {CPU: at_most_of_before(0.75), WALL: None, MEMORY: _SAME_MEMORY},
    ),
    "head": Row("HEAD, http", _heads, {PER_HEAD: at_most_of_before(0.75)}),
    "head-https": Row("HEAD, https", _heads, {PER_HEAD: at_most_of_before(0.75)}, "https"),
    "find": Row("first list of a process", _find, {CPU: at_most_of_before(0.5), WALL: None, MEMORY: _SAME_MEMORY}),
    "construct": Row("tasks of a DAG file", _construct, {TO_BARE: at_most(1.1), PER_TASK: _SAME}),
    "import": Row("import of the operators", _import, {CPU: _SAME, WALL: None, MEMORY: _SAME_MEMORY}),
    "stream": Row("1 GiB stream", _stream, {TO_FILE: at_most(1.2), CPU: None, WALL: None, MEMORY: _SAME_MEMORY}),
    "put_stream": Row("1 GiB put_stream, http", _put_stream, {CPU: _SAME, WALL: None, MEMORY: _SAME_MEMORY}),
    "put_stream-https": Row(
        "1 GiB put_stream, https", _put_stream, {CPU: _SAME, WALL: None, MEMORY: _SAME_MEMORY}, "https"
    ),
    "download": Row("1 GiB download, http", _download, {CPU: _SAME, WALL: None, MEMORY: _SAME_MEMORY}),
    "download-https": Row("1 GiB download, https", _download, {CPU: _SAME, WALL: None, MEMORY: _SAME_MEMORY}, "https"),
    "latency": Row("1 GiB, 30 ms, 20 MB/s a connection", _latency, {SHARE: at_least(0.95)}, "slow"),
    "growth": Row("16 GiB of zeros", _growth, {GROWTH: at_most(1.15), MEMORY: _SAME_MEMORY}),
    "growth-reno": Row("16 GiB of zeros, TCP Reno", _growth_by_reno, {GROWTH: at_most(1.15), CPU: None}),
}
"""By the names that the command line takes. Sizes are those at scale 1."""
