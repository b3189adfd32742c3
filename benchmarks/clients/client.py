"""What is known of a client before it is run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from airflow_provider_oss import __version__
from benchmarks.job import Job, to_json


class NotInstalledError(Exception):
    """The client cannot be run on this machine; says why."""


@dataclass(frozen=True, slots=True)
class Client:
    """A way to upload a file, each time in a process of its own."""

    name: str
    role: Literal["ours", "checking SDK", "peer", "limit"]
    checks: str
    """What the client compares of what it sent with what arrived."""
    install: Callable[[], str]
    """Make sure that it can run and return its version. Raises NotInstalledError."""
    command: Callable[[Job, Path], list[str]]
    """Return what does the job, and writes its account to the path unless it cannot."""


def of_ours(name: str, module: str) -> Client:
    """Return a client of this package, which the checkout has whether or not it is installed."""
    return Client(name, "ours", "CRC-64", lambda: f"airflow-provider-oss {__version__}", partial(_command, module))


def in_python(
    name: str, distribution: str, module: str, *, role: Literal["checking SDK", "peer"], checks: str
) -> Client:
    """Return a client that is a module of this package and uses an installed distribution."""
    return Client(name, role, checks, partial(_installed_version, distribution), partial(_command, module))


def _installed_version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError as error:
        raise NotInstalledError(f"{distribution} is not installed here") from error


def _command(module: str, job: Job, account_path: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.measured", module, to_json(job), str(account_path)]
