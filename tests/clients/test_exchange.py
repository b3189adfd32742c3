"""One request and its answer: how the answer is framed, when a connection is used again, what is bounded."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.session import PooledSession
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument

ID = b"x-oss-request-id: R1\r\n"


@contextmanager
def answering(*answers: bytes | Callable[[socket.socket], None]) -> Iterator[tuple[PooledSession, str, list[bytes]]]:
    """
    Serve one connection after the other on the loopback, and each answer to one request; yield how to ask.

    The list gets what each request began with. A connection is given up when the client closes it, and at the end.
    """
    asked: list[bytes] = []
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            while left:
                accepted, _ = listener.accept()
                with accepted:
                    while left and (request := accepted.recv(65536)):
                        asked.append(request)
                        answer = left.pop(0)
                        if callable(answer):
                            answer(accepted)
                        else:
                            accepted.sendall(answer)

        thread = Thread(target=work)
        thread.start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = ClientSettings(endpoint, Credentials("id", "secret"), "cn-hangzhou", read_timeout_seconds=5.0)
        session = PooledSession(settings, pool_size=2)
        yield session, f"{endpoint}/key", asked
        del session
        thread.join()


def connections_of(session: PooledSession) -> int:
    """Return how many connections are kept."""
    return sum(len(idle) for idle in session._connections._idle.values())


@pytest.mark.parametrize(
    ("framing", "body", "is_kept"),
    [
        (b"Content-Length: 5\r\n", b"hello", True),
        (b"Content-Length: 5\r\nConnection: close\r\n", b"hello", False),
        (b"Content-Length: 5\r\n", b"hello and more", False),
        (b"Transfer-Encoding: chunked\r\n", b"2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n", True),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\nmore", False),
    ],
    ids=["length", "close", "more than the length", "chunked", "more than the chunks"],
)
def test_framing(framing: bytes, body: bytes, *, is_kept: bool) -> None:
    """The body is what its framing says, and the connection is kept when nothing else has come."""
    with answering(b"HTTP/1.1 200 OK\r\n" + ID + framing + b"\r\n" + body) as (session, url, _):
        assert session.begin("GET", url, {}, {}).wait().read() == b"hello"
        assert connections_of(session) == is_kept


def test_body_until_the_end_of_the_connection() -> None:
    """Without a length the body ends with the connection."""

    def answer(accepted: socket.socket) -> None:
        accepted.sendall(b"HTTP/1.1 200 OK\r\n" + ID + b"\r\nhel")
        accepted.sendall(b"lo")
        accepted.shutdown(socket.SHUT_WR)

    with answering(answer) as (session, url, _):
        assert session.begin("GET", url, {}, {}).wait().read() == b"hello"
        assert not connections_of(session)


def test_reading_in_pieces() -> None:
    """``read`` gives as much as was asked for, and ``readinto`` fills its buffer, whatever arrives together."""
    answer = b"HTTP/1.1 200 OK\r\n" + ID + b"Content-Length: 10\r\n\r\n0123456789"
    with answering(answer) as (session, url, _):
        response = session.begin("GET", url, {}, {}, is_document=False).wait()
        buffer = memoryview(bytearray(4))
        assert response.read(3) == b"012"
        assert (response.readinto(buffer), bytes(buffer)) == (4, b"3456")
        assert response.read(7) == b"789"
        assert (response.read(), response.readinto(buffer)) == (b"", 0)


def test_names_and_values() -> None:
    """Names are lower case, values UTF-8 or else Latin-1, and a header that comes twice has both values."""
    headers = "A: ü\r\n".encode() + b"B: J\xf6rg\r\nC: 1\r\nc: 2\r\n"
    with answering(b"HTTP/1.1 204 OK\r\n" + ID + headers + b"\r\n") as (session, url, _):
        found = session.begin("DELETE", url, {}, {}).wait().headers
    assert (found["a"], found["b"], found["c"]) == ("ü", "Jörg", "1, 2")


@pytest.mark.parametrize("blocks", [[b"123", b"456"], [b"12345"[:2]]], ids=["more", "fewer"])
def test_body_of_another_length(blocks: list[bytes]) -> None:
    """A body that is not as long as its request says is never followed by another request on the same connection."""
    with answering(b"") as (session, url, _), pytest.raises(OSSInvalidArgument, match="other than the 5 bytes"):
        session.begin("PUT", url, {}, {"content-length": "5"}, iter(blocks)).wait()


def test_chunks_go_out_as_such() -> None:
    """A body of unknown length is chunked; empty blocks, which would end it, are left out."""
    received = b""

    def answer(accepted: socket.socket) -> None:
        nonlocal received
        received = asked[0]
        while not received.endswith(b"0\r\n\r\n"):
            received += accepted.recv(65536)
        accepted.sendall(b"HTTP/1.1 200 OK\r\n" + ID + b"Content-Length: 0\r\n\r\n")

    with answering(answer) as (session, url, asked):
        session.begin("PUT", url, {}, {}, iter([b"0123456789abcdef", b"", b"x"])).wait()
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n"
