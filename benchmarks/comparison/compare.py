"""Measures all clients at one setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.certificates import write_certificate
from benchmarks.clients import CLIENTS
from benchmarks.clients.client import NotInstalledError
from benchmarks.rounds import BenchmarkError, Plan, Run, interleaved, running_sink
from benchmarks.sample import write_sample
from benchmarks.suite import Options
from benchmarks.summary import MIB, Summary, summaries

_SIZE_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """What all clients are told. None is each client's own default."""

    part_size_bytes: int | None
    parallel: int | None
    is_https: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found at a setting."""

    size_bytes: int
    setting: Setting
    versions: dict[str, str]
    """Of the clients that were measured, by their names."""
    checks: dict[str, str]
    """What each compares of what it sent with what arrived."""
    left_out: dict[str, str]
    """Why a client was not measured, by its name."""
    found: dict[str, Summary]
    runs: tuple[Run, ...]

    def figures(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return asdict(self)


def compare(setting: Setting, options: Options) -> Comparison:
    """Upload with every client that can be installed, in interleaved rounds. Raises BenchmarkError without ours."""
    sample = write_sample(options.folder / "sample.bin", max(1, round(_SIZE_MIB * options.scale)) * MIB)
    plan = Plan(sample, setting.part_size_bytes, setting.parallel, options.rounds, options.folder)
    versions, left_out = _installed()
    clients = [CLIENTS[name] for name in versions]
    if not any(client.role == "ours" for client in clients):
        raise BenchmarkError(f"nothing of ours to measure: {left_out}")
    certificate = write_certificate(options.folder) if setting.is_https else None
    with running_sink(certificate) as sink:
        runs = tuple(_told(interleaved(plan, clients, sink)))
    checks = {client.name: client.checks for client in clients}
    return Comparison(sample.size_bytes, setting, versions, checks, left_out, summaries(runs), runs)


def _installed() -> tuple[dict[str, str], dict[str, str]]:
    """Return the versions of the clients that can be run here, and why the others cannot."""
    versions, left_out = {}, {}
    for client in CLIENTS.values():
        try:
            versions[client.name] = client.install()
        except NotInstalledError as error:
            left_out[client.name] = str(error)
            print(f"  {client.name} is left out: {error}", flush=True)
    return versions, left_out


def _told(runs: Iterator[Run]) -> Iterator[Run]:
    """Pass the runs on, and say what each took: it is a long wait."""
    for run in runs:
        upload = run.account.upload
        print(f"  {run.client}: {upload.wall_seconds:.2f} s, CPU {upload.cpu_seconds:.2f} s", flush=True)
        yield run
