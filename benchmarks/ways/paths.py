"""``oss://`` paths beside ossfs, over fsspec's interface: small files, listings, and reading here and there."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, Final

from benchmarks.clients.credentials import REGION
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.spread import cell

_SMALL_FILES: Final = 500
_SMALL_BYTES: Final = 4096
_FINDS: Final = 5
_RANDOM_READS: Final = 200
_RANDOM_BYTES: Final = 64 * 1024
_LARGE_BYTES: Final = 128 * MIB
_BLOCK_BYTES: Final = MIB
_LARGE: Final = "exports/large.bin"
_OURS: Final = "airflow_provider_oss"
_OTHER: Final = "ossfs"


def run(options: Options) -> Result:
    """Do the same with both, in turn, against the local OSS server."""
    from tests.support.server_process import server_process

    runs: dict[tuple[str, str], list[Measured]] = {(job, client): [] for job in _JOBS for client in _CLIENTS}
    numbers = count()
    with server_process(options.folder / "oss") as server:
        _fill(server.endpoint, options)
        for _ in range(options.rounds):
            for (job, client), measured in runs.items():
                arguments = {"endpoint": server.endpoint, "client": client, "job": job, "scale": options.scale}
                task = Task("benchmarks.ways.paths:prepare", arguments | {"number": next(numbers)})
                measured.append(measure(task, options.folder))
    found = [
        {
            "job": job,
            "client": client,
            **costs(measured),
        }
        for (job, client), measured in runs.items()
    ]
    return Result(
        "paths",
        "paths over fsspec, against the local OSS server in another process; past the imports; medians (ranges) of "
        f"{options.rounds} rounds",
        _table(found),
        {"paths": found},
        _verdicts(found),
    )


def prepare(endpoint: str, client: str, job: str, scale: float, number: int) -> Callable[[], dict[str, Any]]:
    """Prepare to do the job by the client."""
    filesystem = _CLIENTS[client](endpoint)
    with filesystem.open(f"exports/warm/{number}", "wb") as file:
        file.write(b"warm")
    filesystem.invalidate_cache()

    def work() -> dict[str, Any]:
        _JOBS[job](filesystem, f"exports/{number}", scale)
        return {}

    return work


def _ours(endpoint: str) -> Any:
    from benchmarks.clients.airflow_task import CONNECTION_ID, provide_connection
    from tests.conftest import KEY_ID, KEY_SECRET

    fields = {"conn_type": "aliyun_oss", "host": endpoint, "login": KEY_ID, "password": KEY_SECRET}
    provide_connection(fields | {"extra": {"region": REGION}})
    from airflow_provider_oss.fs.oss import get_fs

    return get_fs(CONNECTION_ID)


def _ossfs(endpoint: str) -> Any:
    import ossfs

    from tests.conftest import KEY_ID, KEY_SECRET

    return ossfs.OSSFileSystem(endpoint=endpoint, key=KEY_ID, secret=KEY_SECRET)


def _fill(endpoint: str, options: Options) -> None:
    filesystem = _ossfs(endpoint)
    filesystem.pipe_file(_LARGE, os.urandom(max(2 * MIB, round(_LARGE_BYTES * options.scale))))
    for number in range(max(10, round(_SMALL_FILES * options.scale))):
        filesystem.pipe_file(f"exports/many/{number % 10}/{number}", b"small")


def _small_writes(filesystem: Any, folder: str, scale: float) -> None:
    for number in range(max(10, round(_SMALL_FILES * scale))):
        with filesystem.open(f"{folder}/{number}", "wb") as file:
            file.write(bytes(_SMALL_BYTES))


def _finds(filesystem: Any, folder: str, scale: float) -> None:
    del folder
    for _ in range(_FINDS):
        filesystem.invalidate_cache()
        assert len(filesystem.find("exports/many")) == max(10, round(_SMALL_FILES * scale))


def _random_reads(filesystem: Any, folder: str, scale: float) -> None:
    del folder
    random = Random(2)  # noqa: S311 - the same places every time
    with filesystem.open(_LARGE, "rb") as file:
        for _ in range(max(10, round(_RANDOM_READS * scale))):
            file.seek(random.randrange(file.size - _RANDOM_BYTES))
            assert len(file.read(_RANDOM_BYTES)) == _RANDOM_BYTES


def _sequential_read(filesystem: Any, folder: str, scale: float) -> None:
    del folder, scale
    with filesystem.open(_LARGE, "rb") as file:
        assert sum(map(len, iter(lambda: file.read(_BLOCK_BYTES), b""))) == file.size


_CLIENTS: Final[dict[str, Callable[[str], Any]]] = {_OURS: _ours, _OTHER: _ossfs}
_JOBS: Final[dict[str, Callable[[Any, str, float], None]]] = {
    "small files written": _small_writes,
    "find below a folder": _finds,
    "reads at random places": _random_reads,
    "one file from begin to end": _sequential_read,
}


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [f"{row['job']}: {row['client']}", *(cell(row[name]) for name in ("wall_seconds", "cpu_seconds", "peak_mib"))]
        for row in found
    ]
    return markdown(["what", "wall s", "CPU s", "+MiB"], rows)


def _verdicts(found: list[dict[str, Any]]) -> tuple[Verdict, ...]:
    cpu = {(row["job"], row["client"]): row["cpu_seconds"]["median"] for row in found}
    return tuple(
        at_most(f"{job}: CPU at most that of {_OTHER}", cpu[job, _OURS] / cpu[job, _OTHER], 1) for job in _JOBS
    )
