"""The connection behind the hook: read late, kept secret, and tested from the UI."""

from __future__ import annotations

import gc
import json
import logging
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import oss2
import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException, redact

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.emulator import Fault, OSSEmulator, StsSession
from airflow_provider_oss.exceptions import OSSCredentialsExpired, OSSInvalidArgument, OSSInvalidConnection
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import ObjectRef
from tests.conftest import BUCKET, KEY_ID, KEY_SECRET, REGION, connection_json
from tests.hooks.conftest import IMPATIENT, MakeHook
from tests.support.secret_search import find

Connect = Callable[..., str]

SESSIONS = (
    StsSession("old-id", "old-secret", "old-token", expires_at=1.0),
    StsSession("new-id", "new-secret", "new-token"),
)


def test_connection_is_read_on_first_use(server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook can be made before its connection exists, and reads it once when it is needed."""
    hook = OSSHook("oss_late")
    monkeypatch.setenv("AIRFLOW_CONN_OSS_LATE", connection_json(server))
    hook.put_object("key", "data")

    monkeypatch.delenv("AIRFLOW_CONN_OSS_LATE")
    assert hook.object_exists("key")


def test_a_hook_that_nobody_holds_is_gone(connect: Connect) -> None:
    """A hook that made single calls goes with its last holder, and its connections with it: no cycle holds them."""
    hook = OSSHook(connect())
    assert not hook.with_new_credentials(partial(list, hook.list_objects("absent")))
    assert hook.bucket_exists()
    held = weakref.ref(hook)
    gc.disable()
    try:
        del hook
        assert held() is None
    finally:
        gc.enable()


def test_missing_connection() -> None:
    """A connection that does not exist is Airflow's own error."""
    with pytest.raises(AirflowNotFoundException, match="oss_absent"):
        OSSHook("oss_absent").head_object("key")


def test_wrong_connection(connect: Connect, server: OSSEmulator) -> None:
    """A connection that cannot work is an error before anything is sent."""
    hook = OSSHook(connect(extra={"regoin": "cn-hangzhou"}))
    with pytest.raises(OSSInvalidConnection, match="regoin"):
        hook.put_object("key", "data")
    assert not server.requests


def test_region_of_the_hook(connect: Connect) -> None:
    """The hook's region goes before the connection's."""
    hook = OSSHook(connect(extra={"region": "cn-beijing"}), region=f"oss-{REGION}")
    hook.put_object("key", "data")
    assert hook.settings.region == REGION


def test_bucket_of_the_call_the_hook_the_connection(connect: Connect) -> None:
    """The bucket is named by the key, the call, the hook or the connection, in this order."""
    hook = OSSHook(connect(), "other")
    assert hook.resolve("oss://third/a/b") == ObjectRef("third", "a/b")
    assert hook.resolve("a/b", "third") == ObjectRef("third", "a/b")
    assert hook.resolve("a/b") == ObjectRef("other", "a/b")
    assert OSSHook(connect()).resolve("a/b") == ObjectRef(BUCKET, "a/b")
    assert (hook.resolve_bucket("third"), hook.resolve_bucket(None)) == ("third", "other")


def test_no_bucket_anywhere(connect: Connect) -> None:
    """Without a bucket the error names every place where one can be given."""
    hook = OSSHook(connect(schema=""))
    with pytest.raises(OSSInvalidArgument, match=r"bucket_name.*schema"):
        hook.resolve("key")
    with pytest.raises(OSSInvalidArgument, match=r"bucket_name.*'oss_default'"):
        hook.get_conn()
    with pytest.raises(OSSInvalidArgument, match="bucket_name"):
        next(hook.list_objects())


def test_oss2_bucket(hook: OSSHook) -> None:
    """``get_conn`` gives the default bucket as oss2 knows it, for what the hook has no method for."""
    bucket = hook.get_conn()
    assert isinstance(bucket, oss2.Bucket)
    assert bucket.bucket_name == BUCKET
    bucket.put_object("key", b"data")
    assert hook.head_object("key").size_bytes == 4
    assert b"".join(bucket.get_object("key")) == b"data"


@pytest.mark.usefixtures("_masker_that_knows_nothing")
@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize("source", ["connection", "environment"])
def test_secrets_are_in_no_log(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, source: str, version: str
) -> None:
    """Secret and token, wherever they come from, are known to Airflow's masker and not logged in the first place."""
    secret, token = f"sEcReT+of/{source}={version}", f"tOkEn+of/{source}={version}"
    extra = {"region": REGION, "signature_version": version}
    if source == "connection":
        connect(password=secret, extra=extra | {"security_token": token})
    else:
        connect(login=None, password=None, extra=extra | {"credential_source": "environment"})
        monkeypatch.setenv("OSS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", secret)
        monkeypatch.setenv("OSS_SESSION_TOKEN", token)
    hook = OSSHook()
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(OSSCredentialsExpired):
            hook.put_object("key", "data")
        with pytest.raises(oss2.exceptions.ServerError):
            hook.get_conn().get_bucket_info()
        url = hook.sign_url("GET", "key", 60)

    assert redact(f"{secret} and {token}") == "*** and ***"
    assert "Start to get bucket info" in caplog.text
    parameters = parse_qs(urlsplit(url).query)
    [signature] = parameters["x-oss-signature" if version == "v4" else "Signature"]
    assert find({"secret": secret, "token": token, "signature": signature}, caplog.text) == set()


def test_environment_credentials_work(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``credential_source`` environment the hook uses the worker's own AccessKey."""
    connect(login=None, password=None, extra={"region": REGION, "credential_source": "environment"})
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY_SECRET)
    OSSHook().put_object("key", "data")


def test_connection_of_the_alibaba_provider_works(server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing connection of the alibaba provider's type is used as it is."""
    extra = {
        "auth_type": "AK",
        "access_key_id": KEY_ID,
        "access_key_secret": KEY_SECRET,
        "region": REGION,
        "endpoint": server.endpoint,
    }
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps({"conn_type": "oss", "schema": BUCKET, "extra": extra}))
    OSSHook().put_object("key", "data")
    assert OSSHook().head_object("key").size_bytes == 4


# New credentials


def temporary(number: int) -> dict[str, object]:
    """Return the fields of a connection with one of the server's temporary keys."""
    session = SESSIONS[number]
    return {
        "login": session.access_key_id,
        "password": session.access_key_secret,
        "extra": {"region": REGION, "security_token": session.security_token},
    }


def test_nothing_to_renew(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was not read, or that says what it said, has no new credentials."""
    hook = OSSHook(connect("oss_renewed"))
    assert not hook.renew_credentials()
    hook.put_object("key", "data")
    assert not hook.renew_credentials()
    monkeypatch.delenv("AIRFLOW_CONN_OSS_RENEWED")
    with pytest.raises(AirflowNotFoundException):
        hook.renew_credentials()


def test_password_of_a_proxy_is_masked(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """As it is written in the URL, and as the proxy is told it."""
    url = "http://user:pRoXy%2FpAsS@127.0.0.1:9"
    hook = OSSHook(connect(extra={"region": REGION, "proxies": {"https": url}}))
    hook.put_object("key", "data")
    assert redact("pRoXy%2FpAsS and pRoXy/pAsS") == "*** and ***"
    assert "pAsS" not in caplog.text


def test_credentials_are_renewed(sts_server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection's new credentials are used from now on, by clients that were made before too, and are masked."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **temporary(0)))
    hook = OSSHook()
    bucket = hook.get_conn()
    with pytest.raises(OSSCredentialsExpired):
        hook.object_exists("key")

    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **temporary(1)))
    assert hook.renew_credentials()
    assert not hook.object_exists("key")
    assert not bucket.object_exists("key")
    assert not hook.renew_credentials()
    assert redact(SESSIONS[1].access_key_secret) == "***"
    assert redact(SESSIONS[1].security_token) == "***"


@pytest.mark.parametrize("number", [0, 1])
def test_only_credentials_are_renewed(
    sts_server: OSSEmulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """That the connection now leads elsewhere is logged, field by field without values, and not acted upon."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **temporary(0)))
    hook = OSSHook()
    before = hook.settings
    fields: dict[str, Any] = temporary(number) | {"host": "http://elsewhere.invalid"}
    fields["extra"] |= {"proxies": {"http": "http://user:pAsSwOrD@proxy.invalid"}}
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **fields))

    assert hook.renew_credentials() == (number == 1)

    assert replace(hook.settings, credentials=before.credentials) == before
    assert "Connection 'oss_default' has another endpoint, proxies now" in caplog.text
    assert "elsewhere" not in caplog.text
    assert "pAsSwOrD" not in caplog.text


@pytest.mark.parametrize("way", ["put_object", "put_file", "upload_file"])
def test_upload_goes_on_with_new_credentials(
    sts_server: OSSEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    """Every way to store data reads the connection again when its token has expired, once, and succeeds."""
    data = bytes(300 * 1024)
    path = tmp_path / "dump.bin"
    path.write_bytes(data)
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **temporary(0)))
    hook = OSSHook()
    credentials = hook.settings.credentials
    assert isinstance(credentials, Credentials)
    assert credentials.access_key_id == SESSIONS[0].access_key_id
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(sts_server, **temporary(1)))

    if way == "put_object":
        hook.put_object("key", data)
    elif way == "put_file":
        hook.put_file("key", path)
    else:
        hook.upload_file("key", path, part_size=100 * 1024)

    assert hook.head_object("key").size_bytes == len(data)
    assert [request.status for request in sts_server.requests].count(403) == 1
    assert not list(hook.list_multipart_uploads())


def test_wrong_clock_costs_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose clock is 20 minutes off a call succeeds, repeated once; those that follow succeed at once."""
    with OSSEmulator(root=tmp_path / "off", buckets=(BUCKET,), clock=lambda: time.time() + 1200) as server:
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(server))
        hook = OSSHook()
        hook.retry = IMPATIENT
        hook.put_object("key", "data")
        assert hook.head_object("key").size_bytes == 4
        assert [(request.operation, request.status) for request in server.requests] == [
            ("PutObject", 403),
            ("PutObject", 200),
            ("HeadObject", 200),
        ]


# The Test button


@pytest.mark.parametrize(
    ("bucket", "text"),
    [
        (BUCKET, f"OSS accepts the AccessKey for bucket {BUCKET}"),
        ("", "OSS accepts the AccessKey; the connection has no default bucket, the account has 1"),
    ],
)
@pytest.mark.parametrize("offset_seconds", [1200, -86_400])
def test_button_on_a_machine_with_a_wrong_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: str, text: str, offset_seconds: int
) -> None:
    """A clock with which uploads go on is no failure of the connection; two requests tell."""
    clock = lambda: time.time() + offset_seconds  # noqa: E731 - as short as what it is given to
    with OSSEmulator(root=tmp_path / "off", buckets=(BUCKET,), clock=clock) as server:
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(server, schema=bucket))
        assert OSSHook().test_connection() == (True, text)
        assert [request.status for request in server.requests] == [403, 404 if bucket else 200]


def test_button_with_a_good_connection(hook: OSSHook, server: OSSEmulator) -> None:
    """A connection that works says so, and nothing is written."""
    assert hook.test_connection() == (True, f"OSS accepts the AccessKey for bucket {BUCKET}")
    assert {request.method for request in server.requests} == {"HEAD"}


def test_button_without_a_bucket(make_hook: MakeHook) -> None:
    """A connection without a bucket is tested by listing the account's."""
    works, text = make_hook(schema="").test_connection()
    assert works
    assert text == "OSS accepts the AccessKey; the connection has no default bucket, the account has 2"


@pytest.mark.parametrize("schema", [BUCKET, ""], ids=["bucket", "no bucket"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong-secret"}, "check the connection's password"),
        ({"login": "nobody"}, "check the connection's login"),
        ({"extra": {"region": REGION, "security_token": "made-up"}}, "security_token"),
        ({"extra": {"region": "cn-beijing"}}, "set region in the connection's extra to the endpoint's region"),
        ({"password": ""}, "password (AccessKey secret) is missing"),
    ],
    ids=["secret", "key id", "token", "region", "no secret"],
)
def test_button_with_a_wrong_connection(
    make_hook: MakeHook, schema: str, fields: dict[str, object], message: str
) -> None:
    """What is wrong with a connection is said, with the remedy and without the secret."""
    works, text = make_hook(schema=schema, **fields).test_connection()
    assert not works
    assert message in text
    assert "wrong-secret" not in text


def test_button_with_a_missing_bucket(make_hook: MakeHook) -> None:
    """A bucket that does not exist is a failure that names it."""
    works, text = make_hook(schema="absent-bucket").test_connection()
    assert not works
    assert "check the bucket's name" in text
    assert "absent-bucket" in text


@pytest.mark.parametrize("schema", [BUCKET, ""], ids=["bucket", "no bucket"])
def test_button_without_permission(make_hook: MakeHook, server: OSSEmulator, schema: str) -> None:
    """An AccessKey that is right but may not look is a success that says what it may not do."""
    server.faults.add(Fault(code="AccessDenied"))
    works, text = make_hook(schema=schema).test_connection()
    assert works
    assert text.startswith("OSS accepts the AccessKey; that it may upload is not proven")
    assert "0003-00000001" in text


@pytest.mark.parametrize("schema", [BUCKET, ""], ids=["bucket", "no bucket"])
def test_button_with_an_unreachable_endpoint(connect: Connect, schema: str) -> None:
    """An endpoint where nobody answers is a failure, and it is not waited for repetitions."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    works, text = OSSHook(connect(host=f"http://127.0.0.1:{port}", schema=schema)).test_connection()
    assert not works
    assert "no connection to OSS" in text


@pytest.fixture
def sts_server(tmp_path: Path) -> Iterator[OSSEmulator]:
    """A local OSS server that knows temporary AccessKeys."""
    with OSSEmulator(root=tmp_path / "sts", buckets=(BUCKET,), sts_sessions=SESSIONS) as emulator:
        yield emulator


@pytest.mark.parametrize(("token", "expected"), [("new-token", True), (None, False), ("another", False)])
def test_button_with_a_temporary_key(
    sts_server: OSSEmulator, monkeypatch: pytest.MonkeyPatch, token: str | None, *, expected: bool
) -> None:
    """A temporary AccessKey works with its token only."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_OSS_DEFAULT",
        connection_json(
            sts_server, login="new-id", password="new-secret", extra={"region": REGION, "security_token": token}
        ),
    )
    assert OSSHook().test_connection()[0] is expected
