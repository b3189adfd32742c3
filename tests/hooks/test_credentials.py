"""A hook whose connection names a source of credentials: long uploads outlive them, and the log knows none."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCredentialsExpired,
    OSSCredentialsRefused,
    OSSCredentialsUnavailable,
    OSSInvalidConnection,
    OSSNoSuchBucket,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION
from tests.hooks.conftest import MakeHook
from tests.hooks.support import read
from tests.support.credential_services import METADATA, Bank, of_text, serve_metadata, serve_uri
from tests.support.secret_search import find
from tests.support.web_server import WebServer, in_turn

PARALLEL = 3
PARTS = 24
PART = 100 * KIB


@pytest.fixture
def bank(server: OSSEmulator) -> Bank:
    """Sessions that the local OSS server knows."""
    return Bank(register=server.add_sts_session)


@pytest.fixture
def by_uri(make_hook: MakeHook, web: WebServer, bank: Bank) -> OSSHook:
    """A hook whose connection names a credentials URI."""
    return make_hook(**from_source("credentials_uri", credentials_uri=serve_uri(web, bank)))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of many parts."""
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * (PARTS * PART // 256))
    return path


def from_source(source: str, **extra: Any) -> dict[str, Any]:
    """Return a connection's fields that name the source."""
    return {
        "login": None,
        "password": None,
        "extra": {"region": REGION, "credential_source": source, **extra},
    }


def upload(hook: OSSHook, file: Path) -> Any:
    result = hook.upload_file("large", file, part_size=PART, parallel=PARALLEL)
    assert read(hook, "large") == file.read_bytes()
    assert not list(hook.list_multipart_uploads())
    return result


def part_statuses(server: OSSEmulator) -> Counter[tuple[int | None, int | None]]:
    return Counter((one.part_number, one.status) for one in server.requests if one.operation == "UploadPart")


def test_instance_role(
    make_hook: MakeHook, web: WebServer, bank: Bank, monkeypatch: pytest.MonkeyPatch, server: OSSEmulator
) -> None:
    """What the metadata service gives is what requests are signed with: uploads, oss2's calls and presigned URLs."""
    serve_metadata(web, bank)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    hook = make_hook(**from_source("ecs_ram_role", role_name="WorkerRole"))
    hook.put_object("key", "data")
    assert read(hook, "key") == b"data"
    assert hook.get_conn().object_exists("key")
    assert "STS.number1" in hook.sign_url("GET", "key", 60)
    assert len(bank.sessions) == 1
    assert {request.status for request in server.requests} == {200}


def test_assume_role_needs_no_other_field(make_hook: MakeHook) -> None:
    """A field that belongs to another source is an error before anybody is asked."""
    hook = make_hook(extra={"region": REGION, "role_arn": "acs:ram::1:role/x"})
    with pytest.raises(OSSInvalidConnection, match=r"role_arn is given.*'static': clear it.*'oidc_role' or 'assume"):
        hook.put_object("key", "data")


@pytest.mark.parametrize("way", ["parts", "stream"])
def test_upload_that_outlives_its_credentials(
    by_uri: OSSHook, server: OSSEmulator, bank: Bank, large: Path, way: str
) -> None:
    """Credentials that expire in a long upload are renewed in time, however often: nothing is refused or sent twice."""
    bank.lifetime_seconds = 4.0
    server.faults.add(Fault(operation="UploadPart", latency_seconds=1.0))
    if way == "parts":
        upload(by_uri, large)
    else:
        chunks = iter(large.read_bytes()[at : at + PART] for at in range(0, PARTS * PART, PART))
        by_uri.upload_stream("large", chunks, part_size=PART, parallel=PARALLEL)

    assert time.time() > (bank.sessions[0].expires_at or 0)
    assert len(bank.sessions) >= 2
    assert {request.status for request in server.requests} == {200}
    assert set(part_statuses(server).values()) == {1}


def test_oss_refuses_them_early(by_uri: OSSHook, server: OSSEmulator, bank: Bank, large: Path) -> None:
    """A token that OSS takes for expired, whatever its source says, costs at most the parts in flight."""
    server.faults.add(
        Fault(operation="UploadPart", skip=8, times=PARALLEL + 1, status=403, code="SecurityTokenExpired")
    )
    result = upload(by_uri, large)

    statuses = part_statuses(server)
    assert {number: count for (number, status), count in statuses.items() if status == 200} == dict.fromkeys(
        range(1, PARTS + 1), 1
    )
    assert 1 <= sum(count for (_, status), count in statuses.items() if status == 403) <= PARALLEL + 1
    assert 2 <= len(bank.sessions) <= 1 + PARALLEL + 1
    assert result.attempts == 1


def test_source_that_is_out_of_order_for_a_while(
    by_uri: OSSHook, server: OSSEmulator, web: WebServer, bank: Bank, large: Path
) -> None:
    """A renewal that has to be made and fails is repeated as a call of OSS is; the upload goes on."""
    give = web.pages["/credentials"]
    busy = lambda _: of_text(503, "")  # noqa: E731 - one of the answers
    web.pages["/credentials"] = in_turn(give, busy, busy, give)
    server.faults.add(Fault(operation="UploadPart", skip=8, times=1, status=403, code="SecurityTokenExpired"))
    upload(by_uri, large)
    assert [session.access_key_id for session in bank.sessions] == ["STS.number1", "STS.number2"]


def test_source_that_stays_out_of_order(by_uri: OSSHook, server: OSSEmulator, web: WebServer) -> None:
    """After the usual tries the attempt fails with the source's error, transient, and OSS was sent nothing."""
    web.pages["/credentials"] = lambda _: of_text(503, "")
    with pytest.raises(OSSCredentialsUnavailable, match=r"credentials_uri.*HTTP status 503; given up after 3 tries"):
        by_uri.put_object("key", "data")
    assert len(web.requests) == 3
    assert not server.requests


def test_source_that_refuses(by_uri: OSSHook, web: WebServer) -> None:
    """A source that has no credentials for this worker is asked once."""
    web.pages.clear()
    with pytest.raises(OSSCredentialsRefused, match="HTTP status 404"):
        by_uri.put_object("key", "data")
    assert len(web.requests) == 1


def test_reading_asks_anew_after_a_refusal(by_uri: OSSHook, server: OSSEmulator, bank: Bank) -> None:
    """What reads is not repeated; but the call after a refused one is signed with others."""
    by_uri.put_object("key", "data")
    server.faults.add(Fault(operation="GetObject", times=1, status=403, code="SecurityTokenExpired"))
    with pytest.raises(OSSCredentialsExpired):
        read(by_uri, "key")
    assert read(by_uri, "key") == b"data"
    assert len(bank.sessions) == 2


@pytest.mark.parametrize(
    ("ask", "code", "is_accepted"),
    [
        (lambda hook: hook.object_exists("absent"), None, True),
        (lambda hook: hook._client.bucket_info(BUCKET), None, True),
        (lambda hook: hook._client.bucket_info("absent-bucket"), None, True),
        (lambda hook: hook.object_exists("absent"), "AccessDenied", False),
        (lambda hook: hook._client.bucket_info(BUCKET), "AccessDenied", False),
    ],
    ids=["not found", "found", "no bucket", "denied", "denied bucket"],
)
def test_answers_that_prove_a_renewal(
    by_uri: OSSHook, server: OSSEmulator, ask: Callable[[OSSHook], object], code: str | None, *, is_accepted: bool
) -> None:
    """Whatever OSS answers but a refusal, it found the signature good: a later renewal is not one more in vain."""
    renewed = []
    for _ in range(4):
        server.faults.add(Fault(operation="HeadObject", times=1, status=403, code="SecurityTokenExpired"))
        with pytest.raises(OSSCredentialsExpired):
            by_uri.object_exists("absent")
        renewed.append(by_uri.renew_credentials())
        if code is not None:
            server.faults.add(Fault(times=1, status=403, code=code))
        with suppress(OSSNoSuchBucket, OSSAccessDenied):
            ask(by_uri)
    assert all(renewed) == is_accepted


def test_connection_that_names_another_source(
    by_uri: OSSHook, web: WebServer, bank: Bank, make_hook: MakeHook, server: OSSEmulator
) -> None:
    """The connection is read again when OSS refuses: it may have an AccessKey now, or another source."""
    by_uri.put_object("key", "data")
    make_hook(**from_source("credentials_uri", credentials_uri=serve_uri(web, bank, "/others")))
    assert by_uri.renew_credentials()
    by_uri.put_object("key", "data")
    assert [request.path for request in web.requests] == ["/credentials", "/others"]

    make_hook(login=KEY_ID, password=KEY_SECRET)
    assert by_uri.renew_credentials()
    by_uri.put_object("key", "data")
    assert len(web.requests) == 2
    assert {request.status for request in server.requests} == {200}


@pytest.mark.usefixtures("_masker_that_knows_nothing")
def test_secrets_of_a_source_are_in_no_log(
    by_uri: OSSHook, server: OSSEmulator, bank: Bank, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every secret and token that came is known to Airflow's masker, and was not logged in the first place."""
    caplog.set_level(logging.DEBUG)
    server.faults.add(Fault(operation="UploadPart", skip=8, times=1, status=403, code="SecurityTokenExpired"))
    upload(by_uri, large)
    by_uri.head_object("large")

    assert len(bank.sessions) == 2
    assert [redact(secret) for secret in bank.secrets.values()] == ["***"] * 4
    assert find(bank.secrets, caplog.text) == set()
    assert "Signing with AccessKey STS.number2 of credentials_uri" in caplog.text


# The Test button


def test_button_tells_whose_key_it_is(by_uri: OSSHook, web: WebServer) -> None:
    """The answer names the AccessKey and its source."""
    works, text = by_uri.test_connection()
    assert (works, text) == (
        True,
        f"OSS accepts AccessKey STS.number1 of credentials_uri ({web.url}/credentials) for bucket {BUCKET}",
    )


def test_button_when_oss_refuses_the_key(by_uri: OSSHook, server: OSSEmulator, bank: Bank) -> None:
    """A source may give a key that OSS does not take: both are named."""
    bank.register = lambda _: None
    works, text = by_uri.test_connection()
    assert not works
    assert "OSS does not accept AccessKey STS.number1 of credentials_uri" in text
    assert {request.status for request in server.requests} == {403}


def test_button_when_the_token_is_unknown(by_uri: OSSHook, server: OSSEmulator) -> None:
    """So for a token that OSS does not know."""
    server.faults.add(Fault(status=403, code="InvalidSecurityToken"))
    works, text = by_uri.test_connection()
    assert not works
    assert "OSS does not accept AccessKey STS.number1 of credentials_uri" in text


def test_button_when_the_source_gives_none(
    make_hook: MakeHook, web: WebServer, bank: Bank, monkeypatch: pytest.MonkeyPatch, server: OSSEmulator
) -> None:
    """Which source was asked and what it answered is said; OSS is not asked."""
    serve_metadata(web, bank)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    works, text = make_hook(**from_source("ecs_ram_role", role_name="OtherRole")).test_connection()
    assert not works
    assert text == ("ecs_ram_role (OtherRole): HTTP status 404; no RAM role of this name is attached to this instance")
    assert f"{METADATA}OtherRole" in {request.path for request in web.requests}
    assert not server.requests
