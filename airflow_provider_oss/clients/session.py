"""
The HTTP session that every request goes through: a thin one over urllib3.

It costs half the CPU of requests for a call, has separate time-outs for connecting and for standing still, lets the
kernel send a file's part where there is no TLS, and never follows a redirect or repeats a request by itself.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import wait_for_write

from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidConnection
from airflow_provider_oss.file_range import FileRange

_MAX_HOSTS: Final = 1000
"""Each bucket is a host of its own, and an account may have 100 in a region."""
_TLS_SLICE_BYTES: Final = 256 * 1024
_READ_BYTES: Final = 256 * 1024
_MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_DOCUMENT_PARAMS: Final = frozenset(("list-type", "uploadId", "uploads"))
_NO_BODY_STATUS: Final = (204, 304)
_SERVER_ERROR_STATUS: Final = 500
_REQUEST_ID: Final = "x-oss-request-id"


class _StallLimitMixin:
    """
    Sends bodies with a limit on standing still: within the read time-out the socket must take something.

    A socket's time-out bounds a whole ``sendall``: that would break off a slow link that is alive. ``send`` takes what
    the kernel has room for, a few MiB; over TLS it takes all it is given, so there it is given slices.
    """

    stall_seconds: float = 60.0
    slice_bytes: int | None = None

    def send(self, data: Any) -> None:
        sock = self.sock  # type: ignore[attr-defined]
        if sock is None or not isinstance(data, bytes | bytearray | memoryview | FileRange):
            super().send(data)  # type: ignore[misc]
            return
        sock.settimeout(self.stall_seconds)
        if isinstance(data, FileRange):
            self._send_file(sock, data)
        else:
            self._send_view(sock, memoryview(data).cast("B"))

    def _send_view(self, sock: socket.socket, view: memoryview) -> None:
        while view:
            view = view[sock.send(view[: self.slice_bytes]) :]

    def _send_file(self, sock: socket.socket, data: FileRange) -> None:
        for block in data.blocks():
            self._send_view(sock, block)


class _Connection(_StallLimitMixin, HTTPConnection):
    def _send_file(self, sock: socket.socket, data: FileRange) -> None:
        """Let the kernel send the file from its page cache: the bytes do not pass through this process."""
        sent = 0
        while sent < len(data):
            try:
                count = os.sendfile(sock.fileno(), data.descriptor, data.offset_bytes + sent, len(data) - sent)
            except BlockingIOError:
                if not wait_for_write(sock, self.stall_seconds):
                    raise TimeoutError("timed out") from None
                continue
            if not count:
                raise data.cut_short(sent)
            sent += count


class _SecureConnection(_StallLimitMixin, HTTPSConnection):
    slice_bytes = _TLS_SLICE_BYTES


def _pool_classes(stall_seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools with connections that may stand still for this long."""
    plain = type("Connection", (_Connection,), {"stall_seconds": stall_seconds})
    secure = type("SecureConnection", (_SecureConnection,), {"stall_seconds": stall_seconds})
    return {
        "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class PooledSession:
    """A pool of connections with the time-outs, proxies and TLS settings of an Airflow connection. Thread-safe."""

    def __init__(self, settings: ClientSettings, pool_size: int) -> None:
        self._settings = settings
        self._pool_size = pool_size
        self._pools: dict[str, HTTPConnectionPool] = {}

    def send(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], body: Any = None
    ) -> Response:
        """
        Send a request once. Raises ``urllib3.exceptions.HTTPError`` when there is no answer.

        An answer that is not OSS's raises ValueError: a login page's 200 would otherwise count as a stored object.
        """
        pool, target = self._route(f"{url}?{urlencode(params, quote_via=quote, safe='')}" if params else url)
        if isinstance(body, FileRange):
            headers = {**headers, "content-length": str(len(body))}
            body = (body,)
        # UTF-8 is how OSS signs them; http.client would refuse such text, and urllib3's types do not know of bytes
        encoded: Any = {name: value.encode() for name, value in headers.items()}
        raw = pool.urlopen(
            method,
            target,
            body=body,
            headers=encoded,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        if raw.status < _SERVER_ERROR_STATUS and _REQUEST_ID not in raw.headers:
            raw.close()
            raise ValueError(
                f"HTTP status {raw.status} without {_REQUEST_ID} does not come from OSS; look for a proxy or a login "
                "page on the way, and check the endpoint"
            )
        # Only GetObject has other answers than documents, and never with these parameters
        return Response(raw, is_document=method != "GET" or not _DOCUMENT_PARAMS.isdisjoint(params))

    def _route(self, url: str) -> tuple[urllib3.PoolManager | HTTPConnectionPool, str]:
        """Return whom to ask, and for what: a proxy for the whole URL, a host itself for its path, which costs less."""
        if self._manager.proxy is not None:
            return self._manager, url
        parts = urlsplit(url)
        if parts.netloc not in self._pools:
            self._pools[parts.netloc] = self._manager.connection_from_url(url)
        path = parts.path or "/"
        return self._pools[parts.netloc], f"{path}?{parts.query}" if parts.query else path

    @cached_property
    def _manager(self) -> urllib3.PoolManager:
        settings = self._settings
        scheme = urlsplit(settings.endpoint).scheme
        proxy = settings.proxies.get(scheme)
        arguments: dict[str, Any] = {
            "num_pools": _MAX_HOSTS,
            "maxsize": self._pool_size,
            "block": False,
            "timeout": urllib3.Timeout(connect=settings.connect_timeout_seconds, read=settings.read_timeout_seconds),
        }
        if scheme == "https" or (proxy or "").startswith("https:"):  # loading the authorities takes 30 ms
            arguments["ssl_context"] = _ssl_context(settings.verify)
        pool = urllib3.ProxyManager(proxy, **arguments) if proxy else urllib3.PoolManager(**arguments)
        pool.pool_classes_by_scheme = _pool_classes(settings.read_timeout_seconds)
        return pool


def _ssl_context(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001 - as in requests: on, off, or a path
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    except OSError as error:
        raise OSSInvalidConnection(f"extra field verify={verify!r} cannot be loaded: {error}") from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Response:
    """An answer of OSS. Raises ``urllib3.exceptions.HTTPError`` when its body breaks off."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, *, is_document: bool) -> None:
        self._raw = raw
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.request_id = raw.headers.get(_REQUEST_ID, "")
        self._is_document = is_document
        if raw.status in _NO_BODY_STATUS or raw.headers.get("content-length") == "0":
            raw.release_conn()

    def read(self, amt: int | None = None) -> bytes:
        """
        Return up to ``amt`` bytes of the body, or all that is left.

        A document that is read as a whole and has more than 16 MiB raises ValueError: OSS never sends one.
        """
        if amt is not None or not self._is_document:
            return self._raw.read(amt)
        document = b"".join(self._document())
        if len(document) > _MAX_DOCUMENT_BYTES:
            self.close()
            raise ValueError(f"it has more than {_MAX_DOCUMENT_BYTES} bytes")
        return document

    def _document(self) -> Iterable[bytes]:
        """Yield at most one byte more than is allowed; urllib3 says that it broke off only when read past its end."""
        left = _MAX_DOCUMENT_BYTES + 1
        while chunk := self._raw.read(left):
            left -= len(chunk)
            yield chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up, whatever is left of the body."""
        self._raw.close()
