"""
Two DAGs joined by an object: one stores it, the other runs whenever it was stored, and reads it.

The asset has a fixed key, for an asset is known when the DAG is parsed: what each run stores under it is the newest.
"""

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Asset, Param, task

from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

KEY = "oss://exports/daily/customers.csv"
EXPORT = Asset(KEY)

with DAG(
    dag_id="oss_asset_producer",
    schedule=None,
    params={"file_path": Param("/data/customers.csv", type="string", description="File on the worker")},
    tags=["oss"],
):
    OSSResumableUploadOperator(
        task_id="upload",
        key=KEY,
        file_path="{{ params.file_path }}",
        outlets=[EXPORT],
    )

with DAG(dag_id="oss_asset_consumer", schedule=[EXPORT], start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["oss"]):

    @task(inlets=[EXPORT])
    def archive() -> int:
        """Copy the object, with the hook, whose reads and writes are lineage too; return its size."""
        from airflow_provider_oss.hooks.oss import OSSHook  # noqa: PLC0415 - only the task needs it

        return OSSHook().copy_object(KEY, "archive/customers.csv").size

    archive()
