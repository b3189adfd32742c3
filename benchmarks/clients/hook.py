"""This package: ``OSSHook.upload_file`` with a checkpoint, as the operator calls it. CRC-64 cannot be switched off."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.clients.airflow_task import CONNECTION_ID, FRAMEWORK, provide_our_connection
from benchmarks.clients.memory_store import MemoryStore
from benchmarks.job import Job

LIBRARY: Final = ("airflow_provider_oss.hooks.oss",)
__all__ = ["FRAMEWORK", "LIBRARY", "upload"]


def upload(job: Job) -> None:
    """Upload, beginning with the connection's lookup."""
    from airflow_provider_oss.hooks.oss import OSSHook

    provide_our_connection(job)
    settings: dict[str, Any] = {} if job.parallel is None else {"parallel": job.parallel}
    OSSHook(CONNECTION_ID).upload_file(
        job.key, job.file_path, part_size=job.part_size_bytes, checkpoint=MemoryStore(), **settings
    )
