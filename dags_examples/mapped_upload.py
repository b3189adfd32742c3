"""Upload one large file by many mapped tasks, on as many workers: each sends a range of its parts."""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.transfers.ranges import mapped_upload

with DAG(
    dag_id="oss_mapped_upload",
    schedule=None,
    params={
        "source": Param("/data/exports/dump.bin", type="string", description="A file that all workers see"),
        "key": Param("exports/{{ ds_nodash }}/dump.bin", type="string"),
    },
    tags=["oss"],
) as dag:
    mapped_upload(
        "upload",
        source="{{ params.source }}",
        key="{{ params.key }}",
        ranges=4,
        retries=5,
        retry_delay=timedelta(seconds=1),  # for the tests, which wait for the retry; give it minutes
    )
