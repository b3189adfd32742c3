"""Files of fsspec's filesystems as sources: a real S3 protocol, and filesystems with one trait each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import s3fs
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from sshfs import SSHFileSystem

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.exceptions import OSSInvalidSource, OSSSourceChanged, OSSSourceUnavailable
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.model import Part
from airflow_provider_oss.sources.object_storage import ObjectStorageReader, ObjectStorageSource, source_of
from tests.sources.policies import QUICK
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET, S3Server
from tests.support.sftp_server import PASSWORD, USER, sftp_server
from tests.support.sources import some_bytes

DATA = some_bytes(1_000_000)
FIRST = Part(1, 0, 300_000)
LAST = Part(4, 900_000, 100_000)


@pytest.fixture
def s3_files(s3: S3Server) -> s3fs.S3FileSystem:
    """The S3 server as a filesystem."""
    s3.put("data.bin", DATA)
    return s3fs.S3FileSystem(
        endpoint_url=s3.endpoint, key=ACCESS_KEY, secret=SECRET, skip_instance_cache=True, use_listings_cache=True
    )


@pytest.fixture
def memory() -> Iterator[Callable[..., OneTrait]]:
    """Makes filesystems in memory, with the file ``/data.bin``."""
    yield OneTrait
    MemoryFileSystem.store.clear()


class OneTrait(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A filesystem in memory that behaves as a test wants: other facts, failures, other bytes than asked for."""

    cachable = False

    def __init__(self, facts: dict[str, Any] | None = None, protocol: str = "memory") -> None:
        super().__init__()
        self.protocol = protocol
        self.facts = facts or {}
        self.failures: list[Exception] = []
        self.extra_bytes = 0
        self.busy = 0
        self.most_busy = 0
        self.pipe_file("/data.bin", DATA)

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return {**super().info(path, **kwargs), **self.facts}

    def cat_file(self, path: str, start: int = 0, end: int = 0, **kwargs: Any) -> bytes:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            if self.failures:
                raise self.failures.pop(0)
            threading.Event().wait(0.001)  # lets another thread in, if one may
            data: bytes = super().cat_file(path, start, end + self.extra_bytes, **kwargs)
            return data
        finally:
            self.busy -= 1


class Telling(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Says of every file that it has no bytes, as a server does of its /proc."""

    cachable = False

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return {**super().info(path, **kwargs), "size": 0}


@pytest.mark.parametrize("content", [b"", b"content"])
def test_a_file_that_says_it_is_empty(content: bytes) -> None:
    """It is looked into: one that has content is refused, with the way to store it, and never stored as empty."""
    fs = Telling()
    fs.pipe_file("/data.bin", content)
    reader = reader_of(fs)
    if content:
        with pytest.raises(
            OSSInvalidSource, match=r"has content, and its storage says .* 0 bytes: upload it with OSSRes"
        ):
            reader.data(Part(1, 0, 0))
    else:
        assert reader.data(Part(1, 0, 0)) == b""
    fs.rm("/data.bin")


def reader_of(fs: Any, path: str = "/data.bin") -> ObjectStorageReader:
    return ObjectStorageSource(fs, path, f"test://{path}", QUICK).open()


# S3


def test_s3(s3_files: s3fs.S3FileSystem) -> None:
    """An S3 object is read in ranges, by many threads at once; its ETag is its version."""
    reader = reader_of(s3_files, f"{BUCKET}/data.bin")
    parts = [Part(number, (number - 1) * 100_000, 100_000) for number in range(1, 11)]
    with ThreadPoolExecutor(10) as pool:
        assert b"".join(pool.map(reader.data, parts)) == DATA
    reader.check_unchanged()
    fingerprint = reader.fingerprint
    assert (fingerprint.name, fingerprint.size_bytes) == (f"test://{BUCKET}/data.bin", len(DATA))
    assert fingerprint.version == s3_files.info(f"{BUCKET}/data.bin")["ETag"]
    assert fingerprint.modified_at is not None
    assert datetime.fromisoformat(fingerprint.modified_at).tzinfo is not None


@pytest.mark.parametrize("look", ["data", "check_unchanged"])
def test_s3_replaced(s3: S3Server, s3_files: s3fs.S3FileSystem, look: str) -> None:
    """No byte of another object is read under the version that was seen, though it has the same key and size."""
    reader = reader_of(s3_files, f"{BUCKET}/data.bin")
    s3.put("data.bin", DATA[::-1])
    with pytest.raises(OSSSourceChanged, match="changed while it was read"):
        reader.data(FIRST) if look == "data" else reader.check_unchanged()


def test_s3_listings_are_not_trusted(s3: S3Server, s3_files: s3fs.S3FileSystem) -> None:
    """What s3fs remembers of a listing is not taken for what is there now."""
    s3_files.ls(BUCKET, detail=True)
    s3.put("data.bin", b"new")
    assert reader_of(s3_files, f"{BUCKET}/data.bin").fingerprint.size_bytes == 3


def test_s3_gone(s3: S3Server, s3_files: s3fs.S3FileSystem) -> None:
    """An object that is deleted while it is read is an error for good."""
    reader = reader_of(s3_files, f"{BUCKET}/data.bin")
    s3.client.delete_object(Bucket=BUCKET, Key="data.bin")
    with pytest.raises(OSSInvalidSource, match="does not exist"):
        reader.data(FIRST)


@pytest.mark.parametrize("path", [f"{BUCKET}/missing", "no-such-bucket/data.bin"])
def test_s3_missing(s3_files: s3fs.S3FileSystem, path: str) -> None:
    """What is not there is an error for good that names it."""
    with pytest.raises(OSSInvalidSource, match=f"{path}' does not exist"):
        reader_of(s3_files, path)


def test_s3_folder(s3: S3Server, s3_files: s3fs.S3FileSystem) -> None:
    """A prefix is no file."""
    s3.put("folder/a", b"a")
    with pytest.raises(OSSInvalidSource, match="is a directory"):
        reader_of(s3_files, f"{BUCKET}/folder")


# OSS


@pytest.fixture
def oss_files(connect: Callable[..., str]) -> OSSFileSystem:
    """The local OSS server as a filesystem, with the object ``data.bin``."""
    fs = OSSFileSystem(connect(), skip_instance_cache=True)
    fs.hook.put_object("data.bin", DATA)
    return fs


def test_oss(oss_files: OSSFileSystem, server: OSSEmulator) -> None:
    """An object of OSS is read in ranges, each on condition of its ETag, which is its version."""
    reader = reader_of(oss_files, "exports/data.bin")
    assert reader.fingerprint.version == oss_files.info("exports/data.bin")["ETag"]
    server.forget_requests()
    assert bytes(reader.data(LAST)) == DATA[900_000:]
    reader.check_unchanged()
    assert [one.operation for one in server.requests][:2] == ["GetObject", "HeadObject"]


@pytest.mark.parametrize("look", ["data", "check_unchanged"])
def test_oss_replaced(oss_files: OSSFileSystem, look: str) -> None:
    """An object that is replaced within the same second by one of the same size is noticed: nothing is mixed."""
    reader = reader_of(oss_files, "exports/data.bin")
    reader.data(FIRST)
    oss_files.hook.put_object("data.bin", DATA[::-1])
    with pytest.raises(OSSSourceChanged, match=r"data\.bin changed while it was read"):
        reader.data(LAST) if look == "data" else reader.check_unchanged()


def test_oss_deleted(oss_files: OSSFileSystem) -> None:
    """An object that is deleted meanwhile has changed: the next attempt finds out that it is not there."""
    reader = reader_of(oss_files, "exports/data.bin")
    oss_files.hook.delete_object("data.bin")
    with pytest.raises(OSSSourceChanged, match=r"data\.bin changed while it was read"):
        reader.data(LAST)


# SFTP


@pytest.fixture
def sftp_files(tmp_path: Path) -> Iterator[SSHFileSystem]:
    """A folder behind an SFTP server as a filesystem, with the file ``/data.bin``."""
    (tmp_path / "data.bin").write_bytes(DATA)
    with sftp_server(tmp_path) as port:
        yield SSHFileSystem(
            "127.0.0.1", port=port, username=USER, password=PASSWORD, known_hosts=None, skip_instance_cache=True
        )


def test_sftp(sftp_files: SSHFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file behind SFTP is read in ranges by several threads at once, never as a whole."""

    def read_everything(*_: Any, **__: Any) -> bytes:
        raise AssertionError("cat_file of sshfs reads everything")

    reader = reader_of(sftp_files)
    monkeypatch.setattr(sftp_files, "_cat_file", read_everything)
    parts = [Part(number, (number - 1) * 50_000, 50_000) for number in range(1, 21)]
    with ThreadPoolExecutor(5) as pool:
        assert b"".join(pool.map(reader.data, parts)) == DATA
    reader.check_unchanged()
    assert (reader.fingerprint.size_bytes, reader.fingerprint.version) == (len(DATA), None)


def test_sftp_changed(sftp_files: SSHFileSystem, tmp_path: Path) -> None:
    """A file behind SFTP that got another time or length is noticed."""
    reader = reader_of(sftp_files)
    (tmp_path / "data.bin").write_bytes(DATA[:350_000])
    with pytest.raises(OSSSourceChanged, match="with 0 bytes where the 100000"):
        reader.data(LAST)
    with pytest.raises(OSSSourceChanged, match="changed while it was read"):
        reader.check_unchanged()


# Others


def test_without_version(memory: Callable[..., OneTrait]) -> None:
    """A filesystem of which no strong identity is known has none, whatever it calls an ETag."""
    reader = reader_of(memory({"ETag": '"v1"', "etag": '"v1"', "generation": "1"}))
    assert (reader.fingerprint.version, bytes(reader.data(LAST))) == (None, DATA[900_000:])


@pytest.mark.parametrize(
    ("protocol", "facts", "expected"),
    [
        ("gs", {"generation": "1763719200000001"}, "1763719200000001"),
        ("abfs", {"etag": "0x8DE2"}, "0x8DE2"),
        ("abfs", {"etag": 'W/"0x8DE2"'}, None),
        ("gs", {"etag": "CJz="}, None),
    ],
)
def test_versions(memory: Callable[..., OneTrait], protocol: str, facts: dict[str, Any], expected: str | None) -> None:
    """GCS's generation and Azure's ETag are versions: the storages give every write another one."""
    assert reader_of(memory(facts, protocol)).fingerprint.version == expected


def test_version_that_changes(memory: Callable[..., OneTrait]) -> None:
    """Bytes are only handed out when the version is still the same after they were read."""
    files = memory({"generation": "1"}, "gs")
    reader = reader_of(files)
    assert bytes(reader.data(FIRST)) == DATA[:300_000]
    files.facts = {"generation": "2"}
    with pytest.raises(OSSSourceChanged):
        reader.data(FIRST)


def test_one_thread_at_a_time(memory: Callable[..., OneTrait]) -> None:
    """A filesystem that is no asynchronous one is used by one thread at a time."""
    files = memory()
    reader = reader_of(files)
    parts = [Part(number, (number - 1) * 10_000, 10_000) for number in range(1, 101)]
    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(reader.data, parts)) == DATA
    assert files.most_busy == 1


def test_wrapped_filesystem(memory: Callable[..., OneTrait]) -> None:
    """A wrapper that is asynchronous around a filesystem that is not is used by one thread at a time too."""
    files = memory()
    reader = reader_of(DirFileSystem("/", files), "data.bin")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(reader.data, [FIRST] * 20)) == {DATA[:300_000]}
    assert files.most_busy == 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [({"size": None}, "OSSResumableStreamOperator"), ({"type": "directory"}, "is a directory")],
)
def test_no_file(memory: Callable[..., OneTrait], facts: dict[str, Any], message: str) -> None:
    """What has no size, or is no file, cannot be read in ranges, and the error says what to do."""
    with pytest.raises(OSSInvalidSource, match=message):
        reader_of(memory(facts))


@pytest.mark.parametrize("extra_bytes", [-1, 1])
def test_other_bytes_than_asked_for(memory: Callable[..., OneTrait], extra_bytes: int) -> None:
    """A range of another length than asked for is an error."""
    files = memory()
    reader = reader_of(files)
    files.extra_bytes = extra_bytes
    with pytest.raises(OSSSourceChanged, match=f"with {300_000 + extra_bytes} bytes where the 300000"):
        reader.data(FIRST)


class SdkError(Exception):
    """What the SDK of some storage raises."""


@pytest.mark.parametrize("error", [SdkError("busy"), TimeoutError("busy"), OSError(5, "busy")])
def test_trouble_that_passes(memory: Callable[..., OneTrait], error: Exception) -> None:
    """Whatever a storage raises is tried again, three times in all here."""
    files = memory()
    reader = reader_of(files)
    files.failures = [error, error]
    assert bytes(reader.data(FIRST)) == DATA[:300_000]
    files.failures = [error] * 3
    with pytest.raises(OSSSourceUnavailable, match=r"busy; given up after 3 tries"):
        reader.data(FIRST)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError("no"), "may not be read"),
        (FileNotFoundError("no"), "does not exist"),
        (NotImplementedError("no"), "cannot read ranges"),
    ],
)
def test_trouble_that_stays(memory: Callable[..., OneTrait], error: Exception, message: str) -> None:
    """What no repetition mends is not repeated, and an error for good."""
    files = memory()
    reader = reader_of(files)
    files.failures = [error]
    with pytest.raises(OSSInvalidSource, match=message):
        reader.data(FIRST)


@pytest.mark.parametrize("modified", [datetime(2026, 11, 21, tzinfo=UTC), 1795219200, "2026-11-21T00:00:00+00:00"])
def test_modified_at(memory: Callable[..., OneTrait], modified: Any) -> None:
    """The time of the last modification is read in the forms in which filesystems give it."""
    assert (
        reader_of(memory({"mtime": modified, "created": None})).fingerprint.modified_at == "2026-11-21T00:00:00+00:00"
    )


def test_local_files(tmp_path: Path, memory: Callable[..., OneTrait]) -> None:
    """A file of this worker becomes the source that all local files are; others are read through their filesystem."""
    path = str(tmp_path / "data.bin")
    assert source_of(LocalFileSystem(), path, path) == FileSource(path)
    assert isinstance(source_of(memory(), "/data.bin", "memory:///data.bin"), ObjectStorageSource)
