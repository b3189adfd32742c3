"""
Data that other servers hold, on its way to OSS, to be interrupted in every way.

A run's ``conf`` says what (``source`` or ``endpoint``) is stored where (``key``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator

PART_SIZE = 2 * 1024 * 1024
PARALLEL = 4
TOKEN = "t0ken-in-the-query"

ARGUMENTS: dict[str, Any] = {
    "task_id": "upload",
    "key": "{{ dag_run.conf['key'] }}",
    "part_size": PART_SIZE,
    "parallel": PARALLEL,
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
}

with DAG("upload_s3", schedule=None):
    ObjectStorageToOSSOperator(source="{{ dag_run.conf['source'] }}", **ARGUMENTS)

with DAG("upload_http", schedule=None):
    HttpToOSSOperator(endpoint=f"{{{{ dag_run.conf['endpoint'] }}}}?token={TOKEN}", **ARGUMENTS)
