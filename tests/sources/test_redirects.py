"""Redirects, and the bodies that nobody wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth

from airflow_provider_oss.exceptions import OSSInvalidSource, OSSProviderError
from airflow_provider_oss.sources import http_request as redirects
from airflow_provider_oss.sources.http_request import HttpRequest, is_same_origin
from tests.clients.support import make_certificate
from tests.support.web_server import Answer, Handler, WebServer, plain

DATA = b"the content"
SECRETS = {
    "Authorization": "Bearer s3cret",
    "X-Api-Key": "s3cret",
    "X-Of-Task": "s3cret",
    "Cookie": "session=s3cret",
    "Host": "s3cret.example",
}
HARMLESS = {"Range": "bytes=0-0", "User-Agent": "mine", "Accept": "text/csv"}


@pytest.fixture
def other() -> Iterator[WebServer]:
    """Another web server: the same host, another port."""
    with WebServer() as server:
        server.pages["/there"] = plain(DATA)
        yield server


def leading_to(url: str, status: int = 302, body: bytes = b"", **headers: str) -> Handler:
    return lambda _: Answer(status, {"Location": url, "Content-Length": str(len(body)), **headers}, body)


def request_to(url: str, **changes: Any) -> HttpRequest:
    session = requests.Session()
    session.headers["X-Of-Connection"] = "s3cret"
    arguments: dict[str, Any] = {"session": session, "method": "GET", "url": url, "timeout_seconds": (2.0, 2.0)}
    return HttpRequest(**(arguments | changes))


def assert_no_secret(web: WebServer) -> None:
    assert web.requests
    for request in web.requests:
        assert "s3cret" not in str(request.headers)
        assert b"s3cret" not in request.body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_gets_no_secrets(web: WebServer, other: WebServer, status: int) -> None:
    """Whatever header a secret is in, it goes to the host that it is for; what asks for the content goes on."""
    web.pages["/data"] = leading_to(f"{other.url}/there", status)
    session = requests.Session()
    session.headers["X-Of-Connection"] = "s3cret"
    request = request_to(f"{web.url}/data", session=session, headers=SECRETS, arguments={"cookies": {"more": "s3cret"}})

    assert request.send(HARMLESS).content == DATA

    [first] = web.requests
    assert {name: first.headers[name] for name in SECRETS} == SECRETS
    assert first.headers["X-Of-Connection"] == "s3cret"
    assert_no_secret(other)
    assert {name: other.requests[0].headers[name] for name in HARMLESS} == HARMLESS


def test_the_way_back_gets_none(web: WebServer, other: WebServer) -> None:
    """A host that a foreign one leads back to gets no secrets: what is asked there is the foreign host's wish."""
    web.pages["/data"] = leading_to(f"{other.url}/back")
    other.pages["/back"] = leading_to(f"{web.url}/else")
    web.pages["/else"] = plain(DATA)
    assert request_to(f"{web.url}/data", headers=SECRETS).send({}).content == DATA
    assert "s3cret" not in str(web.requests[1].headers)


def test_the_same_host_gets_them(web: WebServer) -> None:
    """Within scheme, host and port a redirect changes nothing of what is sent; a fragment is none of it."""
    web.pages["/data"] = leading_to("/there#part")
    web.pages["/there"] = plain(DATA)
    assert request_to(f"{web.url}/data", headers=SECRETS).send({}).content == DATA
    assert {name: web.requests[1].headers[name] for name in SECRETS if name != "Cookie"} == {
        name: value for name, value in SECRETS.items() if name != "Cookie"
    }


def test_cookies_of_the_servers(web: WebServer, other: WebServer) -> None:
    """A cookie that a server set on the way is sent to that server alone, also of two on the same host."""
    web.pages["/data"] = leading_to(f"{other.url}/first", 302, b"", **{"Set-Cookie": "ours=s3cret; Path=/"})
    other.pages["/first"] = leading_to("/there", 302, b"", **{"Set-Cookie": "step=1; Path=/"})
    request = request_to(f"{web.url}/data", headers=HARMLESS, arguments={"cookies": {"more": "s3cret"}})
    for _ in range(2):
        assert request.send({}).content == DATA
    assert [asked.headers["Cookie"] for asked in other.requests] == [None, "step=1"] * 2
    assert "ours=s3cret" in web.requests[1].headers["Cookie"]
    assert "step" not in web.requests[1].headers["Cookie"]


def test_no_answer_to_a_foreign_challenge(web: WebServer, other: WebServer) -> None:
    """Another host cannot ask for what proves the password."""
    web.pages["/data"] = leading_to(f"{other.url}/guarded")
    challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
    other.pages["/guarded"] = lambda _: Answer(401, {"WWW-Authenticate": challenge, "Content-Length": "0"})
    session = requests.Session()
    session.auth = HTTPDigestAuth("me", "s3cret")
    with pytest.raises(
        OSSInvalidSource, match=rf"/data answered 401 .*, at {other.url}/guarded, which gets no secrets"
    ):
        request_to(f"{web.url}/data", session=session).send({})
    assert [request.headers.get("Authorization") for request in other.requests] == [None]


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_goes_to_no_other_host(web: WebServer, other: WebServer, status: int) -> None:
    """A redirect that keeps method and body is not followed to another host: a body may be a secret as a whole."""
    web.pages["/data"] = leading_to(f"{other.url}/there", status)
    request = request_to(f"{web.url}/data", method="POST", arguments={"json": {"password": "s3cret"}})
    with pytest.raises(
        OSSInvalidSource, match=r"^http[^ ]*/data redirects a POST to another host, 127\.0\.0\.1, which is not given"
    ):
        request.send({})
    assert other.requests == []
    web.pages["/data"] = leading_to("/there", status)
    web.pages["/there"] = plain(DATA)
    assert request.send({}).content == DATA
    assert b"s3cret" in web.requests[-1].body


def test_from_https_to_http(tmp_path: Path, other: WebServer) -> None:
    """What was sent encrypted is not sent in the clear."""
    made = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with WebServer(context) as secured:
        secured.pages["/data"] = leading_to(f"{other.url}/there")
        request = request_to(f"{secured.url}/data", headers=SECRETS)
        request.session.verify = str(made.certificate)
        assert request.send({}).content == DATA
    assert_no_secret(other)


@pytest.mark.parametrize(
    ("url", "other_url", "is_same"),
    [
        ("http://a", "http://a:80/b?c", True),
        ("https://a:443", "https://A/b", True),
        ("http://a", "https://a", True),
        ("http://a:80/b", "https://a:443/c", True),
        ("https://a", "http://a", False),
        ("http://a:8080", "https://a", False),
        ("http://a", "https://a:8443", False),
        ("http://a", "http://a:8080", False),
        ("http://a", "http://b.a", False),
        ("http://b.a", "http://a", False),
        ("http://a", "http://a.", False),
        ("http://a@b", "http://b", True),
        ("http://a", "http://a@b", False),
        ("http://[::1]", "http://[::1]:80/", True),
        ("http://[::1]", "http://[::2]", False),
        ("http://a", "ftp://a", False),
    ],
)
def test_origins(url: str, other_url: str, *, is_same: bool) -> None:
    """A secret's host is scheme, name and port; on their own ports, what http got may https get, and not conversely."""
    assert is_same_origin(url, other_url) is is_same


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/data", "Exceeded 30 redirects"),
        ("http://[::1", "cannot be asked"),
        ("http://127.0.0.1:99999/", "cannot be asked"),
        ("file:///etc/passwd", "cannot be asked"),
    ],
)
def test_redirects_that_lead_nowhere(web: WebServer, location: str, message: str) -> None:
    """A circle, what is no URL and what is no web address are refused for good."""
    web.pages["/data"] = leading_to(location)
    with pytest.raises(OSSInvalidSource, match=message):
        request_to(f"{web.url}/data").send({})


def test_redirects_that_are_not_to_be_followed(web: WebServer, other: WebServer) -> None:
    """Without allow_redirects a redirect is an answer that is not the content, and nobody else is asked."""
    web.pages["/data"] = leading_to(f"{other.url}/there")
    with pytest.raises(OSSInvalidSource, match="answered 302 Found"):
        request_to(f"{web.url}/data", allow_redirects=False).send({})
    assert other.requests == []


class EndlessServer:
    """Answers each request with the head given and a body without end; ``sent`` is how much of it was taken."""

    def __init__(self, head: str) -> None:
        self.sent = 0
        self._head = head
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._begin(self._accept)

    def _begin(self, work: Any) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._begin(lambda connection=connection: self._serve(connection))

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(f"HTTP/1.1 {self._head}\r\n\r\n".encode())
            block = b"10000\r\n" + bytes(65536) + b"\r\n"
            try:
                while self.sent < 200_000_000:
                    self.sent += connection.send(block)
            except OSError:
                return

    def close(self) -> None:
        """Answer nothing any more; all that was sent is counted then."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize(
    "head",
    [
        "302 Found\r\nLocation: {there}\r\nContent-Length: 2500000000",
        "302 Found\r\nLocation: {there}\r\nTransfer-Encoding: chunked",
        "302 Found\r\nLocation: {there}",
        "302 Found\r\nLocation: {there}\r\nContent-Encoding: gzip\r\nContent-Length: 2500000000",
        "403 Forbidden\r\nContent-Length: 2500000000",
        "500 Oops\r\nTransfer-Encoding: chunked",
        '401 Unauthorized\r\nContent-Length: 2500000000\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"',
    ],
)
@pytest.mark.parametrize("follows", [True, False])
def test_bodies_nobody_wants(other: WebServer, head: str, *, follows: bool) -> None:
    """Of a redirect's and an error's body next to nothing is read, however long it is, whoever would read it."""
    endless = EndlessServer(head.format(there=f"{other.url}/there"))
    session = requests.Session()
    session.auth = HTTPDigestAuth("me", "s3cret")
    request = request_to(f"{endless.url}/data", session=session, allow_redirects=follows)
    leads_there = follows and head.startswith("302")
    with nullcontext() if leads_there else pytest.raises(OSSProviderError):
        assert request.send({}).content == DATA
    session.close()
    endless.close()
    assert endless.sent < 20_000_000  # what sockets hold, of two requests


def test_a_body_that_hardly_comes(other: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of which a byte comes now and then is not waited for: what is there is taken, the connection closed."""
    monkeypatch.setattr(redirects, "_MOST_UNWANTED_SECONDS", 0.0)
    head = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/there\r\nContent-Length: 9\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head.encode() + b"x")
                connection.recv(1)  # until the client has left

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/data"
        assert request_to(url, timeout_seconds=(2.0, 600.0)).send({}).content == DATA
        thread.join()


def test_connections_outlive_small_bodies(web: WebServer) -> None:
    """A body of some bytes is read, for that keeps the connection, which some authentications rely on."""
    web.pages["/data"] = leading_to("/there", body=b"it is elsewhere")
    web.pages["/there"] = lambda _: Answer(404, {"Content-Length": "9"}, b"not there")
    request = request_to(f"{web.url}/data")
    for _ in range(3):
        with pytest.raises(OSSInvalidSource):
            request.send({})
    assert len({asked.client for asked in web.requests}) == 1


def test_the_environment_of_the_other_host(other: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no_proxy says counts for the host that is asked, not for the one that led there."""
    with WebServer() as proxy:
        proxy.pages["/data"] = leading_to(f"{other.url}/there")
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "127.0.0.1")
        assert request_to("http://elsewhere.example/data").send({}).content == DATA
    assert len(other.requests) == 1
