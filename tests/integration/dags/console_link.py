"""A task whose object the OSS console is said to show, though it is on the local server."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.links import oss
from airflow_provider_oss.operators.oss import OSSPutObjectOperator

oss._PUBLIC_CLOUD = "127.0.0.1"  # type: ignore[misc]

with DAG("console_link", schedule=None):
    OSSPutObjectOperator(task_id="stores", key="linked/{{ run_id }}/a.txt", data="text")
    OSSPutObjectOperator(task_id="fails", key="linked/a.txt", bucket_name="missing-bucket", data="text")
    OSSPutObjectOperator.partial(task_id="mapped", data="text").expand(key=["linked/0/a.txt", "linked/1/a.txt"])
