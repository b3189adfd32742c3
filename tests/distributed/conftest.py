"""One distributed Airflow and one local OSS server for all plays: they run in one process, in turn."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.limits import MIB
from tests.conftest import BUCKET, connection_json
from tests.distributed.cluster import DistributedAirflow
from tests.distributed.mapped import MappedDirectory
from tests.distributed.playing import Stage
from tests.integration.conftest import random_file
from tests.integration.uploading import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TESTS = Path(__file__).parents[1]
_DAGS = ("integration/dags/uploads.py", "integration/dags/waiting.py", "distributed/dags/mapped.py")


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    """A folder for all that the plays write."""
    with tempfile.TemporaryDirectory(prefix="airflow-provider-oss-") as name:
        yield Path(name)


@pytest.fixture(scope="package")
def dags_folder(folder: Path) -> Path:
    """The DAGs that are played."""
    dags = folder / "dags"
    dags.mkdir()
    for name in _DAGS:
        shutil.copy(_TESTS / name, dags)
    return dags


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[OSSEmulator]:
    """The local OSS server that Airflow's connection ``oss_default`` leads to."""
    with OSSEmulator(root=folder / "oss", buckets=(BUCKET,)) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def airflow(folder: Path, dags_folder: Path, server: OSSEmulator) -> Iterator[DistributedAirflow]:
    """The Airflow."""
    environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)}
    with DistributedAirflow(folder / "airflow", dags_folder, environment) as airflow:
        yield airflow


@pytest.fixture
def stage(
    airflow: DistributedAirflow, server: OSSEmulator, record_property: Callable[[str, object], None]
) -> Iterator[Stage]:
    """All nodes take tasks, and the server is as fast as it can be and has noted no requests."""
    airflow.start_missing_nodes()
    server.forget_requests()
    yield Stage(airflow, Uploads(airflow, server), record_property)
    server.faults.clear()


@pytest.fixture(scope="package")
def file_64(folder: Path) -> Path:
    """64 MiB of random bytes."""
    return random_file(folder / "64-mib.bin", 64 * MIB)


@pytest.fixture(scope="package")
def tree(folder: Path) -> Path:
    """160 files of 128 KiB in eight directories."""
    root = folder / "tree"
    for number in range(160):
        random_file(root / f"d{number % 8}" / f"{number:03}.bin", MappedDirectory.UNIT_BYTES)
    return root


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the plays have measured."""
    reports = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if reports:
        terminalreporter.section("what was measured")
    for report in reports:
        measured = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        terminalreporter.write_line(f"{report.head_line}: {measured}")
