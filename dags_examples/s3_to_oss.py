"""
Copy what another job left in S3 to OSS, the folders kept; a retried task sends only what is missing.

``source`` may be any storage that Airflow's ObjectStoragePath knows: ``gs://``, ``abfs://``, ``file://``, ... with the
id of its connection before the bucket. S3 needs ``apache-airflow-providers-amazon[s3fs]``.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator

with DAG(
    dag_id="oss_s3_to_oss",
    schedule=None,
    params={
        "dump": Param("s3://aws_default@source/dump.bin", type="string", description="One object"),
        "exports": Param("s3://aws_default@source/exports/**/*.csv", type="string", description="A glob"),
    },
    tags=["oss"],
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
) as dag:
    ObjectStorageToOSSOperator(task_id="one", source="{{ params.dump }}", key="mirror/{{ run_id }}/dump.bin")
    # s3://.../exports/eu/orders.csv becomes mirror/<run>/exports/eu/orders.csv
    ObjectStorageToOSSOperator(task_id="tree", source="{{ params.exports }}", prefix="mirror/{{ run_id }}/exports")
