"""CRC-64 as OSS computes it, and how the CRC-64 of a whole follows from those of its parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.proof import EMPTY, combine, crc64


def test_the_check_value() -> None:
    """The nine digits have the value that the CRC catalogue gives for CRC-64/XZ."""
    assert crc64(b"123456789") == 0x995DC9BBDF1939FA


def test_all_kinds_of_bytes_are_taken() -> None:
    """Bytes, bytearrays and views of a slice have the same CRC-64."""
    data = b"0123456789"

    assert crc64(bytearray(data)) == crc64(memoryview(b"x" + data + b"x")[1:-1]) == crc64(data)


@given(first=st.binary(), second=st.binary())
def test_a_running_crc_is_that_of_all_bytes(first: bytes, second: bytes) -> None:
    """Going on from an earlier CRC-64 gives that of both blocks together."""
    assert crc64(second, crc64(first)) == crc64(first + second)


@given(blocks=st.lists(st.binary(max_size=50), max_size=10))
def test_combining_is_concatenating(blocks: list[bytes]) -> None:
    """The CRC-64 of a whole can be computed from those of its blocks and their lengths alone."""
    combined = EMPTY
    for block in blocks:
        combined = combine(combined, crc64(block), len(block))

    assert combined == crc64(b"".join(blocks))


def test_long_blocks_combine_too() -> None:
    """The length of a block may have many bits: here a block of zeros, made longer step by step."""
    mib = bytes(1 << 20)
    crc = crc64(b"head")
    for _ in range(9):
        crc = crc64(mib, crc)

    assert combine(crc64(b"head"), crc64(bytes(9 << 20)), 9 << 20) == crc
