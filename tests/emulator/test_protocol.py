"""HTTP within bounds, and clients that leave."""

from __future__ import annotations

import contextlib
import logging
import resource
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from tests.clients.support import make_certificate
from tests.emulator.support import Client, read_answer, send
from tests.support.waiting import wait_until

MIB = 1024 * 1024
LINE = b"x" * MIB


def head(*lines: bytes) -> bytes:
    """The head of a request, without its end."""
    return b"".join(line + b"\r\n" for line in (b"PUT /exports/a HTTP/1.1", b"Host: localhost", *lines))


def one_long_line() -> Iterator[bytes]:
    """65 MB in one header."""
    yield head() + b"x-oss-meta-a: "
    yield from [LINE] * 65


def many_headers() -> Iterator[bytes]:
    """Two hundred thousand short headers."""
    yield head()
    yield from (b"".join(b"h%d: v\r\n" % (block * 1000 + number) for number in range(1000)) for block in range(200))


def a_long_address() -> Iterator[bytes]:
    """65 MB of path."""
    yield b"GET /"
    yield from [LINE] * 65


def a_long_method() -> Iterator[bytes]:
    """65 MB that are no HTTP at all."""
    yield from [LINE] * 65


def a_long_trailer() -> Iterator[bytes]:
    """65 MB behind the last chunk of a body."""
    yield head(b"Transfer-Encoding: chunked", b"", b"1", b"x", b"0") + b"trailer: "
    yield from [LINE] * 65


def a_long_extension() -> Iterator[bytes]:
    """65 MB behind the size of a chunk."""
    yield head(b"Transfer-Encoding: chunked", b"") + b"1;"
    yield from [LINE] * 65


@pytest.mark.parametrize(
    "request_of",
    [one_long_line, many_headers, a_long_address, a_long_method, a_long_trailer, a_long_extension],
    ids=lambda function: function.__name__,
)
def test_heads_without_bounds(tmp_path: Path, request_of: Callable[[], Iterator[bytes]]) -> None:
    """What is no body is refused soon: the connection ends, memory does not grow, and the server goes on."""
    with OSSEmulator(root=tmp_path) as server:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection,
            contextlib.suppress(ConnectionError),
        ):
            for block in request_of():
                connection.sendall(block)
            assert b"".join(iter(lambda: connection.recv(MIB), b"")).startswith(b"HTTP/1.1 400 ")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * 1024 < 32 * MIB
        assert send(server.endpoint, "GET", "/").status == 403


@pytest.mark.parametrize(
    "request_head",
    [
        head(b"x-oss-meta-a: " + b"x" * 70_000, b""),
        head(*[b"a: b"] * 12_000, b""),
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["line", "headers", "address"],
)
def test_heads_that_are_a_little_too_long(server: OSSEmulator, request_head: bytes) -> None:
    """A head that is too long is answered like an error of OSS."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request_head)
        answer = read_answer(connection)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert answer.text("Message") == "The address and the headers of a request may have 65536 bytes."


def test_bodies_have_no_such_bound(server: OSSEmulator, client: Client) -> None:
    """Heads are counted each for itself, and bodies not at all, in large blocks or byte by byte."""
    for _ in range(2):
        assert client.send("PUT", "a", headers={"x-oss-meta-a": "x" * 8000}, body=LINE).status == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(20):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 8000 + b"\r\n\r\n")
            assert read_answer(connection).status == 403


def test_texts_that_no_xml_can_hold(server: OSSEmulator) -> None:
    """Control characters and broken text in a request leave the error's document well-formed."""
    for target in ("/a%01%0b%1fb/key", "/%ef%bf%bfbb/key", "/%ff%fe/key"):
        answer = send(server.endpoint, "GET", target)
        assert (answer.status, answer.code) == (400, "InvalidBucketName")
        assert "\ufffd" in (answer.text("BucketName") or "")


def _arrived(server: OSSEmulator, number: int) -> bool | None:
    return len(server.requests) == number or None


@pytest.mark.parametrize("is_orderly", [True, False], ids=["closing", "resetting"])
def test_tls_clients_that_leave(tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_orderly: bool) -> None:
    """Clients that leave in the middle of a body, over TLS, are in the ledger, and are nothing for the log."""
    made = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=made.certificate)
    trusting.check_hostname = False
    with OSSEmulator(root=tmp_path / "oss", ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key)) as server:
        client = Client(server)
        signed = [f"{name}: {value}".encode() for name, value in client.signed("PUT", "a").items()]
        for number in range(1, 11):
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            with trusting.wrap_socket(plain) as connection:
                connection.sendall(head(*signed, b"Content-Length: 10000000", b"Expect: 100-continue", b""))
                assert connection.recv(MIB).startswith(b"HTTP/1.1 100 ")  # the server waits for the body now
                connection.sendall(LINE)
                if is_orderly:
                    connection.unwrap().close()
                else:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            arrived = partial(_arrived, server, number)
            wait_until(arrived, 20, "the request", lambda: "none")
        assert {(found.operation, found.status) for found in server.requests} == {("PutObject", None)}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
