"""
Keep a prefix equal to a local directory: what is unchanged is not sent, what is gone is deleted.

The first task only tells what the second one is about to do. A retried attempt continues; a second run sends what has
changed since, by content, not by time.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator

with DAG(
    dag_id="oss_directory_sync",
    schedule=None,
    params={
        "directory": Param("/data/exports", type="string", description="Directory on the worker"),
        "prefix": Param("exports", type="string", description="Prefix, or oss://bucket/prefix"),
    },
    default_args={
        "retries": 5,
        "retry_delay": timedelta(minutes=1),
        "directory": "{{ params.directory }}",
        "key": "{{ params.prefix }}",
        "include": ["**/*.csv", "**/*.parquet"],
        "exclude": ["**/_temporary/**"],
        "symlinks": "skip",
        "delete_removed": True,
    },
    tags=["oss"],
) as dag:
    preview = OSSUploadDirectoryOperator(task_id="preview", dry_run=True)
    sync = OSSUploadDirectoryOperator(task_id="sync", parallel=8)
    preview >> sync
