"""
Functions whose output becomes objects: rows that are generated, a report in memory, one export for each of many tables.

A retried attempt calls the function again and sends only what OSS does not hold. It should give the same bytes then.
"""

from collections.abc import Iterator
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

with DAG(
    dag_id="oss_taskflow_stream",
    schedule=None,
    params={"lines": Param(1_000_000, type="integer")},
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
    tags=["oss"],
) as dag:

    @task
    def tables() -> list[str]:
        return ["orders", "customers", "items"]

    @task.oss_upload(key="exports/{{ run_id }}/{{ task.op_kwargs['table'] }}.csv.gz", compression="gzip")
    def export(table: str, params: dict[str, int]) -> Iterator[str]:
        """Yield a CSV; ``params`` is the task context's."""
        yield "table,number\n"
        for number in range(params["lines"]):
            yield f"{table},{number}\n"

    @task.oss_upload(key="exports/{{ run_id }}/index.txt")
    def index(stored: list[dict[str, object]]) -> str:
        """Return a text: what the other tasks stored."""
        return "".join(f"{one['uri']} {one['size']}\n" for one in stored)

    index(export.expand(table=tables()))
