"""
Copies inside OSS and downloads, to be interrupted.

A run's ``conf`` says what is copied (``source``, ``key``) or downloaded (``key``, ``file_path``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.operators.download import OSSDownloadObjectOperator

PART_SIZE = 1024 * 1024
PARALLEL = 4

ARGUMENTS: dict[str, Any] = {
    "task_id": "upload",
    "key": "{{ dag_run.conf['key'] }}",
    "part_size": PART_SIZE,
    "parallel": PARALLEL,
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
}

with DAG("copy_object", schedule=None):
    OSSCopyObjectOperator(source_key="{{ dag_run.conf['source'] }}", multipart_threshold=8 * PART_SIZE, **ARGUMENTS)

with DAG("download_object", schedule=None):
    OSSDownloadObjectOperator(file_path="{{ dag_run.conf['file_path'] }}", **ARGUMENTS)
