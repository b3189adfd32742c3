"""
Let others write and read one object each, without an AccessKey.

Whoever has a URL can use it until it expires. So a task takes it out of XCom where it is used, and not as an argument,
which Airflow would keep and show among the rendered templates.
"""

import urllib.request
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, get_current_context, task

from airflow_provider_oss.operators.presign import OSSPresignURLOperator


@task
def use(task_id: str, data: str | None = None) -> str:
    """Make the request that the URL of the task is for, as a partner would; return the answer."""
    signed = get_current_context()["ti"].xcom_pull(task_ids=task_id)
    body = None if data is None else data.encode()
    request = urllib.request.Request(  # noqa: S310 - OSS's address, from the connection
        signed["url"], body, signed["headers"], method=signed["method"]
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return str(answer.read(), "utf-8")


with DAG(dag_id="oss_presigned_urls", schedule=None, tags=["oss"]) as dag:
    key = "handed-over/{{ run_id }}/report.csv"
    to_write = OSSPresignURLOperator(
        task_id="to_write",
        method="PUT",
        key=key,
        expires=timedelta(minutes=15),
        headers={"Content-Type": "text/csv"},
    )
    to_read = OSSPresignURLOperator(
        task_id="to_read",
        key=key,
        expires="PT15M",
        query={"response-content-disposition": 'attachment; filename="report.csv"'},
    )
    to_write >> use.override(task_id="write")("to_write", "a,b") >> to_read >> use.override(task_id="read")("to_read")
