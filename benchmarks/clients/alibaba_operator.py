"""The alibaba provider: ``OSSUploadObjectOperator`` in a DAG. It has no settings for parts: its own defaults always."""

from __future__ import annotations

from typing import Final

from benchmarks.clients.airflow_task import CONNECTION_ID, FRAMEWORK, execute, provide_connection
from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

LIBRARY: Final = ("airflow.providers.alibaba.cloud.operators.oss",)
__all__ = ["FRAMEWORK", "LIBRARY", "upload"]


def upload(job: Job) -> None:
    """Make the DAG with the operator and execute it."""
    from airflow.providers.alibaba.cloud.operators.oss import OSSUploadObjectOperator
    from airflow.sdk import DAG

    provide_connection(
        {
            "conn_type": "oss",
            "schema": job.bucket,
            "extra": {
                "auth_type": "AK",
                "access_key_id": ACCESS_KEY_ID,
                "access_key_secret": ACCESS_KEY_SECRET,
                "region": REGION,
                "endpoint": job.endpoint,
            },
        }
    )
    with DAG("benchmark", schedule=None):
        upload_file = OSSUploadObjectOperator(
            task_id="upload_file",
            oss_conn_id=CONNECTION_ID,
            region=REGION,
            bucket_name=job.bucket,
            key=job.key,
            file=job.file_path,
        )
    execute(upload_file)
