"""Signing and addressing: what an Airflow connection says decides how a request looks."""

from __future__ import annotations

import time
import traceback
from functools import partial
from pathlib import Path

import pytest
from oss2.exceptions import OssError

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import AddressingStyle, ClientSettings, Credentials, SignatureVersion
from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSClockCorrected,
    OSSCredentialsExpired,
    OSSInvalidConnection,
    OSSRequestRejected,
)
from airflow_provider_oss.model import ObjectOptions, ObjectRange, ObjectRef
from tests.clients.support import DOMAIN, EXPIRED, SESSION, client_with, forward_proxy
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
    assert client.get_object_tags(ref) == {}
    assert {item.ref.key for item in client.list_objects(ref.bucket, "", "", "").items} == {ref.key, "copy"}
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

    cause = caught.value.__cause__
    assert isinstance(cause, OssError)
    assert cause.code == "SignatureDoesNotMatch"
    shown = f"{''.join(traceback.format_exception(caught.value))} {vars(cause)}"
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


def test_listing_buckets(shared_client: OSSObjectClient) -> None:
    """The account's buckets are listed by name."""
    assert shared_client.list_buckets() == [BUCKET, "other"]


def test_endpoint_that_oss2_refuses(shared_settings: ClientSettings) -> None:
    """An endpoint that oss2 does not know how to use is an error of the connection, not of the network."""
    with pytest.raises(OSSInvalidConnection, match="cannot be used"):
        client_with(shared_settings, endpoint="http://[::1]:9000").buckets.get(BUCKET)
