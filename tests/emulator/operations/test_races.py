"""Requests that get in each other's way, and a disk that fails in the middle."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from tests.emulator.support import Answer, Client, read_answer


def stored_blobs(root: Path) -> list[Path]:
    """All bodies on disk."""
    return list(root.glob("oss/blobs/??/*"))


@contextlib.contextmanager
def half_sent(client: Client, method: str, key: str, query: dict[str, str] | None = None) -> Iterator[socket.socket]:
    """A request with a body of ten bytes whose body the server is waiting for."""
    asking = {"Expect": "100-continue", "Content-Length": "10", "Host": f"127.0.0.1:{client.server.port}"}
    headers = {**client.signed(method, key, query), **asking}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(f"{method} {client.target(key, query)} HTTP/1.1\r\n{lines}\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        yield connection


def finish(connection: socket.socket) -> Answer:
    """Send the body and read the answer."""
    connection.sendall(b"0123456789")
    return read_answer(connection)


def begin(client: Client) -> str:
    """The id of a new upload of `big`."""
    upload_id = client.send("POST", "big", {"uploads": ""}).text("UploadId")
    assert upload_id is not None
    return upload_id


def test_an_abort_during_a_part(client: Client, tmp_path: Path) -> None:
    """A part that arrives after the abort finds no upload, and its bytes are dropped."""
    upload_id = begin(client)
    with half_sent(client, "PUT", "big", {"partNumber": "1", "uploadId": upload_id}) as connection:
        assert client.send("DELETE", "big", {"uploadId": upload_id}).status == 204
        assert finish(connection).code == "NoSuchUpload"
    assert stored_blobs(tmp_path) == []


def test_a_bucket_that_goes_away_during_a_put(client: Client, tmp_path: Path) -> None:
    """An object that arrives after its bucket was deleted is refused, and its bytes are dropped."""
    with half_sent(client, "PUT", "a") as connection:
        assert client.send("DELETE", "").status == 204
        assert finish(connection).code == "NoSuchBucket"
    assert stored_blobs(tmp_path) == []


def test_two_appends_at_once(client: Client, tmp_path: Path) -> None:
    """Of two appends at one position the first to end wins, and the other is told the new position."""
    query = {"append": "", "position": "0"}
    with half_sent(client, "POST", "log", query) as connection:
        assert client.send("POST", "log", query, body=b"first").status == 200
        answer = finish(connection)
    assert answer.code == "PositionNotEqualToLength"
    assert answer.headers["x-oss-next-append-position"] == "5"
    assert client.send("GET", "log").body == b"first"
    assert len(stored_blobs(tmp_path)) == 1


def complete(client: Client, upload_id: str, headers: dict[str, str] | None = None) -> tuple[int, str | None]:
    """Complete with all parts."""
    answer = client.send("POST", "big", {"uploadId": upload_id}, {"x-oss-complete-all": "yes", **(headers or {})})
    return answer.status, answer.code


def test_a_complete_that_fails(client: Client, tmp_path: Path) -> None:
    """When the object cannot be written the answer is 500, and the upload can still be completed later."""
    upload_id = begin(client)
    client.send("PUT", "big", {"partNumber": "1", "uploadId": upload_id}, body=b"part")
    folder = tmp_path / "oss/buckets/exports/objects"
    folder.rmdir()
    assert complete(client, upload_id) == (500, "InternalError")
    folder.mkdir()
    assert complete(client, upload_id) == (200, None)
    assert client.send("GET", "big").body == b"part"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-oss-storage-class": "IA"}, (400, "InvalidArgument")),
        ({"x-oss-object-acl": "open"}, (400, "InvalidArgument")),
        ({"x-oss-object-acl": "private"}, (200, None)),
        ({"x-oss-complete-all": "no"}, (400, "InvalidArgument")),
    ],
)
def test_headers_of_complete(client: Client, headers: dict[str, str], expected: tuple[int, str | None]) -> None:
    """Complete takes an ACL, but no storage class."""
    upload_id = begin(client)
    client.send("PUT", "big", {"partNumber": "1", "uploadId": upload_id}, body=b"part")
    assert complete(client, upload_id, headers) == expected
    if expected[0] == 200:
        assert client.send("GET", "big", {"acl": ""}).text("AccessControlList/Grant") == headers["x-oss-object-acl"]


def test_complete_without_parts(client: Client) -> None:
    """An upload without a part cannot be completed."""
    assert complete(client, begin(client)) == (400, "InvalidPart")


def test_a_disk_that_fails_during_a_put(client: Client, tmp_path: Path) -> None:
    """When a body cannot be written the answer is 500 in OSS's form, and what was there is still there."""
    client.send("PUT", "a", body=b"before")
    blobs, hidden = tmp_path / "oss/blobs", tmp_path / "hidden"
    shutil.move(blobs, hidden)
    answer = client.send("PUT", "a", body=b"after")
    assert (answer.status, answer.code) == (500, "InternalError")
    shutil.move(hidden, blobs)
    assert client.send("GET", "a").body == b"before"


def test_bytes_that_are_gone(client: Client, tmp_path: Path) -> None:
    """When an object's bytes are gone the connection breaks: no client takes less than everything for the object."""
    client.send("PUT", "a", body=bytes(1000))
    os.truncate(stored_blobs(tmp_path)[0], 500)
    with pytest.raises((ConnectionResetError, OSError)):
        client.send("GET", "a")
    assert client.server.requests[-1].status is None


def test_an_upload_under_a_replaced_key(server: OSSEmulator, client: Client) -> None:
    """Uploads of one key do not know each other, and the last one to complete is the object."""
    first, second = begin(client), begin(client)
    client.send("PUT", "big", {"partNumber": "1", "uploadId": first}, body=b"first")
    client.send("PUT", "big", {"partNumber": "1", "uploadId": second}, body=b"second")
    assert complete(client, second) == (200, None)
    assert complete(client, first) == (200, None)
    assert client.send("GET", "big").body == b"first"
    assert {found.status for found in server.requests} == {200}
