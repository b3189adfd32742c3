"""Is the object there already, and equal to the source?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.source import BytesSource
from airflow_provider_oss.engine.stored import (
    find_equal,
    find_equal_object,
    find_equal_stream,
    look_at,
    result_of,
)
from airflow_provider_oss.exceptions import OSSConnectionError, OSSServiceUnavailable
from airflow_provider_oss.model import ObjectInfo, ObjectOptions, ObjectRef
from airflow_provider_oss.proof import Content, crc64
from tests.engine.conftest import Scene
from tests.support.sources import slices_of, some_bytes

DATA = some_bytes(1000)


class BlindReader:
    """Knows the size of a source and must not be read."""

    def __init__(self, data: bytes) -> None:
        self.fingerprint = BytesSource(data).open().fingerprint

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} of a source that needs not to be read")


def put(scene: Scene, data: bytes) -> None:
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())


def test_nothing_there(scene: Scene) -> None:
    """An object that does not exist is none."""
    assert look_at(scene.client.head_object, scene.ref) is None


def test_may_not_be_looked_at(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission to look an object counts as none, which the log says."""
    put(scene, DATA)
    scene.server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))
    assert look_at(scene.client.head_object, scene.ref) is None
    assert f"{scene.ref} cannot be looked at, so it counts as not stored" in caplog.text


def test_cannot_be_looked_at_now(scene: Scene) -> None:
    """A storage that does not answer says nothing about the object."""
    scene.server.faults.add(Fault(operation="HeadObject", status=503))
    with pytest.raises(OSSServiceUnavailable):
        look_at(scene.client.head_object, scene.ref)


@pytest.mark.parametrize("data", [b"", DATA], ids=len)
def test_the_result_of_what_was_there(scene: Scene, data: bytes) -> None:
    """It says that an earlier attempt has stored it, an empty object too, and that nothing was sent."""
    put(scene, data)
    found = scene.client.head_object(scene.ref)
    result = result_of(found)
    assert (result.resumed, result.bytes_sent, result.bytes_verified, result.size) == (True, 0, len(data), len(data))
    assert (result.etag, result.crc64, result.uri) == (found.etag, str(crc64(data)), scene.ref.uri)


def test_an_equal_object_is_found(scene: Scene) -> None:
    """The object comes back with its ETag and CRC-64 when size and CRC-64 are the source's."""
    put(scene, DATA)

    found = find_equal_object(scene.client.head_object, scene.ref, BytesSource(DATA).open())

    assert found is not None
    assert (found.crc64, found.etag) == (crc64(DATA), scene.client.head_object(scene.ref).etag)


@pytest.mark.parametrize("stored", [None, DATA + b"x", DATA[:-1], some_bytes(1000, seed=1)])
def test_anything_else_is_not(scene: Scene, stored: bytes | None) -> None:
    """No object, another size and other bytes of the same size are all "not there"."""
    if stored is not None:
        put(scene, stored)

    assert find_equal_object(scene.client.head_object, scene.ref, BytesSource(DATA).open()) is None


def test_the_source_is_not_read_in_vain(scene: Scene) -> None:
    """Without an object, or with one of another size, nothing is read."""
    assert find_equal_object(scene.client.head_object, scene.ref, BlindReader(DATA)) is None  # type: ignore[arg-type]
    put(scene, DATA)
    assert find_equal_object(scene.client.head_object, scene.ref, BlindReader(DATA + b"x")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "is_equal"),
    [
        (Content(len(DATA), crc64(DATA)), True),
        (Content(len(DATA), crc64(DATA) ^ 1), False),
        (Content(len(DATA) + 1, crc64(DATA)), False),
    ],
)
@pytest.mark.parametrize("size_is_known", [False, True])
def test_content_is_size_and_crc64(scene: Scene, content: Content, *, is_equal: bool, size_is_known: bool) -> None:
    """What was read is compared in both, whether its size was known before or not."""
    put(scene, DATA)
    size_bytes = content.size_bytes if size_is_known else None
    assert (find_equal(scene.client.head_object, scene.ref, lambda: content, size_bytes) is not None) == is_equal


def test_an_equal_stream_is_found(scene: Scene) -> None:
    """A stream is read only when there is an object, and found by what it yields, with its size."""
    opened: list[int] = []

    def stream() -> Iterator[bytes]:
        opened.append(1)
        return slices_of(DATA, 7)

    assert find_equal_stream(scene.client.head_object, scene.ref, stream) is None
    assert opened == []
    put(scene, DATA)
    found = find_equal_stream(scene.client.head_object, scene.ref, stream)
    assert found is not None
    assert (found[0].crc64, found[1]) == (crc64(DATA), len(DATA))
    assert find_equal_stream(scene.client.head_object, scene.ref, lambda: slices_of(DATA[1:])) is None


def test_without_permission_to_look_it_counts_as_missing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """An object that may not be looked at is unprovable, and the log says so."""
    put(scene, DATA)
    scene.server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))

    assert find_equal_object(scene.client.head_object, scene.ref, BytesSource(DATA).open()) is None
    assert "cannot be looked at" in caplog.text


def test_a_fault_is_not_an_answer(scene: Scene) -> None:
    """A broken connection does not mean that there is no object."""
    scene.server.faults.add(Fault(operation="HeadObject", reset="before"))

    with pytest.raises(OSSConnectionError):
        find_equal_object(scene.client.head_object, scene.ref, BytesSource(DATA).open())


def test_an_object_without_crc64_proves_nothing(scene: Scene) -> None:
    """When OSS returns no CRC-64 the object is not taken for the source."""
    put(scene, DATA)

    def without_crc64(ref: ObjectRef) -> ObjectInfo:
        return replace(scene.client.head_object(ref), crc64=None)

    assert find_equal_object(without_crc64, scene.ref, BytesSource(DATA).open()) is None
