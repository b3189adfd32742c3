"""Objects that are read as files, and by ranges."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.caching import caches

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSSourceChanged,
)
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.limits import MIB
from tests.conftest import BUCKET
from tests.fs.conftest import MakeFileSystem

if TYPE_CHECKING:
    import oss2

KEY = "dir/key.bin"
PATH = f"{BUCKET}/{KEY}"
DATA = bytes(range(256)) * 1024


def operations(server: OSSEmulator) -> list[str]:
    return [request.operation for request in server.requests]


def test_small_reads_are_few_requests(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """Reading from the beginning to the end in small steps asks once for what 8 MiB hold."""
    bucket.put_object(KEY, DATA * 40)
    server.forget_requests()
    with fs.open(PATH) as file:
        pieces = list(iter(lambda: file.read(10_000), b""))
    assert b"".join(pieces) == DATA * 40
    assert operations(server) == ["HeadObject", "GetObject", "GetObject"]


def test_seeking(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A file is read anywhere, as lines, and to its end."""
    bucket.put_object(KEY, DATA)
    with fs.open(PATH, block_size=1024) as file:
        assert (file.seek(100_000), file.read(5)) == (100_000, DATA[100_000:100_005])
        assert (file.seek(-3, io.SEEK_END), file.read()) == (len(DATA) - 3, DATA[-3:])
        assert file.read() == b""
        file.seek(0)
        assert file.readline() == DATA[:11]


def test_an_empty_object(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """An empty object is read without a request for its bytes."""
    bucket.put_object(KEY, b"")
    with fs.open(PATH) as file:
        assert file.read() == b""
    assert fs.cat_file(PATH) == b""


def test_replaced_while_it_is_read(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Bytes of two objects are never mixed: reading on after another took the place of the first raises."""
    bucket.put_object(KEY, DATA)
    with fs.open(PATH, block_size=1024) as file:
        file.read(10)
        bucket.put_object(KEY, DATA[::-1])
        with pytest.raises(OSSSourceChanged, match="replaced while it was read"):
            file.read(100_000)


def test_what_is_not_there(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A missing object, or bucket, is FileNotFoundError; a prefix is IsADirectoryError."""
    bucket.put_object(KEY, DATA)
    for path in (f"{BUCKET}/absent", "no-such-bucket/key"):
        with pytest.raises(FileNotFoundError):
            fs.open(path)
        with pytest.raises(FileNotFoundError):
            fs.cat_file(path)
    with pytest.raises(IsADirectoryError):
        fs.open(f"{BUCKET}/dir")


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_an_argument_that_would_have_no_effect(fs: OSSFileSystem, bucket: oss2.Bucket, mode: str) -> None:
    """Who asks for an old version does not get the latest one."""
    bucket.put_object(KEY, DATA)
    with pytest.raises(OSSInvalidArgument, match=r"^version_id is not offered for reading.* leave version_id out"):
        fs.open(PATH, mode, version_id="v1")


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_arguments_that_ask_for_nothing(fs: OSSFileSystem, bucket: oss2.Bucket, mode: str) -> None:
    """What libraries pass to every filesystem, s3fs's own arguments too, is no error as long as it asks for nothing."""
    bucket.put_object(KEY, b"text")
    with fs.open(PATH, mode, version_id=None, acl=False, requester_pays=False, trim=None, fill_cache=True) as file:
        assert len(file.read()) == 4


# "parts" is given what it holds; "mmap" leaves its temporary file to be closed by Python
@pytest.mark.parametrize("cache_type", sorted({str(name) for name in caches} - {"parts", "mmap"}))
@pytest.mark.parametrize("argument", ["cache_type", "default_cache_type", "default_cache"])
def test_cache_types(fs: OSSFileSystem, bucket: oss2.Bucket, argument: str, cache_type: str) -> None:
    """All of fsspec's caches can be named, by each of the names that the argument has elsewhere."""
    bucket.put_object(KEY, DATA)
    given = None if cache_type == "None" else cache_type
    arguments: Any = {argument: given}
    with fs.open(PATH, **arguments) as file:
        assert file.cache.name == (given or "readahead")
        assert file.read() == DATA


def test_ranges_that_are_known(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """What has been read of a file, as dask and fsspec.parquet do it, is handed over and not read again."""
    bucket.put_object(KEY, DATA)
    server.forget_requests()
    known = {(0, len(DATA)): DATA}
    with fs.open(PATH, "rb", cache_type="parts", cache_options={"data": known}, size=len(DATA)) as file:
        assert file.read() == DATA
    assert operations(server) == ["HeadObject"]


def test_a_cache_that_there_is_not(fs: OSSFileSystem) -> None:
    """A typing error is one that names those that there are."""
    with pytest.raises(
        OSSInvalidArgument, match=r"cache_type='readaheda' is not known to fsspec: use one of .*readahead"
    ):
        fs.open(PATH, cache_type="readaheda")


def test_what_the_filesystem_reads_with(make_fs: MakeFileSystem, bucket: oss2.Bucket) -> None:
    """What files are read with may be said of the filesystem; what is said of a file goes before it."""
    bucket.put_object(KEY, DATA)
    options: Any = {"default_block_size": 1000, "default_cache_type": "bytes", "default_fill_cache": True}
    fs = OSSFileSystem(make_fs().oss_conn_id, **options, anon=False)
    with fs.open(PATH) as file, fs.open(PATH, block_size=0, cache_type="none") as other:
        assert (file.blocksize, file.cache.name) == (1000, "bytes")
        assert (other.blocksize, other.cache.name) == (0, "none")
        assert file.read() == other.read() == DATA


@pytest.mark.parametrize("size_bytes", [-1, 0, 1, 10**6, "default"])
@pytest.mark.parametrize("mode", ["r", "rb"])
def test_block_sizes(fs: OSSFileSystem, bucket: oss2.Bucket, mode: str, size_bytes: Any) -> None:
    """However much is read ahead, all is read; -1 is the default, as for Python's own open()."""
    bucket.put_object(KEY, b"0123456789" * 100)
    with fs.open(PATH, mode, block_size=size_bytes) as file:
        assert len(file.read()) == 1000


def test_refused(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """That OSS refuses is PermissionError, with what OSS says."""
    bucket.put_object(KEY, DATA)
    server.faults.add(Fault(code="AccessDenied"))
    for read in (fs.open, fs.cat_file, fs.read_text):
        with pytest.raises(PermissionError) as raised:
            read(PATH)
        assert isinstance(raised.value, OSSAccessDenied)
        assert raised.value.details.key == KEY


def test_faults_that_pass(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """An answer that breaks off is asked for again; one that does so for ever is raised."""
    bucket.put_object(KEY, DATA)
    server.faults.add(Fault(operation="GetObject", times=2, truncate_response=True))
    with fs.open(PATH) as file:
        assert file.read() == DATA
    server.faults.add(Fault(operation="GetObject", truncate_response=True))
    with fs.open(PATH) as file, pytest.raises(OSSConnectionError, match="given up after 3 tries"):
        file.read()


def test_damaged(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """A whole object in memory has the right CRC-64, or is not returned."""
    bucket.put_object(KEY, DATA)
    server.faults.add(Fault(operation="GetObject", times=1, corrupt_response_byte=7))
    assert fs.cat_file(PATH) == DATA
    server.faults.add(Fault(operation="GetObject", corrupt_response_byte=7))
    with pytest.raises(OSSChecksumMismatch):
        fs.cat_file(PATH)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        (0, 10),
        (5, None),
        (None, 5),
        (-5, None),
        (None, -5),
        (-10, -5),
        (10, 5),
        (3, 3),
        (262_140, 999_999_999),
        (262_144, None),
        (300_000, 300_010),
        (-999_999_999, 2),
    ],
)
def test_slices(fs: OSSFileSystem, bucket: oss2.Bucket, start: int | None, end: int | None) -> None:
    """A slice of an object is that slice of its bytes."""
    bucket.put_object(KEY, DATA)
    assert fs.cat_file(PATH, start, end) == DATA[start:end]


def test_a_slice_is_one_request(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """Where both ends are counted from the beginning nothing is asked beforehand."""
    bucket.put_object(KEY, DATA)
    server.forget_requests()
    fs.cat_file(PATH, 10, 20)
    assert operations(server) == ["GetObject"]


def test_many_ranges(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Ranges come in the order they were asked for; an error stands in the place of what failed, or is raised."""
    bucket.put_object(KEY, DATA)
    absent = f"{BUCKET}/absent"
    first, missing, last = fs.cat_ranges([PATH, absent, PATH], [0, 0, 10], [5, 5, 20])
    assert (first, last) == (DATA[:5], DATA[10:20])
    assert isinstance(missing, FileNotFoundError)
    assert fs.cat_ranges([PATH, PATH], 1, 3) == [DATA[1:3]] * 2
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges([absent], 0, 5, on_error="raise")
    with pytest.raises(NotImplementedError, match="max_gap"):
        fs.cat_ranges([PATH], 0, 5, max_gap=1)


@pytest.mark.parametrize(("starts", "ends"), [([0], [5, 5]), ([0, 0], [5]), ([0, 0, 0], 5), (0, [])])
def test_ranges_that_do_not_match(fs: OSSFileSystem, server: OSSEmulator, starts: Any, ends: Any) -> None:
    """No range is left out silently when there are more or fewer starts or ends than paths."""
    with pytest.raises(ValueError, match=r"paths has 2 items, starts .* and ends .*: give one start and one end for"):
        fs.cat_ranges([PATH, PATH], starts, ends)
    assert operations(server) == []


def test_caching_is_the_readers_choice(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """fsspec's caches can be chosen when the file is opened."""
    bucket.put_object(KEY, DATA * 20)
    server.forget_requests()
    with fs.open(PATH, cache_type="none", block_size=MIB, size=7) as file:
        assert file.size == len(DATA) * 20
        assert (file.read(5), file.read(5)) == (DATA[:5], DATA[5:10])
    assert operations(server) == ["HeadObject", "GetObject", "GetObject"]
