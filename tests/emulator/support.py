"""What the tests of the local OSS server share: a raw HTTP client, signed by oss2, and a server for callbacks."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import oss2

from airflow_provider_oss.emulator import OSSEmulator

KEY_ID, SECRET, REGION = "local-access-key-id", "local-access-key-secret", "cn-hangzhou"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def text(self, path: str) -> str | None:
        """The text of an element of the XML body."""
        return ET.fromstring(self.body).findtext(path)  # noqa: S314 - our own server's XML

    @property
    def code(self) -> str | None:
        """The code of an error."""
        return self.text("Code")


def send(
    endpoint: str,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterator[bytes] | None = None,
) -> Answer:
    """Send exactly this request, unsigned."""
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())
    finally:
        connection.close()


def read_answer(connection: socket.socket) -> Answer:
    """The whole answer to a request that was written by hand."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


class ClosingSession(oss2.Session):  # type: ignore[misc]
    """A session of oss2 that can close its sockets; by itself oss2 leaves them to the garbage collector."""

    def __init__(self) -> None:
        super().__init__()
        self._responses: list[oss2.http.Response] = []

    def do_request(self, *arguments: Any, **options: Any) -> oss2.http.Response:
        response = super().do_request(*arguments, **options)
        self._responses.append(response)
        return response

    def close(self) -> None:
        """End every connection."""
        for response in self._responses:
            response.response.close()
        self.session.close()


@dataclass(frozen=True)
class Client:
    """Sends requests signed by oss2, with every detail in the caller's hand."""

    server: OSSEmulator
    auth: oss2.AuthBase = field(default_factory=lambda: oss2.Auth(KEY_ID, SECRET))
    bucket: str = "exports"

    def send(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answer:
        """Sign in the headers and send."""
        request = self.signed(method, key, query, headers)
        return send(self.server.endpoint, method, self.target(key, query), request, body)

    def allow_public_access(self) -> None:
        """Let the bucket have public ACLs, which a new one refuses."""
        assert self.send("DELETE", "", {"publicAccessBlock": ""}).status == 204

    def signed(
        self, method: str, key: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The headers of a signed request."""
        url = self.server.endpoint + self.target(key, None)
        request = oss2.http.Request(
            method, url, params=dict(query or {}), headers=dict(headers or {}), region=REGION, product="oss"
        )
        self.auth._sign_request(request, self.bucket, key)
        left_out = {"user-agent", "accept-encoding"} - {name.lower() for name in headers or {}}
        return {
            name: value for name, value in request.headers.items() if name.lower() not in left_out and value is not None
        }

    def target(self, key: str, query: Mapping[str, str] | None) -> str:
        """The path and query of a request in path style."""
        path = f"/{self.bucket}/{quote(key, safe='/')}"
        return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


@dataclass
class CallbackServer:
    """An application that is told of uploads."""

    url: str
    received: list[tuple[dict[str, str], bytes]]


@contextlib.contextmanager
def callback_server(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[CallbackServer]:
    """Serve callbacks on a free port; `answer` maps a body to status and body of the answer."""
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status, content = answer(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield CallbackServer(f"http://127.0.0.1:{server.server_port}/told", received)
        finally:
            server.shutdown()
            thread.join()


def accept(_: bytes) -> tuple[int, bytes]:
    """An application that is content."""
    return 200, json.dumps({"Status": "OK"}).encode()


def fail(_: bytes) -> tuple[int, bytes]:
    """An application that is broken."""
    return 500, b"{}"
