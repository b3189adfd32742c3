"""What a client may meet: a server with canned answers, a proxy, a listener that never accepts, a certificate."""

from __future__ import annotations

import datetime as dt
import ipaddress
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import StsSession

_BUFFER_BYTES = 64 * 1024

SESSION = StsSession("sts-id", "sts-secret", "sts-token")
EXPIRED = StsSession("old-id", "old-secret", "old-token", expires_at=1.0)
DOMAIN = "files.example.com"


def client_of(endpoint: str) -> OSSObjectClient:
    """Return a client of a server that takes any credentials."""
    return OSSObjectClient(ClientSettings(endpoint, Credentials("id", "secret"), "cn-hangzhou"))


def client_with(settings: ClientSettings, **changes: object) -> OSSObjectClient:
    """Return a client of the same server whose settings differ in ``changes``."""
    return OSSObjectClient(replace(settings, **changes))  # type: ignore[arg-type]


class _QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port of the loopback interface while the block runs; yield the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def canned_server(status: int, headers: Mapping[str, str], body: bytes, request_id: str | None = "R1") -> Iterator[str]:
    """Serve this one answer to whatever is asked, then close the connection. None is a server that is not OSS."""

    class Handler(_QuietHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            if request_id is not None:
                self.send_header("x-oss-request-id", request_id)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - named by http.server

    with _serving(Handler) as url:
        yield url


@dataclass
class Proxy:
    """An HTTP proxy and what it was asked for: ``GET http://...`` or ``CONNECT host:port``."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)


@contextmanager
def forward_proxy(instead: str | None = None) -> Iterator[Proxy]:
    """Run a proxy that forwards plain HTTP, to the server ``instead`` whatever host is asked for, and tunnels TLS."""
    proxy = Proxy()

    class Handler(_QuietHandler):
        def forward(self) -> None:
            proxy.asked.append(f"{self.command} {self.path}")
            if authorization := self.headers.get("Proxy-Authorization"):
                proxy.authorizations.append(authorization)
                del self.headers["Proxy-Authorization"]
            target = urlsplit(self.path)
            connection = HTTPConnection(urlsplit(instead or self.path).netloc)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = target._replace(scheme="", netloc="").geturl()
            connection.request(self.command, path, body, dict(self.headers))
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815 - named by http.server

        def do_CONNECT(self) -> None:
            proxy.asked.append(f"CONNECT {self.path}")
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port))) as upstream:
                self.send_response_only(200)
                self.end_headers()
                _pump(self.connection, upstream)

    with _serving(Handler) as url:
        proxy.url = url
        yield proxy


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    with suppress(ConnectionError):
        while True:
            for ready in select.select([one, other], [], [])[0]:
                data = ready.recv(_BUFFER_BYTES)
                if not data:
                    return
                (other if ready is one else one).sendall(data)


@contextmanager
def silent_listener() -> Iterator[str]:
    """Listen with a full queue, so that a further connection is never established; yield the URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as filler:
        filler.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and its key, as files."""

    certificate: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Write a certificate that no authority knows but that can serve as its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local OSS")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made
