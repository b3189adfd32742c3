"""A server that takes connections and requests, and lets whoever asks wait."""

from __future__ import annotations

import select
import socket
import threading
from typing import Final, Literal, Self, TypeAlias

from tests.support.waiting import wait_until

Manner: TypeAlias = Literal["silent", "deaf", "trickling"]
"""It reads and never answers; it does not even read; it reads and answers a byte at a time, without end."""

_TICK_SECONDS: Final = 0.05
_HEAD: Final = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nx-oss-request-id: 1\r\nETag: "1"\r\n'
    b"Content-Length: 1000000\r\n\r\n"
)


class StallingServer:
    """Use it in a ``with`` block: it is gone afterwards."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.settimeout(_TICK_SECONDS)
        self._connections: dict[socket.socket, int] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._reads = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="stalling-server")
        if manner != "deaf":
            self._reads.set()

    @property
    def endpoint(self) -> str:
        """Where it is."""
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def wait_until_asked(self, connections: int = 1) -> None:
        """Wait until so many connections are there."""
        wait_until(lambda: self._count() >= connections or None, 20, "requests", lambda: str(self._count()))

    def wait_until_left(self, within_seconds: float) -> None:
        """Wait until no connection is open any more. A deaf server reads now, or it would not see that."""
        self._reads.set()
        wait_until(lambda: not self._count() or None, within_seconds, "closed connections", lambda: str(self._count()))

    def _count(self) -> int:
        with self._lock:
            return len(self._connections)

    def _serve(self) -> None:
        while not self._is_over.is_set():
            readable, _, _ = select.select([self._listener, *self._read_from()], [], [], _TICK_SECONDS)
            for sock in readable:
                if sock is self._listener:
                    self._accept()
                else:
                    self._read(sock)
            if self._manner == "trickling":
                self._trickle()

    def _read_from(self) -> list[socket.socket]:
        return list(self._connections) if self._reads.is_set() else []

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(0.0)
        with self._lock:
            self._connections[connection] = 0

    def _read(self, connection: socket.socket) -> None:
        try:
            if connection.recv(1 << 20):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.pop(connection, None)
        connection.close()

    def _trickle(self) -> None:
        for connection, sent in list(self._connections.items()):
            try:
                connection.send((_HEAD + b"<")[sent : sent + 1] if sent <= len(_HEAD) else b" ")
            except OSError:
                self._drop(connection)
                continue
            with self._lock:
                self._connections[connection] = sent + 1
