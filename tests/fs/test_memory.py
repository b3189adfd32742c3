"""How much of a large object is in memory while it is written: a few parts, however long it is or they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.conftest import BUCKET, connection_json
from tests.support.airflow_home import airflow_environment

if TYPE_CHECKING:
    from airflow_provider_oss.emulator import OSSEmulator

MEASURE = """
import json, sys
from pathlib import Path
from airflow_provider_oss.fs.filesystem import OSSFileSystem

bucket, size, part_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
fs = OSSFileSystem()
chunk = bytes(range(256)) * 4096

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

def write(size):
    with fs.open(f"{bucket}/key", "wb", part_size=part_size) as file:
        for _ in range(size // len(chunk)):
            file.write(chunk)

write(10 * len(chunk))  # so that all modules are loaded
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS:")
write(size)
peak = status("VmHWM:") - before
print(json.dumps({"peak": peak, "oss2": "oss2" in sys.modules, "size": fs.size(f"{bucket}/key")}))
"""


@pytest.mark.parametrize(
    ("size", "part_size", "in_parts"),
    [(400 * MIB, 8 * MIB, (DEFAULT_PARALLEL + 1) * 8 * MIB), (200 * MIB, 128 * MIB, 0)],
    ids=["usual parts", "parts in files"],
)
def test_peak_memory(server: OSSEmulator, tmp_path: Path, size: int, part_size: int, in_parts: int) -> None:
    """Much is written in the memory of the engine's parts, if they are in memory, and 32 MiB; without oss2."""
    (tmp_path / "airflow.cfg").touch()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, BUCKET, str(size), str(part_size)],
        env=airflow_environment(tmp_path, tmp_path / "dags", {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)}),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    measured = json.loads(done.stdout.splitlines()[-1])

    assert measured["size"] == size
    assert measured["peak"] <= in_parts + 32 * MIB
    assert not measured["oss2"]
    print(f"peak: {measured['peak'] / MIB:.1f} MiB")  # noqa: T201
