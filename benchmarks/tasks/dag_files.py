"""The DAG files that are parsed: all alike but for the operators in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TASKS: Final = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of DAG file: what it imports, and the tasks that it makes in turn."""

    name: str
    imports: str
    tasks: tuple[str, ...]
    """Calls without their task_id, which comes first."""

    def write(self, folder: Path, files: int) -> None:
        """Write so many DAG files, each with ten tasks, one after the other."""
        folder.mkdir()
        for number in range(files):
            (folder / f"{self.dag_id(number)}.py").write_text(self._text(number), "utf-8")

    def dag_id(self, number: int) -> str:
        """Return the id of the DAG in file ``number``."""
        return f"export_{number:03}"

    def _text(self, number: int) -> str:
        calls = [self.tasks[index % len(self.tasks)] for index in range(_TASKS)]
        tasks = [f"    task_{index} = {call.format(task_id=f'task_{index}')}" for index, call in enumerate(calls)]
        chain = f"    chain({', '.join(f'task_{index}' for index in range(_TASKS))})"
        dag = f'with DAG("{self.dag_id(number)}", schedule=None):'
        return "\n".join(["from airflow.sdk import DAG, chain", self.imports, "", dag, *tasks, chain, ""])


EMPTY: Final = Kind(
    "EmptyOperator",
    "from airflow.providers.standard.operators.empty import EmptyOperator",
    ('EmptyOperator(task_id="{task_id}")',),
)
OURS: Final = Kind(
    "airflow_provider_oss",
    "from airflow_provider_oss.operators.oss import (\n"
    "    OSSPutObjectOperator, OSSPutStreamOperator, OSSResumableUploadOperator)",
    (
        'OSSResumableUploadOperator(task_id="{task_id}", key="exports/{{{{ ds }}}}.bin", file_path="/data/export.bin")',
        'OSSPutObjectOperator(task_id="{task_id}", key="exports/{{{{ ds }}}}/_SUCCESS", data="{{{{ run_id }}}}")',
        'OSSPutStreamOperator(task_id="{task_id}", key="exports/{{{{ ds }}}}.csv", stream="file:///data/export.csv")',
    ),
)
ALIBABA: Final = Kind(
    "alibaba OSSUploadObjectOperator",
    "from airflow.providers.alibaba.cloud.operators.oss import OSSUploadObjectOperator",
    ('OSSUploadObjectOperator(task_id="{task_id}", key="exports/{{{{ ds }}}}.bin", file="/data/a", region="here")',),
)
KINDS: Final = (EMPTY, OURS, ALIBABA)
