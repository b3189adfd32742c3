"""Where the parts of a stream wait: memory, then files that have no name, and never more than were taken."""

from __future__ import annotations

import errno
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_oss.engine import stream_parts as buffers
from airflow_provider_oss.engine.stream_parts import BufferPool, PartBuffer
from airflow_provider_oss.file_range import FileRange
from tests.support.sources import some_bytes

DATA = some_bytes(300)


@pytest.fixture(autouse=True)
def _little_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "MOST_IN_MEMORY_BYTES", 200)


def filled(buffer: PartBuffer, data: bytes, size_bytes: int | None = None) -> PartBuffer:
    buffer.clear(len(data) if size_bytes is None else size_bytes)
    for start in range(0, len(data), 70):
        buffer.append(memoryview(data)[start : start + 70])
    return buffer


def held(buffer: PartBuffer) -> bytes:
    body = buffer.body()
    return bytes(body.in_memory() if isinstance(body, FileRange) else body)


@pytest.mark.parametrize(("size_bytes", "is_file"), [(1, False), (200, False), (201, True), (300, True)])
def test_a_part_is_kept(size_bytes: int, *, is_file: bool) -> None:
    """What was added is what it holds; a large part is a range of a file."""
    buffer = filled(PartBuffer(), DATA[:size_bytes])

    assert held(buffer) == DATA[:size_bytes]
    assert len(buffer.body()) == size_bytes
    assert isinstance(buffer.body(), FileRange) == is_file


@pytest.mark.parametrize("room_bytes", [150, 300])
def test_a_part_may_be_shorter_than_its_room(room_bytes: int) -> None:
    """The last part of a stream leaves room; none of it is sent."""
    assert held(filled(PartBuffer(), DATA[:100], room_bytes)) == DATA[:100]


def test_a_buffer_is_used_again() -> None:
    """Whatever it held before, in memory or in a file, nothing of it is left."""
    buffer = PartBuffer()
    for size_bytes in (100, 300, 250, 50, 200, 300, 1):
        part = some_bytes(size_bytes, seed=size_bytes)
        assert held(filled(buffer, part)) == part


def test_files_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part on disk is gone with the process, whatever ends it: no directory shows it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    buffer = filled(PartBuffer(), DATA)

    assert held(buffer) == DATA
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_room_on_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 100 bytes."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("no_room_on_disk")
def test_a_full_disk() -> None:
    """Where there is no room, the error says where, and what to do; the file can be closed all the same."""
    buffer = PartBuffer()

    with pytest.raises(OSError, match="set TMPDIR to a place with more room") as caught:
        filled(buffer, DATA)

    assert caught.value.errno == errno.EFBIG
    assert held(filled(buffer, DATA[:100])) == DATA[:100]


def test_the_pool_uses_what_came_back() -> None:
    """A buffer that was given back is taken again before a new one is made."""
    pool = BufferPool()
    first, second = pool.take(10), pool.take(10)
    assert first is not second
    pool.give_back(first)
    assert pool.take(20) is first
