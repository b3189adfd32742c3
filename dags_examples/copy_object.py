"""
Let OSS copy an object aside before something replaces it; nothing of it passes through the worker.

A copy of more than 1 GB is made in parts, and a retried attempt continues it.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.copy import OSSCopyObjectOperator

with DAG(
    dag_id="oss_copy_object",
    schedule=None,
    params={
        "source": Param("reports/report.bin", type="string", description="Object name, or oss://bucket/key"),
        "archive": Param("archive", type="string", description="Prefix of the copy"),
    },
    tags=["oss"],
) as dag:
    OSSCopyObjectOperator(
        task_id="copy",
        source_key="{{ params.source }}",
        key="{{ params.archive }}/{{ params.source }}",
        retries=5,
        retry_delay=timedelta(minutes=1),
    )
