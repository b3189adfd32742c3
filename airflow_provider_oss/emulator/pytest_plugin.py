"""
Fixtures for tests of DAGs: a local OSS server, and Airflow's connection to it.

pytest finds them by itself where this package is installed with the extra ``emulator``. Each test that uses one has a
server of its own on a free port. The marker ``oss_server`` gives it arguments of ``OSSEmulator``::

    @pytest.mark.oss_server(buckets=["reports"])
    def test_reports(oss_connection): ...

pytest loads this module in every run, so nothing else is imported before a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_oss.emulator.faults import Faults
    from airflow_provider_oss.emulator.server import OSSEmulator


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "oss_server(**arguments): arguments of OSSEmulator for the fixture oss_server")


@pytest.fixture
def oss_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OSSEmulator]:
    """Serve a local OSS on a free port, empty but for a bucket ``exports``, until the test ends."""
    from airflow_provider_oss.emulator import OSSEmulator

    arguments: dict[str, Any] = {"root": tmp_path_factory.mktemp("oss")}
    # The closest marker comes first, and has the last word
    for marker in reversed([*request.node.iter_markers("oss_server")]):
        arguments.update(_by_name(*marker.args, **marker.kwargs))
    with OSSEmulator(**arguments) as server:
        yield server


@pytest.fixture
def oss_bucket(oss_server: OSSEmulator) -> str:
    """Return the name of the server's first bucket."""
    return oss_server.default_bucket


@pytest.fixture
def oss_connection(oss_server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make ``oss_default`` an Airflow connection to the server and its first bucket; return that id."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", oss_server.airflow_connection())
    return "oss_default"


@pytest.fixture
def oss_faults(oss_server: OSSEmulator) -> Faults:
    """Return the faults of the server: ``oss_faults.add(Fault(...))`` makes it misbehave until the test ends."""
    return oss_server.faults


def _by_name(**arguments: Any) -> dict[str, Any]:
    """Return what the marker has; one without a name is a TypeError."""
    return arguments
