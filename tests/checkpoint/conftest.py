"""A task that can talk to Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoint.airflow_edge import Supervisor, connected
from tests.support.airflow_version import IS_AIRFLOW_2

collect_ignore = ["test_failing_reads.py"] if IS_AIRFLOW_2 else []  # of the wire that came with Airflow 3


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Supervisor]:
    """What Variable, XCom and the task state store speak to while the test runs."""
    with connected(monkeypatch, tmp_path, ("anchor",)) as supervisor:
        yield supervisor
