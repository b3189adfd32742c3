# ruff: noqa: INP001 - a folder of DAGs is no package
"""One DAG for each checkpoint store: an upload of what the run's ``conf`` names."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

for store in ("task_state", "variable", "xcom"):
    with DAG(f"checkpointed_{store}", schedule=None):
        EmptyOperator(task_id="before") >> OSSResumableUploadOperator(
            task_id="upload",
            file_path="{{ dag_run.conf['file_path'] }}",
            key="{{ dag_run.conf['key'] }}",
            part_size="{{ dag_run.conf['part_size'] }}",
            checkpoint=store,
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
