"""This package: ``OSSResumableUploadOperator`` in a DAG, executed as a task does it, its checkpoint in memory."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.clients.airflow_task import CONNECTION_ID, FRAMEWORK, execute, provide_our_connection
from benchmarks.clients.memory_store import MemoryStore
from benchmarks.job import Job

LIBRARY: Final = ("airflow_provider_oss.operators.oss",)
__all__ = ["FRAMEWORK", "LIBRARY", "upload"]


def upload(job: Job) -> None:
    """Make the DAG with the operator and execute it."""
    from airflow.sdk import DAG

    from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

    provide_our_connection(job)
    settings: dict[str, Any] = {} if job.parallel is None else {"parallel": job.parallel}
    with DAG("benchmark", schedule=None):
        upload_file = OSSResumableUploadOperator(
            task_id="upload_file",
            oss_conn_id=CONNECTION_ID,
            key=job.key,
            file_path=job.file_path,
            part_size=job.part_size_bytes,
            checkpoint=MemoryStore(),
            **settings,
        )
    execute(upload_file)
