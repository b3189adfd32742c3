"""Runs every client in every round, each in a process of its own, against one sink."""

from __future__ import annotations

import http.client
import os
import re
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.certificates import Certificate
from benchmarks.clients import Client
from benchmarks.job import NOTHING, Account, Job, Usage, account_from_json
from benchmarks.sample import Sample

BUCKET: Final = "benchmark"
_LONGEST_SECONDS: Final = 600.0
_TRUSTED: Final = ("CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables by which curl, Node, the SDKs (through requests) and Rust's clients learn whom to trust."""


class BenchmarkError(Exception):
    """A client did not do what it was measured at."""


@dataclass(frozen=True, slots=True)
class Run:
    """One upload, measured from inside and from outside the process."""

    client: str
    account: Account
    process: Usage
    """The whole process, from its start to its end."""
    sink: Usage
    """What the sink used meanwhile: close to the upload's wall time, and the sink was the bottleneck."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    sample: Sample
    part_size_bytes: int | None
    """None: each client's own default; so is None for ``parallel``."""
    parallel: int | None
    rounds: int
    work_folder: Path


@dataclass(frozen=True, slots=True)
class Sink:
    """The server that takes the uploads, in a process of its own."""

    port: int
    process: psutil.Process
    authority: Path | None
    """The certificate to trust, PEM; None without TLS."""

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"{'http' if self.authority is None else 'https'}://127.0.0.1:{self.port}"

    def usage(self) -> Usage:
        """Return what it has used so far."""
        used = self.process.cpu_times()
        return Usage(time.perf_counter(), used.user, used.system)

    def put(self, key: str, sample: Sample) -> None:
        """Store the sample, before what is measured."""
        connection = self._connection()
        try:
            with sample.path.open("rb") as file:
                connection.request("PUT", f"/{BUCKET}/{key}", file, {"Content-Length": str(sample.size_bytes)})
                connection.getresponse().read()
        finally:
            connection.close()

    def check(self, key: str, sample: Sample) -> None:
        """Raise BenchmarkError when the object ``key`` is not the sample."""
        connection = self._connection()
        try:
            connection.request("HEAD", f"/{BUCKET}/{key}")
            answer = connection.getresponse()
        finally:
            connection.close()
        arrived = answer.headers.get("Content-Length"), answer.headers.get("x-oss-hash-crc64ecma")
        if arrived != (str(sample.size_bytes), str(sample.crc64)):
            raise BenchmarkError(f"{key} arrived as size and CRC-64 {arrived}: another object than was to be sent")

    def _connection(self) -> http.client.HTTPConnection:
        if self.authority is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)


@contextmanager
def running_sink(
    tls: Certificate | None = None, latency_seconds: float = 0.0, bytes_per_second: float | None = None
) -> Iterator[Sink]:
    """
    Start the sink; it is gone afterwards.

    With a certificate it speaks HTTPS. Every answer is late by the latency; a connection takes no more than
    ``bytes_per_second``, which is as fast as it can unless given.
    """
    command = [sys.executable, "-m", "benchmarks.sink"]
    if tls is not None:
        command += ["--tls", str(tls.certificate), str(tls.key)]
    if latency_seconds:
        command += ["--latency-ms", f"{latency_seconds * 1000:g}"]
    if bytes_per_second is not None:
        command += ["--rate-mb", f"{bytes_per_second / 1_000_000:g}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Sink(port, psutil.Process(process.pid), None if tls is None else tls.authority)
        finally:
            process.terminate()


def interleaved(plan: Plan, clients: Sequence[Client], sink: Sink) -> Iterator[Run]:
    """
    Yield the runs of A B C A B C ..., so that what else happens on the machine meets all clients alike.

    Before the first round each client runs once unmeasured: its modules are compiled, its files are in the cache, and
    what it imports only when it uploads is known, to be imported before the measured uploads.
    Raises BenchmarkError when a client fails or the object that arrived is not the sample.
    """
    modules = {client.name: _run(plan, client, 0, sink, ()).account.late_modules for client in clients}
    for number in range(1, plan.rounds + 1):
        for client in clients:
            yield _run(plan, client, number, sink, modules[client.name])


def _run(plan: Plan, client: Client, number: int, sink: Sink, modules: tuple[str, ...]) -> Run:
    key = f"{'-'.join(re.findall('[A-Za-z0-9]+', client.name))}-{number}.bin"
    account_path = plan.work_folder / f"{key}.json"
    job = Job(
        endpoint=sink.endpoint,
        bucket=BUCKET,
        key=key,
        file_path=str(plan.sample.path),
        part_size_bytes=plan.part_size_bytes,
        parallel=plan.parallel,
        authority=None if sink.authority is None else str(sink.authority),
        work_folder=str(plan.work_folder),
        modules=modules,
    )
    before, sink_before = _children_usage(), sink.usage()
    _start(client, client.command(job, account_path), job)
    process, sink_used = _children_usage() - before, sink.usage() - sink_before
    sink.check(key, plan.sample)
    return Run(client.name, _account(account_path, process), process, sink_used)


def _account(path: Path, process: Usage) -> Account:
    """Return what the process wrote. Of one that cannot write an account, all it did was the upload."""
    if path.exists():
        return account_from_json(path.read_text("utf-8"))
    return Account(NOTHING, NOTHING, process, imported_bytes=0, peak_bytes=0)


def _start(client: Client, command: list[str], job: Job) -> None:
    done = subprocess.run(
        command,
        env=os.environ | _environment(job),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_SECONDS,
    )
    if done.returncode:
        raise BenchmarkError(f"{client.name} ended with status {done.returncode}:\n{done.stdout}")


def _environment(job: Job) -> dict[str, str]:
    environment = own_environment(Path(job.work_folder))
    if job.authority is not None:
        environment |= dict.fromkeys(_TRUSTED, job.authority)
    return environment


def own_environment(work_folder: Path) -> dict[str, str]:
    """Return variables that make a measured process independent of what other processes have left on the machine."""
    return {
        "AIRFLOW_HOME": f"{work_folder}/airflow",
        # Compiled modules of our own, whatever the environment and the installer made: imports cost alike for all
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": f"{work_folder}/compiled",
    }


def _children_usage() -> Usage:
    """Return what the ended child processes have used: the sink, which has not ended, is not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Usage(time.perf_counter(), used.ru_utime, used.ru_stime)
