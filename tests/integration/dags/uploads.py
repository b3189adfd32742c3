"""Resumable uploads that can be interrupted in every way, one DAG for each checkpoint store.

A run's ``conf`` says what is uploaded (``file_path``, ``key``) and at which fraction which attempt raises an error
(``raise_at``: attempt to fraction).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, get_current_context, task
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_oss.checkpoint.choice import choose_store
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

PART_SIZE = 4 * 1024 * 1024
PARALLEL = 4
EXECUTION_TIMEOUT = timedelta(seconds=8)


def raise_when_asked(fraction: float, _checkpoint: Any, _response: Any) -> None:
    """Fail the attempt, as a user's own callback may."""
    context = get_current_context()
    raise_at = (context["dag_run"].conf or {}).get("raise_at", {}).get(str(context["ti"].try_number))
    if raise_at is not None and fraction >= raise_at:
        raise RuntimeError(f"the callback fails at {fraction:.0%}")


def upload(store: str, **arguments: Any) -> OSSResumableUploadOperator:
    """Return the task that all these DAGs are about."""
    usual = {"retries": 3, "retry_delay": timedelta(seconds=1)}
    return OSSResumableUploadOperator(
        task_id="upload",
        file_path="{{ dag_run.conf['file_path'] }}",
        key="{{ dag_run.conf['key'] }}",
        part_size=PART_SIZE,
        parallel=PARALLEL,
        checkpoint=store,
        progress=raise_when_asked,
        **usual | arguments,
    )


@task(task_id="upload", retries=3, retry_delay=timedelta(seconds=1), multiple_outputs=False)
def upload_by_hook() -> dict[str, Any]:
    """Upload without an operator."""
    context = get_current_context()
    conf, store = context["dag_run"].conf or {}, choose_store("auto", context)
    stored = OSSHook().upload_file(
        conf["key"], conf["file_path"], part_size=PART_SIZE, parallel=PARALLEL, checkpoint=store
    )
    return stored.as_dict()


for name in ("auto", "task_state", "variable", "xcom"):
    with DAG(f"upload_{name}", schedule=None):
        EmptyOperator(task_id="before") >> upload(name)
    with DAG(f"upload_in_time_{name}", schedule=None):
        EmptyOperator(task_id="before") >> upload(name, execution_timeout=EXECUTION_TIMEOUT)

with DAG("upload_alone", schedule=None):
    upload("xcom")

with DAG("upload_hook", schedule=None):
    upload_by_hook()

with DAG("upload_variable_once", schedule=None):
    upload("variable", retries=0)
with DAG("upload_variable_later", schedule=None):
    upload("variable", retry_delay=timedelta(seconds=20))
