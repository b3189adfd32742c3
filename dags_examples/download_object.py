"""
Download an object to a file on the worker, whole or not at all; a retried attempt asks for what has not arrived.

Whoever reads the file sees the old one or the new one. The directory should outlive the attempt: a volume that the
workers share, or the disk of the worker if there is one.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.download import OSSDownloadObjectOperator

with DAG(
    dag_id="oss_download_object",
    schedule=None,
    params={
        "key": Param("reports/report.bin", type="string", description="Object name, or oss://bucket/key"),
        "directory": Param("/data/reports", type="string", description="Directory on the worker"),
    },
    tags=["oss"],
) as dag:
    OSSDownloadObjectOperator(
        task_id="download",
        key="{{ params.key }}",
        file_path="{{ params.directory }}/{{ run_id }}/report.bin",
        retries=5,
        retry_delay=timedelta(minutes=1),
    )
