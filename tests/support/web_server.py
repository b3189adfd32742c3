"""A web server for tests that does exactly what it is told: ranges or none, wrong lengths, answers that break off."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class WebRequest:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    client: tuple[str, int]
    """Address and port: the same as long as a connection is."""

    @property
    def byte_range(self) -> tuple[int, int] | None:
        """First and last byte asked for."""
        text = self.headers.get("Range")
        if text is None:
            return None
        first, last = text.removeprefix("bytes=").split("-")
        return int(first), int(last)


@dataclass(frozen=True)
class Answer:
    """What is sent, as it is: nothing is added to the headers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_at: int | None = None
    """Bytes of the body after which the connection is closed."""

    def with_headers(self, **headers: str | None) -> Answer:
        """Return it with other headers, ``_`` for ``-``; None removes one."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name not in changed}
        return replace(self, headers=kept | {name: value for name, value in changed.items() if value is not None})


Handler = Callable[[WebRequest], Answer]


def plain(content: bytes, **headers: str) -> Handler:
    """Answer everything with all of the content."""
    return lambda _: Answer(200, {"Content-Length": str(len(content))}, content).with_headers(**headers)


def ranged(content: bytes, etag: str = '"v1"', **headers: str) -> Handler:
    """Answer ranges, and conditions on the ETag, as RFC 9110 says."""

    def answer(request: WebRequest) -> Answer:
        common = {"ETag": etag, "Accept-Ranges": "bytes"}
        asked, condition = request.byte_range, request.headers.get("If-Range", etag)
        if asked is None or condition != etag:
            whole = Answer(200, {**common, "Content-Length": str(len(content))}, content)
            return whole.with_headers(**headers)
        first, last = asked[0], min(asked[1], len(content) - 1)
        if first >= len(content):
            return Answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
        told = {"Content-Range": f"bytes {first}-{last}/{len(content)}", "Content-Length": str(last - first + 1)}
        return Answer(206, common | told, content[first : last + 1]).with_headers(**headers)

    return answer


def chunked(content: bytes, **headers: str) -> Handler:
    """Answer with the content in chunks, of no known length."""
    return lambda _: Answer(200, {"Transfer-Encoding": "chunked"}, content).with_headers(**headers)


def in_turn(*handlers: Handler) -> Handler:
    """Answer each request with the next handler, and the rest with the last one."""
    waiting = list(handlers)
    lock = threading.Lock()

    def answer(request: WebRequest) -> Answer:
        with lock:
            handler = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return handler(request)

    return answer


class WebServer:
    """
    Answers at ``url`` inside the ``with`` block. ``pages`` maps paths to handlers; ``requests`` is what arrived.

    As a proxy it answers for whatever host it is asked for.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Handler] = {}
        self.requests: list[WebRequest] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._tls = tls
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.answer = self._answer
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._server.server_port}"

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The ranges that were asked for, but for the first byte alone, in the order of arrival."""
        asked = [request.byte_range for request in self.requests]
        return [one for one in asked if one is not None and one != (0, 0)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer nothing any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: WebRequest) -> Answer:
        self.requests.append(request)
        handler = self.pages.get(request.path)
        return handler(request) if handler else Answer(404, {"Content-Length": "0"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError):  # the client has heard enough
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = WebRequest(self.command, parts.path, parts.query, self.headers, body, self.client_address)
        self._send(self.server.answer(request))

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status, HTTPStatus(answer.status).phrase)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        sent = answer.body if answer.cut_at is None else answer.body[: answer.cut_at]
        if answer.headers.get("Transfer-Encoding") == "chunked":
            self._send_chunks(sent, is_whole=answer.cut_at is None)
        else:
            self.wfile.write(sent)
        if answer.cut_at is not None or not {"Content-Length", "Transfer-Encoding"} & set(answer.headers):
            self.close_connection = True

    def _send_chunks(self, body: bytes, *, is_whole: bool) -> None:
        for start in range(0, len(body), 60_000):
            chunk = body[start : start + 60_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if is_whole:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
