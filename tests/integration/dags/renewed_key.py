"""An upload that is signed with what a credentials URI gives, and that shows what it is signed with as often as it can.

A run's ``conf`` says what is uploaded where (``file_path``, ``key``).
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, get_current_context, task

from airflow_provider_oss.hooks.oss import OSSHook

PART_SIZE = 4 * 1024 * 1024
PARALLEL = 4


@task
def upload() -> int:
    """Upload, and print the token whenever a part is stored; return how many attempts the upload took."""
    conf = get_current_context()["dag_run"].conf or {}
    hook = OSSHook("oss_renewed")

    def show(*_: object) -> None:
        print(f"the token is {hook._client.credentials.security_token}.")  # noqa: T201 - user code that tells too much

    result = hook.upload_file(conf["key"], conf["file_path"], part_size=PART_SIZE, parallel=PARALLEL, progress=show)
    return result.attempts


@dag(schedule=None)
def renewed_key() -> None:
    """One task."""
    upload()


renewed_key()
