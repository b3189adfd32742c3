"""Connections: kept, found dead, made through proxies, broken off in the middle of a handshake."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.session import Connections
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.wire import Origin
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSCertificateError, OSSConnectionError, OSSConnectionTimeout
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.clients.support import client_of, client_with, forward_proxy
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "dump.bin")
DATA = b"some bytes"
OK = b"HTTP/1.1 200 OK\r\nx-oss-request-id: R1\r\nETag: E\r\nContent-Length: 0\r\n\r\n"


def put(client: OSSObjectClient) -> None:
    client.put_object(REF, DATA, crc64(DATA), ObjectOptions())


@contextmanager
def visited(serve: Callable[[socket.socket], object], on_port: int = 0) -> Iterator[int]:
    """Serve one connection and close it, on a free port of the loopback interface or this one; yield the port."""
    with socket.create_server(("127.0.0.1", on_port)) as listener:

        def work() -> None:
            accepted, _ = listener.accept()
            with closing(accepted):
                serve(accepted)

        thread = threading.Thread(target=work)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def read_and_answer(accepted: socket.socket) -> None:
    received = b""
    while not received.endswith(DATA):
        received += accepted.recv(65536)
    accepted.sendall(OK)


def test_connection_that_oss_closed_is_not_used_again() -> None:
    """A kept connection that was closed meanwhile is noticed before a request is lost on it."""
    with visited(read_and_answer) as port:
        client = client_of(f"http://127.0.0.1:{port}")
        put(client)
    with visited(read_and_answer, on_port=port):
        put(client)


def test_idle_connections_are_kept_up_to_a_number(server: OSSEmulator, settings: ClientSettings) -> None:
    """Of connections that are given back at the same time only so many are kept; the others are closed."""
    connections = Connections(settings, 1, Cancellation())
    origin = Origin("http", "127.0.0.1", server.port)
    taken = [connections.take(origin) for _ in range(3)]
    for connection in taken:
        connection.connect()
    for connection in taken:
        connections.give_back(connection)

    assert [connection.sock is not None for connection in taken] == [True, False, False]
    with closing(connections.take(origin)) as again:
        assert again is taken[0]


def test_kept_connections_end_with_their_owner(server: OSSEmulator, settings: ClientSettings) -> None:
    """Nothing is left open when the client is gone."""
    connections = Connections(settings, 1, Cancellation())
    connection = connections.take(Origin("http", "127.0.0.1", server.port))
    connection.connect()
    connections.give_back(connection)

    del connections

    assert connection.sock is None


def test_handshake_that_breaks_off_says_nothing_of_certificates() -> None:
    """A server that closes in the middle of the TLS handshake is a broken connection, which is worth repeating."""
    with visited(lambda accepted: accepted.recv(100)) as port, pytest.raises(OSSConnectionError):
        put(client_of(f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("by_proxy", [True, False])
def test_handshake_that_stands_still(*, by_proxy: bool) -> None:
    """A timeout before the connection is made, with the proxy or of TLS, is one of connecting."""

    def say_nothing(accepted: socket.socket) -> None:
        while accepted.recv(65536):
            pass

    with visited(say_nothing) as port:
        settings = ClientSettings(
            "https://oss.example.com" if by_proxy else f"https://127.0.0.1:{port}",
            Credentials("id", "secret"),
            "cn-hangzhou",
            connect_timeout_seconds=0.2,
            proxies={"https": f"http://127.0.0.1:{port}"} if by_proxy else {},
        )
        with pytest.raises(OSSConnectionTimeout, match=r"connecting to OSS took too long.*or raise connect_timeout"):
            put(OSSObjectClient(settings))


def test_no_tls_at_all_is_a_certificate_error() -> None:
    """A server that answers a TLS handshake with plain HTTP will not do otherwise next time."""

    def answer_plainly(accepted: socket.socket) -> None:
        accepted.recv(65536)
        accepted.sendall(OK)

    with visited(answer_plainly) as port, pytest.raises(OSSCertificateError):
        put(client_of(f"https://127.0.0.1:{port}"))


def test_proxy_is_told_who_asks(server: OSSEmulator, settings: ClientSettings) -> None:
    """User and password of the proxy's URL are sent to the proxy, decoded, and not to OSS."""
    with forward_proxy() as proxy:
        url = proxy.url.replace("http://", "http://user:p%40ss@")
        put(client_with(settings, proxies={"http": url}))

    assert proxy.authorizations == ["Basic dXNlcjpwQHNz"]
    assert server.requests[0].status == 200


def test_tunnel_that_is_no_http() -> None:
    """What comes instead of a proxy's answer is a broken connection."""
    with visited(lambda accepted: (accepted.recv(65536), accepted.sendall(b"220 welcome\r\n\r\n"))) as port:
        proxies = {"https": f"http://127.0.0.1:{port}"}
        client = OSSObjectClient(
            ClientSettings("https://oss.example.com", Credentials("id", "secret"), "cn-hangzhou", proxies=proxies)
        )
        with pytest.raises(OSSConnectionError):
            put(client)


def test_tunnel_is_asked_for_with_user_and_password() -> None:
    """The same holds for a tunnel; one that is refused is a connection error that does not show the password."""
    asked: list[bytes] = []

    def refuse(accepted: socket.socket) -> None:
        asked.append(accepted.recv(65536))
        accepted.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with visited(refuse) as port:
        proxies = {"https": f"http://user:hidden-password@127.0.0.1:{port}"}
        client = OSSObjectClient(
            ClientSettings("https://oss.example.com", Credentials("id", "secret"), "cn-hangzhou", proxies=proxies)
        )
        with pytest.raises(OSSConnectionError, match="407") as caught:
            put(client)

    assert asked[0].startswith(b"CONNECT exports.oss.example.com:443 ")
    assert b"Basic dXNlcjpoaWRkZW4tcGFzc3dvcmQ=" in asked[0]
    assert "hidden-password" not in str(caught.value)
