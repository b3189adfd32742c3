"""Is what OSS holds the same as the source's bytes?"""

from __future__ import annotations

import ast
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.model import CompletedPart, ObjectInfo, ObjectRef, StoredPart
from airflow_provider_oss.proof import Content, combined_crc64, crc64, differ, is_written_crc64, md5_etag, proven_etag
from tests.support.source_text import ROOT

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


# One home


@pytest.mark.parametrize(
    ("size_bytes", "crc", "is_its"), [(3, 5, True), (3, 6, False), (4, 5, False), (3, None, False)]
)
def test_content(size_bytes: int, crc: int | None, *, is_its: bool) -> None:
    """A content is an object's when both size and CRC-64 are; an object without a CRC-64 has no known content."""
    info = ObjectInfo(ObjectRef("bucket", "key"), size_bytes, "etag", crc, None, None, None, None, None, {}, {})
    assert Content(3, 5).is_of(info) == is_its


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(5, 5, False), (5, 6, True), (0, 6, True), (None, 6, False), (5, None, False)]
)
def test_differ(one: int | None, other: int | None, *, expected: bool) -> None:
    """Two CRC-64s differ when both are known and not the same; 0 is one, too."""
    assert differ(one, other) == expected


OF_A_VERSION = {"engine/partial_file.py"}
"""What compares an object with itself at another time, by all that OSS tells of it."""


def test_a_crc64_as_oss_writes_it() -> None:
    """It is decimal, without anything around it."""
    assert is_written_crc64(str(crc64(DATA)), DATA)
    assert not any(is_written_crc64(text, DATA) for text in (str(crc64(b"other")), f" {crc64(DATA)}", "", "0"))


def test_no_checksum_is_compared_elsewhere() -> None:
    """Whether bytes are those that OSS holds is decided by ``proof`` alone."""
    found = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if "emulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        if any(is_checksum(inner) for side in (node.left, *node.comparators) for inner in (side, *elements(side)))
    }
    assert found - OF_A_VERSION == {"proof.py"}


def elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else []


def is_checksum(node: ast.expr) -> bool:
    """Whether it is named as one: ``crc``, ``found.crc64``, ``crc64(data)``."""
    if isinstance(node, ast.NamedExpr):
        return is_checksum(node.target)
    if isinstance(node, ast.Call):
        return is_checksum(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return "crc" in name
