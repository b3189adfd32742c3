"""What the commands that serve have in common: options, signals, and errors without a traceback."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow_provider_oss.emulator.server import OSSEmulator


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a server, but for its folder and its port."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: this machine only, as the pages under /-/ need no key)",
    )
    parser.add_argument("--access-key-id", default="local-access-key-id")
    parser.add_argument("--access-key-secret", default="local-access-key-secret")
    parser.add_argument("--bucket", action="append", metavar="NAME", help="create this bucket; may be repeated")
    parser.add_argument("--region", default="cn-hangzhou")
    parser.add_argument("--ssl-certfile", type=Path)
    parser.add_argument("--ssl-keyfile", type=Path)
    parser.add_argument("--admin", action="store_true", help="open the unsigned admin path /-/admin/")


def server_of(options: argparse.Namespace) -> OSSEmulator:
    """Return the server. Raises ValueError for an option that it does not take, ModuleNotFoundError without uvicorn."""
    from airflow_provider_oss.emulator import OSSEmulator

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


def run(serve: Callable[[threading.Event], None]) -> int:
    """
    Call the function, with an event that SIGTERM, SIGINT and SIGHUP set, and return the exit status.

    SIGHUP, the end of the terminal, does not count where it is ignored already: that is what nohup is for.

    0 after a clean stop, 1 when the server cannot start, with the reason on stderr.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    stop = threading.Event()
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    for signal_number in (signal.SIGTERM, signal.SIGINT, *hangup):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        serve(stop)
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to who runs it
        return 1
    return 0
