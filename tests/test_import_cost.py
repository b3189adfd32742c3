"""What a DAG file pays for importing the operators: Airflow parses it again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from tests.conftest import connection_json
from tests.support.airflow_home import airflow_environment

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


@pytest.mark.parametrize(
    "module",
    [
        "decorators.oss_upload",
        "fs.oss",
        "operators.oss",
        "operators.directory",
        "operators.copy",
        "operators.download",
        "sensors.oss",
        "operators.objects",
        "operators.buckets",
        "operators.tags",
        "operators.presign",
        "operators.maintenance",
        "transfers.object_storage_to_oss",
        "transfers.http_to_oss",
        "transfers.sql_to_oss",
    ],
)
def test_importing_the_operators_is_cheap(tmp_path: Path, module: str) -> None:
    """Beyond Airflow's own, importing operators adds fewer than twelve modules, all ours: no SDK, engine or store."""
    (tmp_path / "airflow.cfg").touch()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, f"airflow_provider_oss.{module}"],
        env=airflow_environment(tmp_path, tmp_path / "dags", {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    added = measured["added"]
    print(f"importing {module}: {measured['seconds'] * 1000:.0f} ms, {len(added)} modules")  # noqa: T201

    assert f"airflow_provider_oss.{module}" in added
    assert len(added) < 12
    assert [name for name in added if name.startswith(NEVER) or name.startswith("urllib3")] == []
    assert {name.split(".")[0] for name in added} - sys.stdlib_module_names == {"airflow_provider_oss"}
    for late in (
        "checkpoint",
        "clients",
        "exports",
        "hooks.oss",
        "model",
        "sources",
        "transfer.",
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


UPLOAD = """
import io, sys
from airflow.providers.common.compat.sdk import BaseHook

HEAVY = {"oss2", "crcmod", "requests", "aliyunsdkcore", "Crypto", "openlineage", "airflow.sdk.lineage"}
NEVER = HEAVY - set(sys.modules)
from airflow_provider_oss.hooks.oss import OSSHook

hook = OSSHook()
hook.put_object("put", b"data")
hook.put_stream("stream", io.BytesIO(b"data"))
hook.upload_file("upload", sys.argv[1], part_size=100 * 1024)
print(sorted(NEVER & set(sys.modules)))
"""


def test_uploading_imports_no_sdk(tmp_path: Path, server: OSSEmulator) -> None:
    """Who uploads, in any way, never pays for importing oss2, which takes longer than most uploads, or lineage."""
    (tmp_path / "airflow.cfg").touch()
    (tmp_path / "source.bin").write_bytes(bytes(300 * 1024))
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, tmp_path / "source.bin"],
        env=airflow_environment(tmp_path, tmp_path / "dags", {})
        | {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "UploadPart" in [request.operation for request in server.requests]
