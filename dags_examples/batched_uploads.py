"""
Upload more files than a task may be mapped over: in batches of 1,000, each by a mapped task instance.

Airflow maps a task over at most ``[core] max_map_length`` items, 1,024 by default. So not the files are mapped, but
lists of them; a retried attempt sends what is missing of its batch.
"""

from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_oss.operators.files import OSSUploadFilesOperator

with DAG(
    dag_id="oss_batched_uploads",
    schedule=None,
    params={
        "folder": Param("/data/exports", type="string", description="Folder on the worker"),
        "batch": Param(1000, type="integer", minimum=1, description="Files of a task instance"),
    },
    tags=["oss"],
) as dag:

    @task
    def find_batches(params: dict[str, object]) -> list[dict[str, str]]:
        """Return the files of each batch: the path of each by its name below the prefix."""
        folder, batch = Path(str(params["folder"])), int(str(params["batch"]))
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return [
            {str(path.relative_to(folder)): str(path) for path in paths[start : start + batch]}
            for start in range(0, len(paths), batch)
        ]

    OSSUploadFilesOperator.partial(
        task_id="upload",
        key="exports",
        retries=5,
        retry_delay=timedelta(seconds=1),  # for the tests, which wait for the retry; give it minutes
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.files | first }} and {{ task.files | length - 1 }} more",
    ).expand(files=find_batches())
