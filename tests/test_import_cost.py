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
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.sdk import BaseOperator

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
        "operators.oss",
        "operators.directory",
        "transfers.object_storage_to_oss",
        "transfers.http_to_oss",
        "transfers.sql_to_oss",
    ],
)
def test_importing_the_operators_is_cheap(tmp_path: Path, module: str) -> None:
    """Beyond Airflow's own, importing operators adds fewer than ten modules, all ours: no SDK, engine or store."""
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
    assert len(added) < 10
    assert [name for name in added if name.startswith(NEVER) or name.startswith("urllib3")] == []
    assert {name.split(".")[0] for name in added} - sys.stdlib_module_names == {"airflow_provider_oss"}
    for late in ("checkpoint", "clients", "exports", "hooks.oss", "model", "sources", "transfer.", "transfers.many"):
        assert not [name for name in added if name.startswith(f"airflow_provider_oss.{late}")]


UPLOAD = """
import io, sys
from airflow.providers.common.compat.sdk import BaseHook

HEAVY = {"oss2", "crcmod", "requests", "aliyunsdkcore", "Crypto"} - set(sys.modules)
from airflow_provider_oss.hooks.oss import OSSHook

hook = OSSHook()
hook.put_object("put", b"data")
hook.put_stream("stream", io.BytesIO(b"data"))
hook.upload_file("upload", sys.argv[1], part_size=100 * 1024)
print(sorted(HEAVY & set(sys.modules)))
"""


def test_uploading_imports_no_sdk(tmp_path: Path, server: OSSEmulator) -> None:
    """A task that uploads, in whatever way, never pays for importing oss2, which takes longer than most uploads."""
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
