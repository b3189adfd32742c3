"""A resumed upload: how fast stored parts are verified, and how soon the first missing byte is on its way."""

from __future__ import annotations

import os
from typing import Any, Final

from benchmarks.rounds import Sink, running_sink
from benchmarks.sample import Sample, write_sample
from benchmarks.suite import Options, Result, Verdict, at_least, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.instruments import first_part_seconds, forget_first_part, lose_part
from benchmarks.ways.processes import Measured, Task, measure
from benchmarks.ways.sparse import sparse_sample
from benchmarks.ways.spread import cell, spread

_VERIFIED_BYTES: Final = 2048 * MIB
_HALF_DONE_BYTES: Final = 10 * 1024 * MIB
_LEAST_BYTES: Final = 64 * MIB
_LOST_PART: Final = 3


def run(options: Options) -> Result:
    """Interrupt uploads, and measure the attempts after them."""
    verified = write_sample(options.folder / "verified.bin", max(_LEAST_BYTES, round(_VERIFIED_BYTES * options.scale)))
    half_done_bytes = max(_LEAST_BYTES, round(_HALF_DONE_BYTES * options.scale))
    with running_sink() as sink, sparse_sample(options.folder, half_done_bytes) as half_done:
        cores = _split_processors(sink)
        verifying = [_verify(sink, verified, options, number, cores) for number in range(options.rounds)]
        firsts = _first_bytes(sink, half_done, options)
    figures = {
        "verified_file_bytes": verified.size_bytes,
        "half_done_file_bytes": half_done.size_bytes,
        "verified_gb_per_second": spread(each["gb_per_second"] for each in verifying),
        "verified_gb_per_cpu_second": spread(each["gb_per_cpu_second"] for each in verifying),
        "first_new_byte_seconds": spread(firsts),
    }
    return Result(
        "resume",
        f"resuming an upload of {verified.size_bytes // MIB} MiB in the page cache with one part missing, on one core; "
        f"and of {half_done.size_bytes // MIB} MiB half done; past the imports; medians (ranges) of {options.rounds} "
        "rounds",
        _table(figures),
        figures,
        _verdicts(figures),
    )


def _split_processors(sink: Sink) -> tuple[int, ...]:
    """Return the one core that the client gets, and keep the sink off it; none where the system cannot."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        sink.process.cpu_affinity(others)
    return (first,)


def _verify(sink: Sink, sample: Sample, options: Options, number: int, cores: tuple[int, ...]) -> dict[str, float]:
    """Store all parts but one, then measure the attempt that verifies them and sends that one."""
    key = f"verified-{number}.bin"
    interrupted = _attempt(sink, sample, options, key, until=1.0)
    lose_part(sink, key, interrupted.found["upload_id"], _LOST_PART)
    resumed = _attempt(sink, sample, options, key, cores=cores)
    sink.check(key, sample)
    verified_gb = resumed.found["bytes_verified"] / 1e9
    return {
        "gb_per_second": verified_gb / resumed.usage.wall_seconds,
        "gb_per_cpu_second": verified_gb / resumed.usage.cpu_seconds,
    }


def _first_bytes(sink: Sink, sample: Sample, options: Options) -> list[float]:
    """Store one half; return how long each of some attempts takes to the first byte of a new part. The last ends it."""
    key = "half.bin"
    _attempt(sink, sample, options, key, until=0.5)
    seconds = []
    for number in range(options.rounds):
        forget_first_part(sink)
        is_last = number == options.rounds - 1
        attempt = _attempt(sink, sample, options, key, until=None if is_last else 0.0)
        seconds.append(first_part_seconds(sink) - attempt.started_seconds)
    sink.check(key, sample)
    return seconds


def _attempt(
    sink: Sink,
    sample: Sample,
    options: Options,
    key: str,
    *,
    until: float | None = None,
    cores: tuple[int, ...] = (),
) -> Measured:
    arguments: dict[str, Any] = {
        "endpoint": sink.endpoint,
        "key": key,
        "path": str(sample.path),
        "store": str(options.folder / f"{key}.checkpoint.json"),
        "until": until,
    }
    return measure(Task("benchmarks.ways.ours:upload", arguments, cores), options.folder)


def _table(figures: dict[str, Any]) -> str:
    return markdown(
        ["", "median (range)"],
        [
            ["verified, GB/s of wall time on one core", cell(figures["verified_gb_per_second"])],
            ["verified, GB/s of CPU time", cell(figures["verified_gb_per_cpu_second"])],
            ["first new byte at the server after, s", cell(figures["first_new_byte_seconds"], 3)],
        ],
    )


def _verdicts(figures: dict[str, Any]) -> tuple[Verdict, ...]:
    return (
        at_least(
            "stored parts are verified at 2 GB/s or more on one core",
            figures["verified_gb_per_second"]["median"],
            2.0,
            "GB/s",
        ),
        at_most(
            f"the first new part of a half done upload of {figures['half_done_file_bytes'] / 2**30:.0f} GiB leaves "
            "within 1 s",
            figures["first_new_byte_seconds"]["median"],
            1.0,
            "s",
        ),
    )
