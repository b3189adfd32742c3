"""How much of what other servers hold is in memory: a part for each of ``parallel``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.limits import DEFAULT_PARALLEL, MIB
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION
from tests.support.s3_server import ACCESS_KEY, SECRET, S3Server
from tests.support.s3_server import BUCKET as S3_BUCKET
from tests.support.web_server import Handler, WebServer, chunked, ranged

MEASURE = """
import json, sys
from pathlib import Path
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.upload_client import OSSUploadClient
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.engine.upload import Upload
from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import StreamSource

kind, endpoint, key_id, secret, region, bucket, url, path, s3_key, s3_secret = sys.argv[1:]
client = OSSUploadClient(ClientSettings(endpoint=endpoint, credentials=Credentials(key_id, secret), region=region))

def s3(name):
    from s3fs import S3FileSystem
    from airflow_provider_oss.sources.object_storage import ObjectStorageSource
    return ObjectStorageSource(S3FileSystem(endpoint_url=url, key=s3_key, secret=s3_secret), path + name, name)

def http(name):
    import requests
    from airflow_provider_oss.sources.http import HttpSource, AnswerOptions, open_http
    from airflow_provider_oss.sources.http_request import HttpRequest
    request = HttpRequest(requests.Session(), "GET", f"{url}/{name}")
    answer = open_http(request, use_ranges=True, options=AnswerOptions(), retry=RetryPolicy())
    return answer if isinstance(answer, HttpSource) else StreamSource(answer)

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

def upload(name):
    return Upload({"s3": s3, "http": http}[kind](name), ObjectRef(bucket, "key"), Means(client)).run()

upload("small")  # so that all modules are loaded
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS:")
result = upload("large")
print(json.dumps({"size": result.size, "peak": status("VmHWM:") - before}))
"""

SIZE_BYTES = 300 * MIB
PART_BYTES = 8 * MIB


def measure(server: OSSEmulator, kind: str, url: str, path: str = "") -> int:
    arguments = [kind, server.endpoint, KEY_ID, KEY_SECRET, REGION, BUCKET, url, path, ACCESS_KEY, SECRET]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["size"] == SIZE_BYTES
    print(f"{kind}: {measured['peak'] / MIB:.0f} MiB")  # noqa: T201
    peak: int = measured["peak"]
    return peak


MOST_BYTES = (DEFAULT_PARALLEL + 1) * PART_BYTES + 32 * MIB


@pytest.mark.parametrize("page", [ranged, chunked])
def test_http(server: OSSEmulator, web: WebServer, page: Callable[[bytes], Handler]) -> None:
    """Of a web server's content ``parallel`` parts are in memory, and one more when it is read forward."""
    web.pages |= {"/small": page(b"small"), "/large": page(bytes(SIZE_BYTES))}
    assert measure(server, "http", web.url) <= MOST_BYTES


def test_s3(server: OSSEmulator, s3: S3Server) -> None:
    """Of an S3 object ``parallel`` parts are in memory, and what s3fs takes to put one together."""
    s3.put("small", b"small")
    s3.put("large", bytes(SIZE_BYTES))
    assert measure(server, "s3", s3.endpoint, f"{S3_BUCKET}/") <= MOST_BYTES
