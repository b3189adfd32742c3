"""The server as a process, and its admin path."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oss2
import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from tests.emulator.support import KEY_ID, SECRET, Answer, Client, ClosingSession, send


@contextlib.contextmanager
def serving(root: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its endpoint; it must end with 0 on SIGTERM if it has not ended before."""
    command = [sys.executable, "-m", "airflow_provider_oss.emulator", "--root", str(root), "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out, err) == (0, "", "")
        finally:
            process.kill()


def test_the_first_line_is_the_endpoint(tmp_path: Path, session: ClosingSession) -> None:
    """Once the endpoint is printed the server answers, with the credentials and buckets that were given."""
    arguments = ["--access-key-id", "me", "--access-key-secret", "hush", "--bucket", "one-1", "--bucket", "two-2"]
    with serving(tmp_path, *arguments, "--region", "cn-beijing") as (_, endpoint):
        assert endpoint.startswith("http://127.0.0.1:")
        service = oss2.Service(oss2.AuthV4("me", "hush"), endpoint, session=session, region="cn-beijing")
        assert [(found.name, found.location) for found in service.list_buckets().buckets] == [
            ("one-1", "oss-cn-beijing"),
            ("two-2", "oss-cn-beijing"),
        ]


def test_the_default_bucket(tmp_path: Path, session: ClosingSession) -> None:
    """Without a bucket on the command line there is `exports`; the admin path is closed."""
    with serving(tmp_path) as (_, endpoint):
        bucket = oss2.Bucket(oss2.Auth(KEY_ID, SECRET), endpoint, "exports", session=session)
        assert bucket.get_bucket_info().name == "exports"
        assert send(endpoint, "GET", "/-/admin/requests").code == "InvalidBucketName"
        assert send(endpoint, "DELETE", "/-/admin/faults").code == "InvalidBucketName"


def test_interrupted(tmp_path: Path) -> None:
    """SIGINT ends the server as cleanly as SIGTERM does."""
    with serving(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["--port", "x"], "argument --port: invalid int value: 'x'\n", 2),
        (["--bucket", "Bad_Name"], "error: 'Bad_Name' is no bucket name", 1),
        (["--ssl-certfile", "absent.pem"], "error: ssl_certfile='absent.pem' with the key in", 1),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: list[str], message: str, status: int) -> None:
    """A bad argument ends the program with a message that says what is wrong, and no traceback."""
    command = [
        sys.executable,
        "-m",
        "airflow_provider_oss.emulator",
        "--root",
        str(tmp_path),
        "--port",
        "0",
        *arguments,
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert finished.returncode == status
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """At a folder with files of somebody else's the server does not start, and they stay."""
    (tmp_path / "buckets" / "red").mkdir(parents=True)
    (tmp_path / "buckets" / "red" / "sand.txt").write_text("mine")
    command = [sys.executable, "-m", "airflow_provider_oss.emulator", "--root", str(tmp_path), "--port", "0"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith(f"error: {tmp_path} is not this server's folder")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["buckets/red/sand.txt"]


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A server whose admin path is open."""
    with OSSEmulator(root=tmp_path, admin=True) as server:
        yield server


def post_faults(server: OSSEmulator, faults: Any) -> Answer:
    """Put faults in force over HTTP."""
    return send(server.endpoint, "POST", "/-/admin/faults", body=json.dumps(faults).encode())


def test_faults_over_http(admin: OSSEmulator) -> None:
    """Faults are added and cleared over HTTP."""
    client = Client(admin)
    assert post_faults(admin, [{"operation": "PutObject", "status": 503, "times": 5}]).status == 204
    assert client.send("PUT", "a", body=b"x").code == "ServiceUnavailable"
    assert send(admin.endpoint, "DELETE", "/-/admin/faults").status == 204
    assert client.send("PUT", "a", body=b"x").status == 200


@pytest.mark.parametrize(
    "faults", [{}, [1], [{"no_such_field": 1}], [{"reset": "maybe"}], [{"operation": "a", "skip": -1}]]
)
def test_bad_faults_over_http(admin: OSSEmulator, faults: Any) -> None:
    """What is no list of faults is refused, and none of it is in force."""
    answer = post_faults(admin, faults)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]
    assert send(admin.endpoint, "POST", "/-/admin/faults", body=b"no json").status == 400
    assert Client(admin).send("GET", "a").status == 404


def test_the_ledger_over_http(admin: OSSEmulator) -> None:
    """The ledger is read and emptied over HTTP, and such requests are not in it."""
    Client(admin).send("PUT", "a", body=b"12345")
    (record,) = json.loads(send(admin.endpoint, "GET", "/-/admin/requests").body)
    assert (record["operation"], record["key"], record["bytes_received"], record["status"]) == (
        "PutObject",
        "a",
        5,
        200,
    )
    assert send(admin.endpoint, "DELETE", "/-/admin/requests").status == 204
    assert json.loads(send(admin.endpoint, "GET", "/-/admin/requests").body) == []


def test_other_admin_paths(admin: OSSEmulator) -> None:
    """What the admin path does not have is 404, and faults do not touch it."""
    admin.faults.add(Fault(status=500))
    assert send(admin.endpoint, "GET", "/-/admin/secrets").status == 404
    assert send(admin.endpoint, "PUT", "/-/admin/faults", body=b"[]").status == 404
