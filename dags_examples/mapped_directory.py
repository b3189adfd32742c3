"""
One large directory by several tasks at a time, on as many workers as there are: planned, sent in shards, finished.

It pays where one worker is the limit. All workers must see the directory: a shared volume. A task that fails is
retried, or cleared, by itself. What the directory does not have any more is deleted when all of it is stored.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.directory import mapped_directory_upload

with DAG(
    dag_id="oss_mapped_directory",
    schedule=None,
    params={
        "directory": Param("/data/exports", type="string", description="Directory, the same on all workers"),
        "prefix": Param("exports", type="string", description="Prefix, or oss://bucket/prefix"),
    },
    tags=["oss"],
) as dag:
    mapped_directory_upload(
        "upload_directory",
        directory="{{ params.directory }}",
        key="{{ params.prefix }}",
        shards=4,
        exclude=["**/_temporary/**"],
        delete_removed=True,
        retries=5,
        retry_delay=timedelta(seconds=1),  # for the tests, which wait for the retry; give it minutes
        max_active_tis_per_dagrun=4,
    )
