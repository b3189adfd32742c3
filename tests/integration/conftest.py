"""One Airflow and one local OSS server for all tests that need a real Airflow: they run in one process, in turn."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.emulator import OSSEmulator, StsSession
from airflow_provider_oss.limits import MIB
from tests.conftest import BUCKET, connection_json
from tests.integration.uploading import Uploads
from tests.support.airflow_version import IS_AIRFLOW_2
from tests.support.local_airflow import LocalAirflow
from tests.support.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.s3_server import S3Server

SESSION = StsSession("STS.temporary", "s3cr+t/Key=of%the&session", "CAIS+t0ken/of=the+session==")
"""A temporary key that the server knows beside the lasting one."""

_HERE = Path(__file__).parent
_DAGS = (_HERE / "dags", _HERE.parents[1] / "dags_examples")
_LEFT_OUT = ("__pycache__", *(("watch_prefix.py",) if IS_AIRFLOW_2 else ()))
"""Airflow 2 has no asset watchers."""

collect_ignore = ["test_asset_watchers.py"] if IS_AIRFLOW_2 else []


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    """A folder for large files, which pytest would keep for three sessions."""
    with tempfile.TemporaryDirectory(prefix="airflow-provider-oss-") as name:
        yield Path(name)


@pytest.fixture(scope="package")
def dags_folder(folder: Path) -> Path:
    """The DAGs of these tests and the examples."""
    dags = folder / "dags"
    dags.mkdir()
    for source in _DAGS:
        shutil.copytree(source, dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    return dags


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[OSSEmulator]:
    """The local OSS server that Airflow's connection ``oss_default`` leads to."""
    with OSSEmulator(root=folder / "oss", buckets=(BUCKET,), sts_sessions=(SESSION,)) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def web_server() -> Iterator[WebServer]:
    """The web server that Airflow's connection ``http_default`` leads to."""
    with WebServer() as server:
        yield server


@pytest.fixture(scope="package")
def airflow(
    folder: Path, dags_folder: Path, server: OSSEmulator, web_server: WebServer, s3_server: S3Server
) -> Iterator[LocalAirflow]:
    """The Airflow. It logs all that it can, for the test of what logs must not show."""
    environment = {
        "AIRFLOW_CONN_OSS_DEFAULT": connection_json(server),
        "AIRFLOW_CONN_HTTP_DEFAULT": json.dumps({"conn_type": "http", "host": web_server.url}),
        "AIRFLOW_CONN_AWS_DEFAULT": s3_server.connection_json,
        "AIRFLOW_CONN_HARNESS": "http://connected.example",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    }
    with LocalAirflow(folder / "airflow", dags_folder, environment) as airflow:
        yield airflow


@pytest.fixture
def uploads(airflow: LocalAirflow, server: OSSEmulator) -> Iterator[Uploads]:
    """Starts uploads; afterwards the server behaves again."""
    yield Uploads(airflow, server)
    server.faults.clear()


@pytest.fixture(scope="package")
def file_200(folder: Path) -> Path:
    """200 MiB of random bytes."""
    return random_file(folder / "200-mib.bin", 200 * MIB)


@pytest.fixture(scope="package")
def file_64(folder: Path) -> Path:
    """64 MiB of random bytes."""
    return random_file(folder / "64-mib.bin", 64 * MIB)


def random_file(path: Path, size_bytes: int) -> Path:
    """Write a file that no two parts of are equal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size_bytes))
    return path
