"""
Which credentials, or which source of them, the fields of a connection and the environment mean. Pure.

The environment has an AccessKey under the names that the SDKs give it. Credentials with a line break or the like cannot
be sent, and http.client would show them in its error: they are refused here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from airflow_provider_oss.clients.credentials.sources import (
    AssumedRole,
    Basis,
    Credentials,
    CredentialSource,
    CredentialsUri,
    DefaultChain,
    EcsRamRole,
    OidcRole,
    RoleSession,
)
from airflow_provider_oss.exceptions import OSSInvalidConnection

_SENDABLE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


def check_sendable(credentials: Credentials, id_name: str, secret_name: str, token_name: str) -> None:
    """Raise OSSInvalidConnection, by the name that a part has where it comes from, unless all can be sent."""
    _check(id_name, credentials.access_key_id)
    _check(secret_name, credentials.access_key_secret)
    if credentials.security_token is not None:
        _check(token_name, credentials.security_token)


def _check(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
        raise OSSInvalidConnection(
            f"{name} has a line break, a space at its end or another character that no AccessKey has: give it anew, "
            "with nothing before or after it"
        )


_NAMES: Final = (
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
)
PAIRS: Final = " or ".join(f"{id_name} and {secret_name}" for id_name, secret_name, _ in _NAMES)
"""What must be set, in words."""


def credentials_in(environment: Mapping[str, str]) -> Credentials | None:
    """
    Return the first whole pair, with its token if there is one; no half is mixed with another's.

    Raises OSSInvalidConnection for what cannot be sent.
    """
    for id_name, secret_name, token_name in _NAMES:
        key_id, secret = environment.get(id_name), environment.get(secret_name)
        if key_id and secret:
            found = Credentials(key_id, secret, environment.get(token_name) or None, origin="environment")
            check_sendable(found, id_name, secret_name, token_name)
            return found
    return None


def is_true(environment: Mapping[str, str], name: str) -> bool:
    """Whether a variable says true, as the library reads it."""
    return environment.get(name, "").lower() == "true"


_SESSION_FIELDS: Final = ("role_arn", "role_session_name", "role_session_duration", "role_policy", "sts_endpoint")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "static": ("security_token",),
    "environment": (),
    "ecs_ram_role": ("role_name", "disable_imds_v1"),
    "oidc_role": ("oidc_provider_arn", "oidc_token_file", *_SESSION_FIELDS),
    "assume_role": ("assume_role_source", "external_id", *_SESSION_FIELDS),
    "credentials_uri": ("credentials_uri",),
    "default": (),
}
"""The extras that each credential_source has; that of assume_role has those of its own source too."""
_ALL_FIELDS: Final = frozenset(name for names in _FIELDS.values() for name in names)
_SESSION_NAME: Final = "airflow-provider-oss"
_SESSION_SECONDS: Final = 3600


def credentials_from(
    login: str | None, password: str | None, extra: Mapping[str, Any], environment: Mapping[str, str]
) -> Credentials | CredentialSource:
    """
    Return what the connection says; what it leaves out is taken from the environment, under the library's names.

    ``extra`` follows the schema. Raises OSSInvalidConnection that names a field that is missing, or given for nothing.
    """
    kind = extra.get("credential_source", "static")
    basis_kind = extra.get("assume_role_source", "static") if kind == "assume_role" else kind
    _check_nothing_is_idle(kind, basis_kind, login, extra)
    if kind != "assume_role":
        return _basis(kind, login, password, extra, environment)
    if basis_kind == "oidc_role":
        _check_both_roles(extra, environment)
    basis = _basis(basis_kind, login, password, _without_session(extra), environment)
    # With RRSA the variable names the role that the OIDC token is for, not the one to assume with it
    known = environment if basis_kind != "oidc_role" else {}
    return AssumedRole(_session(extra, known, environment), basis, extra.get("external_id"))


def _check_both_roles(extra: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    if not environment.get("ALIBABA_CLOUD_ROLE_ARN"):
        raise OSSInvalidConnection(
            "ALIBABA_CLOUD_ROLE_ARN is not set: it names the role that the OIDC token is for (role_arn is the one to "
            "assume)"
        )
    if not extra.get("role_arn"):
        raise OSSInvalidConnection(
            "extra field role_arn is missing: with assume_role_source 'oidc_role' the connection must name the role to "
            "assume"
        )


def _without_session(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what belongs to the role that is assumed; an OIDC role as its basis is that of the environment."""
    return {name: value for name, value in extra.items() if name not in _SESSION_FIELDS or name == "sts_endpoint"}


def _check_nothing_is_idle(kind: str, basis_kind: str, login: str | None, extra: Mapping[str, Any]) -> None:
    used = {*_FIELDS[kind], *_FIELDS[basis_kind]}
    described = repr(kind) if kind == basis_kind else f"{kind!r} from {basis_kind!r}"
    for name in sorted(_ALL_FIELDS & set(extra) - used):
        owners = " or ".join(repr(owner) for owner, names in _FIELDS.items() if name in names)
        raise OSSInvalidConnection(
            f"extra field {name} is given, but credential_source is {described}: clear it, or set credential_source to "
            f"{owners}"
        )
    if login and basis_kind != "static":
        raise OSSInvalidConnection(
            f"login (AccessKey ID) is given, but credential_source is {described}: clear it, or set it to 'static'"
        )


def _basis(
    kind: str, login: str | None, password: str | None, extra: Mapping[str, Any], environment: Mapping[str, str]
) -> Basis:
    match kind:
        case "static":
            return _static(login, password, extra)
        case "environment":
            return environment_key(environment)
        case "ecs_ram_role":
            return ecs_ram_role(extra, environment)
        case "oidc_role":
            return oidc_role(extra, environment)
        case "credentials_uri":
            return credentials_uri(extra, environment)
        case _:
            return DefaultChain()


def _static(login: str | None, password: str | None, extra: Mapping[str, Any]) -> Credentials:
    if not login:
        raise OSSInvalidConnection("login (AccessKey ID) is missing: give it, or another credential_source")
    if not password:
        raise OSSInvalidConnection("password (AccessKey secret) is missing")
    found = Credentials(login, password, extra.get("security_token"))
    check_sendable(found, "login (AccessKey ID)", "password (AccessKey secret)", "extra field security_token")
    return found


def environment_key(environment: Mapping[str, str]) -> Credentials:
    """Return the AccessKey of the environment. Raises OSSInvalidConnection."""
    if (found := credentials_in(environment)) is None:
        raise OSSInvalidConnection(f"credential_source 'environment': this process has not {PAIRS} set")
    return found


def ecs_ram_role(extra: Mapping[str, Any], environment: Mapping[str, str]) -> EcsRamRole:
    """Return whom to ask on an ECS instance. Raises OSSInvalidConnection where the environment forbids it."""
    if is_true(environment, "ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        raise OSSInvalidConnection("credential_source 'ecs_ram_role': ALIBABA_CLOUD_ECS_METADATA_DISABLED is set")
    return EcsRamRole(
        extra.get("role_name") or environment.get("ALIBABA_CLOUD_ECS_METADATA") or None,
        extra.get("disable_imds_v1", is_true(environment, "ALIBABA_CLOUD_IMDSV1_DISABLED")),
    )


def oidc_role(extra: Mapping[str, Any], environment: Mapping[str, str]) -> OidcRole:
    """Return the role that an OIDC token is for. Raises OSSInvalidConnection when something is missing."""
    return OidcRole(
        _session(extra, environment, environment),
        _required(extra, environment, "oidc_provider_arn", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
        _required(extra, environment, "oidc_token_file", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
    )


def credentials_uri(extra: Mapping[str, Any], environment: Mapping[str, str]) -> CredentialsUri:
    """Return which service to ask. Raises OSSInvalidConnection when there is none, or it cannot be one."""
    variable = "ALIBABA_CLOUD_CREDENTIALS_URI"
    uri = _required(extra, environment, "credentials_uri", variable)
    if not _is_service(uri):
        name = "extra field credentials_uri" if extra.get("credentials_uri") else variable
        raise OSSInvalidConnection(
            f"{name} is no URI of a service: it must look like http://127.0.0.1:6666/credentials"
        )
    return CredentialsUri(uri)


def _is_service(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        is_port = parts.port != 0
    except ValueError:
        return False
    is_printable = uri.isascii() and uri.isprintable() and " " not in uri
    return is_printable and is_port and parts.scheme in ("http", "https") and bool(parts.hostname)


def _session(extra: Mapping[str, Any], roles: Mapping[str, str], environment: Mapping[str, str]) -> RoleSession:
    policy = extra.get("role_policy")
    return RoleSession(
        _required(extra, roles, "role_arn", "ALIBABA_CLOUD_ROLE_ARN"),
        extra.get("role_session_name") or environment.get("ALIBABA_CLOUD_ROLE_SESSION_NAME") or _SESSION_NAME,
        extra.get("role_session_duration", _SESSION_SECONDS),
        json.dumps(policy) if isinstance(policy, dict) else policy,
        extra.get("sts_endpoint") or _sts_endpoint(environment),
        _https_proxy(extra),
    )


def _sts_endpoint(environment: Mapping[str, str]) -> str:
    region = environment.get("ALIBABA_CLOUD_STS_REGION")
    prefix = "sts-vpc" if is_true(environment, "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED") else "sts"
    return f"{prefix}.{region}.aliyuncs.com" if region else "sts.aliyuncs.com"


def _https_proxy(extra: Mapping[str, Any]) -> str | None:
    return cast("str | None", extra.get("proxies", {}).get("https"))


def _required(extra: Mapping[str, Any], environment: Mapping[str, str], field: str, variable: str) -> str:
    if found := extra.get(field) or environment.get(variable):
        return cast("str", found)
    raise OSSInvalidConnection(
        f"extra field {field} is missing: its credential_source needs it, or {variable} to be set"
    )
