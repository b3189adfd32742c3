"""The URLs of proxies, which may hold a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

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
    """Return what no log may show of them: passwords, as they are written and as the proxy is told them."""
    written = [url.partition("://")[2].rpartition("@")[0].partition(":")[2] for url in urls]
    return [secret for password in written if password for secret in dict.fromkeys((password, unquote(password)))]
