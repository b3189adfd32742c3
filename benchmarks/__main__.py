"""``make bench``: the same upload by this package and by the official SDKs, side by side on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.clients import CLIENTS, OURS
from benchmarks.report import as_json, heading, table
from benchmarks.rounds import BenchmarkError, Plan, Run, interleaved, running_sink
from benchmarks.sample import write_sample
from benchmarks.summary import MIB, ratios, summaries

_COMPARED: Final = {
    "wall_seconds": "wall time past the imports",
    "cpu_seconds": "CPU past the imports",
    "wall_with_import_seconds": "wall time, the library's import counted",
    "cpu_with_import_seconds": "CPU, the library's import counted",
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    options = _parse(arguments)
    clients = _installed()
    with TemporaryDirectory(prefix="oss-benchmark-", dir=options.folder) as folder:
        print(f"Writing {options.size} MiB of random bytes into {folder}")
        sample = write_sample(Path(folder) / "sample.bin", options.size * MIB)
        plan = Plan(sample, options.part_size * MIB, options.parallel, options.rounds, Path(folder))
        print(heading(plan))
        try:
            runs = _measure(plan, clients)
        except BenchmarkError as error:
            print(error, file=sys.stderr)
            return 1
    _report(plan, runs, options.json)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the file; default 1024")
    parser.add_argument("--part-size", type=int, default=8, metavar="MIB", help="default 8")
    parser.add_argument("--parallel", type=int, default=4, metavar="N", help="parts at the same time; default 4")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="uploads by each client; default 3")
    parser.add_argument("--folder", type=Path, help="where the file is written; default the system's temporary folder")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all that was measured")
    return parser.parse_args(arguments)


def _installed() -> list[str]:
    for client in CLIENTS.values():
        if client.is_installed:
            print(f"{client.name}: {client.distribution} {version(client.distribution)}")
        else:
            print(f"{client.name}: left out, {client.distribution} is not installed here")
    return [client.name for client in CLIENTS.values() if client.is_installed]


def _measure(plan: Plan, clients: Sequence[str]) -> list[Run]:
    runs = []
    with running_sink() as sink:
        for run in interleaved(plan, clients, sink):
            upload = run.account.upload
            print(f"  {run.client}: {upload.wall_seconds:.2f} s, CPU {upload.cpu_seconds:.2f} s", flush=True)
            runs.append(run)
    return runs


def _report(plan: Plan, runs: Sequence[Run], json_path: Path | None) -> None:
    found = summaries(runs)
    print(f"\n{table(found)}\n")
    sdks = [name for name in found if CLIENTS[name].is_official_sdk]
    compared = ratios(found, OURS, sdks, tuple(_COMPARED)) if sdks else []
    for ratio in compared:
        print(f"{_COMPARED[ratio.measure]}: {ratio.times:.1f} times less than {ratio.better}")
    if json_path is not None:
        json_path.write_text(as_json(plan, runs, found, compared), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
