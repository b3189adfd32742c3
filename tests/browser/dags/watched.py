"""Transfers of every look, slow enough to be watched. A run's ``conf`` says what is stored (``source``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.oss import OSSResumableStreamOperator, OSSResumableUploadOperator
from airflow_provider_oss.transfers.ranges import mapped_upload
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator

MIB = 1024 * 1024
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=3)}
SOURCE = "{{ dag_run.conf['source'] }}"


def blocks() -> Iterator[bytes]:
    """Yield 24 MiB."""
    for number in range(24):
        yield bytes([number]) * MIB


with DAG("watched_upload", schedule=None):
    OSSResumableUploadOperator(
        task_id="upload", file_path=SOURCE, key="dumps/orders.bin", part_size=MIB, parallel=4, **RETRIES
    )

with DAG("watched_stream", schedule=None):
    OSSResumableStreamOperator(task_id="stream", stream=blocks, key="logs/today.bin", part_size=MIB, **RETRIES)

with DAG("watched_export", schedule=None):
    SQLToOSSOperator(
        task_id="export", sql="SELECT id, text FROM orders ORDER BY id", conn_id="orders", key="orders.csv", **RETRIES
    )

with DAG("watched_directory", schedule=None):
    OSSUploadDirectoryOperator(task_id="mirror", directory=SOURCE, key="site/", **RETRIES)

with DAG("watched_ranges", schedule=None):
    mapped_upload("ranges", source=SOURCE, key="dumps/ranges.bin", ranges=2, part_size=MIB, parallel=2, **RETRIES)
