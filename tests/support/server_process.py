"""The local OSS server as a process: what is done to this one, or to that, is not done to both."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ServerProcess(NamedTuple):
    """A running server."""

    process: subprocess.Popen[str]
    endpoint: str


@contextmanager
def server_process(root: Path, *arguments: str, port: int = 0) -> Iterator[ServerProcess]:
    """Run the server. It is killed at the end if it is still there."""
    command = [sys.executable, "-m", "airflow_provider_oss.emulator", "--root", str(root), "--port", str(port)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield ServerProcess(process, process.stdout.readline().strip())
        finally:
            process.kill()
