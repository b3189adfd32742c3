"""
Upload a file of any size; a retried attempt continues where the last one stopped.

``make demo`` runs this DAG in a real Airflow and kills the task in mid-upload. Its parameters can be changed when the
DAG is triggered; the connection ``oss_default`` names the endpoint, the AccessKey and the default bucket.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

with DAG(
    dag_id="oss_resumable_upload",
    schedule=None,
    params={
        "file_path": Param("/data/dump.bin", type="string", description="File on the worker"),
        "key": Param("dumps/dump.bin", type="string", description="Object name, or oss://bucket/key"),
        "part_size": Param(8 * 1024 * 1024, type="integer", description="Bytes in a part"),
    },
    tags=["oss"],
) as dag:
    OSSResumableUploadOperator(
        task_id="upload",
        file_path="{{ params.file_path }}",
        key="{{ params.key }}",
        part_size="{{ params.part_size }}",
        parallel=4,
        retries=5,
        retry_delay=timedelta(seconds=1),  # for `make demo`, which waits for the retry; give it minutes
    )
