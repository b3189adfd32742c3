"""Each source, asked over HTTP: what it gives, and what is said when it gives nothing."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss.clients.credentials.holder import CredentialsReader
from airflow_provider_oss.clients.credentials.reading import credentials_from
from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Credentials,
    CredentialSource,
    CredentialsUri,
    EcsRamRole,
    OidcRole,
    RoleSession,
)
from airflow_provider_oss.exceptions import (
    OSSCertificateError,
    OSSCredentialsRefused,
    OSSCredentialsUnavailable,
    OSSInvalidConnection,
    OSSProviderError,
)
from tests.support.credential_services import METADATA, METADATA_TOKEN, Bank, Sts, of_json, of_text, serve_uri
from tests.support.secret_search import find
from tests.support.web_server import Answer, WebRequest, WebServer

KEY = Credentials("LTAI-id", "the-secret")


def read(source: CredentialSource) -> Credentials:
    return CredentialsReader(source).read()


def assert_given(found: Credentials, bank: Bank) -> None:
    """It is the session that was handed out last, with its end."""
    session = bank.sessions[-1]
    assert session.expires_at is not None
    assert found == Credentials(
        session.access_key_id, session.access_key_secret, session.security_token, int(session.expires_at)
    )


def session_of(sts: Sts, endpoint: str) -> RoleSession:
    return RoleSession(sts.role_arn, "airflow", 900, None, endpoint)


# ECS


@pytest.mark.parametrize("role", [None, "WorkerRole"])
@pytest.mark.parametrize("disable_imds_v1", [True, False])
def test_role_of_the_instance(metadata: WebServer, bank: Bank, role: str | None, *, disable_imds_v1: bool) -> None:
    """The instance's role is found out or named, and its credentials are asked for with a metadata token."""
    found = read(EcsRamRole(role, disable_imds_v1))

    assert_given(found, bank)
    assert found.origin == f"ecs_ram_role ({role or 'the role of this instance'})"
    asked = [(one.method, one.path, one.headers["Host"]) for one in metadata.requests]
    assert asked[-2:] == [
        ("PUT", METADATA_TOKEN, "100.100.100.200"),
        ("GET", f"{METADATA}WorkerRole", "100.100.100.200"),
    ]


def test_no_thread_is_left(metadata: WebServer, bank: Bank) -> None:
    """Asking starts nothing that goes on by itself."""
    before = threading.active_count()
    reader = CredentialsReader(EcsRamRole())
    assert reader.read() != reader.read()
    assert [thread.name for thread in threading.enumerate() if "APScheduler" in thread.name] == []
    assert threading.active_count() <= before + len(metadata.requests)
    assert len(bank.sessions) == 2


def test_without_metadata_tokens(metadata: WebServer, bank: Bank) -> None:
    """Where none can be had it is asked without, unless that is forbidden."""
    metadata.pages[METADATA_TOKEN] = lambda _: of_text(404, "")
    metadata.pages[f"{METADATA}WorkerRole"] = lambda _: of_json(200, {"Code": "Success", **bank.issue()})
    assert_given(read(EcsRamRole("WorkerRole")), bank)

    with pytest.raises(OSSCredentialsRefused, match=r"ecs_ram_role \(WorkerRole\): HTTP status 404"):
        read(EcsRamRole("WorkerRole", disable_imds_v1=True))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (of_text(404, "not found"), OSSCredentialsRefused, "HTTP status 404; no RAM role of this name"),
        (of_text(403, "forbidden"), OSSCredentialsRefused, "HTTP status 403; the metadata service refuses"),
        (of_text(503, "busy"), OSSCredentialsUnavailable, "HTTP status 503"),
        (of_text(429, "slow down"), OSSCredentialsUnavailable, "HTTP status 429"),
        (of_text(200, "<html>"), OSSCredentialsUnavailable, "no usable credentials"),
        (of_json(200, {"Code": "Failed"}), OSSCredentialsUnavailable, "no usable credentials"),
        (of_json(200, {"Code": "Success"}), OSSCredentialsUnavailable, "no usable credentials"),
        (Answer(200, {"Content-Length": "99"}, b"{", cut_at=1), OSSCredentialsUnavailable, "connection broke"),
    ],
    ids=["404", "403", "503", "429", "no JSON", "failed", "half", "cut"],
)
def test_metadata_service_that_gives_nothing(
    metadata: WebServer, answer: Answer, error: type[OSSProviderError], said: str
) -> None:
    """Whether waiting may help decides the error; it names the source and what it answered."""
    metadata.pages[f"{METADATA}WorkerRole"] = lambda _: answer
    with pytest.raises(error, match="ecs_ram_role") as caught:
        read(EcsRamRole("WorkerRole"))
    assert said in str(caught.value)


def test_metadata_service_that_does_not_answer(metadata: WebServer) -> None:
    """A service that takes the question and says nothing is given up after a second."""
    released = threading.Event()

    def wait(_: WebRequest) -> Answer:
        released.wait(20)
        return of_text(200, "")

    metadata.pages[f"{METADATA}WorkerRole"] = wait
    with pytest.raises(OSSCredentialsUnavailable, match="no answer in time"):
        read(EcsRamRole("WorkerRole"))
    released.set()


# A credentials URI


def test_credentials_uri(web: WebServer, bank: Bank) -> None:
    """A service is asked at its URI, query included; neither the query nor a password is told."""
    uri = serve_uri(web, bank) + "?of=hidden-query"
    found = read(CredentialsUri(uri))

    assert_given(found, bank)
    assert web.requests[0].query == "of=hidden-query"
    assert found.origin == f"credentials_uri ({web.url}/credentials)"
    assert str(CredentialsUri("https://user:hidden@127.0.0.1/a")) == "credentials_uri (https://127.0.0.1/a)"


def test_credentials_uri_without_a_port(web: WebServer, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that is left out is the scheme's, which the library gets wrong."""
    serve_uri(web, bank)
    monkeypatch.setenv("HTTP_PROXY", web.url)
    assert_given(read(CredentialsUri("http://sidecar.internal/credentials")), bank)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (of_text(404, "hidden"), OSSCredentialsRefused, "HTTP status 404"),
        (of_text(500, "hidden"), OSSCredentialsUnavailable, "HTTP status 500"),
        (of_text(500, "{hidden"), OSSCredentialsUnavailable, "HTTP status 500"),
        (of_json(200, {"Code": "Failure", "AccessKeySecret": "hidden"}), OSSCredentialsUnavailable, "no usable"),
        (of_json(200, ["hidden"]), OSSCredentialsUnavailable, "no usable"),  # type: ignore[arg-type]
    ],
    ids=["404", "500", "500 cut off", "failure", "list"],
)
def test_uri_that_gives_nothing(web: WebServer, answer: Answer, error: type[OSSProviderError], said: str) -> None:
    """The error tells which service it was and what it answered, and nothing of the answer's body."""
    web.pages["/credentials"] = lambda _: answer
    with pytest.raises(error, match="credentials_uri") as caught:
        read(CredentialsUri(f"{web.url}/credentials?hidden"))
    assert said in str(caught.value)
    assert caught.value.__cause__ is None
    assert "hidden" not in repr(caught.value)


def test_credentials_that_cannot_be_sent(web: WebServer, bank: Bank) -> None:
    """A token with a line break would be shown by whatever refuses to send it."""
    answer = {"Code": "Success", **bank.issue(), "SecurityToken": "hidden\n"}
    web.pages["/credentials"] = lambda _: of_json(200, answer)
    with pytest.raises(OSSInvalidConnection, match=r"credentials_uri .*: the security token it gave has") as caught:
        read(CredentialsUri(f"{web.url}/credentials"))
    assert "hidden" not in repr(caught.value)


def test_credentials_that_have_expired_when_they_come(web: WebServer, bank: Bank) -> None:
    """They are no credentials; the clock is named."""
    bank.lifetime_seconds = -60
    with pytest.raises(OSSCredentialsUnavailable, match="expired already; check this machine's clock"):
        read(CredentialsUri(serve_uri(web, bank)))


def test_nobody_answers() -> None:
    """A service that is not there is one that may be there later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSSCredentialsUnavailable, match=r"no connection: .*refused"):
        read(CredentialsUri(f"http://127.0.0.1:{port}/"))


# STS


def test_role_that_is_assumed(sts: Sts, sts_endpoint: str, bank: Bank) -> None:
    """STS is asked with the key, and for what the session is to be."""
    session = replace(session_of(sts, sts_endpoint), policy='{"Version": "1"}', duration_seconds=1200)
    found = read(AssumedRole(session, KEY, "external"))

    assert_given(found, bank)
    assert found.origin == f"assume_role ({sts.role_arn}) with static"
    asked = {"RoleSessionName": "airflow", "DurationSeconds": "1200", "Policy": '{"Version": "1"}'}
    assert asked.items() <= sts.queries[0].items()
    assert sts.queries[0]["ExternalId"] == "external"


def test_role_that_is_assumed_with_a_temporary_key(
    sts: Sts, sts_endpoint: str, bank: Bank, metadata: WebServer
) -> None:
    """The instance's role, say, assumes another: each time with credentials that are new too."""

    def trust(session: object) -> None:
        sts.keys[session.access_key_id] = (session.access_key_secret, session.security_token)  # type: ignore[attr-defined]

    bank.register = trust
    reader = CredentialsReader(AssumedRole(session_of(sts, sts_endpoint), EcsRamRole("WorkerRole")))

    assert_given(reader.read(), bank)
    assert_given(reader.read(), bank)
    assert [query["AccessKeyId"] for query in sts.queries] == ["STS.number1", "STS.number3"]
    metadata.pages.clear()
    with pytest.raises(OSSCredentialsRefused, match=r"assume_role .*, the credentials to assume it with: ecs_ram_role"):
        reader.read()


@pytest.mark.parametrize(
    ("key", "role_arn", "said"),
    [
        (KEY, "acs:ram::1234:role/absent", "EntityNotExist.Role (The role not exists: acs:ram::1234:role/absent.)"),
        (Credentials("nobody", "the-secret"), None, "InvalidAccessKeyId.NotFound"),
        (Credentials("LTAI-id", "hidden-secret"), None, "SignatureDoesNotMatch, request STS-REQUEST; check the Access"),
        (Credentials("LTAI-id", "the-secret", "hidden+token"), None, "InvalidSecurityToken.Malformed"),
        (Credentials("LTAI-temp", "hidden-secret", "hidden+token"), None, "SignatureDoesNotMatch, request"),
    ],
    ids=["role", "key", "secret", "token", "secret of a token"],
)
def test_sts_refuses(
    sts: Sts,
    sts_endpoint: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    key: Credentials,
    role_arn: str | None,
    said: str,
) -> None:
    """What STS says is told, with whose AccessKey and the request id, and nothing of what was signed, nor in a log."""
    caplog.set_level(logging.DEBUG)
    sts.keys["LTAI-temp"] = ("another", "hidden+token")
    session = replace(session_of(sts, sts_endpoint), role_arn=role_arn or sts.role_arn)
    with pytest.raises(OSSCredentialsRefused) as caught:
        read(AssumedRole(session, key))

    text = str(caught.value)
    assert f"assume_role ({session.role_arn}), with AccessKey {key.access_key_id} of static: HTTP status 4" in text
    assert said in text
    assert caught.value.__cause__ is None
    secrets = {"secret": "hidden-secret", "token": "hidden+token", "signature": sts.queries[0]["Signature"]}
    assert find(secrets, text + caplog.text + str(capfd.readouterr())) == set()


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (400, "Throttling.User")])
def test_sts_is_busy(sts: Sts, sts_endpoint: str, sts_server: WebServer, status: int, code: str) -> None:
    """A server error and throttling are worth waiting for."""
    sts_server.pages[""] = sts_server.pages["/"] = lambda _: of_json(status, {"Code": code, "Message": "later"})
    with pytest.raises(OSSCredentialsUnavailable, match=code):
        read(AssumedRole(session_of(sts, sts_endpoint), KEY))


def test_sts_is_not_trusted(sts_server: WebServer, bank: Bank) -> None:
    """A certificate of an unknown authority is an error that no retry mends; nothing secret was sent or told."""
    sts = Sts(bank)
    with pytest.raises(OSSCertificateError, match=r"assume_role.*TLS certificate.*SSL_CERT_FILE") as caught:
        read(AssumedRole(session_of(sts, sts.serve(sts_server)), Credentials("LTAI-id", "hidden", "hidden")))
    assert "hidden" not in str(caught.value)
    assert "Signature" not in str(caught.value)
    assert sts.queries == []


def test_sts_does_not_answer(sts: Sts) -> None:
    """When STS is out of reach, the token that is in the request's URL is not told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    role = AssumedRole(session_of(sts, f"localhost:{port}"), Credentials("LTAI-id", "hidden", "hidden"))
    with pytest.raises(OSSCredentialsUnavailable, match=r"no connection: .*refused") as caught:
        read(role)
    assert "hidden" not in str(caught.value)


def test_sts_by_a_proxy(sts: Sts, sts_endpoint: str, web: WebServer) -> None:
    """The connection's proxy for HTTPS is the way to STS; one that refuses is named as what it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for proxy, said in ((web.url, "the connection broke"), (closed, "no connection: .*refused")):
        with pytest.raises(OSSCredentialsUnavailable, match=said):
            read(AssumedRole(replace(session_of(sts, sts_endpoint), proxy=proxy), KEY))
    assert sts.queries == []


# OIDC


@pytest.fixture
def oidc(sts: Sts, sts_endpoint: str, tmp_path: Path) -> OidcRole:
    """A role for a service account, and its token."""
    sts.oidc_token = "oidc+token"
    path = tmp_path / "token"
    path.write_text("oidc+token")
    return OidcRole(session_of(sts, sts_endpoint), sts.oidc_provider_arn, str(path))


def test_oidc_role(oidc: OidcRole, sts: Sts, bank: Bank) -> None:
    """STS is asked with the token that is in the file now."""
    reader = CredentialsReader(oidc)
    assert_given(reader.read(), bank)
    Path(oidc.token_file).write_text("rotated")
    sts.oidc_token = "rotated"
    assert_given(reader.read(), bank)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"provider_arn": "acs:ram::1:oidc-provider/x"},
            "EntityNotExist.OIDCProvider (The OIDC provider does not exist.), request STS-REQUEST; check oidc_prov",
        ),
        ({"token_file": "/absent/token"}, "/absent/token cannot be read: No such file"),
    ],
)
def test_oidc_role_is_refused(oidc: OidcRole, changes: dict[str, str], said: str) -> None:
    """What is wrong is named."""
    with pytest.raises(OSSCredentialsRefused, match="oidc_role") as caught:
        read(replace(oidc, **changes))  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_oidc_token_is_not_told(oidc: OidcRole, caplog: pytest.LogCaptureFixture) -> None:
    """STS repeats a token that it does not like; we do not."""
    caplog.set_level(logging.DEBUG)
    Path(oidc.token_file).write_text("hidden+token")
    with pytest.raises(OSSCredentialsRefused, match=r"AuthenticationFail.OIDCToken.Invalid, request") as caught:
        read(oidc)
    assert find({"token": "hidden+token"}, str(caught.value) + caplog.text) == set()


# The default chain


@pytest.fixture
def default() -> CredentialSource:
    """The default chain, as a connection names it."""
    found = credentials_from(None, None, {"credential_source": "default"}, {})
    assert not isinstance(found, Credentials)
    return found


def test_chain_begins_with_the_environment(default: CredentialSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """An AccessKey in the environment goes before everything else."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "env-id")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "env-secret")
    found = read(default)
    assert (found, found.origin) == (Credentials("env-id", "env-secret"), "default: environment")


def run_with_rrsa(monkeypatch: pytest.MonkeyPatch, oidc: OidcRole) -> None:
    """Put into the environment what RRSA puts into a pod's."""
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", oidc.session.role_arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", oidc.provider_arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", oidc.token_file)
    monkeypatch.setattr(
        "airflow_provider_oss.clients.credentials.reading._sts_endpoint", lambda _: oidc.session.sts_endpoint
    )


def test_chain_with_rrsa(
    default: CredentialSource, oidc: OidcRole, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What RRSA puts into a pod's environment is enough; STS of a region follows from its variables too."""
    run_with_rrsa(monkeypatch, oidc)
    found = read(default)
    assert_given(found, bank)
    assert found.origin == f"default: oidc_role ({oidc.session.role_arn})"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            ".aliyun/config.json",
            json.dumps(
                {"current": "p", "profiles": [{"name": "p", "mode": "EcsRamRole", "ram_role_name": "WorkerRole"}]}
            ),
        ),
        (".alibabacloud/credentials.ini", "[default]\ntype = ecs_ram_role\nrole_name = WorkerRole\n"),
    ],
    ids=["cli", "ini"],
)
def test_profile_that_names_a_role(
    default: CredentialSource, metadata: WebServer, bank: Bank, tmp_path: Path, path: str, text: str
) -> None:
    """A profile may lead to the metadata service; its end is known, and no thread is left behind."""
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(text)
    reader = CredentialsReader(default)
    found = reader.read()
    assert_given(found, bank)
    assert str(file) in found.origin
    assert_given(reader.read(), bank)
    assert len(bank.sessions) == 2
    assert [thread.name for thread in threading.enumerate() if "APScheduler" in thread.name] == []
    assert {one.path for one in metadata.requests} == {METADATA_TOKEN, f"{METADATA}WorkerRole"}


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (".aliyun/config.json", '{"hidden', "it is no configuration of the command line tool"),
        (".aliyun/config.json", '{"profiles": "hidden"}', "it is no configuration of the command line tool"),
        (".aliyun/config.json", '{"current": "absent", "profiles": [{"name": "p"}]}', "profile with 'absent'"),
        (".aliyun/config.json", '{"current": "p", "profiles": [{"name": "p", "mode": "X"}]}', "profile mode 'X'"),
        (".alibabacloud/credentials.ini", "[other]\ntype = hidden\n", "failed to get credential from"),
        (".alibabacloud/credentials.ini", "[default]\ntype = made_up\n", "unsupported credential type made_up"),
        (".alibabacloud/credentials.ini", "hidden", "no usable credentials"),
    ],
)
def test_profile_that_is_none(default: CredentialSource, tmp_path: Path, path: str, text: str, said: str) -> None:
    """What is wrong with a file is told, not what is in it."""
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(
        (OSSCredentialsRefused, OSSCredentialsUnavailable), match=f"profile .{file}.: [^;]*{said}"
    ) as caught:
        read(default)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            ".aliyun/config.json",
            json.dumps(
                {
                    "current": "p",
                    "profiles": [
                        {"name": "p", "mode": "AK", "access_key_id": "LTAI-id", "access_key_secret": "the-secret"}
                    ],
                }
            ),
        ),
        (
            ".alibabacloud/credentials.ini",
            "[default]\ntype = access_key\naccess_key_id = LTAI-id\naccess_key_secret = the-secret\n",
        ),
    ],
    ids=["cli", "ini"],
)
def test_profile_with_a_key(default: CredentialSource, tmp_path: Path, path: str, text: str) -> None:
    """A profile may hold an AccessKey."""
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(text)
    assert read(default) == KEY


def test_chain_ends_with_the_instance_and_the_uri(
    default: CredentialSource, metadata: WebServer, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without files the instance's role is asked, then the URI; whoever answered first is asked again, alone."""
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", serve_uri(metadata, bank))
    reader = CredentialsReader(default)
    assert reader.read().origin == "default: ecs_ram_role (the role of this instance)"
    metadata.pages[f"{METADATA}WorkerRole"] = lambda _: of_text(503, "")
    with pytest.raises(OSSCredentialsUnavailable, match=r"^default: ecs_ram_role[^;]*: HTTP status 503$"):
        reader.read()
    assert CredentialsReader(default).read().origin.startswith("default: credentials_uri")


def test_chain_waits_for_what_is_set_up(
    default: CredentialSource,
    oidc: OidcRole,
    sts_server: WebServer,
    metadata: WebServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While STS is out of order a pod with RRSA does not go on as the instance that it runs on."""
    run_with_rrsa(monkeypatch, oidc)
    answering = dict(sts_server.pages)
    sts_server.pages[""] = sts_server.pages["/"] = lambda _: of_text(503, "")
    reader = CredentialsReader(default)
    with pytest.raises(OSSCredentialsUnavailable, match=r"^default: .*oidc_role \([^;]*: HTTP status 503$"):
        reader.read()
    assert metadata.requests == []
    sts_server.pages.clear()
    sts_server.pages.update(answering)
    assert reader.read().origin.startswith("default: oidc_role")


@pytest.mark.parametrize("is_refused", [True, False])
def test_chain_tells_what_it_passes_over(
    default: CredentialSource,
    metadata: WebServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    is_refused: bool,
) -> None:
    """What is set up and refused is a warning when another is taken; what nobody has set up is none."""
    if is_refused:
        monkeypatch.setenv("OSS_ACCESS_KEY_ID", "hidden\n")
        monkeypatch.setenv("OSS_ACCESS_KEY_SECRET", "hidden")
    assert read(default).origin == "default: ecs_ram_role (the role of this instance)"
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == is_refused
    assert metadata.requests
    if is_refused:
        assert told[0].startswith("default: OSS_ACCESS_KEY_ID has a line break")
        assert told[0].endswith("; passed over, ecs_ram_role (the role of this instance) is taken")
        assert "hidden" not in told[0]


def test_chain_that_finds_nothing(default: CredentialSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says of each what it lacks."""
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    monkeypatch.setenv("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")
    with pytest.raises(OSSCredentialsRefused) as caught:
        read(default)
    for said in (
        "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALIBABA_CLOUD_ROLE_ARN",
        "ALIBABA_CLOUD_CLI_PROFILE_DISABLED is set",
        "/.alibabacloud/credentials.ini): No such file",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED is set",
        "ALIBABA_CLOUD_CREDENTIALS_URI",
    ):
        assert said in str(caught.value)


def test_chain_that_may_find_something_later(default: CredentialSource, metadata: WebServer) -> None:
    """While one of them is only out of order, waiting may help."""
    metadata.pages[METADATA] = lambda _: of_text(503, "")
    with pytest.raises(OSSCredentialsUnavailable, match="HTTP status 503"):
        read(default)


WITHOUT_THE_LIBRARY = """
import sys
from airflow_provider_oss.clients.credentials.holder import CredentialsReader
from airflow_provider_oss.clients.credentials.sources import EcsRamRole
print([name for name in sys.modules if name.startswith(("alibabacloud", "Tea", "requests"))])
sys.modules["alibabacloud_credentials"] = None
try:
    CredentialsReader(EcsRamRole()).read()
except Exception as error:
    print(type(error).__name__, error)
"""


def test_library_is_an_extra() -> None:
    """It is imported when a source is asked; an installation without it is told what to install."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_LIBRARY], capture_output=True, text=True, check=True, timeout=60
    )
    before, said = done.stdout.splitlines()
    assert before == "[]"
    assert said.startswith("OSSInvalidConnection credential_source 'ecs_ram_role' needs the package alibabacloud-crede")
    assert said.endswith("install airflow-provider-oss with the extra credentials")
