"""A large object into a file, by this package and by others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from benchmarks.charts import Bar, Panel, bars
from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.rounds import BUCKET, BenchmarkError, Sink, running_sink
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.ours import warm_hook
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.sparse import sparse_sample
from benchmarks.ways.spread import cell

_SIZE_BYTES: Final = 1024 * MIB
_PART_BYTES: Final = 8 * MIB
_PARALLEL: Final = 4
_KEY: Final = "zeros.bin"
_OURS: Final = "airflow_provider_oss download_file"

GetFile = Callable[[str, str], Any]
"""Writes an object (first) into a file (second)."""


def _ours(endpoint: str) -> GetFile:
    hook = warm_hook(endpoint)
    return lambda key, path: hook.download_file(key, path, part_size=_PART_BYTES, parallel=_PARALLEL)


def _oss2(endpoint: str) -> GetFile:
    import oss2

    provider = oss2.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), endpoint, BUCKET, region=REGION)
    return lambda key, path: oss2.resumable_download(
        bucket, key, path, multiget_threshold=0, part_size=_PART_BYTES, num_threads=_PARALLEL
    )


def _v2(endpoint: str) -> GetFile:
    import alibabacloud_oss_v2 as oss

    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    config.region = REGION
    config.endpoint = endpoint
    downloader = oss.Client(config).downloader(part_size=_PART_BYTES, parallel_num=_PARALLEL)
    return lambda key, path: downloader.download_file(oss.GetObjectRequest(bucket=BUCKET, key=key), path)


def _opendal(endpoint: str) -> GetFile:
    import opendal

    operator = opendal.Operator(
        "oss",
        bucket=BUCKET,
        endpoint=endpoint,
        addressing_style="path",
        access_key_id=ACCESS_KEY_ID,
        access_key_secret=ACCESS_KEY_SECRET,
        region=REGION,
    )

    def get(key: str, path: str) -> None:
        with operator.open(key, "rb") as body, Path(path).open("wb", buffering=0) as file:
            while block := body.read(_PART_BYTES):
                file.write(block)

    return get


def _ossfs(endpoint: str) -> GetFile:
    import ossfs

    filesystem = ossfs.OSSFileSystem(endpoint=endpoint, key=ACCESS_KEY_ID, secret=ACCESS_KEY_SECRET)
    return lambda key, path: filesystem.get_file(f"{BUCKET}/{key}", path)


_WAYS: Final = {
    _OURS: (_ours, "CRC-64"),
    "oss2 resumable_download": (_oss2, "nothing"),
    "alibabacloud-oss-v2 Downloader": (_v2, "CRC-64"),
    "opendal": (_opendal, "nothing"),
    "ossfs get_file": (_ossfs, "nothing"),
}
"""How each gets a file, and what it compares at the end."""


def run(options: Options) -> Result:
    """Measure every client in every round."""
    size_bytes = max(4 * _PART_BYTES, round(_SIZE_BYTES * options.scale))
    runs: dict[str, list[Measured]] = {client: [] for client in _WAYS}
    numbers = count()
    with running_sink() as sink, sparse_sample(options.folder, size_bytes) as sample:
        sink.put(_KEY, sample)
        for _ in range(options.rounds):
            for client, measured in runs.items():
                measured.append(_download(sink, client, options.folder / f"{next(numbers)}.bin", size_bytes))
    figures = {"size_bytes": size_bytes, "clients": {client: costs(measured) for client, measured in runs.items()}}
    return Result(
        "downloads",
        f"{size_bytes // MIB} MiB of zeros into a new file, http, {_PARALLEL} x {_PART_BYTES // MIB} MiB where that "
        f"can be set; past the imports; medians (ranges) of {options.rounds} rounds",
        _table(figures),
        figures,
        _verdicts(figures),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw wall time and CPU."""
    clients = figures["clients"]
    panels = [
        Panel(title, [Bar(**each[measured]) for each in clients.values()])
        for title, measured in (("wall s", "wall_seconds"), ("CPU s", "cpu_seconds"))
    ]
    return bars(f"{figures['size_bytes'] // MIB} MiB into a file", list(clients), panels, highlighted=[_OURS])


def download(endpoint: str, client: str, path: str) -> Callable[[], dict[str, Any]]:
    """Prepare to write the object into the file."""
    get = _WAYS[client][0](endpoint)

    def work() -> dict[str, Any]:
        get(_KEY, path)
        return {}

    return work


def _download(sink: Sink, client: str, path: Path, size_bytes: int) -> Measured:
    arguments = {"endpoint": sink.endpoint, "client": client, "path": str(path)}
    measured = measure(Task("benchmarks.ways.downloads:download", arguments), path.parent)
    if path.stat().st_size != size_bytes:
        raise BenchmarkError(f"{client} wrote {path.stat().st_size} bytes of {size_bytes}")
    path.unlink()
    return measured


def _table(figures: dict[str, Any]) -> str:
    rows = [
        [client, _WAYS[client][1], *(cell(each[name]) for name in ("wall_seconds", "cpu_seconds", "peak_mib"))]
        for client, each in figures["clients"].items()
    ]
    return markdown(["client", "checks", "wall s", "CPU s", "+MiB"], rows)


def _verdicts(figures: dict[str, Any]) -> tuple[Verdict, ...]:
    cpu = {client: each["cpu_seconds"]["median"] for client, each in figures["clients"].items()}
    return tuple(
        at_most(f"CPU at most that of {client}", cpu[_OURS] / other, 1)
        for client, other in cpu.items()
        if client != _OURS
    )
