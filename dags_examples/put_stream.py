"""Store what a function yields, and what any fsspec path holds, without a temporary file and in constant memory."""

from collections.abc import Iterator

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.oss import OSSPutStreamOperator


def lines(run_id: str) -> Iterator[bytes]:
    """Yield a CSV; the parameter's name asks for that value of the task context."""
    yield b"run,number\n"
    for number in range(1000):
        yield f"{run_id},{number}\n".encode()


with DAG(
    dag_id="oss_put_stream",
    schedule=None,
    params={"url": Param("file:///data/report.csv", type="string", description="Anything ObjectStoragePath opens")},
    tags=["oss"],
) as dag:
    OSSPutStreamOperator(task_id="from_function", key="exports/{{ run_id }}/numbers.csv", stream=lines)
    OSSPutStreamOperator(task_id="from_url", key="exports/{{ run_id }}/copy.csv", stream="{{ params.url }}")
