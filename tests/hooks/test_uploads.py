"""What the hook stores, against the local OSS server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.source import BytesSource
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSObjectAlreadyExists,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET
from tests.hooks.support import DATA, read
from tests.support.own_path import OwnPath
from tests.support.stores import MemoryStore
from tests.support.trees import write_tree


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("grüße", "grüße".encode()),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"v"), b"v"),
        ("", b""),
    ],
)
def test_put_object(hook: OSSHook, data: str | bytes, expected: bytes) -> None:
    """Text is stored as UTF-8, bytes as they are, and the result says what is stored."""
    result = hook.put_object("a/key", data, meta={"kind": "test"})

    assert read(hook, "a/key") == expected
    assert (result.bucket, result.key, result.uri) == (BUCKET, "a/key", f"oss://{BUCKET}/a/key")
    assert (result.size, result.crc64) == (len(expected), str(crc64(expected)))
    assert (result.bytes_sent, result.bytes_verified, result.attempts, result.resumed) == (len(expected), 0, 1, False)
    assert hook.head_object("a/key").meta == {"kind": "test"}


def test_put_object_is_repeated_after_a_passing_fault(hook: OSSHook, server: OSSEmulator) -> None:
    """A fault that passes is not noticed; a broken connection and a busy server are such faults."""
    server.faults.add(Fault(operation="PutObject", times=1, reset="before"))
    hook.put_object("key", DATA)
    server.faults.add(Fault(operation="PutObject", times=1, status=503))
    hook.put_object("key", DATA)
    assert read(hook, "key") == DATA


def test_data_too_large_for_one_request(hook: OSSHook, server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than OSS takes in one request is refused before anything is sent."""
    monkeypatch.setattr("airflow_provider_oss.limits.MAX_PUT_SIZE_BYTES", 10)
    with pytest.raises(OSSInvalidArgument, match=r"11 bytes.*use upload_file"):
        hook.put_object("key", bytes(11))
    assert not server.requests


def test_put_file(hook: OSSHook, file: Path) -> None:
    """A file is stored in one request."""
    result = hook.put_file("key", file)
    assert read(hook, "key") == DATA
    assert (result.size, result.bytes_sent) == (len(DATA), len(DATA))


@pytest.mark.parametrize("one", [str, Path, OwnPath])
def test_paths(hook: OSSHook, tmp_path: Path, one: Callable[[str], Any]) -> None:
    """Wherever a path of this worker is taken, it may be text, of pathlib, or of anybody else."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").write_bytes(b"data")
    path = one(str(tmp_path / "from" / "a"))

    hook.put_file("put", path)
    hook.upload_file("uploaded", path)
    [outcome] = hook.upload_files([("one", path)])
    hook.upload_directory("tree", one(str(tmp_path / "from"))).raise_failures()
    for key in ("put", "uploaded", "one", "tree/a"):
        hook.download_file(key, one(str(tmp_path / "got")))
        assert (tmp_path / "got").read_bytes() == b"data"
        (tmp_path / "got").unlink()
    assert outcome.error is None


def put_one(hook: OSSHook, path: Path) -> None:
    hook.put_file("below/here", path)


def upload_one(hook: OSSHook, path: Path) -> None:
    assert hook.upload_file("below/here", path).size == len(path.read_bytes())


def upload_several(hook: OSSHook, path: Path) -> None:
    [outcome] = hook.upload_files([("below/here", path)])
    assert outcome.error is None


def upload_a_tree(hook: OSSHook, path: Path) -> None:
    hook.upload_directory("below", path.parent).raise_failures()


@pytest.mark.parametrize("store", [put_one, upload_one, upload_several, upload_a_tree])
@pytest.mark.parametrize("path", ["/proc/filesystems", "/sys/devices/system/cpu/online"])
def test_a_file_whose_size_says_nothing(
    hook: OSSHook, tmp_path: Path, path: str, store: Callable[[OSSHook, Path], None]
) -> None:
    """However a file is stored, the object is what reading it gives, also where the system says 0 or 4096 bytes."""
    here = tmp_path / "tree" / "here"
    here.parent.mkdir()
    here.symlink_to(path)
    hook.put_object("below/here", b"")  # what was stored of it by earlier versions, and is no reason to skip it
    store(hook, here)
    assert read(hook, "below/here") == Path(path).read_bytes()


@pytest.mark.parametrize("content_length", [len(DATA), None])
@pytest.mark.parametrize(
    "stream",
    [lambda: io.BytesIO(DATA), lambda: iter([DATA[:1000], DATA[1000:]]), lambda: lambda: io.BytesIO(DATA)],
    ids=["file object", "iterator", "callable"],
)
def test_put_stream(hook: OSSHook, stream: Callable[[], object], content_length: int | None) -> None:
    """A stream of each kind is stored, with or without its length."""
    result = hook.put_stream("key", stream(), content_length, mime="text/csv")
    assert read(hook, "key") == DATA
    assert result.size == len(DATA)
    assert hook.head_object("key").content_type == "text/csv"


def test_upload_files(hook: OSSHook, tmp_path: Path) -> None:
    """Each file is stored under its key, with the same options, and what became of it is told."""
    paths = [tmp_path / f"{number}.txt" for number in range(7)]
    for path in paths:
        path.write_text(f"content of {path.name}")

    outcomes = list(hook.upload_files([(f"many/{path.name}", path) for path in paths], parallel=3, meta={"a": "b"}))

    assert [outcome.result.uri for outcome in outcomes if outcome.result] == [
        f"oss://{BUCKET}/many/{path.name}" for path in paths
    ]
    for path in paths:
        assert read(hook, f"many/{path.name}") == path.read_bytes()
        assert hook.head_object(f"many/{path.name}").meta == {"a": "b"}


def test_upload_batch(hook: OSSHook, tmp_path: Path) -> None:
    """Files are stored under a prefix and their names, the same options for all; a second call sends nothing."""
    tree = write_tree(tmp_path / "tree", {"a.csv": b"1", "sub/b.csv": b"2"})
    result = hook.upload_batch("oss://other/base", [tree / "a.csv", str(tree / "sub/b.csv")], meta={"a": "b"})
    assert (result.uri, result.sent.count, result.sent.size_bytes) == ("oss://other/base/", 2, 2)
    assert read(hook, "oss://other/base/b.csv") == b"2"
    assert hook.head_object("oss://other/base/a.csv").meta == {"a": "b"}
    named = {"a.csv": tree / "a.csv", "deep/c.csv": tree / "a.csv"}
    again = hook.upload_batch("base/", named, "other")
    assert (again.sent.count, again.skipped.count) == (1, 1)
    assert read(hook, "oss://other/base/deep/c.csv") == b"1"


def test_upload_directory(hook: OSSHook, tmp_path: Path) -> None:
    """A tree is stored under a prefix, the same options for all; a second call sends nothing."""
    files = write_tree(tmp_path / "tree", {"a.csv": b"1", "sub/b.csv": b"2", "sub/c.txt": b"3"})

    result = hook.upload_directory("oss://other/base", files, include="**/*.csv", parallel=3, meta={"a": "b"})

    assert (result.uri, result.sent.count) == ("oss://other/base/", 2)
    assert [item.ref.key for item in hook.list_objects("", "other")] == ["base/a.csv", "base/sub/b.csv"]
    assert hook.head_object("base/sub/b.csv", "other").meta == {"a": "b"}
    again = hook.upload_directory("base/", str(files), "other", include=["**/*.csv"], delete_removed=True)
    assert (again.sent.count, again.skipped.count, again.deleted.count) == (0, 2, 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"directory": None}, "directory=None is a NoneType"),
        ({"directory": "\0"}, "directory=.* has a NUL character"),
        ({"symlinks": "keep"}, "symlinks='keep' is not known"),
        ({"exclude": "/a"}, "exclude='/a' can match nothing"),
        ({"key": "/a"}, "begins with '/'"),
        ({"parallel": 0}, "parallel=0"),
        ({"part_size": 1}, "part_size=1"),
        ({"mime": "text\n"}, "mime"),
    ],
)
def test_upload_directory_with_wrong_arguments(
    hook: OSSHook, tmp_path: Path, server: OSSEmulator, arguments: dict[str, Any], reason: str
) -> None:
    """What cannot work is one error that names the argument, before OSS is asked anything."""
    usual: dict[str, Any] = {"key": "base", "directory": tmp_path}
    with pytest.raises(OSSInvalidArgument, match=reason):
        hook.upload_directory(**usual | arguments)
    assert not server.requests


def test_upload_file(make_hook: Callable[..., OSSHook], server: OSSEmulator, file: Path) -> None:
    """A file of several parts is stored in parts, with progress, and no upload is left behind."""
    seen: list[float] = []
    hook = make_hook()
    result = hook.upload_file(
        "key",
        file,
        part_size=100 * KIB,
        parallel=2,
        progress=lambda fraction, *_: seen.append(fraction),
        tags={"a": "b"},
    )
    assert read(hook, "key") == DATA
    assert (result.size, result.bytes_sent, result.resumed) == (len(DATA), len(DATA), False)
    assert (len(seen), seen[-1]) == (3, 1.0)
    assert list(hook.list_multipart_uploads()) == []
    assert [request.operation for request in server.requests].count("UploadPart") == 3


@pytest.mark.parametrize(
    "stream",
    [lambda: io.BytesIO(DATA), lambda: iter([DATA[:1000], DATA[1000:]]), lambda: lambda: io.BytesIO(DATA)],
    ids=["file object", "iterator", "callable"],
)
def test_upload_stream(hook: OSSHook, server: OSSEmulator, stream: Callable[[], object]) -> None:
    """A stream of each kind is stored in parts, with progress, and no upload is left behind."""
    seen: list[float] = []
    result = hook.upload_stream(
        "key",
        stream(),
        part_size=100 * KIB,
        parallel=2,
        progress=lambda fraction, *_: seen.append(fraction),
        mime="a/b",
    )
    assert read(hook, "key") == DATA
    assert (result.size, result.bytes_sent, result.resumed) == (len(DATA), len(DATA), False)
    assert seen[-1] == 1.0
    assert hook.head_object("key").content_type == "a/b"
    assert list(hook.list_multipart_uploads()) == []
    assert [request.operation for request in server.requests].count("UploadPart") == 3


def test_upload_stream_continues(hook: OSSHook, server: OSSEmulator) -> None:
    """With a store, a stream that broke is read again by the next attempt, which sends only what OSS lacks."""
    store = MemoryStore()

    def breaking() -> Iterator[bytes]:
        yield DATA[: 240 * KIB]
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        hook.upload_stream("key", breaking, part_size=100 * KIB, checkpoint=store)
    assert not hook.object_exists("key")
    server.forget_requests()

    result = hook.upload_stream("key", lambda: io.BytesIO(DATA), part_size=100 * KIB, checkpoint=store)

    assert read(hook, "key") == DATA
    assert (result.attempts, result.bytes_verified, result.bytes_sent) == (2, 200 * KIB, len(DATA) - 200 * KIB)
    assert list(hook.list_multipart_uploads()) == []


def test_upload_source(hook: OSSHook) -> None:
    """Whatever can be read at any offset is stored in parts."""
    result = hook.upload_source("key", BytesSource(DATA), part_size=100 * KIB)
    assert read(hook, "key") == DATA
    assert (result.size, result.bytes_sent) == (len(DATA), len(DATA))


def test_abandon_upload(hook: OSSHook) -> None:
    """The upload that a checkpoint names is aborted and forgotten; that there is none, or none any more, is fine."""
    store = MemoryStore()
    hook.abandon_upload(store)

    def breaking() -> Iterator[bytes]:
        yield DATA
        raise ConnectionAbortedError

    for is_gone in (False, True):
        with pytest.raises(ConnectionAbortedError):
            hook.upload_stream("key", breaking, part_size=100 * KIB, checkpoint=store)
        assert store.upload_id
        if is_gone:
            hook.abort_multipart_upload("key", store.upload_id)
        hook.abandon_upload(store)
        assert store.upload_id is None
        assert list(hook.list_multipart_uploads()) == []


def test_abandon_what_cannot_be_read(hook: OSSHook, server: OSSEmulator) -> None:
    """A checkpoint that cannot be read names no upload: it is deleted, and OSS is not asked."""
    store = MemoryStore()
    store.data = {"not": "a checkpoint"}
    hook.abandon_upload(store)
    assert (store.data, store.deleted) == (None, 1)
    assert server.requests == ()


def test_upload_file_can_be_cancelled(hook: OSSHook, file: Path) -> None:
    """An upload that is asked to stop raises, and without a checkpoint leaves nothing behind."""
    cancellation = Cancellation()
    with pytest.raises(Exception, match="asked to stop"):
        hook.upload_file(
            "key", file, part_size=100 * KIB, progress=lambda *_: cancellation.request(), cancellation=cancellation
        )
    assert list(hook.list_multipart_uploads()) == []
    assert not hook.object_exists("key")


def test_forbid_overwrite(hook: OSSHook, file: Path) -> None:
    """With ``forbid_overwrite`` another object stays as it is; an equal one is success."""
    hook.put_object("key", "other")
    for write in (hook.put_file, hook.upload_file):
        with pytest.raises(OSSObjectAlreadyExists):
            write("key", file, forbid_overwrite=True)
    assert read(hook, "key") == b"other"
    assert hook.put_object("key", "other", forbid_overwrite=True).bytes_sent == 0
