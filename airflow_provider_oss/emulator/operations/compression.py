"""GZIP on the way out: which answers OSS compresses, and what their heads say then. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_oss.emulator.wire.http import Request, Response

_MIN_BYTES: Final = 1024
_CONTENT_TYPES: Final = frozenset(
    {
        "text/cache-manifest",
        "text/xml",
        "text/css",
        "text/html",
        "text/plain",
        "text/json",
        "application/javascript",
        "application/x-javascript",
        "application/json",
        "application/rss+xml",
    }
)
_ZERO_WEIGHT: Final = re.compile(r"q=0(\.0*)?")
_LEFT_OUT: Final = frozenset({"ETag", "Accept-Ranges"})
"""Headers that describe the object's own bytes. The Content-Length is left out as well."""


def compressed_if_asked(request: Request, response: Response) -> Response:
    """
    Return an answer with a whole object as OSS sends it to a client that takes GZIP.

    Compressed are texts of at least 1 KiB which have no Content-Encoding of their own; the rest is returned as it is.
    """
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_compressible = (
        response.status == 200  # noqa: PLR2004 - not a range
        and response.content_length >= _MIN_BYTES
        and content_type in _CONTENT_TYPES
        and "Content-Encoding" not in response.headers
    )
    if not is_compressible or not _takes_gzip(request.header("accept-encoding")):
        return response
    kept = {name: value for name, value in response.headers.items() if name not in _LEFT_OUT}
    headers = {**kept, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(response, headers=headers, is_gzipped=True)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of zero."""
    for item in accepted.lower().replace(" ", "").split(","):
        coding, _, weight = item.partition(";")
        if coding == "gzip":
            return _ZERO_WEIGHT.fullmatch(weight) is None
    return False
