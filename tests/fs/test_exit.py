"""Files that nobody has closed when the process ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.fs import files as pushed
from airflow_provider_oss.limits import MIB
from tests.conftest import BUCKET, connection_json
from tests.support.airflow_home import airflow_environment
from tests.support.outside_view import unfinished_uploads

if TYPE_CHECKING:
    import oss2

    from airflow_provider_oss.emulator import OSSEmulator

IMPORT = """
import atexit, os, sys
from airflow_provider_oss.fs.filesystem import OSSFileSystem
"""
# The file holds at most four blocks and the upload three parts, each of 1 MiB: the rest is stored when the loop ends
WRITE = """
file = OSSFileSystem().open(sys.argv[1], "wb", part_size=1024 * 1024, parallel=1)
for _ in range(24):
    file.write(bytes(1024 * 1024))
"""
FORK = """
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
atexit._clear()
"""
END_CHILD = """
atexit._run_exitfuncs()
os._exit(0)
"""


@pytest.mark.parametrize(
    "program",
    [
        IMPORT + WRITE,
        IMPORT + WRITE + "del file",
        IMPORT + WRITE + "sys.exit()",
        IMPORT + FORK + WRITE + END_CHILD,
    ],
    ids=["held", "dropped", "exit", "forked as tasks of Airflow 3"],
)
def test_the_process_ends(server: OSSEmulator, bucket: oss2.Bucket, tmp_path: Path, program: str) -> None:
    """What has been sent is aborted before the process is gone: it would be billed. The loss is told."""
    (tmp_path / "airflow.cfg").touch()
    ended = subprocess.run(
        [sys.executable, "-c", program, f"{BUCKET}/key"],
        env=airflow_environment(tmp_path, tmp_path / "dags", {"AIRFLOW_CONN_OSS_DEFAULT": connection_json(server)}),
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert {"InitiateMultipartUpload", "UploadPart"} <= {request.operation for request in server.requests}
    assert unfinished_uploads(bucket) == []
    assert not bucket.object_exists("key")
    loss = f"oss://{BUCKET}/key: the file was never closed, so the 25165824 bytes written to it are not stored"
    assert (ended.stdout + ended.stderr).decode().count(f"{loss}: open it in a `with` block") == 1


def test_an_upload_that_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process does not wait for ever."""
    monkeypatch.setattr(pushed, "_EXIT_SECONDS", 0.05)
    stopped = threading.Event()
    upload = pushed.PushedUpload(lambda *_: stopped.wait(60), MIB, "what never stops")
    upload.write(memoryview(bytes(2 * MIB)))
    pushed._abandon_all()
    assert not stopped.is_set()
    stopped.set()
    upload.wait()
