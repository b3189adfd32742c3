"""Data to upload: a file, or bytes."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.engine.source import BytesSource, FileReader, FileSource, path_text
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceChanged, OSSSourceMissing
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.ports import SourceReader
from airflow_provider_oss.shown import host_name
from tests.support.sources import descriptors_of, edit_unnoticed, some_bytes

DATA = some_bytes(1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that holds DATA."""
    path = tmp_path / "source.bin"
    path.write_bytes(DATA)
    return path


def read(reader: SourceReader, part: Part) -> bytes:
    data = reader.data(part)
    return bytes(data.in_memory() if isinstance(data, FileRange) else data)


def test_a_file_is_read_at_any_offset(path: Path) -> None:
    """Parts come in any order, each of exactly its bytes, as often as they are read."""
    reader = FileSource(str(path)).open()
    try:
        assert read(reader, Part(3, 800, 200)) == DATA[800:]
        assert read(reader, Part(1, 0, 400)) == DATA[:400]
        data = reader.data(Part(1, 10, 5))
        assert isinstance(data, FileRange)
        assert (len(data), data.in_memory(), data.in_memory()) == (5, DATA[10:15], DATA[10:15])
        reader.check_unchanged()
    finally:
        reader.close()


def test_the_fingerprint_of_a_file(path: Path) -> None:
    """Path, size and time of last modification are those at the opening, whatever the file becomes."""
    os.utime(path, (0, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()))
    changed_at = str(path.stat().st_ctime_ns)
    reader = FileSource(str(path)).open()
    path.write_bytes(DATA + b"more")
    try:
        assert reader.whole().in_memory() == DATA
        assert reader.fingerprint == Fingerprint(str(path), 1000, "2030-01-02T03:04:05+00:00")
        assert reader.fingerprint.changed_at == changed_at
    finally:
        reader.close()


def test_closing_gives_the_descriptor_back(path: Path) -> None:
    """After ``close`` no descriptor of the file is left."""
    reader = FileSource(str(path)).open()
    assert descriptors_of(path) == 1

    reader.close()

    assert descriptors_of(path) == 0


def test_a_missing_file(tmp_path: Path) -> None:
    """The error names the path and the worker, and says what else might be wrong than the path."""
    text = rf"missing.csv' does not exist on this worker, {host_name()}: .*shared volume"
    with pytest.raises(OSSSourceMissing, match=text):
        FileSource(str(tmp_path / "missing.csv")).open()


def test_a_path_through_a_file(path: Path) -> None:
    """What the system says of a path that cannot be opened is in the error."""
    with pytest.raises(OSSInvalidSource, match="cannot be opened: Not a directory"):
        FileSource(str(path / "below")).open()


@pytest.mark.parametrize("kind", ["a directory", "no regular file"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """A directory or a pipe is refused at once, without waiting for a writer, and no descriptor stays open."""
    path = tmp_path / "thing"
    if kind == "a directory":
        path.mkdir()
    else:
        os.mkfifo(path)

    with pytest.raises(OSSInvalidSource, match=f"is {kind}: give the path of a regular file"):
        FileSource(str(path)).open()

    assert descriptors_of(path) == 0


def test_a_socket(tmp_path: Path) -> None:
    """What cannot be opened for reading at all is refused too."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

        with pytest.raises(OSSInvalidSource, match="cannot be opened"):
            FileSource(str(tmp_path / "socket")).open()


def test_a_file_cut_short_is_no_crash(path: Path) -> None:
    """Reading past the end of a file that shrank is an error that says where it ended."""
    reader = FileSource(str(path)).open()
    try:
        os.truncate(path, 500)

        with pytest.raises(OSSSourceChanged, match="ended at byte 500 while it was read: it had at least 800 bytes"):
            read(reader, Part(2, 400, 400))
    finally:
        reader.close()


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace_with_equal(path: Path) -> None:
    status = path.stat()
    path.with_name("new").write_bytes(DATA)
    os.utime(path.with_name("new"), ns=(status.st_atime_ns, status.st_mtime_ns))
    path.with_name("new").replace(path)


@pytest.mark.parametrize(
    "change",
    [
        grow,
        replace_with_equal,
        lambda path: os.truncate(path, 999),
        lambda path: edit_unnoticed(path, 0, b"x"),
        lambda path: os.utime(path, (1, 1)),
    ],
)
def test_any_change_is_noticed(path: Path, change: object) -> None:
    """Growing, shrinking, replacing and editing in place are noticed, even with size and mtime put back."""
    reader = FileSource(str(path)).open()
    try:
        change(path)  # type: ignore[operator]

        with pytest.raises(OSSSourceChanged, match="changed while it was read"):
            reader.check_unchanged()
    finally:
        reader.close()


def test_a_file_that_went_away(path: Path) -> None:
    """A deleted file can be read to its end, but it is not what it was."""
    reader = FileSource(str(path)).open()
    try:
        path.unlink()

        assert read(reader, Part(1, 0, 400)) == DATA[:400]
        with pytest.raises(OSSSourceChanged, match=r"went away.*No such file"):
            reader.check_unchanged()
    finally:
        reader.close()


def test_reading_a_file_is_no_change(path: Path) -> None:
    """Other readers do not disturb an upload."""
    reader = FileSource(str(path)).open()
    try:
        path.read_bytes()
        reader.check_unchanged()
    finally:
        reader.close()


@pytest.mark.parametrize("path", ["/proc/filesystems", "/sys/devices/system/cpu/online"])
def test_a_file_whose_size_says_nothing(path: str) -> None:
    """What /proc and /sys hold is read to its end, at any offset; its size is what was read, not the 0 or 4096 told."""
    content = Path(path).read_bytes()
    assert len(content) != Path(path).stat().st_size
    reader = FileSource(path).open()
    try:
        assert reader.fingerprint.size_bytes == len(content)
        assert reader.whole().in_memory() == content
        assert read(reader, Part(2, 1, 2)) == content[1:3]
        reader.check_unchanged()
    finally:
        reader.close()
    assert descriptors_of(Path(path)) == 0


def test_a_file_that_is_being_written_when_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that grows between being looked at and being read is one that changed, not one without a size."""
    look = os.fstat

    def look_and_grow(descriptor: int) -> os.stat_result:
        status = look(descriptor)
        grow(path)
        return status

    monkeypatch.setattr(os, "fstat", look_and_grow)
    with pytest.raises(OSSSourceChanged, match="changed while it was read"):
        FileSource(str(path)).open()
    assert descriptors_of(path) == 0


def test_a_file_that_cannot_be_read() -> None:
    """What can be opened and not be read is refused, with what the system says."""
    with pytest.raises(OSSInvalidSource, match=r"file_path='/proc/self/mem' cannot be read: Input/output error"):
        FileSource("/proc/self/mem").open()


def test_a_reader_of_something_else_is_refused() -> None:
    """A descriptor that is no regular file makes no reader."""
    with Path("/").joinpath("dev", "null").open("rb") as file, pytest.raises(OSSInvalidSource, match="no regular file"):
        FileReader("null", file.fileno())


@pytest.mark.parametrize("data", [DATA, bytearray(DATA), memoryview(DATA), memoryview(DATA).cast("I")])
def test_bytes_are_read_without_copying(data: bytes) -> None:
    """All kinds of bytes are read at any offset, as views of themselves, and never change."""
    reader = BytesSource(data, name="rows").open()

    assert reader.fingerprint == Fingerprint("rows", 1000)
    view = reader.data(Part(2, 400, 400))
    assert bytes(view) == DATA[400:800]
    assert view.obj is memoryview(data).obj
    reader.check_unchanged()
    reader.close()


@pytest.mark.parametrize("file_path", ["/data/a", Path("/data/a")])
def test_a_path_is_text_or_a_path(file_path: str | Path) -> None:
    """Both ways to write a path mean the same."""
    assert path_text(file_path) == "/data/a"


@pytest.mark.parametrize(
    ("file_path", "complaint"),
    [
        (None, "file_path=None is a NoneType: give text"),
        (5, "file_path=5 is an int: give text"),
        (b"/data/a", "file_path=b'/data/a' is a bytes: give text"),
        ("/data/a\0b", "NUL character, which no path can have: remove it"),
        ("/data/\ud800", "cannot be written as a path"),
    ],
)
def test_what_can_be_no_path(file_path: Any, complaint: str) -> None:
    """What can be no path is an error that names it and says what can."""
    with pytest.raises(OSSInvalidArgument, match=complaint):
        path_text(file_path)
