# ruff: noqa: INP001 - a folder of DAGs is no package
"""An object and a directory, each by mapped tasks and by one task: all send by one connection what ``conf`` names."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator, mapped_directory_upload
from airflow_provider_oss.operators.oss import OSSResumableUploadOperator
from airflow_provider_oss.transfers.ranges import mapped_upload

TASKS = 4
_PATH = "{{ dag_run.conf['path'] }}"
_KEY = "{{ dag_run.conf['key'] }}"

with DAG("object", schedule=None):
    mapped_upload("all", source=_PATH, key=_KEY, part_size="4 MiB", ranges=TASKS, parallel=1)

with DAG("object_alone", schedule=None):
    OSSResumableUploadOperator(task_id="all", file_path=_PATH, key=_KEY, part_size="4 MiB", parallel=1)

with DAG("directory", schedule=None):
    mapped_directory_upload("all", directory=_PATH, key=_KEY, shards=TASKS, parallel=1)

with DAG("directory_alone", schedule=None):
    OSSUploadDirectoryOperator(task_id="all", directory=_PATH, key=_KEY, parallel=1)
