"""What every answer of the server has, whatever the request was."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from tests.emulator.support import Answer, Client, read_answer, send


def assert_complete(answer: Answer) -> None:
    """The headers that all clients read."""
    assert parsedate_to_datetime(answer.headers["date"])
    assert answer.headers["server"] == "AliyunOSS"
    assert re.fullmatch(r"[0-9A-F]{24}", answer.headers["x-oss-request-id"])


def raw(server: OSSEmulator, data: bytes) -> bytes:
    """Send bytes and read until the server closes or has answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def head_lines(client: Client, method: str, key: str, headers: dict[str, str]) -> bytes:
    """The head of a signed request as bytes."""
    signed = {"host": f"127.0.0.1:{client.server.port}", **client.signed(method, key, None, headers), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    return f"{method} {client.target(key, None)} HTTP/1.1\r\n{lines}\r\n".encode()


@pytest.mark.parametrize(
    ("method", "key", "query", "status"),
    [
        ("PUT", "a", None, 200),
        ("GET", "absent", None, 404),
        ("GET", "", None, 200),
        ("DELETE", "a", None, 204),
        ("POST", "a", {"uploads": ""}, 200),
        ("GET", "a", {"uploadId": "none"}, 404),
        ("PATCH", "a", None, 501),
        ("OPTIONS", "a", None, 501),
        ("GET", "a", {"nonsense": ""}, 501),
        ("GET", "", {"cors": ""}, 501),
        ("POST", "a", {"uploads": "", "sequential": ""}, 501),
        ("POST", "", None, 501),
        ("GET", "", {"list-type": "3"}, 400),
    ],
)
def test_every_answer_is_complete(
    client: Client, method: str, key: str, query: dict[str, str] | None, status: int
) -> None:
    """Every answer, good or bad, has a date and a request id; an error repeats the id in its body."""
    answer = client.send(method, key, query, body=b"" if method in ("PUT", "POST") else None)
    assert answer.status == status
    assert_complete(answer)
    if status >= 400:
        assert answer.text("RequestId") == answer.headers["x-oss-request-id"]
        assert answer.headers["content-type"] == "application/xml"
        assert answer.body.startswith(b"<?xml")


def test_an_error_on_head(client: Client) -> None:
    """A HEAD that fails has no body; its error is in headers."""
    answer = client.send("HEAD", "absent")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["x-oss-ec"] == "0026-00000001"
    error = ET.fromstring(base64.b64decode(answer.headers["x-oss-err"]))  # noqa: S314 - our own server's XML
    assert (error.findtext("Code"), error.findtext("RequestId")) == ("NoSuchKey", answer.headers["x-oss-request-id"])
    assert_complete(answer)


def test_what_is_no_http(server: OSSEmulator) -> None:
    """Bytes that are no HTTP get an error with a date, and the server goes on."""
    received = raw(server, b"nonsense\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nDate: " in received
    assert b"<Code>BadRequest</Code>" in received
    assert send(server.endpoint, "GET", "/").status == 403


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("/a", "InvalidObjectName"),
        ("\\a", "InvalidObjectName"),
        ("x" * 1024, "InvalidObjectName"),
        ("é" * 512, "InvalidObjectName"),
    ],
)
def test_keys_that_are_refused(client: Client, key: str, code: str) -> None:
    """Keys begin with neither slash and have at most 1023 bytes."""
    answer = client.send("PUT", key, body=b"x")
    assert (answer.status, answer.code) == (400, code)


def test_a_key_that_is_no_text(client: Client) -> None:
    """A path that is no UTF-8 is an invalid name, in a rightly signed request as in others."""
    client.allow_public_access()
    client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "public-read-write"})
    answer = send(client.server.endpoint, "PUT", "/exports/%ff%fe", body=b"x")
    assert (answer.status, answer.code) == (400, "InvalidObjectName")


@pytest.mark.parametrize("name", ["ab", "Upper", "under_score", "-dash", "a" * 64])
def test_bucket_names_that_are_refused(server: OSSEmulator, name: str) -> None:
    """A bucket of a bad name is neither created nor looked for."""
    client = Client(server, bucket=name)
    for answer in (client.send("PUT", "", body=b""), client.send("GET", "a")):
        assert (answer.status, answer.code) == (400, "InvalidBucketName")


def test_an_acl_creates_its_bucket(server: OSSEmulator) -> None:
    """PutBucketAcl of a bucket that is not there creates it, unless its name is none; Location names it."""
    client = Client(server, bucket="from-acl")
    for _ in range(2):
        answer = client.send("PUT", "", {"acl": ""}, {"x-oss-acl": "private"})
        assert (answer.status, answer.headers["location"]) == (200, "/from-acl")
    assert client.send("PUT", "a", body=b"x").status == 200
    bad = Client(server, bucket="No").send("PUT", "", {"acl": ""}, {"x-oss-acl": "private"})
    assert (bad.status, bad.code) == (400, "InvalidBucketName")


def test_too_many_buckets(server: OSSEmulator) -> None:
    """There are at most as many buckets as the limit says."""
    for number in range(99):
        assert Client(server, bucket=f"bucket-{number}").send("PUT", "", body=b"").status == 200
    answer = Client(server, bucket="one-more").send("PUT", "", body=b"")
    assert (answer.status, answer.code) == (400, "TooManyBuckets")


def test_virtual_host_style(client: Client) -> None:
    """The bucket may be in the Host, and a key that begins with the bucket's name is no path style then."""
    host = {"Host": f"exports.localhost:{client.server.port}"}
    for key in ("a/b", "exports/a"):
        headers = client.signed("PUT", key)
        assert send(client.server.endpoint, "PUT", f"/{quote(key)}", {**headers, **host}, b"x").status == 200
        assert client.send("GET", key).body == b"x"


def test_neither_length_nor_chunks(client: Client) -> None:
    """A body whose length nobody can know is refused with 411."""
    received = raw(client.server, head_lines(client, "PUT", "a", {"connection": "close"}))
    assert received.startswith(b"HTTP/1.1 411 ")
    assert b"<Code>MissingContentLength</Code>" in received
    assert client.send("GET", "a").status == 404


def test_both_length_and_chunks(client: Client) -> None:
    """A body that comes in chunks is read by them, whatever length the head names besides."""
    head = head_lines(client, "PUT", "a", {"content-length": "3", "transfer-encoding": "chunked"})
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(head + b"5\r\n12345\r\n0\r\n\r\n")
        assert read_answer(connection).status == 200
    assert client.send("GET", "a").body == b"12345"


def test_expect_100_continue(client: Client) -> None:
    """A client that asks first is told to go on, or gets the error without having sent the body."""
    ask = {"Expect": "100-continue", "Content-Length": "5"}
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(head_lines(client, "PUT", "a", ask))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"12345")
        assert read_answer(connection).status == 200
    elsewhere = Client(client.server, bucket="not-there")
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(head_lines(elsewhere, "PUT", "a", ask))
        assert read_answer(connection).code == "NoSuchBucket"


def test_a_body_that_ends_too_soon(client: Client) -> None:
    """A client that leaves in the middle of the body stores nothing, and replaces nothing."""
    client.send("PUT", "a", body=b"before")
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(head_lines(client, "PUT", "a", {"Content-Length": "1000"}) + b"only this")
    record = client.server.wait_for_requests(lambda found: found.operation == "PutObject" and found.status is None)
    assert record.bytes_received == 9
    assert client.send("GET", "a").body == b"before"


def test_a_refused_body_keeps_the_connection(client: Client) -> None:
    """A body that nobody wanted is skipped, and the next request on the connection is served."""
    elsewhere = Client(client.server, bucket="not-there")
    refused = head_lines(elsewhere, "PUT", "a", {"Content-Length": "3000000"}) + bytes(3_000_000)
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(refused + head_lines(client, "GET", "absent", {"connection": "close"}))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 404 ") == 2
    assert b"NoSuchBucket" in received
    assert b"NoSuchKey" in received


def test_a_get_that_promises_a_body(client: Client) -> None:
    """A GET may name a length without sending a body, as one client does: its answer is the last of the connection."""
    client.send("PUT", "a", body=b"x")
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(head_lines(client, "GET", "a", {"content-length": "9"}))
        answer = read_answer(connection)
        assert (answer.body, answer.headers["connection"]) == (b"x", "close")
        assert connection.recv(1) == b""


def test_object_meta_by_get(client: Client) -> None:
    """GetObjectMeta may be a GET: the head tells the size of the object, whose bytes do not follow."""
    client.send("PUT", "a", body=b"12345")
    target = client.target("a", {"objectMeta": ""})
    signed = client.signed("GET", "a", {"objectMeta": ""})
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "localhost", **signed}.items())
    head, _, body = raw(client.server, f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\ncontent-length: 5" in head
    assert b"x-oss-hash-crc64ecma" in head
    assert body == b""


def test_content_md5(client: Client) -> None:
    """A body must be what its Content-MD5 says, and the header must be an MD5."""
    good = {"Content-MD5": "gnzLDuqKcGxMNKFokfhOew=="}
    assert client.send("PUT", "a", headers=good, body=b"12345").status == 200
    for bad in ({"Content-MD5": "gnzLDuqKcGxMNKFokfhOew=="}, {"Content-MD5": "AAAA"}, {"Content-MD5": "not base64!"}):
        answer = client.send("PUT", "a", headers=bad, body=b"54321")
        assert (answer.status, answer.code) == (400, "InvalidDigest")
    assert client.send("GET", "a").body == b"12345"


def test_an_empty_md5_on_requests_without_a_body(client: Client) -> None:
    """The MD5 of nothing, which one client sends with every GET, is accepted."""
    assert client.send("GET", "", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}).status == 200


def test_chunked_bodies(client: Client) -> None:
    """A chunked body arrives whole, also an empty one."""

    def blocks() -> Iterator[bytes]:
        yield b"a" * 100_000
        yield b"b"

    assert client.send("PUT", "a", body=blocks()).status == 200
    assert client.send("GET", "a").body == b"a" * 100_000 + b"b"
    assert client.send("PUT", "a", body=iter(())).status == 200
    assert client.send("GET", "a").body == b""


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        ({"max-keys": "0"}, "max-keys"),
        ({"max-keys": "1001"}, "max-keys"),
        ({"max-keys": "x"}, "max-keys"),
        ({"encoding-type": "base64"}, "encoding-type"),
        ({"list-type": "2", "continuation-token": "%%%"}, "continuation-token"),
        ({"uploads": "", "max-uploads": "1001"}, "max-uploads"),
    ],
)
def test_bad_arguments_of_lists(client: Client, query: dict[str, str], argument: str) -> None:
    """An argument out of its bounds is refused by name."""
    answer = client.send("GET", "", query)
    assert (answer.status, answer.code, answer.text("ArgumentName")) == (400, "InvalidArgument", argument)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-oss-storage-class": "Cold"}, "InvalidArgument"),
        ({"x-oss-object-acl": "open"}, "InvalidArgument"),
        ({"x-oss-forbid-overwrite": "maybe"}, "InvalidArgument"),
        ({"x-oss-server-side-encryption": "ROT13"}, "InvalidEncryptionAlgorithmError"),
        ({"x-oss-server-side-encryption-key-id": "1"}, "InvalidEncryptionAlgorithmError"),
        ({"x-oss-traffic-limit": "819199"}, "InvalidArgument"),
        ({"x-oss-traffic-limit": "838860801"}, "InvalidArgument"),
        ({"x-oss-traffic-limit": "fast"}, "InvalidArgument"),
        ({"x-oss-meta-a": "x" * 8192}, "InvalidArgument"),
        ({"x-oss-tagging": "a=1&a=2"}, "InvalidTag"),
        ({"x-oss-tagging": "=1"}, "InvalidTag"),
        ({"x-oss-tagging": f"{'k' * 129}=1"}, "InvalidTag"),
        ({"x-oss-tagging": "a%26b=1"}, "InvalidTag"),
        ({"x-oss-tagging": "a=%3C%C3%BC%3E"}, "InvalidTag"),
        ({"x-oss-callback": "not base64!"}, "InvalidArgument"),
        ({"x-oss-callback": base64.b64encode(b"[]").decode()}, "InvalidArgument"),
        ({"x-oss-callback": base64.b64encode(b'{"callbackUrl":"http://h"}').decode()}, "InvalidArgument"),
    ],
)
def test_bad_headers_of_writes(client: Client, headers: dict[str, str], code: str) -> None:
    """A header that OSS refuses is refused before anything is stored."""
    answer = client.send("PUT", "a", headers=headers, body=b"x")
    assert (answer.status, answer.code) == (400, code)
    assert client.send("GET", "a").status == 404


def test_unicode_metadata(client: Client) -> None:
    """The bytes of user metadata come back as they were sent."""
    value = "Zürich 中".encode().decode("latin-1")
    signed = client.signed("PUT", "a", headers={"x-oss-meta-city": "Zürich 中"})
    send(client.server.endpoint, "PUT", client.target("a", None), {**signed, "x-oss-meta-city": value}, b"x")
    assert client.send("GET", "a").headers["x-oss-meta-city"] == value


def test_control_characters_in_overrides(client: Client) -> None:
    """A response header cannot be used to smuggle another one in."""
    client.send("PUT", "a", body=b"x")
    answer = client.send("GET", "a", {"response-content-type": "a\r\nSet-Cookie: b"})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_delete_multiple_needs_its_headers(client: Client) -> None:
    """DeleteMultipleObjects needs a Content-MD5 and a well-formed list of 1 to 1000 keys."""
    assert client.send("POST", "", {"delete": ""}, body=b"<Delete/>").text("EC") == "0016-00000606"

    def delete(xml: bytes) -> Answer:
        digest = base64.b64encode(hashlib.md5(xml, usedforsecurity=False).digest()).decode()
        return client.send("POST", "", {"delete": ""}, {"Content-MD5": digest}, xml)

    assert delete(b"<Delete>").code == "MalformedXML"
    assert delete(b"<Delete><Quiet>true</Quiet></Delete>").code == "MalformedXML"
    assert delete(b"<Delete><Object></Object></Delete>").code == "MalformedXML"
    assert delete(b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>").code == "MalformedXML"
    assert delete(b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1000 + b"</Delete>").status == 200


def test_the_ledger(client: Client) -> None:
    """Each request is written down with what it was about, before its answer has arrived."""
    upload_id = client.send("POST", "a", {"uploads": ""}).text("UploadId")
    assert upload_id is not None
    answer = client.send("PUT", "a", {"uploadId": upload_id, "partNumber": "7"}, {"User-Agent": "test/1"}, b"12345")
    record = client.server.requests[-1]
    assert (record.operation, record.bucket, record.key) == ("UploadPart", "exports", "a")
    assert (record.part_number, record.upload_id, record.bytes_received) == (7, upload_id, 5)
    assert (record.status, record.code, record.request_id) == (200, None, answer.headers["x-oss-request-id"])
    assert record.user_agent == "test/1"
    assert record.started_at <= record.ended_at
    client.server.forget_requests()
    assert client.server.requests == ()


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", ""])
def test_part_numbers(client: Client, number: str) -> None:
    """A part number is 1 to 10,000."""
    upload_id = client.send("POST", "a", {"uploads": ""}).text("UploadId") or ""
    answer = client.send("PUT", "a", {"partNumber": number, "uploadId": upload_id}, body=b"x")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_traffic_limit_is_kept(client: Client) -> None:
    """The traffic limit slows a transfer down to its rate, as header and as query."""
    begun = time.monotonic()
    client.send("PUT", "a", headers={"x-oss-traffic-limit": "8000000"}, body=bytes(200_000))
    client.send("GET", "a", {"x-oss-traffic-limit": "8000000"})
    assert time.monotonic() - begun >= 0.4
    both = client.send("GET", "a", {"x-oss-traffic-limit": "8000000"}, {"x-oss-traffic-limit": "8000000"})
    assert both.text("EC") == "0004-00000501"
