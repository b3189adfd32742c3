"""A DAG of everything, as users write it: no type checker finds anything in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator, Context, ObjectStoragePath, task

from airflow_provider_oss.decorators.oss_upload import oss_upload_task
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import Checkpoint, UploadResult
from airflow_provider_oss.operators.buckets import OSSCreateBucketOperator, OSSDeleteBucketOperator
from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator, mapped_directory_upload
from airflow_provider_oss.operators.download import OSSDownloadObjectOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from airflow_provider_oss.operators.maintenance import OSSAbortStaleUploadsOperator
from airflow_provider_oss.operators.objects import OSSDeleteObjectsOperator, OSSListOperator
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.operators.presign import OSSPresignURLOperator
from airflow_provider_oss.operators.shards import OSSFinishDirectoryOperator, OSSPlanDirectoryOperator
from airflow_provider_oss.operators.tags import (
    OSSDeleteObjectTagsOperator,
    OSSGetObjectTagsOperator,
    OSSSetObjectTagsOperator,
)
from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor
from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from airflow_provider_oss.transfers.ranges import (
    OSSAbandonUploadOperator,
    OSSCompleteUploadOperator,
    OSSPlanUploadOperator,
    OSSSendPartsOperator,
    mapped_upload,
)
from airflow_provider_oss.transfers.sql_shards import SQLFinishExportOperator, SQLPlanExportOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator, mapped_export


class OwnStore:
    """A place of the user's own for checkpoints."""

    def load(self) -> Checkpoint | None:
        """Return nothing."""
        return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep nothing."""

    def delete(self) -> None:
        """Forget nothing."""


class OwnOperator(OSSResumableUploadOperator):
    """An operator of the user's own."""

    def __init__(self, *, day: str, **kwargs: Any) -> None:
        super().__init__(key=f"exports/{day}.csv", **kwargs)


def chunks(ds: str) -> Iterator[bytes]:
    """Yield data."""
    yield ds.encode()


def tell(fraction: float, checkpoint: Checkpoint | UploadResult | None, response: Any) -> None:
    """Tell of progress."""


def warn(context: Context) -> None:
    """Warn somebody."""


with DAG("right", schedule=None, default_args={"retries": 5}):

    @task
    def name() -> str:
        """Return a name."""
        return "name"

    @task
    def names() -> list[str]:
        """Return names."""
        return ["name"]

    @task.oss_upload(key="rows.csv")
    def rows() -> Iterator[str]:
        """Yield rows."""
        yield "a,b\n"

    @oss_upload_task(key=name(), compression="gzip", retries=3, multiple_outputs=False)
    def more_rows(number: int) -> Iterator[str]:
        """Yield rows."""
        yield f"{number},b\n"

    plain = BaseOperator(task_id="plain")
    upload = OSSResumableUploadOperator(
        task_id="upload",
        key="a/{{ ds }}",
        file_path=Path("/data/a"),
        bucket_name="exports",
        meta={"rows": 5, "final": True, "by": name()},
        callback={"url": "http://here", "body": "a", "customValue": {"a": name()}},
        part_size="8 MiB",
        parallel=4,
        checkpoint=OwnStore(),
        progress=tell,
        retries=3,
        retry_delay=timedelta(minutes=5),
        pool="uploads",
        trigger_rule="all_done",
        on_failure_callback=[warn],
        execution_timeout=timedelta(hours=1),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
    )
    OSSResumableUploadOperator(
        task_id="again", key=upload.output["key"], file_path=plain.output, tags=names(), parallel=name()
    )
    OSSResumableUploadOperator.partial(task_id="mapped", key="a").expand(file_path=names())
    OwnOperator(task_id="own", day="2026-01-01", file_path="/data/a")
    OSSPutObjectOperator(task_id="put", key=name(), data=b"bytes")
    OSSPutStreamOperator(task_id="stream", key="a", stream=chunks, content_length="5")
    OSSPutStreamOperator(task_id="path", key="a", stream=ObjectStoragePath("file:///data/a"))
    OSSResumableStreamOperator(task_id="resumable", key="a", stream=chunks, compression="zstd")
    OSSUploadDirectoryOperator(task_id="tree", key="a", directory=Path("/data"), include=["*.csv", name()])
    OSSUploadFilesOperator(task_id="files", key="a", files={"a.csv": Path("/data/a"), "b.csv": name()}, parallel=8)
    OSSUploadFilesOperator(task_id="list_of_files", key="a", files=["/data/a", Path("/data/b"), name()])
    OSSUploadFilesOperator.partial(task_id="batches", key="a").expand(files=[["/data/a"], ["/data/b"]])
    plan = OSSPlanUploadOperator(task_id="plan", key="a", source="/data/dump", ranges=4, retries=2)
    send = OSSSendPartsOperator.partial(
        task_id="send", source="/data/dump", upload=plan.output["upload"], pool="uploads"
    ).expand(parts=plan.output)
    OSSCompleteUploadOperator(task_id="done", key="a", upload=plan.output["upload"], results=send.output)
    OSSSendPartsOperator(task_id="one", source="/data/dump", upload=plan.output["upload"], parts="1-2", parallel=2)
    OSSAbandonUploadOperator(task_id="abandon", upload=plan.output["upload"])
    mapped_upload("whole", source=upload.output, key="a/{{ ds }}", range_size="8 GiB", meta={"a": 1}, queue="large")
    cut = OSSPlanDirectoryOperator(task_id="cut", key="a", directory=Path("/data"), shards="4", shard_files=name())
    shards = OSSUploadDirectoryOperator.partial(task_id="shards", key="a", directory="/data").expand(shard=cut.output)
    OSSFinishDirectoryOperator(
        task_id="finish", key="a", directory="/data", shards=cut.output, results=shards.output, delete_removed=True
    )
    mapped_directory_upload(
        "directory",
        directory=name(),
        key="a",
        shards=4,
        include=["*.csv", name()],
        delete_removed=True,
        meta={"rows": 5},
        parallel=8,
        retries=5,
        on_success_callback=[warn],
    )
    OSSCopyObjectOperator(task_id="copy", key="b", source_key=upload.output["uri"], multipart_threshold="1 GB")
    OSSDownloadObjectOperator(task_id="download", key="a", file_path="/data/b", progress=tell)
    OSSListOperator(task_id="list", prefix="a", include="*.csv", max_keys=None)
    OSSDeleteObjectsOperator(task_id="delete", keys=[name(), upload.output["key"], "c"])
    OSSCreateBucketOperator(task_id="bucket", bucket_name=name(), redundancy="ZRS")
    OSSDeleteBucketOperator(task_id="no_bucket", bucket_name="exports", force=True)
    OSSPresignURLOperator(task_id="url", key="a", expires=timedelta(hours=1), headers={"Content-Type": "a/b"})
    OSSGetObjectTagsOperator(task_id="tags", key="a")
    OSSSetObjectTagsOperator(task_id="set_tags", key="a", tags={"a": 1})
    OSSDeleteObjectTagsOperator(task_id="no_tags", key="a")
    OSSAbortStaleUploadsOperator(task_id="stale", older_than="P7D", dry_run=True)
    OSSKeySensor(
        task_id="keys",
        key=["a", upload.output["key"]],
        min_age=timedelta(minutes=1),
        check=lambda objects: len(objects) > 1,
        poke_interval=60,
        timeout=timedelta(hours=1),
        mode="reschedule",
    )
    OSSKeysUnchangedSensor(task_id="settled", prefix="a", deferrable=True, soft_fail=True)
    SQLToOSSOperator(
        task_id="sql", key="a", conn_id="pg", sql="SELECT 1", parameters=[1], csv_options={"header": False}
    )
    SQLToOSSOperator(
        task_id="days", key="a", conn_id="pg", sql="SELECT 1", partition_by=["day", name()], max_open_partitions=1
    )
    ends = SQLPlanExportOperator(task_id="ends", conn_id="pg", bounds="SELECT min(n), max(n) FROM t", shards="4")
    exports = SQLToOSSOperator.partial(task_id="exports", key="a", conn_id="pg", sql="SELECT 1").expand(
        shard=ends.output
    )
    SQLFinishExportOperator(task_id="exported", key="a", shards=ends.output, results=exports.output, manifest="m")
    mapped_export(
        "export",
        sql=name(),
        conn_id="pg",
        key="a/{index}.csv",
        shards=[{"country": "de"}, {"country": "fr"}],
        parameters={"day": "{{ ds }}"},
        split_rows=1000,
        partition_by=["day"],
        meta={"a": 1},
        retries=5,
    )
    HttpToOSSOperator(task_id="http", key="a", endpoint="/a", request_headers={"Accept": "text/csv"}, data={"a": 1})
    ObjectStorageToOSSOperator(task_id="storage", prefix="a", source=["s3://a/b", ObjectStoragePath("file:///a")])

    rows()
    more_rows.expand(number=[1, 2])

    @task
    def by_hook() -> int:
        """Use the hook."""
        hook = OSSHook("oss_default", region="cn-hangzhou")
        hook.put_object("a", "text", acl="private", tags={"a": 1})
        return hook.upload_file("a", "/data/a", part_size="8 MiB", parallel=4, progress=tell, storage_class="IA").size

    by_hook()
