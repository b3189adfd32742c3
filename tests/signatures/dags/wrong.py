"""A DAG of mistakes: each line that says so is refused by every type checker, and no other line is."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss.decorators.oss_upload import oss_upload_task
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.oss import OSSPutObjectOperator, OSSResumableUploadOperator
from airflow_provider_oss.sensors.oss import OSSKeySensor

with DAG("wrong", schedule=None):
    OSSResumableUploadOperator(task_id="a", kee="k", key="k", file_path="/data/a")  # wrong: misspelt
    OSSResumableUploadOperator(task_id="b", key="k", file_path="/data/a", part_sise=5)  # wrong: misspelt
    OSSResumableUploadOperator(task_id="c", file_path="/data/a")  # wrong: no key
    OSSResumableUploadOperator(task_id="d", key="k")  # wrong: no file_path
    OSSResumableUploadOperator(key="k", file_path="/data/a")  # wrong: no task_id
    OSSResumableUploadOperator(task_id="e", key=5, file_path="/data/a")  # wrong: no text
    OSSResumableUploadOperator(task_id="f", key="k", file_path="/data/a", part_size=1.5)  # wrong: no whole number
    OSSResumableUploadOperator(task_id="g", key="k", file_path="/data/a", meta={"a": ["b"]})  # wrong: a list in it
    OSSResumableUploadOperator(task_id="h", key="k", file_path="/data/a", checkpoint=5)  # wrong: no store
    OSSResumableUploadOperator(task_id="i", key="k", file_path="/data/a", progress="a")  # wrong: no function
    OSSResumableUploadOperator(task_id="j", key="k", file_path="/data/a", retries="many")  # wrong: Airflow's own
    OSSResumableUploadOperator(task_id="k", key="k", file_path="/data/a", trigger_rules="all_done")  # wrong: misspelt
    OSSPutObjectOperator(task_id="l", key="k", data="text", forbid_overwrite="yes")  # wrong: no switch
    OSSPutObjectOperator(task_id="m", key="k", data={"a": 1})  # wrong: no text
    OSSKeySensor(task_id="n", key="k", poke_intervall=60)  # wrong: misspelt
    OSSKeySensor(task_id="o", key=None)  # wrong: no key

    @oss_upload_task(compression="gzip")  # wrong: no key
    def rows() -> str:
        """Return rows."""
        return "a"

    @oss_upload_task(key="a", compresion="gzip")  # wrong: misspelt
    def more_rows() -> str:
        """Return rows."""
        return "a"

    @task
    def by_hook() -> None:
        """Use the hook."""
        hook = OSSHook("oss_default", regionn="cn-hangzhou")  # wrong: misspelt
        hook.put_object("a", 5)  # wrong: no data
        hook.put_object("a", "text", akl="private")  # wrong: misspelt
        hook.upload_file("a", "/data/a", part_size=1.5)  # wrong: no whole number
