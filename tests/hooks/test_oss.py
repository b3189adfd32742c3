"""Every method of the hook against the local OSS server: what it stores, what it returns, what it raises."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSNoSuchBucket,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSProviderError,
    OSSServiceUnavailable,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.many_files import FileOutcome
from airflow_provider_oss.transfer.retry import is_worth_repeating
from airflow_provider_oss.transfer.source import BytesSource
from tests.conftest import BUCKET
from tests.support.stores import MemoryStore
from tests.support.trees import write_tree

DATA = bytes(range(256)) * 1024


def read(hook: OSSHook, key: str, bucket_name: str | None = None) -> bytes:
    with hook.get_object(key, bucket_name) as body:
        return body.read()


def raise_first(outcomes: Iterator[FileOutcome]) -> None:
    error = next(outcomes).error
    assert error is not None
    raise error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 256 KiB."""
    path = tmp_path / "dump.bin"
    path.write_bytes(DATA)
    return path


# Writing


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
    with pytest.raises(OSSInvalidArgument, match=reason):
        hook.upload_directory(**{"key": "base", "directory": tmp_path} | arguments)
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


# Multipart, call by call


def test_multipart_by_hand(hook: OSSHook) -> None:
    """The calls one by one make an object, and the upload is listed while it lasts."""
    upload_id = hook.initiate_multipart_upload("a/key", meta={"by": "hand"})
    parts = [hook.upload_part("a/key", upload_id, number, data) for number, data in ((1, DATA), (2, b"end"))]

    [unfinished] = hook.list_multipart_uploads("a/")
    assert (unfinished.ref, unfinished.upload_id) == (ObjectRef(BUCKET, "a/key"), upload_id)
    assert [(part.number, part.size_bytes) for part in hook.list_parts("a/key", upload_id)] == [(1, len(DATA)), (2, 3)]
    stored = hook.complete_multipart_upload("a/key", upload_id, parts, acl="private")

    assert stored.crc64 == crc64(DATA + b"end")
    assert read(hook, "a/key") == DATA + b"end"
    assert hook.head_object("a/key").meta == {"by": "hand"}
    assert list(hook.list_multipart_uploads()) == []


def test_abort(hook: OSSHook) -> None:
    """An aborted upload is gone, and saying so again is an error."""
    upload_id = hook.initiate_multipart_upload("key")
    hook.abort_multipart_upload("key", upload_id)
    for call in (hook.list_parts, hook.abort_multipart_upload):
        with pytest.raises(OSSNoSuchUpload):
            call("key", upload_id)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_number_out_of_range(hook: OSSHook, server: OSSEmulator, number: int) -> None:
    """A part number that OSS does not have is refused before anything is sent."""
    with pytest.raises(OSSInvalidArgument, match="part_number"):
        hook.upload_part("key", "U1", number, b"")
    assert not server.requests


def test_all_pages_of_uploads(hook: OSSHook) -> None:
    """More unfinished uploads than one answer holds are listed, several of one key in order of their ids."""
    key_of = {
        hook.initiate_multipart_upload(f"key-{number // 2:04}"): f"key-{number // 2:04}" for number in range(1002)
    }
    listed = [(item.ref.key, item.upload_id) for item in hook.list_multipart_uploads()]
    assert sorted(listed) == sorted((key, upload_id) for upload_id, key in key_of.items())


# Reading


def test_object_exists(hook: OSSHook) -> None:
    """An object that is there exists, one that is not does not."""
    hook.put_object("key", "data")
    assert hook.object_exists("key") is True
    assert hook.object_exists("absent") is False


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(code="AccessDenied"), OSSAccessDenied),
        (Fault(status=500, code="InternalError"), OSSServiceUnavailable),
        (Fault(code="NoSuchBucket"), OSSNoSuchBucket),
        (Fault(reset="before"), OSSConnectionError),
    ],
    ids=["forbidden", "server error", "no bucket", "reset"],
)
def test_an_error_is_no_answer(
    hook: OSSHook, server: OSSEmulator, fault: Fault, expected: type[OSSProviderError], tmp_path: Path
) -> None:
    """No method turns an error into False, None or an empty list."""
    server.faults.add(fault)
    calls: dict[str, Callable[[], object]] = {
        "put_object": lambda: hook.put_object("key", "data"),
        "put_file": lambda: hook.put_file("key", Path(__file__)),
        "put_stream": lambda: hook.put_stream("key", lambda: io.BytesIO(b"data")),
        "upload_file": lambda: hook.upload_file("key", Path(__file__)),
        "upload_directory": lambda: hook.upload_directory("key", Path(__file__).parent, dry_run=True),
        "upload_files": lambda: raise_first(hook.upload_files([("key", Path(__file__))])),
        "upload_source": lambda: hook.upload_source("key", BytesSource(b"data")),
        "upload_stream": lambda: hook.upload_stream("key", lambda: io.BytesIO(b"data")),
        "initiate_multipart_upload": lambda: hook.initiate_multipart_upload("key"),
        "upload_part": lambda: hook.upload_part("key", "U1", 1, b""),
        "list_parts": lambda: hook.list_parts("key", "U1"),
        "complete_multipart_upload": lambda: hook.complete_multipart_upload("key", "U1", []),
        "abort_multipart_upload": lambda: hook.abort_multipart_upload("key", "U1"),
        "list_multipart_uploads": lambda: list(hook.list_multipart_uploads()),
        "head_object": lambda: hook.head_object("key"),
        "object_exists": lambda: hook.object_exists("key"),
        "get_object": lambda: hook.get_object("key"),
        "download_file": lambda: hook.download_file("key", tmp_path / "file"),
        "list_objects": lambda: list(hook.list_objects()),
        "copy_object": lambda: hook.copy_object("key", "copy"),
        "delete_object": lambda: hook.delete_object("key"),
        "delete_objects": lambda: hook.delete_objects(["key"]),
    }
    own = {name for name, _ in inspect.getmembers(OSSHook, inspect.isfunction) if name in vars(OSSHook)}
    # One asks nothing of OSS; an upload that may not be aborted is named in the log, as the engine does
    apart = {"sign_url", "abandon_upload"}
    assert {name for name in own if not name.startswith("_")} - apart == set(calls)

    # These have a patience of their own, which the engine's tests cut short
    patient = {name for name in calls if name.startswith(("put_", "upload_"))} - {"upload_part"}
    for name in set(calls) - (patient if is_worth_repeating(expected("")) else set()):
        with pytest.raises(expected):
            calls[name]()


def test_get_object(hook: OSSHook) -> None:
    """An object is read whole, in a range, and in pieces."""
    hook.put_object("key", DATA)
    assert read(hook, "key") == DATA
    with hook.get_object("key", byte_range=(10, 19)) as body:
        assert body.read() == DATA[10:20]
        assert body.info.ref == ObjectRef(BUCKET, "key")
    assert b"".join(hook.get_object("key")) == DATA


def test_download(hook: OSSHook, tmp_path: Path) -> None:
    """A download is written beside and replaces the old file."""
    hook.put_object("key", DATA)
    target = tmp_path / "file"
    target.write_text("old")

    info = hook.download_file("key", target)

    assert target.read_bytes() == DATA
    assert info.size_bytes == len(DATA)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(operation="GetObject", corrupt_response_byte=100), OSSChecksumMismatch),
        (Fault(operation="GetObject", truncate_response=True), OSSConnectionError),
        (Fault(operation="GetObject", code="AccessDenied"), OSSAccessDenied),
    ],
    ids=["damaged", "cut short", "forbidden"],
)
def test_download_that_fails(
    hook: OSSHook, server: OSSEmulator, tmp_path: Path, fault: Fault, expected: type[Exception]
) -> None:
    """A download that fails leaves the old file as it was and nothing beside it."""
    hook.put_object("key", DATA)
    server.faults.add(fault)
    target = tmp_path / "file"
    target.write_text("old")

    with pytest.raises(expected):
        hook.download_file("key", target)

    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


def test_download_is_repeated_after_a_passing_fault(hook: OSSHook, server: OSSEmulator, tmp_path: Path) -> None:
    """A download that broke off is made again from the beginning."""
    hook.put_object("key", DATA)
    server.faults.add(Fault(operation="GetObject", times=2, truncate_response=True))
    hook.download_file("key", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


# Listing, copying, deleting


def test_all_pages_of_objects(hook: OSSHook, server: OSSEmulator) -> None:
    """More objects than one answer holds are listed in order, page by page."""
    keys = [f"many/{number:04}+ü" for number in range(1001)]
    for key in keys:
        hook._client.put_object(ObjectRef(BUCKET, key), b"", 0, ObjectOptions())
    hook.put_object("other", b"")
    server.forget_requests()

    assert [item.ref.key for item in hook.list_objects("many/")] == keys
    assert [request.operation for request in server.requests] == ["ListObjectsV2"] * 2


def test_many_objects_are_deleted(hook: OSSHook, server: OSSEmulator) -> None:
    """More keys than OSS takes at once are deleted a thousand a request, missing ones included."""
    hook.put_object("key-2000", b"")
    server.forget_requests()
    keys = [f"key-{number:04}" for number in range(2001)]

    assert hook.delete_objects(iter(keys)) == keys
    assert [request.operation for request in server.requests] == ["DeleteMultipleObjects"] * 3
    assert not hook.object_exists("key-2000")


def test_deleting_nothing(hook: OSSHook, server: OSSEmulator) -> None:
    """No keys are no request."""
    assert hook.delete_objects([]) == []
    assert not server.requests


def test_deleting_what_xml_cannot_carry(hook: OSSHook) -> None:
    """A key is deleted as it is: XML would turn the CR in it into an LF, and the wrong object would go."""
    for key in ("a\rb", "a\nb"):
        hook.put_object(key, "data")
    assert hook.delete_objects(["a\rb"]) == ["a\rb"]
    assert [item.ref.key for item in hook.list_objects()] == ["a\nb"]


def test_keys_of_two_buckets_are_not_deleted_together(hook: OSSHook, server: OSSEmulator) -> None:
    """A key that names another bucket is refused before anything is deleted."""
    with pytest.raises(OSSInvalidArgument, match="name two buckets"):
        hook.delete_objects(["key", "oss://other/key"])
    assert not server.requests


def test_delete_object(hook: OSSHook) -> None:
    """An object is deleted, and deleting it again is no error."""
    hook.put_object("key", "data")
    hook.delete_object("key")
    hook.delete_object("key")
    assert not hook.object_exists("key")


def test_listing_one_level(hook: OSSHook) -> None:
    """With a delimiter only the objects of the level itself are listed."""
    for key in ("a/1", "a/b/2", "c"):
        hook.put_object(key, b"")
    assert [item.ref.key for item in hook.list_objects("a/", delimiter="/")] == ["a/1"]


def test_copy(hook: OSSHook) -> None:
    """A copy keeps what is stored with its source unless something else is given."""
    hook.put_object("key", DATA, mime="text/csv", meta={"from": "source"})

    copied = hook.copy_object("key", "copy", bucket_name="other")
    assert (copied.ref, copied.content_type, copied.meta) == (
        ObjectRef("other", "copy"),
        "text/csv",
        {"from": "source"},
    )
    assert read(hook, "copy", "other") == DATA

    changed = hook.copy_object("oss://other/copy", "again", meta={"to": "target"}, mime="text/plain")
    assert (changed.content_type, changed.meta) == ("text/plain", {"to": "target"})


@pytest.mark.parametrize(
    "options",
    [{"mime": "text/plain"}, {"meta": {"a": "b"}}, {"headers": {"cache-control": "no-cache"}}, {"tags": {"a": "b"}}],
)
def test_copy_with_something_else(hook: OSSHook, options: dict[str, object]) -> None:
    """Giving any one thing replaces all that the source has."""
    hook.put_object("key", DATA, mime="text/csv", meta={"from": "source"}, tags={"from": "source"})
    copied = hook.copy_object("key", "copy", **options)  # type: ignore[arg-type]
    assert "from" not in copied.meta
    assert hook.get_conn().get_object_tagging("copy").tag_set.tagging_rule == options.get("tags", {})


def test_copy_that_overwrites_is_forbidden(hook: OSSHook) -> None:
    """``forbid_overwrite`` holds for copies too, and alone it replaces no metadata."""
    hook.put_object("key", DATA, meta={"from": "source"})
    assert hook.copy_object("key", "copy", forbid_overwrite=True, acl="private").meta == {"from": "source"}
    with pytest.raises(OSSObjectAlreadyExists):
        hook.copy_object("key", "copy", forbid_overwrite=True)


# Bad input


@pytest.mark.parametrize(
    "key", ["", "/a", "\\a", "x" * 1024, "ü" * 512, "\ud800", "oss://", "oss://exports", "oss://exports/", "oss://E/k"]
)
def test_keys_that_oss_forbids(hook: OSSHook, server: OSSEmulator, key: str) -> None:
    """A key that OSS would refuse is refused by every kind of call before anything is sent."""
    for call in (
        lambda: hook.put_object(key, "data"),
        lambda: hook.put_stream(key, io.BytesIO()),
        lambda: hook.head_object(key),
        lambda: hook.delete_objects(["fine", key]),
        lambda: hook.sign_url("GET", key, 60),
    ):
        with pytest.raises(OSSInvalidArgument, match=r"key|bucket|oss://"):
            call()
    assert not server.requests


def test_bucket_that_oss_forbids(hook: OSSHook, server: OSSEmulator) -> None:
    """A bucket name that OSS would refuse is refused before anything is sent, listings included."""
    for call in (
        lambda: hook.put_object("key", "data", "No_Bucket"),
        lambda: next(hook.list_objects(bucket_name="No_Bucket")),
        lambda: next(hook.list_multipart_uploads(bucket_name="No_Bucket")),
        lambda: hook.delete_objects(["key"], "No_Bucket"),
    ):
        with pytest.raises(OSSInvalidArgument, match="No_Bucket"):
            call()
    assert not server.requests


def test_missing_file(hook: OSSHook, server: OSSEmulator, tmp_path: Path) -> None:
    """A file that is not there is an error of the source before anything is sent."""
    for write in (hook.put_file, hook.upload_file):
        with pytest.raises(OSSInvalidSource, match="does not exist"):
            write("key", tmp_path / "absent")
    assert not server.requests
