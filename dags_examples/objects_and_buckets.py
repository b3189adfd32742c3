"""A bucket of its own for a run: created, filled, its objects listed, tagged and deleted, and the bucket with them."""

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.operators.buckets import OSSCreateBucketOperator, OSSDeleteBucketOperator
from airflow_provider_oss.operators.objects import OSSDeleteObjectsOperator, OSSListOperator
from airflow_provider_oss.operators.oss import OSSPutObjectOperator
from airflow_provider_oss.operators.tags import OSSGetObjectTagsOperator, OSSSetObjectTagsOperator

with DAG(
    dag_id="oss_objects_and_buckets",
    schedule=None,
    params={"bucket": Param("a-bucket-of-its-own", type="string", description="A name that nobody has yet")},
    default_args={"bucket_name": "{{ params.bucket }}"},
    tags=["oss"],
) as dag:
    create = OSSCreateBucketOperator(task_id="create", acl="private", storage_class="IA")
    names = {"map_index_template": "{{ task.key }}"}  # what the UI shows of each mapped task
    fill = OSSPutObjectOperator.partial(task_id="fill", data="{{ run_id }}", **names).expand(
        key=["exports/eu/orders.csv", "exports/us/orders.csv", "exports/readme.txt"]
    )
    list_exports = OSSListOperator(task_id="list", prefix="exports/", include="**/*.csv")
    tag = OSSSetObjectTagsOperator.partial(task_id="tag", tags={"run": "{{ run_id }}"}, **names).expand(
        key=list_exports.output
    )
    tags = OSSGetObjectTagsOperator(task_id="tags", key="exports/eu/orders.csv")
    delete_exports = OSSDeleteObjectsOperator(task_id="delete_exports", prefix="exports/", include="**/*.csv")
    delete_bucket = OSSDeleteBucketOperator(task_id="delete_bucket", force=True)

    create >> fill >> list_exports
    tag >> tags >> delete_exports >> delete_bucket
