"""
Upload streams of unknown length, one of them compressed on its way; a retried attempt sends only what is missing.

A function is called anew in every attempt. It should yield the same bytes then: what differs is sent again.
"""

from collections.abc import Iterator
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.oss import OSSResumableStreamOperator


def lines(run_id: str, params: dict[str, int]) -> Iterator[bytes]:
    """Yield a CSV; the parameters' names ask for those values of the task context."""
    yield b"run,number\n"
    for number in range(params["lines"]):
        yield f"{run_id},{number}\n".encode()


with DAG(
    dag_id="oss_resumable_stream",
    schedule=None,
    params={
        "lines": Param(1_000_000, type="integer"),
        "url": Param("file:///data/dump.bin", type="string", description="Anything ObjectStoragePath opens"),
    },
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
    tags=["oss"],
) as dag:
    OSSResumableStreamOperator(
        task_id="from_function",
        key="exports/{{ run_id }}/numbers.csv.gz",
        stream=lines,
        compression="gzip",
    )
    OSSResumableStreamOperator(
        task_id="from_url",
        key="exports/{{ run_id }}/dump.bin",
        stream="{{ params.url }}",
        parallel=4,
    )
