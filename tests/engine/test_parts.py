"""The parts of one multipart upload: each is compared with what OSS holds, and sent if it differs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from airflow_provider_oss.engine.parts import PartOutcome, PartTransfer, ReaderParts
from airflow_provider_oss.engine.plan import PartPlan
from airflow_provider_oss.engine.source import BytesReader, BytesSource
from airflow_provider_oss.engine.workers import NO_LONGER
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectOptions, Part, StoredPart
from airflow_provider_oss.ports import ObjectClient
from airflow_provider_oss.proof import crc64, md5_etag
from tests.engine.conftest import Scene
from tests.engine.doubles import HandClock
from tests.support.sources import some_bytes

DATA = some_bytes(45)
PLAN = PartPlan(45, 10)


def reader_parts(reader: BytesReader | None = None) -> ReaderParts:
    return ReaderParts(reader or BytesSource(DATA).open(), 2, HandClock())


def transfer_of(scene: Scene) -> PartTransfer:
    return PartTransfer(reader_parts(), lambda _: scene.client, ObjectOptions(), threads=2)


def work(
    scene: Scene, transfer: PartTransfer, upload_id: str, stored: Mapping[int, StoredPart]
) -> dict[int, PartOutcome]:
    checkpoint = Checkpoint(scene.ref, upload_id, 10, Fingerprint("data", 45), "0" * 16)
    outcomes = [outcome for outcome in transfer.run(checkpoint, PLAN, stored) if outcome is not None]
    assert len(outcomes) == len({outcome.part.number for outcome in outcomes})
    return {outcome.part.number: outcome for outcome in outcomes}


def listed(scene: Scene, upload_id: str) -> dict[int, StoredPart]:
    return {part.number: part for part in scene.client.list_parts(scene.ref, upload_id)}


def test_what_is_missing_is_sent(scene: Scene) -> None:
    """Every part that OSS does not hold is sent, and afterwards OSS holds exactly the source's bytes."""
    upload_id = scene.client.initiate_multipart_upload(scene.ref, ObjectOptions())

    outcomes = work(scene, transfer_of(scene), upload_id, {})

    assert all(outcome.was_sent for outcome in outcomes.values())
    assert {number: part.crc64 for number, part in listed(scene, upload_id).items()} == {
        part.number: crc64(DATA[part.offset_bytes :][: part.size_bytes]) for part in PLAN
    }


def test_what_is_stored_and_equal_is_not(scene: Scene) -> None:
    """Parts that OSS lists with the source's bytes are verified; those of other bytes or sizes are sent again."""
    upload_id = scene.client.initiate_multipart_upload(scene.ref, ObjectOptions())
    for number, data in {1: DATA[:10], 2: b"ten bytes!", 4: DATA[30:39], 5: DATA[40:]}.items():
        scene.client.upload_part(scene.ref, upload_id, number, data, crc64(data), ObjectOptions())
    scene.server.forget_requests()

    outcomes = work(scene, transfer_of(scene), upload_id, listed(scene, upload_id))

    assert {number for number, outcome in outcomes.items() if outcome.was_sent} == {2, 3, 4}
    assert scene.sent() == [2, 3, 4]
    assert outcomes[5].part.etag == md5_etag(DATA[40:])


def test_it_can_be_used_again(scene: Scene) -> None:
    """After one run another one, of another upload, works the same way."""
    transfer = transfer_of(scene)
    for _ in range(2):
        upload_id = scene.client.initiate_multipart_upload(scene.ref, ObjectOptions())

        assert len(work(scene, transfer, upload_id, {})) == PLAN.count
        assert transfer.stop(NO_LONGER)


def test_every_run_has_a_client_of_its_own(scene: Scene) -> None:
    """Each run asks for a client with an event that only its own stop sets, so a run after a stop is not stopped."""
    events: list[threading.Event] = []

    def client_until(stopping: threading.Event) -> ObjectClient:
        assert not stopping.is_set()
        events.append(stopping)
        return scene.client

    transfer = PartTransfer(reader_parts(), client_until, ObjectOptions(), threads=2)
    for _ in range(2):
        upload_id = scene.client.initiate_multipart_upload(scene.ref, ObjectOptions())
        assert len(work(scene, transfer, upload_id, {})) == PLAN.count
        assert not events[-1].is_set()
        assert transfer.stop(NO_LONGER)

    assert [event.is_set() for event in events] == [True, True]
    assert events[0] is not events[1]


def test_stopping_before_the_beginning(scene: Scene) -> None:
    """A transfer that has not begun has ended."""
    assert transfer_of(scene).stop(NO_LONGER)


class UnreadReader(BytesReader):
    """Counts the parts that are read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(BytesSource(data))
        self.read: list[int] = []

    def data(self, part: Part) -> memoryview:
        self.read.append(part.number)
        return super().data(part)


def test_the_same_content_is_not_read(scene: Scene) -> None:
    """Of a source that is known to be the same, parts that OSS lists whole and with a CRC-64 are not read."""
    upload_id = scene.client.initiate_multipart_upload(scene.ref, ObjectOptions())
    for number, data in {1: DATA[:10], 2: DATA[10:20], 4: DATA[30:39], 5: DATA[40:]}.items():
        scene.client.upload_part(scene.ref, upload_id, number, data, crc64(data), ObjectOptions())
    stored = listed(scene, upload_id)
    stored[2] = replace(stored[2], crc64=None)
    reader = UnreadReader(DATA)
    transfer = PartTransfer(reader_parts(reader), lambda _: scene.client, ObjectOptions(), threads=2)
    checkpoint = Checkpoint(scene.ref, upload_id, 10, Fingerprint("data", 45), "0" * 16)

    outcomes = [one for one in transfer.run(checkpoint, PLAN, stored, stored.keys()) if one is not None]

    assert sorted(reader.read) == [2, 3, 4]
    assert {one.part.number for one in outcomes if one.was_sent} == {3, 4}
    parts = sorted((one.part for one in outcomes), key=lambda part: part.number)
    scene.client.complete_multipart_upload(scene.ref, upload_id, parts, ObjectOptions())
    assert scene.object() == DATA
