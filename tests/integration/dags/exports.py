"""Exports of a query that can be interrupted, streamed into one object or as pieces.

A run's ``conf`` says what is exported (``sql``) and where to (``key``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator

PART_SIZE = 2 * 1024 * 1024
PARALLEL = 2
SPLIT_ROWS = 100_000


def export(**arguments: Any) -> SQLToOSSOperator:
    """Return the task that these DAGs are about."""
    return SQLToOSSOperator(
        task_id="upload",
        conn_id="warehouse",
        sql="{{ dag_run.conf['sql'] }}",
        key="{{ dag_run.conf['key'] }}",
        part_size=PART_SIZE,
        parallel=PARALLEL,
        retries=3,
        retry_delay=timedelta(seconds=1),
        **arguments,
    )


with DAG("export_whole", schedule=None):
    export()

with DAG("export_pieces", schedule=None):
    export(split_rows=SPLIT_ROWS)
