"""A directory, whose upload can be interrupted. A run's ``conf`` says which (``directory``) and where to (``key``)."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator

with DAG("upload_directory", schedule=None):
    OSSUploadDirectoryOperator(
        task_id="upload",
        directory="{{ dag_run.conf['directory'] }}",
        key="{{ dag_run.conf['key'] }}",
        delete_removed=True,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
