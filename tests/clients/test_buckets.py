"""Signing and addressing: what an Airflow connection says decides how a request looks."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import oss2
import pytest
import requests

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import AddressingStyle, ClientSettings, SignatureVersion
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSClockCorrected,
    OSSCredentialsExpired,
    OSSInvalidConnection,
    OSSRequestRejected,
)
from airflow_provider_oss.model import ObjectOptions, ObjectRange, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.clients.support import DOMAIN, EXPIRED, SESSION, client_of, client_with, forward_proxy
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, TINY_PARTS, client_settings

REF = ObjectRef(BUCKET, "dump.bin")
VERSIONS: tuple[SignatureVersion, ...] = ("v1", "v4")

signed_both_ways = pytest.mark.parametrize("version", VERSIONS)


def later(seconds: float) -> float:
    """Return the time on a clock that is ahead of ours."""
    return time.time() + seconds


def use_every_call(client: OSSObjectClient, ref: ObjectRef = REF) -> None:
    """Make each kind of call once and compare what comes back."""
    data = b"parts"
    client.put_object(ref, data, crc64(data), ObjectOptions(meta={"a": "1"}, tags={"k": "v"}))
    upload_id = client.initiate_multipart_upload(ref, ObjectOptions())
    part = client.upload_part(ref, upload_id, 1, data, crc64(data), ObjectOptions())
    assert [stored.crc64 for stored in client.list_parts(ref, upload_id)] == [crc64(data)]
    client.complete_multipart_upload(ref, upload_id, [part], ObjectOptions())
    with client.get_object(ref, None) as body:
        assert body.read() == data
    info = client.head_object(ref)
    client.copy_object(ObjectRange(ref, info.etag, 0, info.size_bytes), ObjectRef(ref.bucket, "copy"), ObjectOptions())
    client.put_object_tags(ref, {"k": "v"})
    assert client.get_object_tags(ref) == {"k": "v"}
    client.delete_object_tags(ref)
    assert client.get_object_tags(ref) == {}
    first = client.list_objects(ref.bucket, "", "", "", 1)
    assert client.list_objects(ref.bucket, "", "", first.next_token, 1).next_token is None
    assert {item.ref.key for item in client.list_objects(ref.bucket, "", "", "").items} == {ref.key, "copy"}
    assert client.bucket_info(ref.bucket).name == ref.bucket
    client.abort_multipart_upload(ref, client.initiate_multipart_upload(ref, ObjectOptions()))
    assert not client.list_multipart_uploads(ref.bucket, "", ("", "")).items
    assert client.delete_objects(ref.bucket, ["copy"]) == ["copy"]
    client.delete_object(ref)


@signed_both_ways
def test_every_call_is_signed_right(shared_settings: ClientSettings, version: SignatureVersion) -> None:
    """OSS accepts every call under both signature versions."""
    use_every_call(client_with(shared_settings, signature_version=version))


@signed_both_ways
def test_security_token(shared_server: OSSEmulator, version: SignatureVersion) -> None:
    """A temporary key works with its security token, in every call."""
    credentials = Credentials(SESSION.access_key_id, SESSION.access_key_secret, SESSION.security_token)
    use_every_call(client_with(client_settings(shared_server), credentials=credentials, signature_version=version))


@signed_both_ways
@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (Credentials(SESSION.access_key_id, SESSION.access_key_secret), OSSAccessDenied),
        (Credentials(SESSION.access_key_id, SESSION.access_key_secret, "another"), OSSCredentialsExpired),
        (Credentials(SESSION.access_key_id, SESSION.access_key_secret, EXPIRED.security_token), OSSAccessDenied),
        (Credentials(EXPIRED.access_key_id, EXPIRED.access_key_secret, EXPIRED.security_token), OSSCredentialsExpired),
        (Credentials(KEY_ID, "wrong-secret"), OSSAccessDenied),
        (Credentials("nobody", KEY_SECRET), OSSAccessDenied),
    ],
    ids=["no token", "wrong token", "another session's token", "expired", "wrong secret", "unknown key"],
)
def test_refused_credentials(
    shared_server: OSSEmulator, version: SignatureVersion, credentials: Credentials, expected: type[Exception]
) -> None:
    """Credentials that OSS refuses are an error that says which field to correct and shows neither secret nor token."""
    client = client_with(client_settings(shared_server), credentials=credentials, signature_version=version)

    with pytest.raises(expected, match=r"connection's|into the connection|not belong to the same session") as caught:
        client.head_object(REF)
    assert caught.type is expected
    assert credentials.access_key_secret not in str(caught.value)
    assert credentials.security_token is None or credentials.security_token not in str(caught.value)


@signed_both_ways
def test_refused_signature_keeps_the_token(shared_server: OSSEmulator, version: SignatureVersion) -> None:
    """What OSS repeats of a text whose signature it refuses is in no traceback: neither as text nor as digits."""
    credentials = Credentials(SESSION.access_key_id, "wrong-secret", SESSION.security_token)
    client = client_with(client_settings(shared_server), credentials=credentials, signature_version=version)

    with pytest.raises(OSSAccessDenied, match="check the connection's password") as caught:
        client.delete_object(REF)

    shown = "".join(traceback.format_exception(caught.value))
    assert "SignatureDoesNotMatch" in shown
    assert SESSION.security_token not in shown
    assert SESSION.security_token.encode().hex(" ").upper() not in shown.upper()


@signed_both_ways
def test_wrong_clock(tmp_path: Path, version: SignatureVersion) -> None:
    """A clock that is 20 minutes off is an error of its own, with the remedy; after it every call is accepted."""
    for offset in (1200, -1200):
        clock = partial(later, offset)
        with OSSEmulator(root=tmp_path / str(offset), clock=clock, limits=TINY_PARTS) as server:
            client = client_with(client_settings(server), signature_version=version)
            with pytest.raises(OSSClockCorrected, match="set this machine's clock"):
                client.delete_object(REF)
            use_every_call(client)
            client.list_buckets()
            assert [request.operation for request in server.requests if request.status == 403] == ["DeleteObject"]


@pytest.mark.parametrize("style", ["auto", "path"])
@signed_both_ways
def test_bucket_in_the_path(shared_settings: ClientSettings, style: AddressingStyle, version: SignatureVersion) -> None:
    """An IP address is asked in path style, whether that is asked for or chosen."""
    use_every_call(client_with(shared_settings, addressing_style=style, signature_version=version))


@pytest.mark.parametrize("style", ["auto", "virtual"])
@signed_both_ways
def test_bucket_in_the_host_name(shared_server: OSSEmulator, style: AddressingStyle, version: SignatureVersion) -> None:
    """A named endpoint is asked with the bucket in the host name and the key alone in the path."""
    endpoint = "oss-cn-hangzhou.aliyuncs.com"
    with forward_proxy(instead=shared_server.endpoint) as proxy:
        use_every_call(
            client_with(
                client_settings(shared_server),
                endpoint=f"http://{endpoint}",
                addressing_style=style,
                signature_version=version,
                proxies={"http": proxy.url},
            )
        )
    assert proxy.asked[0] == f"PUT http://{BUCKET}.{endpoint}/dump.bin"


@signed_both_ways
def test_path_style_of_a_named_endpoint(shared_server: OSSEmulator, version: SignatureVersion) -> None:
    """``path`` puts the bucket into the path of a named endpoint too."""
    with forward_proxy(instead=shared_server.endpoint) as proxy:
        use_every_call(
            client_with(
                client_settings(shared_server),
                endpoint="http://storage.internal",
                addressing_style="path",
                signature_version=version,
                proxies={"http": proxy.url},
            )
        )
    assert proxy.asked[0] == f"PUT http://storage.internal/{BUCKET}/dump.bin"


@signed_both_ways
def test_custom_domain(shared_server: OSSEmulator, version: SignatureVersion) -> None:
    """``cname`` asks the bucket's own domain, without the bucket anywhere in the address."""
    with forward_proxy(instead=shared_server.endpoint) as proxy:
        use_every_call(
            client_with(
                client_settings(shared_server),
                endpoint=f"http://{DOMAIN}",
                addressing_style="cname",
                signature_version=version,
                proxies={"http": proxy.url},
            )
        )
    assert proxy.asked[0] == f"PUT http://{DOMAIN}/dump.bin"


def test_wrong_region(shared_settings: ClientSettings) -> None:
    """A region that is not the bucket's is rejected by OSS and reported as such."""
    with pytest.raises(OSSRequestRejected, match="Invalid signing region"):
        client_with(shared_settings, region="cn-beijing").list_objects(BUCKET, "", "", "")


def test_one_bucket_object_a_name(shared_settings: ClientSettings) -> None:
    """Asking for a bucket twice gives the same oss2 object, so that all calls share one pool."""
    buckets = OSSObjectClient(shared_settings).buckets
    assert buckets.get(BUCKET) is buckets.get(BUCKET)
    assert buckets.get(BUCKET) is not buckets.get("other")


@signed_both_ways
def test_listing_buckets(shared_settings: ClientSettings, version: SignatureVersion) -> None:
    """The account's buckets are listed by name."""
    assert client_with(shared_settings, signature_version=version).list_buckets() == [BUCKET, "other"]


def test_buckets_of_a_named_endpoint(shared_settings: ClientSettings) -> None:
    """The endpoint itself is asked for the buckets of the account, whatever the style of addresses below it."""
    for style in ("virtual", "path", "cname"):
        with forward_proxy(instead=shared_settings.endpoint) as proxy:
            client = client_with(
                shared_settings,
                endpoint="http://storage.internal",
                addressing_style=style,
                proxies={"http": proxy.url},
            )
            assert client.list_buckets() == [BUCKET, "other"]
        assert [one.partition("?")[0] for one in proxy.asked] == ["GET http://storage.internal/"]


def test_endpoint_that_oss2_refuses(shared_settings: ClientSettings) -> None:
    """An endpoint that oss2 does not know how to use is an error of the connection, not of the network."""
    with pytest.raises(OSSInvalidConnection, match="cannot be used"):
        client_with(shared_settings, endpoint="http://two words").buckets.get(BUCKET)


@pytest.mark.parametrize("style", ["auto", "path", "virtual"])
def test_an_ipv6_address(tmp_path: Path, style: AddressingStyle) -> None:
    """An endpoint that is an IPv6 address is used by uploads, by oss2's bucket and by presigned URLs alike."""
    with OSSEmulator(root=tmp_path, host="::1", buckets=(BUCKET,)) as server:
        client = OSSObjectClient(replace(client_settings(server), addressing_style=style))
        ref = ObjectRef(BUCKET, "a b/ü")
        client.put_object(ref, b"data", crc64(b"data"), ObjectOptions())
        assert client.head_object(ref).size_bytes == 4
        assert client.buckets.get(BUCKET).get_object(ref.key).read() == b"data"
        assert requests.get(client.buckets.sign_url(ref, "GET", 60, {}, {}), timeout=5).content == b"data"


def test_an_answer_that_is_no_http_is_oss2s_error() -> None:
    """Who uses oss2 itself gets its own error, whatever came instead of an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(b"220 welcome\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        client = client_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(oss2.exceptions.RequestError):
            client.buckets.get(BUCKET).get_object("key")
        thread.join()


class WithoutLength:
    """A file-like object whose length nobody knows."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


@pytest.mark.parametrize(
    "make", [str, str.encode, lambda text: BytesIO(text.encode()), lambda text: WithoutLength(text.encode())]
)
def test_bodies_that_oss2_takes(shared_client: OSSObjectClient, make: Callable[[str], Any]) -> None:
    """Text, bytes and file-like objects, empty ones too, are stored whole by oss2 itself, and end."""
    bucket = shared_client.buckets.get(BUCKET)
    for text in ("", "some text" * 100_000):
        bucket.put_object("by-oss2", make(text))
        assert bucket.get_object("by-oss2").read(-1) == text.encode()


def test_files_and_pieces_by_oss2(shared_client: OSSObjectClient, tmp_path: Path) -> None:
    """Files, parts of them and appended pieces are sent with their length."""
    path = tmp_path / "file"
    path.write_bytes(b"file")
    bucket = shared_client.buckets.get(BUCKET)
    bucket.put_object_from_file("by-oss2", str(path))
    assert bucket.get_object("by-oss2").read() == b"file"
    upload_id = bucket.init_multipart_upload("by-oss2").upload_id
    part = bucket.upload_part("by-oss2", upload_id, 1, BytesIO(b"part"))
    bucket.complete_multipart_upload("by-oss2", upload_id, [oss2.models.PartInfo(1, part.etag)])
    assert bucket.get_object("by-oss2").read() == b"part"


def test_a_length_that_is_not_the_bodys(shared_client: OSSObjectClient) -> None:
    """Bytes are sent with their own length: what is beyond another one would be taken for a request."""
    bucket = shared_client.buckets.get(BUCKET)
    bucket.put_object("by-oss2", b"abcDELETE / HTTP/1.1\r\n\r\n", headers={"Content-Length": "3"})
    assert bucket.get_object("by-oss2").read() == b"abcDELETE / HTTP/1.1\r\n\r\n"
