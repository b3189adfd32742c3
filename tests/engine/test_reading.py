"""An answer's whole body in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.download import read_whole
from airflow_provider_oss.exceptions import OSSBadResponse, OSSChecksumMismatch, OSSSourceChanged
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "key")


@pytest.fixture(autouse=True)
def stored(client: OSSObjectClient, server: OSSEmulator) -> str:
    """An object; its ETag is returned."""
    assert server.endpoint
    client.put_stream(REF, iter([b"some data"]), None, ObjectOptions())
    return client.head_object(REF).etag


def test_whole_and_range(client: OSSObjectClient, stored: str) -> None:
    """All that was asked for is returned, of the version that was asked for."""
    assert read_whole(lambda: client.get_object(REF, None)) == b"some data"
    assert read_whole(lambda: client.get_object(REF, (5, None), stored)) == b"data"
    with pytest.raises(OSSSourceChanged, match="replaced while it was read"):
        client.get_object(REF, None, "0" * 32)


def test_too_little(client: OSSObjectClient) -> None:
    """Fewer bytes than were announced are an error."""

    def shortened() -> object:
        body = client.get_object(REF, None)
        body.info = replace(body.info, size_bytes=10)
        return body

    with pytest.raises(OSSBadResponse, match="9 bytes of 10 arrived"):
        read_whole(shortened)  # type: ignore[arg-type]


def test_damaged(client: OSSObjectClient) -> None:
    """Other bytes than OSS has are an error where the whole object was asked for."""

    def damaged() -> object:
        body = client.get_object(REF, None)
        body.info = replace(body.info, crc64=1)
        return body

    with pytest.raises(OSSChecksumMismatch, match="the object 1"):
        read_whole(damaged)  # type: ignore[arg-type]
