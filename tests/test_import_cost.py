"""What a DAG file pays for importing the operators: Airflow parses it again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from tests.conftest import connection_json
from tests.support.airflow_home import airflow_environment, run_beside_airflow
from tests.support.discovery import modules_of_operators

MEASURE = """
import importlib, json, sys, time
from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseOperatorLink, BaseSensorOperator, conf, task

before, started = set(sys.modules), time.perf_counter()
importlib.import_module(sys.argv[1])
elapsed = time.perf_counter() - started
print(json.dumps({"seconds": elapsed, "added": sorted(set(sys.modules) - before)}))
"""

NEVER = (
    "alibabacloud",
    "crcmod",
    "psycopg",
    "pyarrow",
    "fastcrc",
    "jsonschema",
    "oss2",
    "requests",
    "starlette",
    "tenacity",
    "uvicorn",
)


@pytest.mark.parametrize("module", [*modules_of_operators(), "fs.oss"])
def test_importing_the_operators_is_cheap(tmp_path: Path, module: str) -> None:
    """Beyond Airflow's own, importing operators adds fewer than twelve modules, all ours: no SDK, engine or store."""
    done = run_beside_airflow(tmp_path, MEASURE, f"airflow_provider_oss.{module}")
    measured = json.loads(done.stdout.splitlines()[-1])
    added = measured["added"]
    print(f"importing {module}: {measured['seconds'] * 1000:.0f} ms, {len(added)} modules")  # noqa: T201

    assert f"airflow_provider_oss.{module}" in added
    assert len({*added} - {"airflow_provider_oss"}) < 12  # which Airflow 3 has imported to discover the provider
    assert [name for name in added if name.startswith(NEVER) or name.startswith("urllib3")] == []
    assert {name.split(".")[0] for name in added} - sys.stdlib_module_names == {"airflow_provider_oss"}
    for late in (
        "checkpoint",
        "clients",
        "exports",
        "hooks.oss",
        "model",
        "sources",
        "engine",
        "transfers.many",
        "triggers",
    ):
        assert not [name for name in added if name.startswith(f"airflow_provider_oss.{late}")]


PATH = """
import json, sys
from airflow.providers.common.compat.sdk import ObjectStoragePath

path = ObjectStoragePath("oss://no_such_connection@exports/reports") / "a.csv"
print(json.dumps([str(path), type(path.fs).__name__, sorted(sys.modules)]))
"""


def test_a_path_of_a_dag_file_is_cheap(tmp_path: Path) -> None:
    """A path at the top of a DAG file imports neither SDK nor hook and reads no connection; nothing warns."""
    (tmp_path / "airflow.cfg").touch()
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", PATH],
        env=airflow_environment(tmp_path, tmp_path / "dags", {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    shown, filesystem, loaded = json.loads(done.stdout.splitlines()[-1])

    assert (shown, filesystem) == ("oss://no_such_connection@exports/reports/a.csv", "OSSFileSystem")
    heavy = ("oss2", "fastcrc", "airflow_provider_oss.hooks.oss", "airflow_provider_oss.clients")
    assert [name for name in loaded if name.startswith(heavy)] == []


USE = """
import inspect, io, json, sys
from datetime import timedelta
from pathlib import Path
from airflow.providers.common.compat.sdk import BaseHook

HEAVY = {"oss2", "crcmod", "requests", "aliyunsdkcore", "Crypto", "openlineage", "airflow.sdk.lineage"}
NEVER = HEAVY - set(sys.modules)
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor
from airflow_provider_oss.engine.source import BytesSource, FileSource
from tests.support.stores import MemoryDirectory, MemoryStore

folder = Path(sys.argv[1])
file, hook = folder / "source.bin", OSSHook()
planned, sent = [], []
upload_id = hook.initiate_multipart_upload("multipart")
CALLS = {
    "put_object": lambda: hook.put_object("put", b"data"),
    "put_file": lambda: hook.put_file("put-file", file),
    "put_stream": lambda: hook.put_stream("stream", io.BytesIO(b"data")),
    "upload_file": lambda: hook.upload_file("upload", file, part_size=100 * 1024),
    "upload_source": lambda: hook.upload_source("source", BytesSource(b"data")),
    "upload_stream": lambda: hook.upload_stream("stream", io.BytesIO(b"data")),
    "upload_files": lambda: list(hook.upload_files([("files/1", file)])),
    "upload_batch": lambda: hook.upload_batch("batch", [file]),
    "upload_directory": lambda: hook.upload_directory("tree", folder, include="*.bin", delete_removed=True),
    "plan_upload": lambda: planned.append(hook.plan_upload("group", FileSource(str(file)))[0]),
    "send_parts": lambda: sent.append(hook.send_parts(planned[0], "1-1", FileSource(str(file)))),
    "complete_upload": lambda: hook.complete_upload(planned[0], sent),
    "plan_directory": lambda: hook.plan_directory(folder),
    "delete_removed": lambda: hook.delete_removed("tree", folder, shards=hook.plan_directory(folder)),
    "abandon_upload": lambda: hook.abandon_upload(MemoryStore()),
    "list_buckets": hook.list_buckets,
    "bucket_info": hook.bucket_info,
    "bucket_exists": hook.bucket_exists,
    "create_bucket": lambda: hook.create_bucket("new-bucket", "private", "IA", "ZRS"),
    "delete_bucket": lambda: hook.delete_bucket("new-bucket", force=True),
    "upload_part": lambda: hook.upload_part("multipart", upload_id, 1, b"data"),
    "list_parts": lambda: hook.list_parts("multipart", upload_id),
    "list_multipart_uploads": lambda: list(hook.list_multipart_uploads()),
    "complete_multipart_upload": lambda: hook.complete_multipart_upload(
        "multipart", upload_id, [hook.upload_part("multipart", upload_id, 1, b"data")]
    ),
    "initiate_multipart_upload": lambda: None,
    "abort_multipart_upload": lambda: hook.abort_multipart_upload("a", hook.initiate_multipart_upload("a")),
    "abort_stale_uploads": lambda: hook.abort_stale_uploads(timedelta(days=1), MemoryDirectory()),
    "head_object": lambda: hook.head_object("put"),
    "object_exists": lambda: hook.object_exists("absent"),
    "get_object": lambda: hook.get_object("put").close(),
    "read_object": lambda: hook.read_object("put"),
    "download_file": lambda: hook.download_file("put", folder / "downloaded"),
    "resume_download": lambda: hook.resume_download("upload", folder / "resumed"),
    "list_objects": lambda: list(hook.list_objects()),
    "list_pages": lambda: list(hook.list_pages(delimiter="/", most=1)),
    "copy_object": lambda: hook.copy_object("put", "copy"),
    "get_object_tags": lambda: hook.get_object_tags("put"),
    "set_object_tags": lambda: hook.set_object_tags("put", {"a": 1}),
    "delete_object_tags": lambda: hook.delete_object_tags("put"),
    "test_connection": hook.test_connection,
    "renew_credentials": hook.renew_credentials,
    "with_new_credentials": lambda: hook.with_new_credentials(lambda: hook.object_exists("absent")),
    "connect": hook.connect,
    "resolve": lambda: hook.resolve("a"),
    "resolve_prefix": lambda: hook.resolve_prefix("a"),
    "resolve_key_prefix": lambda: hook.resolve_key_prefix("a"),
    "resolve_bucket": lambda: hook.resolve_bucket(None),
    "a sensor of keys": lambda: OSSKeySensor(task_id="a", key=["put", "files/*"], wildcard_match=True).poke({}),
    "a sensor of a prefix": lambda: OSSKeysUnchangedSensor(task_id="b", prefix="files").poke({}),
    "paths": lambda: [
        getattr(OSSFileSystem(), name)(path)
        for name, path in [
            ("find", "exports"), ("ls", "exports/tree"), ("ls", ""), ("du", "exports/tree"),
            ("glob", "exports/*/*.bin"), ("info", "exports/tree"), ("exists", "exports/put"),
            ("cat_file", "exports/put"), ("rm", "exports/put"),
        ]
    ],
    "delete_object": lambda: hook.delete_object("put"),
    "delete_objects": lambda: hook.delete_objects(["put", "absent"]),
    "delete_below": lambda: list(hook.delete_below("files/")),
    "cancel": hook.cancel,
}
loaded = {}
for name, call in CALLS.items():
    call()
    loaded[name] = sorted(NEVER & set(sys.modules))
methods = {
    name for cls in OSSHook.__mro__ if cls.__module__.startswith("airflow_provider_oss")
    for name, value in vars(cls).items() if inspect.isfunction(value) and not name.startswith("_")
}
print(json.dumps({"loaded": loaded, "others": sorted(methods - set(CALLS))}))
"""

BY_OSS2 = ["get_conn", "sign_url"]


def test_using_the_hook_imports_no_sdk(tmp_path: Path, server: OSSEmulator) -> None:
    """Who does anything with objects or buckets, but presign URLs, never pays for importing oss2, or lineage."""
    (tmp_path / "airflow.cfg").touch()
    (tmp_path / "source.bin").write_bytes(bytes(300 * 1024))
    done = subprocess.run(
        [sys.executable, "-c", USE, tmp_path],
        env=airflow_environment(tmp_path, tmp_path / "dags", {})
        | {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(done.stdout.splitlines()[-1])

    assert {name: modules for name, modules in found["loaded"].items() if modules} == {}
    assert found["others"] == BY_OSS2
    asked = {request.operation for request in server.requests}
    assert {"UploadPart", "ListObjectsV2", "DeleteObject", "DeleteMultipleObjects", "ListBuckets"} <= asked
