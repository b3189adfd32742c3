"""One local OSS server for a whole module, for tests that leave it as they found it and put no faults in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import OSSEmulator
from tests.clients.support import DOMAIN, EXPIRED, SESSION
from tests.conftest import BUCKET, TINY_PARTS, client_settings


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OSSEmulator]:
    """The local OSS server, with temporary credentials and a custom domain."""
    with OSSEmulator(
        root=tmp_path_factory.mktemp("oss"),
        buckets=(BUCKET, "other"),
        limits=TINY_PARTS,
        sts_sessions=(SESSION, EXPIRED),
        cname_buckets={DOMAIN: BUCKET},
    ) as emulator:
        yield emulator


@pytest.fixture
def shared_settings(shared_server: OSSEmulator) -> ClientSettings:
    """What a client of the shared server needs to know."""
    return client_settings(shared_server)


@pytest.fixture
def shared_client(shared_settings: ClientSettings) -> OSSObjectClient:
    """A client of the shared server."""
    return OSSObjectClient(shared_settings)
