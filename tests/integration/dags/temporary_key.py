"""What may show a secret: an upload that fails in many ways and is killed, and presigned URLs that are used.

A run's ``conf`` says what is uploaded where (``file_path``, ``key``), and in which folder outside Airflow the URLs are
told. Every other attempt signs as V4 and V1 do, with connections of these names.
"""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import dag, get_current_context, task

from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.oss import OSSResumableUploadOperator

HEADERS = {"Content-Type": "text/plain"}


@task
def use_presigned_urls() -> list[int]:
    """Store an object through a presigned URL of each kind and return the statuses of the answers."""
    return [_put(f"oss_{version}") for version in ("v4", "v1")]


def _put(conn_id: str) -> int:
    conf = get_current_context()["dag_run"].conf or {}
    url = OSSHook(conn_id).sign_url("PUT", f"{conf['key']}.{conn_id}", timedelta(minutes=5), headers=HEADERS)
    (Path(conf["url_folder"]) / conn_id).write_text(url)
    request = urllib.request.Request(url, b"presigned", HEADERS, method="PUT")  # noqa: S310 - the local server's
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return int(answer.status)


@dag(schedule=None)
def temporary_key() -> None:
    """Two tasks that know a temporary key."""
    OSSResumableUploadOperator(
        task_id="upload",
        oss_conn_id="{{ 'oss_v4' if ti.try_number % 2 else 'oss_v1' }}",
        file_path="{{ dag_run.conf['file_path'] }}",
        key="{{ dag_run.conf['key'] }}",
        part_size=100 * 1024,
        parallel=1,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
    use_presigned_urls()


temporary_key()
