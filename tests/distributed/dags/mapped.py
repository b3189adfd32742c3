"""One object from many mapped tasks. A run's ``conf`` says what is uploaded (``file_path``, ``key``)."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.transfers.ranges import mapped_upload

GROUP = "object"
RANGES = 4
PARALLEL = 2
PART_SIZE = 1024 * 1024

with DAG("mapped_upload", schedule=None):
    mapped_upload(
        GROUP,
        source="{{ dag_run.conf['file_path'] }}",
        key="{{ dag_run.conf['key'] }}",
        part_size=PART_SIZE,
        ranges=RANGES,
        parallel=PARALLEL,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
