"""Sizes and times beyond which a request is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Limits, OSSEmulator
from tests.emulator.support import Answer, Client, read_answer

SMALL = Limits(
    max_put_size_bytes=1000,
    max_part_size_bytes=500,
    max_copy_size_bytes=200,
    max_complete_body_bytes=300,
    max_document_bytes=100,
    min_part_size_bytes=1,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A server with small limits."""
    with OSSEmulator(root=tmp_path, limits=SMALL) as running:
        yield running


def begin(client: Client) -> str:
    """The id of a new upload of `big`."""
    upload_id = client.send("POST", "big", {"uploads": ""}).text("UploadId")
    assert upload_id is not None
    return upload_id


def outcome(answer: Answer) -> tuple[int, str | None]:
    """Status and code."""
    return answer.status, answer.code


TOO_LARGE = (400, "EntityTooLarge")


def test_the_size_of_a_put(client: Client) -> None:
    """A body beyond the limit is refused, whether its length was told or not, and leaves nothing behind."""
    assert client.send("PUT", "a", body=bytes(1000)).status == 200
    assert outcome(client.send("PUT", "a", body=bytes(1001))) == TOO_LARGE
    assert outcome(client.send("PUT", "a", body=iter([bytes(600), bytes(600)]))) == TOO_LARGE
    assert len(client.send("GET", "a").body) == 1000


def test_the_size_of_a_part(client: Client) -> None:
    """A part has a limit of its own."""
    query = {"partNumber": "1", "uploadId": begin(client)}
    assert client.send("PUT", "big", query, body=bytes(500)).status == 200
    assert outcome(client.send("PUT", "big", query, body=bytes(501))) == TOO_LARGE
    client.send("PUT", "a", body=bytes(501))
    source = {"x-oss-copy-source": "/exports/a"}
    assert outcome(client.send("PUT", "big", query, source)) == TOO_LARGE
    assert client.send("PUT", "big", query, {**source, "x-oss-copy-source-range": "bytes=1-"}).status == 200


def test_the_size_of_an_appendable_object(client: Client) -> None:
    """All appends together have the limit of a put."""
    assert client.send("POST", "log", {"append": "", "position": "0"}, body=bytes(800)).status == 200
    assert outcome(client.send("POST", "log", {"append": "", "position": "800"}, body=bytes(201))) == TOO_LARGE
    assert client.send("POST", "log", {"append": "", "position": "800"}, body=bytes(200)).status == 200


def test_the_size_of_a_copy(client: Client) -> None:
    """CopyObject takes only so much; parts are for the rest."""
    client.send("PUT", "a", body=bytes(201))
    assert outcome(client.send("PUT", "b", headers={"x-oss-copy-source": "/exports/a"})) == TOO_LARGE


def test_the_size_of_documents(client: Client) -> None:
    """An XML body beyond its limit is not read to its end."""
    answer = client.send("POST", "big", {"uploadId": begin(client)}, body=b" " * 301)
    assert outcome(answer) == TOO_LARGE
    client.send("PUT", "a", body=b"x")
    assert outcome(client.send("PUT", "a", {"tagging": ""}, body=b" " * 101)) == TOO_LARGE


def test_a_client_that_stops_sending(tmp_path: Path) -> None:
    """A body that stalls is answered 400 RequestTimeout, and nothing is stored."""
    with OSSEmulator(root=tmp_path, limits=Limits(body_idle_timeout_seconds=0.1)) as server:
        client = Client(server)
        headers = {**client.signed("PUT", "a"), "Content-Length": "100", "Host": "127.0.0.1"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(f"PUT /exports/a HTTP/1.1\r\n{lines}\r\nonly this".encode())
            assert outcome(read_answer(connection)) == (400, "RequestTimeout")
        assert client.send("GET", "a").status == 404
