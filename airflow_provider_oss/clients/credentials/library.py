"""
What is used of alibabacloud-credentials, and what has to be kept away from it. Importing this imports it (0.5 s).

Its objects are made for one question each. Left to itself it would start a thread for each ECS role, go on with expired
credentials while a renewal fails, and write the answers of services and the URLs of requests into the log. Limits that
stay: it takes a proxy from HTTP_PROXY and HTTPS_PROXY and nothing from NO_PROXY, and certificate authorities from
SSL_CERT_FILE beside its own.
"""

from __future__ import annotations

import configparser
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    OIDCRoleArnCredentialsProvider,
    RamRoleArnCredentialsProvider,
    StaticAKCredentialsProvider,
    StaticSTSCredentialsProvider,
    URLCredentialsProvider,
)
from Tea.exceptions import RetryError, TeaException

from airflow_provider_oss.clients.credentials.checking import check_sendable
from airflow_provider_oss.clients.credentials.failures import failure
from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Credentials,
    CredentialsUri,
    EcsRamRole,
    OidcRole,
    RoleSession,
)

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
    """Return credentials, just given. Raises the classes that ``SourceReader.read`` does."""
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
    """Let nothing be logged by the library, nor by what it sends requests with, in this thread: our errors tell."""
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
