"""This package: ``OSSHook.upload_file`` with a checkpoint, as the operator calls it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from benchmarks.clients.credentials import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION
from benchmarks.job import Job

if TYPE_CHECKING:
    from airflow_provider_oss.model import Checkpoint

FRAMEWORK: Final = ("airflow.sdk", "airflow.sdk.execution_time.supervisor", "airflow.sdk.execution_time.task_runner")
"""What every task's process has loaded before the task begins."""
LIBRARY: Final = (
    "airflow_provider_oss.hooks.oss",
    "airflow_provider_oss.clients.object_client",
    "oss2",
    "jsonschema",
)


class _Memory:
    """A checkpoint store that keeps the checkpoint in memory."""

    def __init__(self) -> None:
        self._checkpoint: Checkpoint | None = None

    def load(self) -> Checkpoint | None:
        """Return the checkpoint that was saved last."""
        return self._checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the checkpoint."""
        self._checkpoint = checkpoint

    def delete(self) -> None:
        """Keep nothing."""
        self._checkpoint = None


def upload(job: Job) -> None:
    """Upload with CRC-64; it cannot be switched off."""
    from airflow_provider_oss.hooks.oss import OSSHook

    os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps(
        {
            "conn_type": "aliyun_oss",
            "host": job.endpoint,
            "login": ACCESS_KEY_ID,
            "password": ACCESS_KEY_SECRET,
            "schema": job.bucket,
            "extra": {"region": REGION},
        }
    )
    OSSHook("benchmark").upload_file(
        job.key, job.file_path, part_size=job.part_size_bytes, parallel=job.parallel, checkpoint=_Memory()
    )
