"""What the clients share that run inside an Airflow task."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

FRAMEWORK: Final = ("airflow.sdk", "airflow.sdk.execution_time.supervisor", "airflow.sdk.execution_time.task_runner")
"""What every task's process has loaded before the task begins."""
CONNECTION_ID: Final = "benchmark"


def provide_connection(connection: dict[str, Any]) -> None:
    """Let Airflow find the connection in this process's environment."""
    os.environ[f"AIRFLOW_CONN_{CONNECTION_ID.upper()}"] = json.dumps(connection)


def provide_our_connection(job: Job) -> None:
    """Let Airflow find a connection of this package's type."""
    provide_connection(
        {
            "conn_type": "aliyun_oss",
            "host": job.endpoint,
            "login": ACCESS_KEY_ID,
            "password": ACCESS_KEY_SECRET,
            "schema": job.bucket,
            "extra": {"region": REGION} | ({"verify": job.authority} if job.authority else {}),
        }
    )


def execute(operator: BaseOperator) -> None:
    """Render the templates and execute, as the task runner does."""
    context: Any = {"task": operator, "params": {}, "ds": "2026-01-01", "run_id": "manual__1"}
    operator.render_template_fields(context)
    operator.execute(context)
