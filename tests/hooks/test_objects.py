"""What the hook does with objects that are there, against the local OSS server."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSBadResponse,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSInvalidArgument,
    OSSObjectAlreadyExists,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef
from tests.conftest import BUCKET
from tests.hooks.support import DATA, read


def test_object_exists(hook: OSSHook) -> None:
    """An object that is there exists, one that is not does not."""
    hook.put_object("key", "data")
    assert hook.object_exists("key") is True
    assert hook.object_exists("absent") is False


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


def test_deleting_one(hook: OSSHook) -> None:
    """A text is one key, and not the keys that its letters are."""
    for key in ("a.csv", "a", "c"):
        hook.put_object(key, "data")
    assert hook.delete_objects("a.csv") == ["a.csv"]
    assert [item.ref.key for item in hook.list_objects()] == ["a", "c"]


def test_a_delete_that_oss_does_not_report(hook: OSSHook, server: OSSEmulator) -> None:
    """When OSS does not say that an object was deleted that is an error."""
    document = b"<DeleteResult><Deleted><Key>1</Key></Deleted></DeleteResult>"
    server.faults.add(Fault(operation="DeleteMultipleObjects", response_body=document))
    with pytest.raises(OSSBadResponse, match="did not report 1 of 2 objects deleted, among them '2'"):
        hook.delete_objects(["1", "2"])


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
    assert (copied.uri, copied.source_uri, copied.size, copied.bytes_copied) == (
        "oss://other/copy",
        f"oss://{BUCKET}/key",
        len(DATA),
        len(DATA),
    )
    info = hook.head_object("oss://other/copy")
    assert (info.content_type, info.meta) == ("text/csv", {"from": "source"})
    assert read(hook, "copy", "other") == DATA

    hook.copy_object("oss://other/copy", "again", meta={"to": "target"}, mime="text/plain")
    info = hook.head_object("again")
    assert (info.content_type, info.meta) == ("text/plain", {"to": "target"})


def test_copy_in_parts(hook: OSSHook, server: OSSEmulator) -> None:
    """An object above the threshold is copied in parts of the size that is asked for."""
    hook.put_object("key", DATA)
    copied = hook.copy_object("key", "copy", multipart_threshold=0, part_size=100 * KIB)
    assert read(hook, "copy") == DATA
    assert copied.bytes_copied == len(DATA)
    assert [request.operation for request in server.requests].count("UploadPartCopy") == 3


@pytest.mark.parametrize(
    "options",
    [{"mime": "text/plain"}, {"meta": {"a": "b"}}, {"headers": {"cache-control": "no-cache"}}, {"tags": {"a": "b"}}],
)
def test_copy_with_something_else(hook: OSSHook, options: dict[str, object]) -> None:
    """Giving any one thing replaces all that the source has."""
    hook.put_object("key", DATA, mime="text/csv", meta={"from": "source"}, tags={"from": "source"})
    hook.copy_object("key", "copy", **options)  # type: ignore[arg-type]
    assert "from" not in hook.head_object("copy").meta
    assert hook.get_conn().get_object_tagging("copy").tag_set.tagging_rule == options.get("tags", {})


def test_copy_that_overwrites_is_forbidden(hook: OSSHook) -> None:
    """``forbid_overwrite`` holds for copies too, and alone it replaces no metadata."""
    hook.put_object("key", DATA, meta={"from": "source"})
    hook.copy_object("key", "copy", forbid_overwrite=True, acl="private")
    assert hook.head_object("copy").meta == {"from": "source"}
    hook.put_object("copy", "something else")
    with pytest.raises(OSSObjectAlreadyExists):
        hook.copy_object("key", "copy", forbid_overwrite=True)


def test_pages_and_buckets(hook: OSSHook) -> None:
    """Pages have objects and common prefixes, as many as asked for; the buckets are all of the account."""
    for key in ("a/1", "a/2", "b", "c"):
        hook.put_object(key, "data")
    pages = [([item.ref.key for item in page.items], page.prefixes) for page in hook.list_pages(delimiter="/", most=2)]
    assert pages == [(["b"], ("a/",)), (["c"], ())]
    assert hook.list_buckets() == [BUCKET, "other"]


def test_read_object(hook: OSSHook, server: OSSEmulator) -> None:
    """An object, or a range of it, is returned whole, by another request when one breaks off."""
    hook.put_object("key", DATA)
    server.faults.add(Fault(operation="GetObject", times=1, truncate_response=True))
    assert hook.read_object("key") == DATA
    assert hook.read_object(f"oss://{BUCKET}/key", byte_range=(10, 19)) == DATA[10:20]
