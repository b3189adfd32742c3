"""
CRC-64 as OSS computes it (x-oss-hash-crc64ecma): the algorithm catalogued as CRC-64/XZ.

The speed matters (6.7 GB/s here against 0.37 for crcmod): it is what makes verifying everything affordable.
"""

from functools import lru_cache
from typing import Final

from fastcrc import crc64 as fast

from airflow_provider_oss.file_range import FileRange

EMPTY: Final = 0
"""CRC-64 of no bytes."""

_POLYNOMIAL: Final = 0xC96C5795D7870F42  # 0x42F0E1EBA9EA3693 with its bits reflected
_ONE: Final = 1 << 63  # x^0 in reflected order
_X_TO_THE_8: Final = _ONE >> 8


def crc64(data: bytes | bytearray | memoryview | FileRange, previous: int = EMPTY) -> int:
    """Return the CRC-64 of all bytes seen so far: those behind ``previous``, then ``data``."""
    if not isinstance(data, FileRange):
        return fast.xz(data, previous)
    for block in data.blocks():
        previous = fast.xz(block, previous)
    return previous


def combine(first: int, second: int, second_length_bytes: int) -> int:
    """Return the CRC-64 of two adjacent blocks, given the CRC-64 of each and the length of the second."""
    return _multiply(_power_of_x8(second_length_bytes), first) ^ second


@lru_cache(maxsize=64)
def _power_of_x8(exponent: int) -> int:
    """x^(8 * exponent) modulo the polynomial: what appending ``exponent`` bytes does to a CRC."""
    result, base = _ONE, _X_TO_THE_8
    while exponent:
        if exponent & 1:
            result = _multiply(result, base)
        base = _multiply(base, base)
        exponent >>= 1
    return result


def _multiply(left: int, right: int) -> int:
    product = 0
    bit = _ONE
    while bit:
        if left & bit:
            product ^= right
        right = (right >> 1) ^ _POLYNOMIAL if right & 1 else right >> 1
        bit >>= 1
    return product
