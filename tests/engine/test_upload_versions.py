"""Sources whose content has a version: what was stored of the same version is not read again, and nothing is mixed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.source import BytesReader, BytesSource
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSCheckpointNotSaved
from airflow_provider_oss.model import Fingerprint, ObjectOptions, Part
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.support.sources import some_bytes
from tests.support.stores import FailingStore

FIRST, SECOND = some_bytes(6 * PART + 5, seed=1), some_bytes(6 * PART + 5, seed=2)


@dataclass
class VersionedSource:
    """Bytes with an ETag; remembers which parts were read."""

    data: bytes
    version: str | None
    name: str = "https://example.com/export.bin"
    read: list[int] = field(default_factory=list)

    def open(self) -> VersionedReader:
        return VersionedReader(self)


class VersionedReader(BytesReader):
    def __init__(self, source: VersionedSource) -> None:
        super().__init__(BytesSource(source.data))
        self._source = source

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self._source.name, len(self._source.data), version=self._source.version)

    def data(self, part: Part) -> memoryview:
        self._source.read.append(part.number)
        return super().data(part)


def stop_at_part(scene: Scene, number: int, data: bytes, version: str | None) -> None:
    scene.stop_at_part(number, source=VersionedSource(data, version))


def run(scene: Scene, data: bytes, version: str | None, **changes: Any) -> list[int]:
    """Make an attempt that succeeds, and return the parts that were read."""
    source = VersionedSource(data, version)
    result = scene.run(source=source, **changes)
    assert scene.object() == data
    assert (result.crc64, result.bytes_sent + result.bytes_verified) == (str(crc64(data)), len(data))
    scene.assert_nothing_left()
    return sorted(source.read)


def test_the_same_version_is_not_read_again(scene: Scene) -> None:
    """Parts stored of the same version count as verified; only what is missing is read and sent."""
    stop_at_part(scene, 4, FIRST, "v1")
    assert run(scene, FIRST, "v1") == [4, 5, 6, 7]
    assert scene.sent() == [4, 5, 6, 7]


@pytest.mark.parametrize(("before", "now"), [("v1", "v2"), (None, "v1"), ("v1", None), (None, None)])
def test_without_the_same_version_everything_is_read(scene: Scene, before: str | None, now: str | None) -> None:
    """Another version, or none on either side, means that every part is compared; equal ones are not sent."""
    stop_at_part(scene, 4, FIRST, before)
    assert run(scene, FIRST, now) == [1, 2, 3, 4, 5, 6, 7]
    assert scene.sent() == [4, 5, 6, 7]


def test_another_name_is_another_source(scene: Scene) -> None:
    """An ETag says nothing of another URL."""
    stop_at_part(scene, 4, FIRST, "v1")
    scene.run(source=VersionedSource(SECOND, "v1", name="https://example.com/other.bin"))
    assert scene.object() == SECOND
    assert scene.sent() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("last", ["v1", "v2"])
def test_versions_are_never_mixed(scene: Scene, last: str) -> None:
    """
    After attempts with one version and then another no version is believed any more, whichever comes third.

    The upload holds parts of both then: those of the second that it sent before it was interrupted, and the others.
    """
    stop_at_part(scene, 6, FIRST, "v1")
    stop_at_part(scene, 3, SECOND, "v2")
    assert scene.store.saved[-1].source.version is None

    assert run(scene, FIRST if last == "v1" else SECOND, last) == [1, 2, 3, 4, 5, 6, 7]


def test_a_change_of_version_is_saved_before_anything_is_sent(scene: Scene) -> None:
    """When the store cannot take it, no part is sent: a later attempt would believe the old version's parts."""
    stop_at_part(scene, 4, FIRST, "v1")
    store = FailingStore("save", checkpoint=scene.store.load())

    with pytest.raises(OSSCheckpointNotSaved):
        scene.run(store, source=VersionedSource(SECOND, "v2"))

    assert scene.sent() == []
    assert run(scene, FIRST, "v1") == [4, 5, 6, 7]


def test_a_part_of_another_size_is_read(scene: Scene) -> None:
    """A stored part that has not the size of the source's is sent; where one was replaced, all are read."""
    stop_at_part(scene, 4, FIRST, "v1")
    scene.client.upload_part(scene.ref, scene.store.upload_id or "", 2, b"ab", crc64(b"ab"), ObjectOptions())
    scene.server.forget_requests()
    assert run(scene, FIRST, "v1") == [1, 2, 3, 4, 5, 6, 7]
    assert scene.sent() == [2, 4, 5, 6, 7]


def test_without_the_list_of_parts_everything_is_read(scene: Scene) -> None:
    """Where OSS may not be asked for the stored parts, a version does not stand for them."""
    stop_at_part(scene, 4, FIRST, "v1")
    scene.server.faults.add(Fault(operation="ListParts", status=403, code="AccessDenied"))
    assert run(scene, FIRST, "v1") == [1, 2, 3, 4, 5, 6, 7]


def test_parts_that_complete_refuses_are_read(scene: Scene) -> None:
    """When Complete refuses the parts, all are read once more: what OSS listed was not so."""
    stop_at_part(scene, 4, FIRST, "v1")
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, status=400, code="InvalidPart"))
    assert run(scene, FIRST, "v1") == sorted([4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7])


def test_a_new_upload_after_a_change(scene: Scene) -> None:
    """An upload that begins anew is of the version that is there now, and a later attempt believes it."""
    stop_at_part(scene, 4, FIRST, "v1")
    scene.client.abort_multipart_upload(scene.ref, scene.store.upload_id or "")
    stop_at_part(scene, 5, SECOND, "v2")
    assert scene.store.saved[-1].source.version == "v2"
    assert run(scene, SECOND, "v2") == [5, 6, 7]


def test_the_checkpoint_of_a_failed_attempt_keeps_the_version(scene: Scene) -> None:
    """An attempt that fails saves the checkpoint with the version that its parts are of."""
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    settings = replace(scene.settings, save_interval_seconds=0)
    with pytest.raises(OSSAccessDenied):
        scene.run(source=VersionedSource(FIRST, '"etag-of/\\it"'), settings=settings)
    assert {saved.source.version for saved in scene.store.saved} == {'"etag-of/\\it"'}
