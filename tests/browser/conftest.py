"""One Airflow server, one local OSS server and one browser for all tests of the UI: they run in one process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.emulator import OSSEmulator, StsSession
from tests.browser.connections import ConnectionsPage
from tests.conftest import BUCKET, connection_json
from tests.support.airflow_version import HAS_PAGES
from tests.support.browser import chromium
from tests.support.local_airflow import LocalAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.watched import WatchedAirflow

TakePicture = Callable[[str, "Locator | Page"], None]

collect_ignore = [] if HAS_PAGES else ["test_transfers_page.py", "test_watched_transfers.py"]

SESSION = StsSession("STS.temporary", "temporary-secret", "CAIS+t0ken/of=the+session==")
"""A temporary AccessKey that the server knows beside the lasting one."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OSSEmulator]:
    """The local OSS server."""
    with OSSEmulator(root=tmp_path_factory.mktemp("oss"), buckets=(BUCKET,), sts_sessions=(SESSION,)) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """An Airflow whose administrator has enabled the Test button."""
    folder = tmp_path_factory.mktemp("airflow")
    enabled = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
    with LocalAirflow(folder / "home", folder / "dags", enabled, only_server=True) as airflow:
        yield airflow


@pytest.fixture(scope="package")
def oss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OSSEmulator]:
    """The local OSS server of the Airflow whose transfers are watched."""
    with OSSEmulator(root=tmp_path_factory.mktemp("watched-oss"), buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory, oss: OSSEmulator) -> Iterator[WatchedAirflow]:
    """An Airflow whose transfers are watched."""
    from tests.browser.watched import WatchedAirflow, table_of_orders  # noqa: PLC0415 - of Airflow 3.1 and later

    folder = tmp_path_factory.mktemp("watched")
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "dags" / "watched.py", dags)
    orders = json.dumps({"conn_type": "sqlite", "host": str(table_of_orders(folder / "orders.db"))})
    environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(oss), "AIRFLOW_CONN_ORDERS": orders}
    with WatchedAirflow(folder / "home", dags, environment) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The browser's only tab."""
    with chromium(tmp_path_factory.mktemp("browser")) as context:
        yield context.pages[0]


@pytest.fixture
def connections(page: Page, airflow: LocalAirflow, server: OSSEmulator) -> Iterator[ConnectionsPage]:
    """The page of connections; afterwards the server behaves again."""
    yield ConnectionsPage(page, airflow.url)
    server.faults.clear()


@pytest.fixture(scope="module")
def take_picture() -> TakePicture:
    """Take a picture for the documentation, if the variable SCREENSHOTS names a folder (``make screenshots``)."""

    def take(name: str, what: Locator | Page) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            what.screenshot(path=Path(folder) / f"{name}.png", animations="disabled", caret="hide")

    return take
