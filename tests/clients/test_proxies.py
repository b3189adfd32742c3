"""What is understood of a proxy's URL, and what of it is secret."""

from __future__ import annotations

import pytest

from airflow_provider_oss.clients.settings import parse_proxy, secrets_of_proxies


@pytest.mark.parametrize(
    ("url", "host", "port", "auth"),
    [
        ("http://proxy:3128", "proxy", 3128, None),
        ("http://proxy/", "proxy", 80, None),
        ("https://user:p%40ss@proxy", "proxy", 443, "user:p%40ss"),
        ("http://[::1]:3128", "[::1]", 3128, None),
    ],
)
def test_proxy(url: str, host: str, port: int, auth: str | None) -> None:
    """The port is the scheme's unless it is given."""
    parts = parse_proxy(url)
    assert (parts.host, parts.port, parts.auth) == (host, port, auth)


@pytest.mark.parametrize("url", ["ftp://proxy", "http://", "http://u:1#x@proxy", "http://u:x/@proxy", "http://proxy/a"])
def test_url_of_no_proxy(url: str) -> None:
    """The error does not show it."""
    with pytest.raises(ValueError, match=r"^no http\(s\)://host:port; percent-encode its password$"):
        parse_proxy(url)


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://proxy:3128", []),
        ("http://user@proxy:3128", []),
        ("http://user:plain@proxy:3128", ["plain"]),
        ("http://user:p%40ss@proxy:3128", ["p%40ss", "p@ss"]),
        ("http://user:p@ss:w@proxy:3128", ["p@ss:w"]),
    ],
)
def test_secrets_of_a_proxy(url: str, secrets: list[str]) -> None:
    """A password is one as it is written and as it is sent."""
    assert secrets_of_proxies([url]) == secrets
