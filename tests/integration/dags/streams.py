"""
A stream out of a generator, which can be interrupted in every way.

A run's ``conf`` says what is uploaded (``size_bytes``, ``key``), at which byte which attempt's generator raises
(``raise_at``: attempt to byte), or skips the task (``skip_at``), from which byte on which attempt gives other bytes
(``differs_from``), and which attempt is skipped before it begins (``skip_before``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

from airflow_provider_oss.operators.oss import OSSResumableStreamOperator

BLOCK_SIZE = 1_000_000
RETRIES: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=1)}


def blocks(size_bytes: int, differs_from: int | None = None) -> Iterator[bytes]:
    """Yield so many bytes that look random, in blocks of a million; from one byte on others than usual."""
    for start in range(0, size_bytes, BLOCK_SIZE):
        differs = differs_from is not None and start >= differs_from
        yield random.Random(f"{start} {differs}").randbytes(min(BLOCK_SIZE, size_bytes - start))


def generated(dag_run: Any, ti: Any) -> Iterator[bytes]:
    """Yield what the run's ``conf`` asks for in this attempt."""
    attempt = str(ti.try_number)
    raise_at, skip_at = (dag_run.conf.get(name, {}).get(attempt) for name in ("raise_at", "skip_at"))
    done = 0
    for block in blocks(dag_run.conf["size_bytes"], dag_run.conf.get("differs_from", {}).get(attempt)):
        if raise_at is not None and done >= raise_at:
            raise RuntimeError(f"the generator fails at byte {done}")
        if skip_at is not None and done >= skip_at:
            raise AirflowSkipException(f"the generator skips at byte {done}")
        yield block
        done += len(block)


def skips_before(context: Any) -> bool:
    """Whether this attempt is to be skipped before it begins."""
    skipped: bool = context["dag_run"].conf.get("skip_before") == context["ti"].try_number
    return skipped


with DAG("upload_stream", schedule=None):
    OSSResumableStreamOperator(task_id="upload", stream=generated, key="{{ dag_run.conf['key'] }}", **RETRIES)


with DAG("upload_taskflow", schedule=None):

    @task.skip_if(skips_before)
    @task.oss_upload(key="{{ task.op_kwargs['folder'] }}/{{ dag_run.conf['key'] }}", **RETRIES)
    def upload(folder: str, dag_run: Any, ti: Any) -> Iterator[bytes]:
        """Yield the same, into a folder."""
        assert folder == dag_run.run_id
        yield from generated(dag_run, ti)

    upload(folder="{{ run_id }}")
