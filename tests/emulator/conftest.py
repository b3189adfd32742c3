"""A running local OSS server, and the official clients pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import oss2
import pytest

from airflow_provider_oss.emulator import Limits, OSSEmulator
from tests.emulator.node import Node, install_ali_oss
from tests.emulator.support import KEY_ID, REGION, SECRET, Client, ClosingSession

TINY_PARTS = Limits(min_part_size_bytes=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A server of its own for the test, with parts of ten bytes and more."""
    with OSSEmulator(root=tmp_path / "oss", limits=TINY_PARTS) as running:
        yield running


@pytest.fixture
def client(server: OSSEmulator) -> Client:
    """A client for requests whose every detail matters."""
    return Client(server)


@pytest.fixture
def session() -> Iterator[ClosingSession]:
    """A session for oss2, closed at the end."""
    opened = ClosingSession()
    yield opened
    opened.close()


@pytest.fixture(params=["V1", "V4"])
def bucket(server: OSSEmulator, session: ClosingSession, request: pytest.FixtureRequest) -> oss2.Bucket:
    """The bucket `exports` through oss2, once with each signature version."""
    auth = oss2.Auth(KEY_ID, SECRET) if request.param == "V1" else oss2.AuthV4(KEY_ID, SECRET)
    return oss2.Bucket(auth, server.endpoint, "exports", session=session, region=REGION)


@pytest.fixture
def bucket_v1(server: OSSEmulator, session: ClosingSession) -> oss2.Bucket:
    """The bucket `exports` through oss2 with signature version 1."""
    return oss2.Bucket(oss2.Auth(KEY_ID, SECRET), server.endpoint, "exports", session=session)


@pytest.fixture(scope="session")
def ali_oss_modules() -> Path:
    """The official Node client, installed."""
    return install_ali_oss()


@pytest.fixture
def node(server: OSSEmulator, ali_oss_modules: Path) -> Node:
    """Runs scenarios of the official Node client against the server."""
    return Node(ali_oss_modules, server)
