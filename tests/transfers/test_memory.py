"""How much of an export is in memory: the same for few rows and for many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.limits import MIB
from tests.conftest import connection_json
from tests.support.airflow_home import airflow_environment
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

MEASURE = """
import json, sys
from pathlib import Path
from airflow.providers.common.compat.sdk import BaseHook
from airflow_provider_oss.exports.formats import parse_format
from airflow_provider_oss.exports.formats import Split
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.transfers.export import Export, Wanted
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.query import Session

rows, file_format, split_rows, most_open = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
session = Session(BaseHook.get_hook("pg").get_conn)

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

def export(rows):
    k = f"n * 19 / {rows}" if most_open == 1 else "n % 20"
    sql = f"SELECT n, md5(n::text) AS a, repeat(md5(n::text), 4) AS b, {k} AS k FROM generate_series(1, {rows}) AS n"
    partitions = {"partition_by": ["k"], "max_open_partitions": most_open} if most_open else {}
    wanted = Wanted(Query(sql), parse_format(file_format, None, None), Split(rows=split_rows or None), **partitions)
    arguments = {"checkpoint": None, "cancellation": Cancellation(), "part_size": 1024 * 1024, "parallel": 2}
    return Export(OSSHook(), session, wanted, {}, arguments).run("key", None)

export(10)  # all modules are loaded
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS:")
result = export(rows)
print(json.dumps({"rows": result.rows, "bytes": result.bytes, "peak": status("VmHWM:") - before}))
"""


@pytest.fixture
def measure(tmp_path: Path, server: OSSEmulator, postgres: PostgresServer) -> Any:
    """Export so many rows in a process of its own; return how many there were and what memory they took at most."""
    (tmp_path / "airflow.cfg").touch()
    connections = {
        "AIRFLOW_CONN_PG": postgres.airflow_connection(),
        "AIRFLOW_CONN_OSS_DEFAULT": connection_json(server),
    }

    def run(rows: int, file_format: str, split_rows: int, most_open: int) -> dict[str, int]:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(rows), file_format, str(split_rows), str(most_open)],
            env=airflow_environment(tmp_path, tmp_path / "dags", connections),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        measured: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        return measured

    return run


@pytest.mark.parametrize(
    ("file_format", "split_rows", "most_open", "most_mib"),
    [
        ("csv", 0, 0, 16),
        ("jsonl", 0, 0, 16),
        ("csv", 50_000, 0, 16),
        ("parquet", 0, 0, 160),
        ("csv", 0, 1, 16),
        ("csv", 0, 20, 16),
    ],
)
def test_peak_memory(measure: Any, file_format: str, split_rows: int, most_open: int, most_mib: int) -> None:
    """
    Three parts of 1 MiB and some batches are enough for any number of rows; parquet holds a row group more.

    So it is for partitions, which come one after the other (1) or in turn.
    """
    few, many = (measure(rows, file_format, split_rows, most_open) for rows in (60_000, 250_000))
    assert (few["rows"], many["rows"]) == (60_000, 250_000)
    assert many["bytes"] > 3.9 * few["bytes"]
    assert many["peak"] < most_mib * MIB
    if file_format != "parquet":  # whose first row groups are less than whole
        assert many["peak"] < few["peak"] + 4 * MIB
