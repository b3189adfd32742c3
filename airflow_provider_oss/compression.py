"""
Compression of a stream on its way, with the same bytes in every run: a retried task compares them with what OSS holds.

What goes in is cut into blocks of one size, so that the chunks in which a source happens to give its bytes leave no
trace; gzip has no time and no name in its header; levels are fixed and zstd works in one thread. The bytes are the same
as long as the library (zlib, zstd) is; with another release of it they may differ, and then the parts are sent again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument

_SUFFIXES: Final = {"gzip": ".gz", "zstd": ".zst"}
_BLOCK_BYTES: Final = 256 * 1024
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3
_GZIP_WINDOW_BITS: Final = 31
"""The largest window of zlib (15), in gzip's format (16 more)."""


def check_compression(compression: str | None) -> None:
    """Raise OSSInvalidArgument unless it is None or one that is known, and installed."""
    if compression is not None and compression not in _SUFFIXES:
        raise OSSInvalidArgument(f"compression={compression!r} is not known: use None, 'gzip' or 'zstd'")
    if compression == "zstd":
        _zstandard()


def suffix(compression: str | None) -> str:
    """Return what a file so compressed is called at its end: ``.gz``, ``.zst``, or nothing for None."""
    check_compression(compression)
    return "" if compression is None else _SUFFIXES[compression]


def content_encoding(compression: str | None, key: str) -> str | None:
    """
    Return the Content-Encoding of an object of this name: the names are HTTP's own (RFC 9110, RFC 8878).

    One whose name ends in the compression's suffix is a compressed file and has none; any other is a file that travels
    compressed, which HTTP clients decompress.
    """
    return None if key.endswith(suffix(compression)) else compression


def compressed(chunks: Iterable[bytes], compression: str | None) -> Iterator[bytes]:
    """
    Return the stream compressed, in constant memory; with None as it is.

    The result is one gzip member, or one zstd frame with a checksum, and depends only on the bytes that go in. What
    ``chunks`` raises is passed on, and then the compressed stream has no end that a decompressor would accept.
    Raises OSSInvalidArgument at once when the compression is not known or not installed.
    """
    check_compression(compression)
    if compression is None:
        return iter(chunks)
    return _through(_compressor(compression), chunks)


def _through(compressor: Any, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for block in _blocks(chunks):
        if data := compressor.compress(block):
            yield data
    yield compressor.flush()


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut into blocks of one size; only the last one may be shorter."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        whole = len(pending) - len(pending) % _BLOCK_BYTES
        for start in range(0, whole, _BLOCK_BYTES):
            yield bytes(pending[start : start + _BLOCK_BYTES])
        del pending[:whole]
    if pending:
        yield bytes(pending)


def _compressor(compression: str) -> Any:
    if compression == "gzip":
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    return _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, threads=0, write_checksum=True).compressobj()


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise OSSInvalidArgument(
            "compression='zstd' needs the package zstandard: install airflow-provider-oss with the extra zstd"
        ) from error
    return zstandard
