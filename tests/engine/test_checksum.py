"""The CRC-64 of a source as a whole."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_oss.cancellation import Cancellation, obeying
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.engine.progress import LogIntervals
from airflow_provider_oss.engine.source import BytesReader, BytesSource, FileSource
from airflow_provider_oss.engine.stored import source_crc64
from airflow_provider_oss.exceptions import OSSSourceChanged, OSSUploadCancelled
from airflow_provider_oss.model import Part
from airflow_provider_oss.ports import Source, SourceReader
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import Scene
from tests.engine.doubles import HandClock
from tests.support.sources import edit_unnoticed, some_bytes

DATA = some_bytes(4 * DEFAULT_PART_SIZE_BYTES + 5)


class RecordingReader(BytesReader):
    """Writes down what was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(BytesSource(data, "a source"))
        self.parts: list[Part] = []

    def data(self, part: Part) -> memoryview:
        self.parts.append(part)
        return super().data(part)


@pytest.mark.parametrize("size_bytes", [0, 1, DEFAULT_PART_SIZE_BYTES, len(DATA)])
@pytest.mark.parametrize("parallel", [1, 3])
def test_whole(scene: Scene, size_bytes: int, parallel: int) -> None:
    """The checksums of the parts, made in threads, combine to that of the whole, of bytes and of a file."""
    scene.path.write_bytes(DATA[:size_bytes])
    sources: tuple[Source, ...] = (BytesSource(DATA[:size_bytes]), FileSource(str(scene.path)))
    for source in sources:
        reader = source.open()
        assert source_crc64(reader, parallel) == crc64(DATA[:size_bytes])
        reader.close()


def test_memory() -> None:
    """However large the source is, it is read in pieces of 8 MiB: one that is not local takes memory for each."""
    reader = RecordingReader(DATA)
    source_crc64(reader)
    assert [part.size_bytes for part in reader.parts] == 4 * [DEFAULT_PART_SIZE_BYTES] + [5]


def test_progress(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells how much is read, and not with every part."""
    caplog.set_level("INFO")
    clock = HandClock()

    class Slow(RecordingReader):
        def data(self, part: Part) -> memoryview:
            clock.seconds += 2 * LogIntervals().first_seconds if part.number in (1, 3) else 0
            return super().data(part)

    source_crc64(Slow(DATA), clock=clock)
    assert len(caplog.messages) == 2
    assert all(message.startswith("a source: compared with the object: ") for message in caplog.messages)
    assert all(message.endswith(" of 32.0 MiB read") for message in caplog.messages)


def test_cancelled() -> None:
    """It stops when the task is told to stop, before anything is read."""
    cancellation, reader = Cancellation(), RecordingReader(DATA)
    cancellation.request()
    with obeying(cancellation), pytest.raises(OSSUploadCancelled):
        source_crc64(reader)
    assert reader.parts == []


def test_cancelled_while_a_read_hangs() -> None:
    """It stops soon after the task is told to, although the storage does not answer."""
    cancellation, told = Cancellation(), threading.Event()

    class Hanging(RecordingReader):
        def data(self, part: Part) -> memoryview:
            cancellation.request()
            told.wait()
            return super().data(part)

    reader = Hanging(DATA)
    with obeying(cancellation), pytest.raises(OSSUploadCancelled):
        source_crc64(reader)
    told.set()
    assert reader.parts == []


def test_a_source_that_changes_has_no_crc64(scene: Scene) -> None:
    """When the file changes while its CRC-64 is computed there is no answer."""
    scene.write(1000)
    reader: SourceReader = FileSource(str(scene.path)).open()
    try:
        edit_unnoticed(scene.path, 0, b"other")
        with pytest.raises(OSSSourceChanged):
            source_crc64(reader)
    finally:
        reader.close()
