"""The CRC-64 of a source as a whole."""

from __future__ import annotations

import pytest

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.sources.checksum import source_crc64
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.source import BytesSource
from tests.support.sources import some_bytes


@pytest.mark.parametrize("size_bytes", [0, 1, 8 * 1024 * 1024, 20_000_000])
def test_whole(size_bytes: int) -> None:
    """The checksums of the parts, made in threads, combine to that of the whole."""
    data = some_bytes(size_bytes)
    assert source_crc64(BytesSource(data).open(), 3, Cancellation()) == crc64(data)


def test_cancelled() -> None:
    """It stops when the task is told to stop."""
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(OSSUploadCancelled):
        source_crc64(BytesSource(b"data").open(), 1, cancellation)
