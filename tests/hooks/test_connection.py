"""An Airflow connection to settings: every field, both connection types, and errors that name a field and no secret."""

from __future__ import annotations

import json
import traceback
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidConnection
from airflow_provider_oss.hooks.connection import to_client_settings
from tests.hooks.support import Connection, connection_of_uri

HANGZHOU = "https://oss-cn-hangzhou.aliyuncs.com"
MARKER = "hIdDeN-mArKeR"
STATIC = Credentials("LTAI-id", "the-secret")


def connection(**fields: Any) -> Connection:
    """Return a connection of our type with login, password and a standard endpoint; ``fields`` go before these."""
    usual: dict[str, Any] = {
        "conn_type": "aliyun_oss",
        "login": STATIC.access_key_id,
        "password": STATIC.access_key_secret,
        "host": "oss-cn-hangzhou.aliyuncs.com",
    }
    return Connection.from_json(json.dumps(usual | fields), conn_id="oss_default")


def with_extra(**extra: Any) -> Connection:
    return connection(extra=extra)


def settings_of(
    given_connection: Connection, region: str | None = None, environment: dict[str, str] | None = None
) -> ClientSettings:
    return to_client_settings(given_connection, region, environment or {})


FULL_EXTRA = {
    "region": "cn-shanghai",
    "security_token": "the-token",
    "signature_version": "v1",
    "addressing_style": "path",
    "connect_timeout": 1.5,
    "read_timeout": 90,
    "verify": False,
    "proxies": {"http": "http://proxy:3128", "https": "http://user:pw@proxy:3128"},
    "credential_source": "static",
}
FULL_SETTINGS = ClientSettings(
    endpoint="http://127.0.0.1:9000",
    credentials=Credentials("LTAI-id", "the-secret", "the-token"),
    region="cn-shanghai",
    signature_version="v1",
    addressing_style="path",
    connect_timeout_seconds=1.5,
    read_timeout_seconds=90,
    verify=False,
    proxies={"http": "http://proxy:3128", "https": "http://user:pw@proxy:3128"},
    default_bucket="exports",
)


def test_least_that_is_needed() -> None:
    """Login, password and a standard endpoint are enough: V4, the endpoint's region, sane timeouts, TLS checked."""
    assert settings_of(connection()) == ClientSettings(
        endpoint=HANGZHOU,
        credentials=STATIC,
        region="cn-hangzhou",
        signature_version="v4",
        addressing_style="auto",
        connect_timeout_seconds=10.0,
        read_timeout_seconds=60.0,
        verify=True,
        proxies={},
        default_bucket=None,
    )


def test_every_field_as_json() -> None:
    """Every field of a connection that is defined as JSON is used."""
    full = connection(host="http://127.0.0.1", port=9000, schema="exports", extra=FULL_EXTRA)
    assert settings_of(full) == FULL_SETTINGS


def test_every_field_as_uri() -> None:
    """A connection that is defined as a URI, where every extra is text, means the same as JSON."""
    extra = {name: value if isinstance(value, str) else json.dumps(value) for name, value in FULL_EXTRA.items()}
    uri = f"aliyun-oss://http://LTAI-id:the-secret@127.0.0.1:9000/exports?{urlencode(extra)}"
    assert settings_of(connection_of_uri(uri)) == FULL_SETTINGS


def test_uri_that_airflow_writes() -> None:
    """A connection survives being written as a URI by Airflow and read again."""
    secret = "a/b+c=d&e%f?g"
    original = connection(password=secret, schema="exports", extra={"region": "cn-beijing", "read_timeout": 5})
    again = connection_of_uri(original.get_uri())
    assert settings_of(again) == settings_of(original)
    assert settings_of(again).credentials == Credentials(STATIC.access_key_id, secret)


@pytest.mark.parametrize(
    ("name", "text", "field", "expected"),
    [
        ("verify", "true", "verify", True),
        ("verify", "False", "verify", False),
        ("verify", "/etc/ssl/authority.pem", "verify", "/etc/ssl/authority.pem"),
        ("connect_timeout", "3", "connect_timeout_seconds", 3),
        ("read_timeout", "0.25", "read_timeout_seconds", 0.25),
        ("proxies", '{"https": "http://p:1"}', "proxies", {"https": "http://p:1"}),
        ("region", "oss-cn-hangzhou", "region", "cn-hangzhou"),
        ("region", "cn-beijing", "region", "cn-beijing"),
    ],
)
def test_text_for_what_is_no_text(name: str, text: str, field: str, expected: object) -> None:
    """Form fields and URIs give numbers, booleans and objects as text, and they are what they say."""
    assert getattr(settings_of(with_extra(**{name: text})), field) == expected


@pytest.mark.parametrize("empty", [None, "", {}])
def test_empty_form_fields_are_not_given(empty: object) -> None:
    """A field that the form leaves empty has its default."""
    extra = dict.fromkeys(FULL_EXTRA, empty)
    assert settings_of(connection(extra=extra, schema="", port=None)) == settings_of(connection())


def test_names_of_the_form() -> None:
    """Airflow 2.11 sends what is tested in the form under long names, beside the short ones, and both are one field."""
    extra = {"region": "cn-beijing", "read_timeout": "5"}
    long = {f"extra__aliyun_oss__{name}": value for name, value in extra.items()}
    assert settings_of(connection(extra=extra | long)) == settings_of(connection(extra=extra))
    with pytest.raises(OSSInvalidConnection, match="unknown fields: regoin"):
        settings_of(connection(extra={"extra__aliyun_oss__regoin": "cn-beijing"}))


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("https://oss-cn-hangzhou.aliyuncs.com/", "cn-hangzhou"),
        ("http://oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"),
        ("OSS-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("oss-us-west-1-internal.aliyuncs.com", "us-west-1"),
        ("oss-ap-southeast-1.aliyuncs.com", "ap-southeast-1"),
        ("oss-cn-shenzhen-finance-1-internal.aliyuncs.com", "cn-shenzhen-finance-1"),
        ("oss-rg-china-mainland.aliyuncs.com", "rg-china-mainland"),
        ("cn-hangzhou.oss.aliyuncs.com", "cn-hangzhou"),
        ("cn-hangzhou-internal.oss.aliyuncs.com", "cn-hangzhou"),
    ],
)
def test_region_of_a_standard_endpoint(host: str, region: str) -> None:
    """The region follows from a standard endpoint: public, internal, finance, dual stack."""
    assert settings_of(connection(host=host)).region == region


@pytest.mark.parametrize(
    "host",
    [
        "oss-accelerate.aliyuncs.com",
        "oss-accelerate-overseas.aliyuncs.com",
        "http://127.0.0.1:9000",
        "files.example.com",
        "aliyuncs.com",
    ],
)
def test_endpoint_without_a_region(host: str) -> None:
    """Where the region does not follow from the endpoint V4 needs it told; V1 does without."""
    with pytest.raises(OSSInvalidConnection, match=r"'oss_default': extra field region is missing.*cn-hangzhou"):
        settings_of(connection(host=host))

    assert settings_of(connection(host=host, extra={"region": "cn-hangzhou"})).region == "cn-hangzhou"
    assert settings_of(connection(host=host, extra={"signature_version": "v1"})).region is None
    assert settings_of(connection(host=host), region="cn-beijing").region == "cn-beijing"


def test_endpoint_follows_from_the_region() -> None:
    """Without a host the region's public endpoint is used; without both nothing can be."""
    assert settings_of(connection(host="", extra={"region": "cn-beijing"})).endpoint == (
        "https://oss-cn-beijing.aliyuncs.com"
    )
    with pytest.raises(OSSInvalidConnection, match=r"host .* and region are missing"):
        settings_of(connection(host=""))


@pytest.mark.parametrize("region", ["cn-shanghai", "oss-cn-shanghai"])
def test_region_argument_goes_before(region: str) -> None:
    """The caller's region goes before the connection's and the endpoint's, in either spelling."""
    assert settings_of(with_extra(region="cn-beijing"), region=region).region == "cn-shanghai"
    assert settings_of(connection(), region=region).region == "cn-shanghai"
    assert settings_of(connection(host=""), region=region).endpoint == "https://oss-cn-shanghai.aliyuncs.com"


@pytest.mark.parametrize("region", ["Hangzhou", "cn-hangzhou\n", "cn-hangzhou/x"])
def test_region_that_is_none(region: str) -> None:
    """A region goes into what is signed: whoever gives it, it has to look like one."""
    for given_connection in (connection(), alibaba(ALIBABA_EXTRA)):
        with pytest.raises(OSSInvalidConnection, match=r"region=.* is no region: give one such as cn-hangzhou"):
            settings_of(given_connection, region=region)


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("http://127.0.0.1", 9000, "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000", None, "http://127.0.0.1:9000"),
        ("https://storage.internal/", None, "https://storage.internal"),
        ("storage.internal", 8443, "https://storage.internal:8443"),
        ("storage.internal", 443, "https://storage.internal"),
        ("storage.internal", 80, "https://storage.internal:80"),
        ("http://127.0.0.1", 80, "http://127.0.0.1"),
        ("http://127.0.0.1", 0, "http://127.0.0.1"),
        ("http://127.0.0.1:38361", 38361, "http://127.0.0.1:38361"),
        ("127.0.0.1:38361/", 38361, "https://127.0.0.1:38361"),
        ("storage.internal:8443", 443, "https://storage.internal:8443"),
        ("http://storage.internal:443", 443, "http://storage.internal:443"),
        ("http://[::1]:9000", None, "http://[::1]:9000"),
        ("http://[::1]:9000", 9000, "http://[::1]:9000"),
        ("http://[::1]", 9000, "http://[::1]:9000"),
        ("[2001:DB8::1]", None, "https://[2001:DB8::1]"),
        ("::1", 9000, "https://[::1]:9000"),
        ("http://::1", 9000, "http://[::1]:9000"),
    ],
)
def test_endpoints(host: str, port: int | None, expected: str) -> None:
    """
    An endpoint has a scheme, https unless it is given, and may have a port of its own or the connection's.

    The scheme's own port is left out, and so is the 0 that Airflow's Test button sends for no port. The same port
    twice is one. An IPv6 address may lack its brackets, as it does where it comes out of a URI.
    """
    found = settings_of(connection(host=host, port=port, extra={"region": "cn-hangzhou"}))
    assert found.endpoint == expected


@pytest.mark.parametrize(
    "host",
    [
        "oss-cn-hangzhou.aliyuncs.com/exports",
        "https://oss-cn-hangzhou.aliyuncs.com/a/b",
        "ftp://oss-cn-hangzhou.aliyuncs.com",
        "https://",
        "two words",
        "host:port",
        "host?query",
        "oss://exports/key",
        "http://[::1",
        "http://[:::1]:9000",
        "http://[127.0.0.1]:9000",
        "http://[fe80::1%eth0]:9000",
        "http://::1:9000:9000:9000:1:2:3:4:5",
    ],
)
def test_host_that_is_no_endpoint(host: str) -> None:
    """A host with a bucket, a path, or anything else that no endpoint has is refused, and the message shows one."""
    with pytest.raises(OSSInvalidConnection, match=r"is no endpoint: .*oss-cn-hangzhou\.aliyuncs\.com"):
        settings_of(connection(host=host))


@pytest.mark.parametrize(
    "endpoint",
    ["oss-cn-hangzhou.aliyuncs.com", "oss-accelerate.aliyuncs.com", "cn-hangzhou-internal.oss.aliyuncs.com"],
)
def test_host_with_the_bucket(endpoint: str) -> None:
    """The domain that a bucket has at a standard endpoint is told apart, and may be used as what it is."""
    said = f"has the bucket before it: give {endpoint}, and exports as schema"
    for wrong in (
        connection(host=f"exports.{endpoint}"),
        alibaba(ALIBABA_EXTRA | {"endpoint": f"https://exports.{endpoint}"}),
    ):
        with pytest.raises(OSSInvalidConnection, match=said):
            settings_of(wrong)
    extra = {"addressing_style": "cname", "region": "cn-hangzhou"}
    assert settings_of(connection(host=f"exports.{endpoint}", extra=extra)).endpoint == f"https://exports.{endpoint}"


@pytest.mark.parametrize(("host", "port"), [("http://127.0.0.1:38361", 9000), ("http://[::1]:38361", 9000)])
def test_two_ports(host: str, port: int) -> None:
    """A port in the host and another one beside it are two answers to one question."""
    with pytest.raises(
        OSSInvalidConnection, match=r"the port is given twice: host has 38361, port is 9000; leave one of them out"
    ):
        settings_of(connection(host=host, port=port, extra={"region": "cn-hangzhou"}))


def test_uri_with_an_ipv6_address() -> None:
    """A connection that is defined as a URI may have an IPv6 address."""
    uri = "aliyun-oss://http://LTAI-id:the-secret@[::1]:9000/exports?region=cn-hangzhou"
    assert settings_of(connection_of_uri(uri)).endpoint == "http://[::1]:9000"


@pytest.mark.parametrize(
    ("host", "port"), [("[::1]:99999", None), ("127.0.0.1:99999", None), ("127.0.0.1", 99999), ("127.0.0.1:0", None)]
)
def test_port_that_is_none(host: str, port: int | None) -> None:
    """A port has its limits."""
    with pytest.raises(OSSInvalidConnection, match="has a port that is none: give one from 1 to 65535"):
        settings_of(connection(host=host, port=port))


@pytest.mark.parametrize("schema", ["Exports", "ab", "exports/2026", "oss://exports"])
def test_default_bucket_that_is_none(schema: str) -> None:
    """A default bucket that no bucket can be is refused when the connection is read."""
    for wrong in (connection(schema=schema), alibaba(ALIBABA_EXTRA, schema=schema)):
        with pytest.raises(
            OSSInvalidConnection, match=r"'oss_default': schema \(default bucket\): .* is not a name OSS"
        ):
            settings_of(wrong)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"regoin": "cn-hangzhou"}, "unknown fields: regoin; known are region, credential_source"),
        ({"b": 1, "a": 2}, "unknown fields: a, b"),
        ({"region": "Hangzhou!"}, "extra field region='Hangzhou!' is not allowed"),
        ({"region": 7}, "extra field region=7"),
        ({"signature_version": "v2"}, "extra field signature_version='v2' .*v1.*v4"),
        ({"addressing_style": "PATH"}, "extra field addressing_style='PATH'"),
        ({"connect_timeout": 0}, "extra field connect_timeout=0"),
        ({"read_timeout": "soon"}, "extra field read_timeout='soon'"),
        ({"read_timeout": True}, "extra field read_timeout=True"),
        ({"read_timeout": 4000}, "extra field read_timeout=4000 .*3600"),
        ({"verify": 1}, "extra field verify=1"),
        ({"verify": "null"}, "extra field verify=None"),
        ({"proxies": "http://proxy"}, "extra field proxies is not allowed"),
        ({"proxies": {"ftp": "http://proxy"}}, "extra field proxies is not allowed"),
        ({"proxies": {"http": "proxy:3128"}}, "extra field proxies is not allowed"),
        ({"credential_source": "vault"}, "extra field credential_source='vault'"),
        ({"security_token": 5}, "extra field security_token is not allowed"),
    ],
)
def test_wrong_extras(extra: dict[str, Any], message: str) -> None:
    """An extra that is unknown or wrong is refused by name, with its value where that is no secret, and the rule."""
    with pytest.raises(OSSInvalidConnection, match=message) as caught:
        settings_of(connection(extra=extra))
    assert "'oss_default'" in str(caught.value)
    assert isinstance(caught.value, OSSInvalidArgument)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hid/den@proxy:3128",
        "http://user:hid#den@proxy:3128",
        "http://user:12?hidden@proxy:3128",
        "http://user:12#hidden@proxy:3128",
        "http://user:hidden@proxy:99999",
        "http://user:hidden@",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_is_none(url: str, scheme: str) -> None:
    """A proxy's URL is understood when the connection is read; else nothing of it is shown."""
    with pytest.raises(OSSInvalidConnection, match=r"proxies: the URL .*; percent-encode its password") as caught:
        settings_of(with_extra(proxies={scheme: url}))
    assert f"extra field proxies: the URL for {scheme!r} is no http(s)://host:port" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert not any(part in shown.replace("test_proxy_that_is_none", "") for part in ("hid", "den", "user"))


@pytest.mark.parametrize("extra", ["[1, 2]", '"text"', "5"])
@pytest.mark.filterwarnings("ignore:Encountered JSON value in .extra.")  # of Airflow 2
def test_extra_that_is_no_object(extra: str) -> None:
    """An extra that is JSON but no object is an error of the connection."""
    with pytest.raises((OSSInvalidConnection, ValueError), match="extra"):  # Airflow 3.0 itself takes no such one
        settings_of(connection(extra=extra))


@pytest.mark.parametrize(
    ("field", "message"), [("login", r"login \(AccessKey ID\)"), ("password", r"password \(AccessKey secret\)")]
)
def test_missing_credentials(field: str, message: str) -> None:
    """A connection without an AccessKey says which half is missing."""
    with pytest.raises(OSSInvalidConnection, match=f"{message} is missing"):
        settings_of(connection(**{field: ""}))


@pytest.mark.parametrize(
    ("prefix_id", "prefix_secret", "prefix_token"),
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
        ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
    ],
)
def test_credentials_of_the_environment(prefix_id: str, prefix_secret: str, prefix_token: str) -> None:
    """Credentials come from the worker's environment under either SDK's names, with a token if there is one."""
    from_environment = connection(login="", password="", extra={"credential_source": "environment"})
    pair = {prefix_id: "env-id", prefix_secret: "env-secret"}

    assert settings_of(from_environment, environment=pair).credentials == Credentials("env-id", "env-secret")
    with_token = settings_of(from_environment, environment=pair | {prefix_token: "env-token"})
    assert with_token.credentials == Credentials("env-id", "env-secret", "env-token")
    without_token = settings_of(from_environment, environment=pair | {prefix_token: ""})
    assert without_token.credentials == Credentials("env-id", "env-secret", None)


@pytest.mark.parametrize("environment", [{}, {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env-id"}, {"OSS_ACCESS_KEY_SECRET": "x"}])
def test_environment_without_credentials(environment: dict[str, str]) -> None:
    """An environment that has no whole pair is an error that names both pairs; no half is mixed with another."""
    from_environment = connection(login="", extra={"credential_source": "environment"})
    with pytest.raises(OSSInvalidConnection, match=r"ALIBABA_CLOUD_ACCESS_KEY_ID and .* or OSS_ACCESS_KEY_ID and"):
        settings_of(from_environment, environment=environment)


def test_environment_is_only_read_when_it_is_asked_for() -> None:
    """Credentials in the environment never replace those of the connection by themselves."""
    environment = {"OSS_ACCESS_KEY_ID": "env-id", "OSS_ACCESS_KEY_SECRET": "env-secret"}
    assert settings_of(connection(), environment=environment).credentials == STATIC
    with pytest.raises(OSSInvalidConnection, match="login"):
        settings_of(connection(login=""), environment=environment)


# Nothing secret in a message

SECRETS = st.sampled_from([MARKER, f"{MARKER}\n", f"/{MARKER}", f"http://{MARKER}@proxy", MARKER * 20])
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12), SECRETS)
SECRET_EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "security_token": st.one_of(SECRETS, st.lists(SECRETS), st.dictionaries(SECRETS, SECRETS)),
        "proxies": st.one_of(SECRETS, st.dictionaries(st.sampled_from(["http", "ftp"]), SECRETS), st.lists(SECRETS)),
        "access_key_secret": SECRETS,
        "access_key_id": st.one_of(st.none(), st.just("LTAI-id")),
        "auth_type": st.sampled_from(["AK", "STS", ""]),
        "password": SECRETS,
        "region": st.sampled_from(["cn-hangzhou", "BAD", "", 7]),
        "signature_version": st.sampled_from(["v4", "v9"]),
        "credential_source": st.sampled_from(["static", "environment", "?"]),
        "read_timeout": st.sampled_from([1, "x"]),
    },
)


@given(
    conn_type=st.sampled_from(["aliyun_oss", "oss"]),
    login=st.sampled_from(["", "LTAI-id"]),
    password=st.one_of(st.just(""), SECRETS),
    host=st.sampled_from(["", "oss-cn-hangzhou.aliyuncs.com", "files.example.com", "no endpoint"]),
    extra=SECRET_EXTRAS,
)
def test_no_message_shows_a_secret(conn_type: str, login: str, password: str, host: str, extra: dict[str, Any]) -> None:
    """Whatever is wrong with a connection, the error is ours and shows neither secret nor token nor proxy password."""
    wrong = connection(conn_type=conn_type, login=login, password=password, host=host, extra=extra)
    try:
        settings = settings_of(wrong, environment={"OSS_ACCESS_KEY_ID": "id", "OSS_ACCESS_KEY_SECRET": MARKER})
    except OSSInvalidConnection as error:
        assert MARKER not in str(error)  # noqa: PT017 - most of these connections are wrong, some are not
        assert MARKER not in repr(error)  # noqa: PT017
    else:
        assert MARKER not in repr(settings)


def test_secret_in_the_host() -> None:
    """Credentials that someone wrote into the host are refused without being shown."""
    with pytest.raises(OSSInvalidConnection, match="is no endpoint") as caught:
        settings_of(connection(host=f"https://LTAI-id:{MARKER}@oss-cn-hangzhou.aliyuncs.com"))
    assert MARKER not in str(caught.value)


# Connections of the alibaba provider

ALIBABA_EXTRA = {
    "auth_type": "AK",
    "access_key_id": "LTAI-id",
    "access_key_secret": "the-secret",
    "region": "cn-hangzhou",
}


def alibaba(extra: dict[str, Any], **fields: Any) -> Connection:
    return Connection.from_json(json.dumps({"conn_type": "oss", "extra": extra} | fields), conn_id="oss_default")


def alibaba_uri(extra: dict[str, Any]) -> Connection:
    """Return the connection as the alibaba provider documents it: a URI whose extra is one JSON text."""
    return connection_of_uri(f"oss://@/exports?__extra__={quote(json.dumps(extra))}")


@pytest.mark.parametrize(
    ("changes", "endpoint", "region"),
    [
        ({}, HANGZHOU, "cn-hangzhou"),
        (
            {"endpoint": "oss-cn-hangzhou-internal.aliyuncs.com"},
            HANGZHOU.replace("zhou.", "zhou-internal."),
            "cn-hangzhou",
        ),
        ({"endpoint": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000", "cn-hangzhou"),
        ({"endpoint": "", "something": "else"}, HANGZHOU, "cn-hangzhou"),
        (
            {"region": "", "endpoint": "oss-cn-beijing.aliyuncs.com"},
            "https://oss-cn-beijing.aliyuncs.com",
            "cn-beijing",
        ),
    ],
)
def test_connection_of_the_alibaba_provider(changes: dict[str, str], endpoint: str, region: str) -> None:
    """A connection that was made for the alibaba provider is read as it is, as JSON and as URI."""
    extra = ALIBABA_EXTRA | changes
    for existing in (alibaba(extra, schema="exports"), alibaba_uri(extra)):
        assert settings_of(existing) == ClientSettings(endpoint, STATIC, region, default_bucket="exports")


def test_the_alibaba_provider_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alibaba provider's own hook gets the same key, region and bucket out of the connection."""
    from airflow.providers.alibaba.cloud.hooks.oss import OSSHook as AlibabaHook  # noqa: PLC0415 - half a second

    existing = alibaba(ALIBABA_EXTRA, schema="exports")
    monkeypatch.setenv("AIRFLOW_CONN_OSS_EXISTING", existing.get_uri())
    theirs = AlibabaHook(oss_conn_id="oss_existing")
    ours = settings_of(existing)

    found = theirs.get_credential().get_credentials()
    assert (found.access_key_id, found.access_key_secret) == ("LTAI-id", "the-secret")
    assert Credentials(found.access_key_id, found.access_key_secret) == ours.credentials
    assert theirs.region == ours.region
    assert theirs.oss_conn.schema == ours.default_bucket
    assert theirs._get_client()._client._options.endpoint.geturl() == ours.endpoint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auth_type": "STS"}, "auth_type='STS' is not known: it must be 'AK'"),
        ({"region": 7}, "extra field region is an int: it must be text"),
        ({"endpoint": ["a"]}, "extra field endpoint is a list: it must be text"),
        ({"access_key_secret": 7}, "extra field access_key_secret is an int: it must be text"),
        ({"access_key_id": ""}, "access_key_id is missing"),
        ({"access_key_secret": ""}, "access_key_secret is missing"),
        ({"access_key_id": "id\n"}, "extra field access_key_id has a line break"),
        ({"access_key_secret": "secret\n"}, "extra field access_key_secret has a line break"),
        ({"region": ""}, "region are missing"),
        ({"region": "", "endpoint": "files.example.com"}, "region is missing"),
        ({"endpoint": "files.example.com/bucket"}, "is no endpoint"),
    ],
)
def test_incomplete_connection_of_the_alibaba_provider(changes: dict[str, object], message: str) -> None:
    """What is missing from a connection of the alibaba provider, or is no text, is named."""
    with pytest.raises(OSSInvalidConnection, match=message):
        settings_of(alibaba(ALIBABA_EXTRA | changes))


def test_our_fields_in_a_connection_of_type_oss() -> None:
    """A connection of type ``oss`` without ``auth_type`` is read like one of ours."""
    own = connection(conn_type="oss", extra={"region": "cn-beijing"})
    assert settings_of(own).region == "cn-beijing"
