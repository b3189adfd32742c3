"""``python -m benchmarks.sink``: serves on a free port of the loopback, which it prints, until its input ends."""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from benchmarks.sink.http import Connection
from benchmarks.sink.network import PACED_BUFFER_BYTES, Network
from benchmarks.sink.uploads import Uploads


def main(arguments: Sequence[str]) -> None:
    """Serve as the arguments say."""
    options = _parse(arguments)
    rate = None if options.rate_mb is None else options.rate_mb * 1e6
    asyncio.run(_serve(Network(options.latency_ms / 1000, rate), _context(options.tls)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink", description=__doc__)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="PEM files; answer https")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="N", help="round trip of the network; none")
    parser.add_argument("--rate-mb", type=float, metavar="N", help="MB/s (10^6 bytes) that each connection carries")
    return parser.parse_args(arguments)


def _context(tls: tuple[str, str] | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*tls)
    return context


async def _serve(network: Network, context: ssl.SSLContext | None) -> None:
    """Serve until standard input ends: so the sink ends with whoever started it."""
    loop = asyncio.get_running_loop()
    uploads = Uploads()
    listening = _listening(network)
    server = await loop.create_server(
        lambda: Connection(uploads.answer, _now, network), sock=listening, backlog=512, ssl=context
    )
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    async with server:
        print(listening.getsockname()[1], flush=True)  # how the parent learns the port
        await ended.wait()


def _listening(network: Network) -> socket.socket:
    listening = socket.socket()
    if network.bytes_per_second is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PACED_BUFFER_BYTES)
    listening.bind(("127.0.0.1", 0))
    return listening


def _now() -> str:
    return format_datetime(datetime.now(UTC), usegmt=True)


if __name__ == "__main__":
    main(sys.argv[1:])
