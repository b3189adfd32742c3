"""Streamed bodies: counted, checksummed, and never stored when they are not what was promised."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss import limits
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.clients.upload_client import StreamBody
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSSourceChanged,
)
from airflow_provider_oss.failures import SourceFailed
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.proof import EMPTY, crc64
from tests.conftest import BUCKET

REF = ObjectRef(BUCKET, "stream.bin")
PLAIN = ObjectOptions()


@given(st.lists(st.binary(max_size=400 * KIB), max_size=8))
def test_chunks_are_joined_and_nothing_is_lost(chunks: list[bytes]) -> None:
    """However the stream is cut, the same bytes are sent, in few chunks, and counted and checksummed right."""
    whole = b"".join(chunks)
    body = StreamBody(iter(chunks), len(whole))
    sent = list(body)

    assert b"".join(sent) == whole
    assert (body.size_bytes, body.crc64) == (len(whole), crc64(whole))
    assert all(len(chunk) >= 256 * KIB for chunk in sent[:-1])


def test_body_that_was_not_sent_is_empty() -> None:
    """Before it is read, a body has no bytes."""
    body = StreamBody(iter([b"x"]), None)
    assert (body.size_bytes, body.crc64) == (0, EMPTY)


def test_more_than_one_request_may_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream larger than OSS takes in one request breaks off and names the remedy."""
    monkeypatch.setattr(limits, "MAX_PUT_SIZE_BYTES", 10)
    with pytest.raises(SourceFailed) as caught:
        list(StreamBody(iter([b"x" * 11]), None))
    assert isinstance(caught.value.cause, OSSInvalidArgument)
    assert "upload_file" in str(caught.value)


@pytest.mark.parametrize("content_length", [3 * MIB, None], ids=["with a length", "chunked"])
def test_stream_is_stored(client: OSSObjectClient, content_length: int | None) -> None:
    """A stream arrives whole, with or without its length, and the result has its size and CRC-64."""
    data = bytes(range(256)) * (3 * MIB // 256)
    chunks = (data[start : start + 1000] for start in range(0, len(data), 1000))

    stored = client.put_stream(REF, chunks, content_length, PLAIN)

    assert (stored.size_bytes, stored.crc64) == (len(data), crc64(data))
    with client.get_object(REF, None) as body:
        assert body.read() == data


@pytest.mark.parametrize("content_length", [0, None], ids=["with a length", "chunked"])
def test_empty_stream_is_stored(client: OSSObjectClient, content_length: int | None) -> None:
    """A stream without a byte makes an empty object."""
    assert client.put_stream(REF, iter([]), content_length, PLAIN).crc64 == EMPTY
    assert client.head_object(REF).size_bytes == 0


@pytest.mark.parametrize(
    ("content_length", "message"),
    [
        (0, "more than the content_length=0"),
        (5, "more than the content_length=5"),
        (7, "ended after 6 bytes, 7 were given"),
    ],
)
def test_wrong_length(client: OSSObjectClient, content_length: int, message: str) -> None:
    """A stream of another length than was given is an error, and nothing is stored."""
    with pytest.raises(OSSSourceChanged, match=message):
        client.put_stream(REF, iter([b"abc", b"def"]), content_length, PLAIN)
    with pytest.raises(OSSNoSuchKey):
        client.head_object(REF)


def test_negative_length(client: OSSObjectClient) -> None:
    """A length below nothing is refused before anything is sent."""
    with pytest.raises(OSSInvalidArgument, match="content_length=-1 is negative"):
        client.put_stream(REF, iter([]), -1, PLAIN)


@pytest.mark.parametrize("content_length", [2 * MIB, None, 0], ids=["with a length", "chunked", "of nothing"])
@pytest.mark.parametrize("error", [OSError("disk on fire"), ValueError("bad row"), TimeoutError("slow source")])
def test_stream_that_fails(client: OSSObjectClient, content_length: int | None, error: Exception) -> None:
    """An error of the stream is passed on as it is, whatever class it has, and nothing is stored."""

    def failing() -> Iterator[bytes]:
        yield b"" if content_length == 0 else bytes(MIB)
        raise error

    with pytest.raises(type(error)) as caught:
        client.put_stream(REF, failing(), content_length, PLAIN)
    assert caught.value is error
    with pytest.raises(OSSNoSuchKey):
        client.head_object(REF)


def test_damaged_on_the_way(server: OSSEmulator, client: OSSObjectClient) -> None:
    """A stream of which OSS received other bytes is a checksum mismatch."""
    server.faults.add(Fault(operation="PutObject", corrupt_request_byte=2))
    with pytest.raises(OSSChecksumMismatch, match="other bytes than were sent"):
        client.put_stream(REF, iter([b"abc"]), None, PLAIN)


def test_reset_within_a_stream(server: OSSEmulator, client: OSSObjectClient) -> None:
    """A connection that breaks in the middle of a stream is the connection's error, not the stream's."""
    server.faults.add(Fault(operation="PutObject", reset_after_bytes=MIB))
    with pytest.raises(OSSConnectionError):
        client.put_stream(REF, iter([bytes(MIB)] * 32), None, PLAIN)
