"""Services that hand out credentials, on this machine, reached as the real ones are: by HTTP, a proxy, and TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.credential_services import Bank, Sts, serve_metadata
from tests.support.web_server import WebServer


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy nor a file of this machine's user has a say."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def bank() -> Bank:
    """Where all sessions come from."""
    return Bank()


@pytest.fixture
def metadata(web: WebServer, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """The metadata service of an ECS instance in hardened mode, whose address has to be gone to by a proxy here."""
    serve_metadata(web, bank)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    return web


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """One for all: what a connection trusts is kept for an address, and ports are used again."""
    return trustme.CA()


@pytest.fixture
def sts_server(authority: trustme.CA) -> Iterator[WebServer]:
    """A server that speaks TLS, with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with WebServer(context) as server:
        yield server


@pytest.fixture
def sts(bank: Bank, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sts:
    """STS, trusted."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return Sts(bank, keys={"LTAI-id": ("the-secret", None)})


@pytest.fixture
def sts_endpoint(sts: Sts, sts_server: WebServer) -> str:
    """Where STS is."""
    return sts.serve(sts_server)
