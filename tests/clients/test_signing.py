"""Our signatures are oss2's, but for the time in them and the credentials behind them, which may change."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from unittest import mock

import oss2.auth
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oss2 import ProviderAuth, ProviderAuthV4
from oss2.http import Request

from airflow_provider_oss.clients.buckets import V1Auth, V4Auth
from airflow_provider_oss.clients.credentials.holder import CredentialsHolder
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.clients.signing import (
    _V1_SIGNED_PARAMS,
    ServerClock,
    Signer,
    V1Signer,
    V4Signer,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
HEADER_NAMES = st.one_of(
    st.sampled_from(["Content-Type", "content-md5", "Cache-Control", "Range", "X-OSS-Object-ACL", "x-oss-tagging"]),
    st.from_regex(r"[Xx]-[Oo]ss-[Mm]eta-[a-z0-9-]{1,8}", fullmatch=True),
)
# oss2 signs white space at either end, which HTTP does not keep; options with it are refused before
HEADER_VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=20).map(str.strip)
# Of the parameters that V1 signs, our calls have these alone
OTHER_PARAMS = TEXT.filter(lambda name: name not in oss2.Auth._subresource_key_set)
PARAMS = st.dictionaries(
    st.one_of(st.sampled_from([*_V1_SIGNED_PARAMS, "list-type", "encoding-type"]), OTHER_PARAMS), TEXT
)
SIGNED = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
        "params": PARAMS,
        "headers": st.dictionaries(HEADER_NAMES, HEADER_VALUES),
    }
)
WORD = st.from_regex(r"[A-Za-z0-9/+=._-]{1,40}", fullmatch=True)
CREDENTIALS = st.builds(Credentials, WORD, WORD, st.none() | WORD)
BUCKETS = st.sampled_from(["", "exports", "a-b"])
SECONDS = st.integers(0, 4_000_000_000)
REGIONS = st.sampled_from(["cn-hangzhou", "us-west-1"])


def request_of(parts: dict[str, Any], region: str) -> Request:
    return Request(
        parts["method"],
        "http://localhost/",
        params=dict(parts["params"]),
        headers=dict(parts["headers"]),
        region=region,
        product="oss",
    )


def clock_at(seconds: float) -> ServerClock:
    return ServerClock(lambda: seconds)


_OF_THE_LIBRARY = ("accept-encoding", "user-agent")


def unspaced(request: Request) -> dict[str, Any]:
    """Return the headers; oss2 writes a blank behind the comma in one of them, OSS's documentation does not."""
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _OF_THE_LIBRARY}
    return headers | {"authorization": headers["authorization"].replace(", ", ",")}


class _Provider:
    """oss2's provider interface."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get_credentials(self) -> Any:
        """Return them as oss2 wants them."""
        ours = self._credentials
        return oss2.credentials.Credentials(ours.access_key_id, ours.access_key_secret, ours.security_token)


def signed_by(signer: Signer, parts: dict[str, Any], bucket: str, key: str) -> dict[str, str]:
    """Return the headers with those that ``signer`` adds."""
    headers = {name.lower(): value for name, value in parts["headers"].items()}
    signer.sign(parts["method"], bucket, key, parts["params"], headers)
    return headers


@given(SIGNED, CREDENTIALS, BUCKETS, TEXT, REGIONS, SECONDS)
def test_v4_is_what_oss2_signs(
    parts: dict[str, Any], credentials: Credentials, bucket: str, key: str, region: str, seconds: int
) -> None:
    """Whatever is signed with V4, every header of the request is the one that oss2 makes at the same moment."""
    theirs = request_of(parts, region)

    ours = signed_by(V4Signer(CredentialsHolder(credentials), clock_at(seconds), region), parts, bucket, key)
    with mock.patch.object(oss2.auth, "datetime") as frozen:
        frozen.utcnow.return_value = datetime.fromtimestamp(seconds, UTC)
        ProviderAuthV4(_Provider(credentials))._sign_request(theirs, bucket, key)

    assert ours == unspaced(theirs)


@given(SIGNED, CREDENTIALS, BUCKETS, TEXT, SECONDS)
def test_v1_is_what_oss2_signs(
    parts: dict[str, Any], credentials: Credentials, bucket: str, key: str, seconds: int
) -> None:
    """A V1 signature is oss2's own for a request that has its time in ``x-oss-date``."""
    theirs = request_of(parts, "cn-hangzhou")
    theirs.headers["x-oss-date"] = formatdate(seconds, usegmt=True)

    ours = signed_by(V1Signer(CredentialsHolder(credentials), clock_at(seconds)), parts, bucket, key)
    ProviderAuth(_Provider(credentials))._sign_request(theirs, bucket, key)

    assert ours == {name: value for name, value in unspaced(theirs).items() if name != "date"}


@pytest.mark.parametrize("auth_class", [V1Auth, V4Auth])
def test_both_go_by_the_corrected_clock(auth_class: type[V1Auth | V4Auth]) -> None:
    """What is signed after a correction has OSS's time, and another signature."""
    clock = clock_at(1_000_000)
    auth = auth_class(CredentialsHolder(Credentials("id", "secret")), clock)
    parts = {"method": "GET", "params": {}, "headers": {}}
    before, after = request_of(parts, "cn-hangzhou"), request_of(parts, "cn-hangzhou")

    auth._sign_request(before, "exports", "key")
    clock.correct(1_086_400)
    auth._sign_request(after, "exports", "key")

    day = {V1Auth: ("Mon, 12 Jan 1970", "Tue, 13 Jan 1970"), V4Auth: ("19700112T", "19700113T")}[auth_class]
    assert before.headers["x-oss-date"].startswith(day[0])
    assert after.headers["x-oss-date"].startswith(day[1])
    assert before.headers["authorization"] != after.headers["authorization"]


@pytest.mark.parametrize("auth_class", [V1Auth, V4Auth])
def test_both_go_by_the_replaced_credentials(auth_class: type[V1Auth | V4Auth]) -> None:
    """What is signed after a replacement has the new key and token; a key without a token sends none."""
    holder = CredentialsHolder(Credentials("old-id", "old-secret", "old-token"))
    auth = auth_class(holder, clock_at(1_000_000))
    found = []
    for credentials in (None, Credentials("new-id", "new-secret", "new-token"), Credentials("plain-id", "secret")):
        if credentials is not None:
            holder.replace(credentials)
        request = request_of({"method": "GET", "params": {}, "headers": {}}, "cn-hangzhou")
        auth._sign_request(request, "exports", "key")
        found.append((request.headers["authorization"], request.headers.get("x-oss-security-token")))

    assert [token for _, token in found] == ["old-token", "new-token", None]
    assert [name in text for name, (text, _) in zip(["old-id", "new-id", "plain-id"], found, strict=True)] == [True] * 3


@pytest.mark.parametrize("server_time", [1_000_061.0, 999_939.0, 1_003_600.0, 0.0])
def test_clock_is_corrected(server_time: float) -> None:
    """A clock that is more than a minute off goes by OSS's time, and runs on from there."""
    here = [1_000_000.0]
    clock = ServerClock(lambda: here[0])

    assert clock.correct(server_time)
    assert clock.now() == server_time
    assert clock.offset_seconds == server_time - 1_000_000
    here[0] += 10
    assert clock.now() == server_time + 10
    assert not clock.correct(server_time + 10)


@pytest.mark.parametrize("server_time", [1_000_060.0, 1_000_000.0, 999_940.0])
def test_clock_that_is_right(server_time: float) -> None:
    """Up to a minute cannot be what OSS complains about: nothing is corrected."""
    clock = clock_at(1_000_000)
    assert not clock.correct(server_time)
    assert (clock.now(), clock.offset_seconds) == (1_000_000, 0)


def test_clock_can_be_corrected_again() -> None:
    """A correction replaces the one before, back to none if need be."""
    clock = clock_at(1_000_000)
    assert clock.correct(1_003_600)
    assert clock.correct(1_000_000)
    assert clock.offset_seconds == 0


def test_the_rest_is_oss2s() -> None:
    """What a caller of oss2 may ask besides, signed URLs with more headers or of streams, is answered by oss2."""
    bucket = OSSObjectClient(
        ClientSettings("http://127.0.0.1:1", Credentials("id", "secret"), "cn-hangzhou")
    ).buckets.get("exports")
    url = bucket.sign_url("GET", "key", 60, headers={"range": "bytes=0-1"}, additional_headers={"range"})
    assert "x-oss-additional-headers=range" in url
    v1 = ClientSettings("http://127.0.0.1:1", Credentials("id", "secret"), None, signature_version="v1")
    assert "Signature=" in OSSObjectClient(v1).buckets.get("exports").sign_rtmp_url("live", "list.m3u8", 60)
