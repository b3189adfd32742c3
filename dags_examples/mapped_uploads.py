"""
Upload a list of files that is known only at run time: a mapped task instance each, with a checkpoint of its own.

For a few large files: Airflow maps a task over at most ``[core] max_map_length`` items, 1,024 by default. Of more, see
``batched_uploads``.
"""

from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

with DAG(
    dag_id="oss_mapped_uploads",
    schedule=None,
    params={"folder": Param("/data/exports", type="string", description="Folder on the worker")},
    tags=["oss"],
) as dag:

    @task
    def find_files(params: dict[str, str]) -> list[dict[str, str]]:
        """Return the arguments of one upload for each file."""
        folder = Path(params["folder"])
        return [
            {"file_path": str(path), "key": f"exports/{path.relative_to(folder)}"}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    OSSResumableUploadOperator.partial(
        task_id="upload",
        retries=5,
        retry_delay=timedelta(seconds=1),  # for the tests, which wait for the retry; give it minutes
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.key }}",
    ).expand_kwargs(find_files())
