"""Signed URLs, used as their holder would: without credentials, by another program."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest

from airflow_provider_oss.emulator import OSSEmulator, StsSession
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.hooks.oss import OSSHook
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION, connection_json
from tests.hooks.conftest import MakeHook

SESSION = StsSession("sts-id", "sts-secret", "sts-token")
CREDENTIALS = {
    "static": (KEY_ID, KEY_SECRET, None),
    "temporary": (SESSION.access_key_id, SESSION.access_key_secret, SESSION.security_token),
}


class Clock:
    """The server's clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A local OSS server that knows a temporary AccessKey."""
    with OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET,), sts_sessions=(SESSION,)) as emulator:
        yield emulator


@pytest.fixture(params=["v1", "v4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=CREDENTIALS)
def hook(make_hook: MakeHook, version: str, request: pytest.FixtureRequest) -> OSSHook:
    """A hook of each signature version, with each kind of credentials."""
    login, password, token = CREDENTIALS[request.param]
    extra = {"region": REGION, "signature_version": version, "security_token": token}
    return make_hook(login=login, password=password, extra=extra)


def use(url: str, method: str = "GET", data: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)  # noqa: S310 - the local server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def refused(url: str, method: str = "GET", data: bytes | None = None, headers: Mapping[str, str] | None = None) -> int:
    """Return the status with which OSS refuses the URL."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        use(url, method, data, headers)
    caught.value.close()
    return caught.value.code


def test_reading(hook: OSSHook) -> None:
    """A URL for GET gives the object to whoever has it, and shows no secret."""
    hook.put_object("a/b c+d.csv", "data")
    url = hook.sign_url("get", "a/b c+d.csv", 60)
    assert use(url) == b"data"
    assert refused(url, "DELETE") == 403
    assert refused(url.replace("csv", "txt")) == 403
    for secret in (KEY_SECRET, SESSION.access_key_secret):
        assert secret not in url


def test_writing(hook: OSSHook) -> None:
    """A URL for PUT takes an object, with exactly the headers that were signed."""
    headers = {"Content-Type": "text/csv", "x-oss-meta-kind": "export"}
    url = hook.sign_url("PUT", "key", 60, headers=headers)
    use(url, "PUT", b"data", headers)

    found = hook.head_object("key")
    assert (found.size_bytes, found.content_type, found.meta) == (4, "text/csv", {"kind": "export"})
    assert refused(url, "PUT", b"data", headers | {"Content-Type": "text/html"}) == 403


def test_answer_headers(hook: OSSHook) -> None:
    """Parameters of the URL are signed with it and change the answer's headers."""
    hook.put_object("key", "data")
    url = hook.sign_url("GET", "key", 60, params={"response-content-disposition": 'attachment; filename="a b.csv"'})
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the local server
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a b.csv"'
    assert refused(url.replace("attachment", "inline")) == 403


def test_other_bucket(hook: OSSHook) -> None:
    """The bucket may be named apart or in the key."""
    url = hook.sign_url("GET", f"oss://{BUCKET}/key", 60)
    assert f"/{BUCKET}/key?" in url
    assert "/other/key?" in hook.sign_url("GET", "key", 60, "other")


@pytest.mark.parametrize(
    "expires", [90, 90.9, timedelta(seconds=90), pendulum.duration(minutes=1, seconds=30)], ids=repr
)
def test_expiry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, expires: float) -> None:
    """A URL lives as long as was said, in seconds, timedelta or pendulum Duration, and not longer."""
    clock = Clock()
    with OSSEmulator(root=tmp_path / "oss", buckets=(BUCKET,), clock=clock) as emulator:
        extra = {"region": REGION, "signature_version": version}
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(emulator, extra=extra))
        url = OSSHook().sign_url("GET", "key", expires)

        clock.ahead_seconds = 70
        assert refused(url) == 404
        clock.ahead_seconds = 91
        assert refused(url) == 403


@pytest.mark.parametrize("expires", [0, -1, 0.5, timedelta(0), timedelta(days=-1), pendulum.duration(seconds=-5)])
def test_expiry_in_the_past(hook: OSSHook, expires: float) -> None:
    """A URL that would have expired already is refused."""
    with pytest.raises(OSSInvalidArgument, match="not in the future"):
        hook.sign_url("GET", "key", expires)


def test_longest_expiry(make_hook: MakeHook) -> None:
    """A V4 URL may live 7 days and not longer; a V1 URL may."""
    week, longer = timedelta(days=7), pendulum.duration(days=7, seconds=1)
    v4 = make_hook()
    assert v4.sign_url("GET", "key", week)
    with pytest.raises(OSSInvalidArgument, match="7 days"):
        v4.sign_url("GET", "key", longer)
    v1 = make_hook(extra={"signature_version": "v1"})
    v1.put_object("key", "data")
    assert use(v1.sign_url("GET", "key", longer)) == b"data"


def test_nothing_is_sent(hook: OSSHook, server: OSSEmulator) -> None:
    """Signing is done here; OSS is not asked."""
    hook.sign_url("GET", "absent", 60)
    assert not server.requests
