"""
The HTTP session that oss2 sends through: a thin one over urllib3 in place of its own over requests.

oss2 takes any object with ``do_request`` as its public ``session=`` argument. This one costs half the CPU of requests
for a call, has separate time-outs for connecting and for standing still, sends a part straight from the buffer it was
read into, and never follows a redirect or repeats a request by itself.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidConnection

_TLS_SLICE_BYTES: Final = 256 * 1024
_READ_BYTES: Final = 256 * 1024
_MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_DOCUMENT_PARAMS: Final = frozenset(("list-type", "uploadId", "uploads"))
_NO_BODY_STATUS: Final = (204, 304)
_SERVER_ERROR_STATUS: Final = 500
_REQUEST_ID: Final = "x-oss-request-id"


class OSS2Request(Protocol):
    """What of ``oss2.http.Request`` is used."""

    method: str
    url: str
    params: dict[str, str]
    headers: Any
    data: Any


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
        if sock is None or not isinstance(data, bytes | bytearray | memoryview):
            super().send(data)  # type: ignore[misc]
            return
        sock.settimeout(self.stall_seconds)
        view = memoryview(data).cast("B")
        while view:
            view = view[sock.send(view[: self.slice_bytes]) :]


class _Connection(_StallLimitMixin, HTTPConnection):
    pass


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
        self._pools: dict[str, urllib3.PoolManager] = {}

    def do_request(self, request: OSS2Request, timeout: Any) -> Response:  # noqa: ARG002 - oss2 passes its own time-out
        """
        Send oss2's request once. Raises ``oss2.exceptions.RequestError``, as oss2's own session does.

        An answer that is not OSS's raises ValueError: a login page's 200 would otherwise count as a stored object.
        """
        from oss2.exceptions import RequestError

        url = request.url
        if request.params:
            url = f"{url}?{urlencode(request.params, quote_via=quote, safe='')}"
        try:
            # Only GetObject has other answers than documents, and never with these parameters
            is_document = request.method != "GET" or not _DOCUMENT_PARAMS.isdisjoint(request.params)
            raw = self._send(request, url)
        except urllib3.exceptions.HTTPError as error:
            raise RequestError(error) from error
        if raw.status < _SERVER_ERROR_STATUS and _REQUEST_ID not in raw.headers:
            raw.close()
            raise ValueError(
                f"HTTP status {raw.status} without {_REQUEST_ID} does not come from OSS; look for a proxy or a login "
                "page on the way, and check the endpoint"
            )
        return Response(raw, is_document=is_document)

    def _send(self, request: OSS2Request, url: str) -> urllib3.BaseHTTPResponse:
        headers = {name: _encoded(value) for name, value in request.headers.items() if value is not None}
        return self._pool_for(url).urlopen(
            request.method,
            url,
            body=request.data,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        scheme = url.partition("://")[0]
        if scheme not in self._pools:
            self._pools[scheme] = self._make_pool(scheme, self._settings.proxies.get(scheme))
        return self._pools[scheme]

    def _make_pool(self, scheme: str, proxy: str | None) -> urllib3.PoolManager:
        settings = self._settings
        arguments: dict[str, Any] = {
            "num_pools": 4,
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


def _encoded(value: Any) -> bytes:
    """Return a header's value as UTF-8, which is how oss2 signs it; http.client alone would refuse to send it."""
    return value if isinstance(value, bytes) else str(value).encode()


class Response:
    """The answer as oss2 reads it."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, *, is_document: bool) -> None:
        self.response = raw
        self.status = raw.status
        self.headers = raw.headers
        self.request_id = raw.headers.get(_REQUEST_ID, "")
        self._is_document = is_document
        if raw.status in _NO_BODY_STATUS or raw.headers.get("content-length") == "0":
            raw.release_conn()

    def read(self, amt: int | None = None) -> bytes:
        """
        Return up to ``amt`` bytes of the body, or all that is left. Raises RequestError when it breaks off.

        A document that is read as a whole and has more than 16 MiB raises ValueError: OSS never sends one.
        """
        from oss2.exceptions import RequestError

        try:
            if amt is not None or not self._is_document:
                return self.response.read(amt)
            # urllib3 says that an answer broke off only when it is read once more than there is
            document = b""
            while chunk := self.response.read(_MAX_DOCUMENT_BYTES + 1 - len(document)):
                document += chunk
        except urllib3.exceptions.HTTPError as error:
            raise RequestError(error) from error
        if len(document) > _MAX_DOCUMENT_BYTES:
            self.close()
            raise ValueError(f"it has more than {_MAX_DOCUMENT_BYTES} bytes")
        return document

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up, whatever is left of the body."""
        self.response.close()
