"""Finding a secret in whatever a run left behind: as it is, and as programs write it for URLs, HTTP, JSON or dumps."""

from __future__ import annotations

import base64
import html
import json
import zlib
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def disguises(secret: str) -> frozenset[bytes]:
    """Return every form under which the secret, alone or inside something longer, may have been written down."""
    plain = secret.encode()
    escaped = {quote(secret, safe=""), quote(secret), quote_plus(secret), quote(quote(secret, safe=""), safe="")}
    escaped |= {json.dumps(secret)[1:-1], html.escape(secret), plain.hex(), plain.hex(" ")}
    spellings = {spelling.encode() for text in escaped for spelling in (text, text.lower(), text.upper())}
    return frozenset({plain, *spellings, *_in_base64(plain)})


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield what the bytes become at each of the three places at which they may begin inside a longer text."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        whole = encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]  # digits that hold nothing else
        yield from (whole, whole.translate(bytes.maketrans(b"+/", b"-_")))


def find(secrets: dict[str, str], value: object) -> set[str]:
    """Return the names of the secrets that are in a text, in bytes, or in bytes that zlib has packed."""
    data = value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")
    data += _unpacked(data)
    return {name for name, secret in secrets.items() if any(form in data for form in disguises(secret))}


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""
