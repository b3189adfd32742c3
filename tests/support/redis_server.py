"""A real Redis on this machine: its own, or Debian's package unpacked into .cache, which needs no root.

``python -m tests.support.redis_server`` (``make`` calls it) leaves the command ``.cache/redis/redis-server``. The one
that the variable REDIS names, or that is on the PATH, is taken as it is. Otherwise apt downloads Debian's: 5 s, 2 MB.
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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.airflow_home import CACHE, LOOPBACK
from tests.support.debian import libraries, provide, unpack
from tests.support.ports import reserved_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIS: Final = CACHE / "redis" / "redis-server"

_REMEDY: Final = "Install Redis, or name one: make REDIS=/path/to/redis-server ..."
_WAIT_SECONDS: Final = 30.0


@contextmanager
def running_redis() -> Iterator[str]:
    """Start a server without any data on a free port of this machine, give its URL, and end and remove it."""
    if not REDIS.exists():
        raise RuntimeError(f"{REDIS} is not there: make leaves it, or python -m tests.support.redis_server")
    folder = Path(tempfile.mkdtemp(prefix="oss-redis-"))
    log = folder / "log"
    try:
        with reserved_port() as port, log.open("wb") as output:
            process = subprocess.Popen(
                [str(REDIS), "--bind", LOOPBACK, "--port", str(port), "--save", "", "--dir", str(folder)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            )  # fmt: skip
            try:
                wait_until(
                    lambda: _answers(port, process, log),
                    _WAIT_SECONDS,
                    "Redis to accept connections",
                    lambda: log.read_text(errors="replace"),
                )
                yield f"redis://{LOOPBACK}:{port}/0"
            finally:
                _end(process)
    finally:
        shutil.rmtree(folder)


def _unpacked(folder: Path) -> str:
    """Unpack Debian's package and return the lines of the command that starts its server."""
    root = unpack(("redis-server",), folder)
    return (
        f"export LD_LIBRARY_PATH={shlex.quote(libraries(root))}\nexec {shlex.quote(str(root / 'usr/bin/redis-server'))}"
    )


def _answers(port: int, process: subprocess.Popen[bytes], log: Path) -> bool | None:
    if process.poll() is not None:
        raise RuntimeError(f"Redis ended with {process.returncode}:\n{log.read_text(errors='replace')}")
    with socket.socket() as client:
        try:
            client.connect((LOOPBACK, port))
        except OSError:
            return None
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG") or None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server at once; what it stores is thrown away."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    try:
        there = os.environ.get("REDIS") or shutil.which("redis-server")
        provide(REDIS, f"exec {shlex.quote(there)}" if there else _unpacked(REDIS.parent))
    except RuntimeError as error:
        sys.exit(f"No Redis for the tests: {error}\n{_REMEDY}")
