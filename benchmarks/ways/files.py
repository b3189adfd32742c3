"""Many small files through one client, each stored as an object: by a thread pool, and by our own ``upload_files``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastcrc import crc64

from benchmarks.charts import Bar, Panel, bars
from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.clients.rclone import rclone_command
from benchmarks.rounds import BUCKET, Sink, running_sink
from benchmarks.sample import Sample
from benchmarks.suite import Options, Result, Verdict, at_least
from benchmarks.tables import markdown
from benchmarks.ways.ours import warm_hook
from benchmarks.ways.processes import Measured, Task, measure
from benchmarks.ways.spread import cell, spread

_COUNT: Final = 10_000
_FILE_BYTES: Final = 10 * 1024
_THREADS: Final = 8
CHECKED: Final = 50
"""So many objects, all over the folder, are compared with their files after each run."""

StoreAll = Callable[[list[tuple[str, str]], int], None]
"""Stores each file (second) as the object (first), so many at a time."""


def _ours(endpoint: str) -> StoreAll:
    hook = warm_hook(endpoint)

    def store_all(files: list[tuple[str, str]], parallel: int) -> None:
        for outcome in hook.upload_files(files, parallel=parallel):
            if outcome.error is not None:
                raise outcome.error

    return store_all


def _by_threads(put: Callable[[str, str], object]) -> StoreAll:
    def store_all(files: list[tuple[str, str]], threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda file: put(*file), files):
                pass

    return store_all


def _ours_by_threads(endpoint: str) -> StoreAll:
    return _by_threads(warm_hook(endpoint).upload_file)


def _oss2(endpoint: str) -> StoreAll:
    import oss2

    def bucket() -> Any:
        provider = oss2.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
        return oss2.Bucket(oss2.ProviderAuthV4(provider), endpoint, BUCKET, region=REGION, enable_crc=True)

    bucket().put_object("warm", b"warm")
    return _by_threads(bucket().put_object_from_file)


def _v2(endpoint: str) -> StoreAll:
    import alibabacloud_oss_v2 as oss

    def client() -> Any:
        config = oss.config.load_default()
        config.credentials_provider = oss.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
        config.region = REGION
        config.endpoint = endpoint
        return oss.Client(config)

    def put(key: str, path: str) -> object:
        return ready.put_object_from_file(oss.PutObjectRequest(bucket=BUCKET, key=key), path)

    client().put_object(oss.PutObjectRequest(bucket=BUCKET, key="warm", body=b"warm"))
    ready = client()
    return _by_threads(put)


def _rclone(endpoint: str) -> StoreAll:
    command = rclone_command(endpoint)  # which fetches it, if need be

    def store_all(files: list[tuple[str, str]], parallel: int) -> None:
        key, path = files[0]
        folders = [str(Path(path).parent), f":s3:{BUCKET}/{key.rpartition('/')[0]}"]
        subprocess.run([*command, "copy", *folders, f"--transfers={parallel}"], check=True)

    return store_all


_WAYS: Final = {"ours": _ours, "ours by threads": _ours_by_threads, "oss2": _oss2, "v2": _v2, "rclone": _rclone}


@dataclass(frozen=True, slots=True)
class _Client:
    label: str
    way: str
    threads: int = _THREADS


_OURS: Final = "airflow_provider_oss upload_files"
_OURS_BY_THREADS: Final = "airflow_provider_oss upload_file"
_OSS2: Final = "oss2 Bucket"
_V2: Final = "alibabacloud-oss-v2 Client"
_V2_ONE: Final = "alibabacloud-oss-v2 Client, 1 thread"
_RCLONE: Final = "rclone copy (S3 dialect)"
_CLIENTS: Final = (
    _Client(_OURS, "ours"),
    _Client(_OURS_BY_THREADS, "ours by threads"),
    _Client(_OSS2, "oss2"),
    _Client(_V2, "v2"),
    _Client(_V2_ONE, "v2", threads=1),
    _Client(_RCLONE, "rclone"),
)


def store_all(endpoint: str, way: str, folder: str, prefix: str, parallel: int) -> Callable[[], dict[str, Any]]:
    """Prepare to store every file of the folder, ``parallel`` at a time."""
    store = _WAYS[way](endpoint)
    paths = sorted(path.path for path in os.scandir(folder))

    def work() -> dict[str, Any]:
        store([(f"{prefix}/{Path(path).name}", path) for path in paths], parallel)
        return {}

    return work


def run(options: Options) -> Result:
    """Measure every client in every round."""
    count = max(CHECKED, round(_COUNT * options.scale))
    files = options.folder / "files"
    samples = write_files(files, count)
    runs: dict[str, list[Measured]] = {client.label: [] for client in _CLIENTS}
    with running_sink() as sink:
        for number in range(options.rounds):
            for client in _CLIENTS:
                prefix = f"{number}-{client.way}-{client.threads}".replace(" ", "-")
                task = Task(
                    "benchmarks.ways.files:store_all",
                    {
                        "endpoint": sink.endpoint,
                        "way": client.way,
                        "folder": str(files),
                        "prefix": prefix,
                        "parallel": client.threads,
                    },
                )
                runs[client.label].append(measure(task, options.folder))
                check_files(sink, prefix, samples)
    figures = {"count": count, "file_bytes": _FILE_BYTES, "threads": _THREADS, "clients": _figures(runs, count)}
    return Result(
        "files",
        f"{count} files of 10 KiB through one client, {_THREADS} at a time unless said otherwise, CRC-64 on; past the "
        f"imports; medians (ranges) of {options.rounds} rounds",
        _table(figures),
        figures,
        _verdicts(figures),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw files per second of CPU and of wall time."""
    clients = figures["clients"]
    panels = [
        Panel(
            title, [Bar(**{name: value / 1000 for name, value in each[measure].items()}) for each in clients.values()]
        )
        for title, measure in (
            ("thousand files per CPU second", "per_cpu_second"),
            ("thousand files per second", "per_second"),
        )
    ]
    title = f"{figures['count']:,} files of 10 KiB through one client, more is better"
    return bars(title, list(clients), panels, highlighted=[_OURS])


def write_files(folder: Path, count: int) -> list[Sample]:
    """Write random files; afterwards they are in the page cache and on the disk."""
    folder.mkdir()
    samples = []
    for number in range(count):
        content = os.urandom(_FILE_BYTES)
        path = folder / f"{number:05}.bin"
        path.write_bytes(content)
        samples.append(Sample(path, len(content), crc64.xz(content)))
    os.sync()
    return samples


def check_files(sink: Sink, prefix: str, samples: list[Sample]) -> None:
    """Raise BenchmarkError when one of some objects, all over the folder, is not its file."""
    for sample in samples[:: len(samples) // CHECKED]:
        sink.check(f"{prefix}/{sample.path.name}", sample)


def _figures(runs: dict[str, list[Measured]], count: int) -> dict[str, Any]:
    return {
        label: {
            "per_cpu_second": spread(count / each.usage.cpu_seconds for each in measured),
            "per_second": spread(count / each.usage.wall_seconds for each in measured),
            "cpu_ms_per_file": spread(1000 * each.usage.cpu_seconds / count for each in measured),
        }
        for label, measured in runs.items()
    }


def _table(figures: dict[str, Any]) -> str:
    rows = [
        [
            label,
            cell(each["per_cpu_second"], 0),
            cell(each["per_second"], 0),
            cell(each["cpu_ms_per_file"]),
        ]
        for label, each in figures["clients"].items()
    ]
    return markdown(["client", "files/CPU s", "files/s", "CPU ms a file"], rows)


def _verdicts(figures: dict[str, Any]) -> tuple[Verdict, ...]:
    clients = figures["clients"]

    def times(measure: str, other: str) -> float:
        ratio: float = clients[_OURS][measure]["median"] / clients[other][measure]["median"]
        return ratio

    return (
        at_least("files per CPU second at least 3 times alibabacloud-oss-v2's", times("per_cpu_second", _V2), 3.0),
        at_least("files per CPU second at least 1.8 times oss2's", times("per_cpu_second", _OSS2), 1.8),
        at_least(
            "files per second at least 4 times one alibabacloud-oss-v2 thread's", times("per_second", _V2_ONE), 4.0
        ),
    )
