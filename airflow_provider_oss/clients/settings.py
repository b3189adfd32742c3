"""
Everything a client needs to know to talk to OSS, made from an Airflow connection by ``hooks.connection``.

Endpoint and addressing style lead to the URLs of objects. URLs of proxies may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_oss.clients.credentials.sources import Credentials, CredentialSource
from airflow_provider_oss.exceptions import OSSInvalidConnection

if TYPE_CHECKING:
    from urllib3.util import Url


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_proxy(url: str) -> Url:
    """Return the parts, with the port. Raises ValueError, which does not show the URL, when it leads to no proxy."""
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
    except ValueError:
        parts = None
    # A password with # or / in it ends the host's name before the host begins
    has_more = parts is not None and (parts.path not in (None, "/") or parts.query or parts.fragment)
    if parts is None or has_more or not parts.host or parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("no http(s)://host:port; percent-encode its password")
    return parts._replace(port=parts.port or _DEFAULT_PORTS[parts.scheme])


def secrets_of_proxies(urls: Iterable[str]) -> list[str]:
    """Return what no log may show of them: passwords, as they are written and as they are sent to the proxy."""
    written = [url.partition("://")[2].rpartition("@")[0].partition(":")[2] for url in urls]
    return [secret for password in written if password for secret in dict.fromkeys((password, unquote(password)))]


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


_HOST: Final = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.]+\]")
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}
"""Keys that a client would resolve as the path of a directory, if they were not escaped."""


class Addressing:
    """
    Makes the URLs of objects.

    The bucket is part of the host name (virtual-hosted style), or of the path where ``addressing_style`` says so or the
    host is an IP address or localhost; with ``cname`` the host alone stands for it. Raises OSSInvalidConnection for an
    endpoint that cannot be one.
    """

    def __init__(self, settings: ClientSettings) -> None:
        parts = urlsplit(settings.endpoint)
        host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
        if not _HOST.fullmatch(host):
            raise OSSInvalidConnection(f"endpoint {settings.endpoint!r} cannot be used: it is no host name")
        self._scheme, self._netloc = parts.scheme, parts.netloc
        self._style = "path" if _is_local(host) else settings.addressing_style

    def url(self, bucket: str, key: str) -> str:
        """Return the URL of an object, for no key of the bucket. Slashes are escaped too: a path has no ``..``."""
        path = _DOTS.get(key) or quote(key).replace("/", "%2F")  # with safe="" quote takes three times as long
        return self._bucket_url(bucket) + path

    def _bucket_url(self, bucket: str) -> str:
        if self._style == "cname" or not bucket:
            return f"{self._scheme}://{self._netloc}/"
        if self._style == "path":
            return f"{self._scheme}://{self._netloc}/{bucket}/"
        return f"{self._scheme}://{bucket}.{self._netloc}/"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
