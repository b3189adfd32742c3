# ruff: noqa: INP001 - a folder of DAGs is no package
"""One object from mapped tasks, each of which sends by one connection: what the run's ``conf`` names."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_oss.transfers.ranges import mapped_upload

DAG_ID = "mapped"
SEND = "object.send"
RANGES = 4

with DAG(DAG_ID, schedule=None):
    mapped_upload(
        "object",
        source="{{ dag_run.conf['file_path'] }}",
        key="{{ dag_run.conf['key'] }}",
        part_size="4 MiB",
        ranges=RANGES,
        parallel=1,
    )
