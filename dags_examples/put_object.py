"""Store small things in one request: a text made from a template, and a file with everything OSS keeps beside it."""

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.oss import OSSPutObjectOperator

with DAG(
    dag_id="oss_put_object",
    schedule=None,
    params={"file_path": Param("/data/report.csv", type="string", description="File on the worker")},
    tags=["oss"],
) as dag:
    OSSPutObjectOperator(
        task_id="put_marker",
        key="exports/{{ run_id }}/_SUCCESS",
        data="written by {{ dag.dag_id }}\n",
    )
    OSSPutObjectOperator(
        task_id="put_file",
        key="exports/{{ run_id }}/report.csv",
        file_path="{{ params.file_path }}",
        mime="text/csv; charset=utf-8",
        meta={"dag": "{{ dag.dag_id }}"},
        headers={"Cache-Control": "no-cache", "Content-Disposition": 'attachment; filename="report.csv"'},
        tags={"team": "exports"},
        storage_class="IA",
    )
