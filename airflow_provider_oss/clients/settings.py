"""Everything a client needs to know to talk to OSS, made from an Airflow connection by ``hooks.connection``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource

SignatureVersion: TypeAlias = Literal["v1", "v4"]
AddressingStyle: TypeAlias = Literal["auto", "path", "virtual", "cname"]


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Where OSS is, who asks, and how long to wait."""

    endpoint: str
    """With scheme, without bucket: ``https://oss-cn-hangzhou.aliyuncs.com``."""
    credentials: Credentials | CredentialSource
    region: str | None
    """Such as ``cn-hangzhou``; needed by V4 signatures."""
    signature_version: SignatureVersion = "v4"
    addressing_style: AddressingStyle = "auto"
    """``auto``: virtual-hosted, but path style for an IP address or localhost."""
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0
    """Longest time in which nothing moves, in either direction; not a limit for a whole request."""
    verify: bool | str = True
    """TLS: True for the system's certificate authorities, a path for others, False for no check."""
    proxies: dict[str, str] = field(default_factory=dict, repr=False)
    """Scheme to proxy URL, as in requests. Not shown by ``repr``: a URL may hold a password."""
    default_bucket: str | None = None
