"""One object by many mapped tasks. A run's ``conf`` says what is uploaded: ``source`` and ``key``."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.transfers.ranges import mapped_upload

PART_SIZE = 1024 * 1024

with DAG("mapped_upload", schedule=None):
    mapped_upload(
        "upload",
        source="{{ dag_run.conf['source'] }}",
        key="{{ dag_run.conf['key'] }}",
        ranges=3,
        part_size=PART_SIZE,
        parallel=2,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
