"""Some bytes of an open file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_oss.exceptions import OSSSourceChanged
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.proof import crc64, md5_etag
from tests.support.sources import some_bytes

DATA = some_bytes(600_000)


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A file of DATA, open."""
    (tmp_path / "source.bin").write_bytes(DATA)
    opened = os.open(tmp_path / "source.bin", os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.mark.parametrize(("offset", "size"), [(0, 600_000), (1, 599_999), (262_144, 262_144), (599_999, 1), (10, 0)])
def test_reading(descriptor: int, offset: int, size: int) -> None:
    """Its bytes, size and checksums are those of the file there, each time."""
    found, expected = FileRange("source.bin", descriptor, offset, size), DATA[offset : offset + size]

    assert len(found) == size
    for _ in range(2):
        assert found.in_memory() == expected
        assert crc64(found) == crc64(expected)
        assert md5_etag(found) == md5_etag(expected)
    assert crc64(found, crc64(b"before")) == crc64(b"before" + expected)


def test_blocks_are_small(descriptor: int) -> None:
    """However long the range is, a block has 256 KiB at most."""
    assert [len(block) for block in FileRange("source.bin", descriptor, 0, 600_000).blocks()] == [262144, 262144, 75712]


def test_file_that_is_shorter(descriptor: int) -> None:
    """A range that goes past the end of the file is an error that says where it ended."""
    with pytest.raises(OSSSourceChanged, match=r"'source\.bin' ended at byte 600000 while it was read"):
        FileRange("source.bin", descriptor, 599_000, 2_000).in_memory()
