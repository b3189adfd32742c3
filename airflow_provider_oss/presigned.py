"""What makes a presigned URL valid. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

_SECRET_PARAMETERS: Final = ("x-oss-signature", "Signature", "x-oss-security-token", "security-token")
"""Of signature versions 4 and 1 (OSS: "Include signatures in URLs")."""


def secrets_of_url(url: str) -> set[str]:
    """Return the signature, and the security token if there is one, in each form that a program may write down."""
    found: set[str] = set()
    for parameter in urlsplit(url).query.split("&"):
        name, _, written = parameter.partition("=")
        if name in _SECRET_PARAMETERS:
            value = unquote(written)
            found |= {written, value, quote(value), quote(value, safe="")}
    return found
