"""Checksums as OSS writes them: CRC-64/XZ with combination, MD5 in Base64, and the shapes of ETags. Pure."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_POLYNOMIAL: Final = 0xC96C5795D7870F42
"""0x42F0E1EBA9EA3693 with its bits reversed, as a reflected CRC uses it."""
_ONE: Final = 1 << 63
_MASK: Final = (1 << 64) - 1


def combine_crc64(crcs_and_sizes: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-64 of a concatenation, from the CRC-64 and the size in bytes of each piece, in order."""
    total = 0
    for crc, size in crcs_and_sizes:
        total = _multiply(_shift_operator(size), total) ^ crc
    return total


@lru_cache(maxsize=1024)
def _shift_operator(size: int) -> int:
    """x^(8*size) modulo the polynomial: multiplying a CRC by it appends ``size`` zero bytes."""
    result, square, bits = _ONE, _ONE >> 1, 8 * size
    while bits:
        if bits & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        bits >>= 1
    return result


def _multiply(left: int, right: int) -> int:
    """Multiply two reflected polynomials over GF(2), modulo the CRC's polynomial."""
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = (left << 1) & _MASK
        right = (right >> 1) ^ _POLYNOMIAL if right & 1 else right >> 1
    return product


def base64_text(digest: bytes) -> str:
    """Return a digest as it stands in a Content-MD5 header."""
    return base64.b64encode(digest).decode("ascii")


def multipart_etag(part_etags: Sequence[str]) -> str:
    """``<32 hex>-<number of parts>``: not an MD5 of the object, and opaque to clients."""
    digest = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in part_etags), usedforsecurity=False)
    return f"{digest.hexdigest().upper()}-{len(part_etags)}"


def append_etag(crc64: int) -> str:
    """32 hex digits that end in zeros, as OSS gives to appendable objects; opaque to clients."""
    return f"{crc64:016X}{'0' * 16}"
