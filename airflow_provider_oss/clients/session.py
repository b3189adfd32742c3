"""
The HTTP session that every request goes through.

It costs less than half the CPU of requests for a call, has separate time-outs for connecting and for standing still,
lets the kernel send a file's part where there is no TLS, and never follows a redirect or repeats a request by itself.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from urllib3.exceptions import ProtocolError

from airflow_provider_oss.clients.connections import Connection, Connections, Origin
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.file_range import FileRange

_READ_BYTES: Final = 256 * 1024
_MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_DOCUMENT_PARAMS: Final = frozenset(("list-type", "tagging", "uploadId", "uploads"))
_SERVER_ERROR_STATUS: Final = 500
_REQUEST_ID: Final = "x-oss-request-id"
_NOT_ALLOWED: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header's value may have (RFC 9110, 5.5)."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class PooledSession:
    """Connections with the time-outs, proxies and TLS settings of an Airflow connection. Thread-safe."""

    def __init__(self, settings: ClientSettings, pool_size: int) -> None:
        self._connections = Connections(settings, pool_size)

    def send(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], body: Any = None
    ) -> Response:
        """Send a request once and wait for the answer. Raises what ``begin`` and ``PendingResponse.wait`` raise."""
        return self.begin(method, url, params, headers, body).wait()

    def begin(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], body: Any = None
    ) -> PendingResponse:
        """
        Send a request once; its answer may be waited for later, while others are sent over other connections.

        Raises ``urllib3.exceptions.HTTPError`` when there is no connection or it breaks, OSSInvalidArgument for a
        header that cannot be sent.
        """
        scheme, _, rest = url.partition("://")
        netloc, _, path = rest.partition("/")
        target = f"/{path}?{urlencode(params, quote_via=quote, safe='')}" if params else f"/{path}"
        headers = {"host": netloc, **headers}
        forwarding = self._connections.forwarding_headers(scheme)
        if forwarding is not None:
            headers.update(forwarding)
            target = f"{scheme}://{netloc}{target}"
        if isinstance(body, FileRange):
            headers["content-length"] = str(len(body))
            body = (body,)
        encoded: Any = {name: _encoded(name, value) for name, value in headers.items()}
        connection = self._connections.take(_origin(scheme, netloc))
        with _closing_on_error(connection):
            if connection.sock is None:
                connection.connect()
            # OSS may answer, and close, before it has everything: its answer says why
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target, body, encoded)
        # Only GetObject has other answers than documents, and never with these parameters
        is_document = method != "GET" or not _DOCUMENT_PARAMS.isdisjoint(params)
        return PendingResponse(connection, self._connections, is_document=is_document)


def _encoded(name: str, value: str) -> bytes:
    """Return it in UTF-8, which is how OSS signs it; http.client would refuse such text, or show what is secret."""
    with suppress(UnicodeEncodeError):
        encoded = value.encode()
        if not _NOT_ALLOWED.search(encoded):
            return encoded
    raise OSSInvalidArgument(
        f"header {name} has a character that HTTP does not allow: give it without line breaks and control characters"
    )


@lru_cache(maxsize=1000)
def _origin(scheme: str, netloc: str) -> Origin:
    parts = urlsplit(f"{scheme}://{netloc}")
    return Origin(scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[scheme])


@contextmanager
def _closing_on_error(*parts: Connection | http.client.HTTPResponse) -> Iterator[None]:
    """Close them on any error, and raise those of a broken connection as urllib3's."""
    try:
        yield
    except BaseException as error:
        for part in parts:
            part.close()
        if isinstance(error, OSError | http.client.HTTPException):
            raise ProtocolError("Connection aborted.", error) from error
        raise


class PendingResponse:
    """The answer to a request that has been sent."""

    def __init__(self, connection: Connection, connections: Connections, *, is_document: bool) -> None:
        self._connection = connection
        self._connections = connections
        self._is_document = is_document

    def wait(self) -> Response:
        """
        Wait for it. Raises ``urllib3.exceptions.HTTPError`` when none comes.

        An answer that is not OSS's raises ValueError: a login page's 200 would otherwise count as a stored object.
        """
        with _closing_on_error(self._connection):
            raw = self._connection.getresponse()
        response = Response(raw, self._connection, self._connections, is_document=self._is_document)
        if raw.status < _SERVER_ERROR_STATUS and not response.request_id:
            response.close()
            raise ValueError(
                f"HTTP status {raw.status} without {_REQUEST_ID} does not come from OSS; look for a proxy or a login "
                "page on the way, and check the endpoint"
            )
        return response


class Response:
    """An answer of OSS. Raises ``urllib3.exceptions.HTTPError`` when its body breaks off."""

    def __init__(
        self, raw: http.client.HTTPResponse, connection: Connection, connections: Connections, *, is_document: bool
    ) -> None:
        self._raw = raw
        self._connection = connection
        self._connections = connections
        self._is_document = is_document
        self.status = raw.status
        self.headers = cast("Mapping[str, str]", raw.headers)
        self.request_id = raw.headers.get(_REQUEST_ID, "")
        if raw.length == 0:
            self._take(None)

    def read(self, amt: int | None = None) -> bytes:
        """
        Return up to ``amt`` bytes of the body, or all that is left.

        A document that is read as a whole and has more than 16 MiB raises ValueError: OSS never sends one.
        """
        if amt is not None or not self._is_document:
            return self._take(amt)
        document = b"".join(self._document())
        if len(document) > _MAX_DOCUMENT_BYTES:
            self.close()
            raise ValueError(f"it has more than {_MAX_DOCUMENT_BYTES} bytes")
        return document

    def _document(self) -> Iterable[bytes]:
        """Yield at most one byte more than is allowed."""
        left = _MAX_DOCUMENT_BYTES + 1
        while chunk := self._take(left):
            left -= len(chunk)
            yield chunk

    def readinto(self, buffer: memoryview) -> int:
        """Read as much of the body as there is room for, and return how much that was; 0 at the end."""
        if self._raw.isclosed():
            return 0
        with self._keeping_at_end():
            count = self._raw.readinto(buffer)
            self._check_end(is_end=not count and bool(buffer))
        return count

    def _take(self, amt: int | None) -> bytes:
        if self._raw.isclosed():
            return b""
        with self._keeping_at_end():
            data = self._raw.read(amt)
            self._check_end(is_end=not data and bool(amt))
        return data

    def _check_end(self, *, is_end: bool) -> None:
        if is_end and self._raw.length:
            raise http.client.IncompleteRead(b"", self._raw.length)

    @contextmanager
    def _keeping_at_end(self) -> Iterator[None]:
        """Read, and keep the connection for other requests when this was the end."""
        with _closing_on_error(self._connection, self._raw):
            yield
        if self._raw.isclosed() and not self._raw.will_close:
            self._connections.give_back(self._connection)

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Give the connection up when something is left of the body."""
        if not self._raw.isclosed():
            self._raw.close()
            self._connection.close()
