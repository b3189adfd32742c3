"""The command ``oss-local``, as who types it sees it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import oss2
import pytest

from airflow_provider_oss.emulator.airflow_connection import CONNECTION_TYPE, form_values
from airflow_provider_oss.provider_info import EXTRA_FIELDS, STANDARD_FIELDS, get_provider_info
from tests.emulator.support import ClosingSession, send

COMMAND = Path(sys.executable).with_name("oss-local")


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command; what it keeps for a time it keeps in the folder."""
    with subprocess.Popen(
        [COMMAND, *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """The lines up to one that has these words."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or last not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], f"the output ended: {lines}"
    return [line.rstrip("\n") for line in lines]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_arguments(tmp_path: Path, session: ClosingSession, how: signal.Signals) -> None:
    """It shows a connection that works, then each request; a signal ends it, and nothing is left."""
    with running(tmp_path) as process:
        endpoint, *shown = read_until(process, "Requests:")
        assert [path.name.startswith("oss-local-") for path in tmp_path.iterdir()] == [True]
        assert any(f"{endpoint}/-/" in line for line in shown)

        (exported,) = (line for line in shown if line.startswith("export "))
        name, _, value = shlex.split(exported)[1].partition("=")
        connection = json.loads(value)
        assert (name, connection["host"]) == ("AIRFLOW_CONN_OSS_DEFAULT", endpoint)
        bucket = oss2.Bucket(
            oss2.AuthV4(connection["login"], connection["password"]),
            connection["host"],
            connection["schema"],
            session=session,
            region=connection["extra"]["region"],
        )
        bucket.put_object("a.csv", b"12345")
        send(endpoint, "GET", "/exports/secret?Signature=hush")

        first, second = read_until(process, "secret")
        assert first.endswith(" ms")
        assert "  200  PutObject                exports/a.csv  5 B received, " in first
        assert "  403  GetObject                exports/secret  " in second
        assert "hush" not in second

        process.send_signal(how)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")
        assert list(tmp_path.iterdir()) == []


def test_what_is_typed_into_the_form(tmp_path: Path) -> None:
    """Every field has the label of Airflow's form, and the connection's value."""
    certificate = {"verify": "ca.pem"}
    data = {"host": "h", "schema": "s", "login": "l", "password": "p", "extra": {"region": "r", **certificate}}
    assert form_values(json.dumps(data)) == {
        **{label: name[0] for name, label in STANDARD_FIELDS["relabeling"].items()},
        EXTRA_FIELDS["region"]["label"]: "r",
        EXTRA_FIELDS["verify"]["label"]: "ca.pem",
    }
    assert get_provider_info()["connection-types"][0]["hook-name"] == CONNECTION_TYPE
    with running(tmp_path, "--bucket", "reports", "--region", "cn-beijing") as process:
        shown = [line.split("  ") for line in read_until(process, "Requests:")]
    values = {label.strip(): rest[-1].strip() for _, _, label, *rest in (line for line in shown if len(line) > 3)}
    assert values["Connection Type"] == CONNECTION_TYPE
    assert (values["Default bucket"], values["Region"]) == ("reports", "cn-beijing")


def test_a_folder_of_its_own(tmp_path: Path) -> None:
    """With --root everything is there the next time."""
    root, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    with running(temporary, "--root", str(root), "--bucket", "reports") as process:
        assert any(str(root) in line for line in read_until(process, "Requests:"))
        process.terminate()
        assert process.wait(20) == 0
    assert list(temporary.iterdir()) == []
    assert (root / "buckets" / "reports").is_dir()


def test_nobody_reads_the_log(tmp_path: Path) -> None:
    """When the pipe of its output is full the server answers on, and ends when it is told to."""
    with running(tmp_path) as process:
        (endpoint,) = read_until(process, "http")
        for _ in range(90):
            assert send(endpoint, "GET", f"/exports/{'k' * 1000}").status == 403
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "port=99999 is no port: give 1 to 65535, or 0 for any free one"),
        (["--port", "-1"], "port=-1 is no port: give 1 to 65535, or 0 for any free one"),
        (["--root", ""], "root is empty: leave it out for its default"),
        (["--host", ""], "host is empty: leave it out for its default"),
        (["--access-key-secret", ""], "access_key_secret is empty: leave it out for its default"),
        (["--ssl-keyfile", "key.pem"], "ssl_keyfile is the key of a certificate: give ssl_certfile too"),
        (["--ssl-certfile", "absent.pem"], "ssl_certfile='absent.pem' with the key in 'absent.pem' cannot be read: "),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, arguments: list[str], message: str) -> None:
    """A value that no server can have is named in one line, without a traceback, and nothing is left."""
    with running(tmp_path, *arguments) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_under_nohup(tmp_path: Path) -> None:
    """Where SIGHUP is ignored, the end of the terminal does not end the server."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    arguments = [sys.executable, "-c", ignoring, str(COMMAND)]
    with subprocess.Popen(
        arguments, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            (endpoint,) = read_until(process, "http")
            process.send_signal(signal.SIGHUP)
            assert send(endpoint, "GET", "/-/").status == 200
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_host_that_has_a_name(tmp_path: Path) -> None:
    """The page that is printed is there, though under the host's name there is none."""
    with running(tmp_path, "--host", socket.gethostname()) as process:
        endpoint, *shown = read_until(process, "Requests:")
        assert socket.gethostname() in endpoint
        (page,) = (line.rpartition(" ")[2] for line in shown if "/-/" in line)
        assert send(page.removesuffix("/-/"), "GET", "/-/").status == 200


def test_without_the_extra(tmp_path: Path) -> None:
    """Where the server's libraries are not installed, the remedy is named, and no traceback is shown."""
    program = "import sys; sys.modules['uvicorn'] = None; from airflow_provider_oss.emulator.oss_local import main; "
    finished = subprocess.run(
        [sys.executable, "-c", program + "sys.exit(main([]))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (finished.returncode, finished.stdout) == (1, "")
    expected = "error: the local OSS server needs uvicorn: pip install 'airflow-provider-oss[emulator]'\n"
    assert finished.stderr == expected


def test_the_command_is_installed() -> None:
    """Who installs the package has the command."""
    (found,) = entry_points(group="console_scripts", name="oss-local")
    assert found.value == "airflow_provider_oss.emulator.oss_local:main"
