"""What the tests of sources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_oss.transfer.retry import RetryPolicy
from tests.support.s3_server import S3Server
from tests.support.web_server import WebServer

QUICK = RetryPolicy(tries=3, first_delay_seconds=0.001, longest_delay_seconds=0.001)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server."""
    with WebServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Server]:
    """The S3 server, its bucket empty."""
    yield s3_server
    s3_server.clear()
