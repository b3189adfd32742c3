"""Copying, moving and deleting inside OSS, and files of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fsspec.callbacks import Callback

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSInvalidArgument,
    OSSNoSuchBucket,
)
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET
from tests.fs.conftest import MakeFileSystem

if TYPE_CHECKING:
    import oss2

DATA = bytes(range(256)) * 1600


def put(bucket: oss2.Bucket, *keys: str) -> None:
    for key in keys:
        bucket.put_object(key, key.encode())


def held(fs: OSSFileSystem, bucket: str = BUCKET) -> list[str]:
    """Return every key, those of empty folders too."""
    return [item.ref.key for item in fs.hook.list_objects(bucket_name=bucket)]


def test_copy(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """Objects are copied inside OSS, one or a tree of them with its empty folders, to another bucket too."""
    put(bucket, "d/1", "d/e/2", "d/empty/")
    server.forget_requests()
    fs.copy(f"oss://{BUCKET}/d/1", "other/one")
    fs.copy(f"{BUCKET}/d", "other/tree", recursive=True)
    assert not {"GetObject", "PutObject"} & {request.operation for request in server.requests}
    assert held(fs, "other") == ["one", "tree/1", "tree/e/2", "tree/empty/"]
    assert fs.cat_file("other/tree/e/2") == b"d/e/2"


def test_copy_of_what_is_not_there(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """A missing source, or target bucket, is an error; of a tree a missing source is left out only when asked for."""
    put(bucket, "d/1")
    with pytest.raises(FileNotFoundError):
        fs.copy(f"{BUCKET}/absent", f"{BUCKET}/to")
    with pytest.raises(OSSNoSuchBucket):
        fs.copy(f"{BUCKET}/d", "no-such-bucket/d", recursive=True)
    fs.copy([f"{BUCKET}/absent", f"{BUCKET}/d/1"], [f"{BUCKET}/a", f"{BUCKET}/b"], on_error="ignore")
    assert held(fs) == ["b", "d/1"]


@pytest.mark.parametrize("operation", ["copy", "mv"])
def test_two_sources_of_one_target(fs: OSSFileSystem, bucket: oss2.Bucket, operation: str) -> None:
    """No object takes the place of another one that is copied or moved with it: nothing is done."""
    put(bucket, "1/r", "2/r")
    both = [f"{BUCKET}/1/r", f"{BUCKET}/2/r"]
    for target in (f"{BUCKET}/to/", [f"{BUCKET}/to/z"] * 2):
        with pytest.raises(OSSInvalidArgument, match="'exports/1/r' and 'exports/2/r' would both become 'exports/to/"):
            getattr(fs, operation)(both, target)
    assert held(fs) == ["1/r", "2/r"]


def test_odd_names_are_copied_as_they_are(fs: OSSFileSystem, bucket: oss2.Bucket, tmp_path: Path) -> None:
    """The name of an object goes before the pattern that it looks like; without such an object it is a pattern."""
    put(bucket, "a?c", "abc", "x/[1]")
    fs.copy(f"{BUCKET}/a?c", f"{BUCKET}/copy")
    fs.mv(f"{BUCKET}/x/[1]", f"{BUCKET}/y")
    fs.get(f"{BUCKET}/a?c", str(tmp_path / "file"))
    fs.get(f"{BUCKET}/a?c", str(tmp_path))
    assert held(fs) == ["a?c", "abc", "copy", "y"]
    assert (
        fs.cat_file(f"{BUCKET}/copy") == (tmp_path / "file").read_bytes() == (tmp_path / "a?c").read_bytes() == b"a?c"
    )
    fs.rm(f"{BUCKET}/a?c")
    assert held(fs) == ["abc", "copy", "y"]
    fs.rm(f"{BUCKET}/a?c")
    assert held(fs) == ["copy", "y"]


def test_move(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Moving copies, then deletes what was copied: empty folders too."""
    put(bucket, "one", "d/1", "d/e/2", "d/empty/", "d-other/3")
    fs.mv(f"{BUCKET}/one", f"{BUCKET}/two")
    fs.mv(f"{BUCKET}/d", "other/moved", recursive=True)
    assert held(fs) == ["d-other/3", "two"]
    assert held(fs, "other") == ["moved/1", "moved/e/2", "moved/empty/"]


def test_a_move_deletes_what_was_copied_and_nothing_else(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Beside an object of its name the one that stands for a folder is not moved, and stays."""
    put(bucket, "d", "d/", "d/f")
    fs.mv(f"{BUCKET}/d", f"{BUCKET}/e", recursive=True)
    assert {key: bucket.get_object(key).read().decode() for key in held(fs)} == {"d/": "d/", "e": "d", "e/f": "d/f"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("x/d/", "x"),
        ("x/d/d/", "x/d"),
        (["x/d/p", "x/p"], ["x/p", "x/q"]),
    ],
)
@pytest.mark.parametrize("method", ["copy", "mv"])
def test_what_would_be_overwritten_before_it_is_read(
    fs: OSSFileSystem, bucket: oss2.Bucket, method: str, source: str | list[str], target: str | list[str]
) -> None:
    """An object that would be source and target of one copy or move is an error, and everything stays."""
    keys = ("x/d/d/d", "x/d/d/p", "x/d/p", "x/p")
    put(bucket, *keys)
    with pytest.raises(OSSInvalidArgument, match=r"overlap: 'exports/x/(d|d/d|p)' would be source and target"):
        getattr(fs, method)(in_bucket(source), in_bucket(target), recursive=isinstance(source, str))
    assert {key: bucket.get_object(key).read().decode() for key in held(fs)} == {key: key for key in keys}


def in_bucket(keys: str | list[str]) -> str | list[str]:
    return f"{BUCKET}/{keys}" if isinstance(keys, str) else [f"{BUCKET}/{key}" for key in keys]


def test_a_directory_is_moved_with_recursive_only(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Without it, and for what is not there, moving is an error: nobody goes on with a target that is not there."""
    put(bucket, "d/1", "d/empty/", "one")
    for source in ("d", "d/empty", ["one", "d"]):
        with pytest.raises(IsADirectoryError, match="recursive=True"):
            fs.mv(in_bucket(source), in_bucket([f"to/{name}" for name in source] if isinstance(source, list) else "to"))
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{BUCKET}/absent", f"{BUCKET}/absent")
    assert {"d/1", "d/empty/", "one"} <= set(held(fs))


def test_whole_buckets_are_copied(fs: OSSFileSystem, bucket: oss2.Bucket, tmp_path: Path) -> None:
    """All of a bucket is copied, to a prefix, to another bucket's root, or to a directory."""
    put(bucket, "1", "d/2")
    fs.copy(BUCKET, "other/all", recursive=True)
    assert held(fs, "other") == ["all/1", "all/d/2"]
    fs.copy(f"{BUCKET}/d/", "other", recursive=True)
    assert held(fs, "other") == ["2", "all/1", "all/d/2"]
    fs.get(BUCKET, str(tmp_path / "all"), recursive=True)
    assert (tmp_path / "all" / "d" / "2").read_bytes() == b"d/2"


def test_a_move_that_fails_deletes_nothing(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """When one object cannot be copied all sources stay."""
    put(bucket, "d/1", "d/2")
    server.faults.add(Fault(operation="CopyObject", skip=1, code="AccessDenied"))
    with pytest.raises(PermissionError):
        fs.mv(f"{BUCKET}/d", f"{BUCKET}/to", recursive=True)
    assert {"d/1", "d/2"} <= set(held(fs))


def test_onto_itself(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is moved to where it is, or below itself, stays: nothing is lost."""
    put(bucket, "d/1", "d/e/2")
    fs.mv(f"oss://{BUCKET}/d/1", f"{BUCKET}/d/1")
    for source, target in [("d/1", "d/"), ("d", "d/e/f"), ("d/1", "d/1/below")]:
        with pytest.raises(OSSInvalidArgument, match="itself, or below it"):
            fs.mv(f"{BUCKET}/{source}", f"{BUCKET}/{target}", recursive=source == "d")
    with pytest.raises(OSSInvalidArgument):
        fs.cp_file(f"{BUCKET}/d/1", f"oss://{BUCKET}/d/1")
    assert held(fs) == ["d/1", "d/e/2"]


def test_delete(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Objects are deleted by name, by pattern, in lists, and with all below them."""
    put(bucket, "1", "2.csv", "3.csv", "4", "d/5", "d/e/6", "d/e/", "d-other", "csv.csv/7")
    fs.rm(f"oss://{BUCKET}/1")
    fs.rm(f"{BUCKET}/*.csv")
    fs.rm([f"{BUCKET}/4"])
    assert held(fs) == ["csv.csv/7", "d-other", "d/5", "d/e/", "d/e/6"]
    fs.rm(f"{BUCKET}/d", recursive=True, maxdepth=1)
    assert held(fs) == ["csv.csv/7", "d-other", "d/e/", "d/e/6"]
    fs.rm(f"{BUCKET}/d", recursive=True)
    fs.rm_file(f"{BUCKET}/d-other")
    fs.rm_file(f"{BUCKET}/absent")
    assert held(fs) == ["csv.csv/7"]


def test_a_thousand_a_request(fs: OSSFileSystem, server: OSSEmulator) -> None:
    """Many objects are deleted in few requests."""
    from airflow_provider_oss.model import ObjectOptions, ObjectRef  # noqa: PLC0415

    for number in range(1001):
        fs.hook._client.put_object(ObjectRef(BUCKET, f"d/{number:04}"), b"", 0, ObjectOptions())
    server.forget_requests()
    fs.rm(f"{BUCKET}/d", recursive=True)
    assert [request.operation for request in server.requests][-2:] == ["DeleteMultipleObjects"] * 2
    assert len(server.requests) == 6
    assert held(fs) == []


def test_deletes_that_are_refused(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """What is not there, a prefix without ``recursive``, and a bucket are not deleted, and that is an error."""
    put(bucket, "d/1")
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{BUCKET}/absent")
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{BUCKET}/absent", recursive=True)
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{BUCKET}/absent*")
    with pytest.raises(IsADirectoryError):
        fs.rm(f"{BUCKET}/d")
    for path in (BUCKET, f"oss://{BUCKET}/", ""):
        with pytest.raises(OSSInvalidArgument, match="whole bucket"):
            fs.rm(path, recursive=True)
    assert held(fs) == ["d/1"]


def test_a_delete_that_oss_does_not_report(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """When OSS does not say that an object was deleted that is an error."""
    put(bucket, "1")
    server.faults.add(Fault(operation="DeleteMultipleObjects", response_body=b"<DeleteResult></DeleteResult>"))
    with pytest.raises(OSSBadResponse, match="did not report 1 of 1 objects deleted"):
        fs.rm(f"{BUCKET}/1")


def test_directories(fs: OSSFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """Making directories stores nothing; the object of an empty folder can be removed, that of a full one cannot."""
    fs.mkdir(f"{BUCKET}/new", create_parents=False)
    fs.makedirs(f"{BUCKET}/new/deep", exist_ok=True)
    assert not server.requests
    fs.rm(f"{BUCKET}/new", recursive=True)
    put(bucket, "d/1", "empty/")
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{BUCKET}/d")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(f"{BUCKET}/d")
    fs.rmdir(f"{BUCKET}/empty")
    with pytest.raises(FileNotFoundError):
        fs.rmdir(f"{BUCKET}/absent")
    assert held(fs) == ["d/1"]


def test_a_directory_that_was_made(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """It is one, with those around it, until it is removed, or an object has its name; nothing is stored."""
    fs.mkdir(f"{BUCKET}/a/b")
    assert fs.isdir(f"{BUCKET}/a")
    assert fs.isdir(f"{BUCKET}/a/b")
    assert fs.ls(f"{BUCKET}/a/b") == []
    assert not fs.exists(f"{BUCKET}/a/bc")
    assert held(fs) == []
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{BUCKET}/a/b")
    fs.rmdir(f"{BUCKET}/a/b")
    assert not fs.exists(f"{BUCKET}/a")
    fs.mkdir(f"{BUCKET}/c")
    put(bucket, "c", "d/1")
    assert fs.isfile(f"{BUCKET}/c")
    fs.mkdir(f"{BUCKET}/d")
    fs.mv(f"{BUCKET}/d", f"{BUCKET}/e", recursive=True)
    assert not fs.exists(f"{BUCKET}/d")


def test_buckets_are_never_made(fs: OSSFileSystem) -> None:
    """A path that names a missing bucket does not make it; one that is there is fine."""
    fs.mkdir(BUCKET)
    fs.makedirs(f"oss://{BUCKET}/", exist_ok=True)
    for make in (fs.mkdir, fs.makedirs):
        with pytest.raises(FileNotFoundError, match="no such bucket"):
            make("new-bucket")
    assert fs.ls("", detail=False) == [BUCKET, "other"]


def test_touch(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Touching makes an empty object, and cannot change the time of one."""
    fs.touch(f"{BUCKET}/new", truncate=False)
    assert bucket.get_object("new").read() == b""
    with pytest.raises(NotImplementedError):
        fs.touch(f"{BUCKET}/new", truncate=False)


class Recording(Callback):
    """Remembers how far it was told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def call(self, *_: object, **__: object) -> None:
        self.seen.append(self.value)


def test_files(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """Files go to OSS and back in parts, with progress, and a tree of them with its directories."""
    (tmp_path / "from" / "deep").mkdir(parents=True)
    (tmp_path / "from" / "large").write_bytes(DATA)
    (tmp_path / "from" / "deep" / "small").write_bytes(b"small")
    sending, receiving = Recording(), Recording()

    fs.put_file(str(tmp_path / "from" / "large"), f"{BUCKET}/one", callback=sending, part_size=100 * 1024)
    fs.put(str(tmp_path / "from"), f"{BUCKET}/tree", recursive=True)
    fs.get_file(f"{BUCKET}/one", str(tmp_path / "new" / "one"), callback=receiving)
    fs.get(f"{BUCKET}/tree", str(tmp_path / "to"), recursive=True)

    assert bucket.get_object("one").read() == DATA == (tmp_path / "new" / "one").read_bytes()
    assert (tmp_path / "to" / "deep" / "small").read_bytes() == b"small"
    assert (sending.size, sending.value) == (receiving.size, receiving.value) == (len(DATA), len(DATA))
    assert len(sending.seen) > 4
    assert sending.seen == sorted(sending.seen)


def test_a_file_whose_size_says_nothing(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """The object, and what the progress ends with, are what reading the file gives."""
    sending = Recording()
    fs.put_file("/proc/filesystems", f"{BUCKET}/key", callback=sending)
    content = Path("/proc/filesystems").read_bytes()
    assert bucket.get_object("key").read() == content
    assert (sending.size, sending.value) == (len(content), len(content))


def test_two_keys_of_one_file(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """No object takes the file of another: nothing is downloaded, unless each is given a file of its own."""
    put(bucket, "t/a//b", "t/a/b", "t/c", "t/a//", "t/a/")

    with pytest.raises(OSSInvalidArgument, match=r"t/a//b' and '.*t/a/b' would both become"):
        fs.get(f"{BUCKET}/t", str(tmp_path / "to"), recursive=True)
    with pytest.raises(OSSInvalidArgument, match=r"would both become '.*/to/b'"):
        fs.get([f"{BUCKET}/t/a//b", f"{BUCKET}/t/a/b"], f"{tmp_path}/to/")
    assert not (tmp_path / "to").exists()

    fs.get([f"{BUCKET}/t/a//b", f"{BUCKET}/t/a/b"], [str(tmp_path / "1"), str(tmp_path / "2")])
    assert [(tmp_path / name).read_text() for name in "12"] == ["t/a//b", "t/a/b"]


def test_an_empty_component_by_itself(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """A key with an empty component is downloaded when no other has its file."""
    put(bucket, "t/a//b", "t/c")
    fs.get(f"{BUCKET}/t", str(tmp_path / "to"), recursive=True)
    assert (tmp_path / "to" / "a" / "b").read_text() == "t/a//b"
    assert (tmp_path / "to" / "c").read_text() == "t/c"


def test_a_download_that_fails(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """A damaged download leaves the old file as it was."""
    put(bucket, "key")
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{BUCKET}/absent", str(target))
    server.faults.add(Fault(operation="GetObject", corrupt_response_byte=1))
    with pytest.raises(OSSChecksumMismatch):
        fs.get_file(f"{BUCKET}/key", str(target))
    assert target.read_text() == "old"


def test_into_an_open_file(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """What is open already is written to."""
    put(bucket, "key")
    with (tmp_path / "file").open("wb") as file:
        fs.get_file(f"{BUCKET}/key", file)
    assert (tmp_path / "file").read_bytes() == b"key"


def test_exclusive(fs: OSSFileSystem, tmp_path: Path, bucket: oss2.Bucket) -> None:
    """With mode "create" an object that is there is not replaced, even by its equal."""
    put(bucket, "key")
    (tmp_path / "file").write_bytes(b"key")
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "file"), f"{BUCKET}/key", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{BUCKET}/key", b"key", mode="create")
    fs.put_file(str(tmp_path / "file"), f"{BUCKET}/new", mode="create")
    assert held(fs) == ["key", "new"]


def test_large_bytes_are_sent_in_parts(make_fs: MakeFileSystem, bucket: oss2.Bucket, server: OSSEmulator) -> None:
    """Bytes in memory are sent in parallel parts when they are many."""
    fs = make_fs()
    fs.pipe_file(f"{BUCKET}/key", memoryview(DATA), part_size=100 * 1024, mime="text/plain")
    assert bucket.get_object("key").read() == DATA
    assert [request.operation for request in server.requests].count("UploadPart") == 4
    assert bucket.head_object("key").headers["Content-Type"] == "text/plain"
