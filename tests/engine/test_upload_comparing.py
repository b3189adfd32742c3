"""A source that is compared with an object that is in its way, or that may be what became of its upload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.exceptions import OSSUploadCancelled
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import Fingerprint, ObjectOptions, Part
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import Scene
from tests.support.sources import some_bytes

FORBID = parse_options(forbid_overwrite=True)


def put(scene: Scene, data: bytes) -> None:
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())


class RemoteSource:
    """Bytes that come from elsewhere: ``reads`` are the sizes of what was in memory at a time."""

    def __init__(self, data: bytes, when_read: Callable[[], None] = lambda: None) -> None:
        self.fingerprint = Fingerprint("elsewhere", len(data))
        self.reads: list[int] = []
        self._data = data
        self._when_read = when_read

    def open(self) -> Self:
        return self

    def data(self, part: Part) -> bytes:
        self._when_read()
        self.reads.append(part.size_bytes)
        return self._data[part.offset_bytes : part.offset_bytes + part.size_bytes]

    def check_unchanged(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_is_compared_is_not_in_memory_as_a_whole(scene: Scene) -> None:
    """A source that is not local is compared with the object in the way in pieces of 8 MiB."""
    data = some_bytes(20 * MIB)
    put(scene, data)
    source = RemoteSource(data)

    result = scene.run(source=source, options=FORBID)

    assert (result.bytes_sent, result.crc64) == (0, str(crc64(data)))
    assert (max(source.reads), sum(source.reads)) == (8 * MIB, len(data))
    scene.assert_nothing_left()


def test_comparing_can_be_cancelled(scene: Scene) -> None:
    """An attempt that is asked to stop while it compares a source with the object in the way does not read on."""
    data = some_bytes(40 * MIB)
    put(scene, data)
    cancellation = Cancellation()
    source = RemoteSource(data, cancellation.request)

    with pytest.raises(OSSUploadCancelled):
        scene.run(source=source, options=FORBID, cancellation=cancellation)

    assert len(source.reads) <= scene.settings.parallel
