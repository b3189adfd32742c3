"""CRC-64 and ETags."""

from __future__ import annotations

import fastcrc
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.emulator.checksums import append_etag, combine_crc64, multipart_etag


def test_the_published_vectors() -> None:
    """The two halves of the check string combine to the published check value of CRC-64/XZ."""
    assert combine_crc64([(6748440630437108969, 5), (10278880121275185425, 4)]) == 11051210869376104954
    assert combine_crc64([]) == 0
    assert combine_crc64([(11051210869376104954, 9)]) == 11051210869376104954


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_combining_equals_the_whole(pieces: list[bytes]) -> None:
    """However bytes are cut into pieces, the combination is the CRC-64 of all of them."""
    parts = [(fastcrc.crc64.xz(piece), len(piece)) for piece in pieces]
    assert combine_crc64(parts) == fastcrc.crc64.xz(b"".join(pieces))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**42), st.integers(0, 2**42))
def test_lengths_add_up(first: int, second: int, left: int, right: int) -> None:
    """Pieces of terabytes combine the same way in one step as in two."""
    third = 123
    left_first = combine_crc64([(combine_crc64([(first, left), (second, left)]), 2 * left), (third, right)])
    assert left_first == combine_crc64([(first, left), (second, left), (third, right)])


def test_etags_have_their_shapes() -> None:
    """A multipart ETag ends in the number of parts, an append ETag in zeros; both begin with upper-case hex."""
    assert multipart_etag(["00" * 16, "FF" * 16]) == "86C036C1A10384A5673251100457087A-2"
    assert append_etag(255) == "00000000000000FF0000000000000000"
