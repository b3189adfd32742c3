"""The temporary file of a piece."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from airflow_provider_oss.model import Part
from airflow_provider_oss.proof import crc64
from airflow_provider_oss.transfers.export import PieceFile


def test_it_is_read_at_any_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written can be read in parts, knows its size and checksum, and has no name in the folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data = bytes(range(256)) * 2000
    with PieceFile("a piece") as file:
        for start in range(0, len(data), 100_000):
            file.write(data[start : start + 100_000])
        assert (file.size_bytes, file.crc64) == (len(data), crc64(data))
        reader = file.open()
        assert (reader.fingerprint.name, reader.fingerprint.size_bytes) == ("a piece", len(data))
        assert reader.data(Part(2, 300_000, 50)).in_memory() == data[300_000:300_050]
        reader.check_unchanged()
        reader.close()
        assert file.open().data(Part(1, 0, 10)).in_memory() == data[:10]
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_a_piece_too() -> None:
    """A file that nothing was written to is empty."""
    with PieceFile("empty") as file:
        assert (file.size_bytes, file.crc64) == (0, 0)


def test_it_is_closed_when_writing_fails() -> None:
    """An error leaves no open file behind."""
    with pytest.raises(RuntimeError, match="disk"), PieceFile("a") as file:
        raise RuntimeError("disk")
    with pytest.raises(ValueError, match="closed"):
        file.write(b"more")
