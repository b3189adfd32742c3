"""Which source the fields of a connection mean, what the environment adds, and which fields are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_oss.clients.credentials.reading import credentials_from
from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Credentials,
    CredentialSource,
    CredentialsUri,
    DefaultChain,
    EcsRamRole,
    OidcRole,
    RoleSession,
    secrets_of,
)
from airflow_provider_oss.exceptions import OSSInvalidConnection
from airflow_provider_oss.hooks.connection import to_client_settings
from tests.hooks.support import Connection

ROLE = "acs:ram::1234:role/exporter"
OIDC = "acs:ram::1234:oidc-provider/ack"
RRSA = {
    "ALIBABA_CLOUD_ROLE_ARN": ROLE,
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": OIDC,
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/var/run/token",
}
SESSION = RoleSession(ROLE, "airflow-provider-oss", 3600, None, "sts.aliyuncs.com")
KEY = Credentials("LTAI-id", "the-secret")
TEMPORARY_KEY = Credentials("LTAI-id", "the-secret", "token")


def read(
    extra: dict[str, Any], environment: dict[str, str] | None = None, login: str | None = None
) -> Credentials | CredentialSource:
    """Read a whole connection, as it is defined in JSON, with these extras."""
    fields = {"conn_type": "aliyun_oss", "host": "oss-cn-hangzhou.aliyuncs.com", "extra": extra}
    if login:
        fields |= {"login": login, "password": "the-secret"}
    connection = Connection.from_json(json.dumps(fields), conn_id="oss_default")
    return to_client_settings(connection, None, environment or {}).credentials


@pytest.mark.parametrize(
    ("extra", "environment", "expected"),
    [
        ({"credential_source": "ecs_ram_role"}, {}, EcsRamRole()),
        (
            {"credential_source": "ecs_ram_role", "role_name": "Worker", "disable_imds_v1": "True"},
            {"ALIBABA_CLOUD_ECS_METADATA": "Other"},
            EcsRamRole("Worker", disable_imds_v1=True),
        ),
        (
            {"credential_source": "ecs_ram_role"},
            {"ALIBABA_CLOUD_ECS_METADATA": "Worker", "ALIBABA_CLOUD_IMDSV1_DISABLED": "true"},
            EcsRamRole("Worker", disable_imds_v1=True),
        ),
        ({"credential_source": "oidc_role"}, RRSA, OidcRole(SESSION, OIDC, "/var/run/token")),
        (
            {
                "credential_source": "oidc_role",
                "role_arn": "acs:ram::1:role/r",
                "oidc_provider_arn": "acs:ram::1:oidc-provider/p",
                "oidc_token_file": "/token",
                "role_session_name": "dag",
                "role_session_duration": "900",
                "role_policy": {"Version": "1"},
                "sts_endpoint": "sts-vpc.cn-beijing.aliyuncs.com",
            },
            RRSA,
            OidcRole(
                RoleSession("acs:ram::1:role/r", "dag", 900, '{"Version": "1"}', "sts-vpc.cn-beijing.aliyuncs.com"),
                "acs:ram::1:oidc-provider/p",
                "/token",
            ),
        ),
        ({"credential_source": "credentials_uri", "credentials_uri": "http://a/b"}, {}, CredentialsUri("http://a/b")),
        (
            {"credential_source": "credentials_uri"},
            {"ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1:1/x"},
            CredentialsUri("http://127.0.0.1:1/x"),
        ),
        ({"credential_source": "default"}, {}, DefaultChain()),
    ],
)
def test_source(extra: dict[str, Any], environment: dict[str, str], expected: CredentialSource) -> None:
    """The connection goes before the environment, which has the names that the library documents."""
    assert read(extra, environment) == expected


@pytest.mark.parametrize(
    ("source", "extra", "environment", "login", "expected"),
    [
        (None, {}, {}, "LTAI-id", AssumedRole(SESSION, KEY)),
        (
            "static",
            {"security_token": "t"},
            {},
            "LTAI-id",
            AssumedRole(SESSION, Credentials(*("LTAI-id", "the-secret", "t"))),
        ),
        (
            "environment",
            {"external_id": "e"},
            {"OSS_ACCESS_KEY_ID": "LTAI-id", "OSS_ACCESS_KEY_SECRET": "the-secret"},
            None,
            AssumedRole(SESSION, KEY, "e"),
        ),
        ("ecs_ram_role", {"role_name": "Worker"}, {}, None, AssumedRole(SESSION, EcsRamRole("Worker"))),
        (
            "credentials_uri",
            {"credentials_uri": "http://a/b"},
            {},
            None,
            AssumedRole(SESSION, CredentialsUri("http://a/b")),
        ),
        ("default", {}, {}, None, AssumedRole(SESSION, DefaultChain())),
    ],
)
def test_assumed_role(
    source: str | None, extra: dict[str, Any], environment: dict[str, str], login: str | None, expected: AssumedRole
) -> None:
    """A role is assumed with the credentials of any other source, whose fields are given beside."""
    given = {"credential_source": "assume_role", "role_arn": ROLE, **extra}
    if source is not None:
        given["assume_role_source"] = source
    assert read(given, environment, login) == expected


def test_role_that_a_pod_assumes() -> None:
    """With RRSA the variable names the pod's own role, so the one to assume is the connection's: both are used."""
    given = {
        "credential_source": "assume_role",
        "assume_role_source": "oidc_role",
        "role_arn": "acs:ram::99:role/other",
        "role_session_name": "dag",
        "sts_endpoint": "sts.cn-beijing.aliyuncs.com",
    }
    found = read(given, RRSA)
    assert isinstance(found, AssumedRole)
    assert isinstance(found.basis, OidcRole)
    assert (found.session.role_arn, found.basis.session.role_arn) == ("acs:ram::99:role/other", ROLE)
    assert (found.session.session_name, found.basis.session.session_name) == ("dag", "airflow-provider-oss")
    assert {found.session.sts_endpoint, found.basis.session.sts_endpoint} == {"sts.cn-beijing.aliyuncs.com"}


@pytest.mark.parametrize(
    ("extra", "environment", "said"),
    [
        ({}, RRSA, "extra field role_arn is missing: with assume_role_source 'oidc_role' the connection must name the"),
        (
            {"role_arn": ROLE},
            RRSA | {"ALIBABA_CLOUD_ROLE_ARN": ""},
            r"ALIBABA_CLOUD_ROLE_ARN is not set: .*OIDC token is for \(role_arn is the one to assume\)",
        ),
    ],
)
def test_pod_that_lacks_one_of_two_roles(extra: dict[str, Any], environment: dict[str, str], said: str) -> None:
    """Which of the two is missing is told, and where it has to be given."""
    given = {"credential_source": "assume_role", "assume_role_source": "oidc_role", **extra}
    with pytest.raises(OSSInvalidConnection, match=said):
        read(given, environment)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ALIBABA_CLOUD_STS_REGION": "cn-beijing"}, "sts.cn-beijing.aliyuncs.com"),
        (
            {"ALIBABA_CLOUD_STS_REGION": "cn-beijing", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "TRUE"},
            "sts-vpc.cn-beijing.aliyuncs.com",
        ),
        ({"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"}, "sts.aliyuncs.com"),
    ],
)
def test_sts_of_a_region(environment: dict[str, str], expected: str) -> None:
    """STS is that of the region which the environment names, inside the VPC if it says so; the name is its too."""
    found = read(
        {"credential_source": "assume_role"},
        environment | {"ALIBABA_CLOUD_ROLE_ARN": ROLE, "ALIBABA_CLOUD_ROLE_SESSION_NAME": "pod"},
        "LTAI-id",
    )
    assert isinstance(found, AssumedRole)
    assert (found.session.sts_endpoint, found.session.session_name) == (expected, "pod")


def test_proxy_of_the_connection_leads_to_sts() -> None:
    """STS is reached as OSS is."""
    extra = {"credential_source": "assume_role", "role_arn": ROLE, "proxies": {"https": "http://u:hidden@proxy:1"}}
    found = read(extra, login="LTAI-id")
    assert isinstance(found, AssumedRole)
    assert found.session.proxy == "http://u:hidden@proxy:1"
    assert "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("extra", "environment", "login", "said"),
    [
        ({}, {}, None, r"login \(AccessKey ID\) is missing: give it, or another credential_source"),
        (
            {"role_arn": ROLE},
            {},
            "id",
            "role_arn is given.*'static': clear it, or .*'oidc_role' or 'assume_role'",
        ),
        ({"credential_source": "ecs_ram_role", "security_token": "hidden"}, {}, None, "security_token is given"),
        ({"credential_source": "ecs_ram_role"}, {}, "hidden", r"login \(AccessKey ID\) is given.*'ecs_ram_role'"),
        ({"credential_source": "environment", "role_name": "x"}, {}, None, "role_name is given, but"),
        (
            {"credential_source": "assume_role", "assume_role_source": "default", "role_arn": ROLE, "role_name": "x"},
            {},
            None,
            "role_name is given, but credential_source is 'assume_role' from 'default'",
        ),
        ({"credential_source": "assume_role"}, {}, "id", "role_arn is missing.*ALIBABA_CLOUD_ROLE_ARN"),
        ({"credential_source": "oidc_role", "role_arn": ROLE}, {}, None, "oidc_provider_arn is missing"),
        (
            {"credential_source": "oidc_role"},
            {**RRSA, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": ""},
            None,
            "oidc_token_file is missing: .*ALIBABA_CLOUD_OIDC_TOKEN_FILE to be set",
        ),
        ({"credential_source": "credentials_uri"}, {}, None, "credentials_uri is missing"),
        (
            {"credential_source": "credentials_uri", "credentials_uri": "hidden"},
            {},
            None,
            "credentials_uri is not allow",
        ),
        (
            {"credential_source": "ecs_ram_role"},
            {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"},
            None,
            "ALIBABA_CLOUD_ECS_METADATA_DISABLED is set",
        ),
        ({"credential_source": "made_up"}, {}, None, "credential_source='made_up' is not allowed.*ecs_ram_role"),
        (
            {"credential_source": "assume_role", "role_arn": ROLE, "role_session_duration": 60},
            {},
            "id",
            "role_session_duration=60 is not allowed.*900",
        ),
    ],
)
def test_what_does_not_fit(extra: dict[str, Any], environment: dict[str, str], login: str | None, said: str) -> None:
    """The error names the connection, the field and the remedy, and shows nothing that may be secret."""
    with pytest.raises(OSSInvalidConnection, match=f"^connection 'oss_default': .*{said}") as caught:
        read(extra, environment, login)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "rest", ["localhost:6666/hidden", "http:///hidden", "http://a:99999/hidden", "http://[::1", "http://a:0/hidden"]
)
@pytest.mark.parametrize("name", ["extra field credentials_uri", "ALIBABA_CLOUD_CREDENTIALS_URI"])
def test_uri_of_no_service(name: str, rest: str) -> None:
    """It is refused where it is read, by the field or variable that it is in; it may hold a secret."""
    of_field = {"credentials_uri": rest} if name.startswith("extra") else {}
    with pytest.raises(OSSInvalidConnection, match=f"^{name} is no URI of a service: it must look like") as caught:
        credentials_from(
            None,
            None,
            {"credential_source": "credentials_uri", **of_field},
            {"ALIBABA_CLOUD_CREDENTIALS_URI": rest},
        )
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\x00", "ü", "\udc80"])
@pytest.mark.parametrize(
    ("part", "said"),
    [(0, r"login \(AccessKey ID\)"), (1, r"password \(AccessKey secret\)"), (2, "extra field security_token")],
)
def test_key_that_cannot_be_sent(part: int, said: str, end: str) -> None:
    """What was copied with a line break, say, is refused by its field, and not shown."""
    given = ["hidden-id", "hidden-secret", "hidden-token"]
    given[part] += end
    login, password, token = given
    with pytest.raises(OSSInvalidConnection, match=f"{said} has a line break, .*give it anew") as caught:
        credentials_from(login, password, {"security_token": token}, {})
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize("name", ["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"])
def test_key_of_the_environment_that_cannot_be_sent(name: str) -> None:
    """Of the environment it is the variable that is named."""
    environment = {"OSS_ACCESS_KEY_ID": "id", "OSS_ACCESS_KEY_SECRET": "hidden", "OSS_SESSION_TOKEN": "hidden"}
    environment[name] += "\n"
    with pytest.raises(OSSInvalidConnection, match=f"^connection 'oss_default': {name} has a line break") as caught:
        read({"credential_source": "environment"}, environment)
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        (Credentials("id", "secret"), ["secret"]),
        (AssumedRole(SESSION, Credentials("id", "secret", "token")), ["secret", "token"]),
        (CredentialsUri("http://user:password@a/b?query"), ["query", "password"]),
        (CredentialsUri("http://a/b"), []),
        (AssumedRole(SESSION, EcsRamRole()), []),
    ],
)
def test_what_is_secret(given: Credentials | CredentialSource, secrets: list[str]) -> None:
    """What a log must not show is known before anybody is asked, and is in no representation."""
    assert secrets_of(given) == secrets
    assert not any(secret in repr(given) for secret in secrets)


def test_without_the_schema() -> None:
    """The least that is read: a login and a password."""
    assert credentials_from("LTAI-id", "the-secret", {}, {}) == KEY
