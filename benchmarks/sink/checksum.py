"""CRC-64 of adjacent blocks, from the CRC-64 of each: what an object made of parts has."""

from functools import cache
from typing import Final

_POLYNOMIAL: Final = 0xC96C5795D7870F42
_BITS: Final = 64

Matrix = tuple[int, ...]
"""A linear map on CRC values: the images of the 64 single bits."""


def combine(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC-64/XZ of two adjacent blocks, given the CRC-64 of each and the size of the second."""
    return _apply(_appending_zeros(second_size_bytes), first) ^ second


@cache
def _appending_zeros(size_bytes: int) -> Matrix:
    """Return what that many zero bytes behind a block do to its CRC: a matrix, by squaring as zlib does it."""
    identity = tuple(1 << bit for bit in range(_BITS))
    one_bit: Matrix = (_POLYNOMIAL, *identity[:-1])
    result, power, bits = identity, one_bit, size_bytes * 8
    while bits:
        if bits & 1:
            result = tuple(_apply(power, column) for column in result)
        power = tuple(_apply(power, column) for column in power)
        bits >>= 1
    return result


def _apply(matrix: Matrix, value: int) -> int:
    image = 0
    for bit in range(value.bit_length()):
        if value >> bit & 1:
            image ^= matrix[bit]
    return image
