"""
A stream out of a generator, which can be interrupted in every way.

A run's ``conf`` says what is uploaded (``size_bytes``, ``key``), at which byte which attempt's generator raises
(``raise_at``: attempt to byte), and from which byte on which attempt gives other bytes (``differs_from``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_oss.operators.oss import OSSResumableStreamOperator

BLOCK_SIZE = 1_000_000


def blocks(size_bytes: int, differs_from: int | None = None) -> Iterator[bytes]:
    """Yield so many bytes that look random, in blocks of a million; from one byte on others than usual."""
    for start in range(0, size_bytes, BLOCK_SIZE):
        differs = differs_from is not None and start >= differs_from
        yield random.Random(f"{start} {differs}").randbytes(min(BLOCK_SIZE, size_bytes - start))


def generated(dag_run: Any, ti: Any) -> Iterator[bytes]:
    """Yield what the run's ``conf`` asks for in this attempt."""
    attempt = str(ti.try_number)
    raise_at = dag_run.conf.get("raise_at", {}).get(attempt)
    done = 0
    for block in blocks(dag_run.conf["size_bytes"], dag_run.conf.get("differs_from", {}).get(attempt)):
        if raise_at is not None and done >= raise_at:
            raise RuntimeError(f"the generator fails at byte {done}")
        yield block
        done += len(block)


with DAG("upload_stream", schedule=None):
    OSSResumableStreamOperator(
        task_id="upload",
        stream=generated,
        key="{{ dag_run.conf['key'] }}",
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
