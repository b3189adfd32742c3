"""
Connections to OSS: urllib3 makes them (time-outs, TLS, proxies), and those that are idle are kept for the next request.

The exchange over them is http.client's: urllib3's own takes three times as long, which is half of what a small object
costs.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
import warnings
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import ConnectTimeoutError, InsecureRequestWarning, SSLError
from urllib3.util import Url, make_headers, parse_url, wait_for_read, wait_for_write

from airflow_provider_oss.clients.proxies import parse_proxy
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidConnection
from airflow_provider_oss.file_range import FileRange

_TLS_SLICE_BYTES: Final = 256 * 1024
_FRESH_SECONDS: Final = 1.0
"""So long a connection may be idle without being asked whether it still stands; OSS closes them after a minute."""


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


class Connection(http.client.HTTPConnection):
    """
    One connection, with a limit on standing still: within the read time-out the socket must take or give something.

    A socket's time-out bounds a whole ``sendall``: that would break off a slow link that is alive. ``send`` takes what
    the kernel has room for, a few MiB; over TLS it takes all it is given, so there it is given slices.
    """

    def __init__(self, origin: Origin, made: HTTPConnection, stall_seconds: float) -> None:
        super().__init__(origin.host, origin.port)
        self.origin = origin
        self.idle_since = 0.0
        self._made = made
        self._stall_seconds = stall_seconds

    def connect(self) -> None:
        """Connect. Raises ``urllib3.exceptions.HTTPError``, or OSError when it breaks."""
        try:
            self._made.connect()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):  # it broke: that says nothing of certificates
            raise
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except TimeoutError as error:  # of a TLS handshake, or a proxy's answer to CONNECT
            raise ConnectTimeoutError(str(error)) from error
        self.sock = self._made.sock
        self.sock.settimeout(self._stall_seconds)
        if isinstance(self._made, HTTPSConnection) and not (self._made.is_verified or self._made.proxy_is_verified):
            warnings.warn(f"The certificate of {self.host!r} is not verified", InsecureRequestWarning, stacklevel=2)

    def close(self) -> None:
        """Close it, one that is not whole yet too."""
        super().close()
        self._made.close()

    def send(self, data: Any) -> None:
        """Send bytes, or what is in a file."""
        if not isinstance(data, FileRange):
            self._send_view(memoryview(data).cast("B"))
        elif type(self.sock) is socket.socket:
            self._send_file(data)
        else:
            for block in data.blocks():
                self._send_view(block)

    def _send_view(self, view: memoryview) -> None:
        slice_bytes = None if type(self.sock) is socket.socket else _TLS_SLICE_BYTES
        while view:
            view = view[self.sock.send(view[:slice_bytes]) :]

    def _send_file(self, data: FileRange) -> None:
        """Let the kernel send the file from its page cache: the bytes do not pass through this process."""
        sent = 0
        while sent < len(data):
            try:
                count = os.sendfile(self.sock.fileno(), data.descriptor, data.offset_bytes + sent, len(data) - sent)
            except BlockingIOError:
                if not wait_for_write(self.sock, self._stall_seconds):
                    raise TimeoutError("timed out") from None
                continue
            if not count:
                raise data.cut_short(sent)
            sent += count


class Connections:
    """Makes connections and keeps up to ``keep`` idle ones to each origin. Thread-safe."""

    def __init__(self, settings: ClientSettings, keep: int) -> None:
        self._settings = settings
        self._keep = keep
        self._idle: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        weakref.finalize(self, _close_all, self._idle)

    def take(self, origin: Origin) -> Connection:
        """Return an idle connection, or one that is to be connected."""
        idle = self._idle[origin]
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was first
                break
            if _still_stands(connection):
                return connection
            connection.close()
        return Connection(origin, self._make(origin), self._settings.read_timeout_seconds)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose last answer was read to its end."""
        idle = self._idle[connection.origin]
        if connection.sock is None or len(idle) >= self._keep:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        idle.append(connection)

    def forwarding_headers(self, scheme: str) -> Mapping[str, str] | None:
        """Return what a request needs that a proxy forwards; None where requests are not forwarded by one."""
        return self._proxy_headers if scheme == "http" and self._proxy is not None else None

    def _make(self, origin: Origin) -> HTTPConnection:
        proxy, seconds = self._proxy, self._settings.connect_timeout_seconds
        if proxy is not None:
            return self._make_proxied(origin, proxy, seconds)
        if origin.scheme == "http":
            return HTTPConnection(origin.host, origin.port, timeout=seconds)
        return HTTPSConnection(origin.host, origin.port, timeout=seconds, ssl_context=self._tls)

    def _make_proxied(self, origin: Origin, proxy: Url, seconds: float) -> HTTPConnection:
        """Lead to the proxy, which forwards plain HTTP, and tunnels TLS so that it cannot read it."""
        host, port = proxy.host or "", proxy.port
        if origin.scheme == "http" and proxy.scheme == "http":
            return HTTPConnection(host, port, timeout=seconds, proxy=proxy)
        config = ProxyConfig(self._tls, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None)
        made = HTTPSConnection(host, port, timeout=seconds, ssl_context=self._tls, proxy=proxy, proxy_config=config)
        if origin.scheme == "https":
            made.set_tunnel(origin.host, origin.port, self._proxy_headers, scheme=proxy.scheme or "http")
        return made

    @cached_property
    def _proxy(self) -> Url | None:
        url = self._settings.proxies.get(parse_url(self._settings.endpoint).scheme or "")
        return parse_proxy(url) if url else None

    @cached_property
    def _proxy_headers(self) -> Mapping[str, str]:
        auth = self._proxy.auth if self._proxy else None
        return make_headers(proxy_basic_auth=unquote(auth)) if auth else {}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Loading the authorities takes 30 ms: only where there is TLS."""
        verify = self._settings.verify
        try:
            context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        except OSError as error:
            raise OSSInvalidConnection(f"extra field verify={verify!r} cannot be loaded: {error}") from error
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _close_all(idle: Mapping[Origin, deque[Connection]]) -> None:
    for connections in idle.values():
        for connection in connections:
            connection.close()


def _still_stands(connection: Connection) -> bool:
    """Whether OSS has not closed it: a socket that can be read while nothing was asked has ended."""
    is_fresh = time.monotonic() - connection.idle_since < _FRESH_SECONDS
    return is_fresh or not wait_for_read(connection.sock, timeout=0.0)
