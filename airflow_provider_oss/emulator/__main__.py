"""``python -m airflow_provider_oss.emulator``: the local OSS server as a process."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_oss.emulator.server import OSSEmulator

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve until SIGTERM or SIGINT; the endpoint is the first line on stdout, once connections are accepted.

    Returns the exit status: 0 after a clean stop, 1 when the server cannot start, with the reason on stderr.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        with _emulator(options) as server:
            print(server.endpoint, flush=True)  # noqa: T201 - this line is the interface
            stop.wait()
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


def _emulator(options: argparse.Namespace) -> OSSEmulator:
    return OSSEmulator(
        options.root,
        host=options.host,
        port=options.port,
        access_key_id=options.access_key_id,
        access_key_secret=options.access_key_secret,
        region=options.region,
        buckets=options.bucket or ("exports",),
        ssl_certfile=options.ssl_certfile,
        ssl_keyfile=options.ssl_keyfile,
        admin=options.admin,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_oss.emulator", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds everything; made if absent")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=9000, help="0 means any free port (default: 9000)")
    parser.add_argument("--access-key-id", default="local-access-key-id")
    parser.add_argument("--access-key-secret", default="local-access-key-secret")
    parser.add_argument("--bucket", action="append", metavar="NAME", help="create this bucket; may be repeated")
    parser.add_argument("--region", default="cn-hangzhou")
    parser.add_argument("--ssl-certfile", type=Path)
    parser.add_argument("--ssl-keyfile", type=Path)
    parser.add_argument("--admin", action="store_true", help="open the unsigned admin path /-/admin/")
    return parser


if __name__ == "__main__":
    sys.exit(main())
