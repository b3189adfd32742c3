"""A real MariaDB on this machine: its own, or Debian's package unpacked into .cache, which needs no root.

``python -m tests.support.mariadb`` (``make`` calls it) leaves the command ``.cache/mariadb/mariadbd``. The server that
the variable MARIADB names, or that is on the PATH, is taken as it is. Otherwise apt downloads Debian's: 3 s, 8 MB.

A server listens on a Unix socket in a folder of its own: no port, nobody else gets in, no password is needed. It begins
within a second, from an empty folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pymysql

from tests.support.airflow_home import CACHE
from tests.support.debian import libraries, provide, unpack
from tests.support.waiting import wait_until

MARIADB: Final = CACHE / "mariadb" / "mariadbd"
DATABASE: Final = "exports"
DRIVERS: Final = [name for name in ("pymysql", "mysql.connector", "MySQLdb") if find_spec(name.partition(".")[0])]
"""Those that are installed: the last one, mysqlclient, has no wheel for Linux, and only ``make matrix`` builds it."""

_REMEDY: Final = "Install MariaDB, or name one: make MARIADB=/path/to/mariadbd ..."
_WAIT_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "innodb-buffer-pool-size": "8M",
    "innodb-log-file-size": "4M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-fast-shutdown": "2",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "sql-mode": "",  # zero dates are taken
}


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """A running server."""

    socket: Path

    def connect(self, driver: str = "pymysql", **options: Any) -> Any:
        """Return a connection of the driver, of a user who may do everything."""
        return import_module(driver).connect(
            unix_socket=str(self.socket), user="root", database=DATABASE, host="localhost", **options
        )

    def connector(self, driver: str, **options: Any) -> Callable[[], Any]:
        """Return what connects."""
        return lambda: self.connect(driver, **options)

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute the statements, commit, and return the rows of the last one."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
            return list(cursor.fetchall())


@contextmanager
def running_mariadb() -> Iterator[MariadbServer]:
    """Start a server without any data, and end and remove it."""
    if not MARIADB.exists():
        raise RuntimeError(f"{MARIADB} is not there: make leaves it, or python -m tests.support.mariadb")
    folder = Path(tempfile.mkdtemp(prefix="oss-mariadb-"))
    path, log = folder / "socket", folder / "log"
    try:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        (folder / "data").mkdir()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    str(MARIADB), f"--datadir={folder / 'data'}", f"--socket={path}", f"--pid-file={folder / 'pid'}",
                    "--skip-networking", "--skip-grant-tables", *settings, *_as_root(),
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            )  # fmt: skip
        try:
            wait_until(
                lambda: _answers(path, log, process),
                _WAIT_SECONDS,
                "MariaDB to accept connections",
                lambda: log.read_text(errors="replace"),
            )
            yield MariadbServer(path)
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder)


def _unpacked(folder: Path) -> str:
    """Unpack Debian's package and return the lines of the command that starts its server."""
    root = unpack(("mariadb-server-core",), folder)
    share = root / "usr" / "share" / "mysql"
    options = {"basedir": root / "usr", "lc-messages-dir": share, "character-sets-dir": share / "charsets"}
    arguments = shlex.join(f"--{name}={value}" for name, value in options.items())
    return (
        f"export LD_LIBRARY_PATH={shlex.quote(libraries(root))}\n"
        f"exec {shlex.quote(str(root / 'usr/sbin/mariadbd'))} --no-defaults {arguments}"
    )


def _as_root() -> list[str]:
    return [] if os.getuid() else ["--user=root"]


def _answers(path: Path, log: Path, process: subprocess.Popen[bytes]) -> bool | None:
    if process.poll() is not None:
        raise RuntimeError(f"MariaDB ended with {process.returncode}:\n{log.read_text(errors='replace')}")
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return None
    with closing(pymysql.connect(unix_socket=str(path), user="root")) as connection:
        connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server at once; what it stores is thrown away."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    try:
        there = os.environ.get("MARIADB") or shutil.which("mariadbd")
        provide(MARIADB, f"exec {shlex.quote(there)} --no-defaults" if there else _unpacked(MARIADB.parent))
    except RuntimeError as error:
        sys.exit(f"No MariaDB for the tests: {error}\n{_REMEDY}")
