"""The example DAGs in a real Airflow, and errors that no retry can mend."""

from __future__ import annotations

import gzip
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import oss2
import pytest

from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import UploadResult
from airflow_provider_oss.proof import crc64
from airflow_provider_oss.shown import host_name
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION
from tests.integration.conftest import random_file
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.airflow_version import DEFAULT_STORE, HAS_TASK_STATE
from tests.support.secret_search import find
from tests.support.trees import write_tree
from tests.support.web_server import WebServer, plain, ranged

if TYPE_CHECKING:
    from airflow_provider_oss.emulator import OSSEmulator
    from tests.support.s3_server import S3Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

RESULT_FIELDS = {field.name for field in fields(UploadResult)}


def assert_stored(uploads: Uploads, result: dict[str, Any], key: str, content: bytes) -> None:
    """The result is the promised plain dict and tells the truth about the object."""
    assert set(result) == RESULT_FIELDS
    stored = uploads.bucket.get_object(key)
    assert stored.read() == content
    assert (result["bucket"], result["key"], result["uri"]) == (BUCKET, key, f"oss://{BUCKET}/{key}")
    assert (result["size"], result["bytes_sent"]) == (len(content), len(content))
    assert (result["crc64"], result["etag"]) == (str(crc64(content)), stored.etag)
    assert result["request_id"]
    assert (result["attempts"], result["resumed"], result["bytes_verified"]) == (1, False, 0)


def test_put_object(uploads: Uploads, folder: Path) -> None:
    """OSSPutObjectOperator stores a rendered text, and a file with what is to be kept beside it."""
    report = random_file(folder / "report.csv", 3 * MIB)
    run_id = uploads.trigger("oss_put_object", file_path=str(report))
    assert uploads.airflow.wait_for_run("oss_put_object", run_id) == "success"

    marker, file = (uploads.airflow.xcom("oss_put_object", run_id, task) for task in ("put_marker", "put_file"))
    assert_stored(uploads, marker, f"exports/{run_id}/_SUCCESS", b"written by oss_put_object\n")
    assert_stored(uploads, file, f"exports/{run_id}/report.csv", report.read_bytes())
    headers = uploads.bucket.head_object(file["key"]).headers
    assert headers["x-oss-meta-dag"] == "oss_put_object"
    assert headers["Content-Type"] == "text/csv; charset=utf-8"


def test_put_stream(uploads: Uploads, folder: Path) -> None:
    """OSSPutStreamOperator stores what a function yields, which is given the context, and what a URL leads to."""
    report = random_file(folder / "streamed.csv", 3 * MIB)
    run_id = uploads.trigger("oss_put_stream", url=report.as_uri())
    assert uploads.airflow.wait_for_run("oss_put_stream", run_id) == "success"

    numbers, copy = (uploads.airflow.xcom("oss_put_stream", run_id, task) for task in ("from_function", "from_url"))
    lines = ["run,number", *(f"{run_id},{number}" for number in range(1000)), ""]
    assert_stored(uploads, numbers, f"exports/{run_id}/numbers.csv", "\n".join(lines).encode())
    assert_stored(uploads, copy, f"exports/{run_id}/copy.csv", report.read_bytes())


def test_resumable_stream(uploads: Uploads, folder: Path) -> None:
    """OSSResumableStreamOperator stores what a function yields, compressed on its way, and what a URL leads to."""
    dump = random_file(folder / "dump.bin", 20 * MIB)
    run_id = uploads.trigger("oss_resumable_stream", lines=1000, url=dump.as_uri())
    assert uploads.airflow.wait_for_run("oss_resumable_stream", run_id) == "success"

    tasks = ("from_function", "from_url")
    numbers, copy = (uploads.airflow.xcom("oss_resumable_stream", run_id, task) for task in tasks)
    lines = ["run,number", *(f"{run_id},{number}" for number in range(1000)), ""]
    key = f"exports/{run_id}/numbers.csv.gz"
    stored = uploads.bucket.get_object(key).read()
    assert_stored(uploads, numbers, key, stored)
    assert gzip.decompress(stored).decode() == "\n".join(lines)
    assert "Content-Encoding" not in uploads.bucket.head_object(key).headers
    assert_stored(uploads, copy, f"exports/{run_id}/dump.bin", dump.read_bytes())
    uploads.assert_nothing_left()


def test_taskflow_stream(uploads: Uploads) -> None:
    """Functions decorated with ``@task.oss_upload`` are mapped, stored, and their results handed on."""
    dag_id = "oss_taskflow_stream"
    run_id = uploads.trigger(dag_id, lines=1000)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"

    index = ""
    for number, table in enumerate(("orders", "customers", "items")):
        key = f"exports/{run_id}/{table}.csv.gz"
        stored = uploads.bucket.get_object(key).read()
        assert_stored(uploads, uploads.airflow.xcom(dag_id, run_id, "export", map_index=number), key, stored)
        lines = ["table,number", *(f"{table},{line}" for line in range(1000)), ""]
        assert gzip.decompress(stored).decode() == "\n".join(lines)
        index += f"oss://{BUCKET}/{key} {len(stored)}\n"
    result = uploads.airflow.xcom(dag_id, run_id, "index")
    assert_stored(uploads, result, f"exports/{run_id}/index.txt", index.encode())
    uploads.assert_nothing_left()


def test_directory_sync(uploads: Uploads, folder: Path) -> None:
    """The example tells what it is about to do, then does that; what the directory has lost is deleted."""
    directory = write_tree(
        folder / "sync", {"a.csv": b"1", "eu/b.parquet": b"2", "eu/c.txt": b"3", "_temporary/d.csv": b"4"}
    )
    uploads.bucket.put_object("synced/eu/old.csv", b"old")
    uploads.bucket.put_object("synced/eu/other.txt", b"other")
    run_id = uploads.trigger("oss_directory_sync", directory=str(directory), prefix="synced")
    assert uploads.airflow.wait_for_run("oss_directory_sync", run_id) == "success"

    preview, sync = (uploads.airflow.xcom("oss_directory_sync", run_id, task) for task in ("preview", "sync"))
    assert (preview["would_send"], preview["would_delete"]) == (["a.csv", "eu/b.parquet"], ["eu/old.csv"])
    assert (sync["sent"], sync["deleted"], sync["failed"]) == (2, 1, 0)
    stored = [one.key for one in uploads.bucket.list_objects_v2("synced/").object_list]
    assert stored == ["synced/a.csv", "synced/eu/b.parquet", "synced/eu/other.txt"]
    uploads.assert_nothing_left()


def test_batched_uploads(uploads: Uploads, folder: Path) -> None:
    """Files are cut into batches, a mapped instance each, which Airflow shows by the names of its files."""
    batches = folder / "batches"
    for number in range(5):
        random_file(batches / f"{number}.bin", 1000)
    run_id = uploads.trigger("oss_batched_uploads", folder=str(batches), batch=2)
    assert uploads.airflow.wait_for_run("oss_batched_uploads", run_id) == "success"
    results = [uploads.airflow.xcom("oss_batched_uploads", run_id, "upload", map_index=index) for index in range(3)]
    assert [one["sent"] for one in results] == [2, 2, 1]
    instances = uploads.airflow.task_instances("oss_batched_uploads", run_id)
    shown = {one.rendered_map_index for one in instances if one.task_id == "upload"}
    assert shown == {"0.bin and 1 more", "2.bin and 1 more", "4.bin and 0 more"}
    log = uploads.airflow.task_log("oss_batched_uploads", run_id, "upload", 1, map_index=2)
    assert f"Working on host {host_name()}" in log
    for number in range(5):
        uploads.assert_equal(f"exports/{number}.bin", batches / f"{number}.bin")
    uploads.assert_nothing_left()


def test_mapped_uploads(uploads: Uploads, folder: Path) -> None:
    """Of three mapped uploads one is SIGKILLed: that one continues, the others are not touched."""
    exports = folder / "exports"
    files = [random_file(exports / name, size * MIB) for name, size in (("a.bin", 20), ("b.bin", 64), ("c.bin", 1))]
    uploads.slow_down("exports/b.bin", 4.0)
    run_id = uploads.trigger("oss_mapped_uploads", folder=str(exports))
    mapped = [
        RunningUpload(uploads, "oss_mapped_uploads", run_id, file, f"exports/{file.name}", map_index=index)
        for index, file in enumerate(files)
    ]
    mapped[1].wait_until_stored(more_parts=1)
    mapped[1].kill()
    assert uploads.checkpoints() == {f"{DEFAULT_STORE} {mapped[1].owner}"}
    uploads.server.faults.clear()
    assert mapped[0].end() == "success"

    assert [one.attempts() for one in mapped] == [["success"], ["failed", "success"], ["success"]]
    assert [one.result()["size"] for one in mapped] == [20 * MIB, 64 * MIB, MIB]
    mapped[1].assert_continued(sent_twice_bytes=5 * 8 * MIB)
    for one in mapped:
        uploads.assert_equal(one.key, one.file)
    uploads.assert_nothing_left()


def test_s3_to_oss(uploads: Uploads, s3_server: S3Server, folder: Path) -> None:
    """The example copies an object and a tree out of S3."""
    dump = random_file(folder / "from-s3.bin", 20 * MIB).read_bytes()
    tree = {"eu/orders.csv": b"1", "us/orders.csv": b"2", "us/deep/items.csv": b""}
    s3_server.put("dump.bin", dump)
    for name, content in tree.items():
        s3_server.put(f"exports/{name}", content)
    run_id = uploads.trigger("oss_s3_to_oss")
    assert uploads.airflow.wait_for_run("oss_s3_to_oss", run_id) == "success"

    one, copied = (uploads.airflow.xcom("oss_s3_to_oss", run_id, task) for task in ("one", "tree"))
    assert_stored(uploads, one, f"mirror/{run_id}/dump.bin", dump)
    found = {entry["key"]: uploads.bucket.get_object(entry["key"]).read() for entry in copied["objects"]}
    assert found == {f"mirror/{run_id}/exports/{name}": content for name, content in tree.items()}
    uploads.assert_nothing_left()


def test_http_mirror(uploads: Uploads, web_server: WebServer, folder: Path) -> None:
    """The example mirrors what a web server has, in ranges or not."""
    content = random_file(folder / "mirrored.csv", 20 * MIB).read_bytes()
    web_server.pages |= {"/data/a.csv": ranged(content), "/data/b.csv": plain(content)}
    run_id = uploads.trigger("oss_http_mirror")
    assert uploads.airflow.wait_for_run("oss_http_mirror", run_id) == "success"

    for number, name in enumerate("ab"):
        result = uploads.airflow.xcom("oss_http_mirror", run_id, f"file_{number}")
        assert_stored(uploads, result, f"mirror/{run_id}/data/{name}.csv", content)
    uploads.assert_nothing_left()


def test_objects_and_buckets(uploads: Uploads) -> None:
    """The example fills a bucket of its own, lists and tags what it has, mapped, and leaves nothing of it."""
    dag_id, bucket = "oss_objects_and_buckets", "a-bucket-of-its-own"
    run_id = uploads.trigger(dag_id, bucket=bucket)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"

    results = {
        task: uploads.airflow.xcom(dag_id, run_id, task)
        for task in ("create", "list", "tags", "delete_exports", "delete_bucket")
    }
    keys = ["exports/eu/orders.csv", "exports/us/orders.csv"]
    assert results == {
        "create": {"bucket": bucket, "created": True},
        "list": [f"oss://{bucket}/{key}" for key in keys],
        "tags": {"run": run_id},
        "delete_exports": {"deleted": 2, "keys": keys, "dry_run": False},
        "delete_bucket": {"bucket": bucket, "deleted": True},
    }
    assert uploads.airflow.database.names_of_mapped(dag_id, run_id, "tag") == results["list"]
    buckets = oss2.Service(oss2.AuthV4(KEY_ID, KEY_SECRET), uploads.server.endpoint, region=REGION).list_buckets()
    assert bucket not in [one.name for one in buckets.buckets]


def test_presigned_urls(uploads: Uploads) -> None:
    """Who has the URLs of the example writes and reads an object; no task's log has what makes them valid."""
    dag_id = "oss_presigned_urls"
    run_id = uploads.trigger(dag_id)
    assert uploads.airflow.wait_for_run(dag_id, run_id) == "success"

    assert uploads.airflow.xcom(dag_id, run_id, "read") == "a,b"
    stored = uploads.bucket.head_object(f"handed-over/{run_id}/report.csv")
    assert stored.headers["Content-Type"] == "text/csv"
    secrets = {}
    for task in ("to_write", "to_read"):
        signed = uploads.airflow.xcom(dag_id, run_id, task)
        secrets[task] = parse_qs(urlsplit(signed["url"]).query)["x-oss-signature"][0]
        assert datetime.fromisoformat(signed["expires_at"]) > datetime.now(UTC)
    # Not in those of Airflow's components, where its supervisor writes every XCom at that level
    logs = [path for path in uploads.airflow.home.glob("logs/**/*") if path.is_file()]
    assert len([path for path in logs if f"dag_id={dag_id}" in str(path)]) == 4
    left = {str(path): find(secrets, path.read_bytes()) for path in logs}
    assert {path: found for path, found in left.items() if found} == {}


@pytest.mark.parametrize(
    ("dag_id", "file_name", "key", "error"),
    [
        ("upload_auto", "64-mib.bin", "oss://not-there/a.bin", "OSSNoSuchBucket"),
        ("upload_auto", "missing.bin", "missing.bin", "OSSSourceMissing"),
        ("upload_alone", "64-mib.bin", "alone.bin", "OSSInvalidArgument: checkpoint='xcom' cannot work for task"),
        *(
            []
            if HAS_TASK_STATE
            else [("upload_task_state", "64-mib.bin", "below-3.3.bin", "needs the task state store")]
        ),
    ],
)
def test_permanent_errors(
    uploads: Uploads, server: OSSEmulator, file_64: Path, dag_id: str, file_name: str, key: str, error: str
) -> None:
    """What no retry can mend fails the task at its first attempt, says why, and leaves nothing."""
    server.forget_requests()
    upload = uploads.start(dag_id, file_64.with_name(file_name), key)
    assert upload.end() == "failed"

    assert upload.attempts() == ["failed"]
    assert error in upload.log(1)
    assert [request.operation for request in server.requests if request.status == 200] == []
    uploads.assert_nothing_left()
