"""Connections as they are: slow, stalled, refused, reset, proxied, encrypted."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3.exceptions import InsecureRequestWarning

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.session import PooledSession
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSCertificateError,
    OSSConnectionError,
    OSSConnectionTimeout,
    OSSInvalidArgument,
    OSSInvalidConnection,
    OSSRequestRejected,
    OSSTransientError,
)
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.clients.support import (
    Certificate,
    canned_server,
    client_of,
    client_with,
    forward_proxy,
    make_certificate,
    silent_listener,
)
from tests.conftest import BUCKET, client_settings

REF = ObjectRef(BUCKET, "dump.bin")
DATA = bytes(range(256)) * 4096
PLAIN = ObjectOptions()


def put(client: OSSObjectClient, data: bytes = DATA) -> None:
    client.put_object(REF, data, crc64(data), PLAIN)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def secure_server(tmp_path: Path, certificate: Certificate) -> Iterator[OSSEmulator]:
    """A local OSS server that speaks TLS only."""
    with OSSEmulator(
        root=tmp_path / "oss", ssl_certfile=certificate.certificate, ssl_keyfile=certificate.key
    ) as emulator:
        yield emulator


def test_requests_share_connections(client: OSSObjectClient) -> None:
    """Calls one after the other, of every kind, use one connection."""
    put(client)
    client.head_object(REF)
    with client.get_object(REF, None) as body:
        body.read()
    client.delete_object(REF)

    assert [len(idle) for idle in client._api.session._connections._idle.values()] == [1]


def send_slowly(server: OSSEmulator, client: OSSObjectClient) -> None:
    """Send what takes 3 seconds in all, in steps of far less; the read timeout of the client is 1.5 seconds."""
    data = bytes(24 * MIB)
    server.faults.add(Fault(operation="PutObject", rate_bytes_per_second=8 * MIB))
    started = time.monotonic()
    put(client, data)
    assert time.monotonic() - started > 1.5
    assert client.head_object(REF).crc64 == crc64(data)


def test_slow_but_alive_upload_is_no_time_out(server: OSSEmulator, settings: ClientSettings) -> None:
    """An upload that takes longer than the read timeout goes through as long as bytes move."""
    send_slowly(server, client_with(settings, read_timeout_seconds=1.5))


def test_slow_but_alive_upload_over_tls_is_no_time_out(secure_server: OSSEmulator, certificate: Certificate) -> None:
    """The same holds for TLS, where a socket takes all that it is given at once."""
    settings = client_settings(secure_server)
    send_slowly(secure_server, client_with(settings, read_timeout_seconds=1.5, verify=str(certificate.certificate)))


def test_stalled_upload_times_out(server: OSSEmulator, settings: ClientSettings) -> None:
    """When OSS stops taking bytes in the middle of a body, the timeout error says what to change."""
    server.faults.add(Fault(operation="PutObject", rate_bytes_per_second=1))
    client = client_with(settings, connect_timeout_seconds=30.0, read_timeout_seconds=0.3)

    started = time.monotonic()
    with pytest.raises(OSSConnectionTimeout, match="raise read_timeout") as caught:
        put(client, bytes(24 * MIB))
    assert time.monotonic() - started < 10
    assert "part_size" in str(caught.value)
    assert isinstance(caught.value, TimeoutError)


def test_missing_answer_times_out(server: OSSEmulator, settings: ClientSettings) -> None:
    """When all is sent and no answer comes, the read timeout ends the wait."""
    server.faults.add(Fault(operation="PutObject", stall=True))
    client = client_with(settings, read_timeout_seconds=0.3)

    with pytest.raises(OSSConnectionTimeout, match="raise read_timeout"):
        put(client)


def test_stalled_download_times_out(server: OSSEmulator, settings: ClientSettings) -> None:
    """A body that stops in the middle of a download ends in the same error, with bucket and key."""
    client = client_with(settings, read_timeout_seconds=0.3)
    put(client)
    server.faults.add(Fault(operation="GetObject", rate_bytes_per_second=1))

    with client.get_object(REF, None) as body, pytest.raises(OSSConnectionTimeout) as caught:
        body.read()
    assert (caught.value.details.bucket, caught.value.details.key) == (BUCKET, "dump.bin")


def test_download_cut_short_is_an_error(server: OSSEmulator, client: OSSObjectClient) -> None:
    """A body that ends before its Content-Length is an error, never a short object."""
    put(client)
    server.faults.add(Fault(operation="GetObject", truncate_response=True))

    with client.get_object(REF, None) as body, pytest.raises(OSSConnectionError, match="broke"):
        list(body)


def test_unreachable_host_times_out(settings: ClientSettings) -> None:
    """A host that never accepts is a timeout of the connect phase and names connect_timeout."""
    with silent_listener() as url:
        client = client_with(settings, endpoint=url, connect_timeout_seconds=0.2, read_timeout_seconds=30.0)
        started = time.monotonic()
        with pytest.raises(OSSConnectionTimeout, match="raise connect_timeout"):
            put(client)
    assert time.monotonic() - started < 10


def test_refused_connection_is_no_time_out(settings: ClientSettings) -> None:
    """A port where nobody listens is a connection error of its own, and transient."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = client_with(settings, endpoint=f"http://127.0.0.1:{port}")

    with pytest.raises(OSSConnectionError, match="no connection to OSS") as caught:
        put(client)
    assert not isinstance(caught.value, OSSConnectionTimeout)
    assert isinstance(caught.value, OSSTransientError)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(operation="PutObject", reset="before"),
        Fault(operation="PutObject", reset="after"),
        Fault(operation="PutObject", reset_after_bytes=64 * KIB),
    ],
    ids=["before the body", "before the answer", "within the body"],
)
def test_reset_connection(server: OSSEmulator, client: OSSObjectClient, fault: Fault) -> None:
    """A connection that is reset at any moment is a transient connection error, and is not repeated by the client."""
    server.faults.add(fault)

    with pytest.raises(OSSConnectionError) as caught:
        put(client)
    assert not isinstance(caught.value, OSSConnectionTimeout)
    assert [request.operation for request in server.requests] == ["PutObject"]


def test_redirect_is_not_followed(server: OSSEmulator) -> None:
    """A signed request goes to the endpoint of the connection and nowhere else."""
    headers = {"Location": f"{server.endpoint}/{BUCKET}/dump.bin", "Content-Length": "0"}
    with canned_server(307, headers, b"") as url, pytest.raises(OSSRequestRejected, match="HTTP status 307"):
        put(client_of(url))
    assert server.requests == ()


def test_untrusted_certificate(secure_server: OSSEmulator) -> None:
    """A certificate of an unknown authority is a permanent error that names the remedy; nothing is sent."""
    client = client_with(client_settings(secure_server))

    with pytest.raises(OSSCertificateError, match="set verify in the connection's extra"):
        put(client)
    assert not secure_server.requests


def test_trusted_certificate(secure_server: OSSEmulator, certificate: Certificate) -> None:
    """With ``verify`` set to the authority's file the same server is used over TLS."""
    client = client_with(client_settings(secure_server), verify=str(certificate.certificate))

    put(client, bytes(MIB))

    assert client.head_object(REF).size_bytes == MIB


def test_verification_switched_off(secure_server: OSSEmulator) -> None:
    """With ``verify`` False any certificate will do, and every request is warned about."""
    client = client_with(client_settings(secure_server), verify=False)

    with pytest.warns(InsecureRequestWarning, match="127.0.0.1"):
        put(client)


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "no certificate"])
def test_bad_authority_file(secure_server: OSSEmulator, tmp_path: Path, content: bytes | None) -> None:
    """A ``verify`` that leads to no certificates is an error of the connection that names the path."""
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_bytes(content)
    client = client_with(client_settings(secure_server), verify=str(path))

    with pytest.raises(OSSInvalidConnection, match=r"verify='.*authority\.pem'"):
        put(client)


def test_url_without_a_path() -> None:
    """The account itself has no path, and may be asked with parameters."""
    with canned_server(200, {"Content-Length": "2"}, b"ok") as url:
        session = PooledSession(ClientSettings(url, Credentials("id", "secret"), "cn-hangzhou"), pool_size=1)
        for params in ({}, {"max-keys": "1"}):
            assert session.begin("GET", url, params, {}).wait().read() == b"ok"


@pytest.mark.parametrize("token", ["hidden\n", "hid\x00den", "hidden\r\n x"])
@pytest.mark.parametrize("by_oss2", [True, False])
def test_header_that_cannot_be_sent(
    server: OSSEmulator, settings: ClientSettings, token: str, *, by_oss2: bool
) -> None:
    """It is named and not shown, and no retry mends it."""
    client = client_with(settings, credentials=Credentials("id", "secret", token))
    with pytest.raises(OSSInvalidArgument, match="header x-oss-security-token has a character") as caught:
        client.bucket_info(BUCKET) if by_oss2 else put(client)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hidden" not in shown
    assert not server.requests


def test_header_that_is_no_unicode(server: OSSEmulator, settings: ClientSettings) -> None:
    """Half a surrogate pair cannot be sent either."""
    session = PooledSession(settings, pool_size=1)
    with pytest.raises(OSSInvalidArgument, match="header content-disposition has a character"):
        session.begin("GET", server.endpoint, {}, {"content-disposition": "\udc80"}).wait()


def test_plain_proxy(server: OSSEmulator, settings: ClientSettings) -> None:
    """Plain HTTP goes through the proxy of its scheme, and arrives signed and whole."""
    with forward_proxy() as proxy:
        client = client_with(settings, proxies={"http": proxy.url})
        put(client)
        found = client.head_object(REF)

    assert found.crc64 == crc64(DATA)
    assert [line.split()[0] for line in proxy.asked] == ["PUT", "HEAD"]
    assert all(f"{server.endpoint}/" in line for line in proxy.asked)


def test_tunnelling_proxy(secure_server: OSSEmulator, certificate: Certificate) -> None:
    """TLS goes through a tunnel of the https proxy, and the certificate is OSS's own."""
    with forward_proxy() as proxy:
        client = client_with(
            client_settings(secure_server), proxies={"https": proxy.url}, verify=str(certificate.certificate)
        )
        put(client)
        assert client.head_object(REF).crc64 == crc64(DATA)
        del client  # and with it its connections, which the proxy waits for

    assert proxy.asked == [f"CONNECT 127.0.0.1:{secure_server.port}"]


def test_proxy_of_the_other_scheme_is_not_used(settings: ClientSettings) -> None:
    """A proxy for https leaves http alone."""
    with forward_proxy() as proxy:
        put(client_with(settings, proxies={"https": proxy.url}))
    assert proxy.asked == []


def test_broken_proxy_does_not_show_its_password(settings: ClientSettings) -> None:
    """A proxy that cannot be reached is a connection error without the password in the proxy's URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = client_with(settings, proxies={"http": f"http://user:hidden-password@127.0.0.1:{port}"})

    with pytest.raises(OSSConnectionError) as caught:
        put(client)
    assert "hidden-password" not in str(caught.value)
