"""The command ``oss-local``: a local OSS server that shows how it is reached and what is asked of it."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.emulator.airflow_connection import CONNECTION_TYPE, form_values
from airflow_provider_oss.emulator.command_line import add_options, run, server_of
from airflow_provider_oss.emulator.request_log import start_log

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from airflow_provider_oss.emulator.server import OSSEmulator

_DESCRIPTION: Final = (
    "A local OSS server that shows how it is reached and what is asked of it. Without options it has a free port, the "
    "bucket exports, and a folder that is removed when it ends."
)
_LAST_LINES_SECONDS: Final = 1.0
"""How long a stop waits for lines of the log that nobody reads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve until SIGTERM, SIGINT or SIGHUP. The first line on stdout is the address; then keys, connection, and requests.

    Returns the exit status: 0 after a clean stop, 1 when the server cannot start, with the reason on stderr.
    """
    options = _parser().parse_args(arguments)

    def serve(stop: threading.Event) -> None:
        with server_of(options) as server:
            requests = server.follow_requests()  # before the address is printed: who reads it asks at once
            print(_introduction(server, options.root), flush=True)  # noqa: T201 - a command speaks to who runs it
            log = start_log(requests, sys.stdout.fileno())
            stop.wait()
        log.join(_LAST_LINES_SECONDS)

    return run(serve)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="oss-local", description=_DESCRIPTION)
    parser.add_argument("--root", help="folder that keeps everything; made if absent (default: temporary)")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    add_options(parser)
    return parser


def _introduction(server: OSSEmulator, root: str | None) -> str:
    connection = server.airflow_connection()
    form = {"Connection ID": "oss_default", "Connection Type": CONNECTION_TYPE, **form_values(connection)}
    width = max(map(len, form))
    return "\n".join(
        [
            server.endpoint,
            "",
            f"The page for browsers is {server.page}",
            f"Everything is kept in {root}" if root else "All of it is temporary; --root DIR keeps it",
            "Ctrl-C ends the server",
            "",
            "Airflow's connection, as a variable of the environment:",
            "",
            f"export AIRFLOW_CONN_OSS_DEFAULT={shlex.quote(connection)}",
            "",
            "or in the form, below Admin > Connections:",
            "",
            *(f"    {label:<{width}}  {value}" for label, value in form.items()),
            "",
            "Requests:",
        ]
    )
