"""What all tests share: the local OSS server, a client of it, and an Airflow connection to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import hypothesis
import pytest

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import Limits, OSSEmulator
from tests.support.airflow_version import OWN_WARNINGS
from tests.support.web_server import WebServer

if TYPE_CHECKING:
    from tests.support.s3_server import S3Server

pytest_plugins = ["pytester"]

# A busy machine is no bug
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

KEY_ID = "local-access-key-id"
KEY_SECRET = "local-access-key-secret"
BUCKET = "exports"
REGION = "cn-hangzhou"

TINY_PARTS = Limits(min_part_size_bytes=1)

STARTERS = {
    "tests.support.airflow_home",
    "tests.support.local_airflow",
    "tests.distributed.cluster",
    "tests.support.airflow_processes",
    "tests.chaos.scenario",
}
"""What starts an Airflow, or one task of it, in a process of its own."""


class Serving(Protocol):
    """A local OSS server, in this process or another."""

    @property
    def endpoint(self) -> str:
        """Where it answers."""


def pytest_configure(config: pytest.Config) -> None:
    """Let older versions of Airflow warn of themselves."""
    for line in OWN_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start Airflow: those whose module, or that of a fixture of theirs, has what starts it."""
    for item in items:
        if isinstance(item, pytest.Function) and any(map(_can_start_airflow, _modules(item))):
            item.add_marker("starts_airflow")


def _modules(item: pytest.Function) -> set[str]:
    """Return the modules of a test and of its fixtures."""
    fixtures = [found for group in item._fixtureinfo.name2fixturedefs.values() for found in group]
    return {item.function.__module__, *(found.func.__module__ for found in fixtures)}


def _can_start_airflow(module: str) -> bool:
    return any(getattr(value, "__module__", None) in STARTERS for value in vars(sys.modules[module]).values())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """The local OSS server with one bucket; it takes parts of any size."""
    with OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET, "other"), limits=TINY_PARTS) as emulator:
        yield emulator


@pytest.fixture
def settings(server: OSSEmulator) -> ClientSettings:
    """What a client of the local OSS server needs to know."""
    return client_settings(server)


@pytest.fixture
def client(settings: ClientSettings) -> OSSObjectClient:
    """A client of the local OSS server."""
    return OSSObjectClient(settings)


@pytest.fixture
def connect(server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Define an Airflow connection to the local OSS server; keywords go before its fields. Return its id."""

    def define(conn_id: str = "oss_default", **fields: object) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection_json(server, **fields))
        return conn_id

    return define


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server."""
    with WebServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server."""
    from tests.support.s3_server import S3Server  # noqa: PLC0415 - moto and boto3 take longer than most tests

    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Server]:
    """The S3 server, its bucket empty."""
    yield s3_server
    s3_server.clear()


def client_settings(server: Serving) -> ClientSettings:
    """Return settings for the local OSS server with short timeouts."""
    return ClientSettings(
        endpoint=server.endpoint,
        credentials=Credentials(KEY_ID, KEY_SECRET),
        region=REGION,
        connect_timeout_seconds=2.0,
        read_timeout_seconds=2.0,
        default_bucket=BUCKET,
    )


def connection_json(server: Serving, **fields: object) -> str:
    """Return an Airflow connection to the local OSS server as JSON."""
    usual: dict[str, object] = {
        "conn_type": "aliyun_oss",
        "login": KEY_ID,
        "password": KEY_SECRET,
        "host": server.endpoint,
        "schema": BUCKET,
        "extra": {"region": REGION},
    }
    return json.dumps(usual | fields)
