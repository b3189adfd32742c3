"""What the tests of sources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_oss.transfer.retry import RetryPolicy
from tests.support.web_server import WebServer

QUICK = RetryPolicy(tries=3, first_delay_seconds=0.001, longest_delay_seconds=0.001)


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server."""
    with WebServer() as server:
        yield server
