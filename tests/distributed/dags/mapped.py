"""One object, and one directory, from four mapped tasks. A run's ``conf`` has what is uploaded: ``source``, ``key``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.operators.directory import mapped_directory_upload
from airflow_provider_oss.transfers.ranges import mapped_upload

GROUP = "group"
TASKS = 4
PARALLEL = 2
PART_SIZE = 1024 * 1024

SOURCE = "{{ dag_run.conf['source'] }}"
arguments: dict[str, Any] = {
    "key": "{{ dag_run.conf['key'] }}",
    "parallel": PARALLEL,
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
}

with DAG("mapped_upload", schedule=None):
    mapped_upload(GROUP, source=SOURCE, part_size=PART_SIZE, ranges=TASKS, **arguments)

with DAG("mapped_directory", schedule=None):
    mapped_directory_upload(GROUP, directory=SOURCE, shards=TASKS, **arguments)
