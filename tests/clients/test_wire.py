"""One connection: what counts as standing still, what it notices while it sends, whom it belongs to."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_oss.cancellation import Cancellation, obeying
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSConnectionError, OSSConnectionTimeout, OSSUploadCancelled
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.clients.support import Certificate, client_of, client_with, make_certificate
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "dump.bin")
OK = b"HTTP/1.1 200 OK\r\nx-oss-request-id: R1\r\nETag: E\r\nContent-Length: 0\r\n\r\n"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def put(client: OSSObjectClient, data: bytes) -> None:
    client.put_object(REF, data, crc64(data), ObjectOptions())


@contextmanager
def slow_reader(
    bytes_a_step: int, step_seconds: float, most_bytes: int, certificate: Certificate | None = None
) -> Iterator[str]:
    """Serve one PutObject, of which so much is read at a time, over TLS with a certificate; yield the endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
        listener.settimeout(10.0)

        def work() -> None:
            accepted, _ = listener.accept()
            if certificate is not None:
                accepted = _secured(accepted, certificate)
            with accepted, suppress(OSError):
                read = 0
                while read < most_bytes and (block := accepted.recv(bytes_a_step)):
                    read += len(block)
                    time.sleep(step_seconds)  # the pace of a slow link
                accepted.sendall(OK)

        thread = threading.Thread(target=work)
        thread.start()
        yield f"http{'' if certificate is None else 's'}://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _secured(accepted: socket.socket, certificate: Certificate) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context.wrap_socket(accepted, server_side=True)


def test_a_slow_link_over_tls_is_left_soon(settings: ClientSettings, tmp_path: Path) -> None:
    """OpenSSL comes back when all it was given has gone: on a slow link it is not let to wait for that."""
    certificate = make_certificate(tmp_path)
    cancellation = Cancellation()
    with slow_reader(16 * KIB, 0.08, 64 * MIB, certificate) as url:
        client = client_with(settings, endpoint=url, verify=str(certificate.certificate))
        cancellation.request(3.0)
        started = time.monotonic()
        with pytest.raises(OSSUploadCancelled), obeying(cancellation):
            put(client, bytes(24 * MIB))
        assert time.monotonic() - started < 6
        del client


def test_what_is_cancelled_sends_nothing(server: OSSEmulator, settings: ClientSettings) -> None:
    """A request that is made after the cancellation does not reach OSS."""
    cancellation = Cancellation()
    client = OSSObjectClient(settings, cancellation=cancellation)
    put(client, b"before")
    cancellation.request()
    server.forget_requests()
    with pytest.raises(OSSUploadCancelled):
        put(client, b"after")
    with pytest.raises(OSSUploadCancelled):
        client.initiate_multipart_upload(REF, ObjectOptions())
    assert server.requests == ()


def test_a_file_that_cannot_be_read(settings: ClientSettings, tmp_path: Path) -> None:
    """An error of the disk is no broken connection, also where the file is read while it is being sent."""
    certificate = make_certificate(tmp_path)
    path = tmp_path / "written"
    with slow_reader(64 * KIB, 0.0, 0, certificate) as url, path.open("wb") as written:
        written.write(b"data")
        written.flush()
        client = client_with(settings, endpoint=url, verify=str(certificate.certificate))
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            client.upload_part(REF, "U", 1, FileRange(str(path), written.fileno(), 0, 4), None, ObjectOptions())
        assert not isinstance(caught.value, OSSConnectionError)


def test_what_the_kernel_still_sends_is_no_standstill(settings: ClientSettings) -> None:
    """While a slow link takes what was handed to the kernel at once, no answer can come: that is not waited for."""
    data = bytes(300 * KIB)
    with slow_reader(16 * KIB, 0.1, len(data)) as url:
        client = client_with(settings, endpoint=url, read_timeout_seconds=0.8)
        started = time.monotonic()
        put(client, data)
    assert time.monotonic() - started > 1.6


def test_a_link_that_takes_nothing_stands_still(server: OSSEmulator, settings: ClientSettings) -> None:
    """Where the other side takes nothing any more, the read timeout ends it, however much the kernel holds."""
    server.faults.add(Fault(operation="PutObject", rate_bytes_per_second=1))
    with pytest.raises(OSSConnectionTimeout):
        put(client_with(settings, read_timeout_seconds=0.5), bytes(MIB))


@pytest.mark.parametrize("fault", [{"stall": True}, {"rate_bytes_per_second": 1}], ids=["answering", "sending"])
def test_a_wait_ends_soon_after_it_is_told_to(
    server: OSSEmulator, settings: ClientSettings, fault: dict[str, bool | int]
) -> None:
    """Of a cancellation in force, and of what the hook says, every wait hears within a second."""
    server.faults.add(Fault(operation="PutObject", **fault))  # type: ignore[arg-type]
    cancellation = Cancellation()
    cancellation.request(0.3)
    started = time.monotonic()
    with pytest.raises(OSSUploadCancelled), obeying(cancellation):
        put(client_with(settings, read_timeout_seconds=30.0), bytes(24 * MIB))
    assert time.monotonic() - started < 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # that is what is tested
def test_a_forked_process_has_no_connection(client: OSSObjectClient) -> None:
    """It makes its own, and the one that its parent keeps stays the parent's, open and unused."""
    put(client, b"parent")
    child = os.fork()
    if not child:
        status = 1
        try:
            before = open_descriptors()
            kept = [found for idle in client._api.session._connections._idle.values() for found in idle]
            put(client, b"child")
            # In place of its parent's, whose descriptor it does not keep, it has its own
            is_fresh = all(found.sock is None for found in kept) and open_descriptors() == before + 1
            status = 0 if is_fresh else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put(client, b"parent again")
    assert client.head_object(REF).crc64 == crc64(b"parent again")


def test_an_early_answer_is_read() -> None:
    """An error that comes while a large body is being sent ends the sending, though nothing is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        has_read = threading.Event()

        def refuse() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(100)
                accepted.sendall(OK.replace(b"200 OK", b"403 Forbidden"))
                has_read.wait(20)

        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            with pytest.raises(PermissionError, match="HTTP status 403"):
                put(client_of(f"http://127.0.0.1:{listener.getsockname()[1]}"), bytes(32 * MIB))
        finally:
            has_read.set()
            thread.join()


def test_an_error_of_a_signal_handler_is_not_the_connections(server: OSSEmulator, settings: ClientSettings) -> None:
    """A timeout that the user sets with a signal is the user's, though it comes out of a wait for OSS."""

    def too_late(*_: object) -> None:
        raise TimeoutError("the user's")

    server.faults.add(Fault(operation="PutObject", stall=True))
    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(TimeoutError, match="the user's") as caught:
            put(client_with(settings, read_timeout_seconds=30.0), b"data")
        assert not isinstance(caught.value, OSSConnectionError)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
