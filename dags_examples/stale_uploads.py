"""
Clean up after uploads that nobody continues: their parts are billed, and in no listing of objects.

Give it a schedule such as ``@weekly``. The first task only tells what the second one is about to do.
"""

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.maintenance import OSSAbortStaleUploadsOperator

with DAG(
    dag_id="oss_stale_uploads",
    schedule=None,
    params={
        "older_than": Param("P31D", type="string", description="Longer than any pause between two attempts"),
        "prefix": Param("", type="string", description="Prefix, or oss://bucket/prefix"),
    },
    default_args={"older_than": "{{ params.older_than }}", "prefix": "{{ params.prefix }}"},
    tags=["oss"],
) as dag:
    preview = OSSAbortStaleUploadsOperator(task_id="preview", dry_run=True)
    abort = OSSAbortStaleUploadsOperator(task_id="abort")
    preview >> abort
