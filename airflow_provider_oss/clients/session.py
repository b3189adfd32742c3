"""
Sends requests to OSS over connections that are kept while they are idle.

A URL, parameters and headers become the head of a request here; the connections are made by urllib3 (timeouts, TLS,
proxies). A call costs a fraction of the CPU that it costs with requests; no redirect is followed, and nothing repeated.
"""

from __future__ import annotations

import re
import ssl
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import Url, make_headers, parse_url

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.exchange import Exchange, RequestBody
from airflow_provider_oss.clients.settings import ClientSettings, parse_proxy
from airflow_provider_oss.clients.wire import Connection, Origin
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidConnection
from airflow_provider_oss.file_range import FileRange


class Connections:
    """
    Makes connections and keeps up to ``keep`` idle ones to each origin. Thread-safe.

    A process that is forked begins without any, and leaves its parent's as they are. All obey ``cancellation``.
    """

    def __init__(self, settings: ClientSettings, keep: int, cancellation: Cancellation) -> None:
        self._settings = settings
        self._keep = keep
        self._cancellation = cancellation
        self._idle: defaultdict[Origin, deque[Connection]] = defaultdict(deque)
        weakref.finalize(self, _close_all, self._idle)

    def take(self, origin: Origin) -> Connection:
        """Return an idle connection that can be used again, or one that is to be connected."""
        idle = self._idle[origin]
        with suppress(IndexError):  # another thread may be first
            while idle:
                connection = idle.pop()
                if connection.can_be_used_again():
                    return connection
                connection.close()
        return Connection(origin, self._make(origin), self._settings.read_timeout_seconds, self._cancellation)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose last answer was read to its end."""
        idle = self._idle[connection.origin]
        if connection.sock is None or len(idle) >= self._keep:
            connection.close()
            return
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
    for connections in list(idle.values()):
        with suppress(IndexError):  # a thread that was left may still give one back
            while True:
                connections.pop().close()


_NOT_ALLOWED: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header's value may have (RFC 9110, 5.5)."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_WITH_CONTENT: Final = frozenset(("PUT", "POST"))


class PooledSession:
    """
    Connections with the timeouts, proxies and TLS settings of an Airflow connection. Thread-safe.

    Once ``cancellation`` is requested every wait ends with OSSUploadCancelled, and so does every further request.
    """

    def __init__(self, settings: ClientSettings, pool_size: int, cancellation: Cancellation | None = None) -> None:
        self._connections = Connections(settings, pool_size, cancellation or Cancellation())

    def begin(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: RequestBody = None,
        *,
        is_document: bool = True,
    ) -> Exchange:
        """
        Send a request once; its answer may be waited for later, while others are sent over other connections.

        ``headers`` have names in lower case. A body that is iterable goes in chunks unless they have a content-length.
        With ``is_document`` size and time of a successful answer are bounded; those of other answers are anyway.
        Raises ``urllib3.exceptions.HTTPError`` when there is no connection or it breaks, OSSInvalidArgument for a
        header that cannot be sent.
        """
        scheme, _, rest = url.partition("://")
        netloc, _, path = rest.partition("/")
        target = f"/{path}?{urlencode(params, quote_via=quote, safe='')}" if params else f"/{path}"
        headers = {"host": netloc, "accept-encoding": "identity", **headers}
        forwarding = self._connections.forwarding_headers(scheme)
        if forwarding is not None:
            headers.update(forwarding)
            target = f"{scheme}://{netloc}{target}"
        length_bytes = _frame(method, headers, body)
        head = _head(method, target, headers)
        exchange = Exchange(
            self._connections.take(_origin(scheme, netloc)),
            self._connections.give_back,
            is_head=method == "HEAD",
            is_document=is_document,
        )
        exchange.send(head, body, length_bytes)
        return exchange


def _frame(method: str, headers: dict[str, str], body: RequestBody) -> int | None:
    """Add the header that says where the body ends, and return its length, None where it goes in chunks."""
    if body is None or isinstance(body, bytes | bytearray | memoryview | FileRange):
        length_bytes = 0 if body is None else len(body)
        if body is not None or method in _WITH_CONTENT:
            headers["content-length"] = str(length_bytes)  # whatever was given: more would be another request
        return length_bytes
    length = headers.get("content-length")
    if length is not None:
        return int(length)
    headers["transfer-encoding"] = "chunked"
    return None


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head in UTF-8, which is how OSS signs it. Raises OSSInvalidArgument, which shows no value."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if _NOT_ALLOWED.search("".join(lines)):
        raise _refused(next(name for name, value in headers.items() if _NOT_ALLOWED.search(name + value)))
    try:
        return "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode()
    except UnicodeEncodeError:
        pass
    raise _refused(next(name for name, value in headers.items() if not _is_unicode(name + value)))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _refused(name: str) -> OSSInvalidArgument:
    return OSSInvalidArgument(
        f"header {name} has a character that HTTP does not allow: give it without line breaks and control characters"
    )


@lru_cache(maxsize=1000)
def _origin(scheme: str, netloc: str) -> Origin:
    parts = urlsplit(f"{scheme}://{netloc}")
    return Origin(scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[scheme])
