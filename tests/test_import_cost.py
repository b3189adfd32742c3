"""What a DAG file pays for importing the operators: Airflow parses it again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.airflow_home import airflow_environment

MEASURE = """
import json, sys, time
import airflow.sdk
from airflow.providers.common.compat.sdk import BaseOperator

before, started = set(sys.modules), time.perf_counter()
import airflow_provider_oss.operators.oss
elapsed = time.perf_counter() - started
print(json.dumps({"seconds": elapsed, "added": sorted(set(sys.modules) - before)}))
"""

NEVER = ("alibabacloud", "crcmod", "fastcrc", "jsonschema", "oss2", "requests", "starlette", "tenacity", "uvicorn")


def test_importing_the_operators_is_cheap(tmp_path: Path) -> None:
    """Beyond Airflow's own, importing the operators adds fewer than ten modules, all ours: no SDK, engine or store."""
    (tmp_path / "airflow.cfg").touch()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env=airflow_environment(tmp_path, tmp_path / "dags", {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    added = measured["added"]
    print(f"importing the operators: {measured['seconds'] * 1000:.0f} ms, {len(added)} modules")  # noqa: T201

    assert "airflow_provider_oss.operators.oss" in added
    assert len(added) < 10
    assert [name for name in added if name.startswith(NEVER) or name.startswith("urllib3")] == []
    assert {name.split(".")[0] for name in added} - sys.stdlib_module_names == {"airflow_provider_oss"}
    for late in ("checkpoint", "clients", "hooks.oss", "model", "transfer"):
        assert not [name for name in added if name.startswith(f"airflow_provider_oss.{late}")]
