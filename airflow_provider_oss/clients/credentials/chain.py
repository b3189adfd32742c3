"""
Asks for credentials by the library alibabacloud-credentials, its default chain included.

The library's objects are made for one question each. Left to itself it would start a thread for each ECS role, forget
when credentials expire or go on with expired ones while a renewal fails, and write the answers of services and the URLs
of requests into the log. Limits that stay: it takes a proxy from HTTP_PROXY and HTTPS_PROXY and nothing from NO_PROXY,
and certificate authorities from SSL_CERT_FILE beside its own.

Its errors become ours, which name the source and show no secret. Their texts cannot be passed on: they hold the whole
answer of a service, which may be half a set of credentials or what was signed, and the URL of a request to STS, with
token and signature in its query.

The links of the default chain are the library's, asked here in its order: its own chain reads the environment when it
is imported.
"""

from __future__ import annotations

import configparser
import json
import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider import (
    CLIProfileCredentialsProvider,
    EcsRamRoleCredentialsProvider,
    OIDCRoleArnCredentialsProvider,
    ProfileCredentialsProvider,
    RamRoleArnCredentialsProvider,
    StaticAKCredentialsProvider,
    StaticSTSCredentialsProvider,
    URLCredentialsProvider,
)
from Tea.exceptions import RetryError, TeaException
from urllib3 import exceptions as urllib3_errors

from airflow_provider_oss.clients.credentials.reading import (
    check_sendable,
    credentials_in,
    credentials_uri,
    ecs_ram_role,
    environment_key,
    is_true,
    oidc_role,
)
from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Credentials,
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
    OSSTransientError,
)
from airflow_provider_oss.shown import Log

_STATUS: Final = re.compile(r"(?:HttpCode|http_code|status code)[=: ]+(\d{3})")
_DOCUMENT: Final = re.compile(r"result: (\{.*)", re.DOTALL)
_SERVER_ERROR_STATUS: Final = 500
_BUSY_STATUSES: Final = (408, 429)
_ECHOES: Final = ("SignatureDoesNotMatch", "IncompleteSignature", "AuthenticationFail.OIDCToken")
"""Codes of STS whose message repeats what was signed, or the token."""
_OF_FILES: Final = (
    "unable to get profile",
    "failed to get credential from credentials file",
    "unsupported profile mode",
    "unsupported credential type",
    "invalid profile name",
)
"""How the library's words on a profile begin; they name files and profiles only."""
_EXPIRED: Final = "No cached value was found."
"""The library's words for credentials that have expired when they come."""
_REMEDIES: Final = {
    "EntityNotExist.OIDC": "check oidc_provider_arn",
    "EntityNotExist": "check role_arn: this role or account does not exist",
    "NoPermission": "let the identity's RAM policy allow sts:AssumeRole, and the role's trust policy name the identity",
    "AuthenticationFail.NoPermission": "let the role's trust policy name the OIDC provider, the issuer and the service "
    "account (sub)",
    "AuthenticationFail.OIDCToken": "check oidc_provider_arn, its client ids, and the token file",
    "AuthenticationFail": "check oidc_provider_arn and the role's trust policy",
    "InvalidAccessKeyId": "check the AccessKey that the role is assumed with",
    "InvalidSecurityToken": "the credentials that the role is assumed with have expired",
    "SignatureDoesNotMatch": "check the AccessKey secret that the role is assumed with",
    "InvalidTimeStamp": "set this machine's clock",
    "InvalidParameter.DurationSeconds": "lower role_session_duration, or raise the role's maximum session duration",
    "InvalidParameter.PolicyGrammar": "check role_policy",
}


def failure(name: str, error: Exception, remedies: dict[int, str]) -> OSSProviderError:
    """
    Return the error to raise instead of the library's ``error`` about the source called ``name``.

    ``remedies`` says what an HTTP status of this source means.
    """
    text = str(getattr(error, "message", error))
    if found := _STATUS.search(text):
        return _answered(name, int(found[1]), _document(text), remedies)
    if text.startswith(_OF_FILES):
        return OSSCredentialsRefused(f"{name}: {text}")
    if text == _EXPIRED:
        return OSSCredentialsUnavailable(f"{name}: what it gave has expired already; check this machine's clock")
    if isinstance(error, OSError):  # the token file
        return OSSCredentialsRefused(f"{name}: {error.filename} cannot be read: {error.strerror}")
    if (cause := error.__context__) is not None and isinstance(cause, OSError):
        return _unreached(name, _reason(cause))
    return OSSCredentialsUnavailable(f"{name}: its answer has no usable credentials ({type(error).__name__})")


def _document(text: str) -> dict[str, Any]:
    found = _DOCUMENT.search(text)
    try:
        document = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _answered(name: str, status: int, document: dict[str, Any], remedies: dict[int, str]) -> OSSProviderError:
    code = str(document.get("Code", ""))
    said = f"{name}: HTTP status {status}"
    if code:
        said += f" {code}"
        if not code.startswith(_ECHOES):
            said += f" ({str(document.get('Message', ''))[:300]})"
        said += f", request {document.get('RequestId')}"
    remedy = next((text for start, text in _REMEDIES.items() if code.startswith(start)), remedies.get(status))
    if remedy:
        said += f"; {remedy}"
    if status >= _SERVER_ERROR_STATUS or status in _BUSY_STATUSES or code.startswith("Throttling"):
        return OSSCredentialsUnavailable(said)
    return OSSCredentialsRefused(said)


def _reason(cause: BaseException) -> BaseException:
    """Return what urllib3 says of a connection; what requests makes of it has the URL in it."""
    first = cause.args[0] if cause.args else cause
    reason = getattr(first, "reason", None) or first
    if isinstance(reason, urllib3_errors.ProxyError):
        return reason.original_error
    return reason if isinstance(reason, BaseException) else cause


def _unreached(name: str, reason: BaseException) -> OSSProviderError:
    if isinstance(reason, urllib3_errors.SSLError) and any(isinstance(arg, ssl.SSLError) for arg in reason.args):
        return OSSCertificateError(
            f"{name}: its TLS certificate is not trusted: {reason}; SSL_CERT_FILE may name other authorities"
        )
    # A connection that was refused is a ConnectTimeoutError for urllib3's own reasons
    if isinstance(reason, urllib3_errors.NewConnectionError):
        return OSSCredentialsUnavailable(f"{name}: no connection: {str(reason).rpartition(': ')[2]}")
    if isinstance(reason, urllib3_errors.TimeoutError):
        return OSSCredentialsUnavailable(f"{name}: no answer in time")
    return OSSCredentialsUnavailable(f"{name}: the connection broke ({type(reason).__name__})")


_RAISED: Final = (
    *(CredentialException, RetryError, TeaException, OSError, ValueError, configparser.Error),
    *(TypeError, AttributeError, LookupError),  # an answer that is not what it should be
)
_LOGGERS: Final = ("credentials", "alibabacloud-tea", "urllib3.connectionpool")
"""Beside those that the library, in other versions, names after its modules."""
_PARTS: Final = ("AccessKey ID", "AccessKey secret", "security token")
_PORTS: Final = {"http": 80, "https": 443}
_METADATA_REMEDIES: Final = {
    403: "the metadata service refuses: is it in hardened mode, and are metadata tokens kept from this process?",
    404: "no RAM role of this name is attached to this instance",
}

_asking = threading.local()


def ask(source: EcsRamRole | OidcRole | CredentialsUri) -> Credentials:
    """Return credentials, just given. Raises the classes that ``CredentialsReader.read`` does."""
    match source:
        case EcsRamRole():
            return obtain(str(source), lambda: ecs_provider(source), _METADATA_REMEDIES)
        case OidcRole():
            return obtain(str(source), lambda: _oidc_provider(source), {})
        case CredentialsUri():
            return obtain(str(source), lambda: URLCredentialsProvider(uri=_with_port(source.uri)), {})


def assume(role: AssumedRole, basis: Credentials) -> Credentials:
    """Return credentials of the role, just given for those of ``basis``. Raises as ``ask``."""
    provider = _assuming_provider(role, basis)
    given = obtain(f"{role}, with AccessKey {basis.access_key_id} of {basis.origin}", lambda: provider, {})
    return replace(given, origin=f"{role} with {basis.origin}")


def ecs_provider(source: EcsRamRole) -> EcsRamRoleCredentialsProvider:
    """Return what asks the metadata service, without a thread of its own."""
    return EcsRamRoleCredentialsProvider(
        role_name=source.role_name or "", disable_imds_v1=source.disable_imds_v1, async_update_enabled=False
    )


def obtain(name: str, make: Callable[[], Any], remedies: dict[int, str]) -> Credentials:
    """
    Return what a provider of the library gives, with ``name`` as its origin.

    Raises as ``ask``; OSSInvalidConnection for what cannot be sent.
    """
    with _silence():
        try:
            given = make().get_credentials()
        except _RAISED as error:
            raise failure(name, error, remedies) from None  # its text may hold secrets
    found = Credentials(
        given.get_access_key_id(),
        given.get_access_key_secret(),
        given.get_security_token() or None,
        given.get_expiration(),
        origin=name,
    )
    check_sendable(found, *(f"{name}: the {part} it gave" for part in _PARTS))
    return found


def _oidc_provider(source: OidcRole) -> OIDCRoleArnCredentialsProvider:
    return OIDCRoleArnCredentialsProvider(
        oidc_provider_arn=source.provider_arn, oidc_token_file_path=source.token_file, **_session(source.session)
    )


def _assuming_provider(role: AssumedRole, basis: Credentials) -> RamRoleArnCredentialsProvider:
    key = {"access_key_id": basis.access_key_id, "access_key_secret": basis.access_key_secret}
    if basis.security_token:
        given = StaticSTSCredentialsProvider(**key, security_token=basis.security_token)
    else:
        given = StaticAKCredentialsProvider(**key)
    return RamRoleArnCredentialsProvider(
        credentials_provider=given, external_id=role.external_id, **_session(role.session)
    )


def _session(session: RoleSession) -> dict[str, Any]:
    return {
        "role_arn": session.role_arn,
        "role_session_name": session.session_name,
        "duration_seconds": session.duration_seconds,
        "policy": session.policy,
        "sts_endpoint": session.sts_endpoint,
        "http_options": HttpOptions(proxy=session.proxy),
    }


def _with_port(uri: str) -> str:
    """Return the URI with its port: the library makes ``:None`` of one that is left out."""
    parts = urlsplit(uri)
    if parts.port is not None:
        return uri
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{_PORTS[parts.scheme]}"))


@contextmanager
def _silence() -> Iterator[None]:
    """Log nothing from the library, or from what it sends requests with, in this thread: our errors say enough."""
    of_modules = [name for name in logging.root.manager.loggerDict if name.startswith("alibabacloud_credentials.")]
    for name in (*_LOGGERS, *of_modules):
        logging.getLogger(name).addFilter(_is_not_asking)
    _asking.now = True
    try:
        yield
    finally:
        _asking.now = False


def _is_not_asking(_: logging.LogRecord) -> bool:
    return not getattr(_asking, "now", False)


log = Log(__name__)

_CLI_FILE: Final = ".aliyun/config.json"
_INI_FILE: Final = ".alibabacloud/credentials.ini"


class _Link(NamedTuple):
    ask: Callable[[], Credentials]
    is_set_up: bool = True
    """Asked only where somebody has set it up: while it is out of order no other identity stands in for it."""


class Chain:
    """
    Asks each in turn; the first that answers is the only one that is asked from then on.

    One that nobody has set up raises OSSInvalidConnection, and is passed over without a word in the log.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._links = [
            _Link(lambda: _environment_key(environment)),
            _Link(lambda: ask(oidc_role({}, environment))),
            _Link(lambda: _cli_profile(environment)),
            _Link(lambda: _ini_profile(environment)),
            _Link(lambda: ask(ecs_ram_role({}, environment)), is_set_up=False),
            _Link(lambda: ask(credentials_uri({}, environment))),
        ]

    def ask(self) -> Credentials:
        """Return the credentials of the first that has some. Raises what ``CredentialsReader.read`` does."""
        failures: list[OSSProviderError] = []
        for link in self._links:
            try:
                found = link.ask()
            except (OSSInvalidConnection, OSSCredentialsRefused) as error:
                failures.append(error)
            except OSSProviderError as error:
                failures.append(error)
                if link.is_set_up:
                    raise type(error)(_joined(failures)) from None
            else:
                self._links = [link]
                _log_passed_over(failures, found)
                return replace(found, origin=f"default: {found.origin}")
        # Where one of them may answer later it is worth waiting
        is_transient = any(isinstance(error, OSSTransientError) for error in failures)
        kind = OSSCredentialsUnavailable if is_transient else OSSCredentialsRefused
        raise kind(_joined(failures))


def _joined(failures: list[OSSProviderError]) -> str:
    return "default: " + "; ".join(error.message for error in failures)


def _log_passed_over(failures: list[OSSProviderError], taken: Credentials) -> None:
    if failed := [error for error in failures if not isinstance(error, OSSInvalidConnection)]:
        log.warning("%s; passed over, %s is taken", _joined(failed), taken.origin)


class _CliProfile(CLIProfileCredentialsProvider):  # type: ignore[misc]  # it has no types
    """The profiles of the command line tool; an ECS role is asked without a thread of its own."""

    def chosen(self, config: Any, name: str) -> Any:
        """Return what the profile says has to be asked: only that knows when its credentials expire."""
        return self._get_credentials_provider(config, name)

    def _get_credentials_provider(self, config: Any, profile_name: Any) -> Any:
        for profile in config.get("profiles", []):
            if profile.get("name") == profile_name and profile.get("mode") == "EcsRamRole":
                return ecs_provider(EcsRamRole(profile.get("ram_role_name")))
        return super()._get_credentials_provider(config, profile_name)


class _IniProfile(ProfileCredentialsProvider):  # type: ignore[misc]  # as above
    """A section of the credentials file; an ECS role is asked without a thread of its own."""

    chosen: Any = None

    def get_credentials(self) -> Any:
        """Return what the section says has to be asked gives: only that knows when its credentials expire."""
        super().get_credentials()
        return self.chosen.get_credentials()

    def _get_credentials_provider(self, section: Any) -> Any:
        if section.get("type") == "ecs_ram_role":
            self.chosen = ecs_provider(EcsRamRole(section.get("role_name")))
        else:
            self.chosen = super()._get_credentials_provider(section)
        return self.chosen


def _environment_key(environment: Mapping[str, str]) -> Credentials:
    try:
        credentials_in(environment)
    except OSSInvalidConnection as error:  # it is there, and cannot be used
        raise OSSCredentialsRefused(error.message) from None
    return environment_key(environment)


def _cli_profile(environment: Mapping[str, str]) -> Credentials:
    if is_true(environment, "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"):
        raise OSSInvalidConnection("cli_profile: ALIBABA_CLOUD_CLI_PROFILE_DISABLED is set")
    file = _in_home(environment, _CLI_FILE)
    _check_there("cli_profile", file)
    try:
        config = json.loads(Path(file).read_text(encoding="utf-8"))
        profile = environment.get("ALIBABA_CLOUD_PROFILE") or config["current"]
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no configuration of the command line tool"
        raise OSSCredentialsRefused(f"cli_profile ({file}): {reason}") from None  # the text may hold secrets
    return obtain(f"cli_profile ({file})", lambda: _CliProfile(profile_name=profile).chosen(config, profile), {})


def _ini_profile(environment: Mapping[str, str]) -> Credentials:
    file = environment.get("ALIBABA_CLOUD_CREDENTIALS_FILE") or _in_home(environment, _INI_FILE)
    _check_there("profile", file)
    section = environment.get("ALIBABA_CLOUD_PROFILE") or "default"
    return obtain(f"profile ({file})", lambda: _IniProfile(profile_name=section, profile_file=file), {})


def _check_there(name: str, file: str) -> None:
    try:
        Path(file).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OSSInvalidConnection(f"{name} ({file}): {error.strerror}") from None
    except OSError:  # whoever reads it will say what is wrong
        pass


def _in_home(environment: Mapping[str, str], path: str) -> str:
    return f"{environment.get('HOME', '')}/{path}"
