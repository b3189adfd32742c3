"""``python -m airflow_provider_oss.emulator``: the local OSS server as a process, for programs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.command_line import add_options, run, server_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve until SIGTERM or SIGINT; the endpoint is the only line on stdout, once connections are accepted.

    Returns the exit status: 0 after a clean stop, 1 when the server cannot start, with the reason on stderr.
    """
    options = _parser().parse_args(arguments)

    def serve(stop: threading.Event) -> None:
        with server_of(options) as server:
            print(server.endpoint, flush=True)  # noqa: T201 - this line is the interface
            stop.wait()

    return run(serve)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_oss.emulator", description=__doc__)
    parser.add_argument("--root", required=True, help="folder that holds everything; made if absent")
    parser.add_argument("--port", type=int, default=9000, help="0 means any free port (default: 9000)")
    add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
