"""
Work with OSS as with a filesystem: ``oss://<connection id>@<bucket>/<key>`` in Airflow's ObjectStoragePath.

What a task writes is there when the file was closed, whole; a task that fails half way leaves the old object as it was.
FileTransferOperator (apache-airflow-providers-common-io) copies between any two storages that Airflow knows.
"""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator

BASE = ObjectStoragePath("oss://oss_default@exports/object-storage")

with DAG(
    dag_id="oss_object_storage",
    schedule=None,
    params={"file_path": Param("/data/dump.csv", type="string", description="A file of the worker")},
    tags=["oss"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:

    @task
    def write(run_id: str) -> str:
        """Write a report, a line at a time: nothing is kept on disk, however long it is."""
        path = BASE / run_id / "report.csv"
        with path.open("w", mime="text/csv") as file:
            for number in range(1000):
                file.write(f"{number},{number * number}\n")
        return str(path)

    @task
    def summarize(report: str) -> dict[str, int]:
        """Read it back, and keep a copy under another name."""
        path = ObjectStoragePath(report)
        lines = path.read_text().splitlines()
        path.copy(path.parent / "kept.csv")
        return {"lines": len(lines), "files": len(list(path.parent.glob("*.csv")))}

    transfer = FileTransferOperator(
        task_id="transfer",
        src="{{ params.file_path }}",
        dst="oss://oss_default@exports/object-storage/{{ run_id }}/dump.csv",
        overwrite=True,  # a second try replaces what the first one wrote
    )

    summarize(write()) >> transfer
