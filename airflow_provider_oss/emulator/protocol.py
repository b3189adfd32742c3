"""HTTP on one connection, as uvicorn and httptools speak it, but within bounds."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: TID253 - no DAG imports this module

from airflow_provider_oss.emulator.connection import TRANSPORT_EXTENSION, Wire
from airflow_provider_oss.emulator.errors import OSSError
from airflow_provider_oss.emulator.wire.dates import http_date
from airflow_provider_oss.emulator.wire.http import XML_CONTENT_TYPE
from airflow_provider_oss.emulator.wire.xml import error_document

if TYPE_CHECKING:
    import asyncio

_MAX_HEAD_BYTES: Final = 64 * 1024
"""Address and headers of a request, trailers included. The longest that OSS takes are a fifth of that."""


class _HeadTooLongError(Exception):
    """Ends the parsing of a head."""


class Protocol(HttpToolsProtocol):
    """
    Gives the application the transport, which ASGI hides: without it a connection cannot be reset.

    A head, or whatever else of a message is not its body, is refused as soon as it is longer than it may be: neither
    uvicorn nor httptools has such a limit. Logs no request: a presigned URL is as good as a password. The server's own
    setting is not enough, for it changes a logger that Airflow, for one, configures again.

    A request that names both a length and chunks is read by its chunks, as OSS reads it: one official client sends
    such requests.
    """

    _head_bytes = 0
    """Of the message that is being received: complete lines."""
    _unclear_bytes = 0
    """Received since anything was understood: a line that has not ended yet."""
    _is_understood = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Keep what is below the connection."""
        self.access_log = False
        self._wire = Wire(transport, transport.get_extra_info("socket"))
        self.parser.set_dangerous_leniencies(lenient_chunked_length=True)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Parse, unless the connection has ended: TLS may still have a block for it."""
        if self.transport.is_closing():
            return
        self._is_understood = False
        super().data_received(data)
        self._unclear_bytes = 0 if self._is_understood else self._unclear_bytes + len(data)
        if self._unclear_bytes > _MAX_HEAD_BYTES:
            self.send_400_response(_too_long())

    def on_message_begin(self) -> None:
        """Count from nothing."""
        self._head_bytes = 0
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT_EXTENSION: self._wire}  # type: ignore[dict-item]

    def on_url(self, url: bytes) -> None:
        """Count a piece of the address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header or a trailer."""
        self._count(name, value, b": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Know that the head has ended."""
        self._is_understood = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Know that a piece of the body has come."""
        self._is_understood = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that the message has ended."""
        self._is_understood = True
        super().on_message_complete()

    def _count(self, *received: bytes) -> None:
        self._head_bytes += sum(map(len, received))
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise _HeadTooLongError

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as OSS would: with a date, without which one client does not read an error."""
        text = _too_long() if self._head_bytes > _MAX_HEAD_BYTES else msg
        request_id = secrets.token_hex(12).upper()
        xml = error_document(OSSError("BadRequest", text, status=400), request_id=request_id, host="")
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"Server: AliyunOSS\r\nDate: {http_date(time.time())}\r\nx-oss-request-id: {request_id}\r\n"
            f"Content-Type: {XML_CONTENT_TYPE}\r\nContent-Length: {len(xml)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + xml)
        self.transport.close()


def _too_long() -> str:
    return f"The address and the headers of a request may have {_MAX_HEAD_BYTES} bytes."
