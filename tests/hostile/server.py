"""A server that plays scripts over a socket, plain or TLS, and notes every connection and request that reaches it."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from fastcrc import crc64 as fast

from tests.clients.support import Certificate
from tests.hostile.script import Drip, Flood, Pause, Script, Send, Step

_BLOCK_BYTES: Final = 64 * 1024
_RECEIVE_BUFFER_BYTES: Final = 64 * 1024
"""Small, so that a client whose body is not read notices soon."""
_LOOK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 20.0
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Request:
    """A request whose head has arrived, and what has arrived of its body."""

    connection: int
    """Number of the connection it came over, from 1."""
    method: str
    target: str
    headers: dict[str, str]
    body_bytes: int = 0
    body_crc64: int = 0
    is_whole: bool = False

    @property
    def key(self) -> str:
        """The object's key; "" is the bucket."""
        return unquote(urlsplit(self.target).path).split("/", 2)[2]

    @property
    def params(self) -> dict[str, str]:
        """The query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


Behaviour: TypeAlias = Callable[[Request], Script]


@dataclass(slots=True)
class Scene:
    """What the server does from now on, and what has reached it since."""

    behaviour: Behaviour
    requests: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _playing: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def end(self) -> None:
        """Let scripts that have no end of their own end, and wait until none is being played."""
        self.released.set()
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._playing, _PATIENCE_SECONDS)
        assert ended, "a script of the hostile server does not end"

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Note that a script is being played."""
        with self._changed:
            self._playing += 1
        try:
            yield
        finally:
            with self._changed:
                self._playing -= 1
                self._changed.notify_all()


class HostileServer:
    """Listens on a free port of the loopback interface while its ``with`` block runs."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.certificate, certificate.key)
        self._numbers = count(1)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.scene = Scene(lambda _: ())

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(100)
        self._listener.settimeout(_LOOK_SECONDS)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.scene.released.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    @property
    def endpoint(self) -> str:
        """The URL."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def begin(self, behaviour: Behaviour) -> Scene:
        """Do this with every request from now on."""
        self.scene = Scene(behaviour)
        return self.scene

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, accepted: socket.socket) -> None:
        number = next(self._numbers)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError), accepted:  # a client that goes away ends it at any step
            accepted.settimeout(_PATIENCE_SECONDS)
            used = accepted
            if self._tls is not None:
                used = self._tls.wrap_socket(accepted, server_side=True)
            with used:
                used.settimeout(_LOOK_SECONDS)
                peer = _Peer(used, self._stopped.is_set)
                while not peer.is_closed and (head := peer.read_until(b"\r\n\r\n")):
                    self._answer(peer, _parsed(number, head))

    def _answer(self, peer: _Peer, request: Request) -> None:
        scene = self.scene
        with scene.playing():
            scene.requests.append(request)
            peer.is_over = lambda: scene.released.is_set() or self._stopped.is_set()
            try:
                for step in scene.behaviour(request):
                    _play(peer, step, request, scene)
            finally:
                peer.is_over = self._stopped.is_set


def _parsed(number: int, head: bytes) -> Request:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(number, method, target, headers)


def _play(peer: _Peer, step: Send | Drip | Pause | Flood | Step, request: Request, scene: Scene) -> None:
    match step:
        case Send(data):
            peer.send(data)
        case Drip(data, pause_seconds):
            _drip(peer, data, pause_seconds, scene)
        case Pause(seconds):
            scene.released.wait(seconds)
        case Flood(unit, most_bytes):
            for _ in range(0, most_bytes, len(unit)):
                peer.send(unit)
        case Step.READ_BODY:
            peer.read_body(request)
        case Step.SILENCE:
            peer.wait_until_gone()
        case Step.HALF_CLOSE:
            peer.half_close()
        case Step.CLOSE | Step.CUT | Step.RESET:
            peer.close(step)


def _drip(peer: _Peer, data: bytes, pause_seconds: float, scene: Scene) -> None:
    for value in data:
        if scene.released.wait(pause_seconds):
            peer.close(Step.RESET)
            return
        peer.send(bytes((value,)))


class _Peer:
    """One connection. OSError ends it: of the client, or TimeoutError when the scene is over."""

    def __init__(self, sock: socket.socket, is_over: Callable[[], bool]) -> None:
        self._sock = sock
        self._buffer = b""
        self.is_over = is_over
        self.is_closed = False

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view[:_BLOCK_BYTES]) :]
            except TimeoutError:
                self._check_not_over()

    def _check_not_over(self) -> None:
        if self.is_over():
            self.close(Step.RESET)
            raise TimeoutError("the scene is over")

    def _receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(_BLOCK_BYTES)
            except TimeoutError:
                self._check_not_over()

    def read_until(self, end: bytes) -> bytes:
        """Return what comes up to ``end`` and with it, or nothing when the client closes before that."""
        while end not in self._buffer:
            if not (data := self._receive()):
                return b""
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(end)
        return found + end

    def read_body(self, request: Request) -> None:
        if request.headers.get("transfer-encoding") == "chunked":
            while size := int(self._line(), 16):
                self._take(request, size)
                self._line()
            self._line()
        else:
            self._take(request, int(request.headers.get("content-length", "0")))
        request.is_whole = True

    def _line(self) -> bytes:
        if not (line := self.read_until(b"\r\n")):
            raise ConnectionError("the client ended its body early")
        return line

    def _take(self, request: Request, size: int) -> None:
        while size:
            data = self._buffer or self._receive()
            if not data:
                raise ConnectionError("the client ended its body early")
            taken, self._buffer = data[:size], data[size:]
            size -= len(taken)
            request.body_bytes += len(taken)
            request.body_crc64 = fast.xz(taken, request.body_crc64)

    def wait_until_gone(self) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP)
        while not poll.poll(_LOOK_SECONDS * 1000):
            self._check_not_over()
        self.close(Step.RESET)

    def half_close(self) -> None:
        if isinstance(self._sock, ssl.SSLSocket):
            _say_goodbye(self._sock)
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        with suppress(OSError):
            while self._drain():
                pass
        self.close(Step.CUT)

    def _drain(self) -> bytes:
        """Receive what may be no TLS any more."""
        while True:
            with suppress(TimeoutError):
                return socket.socket.recv(self._raw(), _BLOCK_BYTES)
            self._check_not_over()

    def _raw(self) -> socket.socket:
        if isinstance(self._sock, ssl.SSLSocket):
            raw = socket.socket(fileno=self._sock.detach())
            raw.settimeout(_LOOK_SECONDS)
            self._sock = raw
        return self._sock

    def close(self, how: Step) -> None:
        self.is_closed = True
        if how is Step.RESET:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        elif how is Step.CLOSE and isinstance(self._sock, ssl.SSLSocket):
            _say_goodbye(self._sock)
        self._sock.close()


def _say_goodbye(sock: ssl.SSLSocket) -> None:
    """Send close_notify, and wait for none."""
    sock.settimeout(0)
    with suppress(OSError):
        sock.unwrap()
    sock.settimeout(_LOOK_SECONDS)
