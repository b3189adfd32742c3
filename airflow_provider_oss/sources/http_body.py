"""The body of an HTTP answer: its bytes as they were sent, and whether all of them came."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from airflow_provider_oss.exceptions import OSSInvalidSource, OSSSourceUnavailable
from airflow_provider_oss.limits import MIB

if TYPE_CHECKING:
    from requests import Response

    from airflow_provider_oss.sources.http_request import HttpRequest

_READ_BYTES: Final = 256 * 1024
_MAX_INFLATED_BYTES: Final = MIB
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
"""zlib finds out by itself which header it is."""


def body_of(response: Response, request: HttpRequest) -> Iterator[bytes]:
    """
    Yield the body as it was sent, still compressed if it is.

    Raises OSSSourceUnavailable when it ends before its Content-Length or its last chunk.
    """
    from urllib3.exceptions import HTTPError

    expected = response.headers.get("Content-Length", "")
    received_bytes = 0
    try:
        for chunk in response.raw.stream(_READ_BYTES, decode_content=False):
            received_bytes += len(chunk)
            yield chunk
    except (HTTPError, OSError) as error:
        problem = request.broke_off(error)
    else:
        if not expected.isdigit() or received_bytes == int(expected):
            return
        problem = OSSSourceUnavailable(f"{request.name} broke off after {received_bytes} of {expected} bytes")
    raise problem


def check_end_is_marked(response: Response, name: str) -> None:
    """Raise OSSInvalidSource when an answer that breaks off could not be told from one that ends."""
    headers = response.headers
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", "").lower():
        raise OSSInvalidSource(
            f"{name} tells neither a length nor chunks, so an answer that breaks off looks like one that ends: let the "
            "server send Content-Length, or set trust_connection_close=True and accept that it may be cut short"
        )


def decompressed(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """
    Yield what a gzip or deflate stream holds, in pieces of at most 1 MiB.

    Raises OSSSourceUnavailable when it ends before its own end, OSSInvalidSource for another encoding or what is none.
    """
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        raise OSSInvalidSource(f"{name}: Content-Encoding {encoding!r} cannot be decompressed: leave decompress out")
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    at_beginning = True
    try:
        for chunk in chunks:
            waiting = chunk
            while waiting:
                if inflater.eof:  # gzip members may follow each other
                    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
                if piece := inflater.decompress(waiting, _MAX_INFLATED_BYTES):
                    yield piece
                waiting = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            at_beginning = False
        while not inflater.eof and (piece := inflater.decompress(b"", _MAX_INFLATED_BYTES)):
            yield piece
    except zlib.error as error:
        raise OSSInvalidSource(f"{name} is not what its Content-Encoding {encoding!r} says: {error}") from error
    if not inflater.eof and not at_beginning:
        raise OSSSourceUnavailable(f"{name} broke off inside its Content-Encoding {encoding!r}")
