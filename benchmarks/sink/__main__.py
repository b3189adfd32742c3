"""``python -m benchmarks.sink``: serves on a free port of the loopback, which it prints, until its input ends."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from email.utils import format_datetime

from benchmarks.sink.http import Connection
from benchmarks.sink.uploads import Uploads


async def serve() -> None:
    """Serve until standard input ends: so the sink ends with whoever started it."""
    loop = asyncio.get_running_loop()
    uploads = Uploads()
    server = await loop.create_server(lambda: Connection(uploads.answer, _now), "127.0.0.1", 0, backlog=512)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)  # how the parent learns the port
        await ended.wait()


def _now() -> str:
    return format_datetime(datetime.now(UTC), usegmt=True)


asyncio.run(serve())
