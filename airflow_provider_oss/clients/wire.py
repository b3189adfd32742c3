"""
One connection: bytes that are sent and received over a socket which urllib3 has connected, and never shared.

The kernel waits, at most a quarter of a second at a time (SO_SNDTIMEO, SO_RCVTIMEO), whatever is sent or received. So
one system call moves as much as it can without the interpreter's lock, which a thread that computes gives up only every
5 ms; a wait ends soon after a request to stop; and a slow link is not taken for one that stands still.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import ssl
import struct
import sys
import termios
import time
import warnings
import weakref
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final, NamedTuple, TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, InsecureRequestWarning, ProtocolError, SSLError

from airflow_provider_oss.cancellation import Cancellation, check_in_force, interruptible, obeying
from airflow_provider_oss.file_range import Buffer, FileRange

Moved = TypeVar("Moved")

_TICK_SECONDS: Final = 0.25
_TICK: Final = struct.pack("ll", 0, int(_TICK_SECONDS * 1_000_000))
"""A struct timeval."""
_UNSENT: Final = termios.TIOCOUTQ
"""Of a socket, on Linux: the bytes that the other side has not acknowledged (SIOCOUTQ)."""
_WAITED_IN_VAIN: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_READ_NO_MORE: Final = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_PIECE_BYTES: Final = 2 * 1024 * 1024
"""A wish to stop, a signal or an early answer is seen between two pieces; each costs the interpreter's lock."""
_RECEIVED_AT_ONCE_BYTES: Final = 64 * 1024


class BrokenConnection(ConnectionError):
    """The other side has ended the connection, or it is not this process's."""


class StoodStill(TimeoutError):
    """Nothing has moved for too long, or the answer is not there in time."""


_BROKEN: Final = (BrokenConnection, StoodStill)
"""What is raised here; errors of the system have a number."""


class Origin(NamedTuple):
    """Where a connection leads: it is used again only for the same."""

    scheme: str
    host: str
    port: int


class Connection:
    """
    One connection. Used by one thread at a time.

    Sending and receiving raise TimeoutError when for ``stall_seconds`` nothing moves in either direction, or the time
    is past ``deadline``; OSSUploadCancelled within a second after ``cancellation``, or one in force, is requested, and
    before anything is sent; OSError when the connection breaks. Connecting alone ends in the main thread only, and when
    a signal handler requests it; else it ends with its own timeout.
    """

    def __init__(self, origin: Origin, made: HTTPConnection, stall_seconds: float, cancellation: Cancellation) -> None:
        self.origin = origin
        self.sock: socket.socket | None = None
        self.deadline: float | None = None
        """In seconds of ``time.monotonic``."""
        self.stall_seconds = stall_seconds
        self._made = made
        self._cancellation = cancellation
        self._still_since: float | None = None
        self._unsent_bytes = 0
        self._readable = select.poll()
        self._writable = select.poll()

    def connect(self) -> None:
        """Connect. Raises ``urllib3.exceptions.HTTPError``, or OSError when it breaks."""
        made = self._made
        try:
            with obeying(self._cancellation), interruptible():
                made.connect()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):  # it broke: that says nothing of certificates
            raise
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except TimeoutError as error:  # of a TLS handshake, or a proxy's answer to CONNECT
            raise ConnectTimeoutError(str(error)) from error
        except (HTTPException, OSError) as error:  # a proxy's answer to CONNECT is none, or a refusal
            raise ProtocolError("Connection aborted.", error) from error
        self.sock, made.sock = made.sock, None
        _OPEN.add(self)
        self._readable.register(self.sock.fileno(), select.POLLIN)
        self._writable.register(self.sock.fileno(), select.POLLOUT)
        self._let_the_kernel_wait(self.sock)
        if isinstance(made, HTTPSConnection) and not (made.is_verified or made.proxy_is_verified):
            warnings.warn(f"The certificate of {made.host!r} is not verified", InsecureRequestWarning, stacklevel=2)

    def _let_the_kernel_wait(self, sock: Any) -> None:
        if not isinstance(sock, socket.socket):  # urllib3's TLS within TLS, which cannot be interrupted
            sock.settimeout(self.stall_seconds)
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TICK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TICK)
        if isinstance(sock, ssl.SSLSocket):  # an answer that ends with the connection ends with close_notify
            sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # typeshed does not know it
        # To Python it is a socket that does not wait: with a timeout, or none, Python would wait itself, and again
        sock.settimeout(0.0)
        os.set_blocking(sock.fileno(), True)

    def _own(self) -> socket.socket:
        if self.sock is None:
            raise BrokenConnection("it was closed, or is that of the process which this one was forked from")
        return self.sock

    @property
    def sends_files(self) -> bool:
        """Whether the kernel can send a file's bytes without their passing through this process."""
        return type(self.sock) is socket.socket

    def is_to_blame(self, error: BaseException) -> bool:
        """Whether the error is the connection's: not what a signal handler of the user's raises, a TimeoutError say."""
        if not isinstance(error, OSError):
            return False
        is_waited_for_by_python = not isinstance(self.sock, socket.socket | None)  # its timeouts have no number
        return isinstance(error, _BROKEN) or error.errno is not None or is_waited_for_by_python

    def send(self, data: Buffer, is_answered: Callable[[], bool]) -> bool:
        """
        Send it; return whether all of it went.

        The rest does not when the other side reads no more, which its answer may explain, or when ``is_answered``,
        asked before each piece, says that it is not wanted.
        """
        sock, view = self._own(), memoryview(data).cast("B")
        if not isinstance(sock, ssl.SSLSocket):
            return self._send(sock, view, is_answered)
        # OpenSSL would come back only when a piece has gone as a whole, however slowly
        os.set_blocking(sock.fileno(), False)
        try:
            return self._send(sock, view, is_answered)
        finally:
            os.set_blocking(sock.fileno(), True)

    def _send(self, sock: socket.socket, view: memoryview, is_answered: Callable[[], bool]) -> bool:
        while view:
            if is_answered():
                return False
            sent = self._moved(sock.send, view[:_PIECE_BYTES])
            if sent is None:
                return False
            view = view[sent:]
        return True

    def send_file(self, data: FileRange, is_answered: Callable[[], bool]) -> bool:
        """Let the kernel send a file from its page cache; as ``send`` otherwise."""
        done, socket_descriptor = 0, self._own().fileno()
        while done < len(data):
            if is_answered():
                return False
            most = min(len(data) - done, 4 * _PIECE_BYTES)
            sent = self._moved(os.sendfile, socket_descriptor, data.descriptor, data.offset_bytes + done, most)
            if sent is None:
                return False
            if sent == 0 and os.fstat(data.descriptor).st_size <= data.offset_bytes + done:
                raise data.cut_short(done)
            done += sent
        return True

    def _moved(self, send: Callable[..., int], *arguments: Any) -> int | None:
        """Return how many bytes went; 0 after a quarter of a second in which none did, None when none ever will."""
        self._look_whether_to_stop()
        try:
            sent = send(*arguments)
        except ssl.SSLWantWriteError:
            if self._writable.poll(_TICK_SECONDS * 1000):
                self._still_since = None
            else:
                self._stands_still()
            return 0
        except _WAITED_IN_VAIN:
            self._stands_still()
            return 0
        except _READ_NO_MORE:
            return None
        self._still_since = None
        return sent

    def receive(self, most_bytes: int = _RECEIVED_AT_ONCE_BYTES) -> bytes:
        """Return what arrives next; no bytes at the end."""
        return self._received(self._own().recv, most_bytes)

    def receive_into(self, buffer: memoryview) -> int:
        """Receive into the buffer, all of it where that is possible at once; return how much that was, 0 at the end."""
        sock = self._own()
        if self.sends_files:
            return self._received(sock.recv_into, buffer, len(buffer), socket.MSG_WAITALL)
        return self._received(sock.recv_into, buffer)

    def _received(self, receive: Callable[..., Moved], *arguments: Any) -> Moved:
        while True:
            self._look_whether_to_stop()
            try:
                received = receive(*arguments)
            except _WAITED_IN_VAIN:
                self._stands_still()
            else:
                self._still_since = None
                return received

    def glance(self) -> bytes | None:
        """Return what has arrived, without waiting; None when nothing has, no bytes when the other side has ended."""
        sock = self._own()
        if not isinstance(sock, socket.socket) or not self._readable.poll(0):
            return None
        waits = os.get_blocking(sock.fileno())
        os.set_blocking(sock.fileno(), False)  # of TLS there may be no more than a session ticket
        try:
            return sock.recv(_RECEIVED_AT_ONCE_BYTES)
        except _WAITED_IN_VAIN:
            return None
        except _READ_NO_MORE:
            return b""
        finally:
            os.set_blocking(sock.fileno(), waits)

    def can_be_used_again(self) -> bool:
        """Whether it stands and nothing has arrived on it since its last answer: that would be taken for the next."""
        return self.sock is not None and not self._readable.poll(0) and not getattr(self.sock, "pending", _none)()

    def _stands_still(self) -> None:
        """Raise TimeoutError when nothing has moved for too long: nothing went out of the kernel's buffer either."""
        now, unsent_bytes = time.monotonic(), self._count_unsent_bytes()
        if self._still_since is None or unsent_bytes != self._unsent_bytes:
            self._still_since, self._unsent_bytes = now - _TICK_SECONDS, unsent_bytes
        if now - self._still_since >= self.stall_seconds:
            raise StoodStill("timed out")
        if unsent_bytes and self.deadline is not None:
            self.deadline += _TICK_SECONDS  # the answer to what is still on its way cannot come yet
        self._look_whether_to_stop()

    def _count_unsent_bytes(self) -> int:
        try:
            return int.from_bytes(fcntl.ioctl(self._own().fileno(), _UNSENT, bytes(4)), sys.byteorder)
        except OSError:  # another system than Linux: there only what this process sends counts
            return 0

    def _look_whether_to_stop(self) -> None:
        self._cancellation.check()
        check_in_force()
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise StoodStill("timed out")

    def close(self) -> None:
        """Close it, one that is not whole yet too."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        self._made.close()

    def leave_to_the_parent(self) -> None:
        """Close this process's descriptor of a socket of its parent's, without a word to the other side."""
        sock, self.sock = self.sock, None
        if sock is not None:
            os.close(getattr(sock, "socket", sock).detach())


def _none() -> int:
    return 0


_OPEN: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()


def _begin_without_connections() -> None:
    for connection in list(_OPEN):
        connection.leave_to_the_parent()
    _OPEN.clear()


os.register_at_fork(after_in_child=_begin_without_connections)
