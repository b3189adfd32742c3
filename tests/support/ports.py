"""Ports for servers that take a number and cannot be given a socket."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.airflow_home import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a free port that nobody else is given while the block lasts.

    The socket is bound but does not listen, which lets a server that sets SO_REUSEADDR, as uvicorn and Redis do, listen
    on the port.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, 0))
        yield int(holder.getsockname()[1])
