"""Credentials and sources of credentials, as an Airflow connection describes them: frozen data, nobody asked yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AccessKey, with a security token if it is a temporary one. Neither secret nor token is shown by ``repr``."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    """Seconds since the epoch; None when it is not known."""
    origin: str = field(default="static", compare=False)
    """Who gave them, for messages: a ``credential_source``, with what distinguishes it."""


@dataclass(frozen=True, slots=True)
class EcsRamRole:
    """The RAM role of the ECS instance that this process runs on, by the instance's metadata service."""

    role_name: str | None = None
    """None: the metadata service is asked which role the instance has."""
    disable_imds_v1: bool = False
    """Never ask without a metadata token, not even when none can be had."""

    def __str__(self) -> str:
        return f"ecs_ram_role ({self.role_name or 'the role of this instance'})"


@dataclass(frozen=True, slots=True)
class RoleSession:
    """What is asked of STS, whichever way."""

    role_arn: str
    session_name: str
    duration_seconds: int
    policy: str | None
    """Narrows what the session may do, as JSON."""
    sts_endpoint: str
    """Host, with a port if need be; always spoken to by HTTPS."""
    proxy: str | None = field(default=None, repr=False)
    """A URL that may hold a password."""


@dataclass(frozen=True, slots=True)
class OidcRole:
    """A role that STS gives for an OIDC token: RRSA on ACK."""

    session: RoleSession
    provider_arn: str
    token_file: str
    """Read anew each time: Kubernetes replaces the token in it."""

    def __str__(self) -> str:
        return f"oidc_role ({self.session.role_arn})"


@dataclass(frozen=True, slots=True)
class CredentialsUri:
    """A service, usually beside the worker, that answers with credentials. Its query may hold a secret."""

    uri: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.uri)
        return f"credentials_uri ({parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path})"


@dataclass(frozen=True, slots=True)
class DefaultChain:
    """The first of the library's default chain that has credentials; asked again, the same one is asked."""

    def __str__(self) -> str:
        return "default"


Basis: TypeAlias = Credentials | EcsRamRole | OidcRole | CredentialsUri | DefaultChain
"""Whose credentials a role is assumed with."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role that STS gives to whoever has other credentials."""

    session: RoleSession
    basis: Basis
    external_id: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"assume_role ({self.session.role_arn})"


CredentialSource: TypeAlias = EcsRamRole | OidcRole | AssumedRole | CredentialsUri | DefaultChain
"""What has to be asked for credentials, and asked again before they expire. ``str`` names it without a secret."""


def secrets_of(given: Credentials | CredentialSource) -> list[str]:
    """Return what no log may show of credentials or of a source of them."""
    match given:
        case Credentials():
            return [secret for secret in (given.access_key_secret, given.security_token) if secret]
        case AssumedRole():
            return secrets_of(given.basis)
        case CredentialsUri():
            parts = urlsplit(given.uri)
            return [secret for secret in (parts.query, parts.password) if secret]
        case _:
            return []
