"""The local OSS server as its users run it: a process of its own, told to be slow over its admin path."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_oss.emulator import Fault, RecordedRequest
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_END_SECONDS = 10.0


class ServerProcess:
    """A running server. Each method is one request to its admin path; any answer but 2xx raises ``RuntimeError``."""

    def __init__(self, pid: int, endpoint: str, client: httpx.Client) -> None:
        self.pid = pid
        self.endpoint = endpoint
        self._client = client

    def requests(self) -> list[RecordedRequest]:
        """Return what arrived, in the order in which the requests ended."""
        return [RecordedRequest(**record) for record in self._admin("GET", "requests").json()]

    def replace_faults(self, *faults: Fault) -> None:
        """Misbehave like this from now on, and in no other way."""
        self._admin("DELETE", "faults")
        self._admin("POST", "faults", [_as_json(fault) for fault in faults])

    def _admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        response = self._client.request(method, f"{self.endpoint}/-/admin/{path}", json=body)
        if not response.is_success:
            raise RuntimeError(f"the OSS server answered {method} {path} with {response.status_code}: {response.text}")
        return response


@contextmanager
def running_server(root: Path) -> Iterator[ServerProcess]:
    """Run a server that keeps everything in ``root``, and end it. Raises ``RuntimeError`` when it does not start."""
    command = [sys.executable, "-m", "airflow_provider_oss.emulator", "--root", str(root), "--port", "0", "--admin"]
    with (
        # A session of its own: Ctrl-C is for the demonstration, which ends the server when Airflow is gone
        subprocess.Popen(
            [*command, "--bucket", BUCKET], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process,
        httpx.Client(trust_env=False, timeout=30.0) as client,
    ):
        try:
            endpoint = process.stdout.readline().strip() if process.stdout else ""
            if not endpoint:
                raise RuntimeError("the local OSS server did not start")
            yield ServerProcess(process.pid, endpoint, client)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _as_json(fault: Fault) -> dict[str, Any]:
    """Return the fields that say what the fault is; those left out have their defaults."""
    chosen = {
        "operation": fault.operation,
        "skip": fault.skip,
        "rate_bytes_per_second": fault.rate_bytes_per_second,
        "stall": fault.stall,
    }
    return {name: value for name, value in chosen.items() if value is not None}
