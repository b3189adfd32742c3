"""The server's life: start, restart, kill, stop, encryption, and many clients at once."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import gc
import hashlib
import http.client
import json
import logging
import os
import random
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fastcrc
import oss2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from oss2.models import PartInfo

from airflow_provider_oss.emulator import Fault, Limits, OSSEmulator
from airflow_provider_oss.emulator.state.records import BucketRecord, PartRecord, UploadRecord
from airflow_provider_oss.emulator.state.store import Store
from tests.emulator.support import KEY_ID, SECRET, Client, ClosingSession, callback_server, send
from tests.support.own_path import OwnPath
from tests.support.server_process import server_process

PART = 300_000


Connect = Callable[[str], oss2.Bucket]


@pytest.fixture
def bucket_of(session: ClosingSession) -> Connect:
    """The bucket `exports` at an endpoint."""
    return lambda endpoint: oss2.Bucket(oss2.Auth(KEY_ID, SECRET), endpoint, "exports", session=session)


def md5(data: bytes) -> str:
    """The MD5 as an ETag has it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()


def test_a_restart_keeps_everything(bucket_of: Connect, tmp_path: Path) -> None:
    """Objects and uploads in progress are there after a restart, and the upload can be completed."""
    with OSSEmulator(root=tmp_path) as server:
        bucket = bucket_of(server.endpoint)
        bucket.put_object("a", b"content", headers={"x-oss-meta-a": "b"})
        upload_id = bucket.init_multipart_upload("big").upload_id
        first = bucket.upload_part("big", upload_id, 1, bytes(PART))
    with OSSEmulator(root=tmp_path) as server:
        bucket = bucket_of(server.endpoint)
        assert bucket.get_object("a").read() == b"content"
        assert bucket.head_object("a").headers["x-oss-meta-a"] == "b"
        assert [part.etag for part in bucket.list_parts("big", upload_id).parts] == [first.etag]
        second = bucket.upload_part("big", upload_id, 2, b"end")
        bucket.complete_multipart_upload("big", upload_id, [PartInfo(1, first.etag), PartInfo(2, second.etag)])
        assert bucket.get_object("big").read() == bytes(PART) + b"end"


def test_without_a_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a root each block begins with nothing, in a temporary folder that its end removes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = OSSEmulator()
    for _ in range(2):
        with server:
            assert Client(server).send("GET", "a").status == 404
            assert Client(server).send("PUT", "a", body=b"x").status == 200
            assert len(list(tmp_path.iterdir())) == 1
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="cannot be read"), OSSEmulator(ssl_certfile=__file__):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [str, Path, OwnPath])
def test_a_path_of_any_kind(tmp_path: Path, kind: Callable[[str], str | os.PathLike[str]]) -> None:
    """A root may be a text, and anything that Python takes for a path."""
    with OSSEmulator(kind(str(tmp_path / "root"))):
        assert (tmp_path / "root" / "buckets" / "exports").is_dir()


def test_one_server_for_one_root(tmp_path: Path) -> None:
    """A second server on the same root is refused with a clear error, and the first one goes on."""
    with OSSEmulator(root=tmp_path) as server:
        with pytest.raises(RuntimeError, match="another server"), OSSEmulator(root=tmp_path):
            pass
        assert send(server.endpoint, "GET", "/").status == 403


def test_a_taken_port(tmp_path: Path) -> None:
    """A port that is taken is an OSError, and the root is free again."""
    with (
        OSSEmulator(root=tmp_path / "one") as server,
        pytest.raises(OSError, match=f"in use: 127.0.0.1, port {server.port}"),
        OSSEmulator(root=tmp_path / "two", port=server.port),
    ):
        pass
    with OSSEmulator(root=tmp_path / "two"):
        pass


def test_a_bad_bucket_name(tmp_path: Path) -> None:
    """A bucket name that OSS does not take is refused before anything starts."""
    with pytest.raises(ValueError, match="Bad_Name"):
        OSSEmulator(root=tmp_path, buckets=["Bad_Name"])


def test_a_bad_certificate(tmp_path: Path) -> None:
    """A server that cannot start says why, and the root is free again."""
    (tmp_path / "broken.pem").write_text("nothing")
    broken = OSSEmulator(root=tmp_path / "oss", ssl_certfile=tmp_path / "broken.pem")
    with pytest.raises(ValueError, match=r"broken\.pem' cannot be read"), broken:
        pass
    with OSSEmulator(root=tmp_path / "oss"):
        pass


def test_before_and_after(tmp_path: Path) -> None:
    """Without a running server there is no endpoint; after the block nobody listens."""
    server = OSSEmulator(root=tmp_path)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.endpoint
    with server:
        port = server.port
        assert server.endpoint == f"http://127.0.0.1:{port}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_no_request_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No log has the address of a request, which may be a presigned URL, whoever configures logging meanwhile."""
    caplog.set_level(logging.DEBUG)
    with OSSEmulator(tmp_path) as server:
        for logger in (logging.getLogger("uvicorn"), logging.getLogger("uvicorn.access")):
            monkeypatch.setattr(logger, "propagate", True)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/?x-oss-signature=a-signature")
        assert connection.getresponse().status == 403
        connection.close()

    assert "a-signature" not in caplog.text


def test_loopback_by_default(tmp_path: Path) -> None:
    """Unless told otherwise, only this machine can reach the server; IPv6 works when asked for."""
    with OSSEmulator(root=tmp_path) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5)
    with OSSEmulator(root=tmp_path, host="::1") as server:
        assert server.endpoint == f"http://[::1]:{server.port}"
        connection = http.client.HTTPConnection("::1", server.port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 403
        connection.close()


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "http://127.0.0.1:"), ("::", "http://[::1]:")])  # noqa: S104
def test_every_address(tmp_path: Path, host: str, shown: str) -> None:
    """A server that listens on every address says one at which clients of this machine reach it."""
    with OSSEmulator(root=tmp_path, host=host) as server:
        assert server.endpoint.startswith(shown)
        assert send(server.endpoint, "GET", "/").status == 403


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


def test_a_relative_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    """The connection has the whole path of the certificate, for Airflow runs in a folder of its own."""
    certfile, keyfile = certificate
    monkeypatch.chdir(certfile.parent)
    with OSSEmulator(tmp_path / "oss", ssl_certfile=certfile.name, ssl_keyfile=keyfile.name) as server:
        assert json.loads(server.airflow_connection())["extra"]["verify"] == str(certfile)


def test_tls(tmp_path: Path, session: ClosingSession, certificate: tuple[Path, Path]) -> None:
    """With a certificate the server speaks TLS, and its faults work there too."""
    certfile, keyfile = certificate
    with OSSEmulator(root=tmp_path, ssl_certfile=certfile, ssl_keyfile=keyfile) as server:
        assert server.endpoint.startswith("https://")
        session.session.verify, session.session.trust_env = str(certfile), False
        bucket = oss2.Bucket(
            oss2.Auth(KEY_ID, SECRET),
            f"https://localhost:{server.port}",
            "exports",
            session=session,
            is_path_style=True,
        )
        bucket.put_object("a", b"x" * 1_000_000)
        assert bucket.get_object("a").read() == b"x" * 1_000_000
        assert json.loads(server.airflow_connection())["extra"]["verify"] == str(certfile)
        server.faults.add(Fault(operation="GetObject", reset="after", times=1))
        with pytest.raises(oss2.exceptions.RequestError):
            bucket.get_object("a")


def test_many_connections(tmp_path: Path) -> None:
    """A hundred clients at once each get their own bytes back."""
    with OSSEmulator(root=tmp_path) as server:
        client = Client(server)
        barrier = threading.Barrier(100)

        def put_and_get(number: int) -> bool:
            data = bytes([number]) * 50_000
            barrier.wait()
            client.send("PUT", f"key-{number}", body=data)
            return client.send("GET", f"key-{number}").body == data

        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            assert all(pool.map(put_and_get, range(100)))


def test_one_key_from_many_clients(tmp_path: Path) -> None:
    """Whoever wins a race for a key, the object is one of the bodies, whole; with forbid-overwrite exactly one wins."""
    with OSSEmulator(root=tmp_path) as server:
        client = Client(server)

        def put(number: int, headers: dict[str, str] | None = None) -> int:
            return client.send(
                "PUT", "a" if headers is None else "b", headers=headers, body=bytes([number]) * 200_000
            ).status

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert set(pool.map(put, range(16))) == {200}
            forbidding = list(pool.map(lambda number: put(number, {"x-oss-forbid-overwrite": "true"}), range(16)))
        assert sorted(forbidding) == [200] + [409] * 15
        body = client.send("GET", "a").body
        assert body == body[:1] * 200_000
        assert len(list(tmp_path.glob("blobs/??/*"))) == 2


def test_a_reader_is_not_disturbed(bucket_of: Connect, tmp_path: Path) -> None:
    """An object that is replaced and deleted while it is being read is read to its end."""
    with OSSEmulator(root=tmp_path) as server:
        bucket = bucket_of(server.endpoint)
        data = random.Random(1).randbytes(8_000_000)
        bucket.put_object("a", data)
        reading = bucket.get_object("a")
        begun = reading.read(1000)
        bucket.put_object("a", b"other")
        bucket.delete_object("a")
        assert begun + reading.read() == data


def test_constant_memory(bucket_of: Connect, tmp_path: Path) -> None:
    """A body of 300 MB goes through in both directions without being held in memory."""
    block = bytes(1_000_000)
    with server_process(tmp_path) as (process, endpoint):
        bucket = bucket_of(endpoint)
        bucket.enable_crc = False
        bucket.put_object("big", (block for _ in range(300)))
        assert bucket.head_object("big").content_length == 300_000_000
        got = bucket.get_object("big")
        assert sum(len(chunk) for chunk in iter(lambda: got.read(1_000_000), b"")) == 300_000_000
        status = Path(f"/proc/{process.pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kib < 150 * 1024


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_leaves_nothing_half_done(bucket_of: Connect, tmp_path: Path, seed: int) -> None:
    """After a SIGKILL in the middle of many writes every part and object is whole, and what was answered is there."""
    bodies = {number: random.Random(number).randbytes(PART + number) for number in range(1, 9)}
    acknowledged: list[tuple[str, int]] = []
    with server_process(tmp_path) as (process, endpoint):
        upload_id = bucket_of(endpoint).init_multipart_upload("big").upload_id
        enough = threading.Event()

        def write(number: int) -> None:
            bucket = bucket_of(endpoint)
            with contextlib.suppress(oss2.exceptions.RequestError):
                for turn in range(1000):
                    bucket.upload_part("big", upload_id, number, bodies[number])
                    acknowledged.append(("part", number))
                    bucket.put_object(f"key-{number}", bodies[number])
                    acknowledged.append(("object", number))
                    if turn == 3 + seed:
                        enough.set()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            writers = [pool.submit(write, number) for number in bodies]
            assert enough.wait(60)
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.result()
    with OSSEmulator(root=tmp_path) as server:
        bucket = bucket_of(server.endpoint)
        parts = {part.part_number: part for part in bucket.list_parts("big", upload_id).parts}
        assert {number for kind, number in acknowledged if kind == "part"} <= set(parts)
        for number, part in parts.items():
            assert (part.size, part.etag) == (len(bodies[number]), md5(bodies[number]))
        stored = {found.key for found in bucket.list_objects().object_list}
        assert {f"key-{number}" for kind, number in acknowledged if kind == "object"} <= stored
        for key in stored:
            assert bucket.get_object(key).read() == bodies[int(key.removeprefix("key-"))]
        assert len(list(tmp_path.glob("blobs/??/*"))) == len(parts) + len(stored)
        infos = [PartInfo(number, part.etag) for number, part in sorted(parts.items())]
        bucket.complete_multipart_upload("big", upload_id, infos)
        assert bucket.get_object("big").read() == b"".join(bodies[number] for number in sorted(parts))


def test_an_upload_of_ten_thousand_parts(bucket_of: Connect, tmp_path: Path) -> None:
    """As many parts as OSS allows are listed in pages and completed to one object."""
    with Store(tmp_path) as store:
        store.put_bucket(BucketRecord("exports", 1.0))
        store.create_upload(UploadRecord("exports", "big", "ID", 1.0))
        upload = store.upload("exports", "big", "ID")
        assert upload is not None
        for number in range(1, 10_001):
            writer = store.blobs.create()
            writer.write([b"%05d" % number])
            body = writer.finish()
            store.put_part(upload, PartRecord(number, body.segment, body.etag, body.crc64, 1.0))
    with OSSEmulator(root=tmp_path, limits=Limits(min_part_size_bytes=1)) as server:
        bucket = bucket_of(server.endpoint)
        infos = [PartInfo(part.part_number, part.etag) for part in oss2.PartIterator(bucket, "big", "ID")]
        assert [info.part_number for info in infos] == list(range(1, 10_001))
        result = bucket.complete_multipart_upload("big", "ID", infos)
        whole = b"".join(b"%05d" % number for number in range(1, 10_001))
        assert int(result.headers["x-oss-hash-crc64ecma"]) == fastcrc.crc64.xz(whole)
        assert bucket.get_object("big").read() == whole


def test_waiting_for_requests(server: OSSEmulator, client: Client) -> None:
    """A request that has been is found, one that comes is waited for, and one that never comes is a TimeoutError."""
    client.send("PUT", "a", body=b"x")
    assert server.wait_for_requests(lambda found: found.key == "a").operation == "PutObject"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        later = pool.submit(server.wait_for_requests, lambda found: found.key == "b")
        client.send("PUT", "b", body=b"x")
        assert later.result().key == "b"
    with pytest.raises(TimeoutError, match="no such request"):
        server.wait_for_requests(lambda found: found.key == "c", timeout_seconds=0.01)


def test_a_callback_may_use_the_server(server: OSSEmulator, client: Client) -> None:
    """The application may read the object in the middle of its callback."""

    def read_back(_: bytes) -> tuple[int, bytes]:
        return 200, json.dumps({"read": client.send("GET", "a").body.decode()}).encode()

    with callback_server(read_back) as application:
        callback = {"callbackUrl": application.url, "callbackBody": "x"}
        headers = {"x-oss-callback": base64.b64encode(json.dumps(callback).encode()).decode()}
        answer = client.send("PUT", "a", headers=headers, body=b"content")
    assert json.loads(answer.body) == {"read": "content"}
    assert server.requests[-1].operation == "PutObject"


def test_connection_accepted_at_the_end_is_closed(tmp_path: Path) -> None:
    """A client that comes in the last moment leaves no open socket behind: collecting one would warn."""
    for _ in range(3):
        with OSSEmulator(tmp_path) as server:
            socket.create_connection(("127.0.0.1", server.port)).close()
        gc.collect()
