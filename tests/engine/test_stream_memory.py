"""How much of a stream is in memory: a few parts, however long it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION

MEASURE = """
import json, sys
from pathlib import Path
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.upload_client import OSSUploadClient
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.engine.source import StreamSource

endpoint, bucket, key_id, secret, region, size, part_size = sys.argv[1:]
client = OSSUploadClient(ClientSettings(endpoint=endpoint, credentials=Credentials(key_id, secret), region=region))
chunk = bytes(range(256)) * 4096

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

def upload(size):
    stream = StreamSource(lambda: (chunk for _ in range(size // len(chunk))))
    settings = UploadSettings(part_size_bytes=int(part_size) or None)
    return Upload(stream, ObjectRef(bucket, "key"), Means(client), settings=settings).run()

upload(10 * len(chunk))  # a put, so that all modules are loaded
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS:")
result = upload(int(size))
print(json.dumps({"size": result.size, "bytes_sent": result.bytes_sent, "peak": status("VmHWM:") - before}))
"""


@pytest.mark.parametrize(("size_mib", "part_size_mib", "most_mib"), [(400, 0, 8), (300, 70, 0)])
def test_peak_memory(server: OSSEmulator, size_mib: int, part_size_mib: int, most_mib: int) -> None:
    """At default settings ``parallel`` + 1 parts and 32 MiB are enough; parts beyond 64 MiB take no memory at all."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, server.endpoint, BUCKET, KEY_ID, KEY_SECRET, REGION,
         str(size_mib * MIB), str(part_size_mib * MIB)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    measured = json.loads(done.stdout)

    assert measured["size"] == measured["bytes_sent"] == size_mib * MIB
    assert measured["peak"] <= (DEFAULT_PARALLEL + 1) * most_mib * MIB + 32 * MIB
