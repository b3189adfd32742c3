"""
The same upload with each checkpoint store.

``auto`` is the task state store (``task_state``) from Airflow 3.3 on, before that a Variable. ``xcom:export`` keeps the
checkpoint in the XCom of another task of the run, which is ``export``: Airflow deletes a task's own XComs when it is
retried.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

with DAG(
    dag_id="oss_checkpoint_stores",
    schedule=None,
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1)},
    params={"file_path": Param("/data/dump.bin", type="string", description="File on the worker")},
    tags=["oss"],
) as dag:

    @task
    def export(params: dict[str, str]) -> str:
        """Stand for the job that writes the file."""
        return params["file_path"]

    file_path = export()
    for name, store in {"auto": "auto", "variable": "variable", "xcom": "xcom:export"}.items():
        OSSResumableUploadOperator(
            task_id=f"upload_{name}",
            file_path=file_path,
            key=f"dumps/{{{{ run_id }}}}/{name}.bin",
            checkpoint=store,
        )
