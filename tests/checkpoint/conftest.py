"""A task that can talk to Airflow."""

from __future__ import annotations

import pytest
from airflow.sdk.execution_time import task_runner

from tests.checkpoint.airflow_edge import Supervisor


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """What Variable, XCom and the task state store speak to while the test runs."""
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor
