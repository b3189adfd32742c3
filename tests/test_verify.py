"""Is what OSS holds the same as the source's bytes?"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.model import CompletedPart, StoredPart
from airflow_provider_oss.verify import combined_crc64, md5_etag, proven_etag

DATA = b"the part"
ETAG = hashlib.md5(DATA, usedforsecurity=False).hexdigest().upper()
OTHER_ETAG = "0" * 32


def proven(stored: StoredPart, data: bytes = DATA) -> str | None:
    return proven_etag(stored, memoryview(data), crc64(data))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (StoredPart(1, len(DATA), "any", crc64(DATA)), "any"),
        (StoredPart(1, len(DATA), ETAG, crc64(DATA) ^ 1), None),
        (StoredPart(1, len(DATA) + 1, "any", crc64(DATA)), None),
        (StoredPart(1, len(DATA), None, crc64(DATA)), None),
        (StoredPart(1, len(DATA), ETAG), ETAG),
        (StoredPart(1, len(DATA), ETAG.lower()), ETAG.lower()),
        (StoredPart(1, len(DATA), OTHER_ETAG), None),
        (StoredPart(1, len(DATA), "not an MD5"), None),
        (StoredPart(1, len(DATA), f"{ETAG}-2"), None),
        (StoredPart(1, len(DATA)), ETAG),
        (StoredPart(1, len(DATA) - 1), None),
    ],
)
def test_what_counts_as_proof(stored: StoredPart, expected: str | None) -> None:
    """Size and CRC-64 prove a part, without CRC-64 its MD5 does; a believed part gets the ETag it must have."""
    assert proven(stored) == expected


@given(
    held=st.binary(max_size=6),
    data=st.binary(max_size=6),
    lists_crc64=st.booleans(),
)
def test_other_bytes_are_never_proven(held: bytes, data: bytes, lists_crc64: bool) -> None:  # noqa: FBT001 - hypothesis
    """A part that OSS lists is proven if and only if OSS holds exactly these bytes."""
    stored = StoredPart(1, len(held), md5_etag(held), crc64(held) if lists_crc64 else None)

    assert (proven(stored, data) is not None) == (held == data)


@given(held=st.binary(max_size=6), data=st.binary(max_size=6))
def test_a_believed_part_is_never_given_another_etag(held: bytes, data: bytes) -> None:
    """Whatever OSS really holds under a believed part, the ETag named for it is that of the source's bytes."""
    believed = StoredPart(1, len(held))

    assert proven(believed, data) in (None, md5_etag(data))


@given(parts=st.lists(st.binary(min_size=1, max_size=20), max_size=8), order=st.randoms(use_true_random=False))
def test_the_object_has_the_crc64_of_its_parts_in_order(parts: list[bytes], order: object) -> None:
    """Parts make up the object in the order of their numbers, in whatever order they are given."""
    completed = [CompletedPart(n, len(data), md5_etag(data), crc64(data)) for n, data in enumerate(parts, 1)]
    order.shuffle(completed)  # type: ignore[attr-defined]

    assert combined_crc64(completed) == crc64(b"".join(parts))
