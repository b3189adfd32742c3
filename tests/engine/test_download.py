"""An object to a local file: whole and right, or not at all; what has arrived once is not asked for again."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.emulator import Fault, RecordedRequest
from airflow_provider_oss.engine import partial_file
from airflow_provider_oss.engine.download import Download
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSDiskFull,
    OSSInvalidArgument,
    OSSInvalidTarget,
    OSSNoSuchKey,
    OSSSourceChanged,
    OSSUploadCancelled,
)
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.model import DownloadResult, ObjectInfo, ObjectOptions, ObjectRef
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import changed
from tests.support.sources import some_bytes

RANGES = 5
DATA = some_bytes((RANGES - 1) * PART + 7)
OTHER = some_bytes((RANGES - 1) * PART + 7, seed=3)


def first_byte(request: RecordedRequest) -> int:
    return int(request.range.removeprefix("bytes=").partition("-")[0])


@dataclass
class Stage:
    """An object, and a folder with an older file in it."""

    scene: Scene
    folder: Path
    name: str = "object.bin"

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def put(self, data: bytes = DATA) -> None:
        self.scene.client.put_object(self.scene.ref, data, crc64(data), ObjectOptions(mime="text/csv"))
        self.scene.server.forget_requests()

    def download(self, **changes: Any) -> Download:
        """Return one attempt that a later one can continue; ``changes`` replace what is usual."""
        scene = self.scene
        usual = Download(scene.ref, str(self.path), scene.means, settings=scene.settings, is_resumable=True)
        return changed(usual, **changes)

    def run(self, **changes: Any) -> DownloadResult:
        return self.download(**changes).run()

    def stop_at_range(self, number: int, **changes: Any) -> None:
        """Make an attempt in which this range is forbidden; the ranges before it arrive."""
        self.scene.server.faults.add(Fault(operation="GetObject", skip=number - 1, status=403, code="AccessDenied"))
        with pytest.raises(OSSAccessDenied):
            self.run(**{"settings": replace(self.scene.settings, parallel=1)} | changes)
        self.scene.server.faults.clear()
        self.scene.server.forget_requests()

    def asked(self) -> list[int]:
        """Return the numbers, ascending, of the ranges that OSS has sent since the last ``stop_at_range``."""
        answered = [request for request in self.scene.requests("GetObject") if request.status in (200, 206)]
        return sorted(first_byte(request) // PART + 1 for request in answered)

    @property
    def part_path(self) -> Path:
        return self.folder / f".{self.name}.oss-part"

    @property
    def record_path(self) -> Path:
        return self.folder / f".{self.name}.oss-part.jsonl"

    def assert_downloaded(self, data: bytes = DATA) -> None:
        assert self.path.read_bytes() == data
        assert list(self.folder.iterdir()) == [self.path]

    def assert_untouched(self) -> None:
        assert self.path.read_bytes() == b"old"


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Stage:
    """An object of four ranges and a bit, and an older file."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    stage = Stage(scene, folder)
    stage.put()
    stage.path.write_bytes(b"old")
    return stage


# What arrives


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("data", [b"", b"x", DATA[:PART], DATA[: PART + 1], DATA], ids=len)
def test_the_file_is_the_object(stage: Stage, data: bytes, resumable: bool) -> None:  # noqa: FBT001 - a table
    """The old file is replaced by the object's bytes, each asked for once, and what the object is comes back."""
    stage.put(data)

    result = stage.run(is_resumable=resumable)

    stage.assert_downloaded(data)
    assert stage.asked() == list(range(1, max(1, -(-len(data) // PART)) + 1))
    assert set(stage.scene.operations()) == {"GetObject"}
    assert (result.info.size_bytes, result.info.crc64, result.info.content_type) == (len(data), crc64(data), "text/csv")
    assert (result.bytes_received, result.bytes_verified, result.resumed) == (len(data), 0, False)
    assert result.as_dict() == {
        "bucket": stage.scene.bucket,
        "key": stage.scene.ref.key,
        "uri": stage.scene.ref.uri,
        "file_path": str(stage.path),
        "size": len(data),
        "etag": result.info.etag,
        "crc64": str(crc64(data)),
        "bytes_received": len(data),
        "bytes_verified": 0,
        "resumed": False,
        "elapsed_seconds": result.elapsed_seconds,
    }


def test_ranges_larger_than_a_first_look(stage: Stage) -> None:
    """What the first answer holds is used only if it is a whole range; larger ranges are all received in parallel."""
    data = some_bytes(20_000_000)
    stage.put(data)
    stage.run(settings=replace(stage.scene.settings, part_size_bytes=9_000_000))
    stage.assert_downloaded(data)
    first, *others = [request.range for request in stage.scene.requests("GetObject")]
    assert first == f"bytes=0-{8 * MIB - 1}"
    assert sorted(others) == ["bytes=0-8999999", "bytes=18000000-19999999", "bytes=9000000-17999999"]


def test_a_chosen_range_size(stage: Stage) -> None:
    """Without a size an object of up to 8 MiB is one request."""
    stage.run(settings=replace(stage.scene.settings, part_size_bytes=None))
    stage.assert_downloaded()
    assert stage.asked() == [1]


def test_a_new_file_in_new_directories(stage: Stage) -> None:
    """Where no file was there is one afterwards, and directories that are missing are made."""
    path = stage.folder / "2026" / "11" / "object.bin"
    stage.run(file_path=str(path))
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_a_link_is_followed(stage: Stage) -> None:
    """A link stays, and what it leads to is replaced."""
    link = stage.folder.parent / "latest"
    link.symlink_to(stage.path)
    stage.run(file_path=str(link))
    assert link.is_symlink()
    stage.assert_downloaded()


def test_a_very_long_name(stage: Stage) -> None:
    """A name that leaves no room for ours beside it."""
    stage.path.unlink()
    stage.name = "ü" * 127
    stage.stop_at_range(3)
    assert len(list(stage.folder.iterdir())) == 2
    stage.run()
    stage.assert_downloaded()


def test_progress(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The callback is told of each range, the log what was received."""
    caplog.set_level("INFO")
    heard: list[tuple[float, Any]] = []

    stage.run(progress=lambda fraction, _, part: heard.append((fraction, part)))

    assert sorted(part.number for _, part in heard) == [1, 2, 3, 4, 5]
    assert heard[-1][0] == 1.0
    assert "received 400.0 KiB, verified 0 bytes" in caplog.text


def test_what_is_there_already(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is equal to the object is left alone; one of the same size that differs is replaced."""
    caplog.set_level("INFO")
    stage.path.write_bytes(DATA)
    before = stage.path.stat()

    result = stage.run()

    assert stage.path.stat().st_mtime_ns == before.st_mtime_ns
    assert (result.bytes_received, result.bytes_verified, result.resumed) == (0, len(DATA), True)
    assert "is there already and equal" in caplog.text
    stage.assert_downloaded()

    stage.path.write_bytes(OTHER)
    assert stage.run().bytes_received == len(DATA)
    stage.assert_downloaded()


@pytest.mark.parametrize("error", [None, PermissionError(errno.EACCES, "no")])
def test_without_overwriting(stage: Stage, error: OSError | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``overwrite=False`` another file stays as it is; none, or an equal one, is success."""
    with pytest.raises(OSSInvalidTarget, match="overwrite=False"):
        stage.run(overwrite=False)
    stage.assert_untouched()
    assert list(stage.folder.iterdir()) == [stage.path]

    stage.path.unlink()
    if error is not None:
        monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(error))
        with pytest.raises(OSSInvalidTarget, match="cannot be written"):
            stage.run(overwrite=False)
        assert not stage.path.exists()
        return
    assert stage.run(overwrite=False).bytes_received == len(DATA)
    assert stage.run(overwrite=False).bytes_verified == len(DATA)
    stage.assert_downloaded()


def test_a_file_that_appears_meanwhile(stage: Stage) -> None:
    """With ``overwrite=False`` a file that appears before the end is not replaced."""
    stage.path.unlink()
    with pytest.raises(OSSInvalidTarget, match="File exists"):
        stage.run(overwrite=False, progress=lambda *_: stage.path.write_bytes(b"old"))
    stage.assert_untouched()


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(operation="GetObject", corrupt_response_byte=PART - 1), OSSChecksumMismatch),
        (Fault(operation="GetObject", truncate_response=True), OSSConnectionError),
        (Fault(operation="GetObject", truncate_response=True, skip=2), OSSConnectionError),
        (Fault(operation="GetObject", reset="before"), OSSConnectionError),
        (Fault(operation="GetObject", status=404, code="NoSuchKey"), OSSNoSuchKey),
        (Fault(operation="GetObject", status=404, code="NoSuchKey", skip=2), OSSSourceChanged),
        (Fault(operation="GetObject", foreign=True), OSSBadResponse),
    ],
)
def test_a_download_that_fails_leaves_the_old_file(stage: Stage, fault: Fault, error: type[Exception]) -> None:
    """When the bytes do not arrive as they are stored the old file stays, and nothing lies beside it."""
    stage.scene.server.faults.add(fault)

    with pytest.raises(error):
        stage.run(is_resumable=False)

    stage.assert_untouched()
    assert list(stage.folder.iterdir()) == [stage.path]


def test_damage_leaves_nothing_to_continue(stage: Stage) -> None:
    """When the whole is wrong nobody knows which range is: none is used again."""
    stage.scene.server.faults.add(Fault(operation="GetObject", corrupt_response_byte=0, skip=2, times=1))
    with pytest.raises(OSSChecksumMismatch):
        stage.run()
    assert list(stage.folder.iterdir()) == [stage.path]

    assert stage.run().bytes_received == len(DATA)
    stage.assert_downloaded()


def test_an_answer_that_is_another_object(stage: Stage) -> None:
    """An answer with more bytes than the object has is no error for good: ranges of it that are not there say so."""
    stage.put(DATA[:10])
    stage.scene.server.faults.add(Fault(operation="GetObject", response_body=DATA[: 2 * PART], times=1))
    with pytest.raises(OSSBadResponse):
        stage.run()
    stage.assert_untouched()

    stage.run()
    stage.assert_downloaded(DATA[:10])


def test_a_damaged_small_object_is_asked_for_again(stage: Stage) -> None:
    """An object of one range that arrives damaged is asked for again at once."""
    stage.put(DATA[:PART])
    stage.scene.server.faults.add(Fault(operation="GetObject", corrupt_response_byte=5, times=2))
    stage.run()
    stage.assert_downloaded(DATA[:PART])


def test_passing_faults(stage: Stage) -> None:
    """Ranges that break off are asked for again, the others are not."""
    stage.scene.server.faults.add(Fault(operation="GetObject", truncate_response=True, skip=1, times=2))
    stage.run()
    stage.assert_downloaded()
    assert len(stage.scene.requests("GetObject")) == RANGES + 2


@pytest.mark.parametrize("skip", [0, 3])
def test_a_token_that_expires(stage: Stage, skip: int) -> None:
    """With other credentials the attempt goes on; what has arrived is not asked for again."""
    expired = Fault(operation="GetObject", times=1, skip=skip, status=403, code="SecurityTokenExpired")
    stage.scene.server.faults.add(expired)
    renewed: list[bool] = []

    stage.run(renew_credentials=lambda: not renewed.append(True))

    assert renewed == [True]
    assert stage.asked() == [1, 2, 3, 4, 5]
    stage.assert_downloaded()


@dataclass
class Telling:
    """A client whose answers say what a test wants of the object, and may have other bytes."""

    scene: Scene
    info: dict[str, Any] = field(default_factory=dict)
    chunks: list[bytes] | None = None

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        return replace(self.scene.client.head_object(ref), **self.info)

    def get_object(self, *arguments: Any, **options: Any) -> Any:
        body = self.scene.client.get_object(*arguments, **options)
        body.info = replace(body.info, **self.info)
        if self.chunks is not None:
            chunks = list(self.chunks)
            body.readinto = lambda buffer: _fill(buffer, chunks.pop(0) if chunks else b"")  # type: ignore[method-assign]
        return body


def _fill(buffer: bytearray | memoryview, chunk: bytes) -> int:
    buffer[: len(chunk)] = chunk
    return len(chunk)


def test_too_few_bytes(stage: Stage) -> None:
    """Fewer bytes than were promised are an error that names both numbers."""
    with pytest.raises(OSSBadResponse, match=f"3 bytes of {PART} arrived") as caught:
        stage.run(client=Telling(stage.scene, chunks=[b"abc"]))
    assert (caught.value.details.bucket, caught.value.details.key) == (stage.scene.bucket, stage.scene.ref.key)
    stage.assert_untouched()
    assert list(stage.folder.iterdir()) == [stage.path]


def test_a_range_of_what(stage: Stage) -> None:
    """An answer that does not say how large the object is cannot be used."""
    headers = {**stage.scene.client.head_object(stage.scene.ref).headers, "content-range": "bytes 0-1/*"}
    with pytest.raises(OSSBadResponse, match="without the object's size"):
        stage.run(client=Telling(stage.scene, {"headers": headers}))
    stage.assert_untouched()


@pytest.mark.parametrize("data", [DATA[:10], DATA], ids=["small", "large"])
def test_an_object_without_crc64(stage: Stage, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """When OSS returns no CRC-64 size and ETag decide, which the log says; a file of that size proves nothing."""
    caplog.set_level("INFO")
    stage.put(data)
    stage.path.write_bytes(data)

    result = stage.run(client=Telling(stage.scene, {"crc64": None}))

    assert "only size and ETag prove the file" in caplog.text
    assert (result.as_dict()["crc64"], result.bytes_received) == (None, len(data))
    stage.assert_downloaded(data)


# Where it cannot be written


def test_a_directory_in_the_way(stage: Stage) -> None:
    """A directory is no file, and nothing is asked of OSS."""
    with pytest.raises(OSSInvalidTarget, match="is a directory: give the path of a file"):
        stage.run(file_path=str(stage.folder))
    with pytest.raises(OSSInvalidTarget, match="names a directory: give the path of a file"):
        stage.run(file_path=f"{stage.folder}/new/")
    assert stage.scene.requests() == []


def test_a_device_in_the_way(stage: Stage) -> None:
    """A device, or a pipe, is not replaced by a file."""
    pipe = stage.folder / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSSInvalidTarget, match="is no regular file"):
        stage.run(file_path=str(pipe))
    assert pipe.is_fifo()


def test_a_file_among_the_directories(stage: Stage) -> None:
    """A path that leads through a file is an error that names it."""
    with pytest.raises(OSSInvalidTarget, match=r"below' cannot be written: (Not a directory|File exists)"):
        stage.run(file_path=str(stage.path / "below"))
    with pytest.raises(OSSInvalidTarget, match="cannot be written"):
        stage.run(file_path=str(stage.path / "below" / "further"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_directory_that_may_not_be_written(stage: Stage, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system forbids to write, no retry helps: the error names path and reason."""
    before = os.open

    def refuse(path: Any, flags: int, *rest: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return before(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSSInvalidTarget, match=f"cannot be written: {os.strerror(number)}"):
        stage.run()


def test_too_little_room(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with too little room is noticed before the download, and another attempt may find more."""
    full = os.statvfs_result([*os.statvfs(stage.folder)[:3], 0, 0, *os.statvfs(stage.folder)[5:10], 0])
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    with pytest.raises(OSSDiskFull, match=f"needs {len(DATA)} bytes, and 0 are free"):
        stage.run()
    assert list(stage.folder.iterdir()) == [stage.path]


def test_a_disk_that_fills_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the room ends in the middle, what has arrived stays for the next attempt."""
    before, counter = os.pwrite, iter(range(1000))

    def fill(descriptor: int, data: Any, offset: int) -> int:
        if next(counter) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return before(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", fill)
    with pytest.raises(OSSDiskFull, match="no room on this worker: No space left"):
        stage.run(settings=replace(stage.scene.settings, parallel=1))
    monkeypatch.undo()
    stage.assert_untouched()

    assert stage.run().bytes_verified > 0
    stage.assert_downloaded()


def test_a_broken_disk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says and nobody can do anything about is passed on."""

    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        stage.run()
    stage.assert_untouched()


@pytest.mark.parametrize("part_size", [1, 6 * 2**30])
def test_range_sizes_that_cannot_be(stage: Stage, part_size: int) -> None:
    """A size of ranges that is out of bounds is refused before anything is asked of OSS."""
    with pytest.raises(OSSInvalidArgument, match=f"part_size={part_size}"):
        stage.run(settings=replace(stage.scene.settings, part_size_bytes=part_size))
    assert stage.scene.requests() == []


def test_a_file_that_may_not_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old file that may not be read may still be replaced."""
    stage.path.write_bytes(DATA)
    before = os.open

    def refuse(path: Any, flags: int, *rest: Any) -> int:
        if str(path) == str(stage.path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return before(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    assert stage.run().bytes_received == len(DATA)
    stage.assert_downloaded()


# Continuing


def test_continuing(stage: Stage) -> None:
    """Ranges that have arrived are verified where they lie, and only the others are asked for."""
    stage.stop_at_range(4)
    stage.assert_untouched()

    result = stage.run()

    assert [request.operation for request in stage.scene.requests()] == ["HeadObject", "GetObject", "GetObject"]
    assert stage.asked() == [4, 5]
    assert (result.bytes_received, result.bytes_verified, result.resumed) == (PART + 7, 3 * PART, True)
    assert result.describe().startswith(f"Downloaded {stage.scene.ref} to {stage.path}: {len(DATA)} bytes")
    stage.assert_downloaded()


def test_continuing_with_another_range_size(stage: Stage) -> None:
    """What has arrived keeps the ranges in which it arrived."""
    stage.stop_at_range(4)
    stage.run(settings=replace(stage.scene.settings, part_size_bytes=2 * PART))
    assert stage.asked() == [4, 5]
    stage.assert_downloaded()


def test_nothing_arrived_leaves_nothing(stage: Stage) -> None:
    """An attempt in which not one range arrived leaves nothing beside the file."""
    stage.stop_at_range(1)
    assert list(stage.folder.iterdir()) == [stage.path]


def test_an_object_that_is_replaced_meanwhile(stage: Stage) -> None:
    """Ranges of two versions are never mixed: the attempt fails, and the next one begins anew."""

    class Replacing(Telling):
        def get_object(self, *arguments: Any, **options: Any) -> Any:
            if len(stage.asked()) == 3:
                stage.put(OTHER)
            return super().get_object(*arguments, **options)

    with pytest.raises(OSSSourceChanged, match="was replaced while it was read"):
        stage.run(client=Replacing(stage.scene), settings=replace(stage.scene.settings, parallel=1))
    stage.assert_untouched()

    assert stage.run().bytes_received == len(OTHER)
    stage.assert_downloaded(OTHER)


def test_an_object_that_is_replaced_between_attempts(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What arrived of another version is thrown away."""
    stage.stop_at_range(4)
    stage.put(OTHER)

    result = stage.run()

    assert "another version of it by now" in caplog.text
    assert (result.bytes_received, result.bytes_verified) == (len(OTHER), 0)
    stage.assert_downloaded(OTHER)


def test_an_object_that_is_deleted_between_attempts(stage: Stage) -> None:
    """When the object is gone the error says so, and the old file stays."""
    stage.stop_at_range(4)
    stage.scene.client.delete_object(stage.scene.ref)
    with pytest.raises(OSSNoSuchKey):
        stage.run()
    stage.assert_untouched()


def test_the_file_became_right_between_attempts(stage: Stage) -> None:
    """When another made the file equal meanwhile, nothing is received, and what had arrived is removed."""
    stage.stop_at_range(4)
    stage.path.write_bytes(DATA)
    assert stage.run().bytes_verified == len(DATA)
    assert stage.asked() == []
    stage.assert_downloaded()


def damage(stage: Stage) -> None:
    with stage.part_path.open("r+b") as file:
        file.seek(PART + 5)
        file.write(b"\0\0\0\0\0\0\0\0")


def shorten(stage: Stage) -> None:
    os.truncate(stage.part_path, PART + 1)


def lengthen(stage: Stage) -> None:
    with stage.part_path.open("ab") as file:
        file.write(b"more")


def remove(stage: Stage) -> None:
    stage.part_path.unlink()


def tear(stage: Stage) -> None:
    text = stage.record_path.read_bytes()
    stage.record_path.write_bytes(text[:-10])


def lie(stage: Stage) -> None:
    lines = stage.record_path.read_text().splitlines()
    claims = [
        {"part": 2, "crc64": "5"},
        {"part": 0, "crc64": "5"},
        {"part": 6, "crc64": "5"},
        {"part": True, "crc64": "5"},
        {"part": 1, "crc64": 5},
        [1, "5"],
    ]
    stage.record_path.write_text("\n".join([*lines, *map(json.dumps, claims), "[" * 100_000]))


def empty(stage: Stage) -> None:
    stage.record_path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (damage, 2 * PART),
        (shorten, PART),
        (lengthen, 3 * PART),
        (remove, 0),
        (tear, 2 * PART),
        (lie, 2 * PART),
        (empty, 0),
    ],
)
def test_what_lies_there_is_not_trusted(stage: Stage, harm: Callable[[Stage], None], expected: int) -> None:
    """Only ranges whose bytes have the noted CRC-64 count, whatever happened to the files meanwhile."""
    stage.stop_at_range(4)
    harm(stage)

    result = stage.run()

    assert (result.bytes_verified, result.bytes_received) == (expected, len(DATA) - expected)
    stage.assert_downloaded()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"size": -1},
        {"size": "1"},
        {"part_size": 1},
        {"part_size": True},
        {"crc64": "many"},
        {"crc64": 5},
        {"etag": None},
        {"bucket": "No_Bucket"},
        {"key": ""},
    ],
    ids=str,
)
def test_records_that_make_no_sense(stage: Stage, change: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A record that does not say what is downloaded is shown in the log, and the download begins anew."""
    stage.stop_at_range(4)
    first, rest = stage.record_path.read_text().split("\n", 1)
    stage.record_path.write_text(json.dumps(json.loads(first) | change) + "\n" + rest)

    result = stage.run()

    assert "its record cannot be read" in caplog.text
    assert (result.bytes_verified, result.bytes_received) == (0, len(DATA))
    stage.assert_downloaded()


def test_the_record_of_an_object_without_crc64(stage: Stage) -> None:
    """Where no CRC-64 can prove the whole, a record that was edited to name the object is not believed."""
    stage.stop_at_range(4)
    stage.put(OTHER)
    info = stage.scene.client.head_object(stage.scene.ref)
    first, rest = stage.record_path.read_text().split("\n", 1)
    now = {"etag": info.etag, "size": info.size_bytes, "crc64": None}
    stage.record_path.write_text(json.dumps(json.loads(first) | now) + "\n" + rest)

    assert stage.run(client=Telling(stage.scene, {"crc64": None})).bytes_received == len(OTHER)
    stage.assert_downloaded(OTHER)


@pytest.mark.parametrize("text", [b"\xff\xfe\n", b"no json", b"[]\n", b"\n"])
def test_records_that_are_none(stage: Stage, text: bytes) -> None:
    """What is no record at all is no reason to fail."""
    stage.stop_at_range(4)
    stage.record_path.write_bytes(text)
    assert stage.run().bytes_received == len(DATA)
    stage.assert_downloaded()


def test_the_record_of_another_object(stage: Stage) -> None:
    """What arrived of another object is not used for this one."""
    stage.stop_at_range(4)
    other = ObjectRef(stage.scene.other_bucket, "other")
    stage.scene.client.put_object(other, OTHER, crc64(OTHER), ObjectOptions())
    assert stage.run(ref=other).bytes_received == len(OTHER)
    stage.assert_downloaded(OTHER)


def test_a_request_to_stop(stage: Stage) -> None:
    """A download that is asked to stop leaves what has arrived to the next attempt."""
    cancellation = Cancellation()
    with pytest.raises(OSSUploadCancelled, match="the next attempt continues"):
        stage.run(cancellation=cancellation, progress=lambda *_: cancellation.request())
    stage.assert_untouched()
    with pytest.raises(OSSUploadCancelled):
        stage.run(cancellation=cancellation)

    assert stage.run().resumed
    in_flight = stage.scene.settings.parallel
    assert set(stage.asked()) == {1, 2, 3, 4, 5}
    assert len(stage.asked()) <= RANGES + in_flight
    stage.assert_downloaded()


# Two at a time


def test_two_attempts_at_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A second download to the same path begins in a file of its own; both end well, and nothing is left."""
    second: list[DownloadResult] = []

    def run_another(*_: Any) -> None:
        if not second:
            second.append(stage.run())
            assert stage.path.read_bytes() == DATA

    first = stage.run(progress=run_another)

    assert "is in use by another download" in caplog.text
    assert (first.bytes_received, second[0].bytes_received) == (len(DATA), len(DATA))
    stage.assert_downloaded()


def test_a_file_system_without_locks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be locked nothing is kept, and nothing is left."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    stage.part_path.touch()
    stage.run()
    assert stage.path.read_bytes() == DATA


def test_published_while_it_is_opened(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another attempt publishes between being opened and locked is not written to any more."""
    stage.stop_at_range(4)
    before = fcntl.flock
    published: list[Path] = []

    def publish(descriptor: int, operation: int) -> None:
        before(descriptor, operation)
        if not published:
            published.append(stage.part_path.replace(stage.path))

    monkeypatch.setattr(fcntl, "flock", publish)
    result = stage.run()
    assert result.bytes_received == len(DATA)
    stage.assert_downloaded()


@pytest.mark.parametrize("kind", ["link", "hard link", "directory"])
def test_something_laid_in_the_way(stage: Stage, kind: str) -> None:
    """In a directory that others may write to, a link under our name leads to no file of the victim's."""
    victim = stage.folder.parent / "victim"
    victim.write_text("precious")
    if kind == "link":
        stage.part_path.symlink_to(victim)
    elif kind == "hard link":
        stage.part_path.hardlink_to(victim)
    else:
        stage.part_path.mkdir()

    stage.run()

    assert victim.read_text() == "precious"
    assert stage.path.read_bytes() == DATA


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "pipe"])
def test_something_in_the_place_of_the_record(stage: Stage, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """What others laid under the record's name is neither written nor shown: the download begins anew beside it."""
    victim = stage.folder.parent / "victim"
    victim.write_text("precious secret")
    if kind == "link":
        stage.record_path.symlink_to(victim)
    elif kind == "hard link":
        stage.record_path.hardlink_to(victim)
    elif kind == "directory":
        stage.record_path.mkdir()
    else:
        os.mkfifo(stage.record_path)

    stage.run()

    assert victim.read_text() == "precious secret"
    assert "precious" not in caplog.text
    assert stage.path.read_bytes() == DATA
    assert set(stage.folder.iterdir()) == {stage.path, stage.record_path}


# Interrupted


class InterruptedByTestError(BaseException):
    pass


class InterruptAt:
    """Raises at the n-th line, as a signal handler may, of the module that opens, names and removes files."""

    files = (partial_file.__file__,)

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self.files and frame.f_code is not Download._run.__code__:
            return None
        if event == "line":
            self.left -= 1
            if not self.left:
                sys.settrace(None)
                raise InterruptedByTestError
        return self


def is_interrupted(stage: Stage, line: int, **changes: Any) -> bool:
    """Run in a process of its own: where a trace function raises, Python 3.11 keeps for ever what was being handled."""
    child = os.fork()
    if not child:
        status = 2
        sys.settrace(InterruptAt(line))
        try:
            stage.run(**changes)
            status = 0
        except InterruptedByTestError:
            status = 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1)
    return status == 1


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("resumable", [False, True])
def test_interrupted_anywhere(stage: Stage, *, resumable: bool, overwrite: bool) -> None:
    """Whenever a signal ends a download of which no range has arrived, or all, nothing is left beside the file."""
    data = DATA[:1000]
    stage.put(data)
    for line in itertools.count(1):
        stage.path.write_bytes(b"old")
        if not overwrite:
            stage.path.unlink()
        is_over = not is_interrupted(stage, line, is_resumable=resumable, overwrite=overwrite)
        assert {path.name for path in stage.folder.iterdir()} <= {stage.name}, line
        assert not stage.path.exists() or stage.path.read_bytes() in ((b"old", data) if overwrite else (data,)), line
        if is_over:
            break
    assert line > 50


# Death


CHILD = """
import sys
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.engine.download import Download
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.upload import UploadSettings
from airflow_provider_oss.clients.credentials.sources import Credentials
from airflow_provider_oss.clients.settings import ClientSettings

endpoint, key_id, secret, bucket, key, path, part_size = sys.argv[1:]
settings = ClientSettings(endpoint=endpoint, credentials=Credentials(key_id, secret), region="cn-hangzhou")
Download(
    ObjectRef(bucket, key), path, Means(OSSObjectClient(settings)),
    settings=UploadSettings(part_size_bytes=int(part_size), parallel=2), is_resumable=True,
    progress=lambda *_: print("range", flush=True),
).run()
"""


@dataclass
class Child:
    """A process that downloads, and says when a range has arrived."""

    process: subprocess.Popen[str]

    def wait_for_ranges(self, count: int) -> None:
        for _ in range(count):
            assert self.process.stdout is not None
            assert self.process.stdout.readline() == "range\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(stage: Stage) -> Iterator[Callable[[], Child]]:
    """Start a process that downloads the stage's object."""
    children: list[Child] = []
    settings = stage.scene.client._api.settings
    credentials = settings.credentials
    assert isinstance(credentials, Credentials)

    def begin() -> Child:
        arguments = (
            settings.endpoint,
            credentials.access_key_id,
            credentials.access_key_secret,
            *(stage.scene.ref.bucket, stage.scene.ref.key, str(stage.path), str(PART)),
        )
        process = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)
        children.append(Child(process))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
        assert child.process.stdout is not None
        child.process.stdout.close()


def test_a_process_that_is_killed(stage: Stage, start: Callable[[], Child]) -> None:
    """After a SIGKILL nothing that had arrived is asked for again but what was in flight; twice in a row."""
    data = some_bytes(40 * PART)
    stage.put(data)
    stage.scene.server.faults.add(Fault(operation="GetObject", rate_bytes_per_second=10 * PART))
    for ranges in (10, 25):  # the second process tells of those that it verifies as well
        child = start()
        child.wait_for_ranges(ranges)
        child.kill()
        stage.assert_untouched()
    stage.scene.server.faults.clear()

    result = stage.run()

    assert result.bytes_verified >= 25 * PART
    in_flight = 2 * 2  # two attempts with two ranges each
    assert len(stage.scene.requests("GetObject")) <= 40 + in_flight
    stage.assert_downloaded(data)


def test_a_thread_that_still_writes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a thread hangs in a range the file stays open: its descriptor must not become another file's."""
    hanging = threading.Event()
    closed: list[partial_file.PartialFile] = []
    monkeypatch.setattr(partial_file.PartialFile, "close", closed.append)

    class Hanging(Telling):
        def get_object(self, *arguments: Any, **options: Any) -> Any:
            if len(arguments) > 2 and arguments[1][0] == PART:
                hanging.wait(30)
            return super().get_object(*arguments, **options)

    class Interrupted(BaseException):
        pass

    def interrupt(*_: Any) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        stage.run(client=Hanging(stage.scene), progress=_on_second(interrupt))
    assert closed == []
    hanging.set()


def _on_second(act: Callable[..., None]) -> Callable[..., None]:
    calls = []

    def progress(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            act(*arguments)

    return progress
