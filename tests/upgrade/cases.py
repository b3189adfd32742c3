"""
What deployments have in flight when they upgrade: uploads, downloads, waits, and what tasks have returned.

The same text makes the recordings, with an older version of the package, and continues them, with this one. So it uses
what users use, and what every version of the tests has had since 0.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred

from airflow_provider_oss.decorators.oss_upload import OSSUploadDecoratedOperator
from airflow_provider_oss.operators.buckets import OSSCreateBucketOperator, OSSDeleteBucketOperator
from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
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
from airflow_provider_oss.operators.shards import OSSPlanDirectoryOperator
from airflow_provider_oss.operators.tags import (
    OSSDeleteObjectTagsOperator,
    OSSGetObjectTagsOperator,
    OSSSetObjectTagsOperator,
)
from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor
from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from airflow_provider_oss.transfers.ranges import OSSPlanUploadOperator
from airflow_provider_oss.transfers.sql_shards import SQLPlanExportOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.support.s3_server import BUCKET as S3_BUCKET
from tests.support.sources import some_bytes

Build = Callable[[], BaseOperator]

PART_BYTES = 100 * 1024
DATA = some_bytes(4 * PART_BYTES - 7, seed=1)
STORED_PARTS = 2
"""Of an upload that was interrupted."""

KEYS = {
    "plain": "dir/data.bin",
    "odd": "a b#?%2F+&ü中\x7f\"'\\\u2028 …" + "\x01" * 250,
}
STORES = ("variable", "task_state", "xcom")
QUERY = (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 25000) "
    "SELECT n, 'name ' || n AS name FROM t ORDER BY n"
)
ROWS = b"n,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(1, 25_001))


@dataclass(frozen=True)
class Place:
    """Where a case plays."""

    folder: Path
    """Of files, the same in no two runs."""

    @property
    def file(self) -> Path:
        """The source of the uploads."""
        return self.folder / "data.bin"


@dataclass(frozen=True)
class UploadCase:
    """An upload that is interrupted when so many parts are stored."""

    build: Callable[..., BaseOperator]
    """Takes the place, then key, store and so on as arguments of the operator."""
    content: bytes = DATA
    operation: str = "UploadPart"
    """That stores a part."""


def _http(endpoint: str) -> Callable[..., BaseOperator]:
    return lambda _place, **usual: HttpToOSSOperator(endpoint=endpoint, **usual)


UPLOADS: dict[str, UploadCase] = {
    "file": UploadCase(lambda place, **usual: OSSResumableUploadOperator(file_path=str(place.file), **usual)),
    "stream": UploadCase(lambda _place, **usual: OSSResumableStreamOperator(stream=lambda: BytesIO(DATA), **usual)),
    "decorated": UploadCase(
        lambda _place, **usual: OSSUploadDecoratedOperator(python_callable=lambda: iter([DATA]), **usual)
    ),
    "http-ranges": UploadCase(_http("/ranged")),
    "http-chunks": UploadCase(_http("/chunked")),
    "object-storage": UploadCase(
        lambda place, **usual: ObjectStorageToOSSOperator(source=place.file.as_uri(), **usual)
    ),
    "s3": UploadCase(
        lambda _place, **usual: ObjectStorageToOSSOperator(source=f"s3://aws_source@{S3_BUCKET}/data.bin", **usual)
    ),
    "sql": UploadCase(lambda _place, **usual: SQLToOSSOperator(sql=QUERY, conn_id="lite", **usual), ROWS),
    "copy": UploadCase(
        lambda _place, **usual: OSSCopyObjectOperator(source_key="source.bin", multipart_threshold=0, **usual),
        operation="UploadPartCopy",
    ),
}


def upload(source: str, store: str, key: str, place: Place) -> Build:
    """Return what makes the operator of a case."""
    usual = {
        "task_id": "upload", "key": KEYS[key], "checkpoint": store, "part_size": PART_BYTES, "parallel": 1,
    }  # fmt: skip
    return lambda: UPLOADS[source].build(place, **usual)


def upload_cases() -> list[tuple[str, str, str]]:
    """Return source, store and key: each of one with the usual ones of the others, and all of file and stream."""
    whole = [(source, store, key) for source in ("file", "stream") for store in STORES for key in KEYS]
    others = [(source, store, "plain") for source in UPLOADS for store in ("variable",)]
    return [*whole, *(case for case in others if case not in whole)]


def download(key: str, place: Place) -> Build:
    """Return what makes the operator of a download to ``place.folder / "down"``."""
    path = str(place.folder / "down" / "got.bin")
    return lambda: OSSDownloadObjectOperator(
        task_id="download", key=KEYS[key], file_path=path, part_size=PART_BYTES, parallel=1
    )


WAITS: dict[str, Build] = {
    "key": lambda: OSSKeySensor(task_id="wait", key="in/a.csv", deferrable=True, poke_interval=1),
    "keys": lambda: OSSKeySensor(
        task_id="wait",
        key=["in/*.csv", "oss://exports/in/b.csv"],
        wildcard_match=True,
        min_matches=2,
        min_size=1,
        modified_after="2020-01-01T00:00:00+00:00",
        check=lambda objects: len(objects) == 2,
        deferrable=True,
        poke_interval=1,
        silent_fail=True,
    ),
    "unchanged": lambda: OSSKeysUnchangedSensor(
        task_id="wait", prefix="in/", inactivity_period=1, min_objects=2, deferrable=True, poke_interval=1
    ),
}
"""Sensors that are deferred, the last one when it has seen objects already."""


def waiting(name: str, in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Any]) -> tuple[Any, Any]:
    """Return the sensor of that name in its DAG, with its templates rendered, and its context."""
    sensor = in_dag(WAITS[name])
    context = context_of(sensor)
    sensor.render_template_fields(context)
    return sensor, context


def deferral(sensor: Any, context: Any) -> TaskDeferred:
    """Execute a sensor; return how it defers itself."""
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(context)
    return caught.value


RESULTS: dict[str, Callable[[Place], BaseOperator]] = {
    "create_bucket": lambda _: OSSCreateBucketOperator(task_id="a", bucket_name="new-bucket"),
    "delete_bucket": lambda _: OSSDeleteBucketOperator(task_id="a", bucket_name="other"),
    "copy": lambda _: OSSCopyObjectOperator(task_id="a", source_key="source.bin", key="b"),
    "directory": lambda place: OSSUploadDirectoryOperator(task_id="a", directory=str(place.folder), key="d/"),
    "files": lambda place: OSSUploadFilesOperator(task_id="a", files=[place.file], key="d/"),
    "plan_directory": lambda place: OSSPlanDirectoryOperator(task_id="a", directory=str(place.folder), key="d/"),
    "plan_upload": lambda place: OSSPlanUploadOperator(task_id="a", source=str(place.file), key="group.bin"),
    "download": lambda place: OSSDownloadObjectOperator(
        task_id="a", key="source.bin", file_path=str(place.folder / "result.bin")
    ),
    "stale": lambda _: OSSAbortStaleUploadsOperator(task_id="a", bucket_name="exports", older_than=60),
    "list": lambda _: OSSListOperator(task_id="a"),
    "delete": lambda _: OSSDeleteObjectsOperator(task_id="a", keys=["source.bin"]),
    "put": lambda _: OSSPutObjectOperator(task_id="a", key="b", data="x"),
    "put_stream": lambda _: OSSPutStreamOperator(task_id="a", key="b", stream=lambda: BytesIO(b"x"), content_length=1),
    "upload": lambda place: OSSResumableUploadOperator(task_id="a", key="b", file_path=str(place.file)),
    "stream": lambda _: OSSResumableStreamOperator(task_id="a", key="b", stream=lambda: BytesIO(DATA)),
    "decorated": lambda _: OSSUploadDecoratedOperator(task_id="a", key="b", python_callable=lambda: b"x"),
    "presign": lambda _: OSSPresignURLOperator(task_id="a", key="source.bin"),
    "get_tags": lambda _: OSSGetObjectTagsOperator(task_id="a", key="source.bin"),
    "set_tags": lambda _: OSSSetObjectTagsOperator(task_id="a", key="source.bin", tags={"a": "b"}),
    "delete_tags": lambda _: OSSDeleteObjectTagsOperator(task_id="a", key="source.bin"),
    "http": lambda _: HttpToOSSOperator(task_id="a", key="b", endpoint="/ranged"),
    "object_storage": lambda place: ObjectStorageToOSSOperator(task_id="a", key="b", source=place.file.as_uri()),
    "object_storages": lambda place: ObjectStorageToOSSOperator(task_id="a", prefix="b/", source=[place.file.as_uri()]),
    "sql": lambda _: SQLToOSSOperator(task_id="a", key="b.csv", sql=QUERY, conn_id="lite"),
    "sql_pieces": lambda _: SQLToOSSOperator(task_id="a", key="b.csv", sql=QUERY, conn_id="lite", split_rows=20_000),
    "plan_export": lambda _: SQLPlanExportOperator(task_id="a", conn_id="lite", shards=[{"day": "2026-01-01"}]),
    "key_sensor": lambda _: OSSKeySensor(task_id="a", key="source.bin"),
    "unchanged_sensor": lambda _: OSSKeysUnchangedSensor(
        task_id="a", prefix="dir/", inactivity_period=0.01, poke_interval=1
    ),
}
"""Operators and sensors of all kinds, with results of all their forms."""


def shape(value: Any) -> Any:
    """Return what a downstream task relies on: names of fields, and types."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def as_text(recorded: Any) -> str:
    """Return a recording as it is stored."""
    return json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
