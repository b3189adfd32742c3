"""The store: what is there after it was closed, and after a kill at the worst moment."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator.state.records import BucketRecord, Metadata, ObjectRecord, PartRecord, UploadRecord
from airflow_provider_oss.emulator.state.store import Store, Upload

METADATA = Metadata(
    "text/x", (("Expires", "x"),), (("x-oss-meta-a", "b"),), "IA", "private", (("x", "y"),), (("t", "v"),)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a store that has the bucket `exports`."""
    with Store(tmp_path) as store:
        store.put_bucket(BucketRecord("exports", 1.0))
    return tmp_path


def write(store: Store, key: str, data: bytes, upload_id: str = "") -> ObjectRecord:
    """Put an object."""
    writer = store.blobs.create()
    writer.write([data])
    body = writer.finish()
    record = ObjectRecord(
        "exports", key, len(data), body.etag, body.crc64, "Normal", 2.0, (body.segment,), METADATA, "md5", upload_id
    )
    return store.put_object(record)


def write_part(store: Store, upload: Upload, number: int, data: bytes) -> PartRecord:
    """Put a part."""
    writer = store.blobs.create()
    writer.write([data])
    body = writer.finish()
    part = PartRecord(number, body.segment, body.etag, body.crc64, 3.0)
    store.put_part(upload, part)
    return part


def begin(store: Store, key: str = "big", upload_id: str = "ID") -> Upload:
    """Begin an upload."""
    store.create_upload(UploadRecord("exports", key, upload_id, 2.5, METADATA))
    upload = store.upload("exports", key, upload_id)
    assert upload is not None
    return upload


def content(store: Store, key: str) -> bytes:
    """The bytes of an object."""
    record = store.object("exports", key)
    assert record is not None
    return b"".join(store.blobs.read(record.segments, 0, record.size, 4))


def blobs(root: Path) -> set[str]:
    """All blobs on disk."""
    return {path.name for path in root.glob("blobs/??/*")}


def test_everything_is_there_again(root: Path) -> None:
    """Buckets, objects and uploads are the same after the store was opened again."""
    with Store(root) as store:
        objects = [write(store, key, key.encode()) for key in ("a", "../../etc/passwd", "中" * 300)]
        upload = begin(store)
        parts = {number: write_part(store, upload, number, b"x" * number) for number in (5, 2)}
    with Store(root) as store:
        assert store.buckets() == (BucketRecord("exports", 1.0),)
        assert [store.object("exports", record.key) for record in objects] == objects
        assert list(store.keys("exports")) == sorted(record.key for record in objects)
        again = store.upload("exports", "big", "ID")
        assert again is not None
        assert (again.record, again.parts, again.numbers) == (upload.record, parts, [2, 5])
        assert content(store, "../../etc/passwd") == b"../../etc/passwd"
    assert not [path for path in root.rglob("*") if "passwd" in path.name]


def test_only_one_store_at_a_time(root: Path) -> None:
    """A second store on the same folder is refused until the first is closed."""
    with Store(root), pytest.raises(RuntimeError, match="another server is using"):
        Store(root)
    Store(root).close()


def test_replacing_an_object_removes_its_bytes(root: Path) -> None:
    """After a put, a replacement and a removal only the blobs that are needed are there."""
    with Store(root) as store:
        write(store, "a", b"old")
        record = write(store, "a", b"new")
        assert blobs(root) == {record.segments[0].blob}
        assert store.remove_version("exports", "a")
        assert not store.remove_version("exports", "a")
        assert blobs(root) == set()
        assert list(store.keys("exports")) == []


def test_a_reader_keeps_what_it_reads(root: Path) -> None:
    """An object that is replaced while it is read stays readable until the last reader has finished."""
    with Store(root) as store:
        old = write(store, "a", b"old bytes")
        with store.blobs.pinned(old.segments), store.blobs.pinned(old.segments):
            write(store, "a", b"new")
            assert b"".join(store.blobs.read(old.segments, 0, 9, 4)) == b"old bytes"
        assert old.segments[0].blob not in blobs(root)


def test_a_range_over_segments(root: Path) -> None:
    """Any range of an object of many segments gives the right bytes."""
    with Store(root) as store:
        segments = []
        for data in (b"abc", b"", b"defg", b"h"):
            writer = store.blobs.create()
            writer.write([data])
            segments.append(writer.finish().segment)
        whole = b"abcdefgh"
        for offset in range(9):
            for length in range(9 - offset):
                read = b"".join(store.blobs.read(segments, offset, length, 2))
                assert read == whole[offset : offset + length]
        copied = store.blobs.copy(segments, 2, 4)
        assert b"".join(store.blobs.read([copied.segment], 0, 4, 100)) == b"cdef"


def test_a_blob_that_is_too_short(root: Path) -> None:
    """A blob that lost bytes is an error, never a short answer."""
    with Store(root) as store:
        record = write(store, "a", b"12345")
        os.truncate(store.blobs.path(record.segments[0].blob), 3)
        with pytest.raises(OSError, match="shorter than its record"):
            content(store, "a")


def test_a_linked_blob_lives_on(root: Path) -> None:
    """A copy that shares bytes with its source survives the source."""
    with Store(root) as store:
        source = write(store, "a", b"shared")
        twin = store.blobs.link(source.segments[0])
        store.remove_version("exports", "a")
        assert b"".join(store.blobs.read([twin], 0, 6, 10)) == b"shared"


def test_killed_while_writing_a_body(root: Path) -> None:
    """Bytes without a record are swept, half a record is ignored, and what was there before is still there."""
    with Store(root) as store:
        record = write(store, "a", b"before")
        writer = store.blobs.create()
        writer.write([b"half of a bo"])
        writer.finish()
        metadata = next(root.glob("buckets/exports/objects/*.json"))
        (metadata.with_name(metadata.name + ".new")).write_text('{"bucket": "exp')
    with Store(root) as store:
        assert blobs(root) == {record.segments[0].blob}
        assert content(store, "a") == b"before"
    assert not list(root.rglob("*.new"))


def test_killed_between_object_and_upload(root: Path) -> None:
    """When an upload's object is there, the upload is over, and the object keeps the parts' bytes."""
    with Store(root) as store:
        upload = begin(store)
        part = write_part(store, upload, 1, b"part")
        dropped = write_part(store, upload, 2, b"not listed")
        store.put_object(
            ObjectRecord("exports", "big", 4, "E-1", part.crc64, "Multipart", 4.0, (part.segment,), upload_id="ID")
        )
        assert dropped.segment.blob in blobs(root)
    with Store(root) as store:
        assert store.upload("exports", "big", "ID") is None
        assert content(store, "big") == b"part"
        assert blobs(root) == {part.segment.blob}
        assert not list(root.glob("buckets/exports/uploads/*"))


def test_killed_after_an_upload_was_forgotten(root: Path) -> None:
    """Once an abort has begun, the upload does not come back, and its parts are swept."""
    with Store(root) as store:
        upload = begin(store)
        write_part(store, upload, 1, b"part")
        store.withdraw_upload(upload)
        store.forget_upload(upload)
    with Store(root) as store:
        assert store.upload("exports", "big", "ID") is None
        assert blobs(root) == set()


def test_killed_before_an_upload_was_recorded(root: Path) -> None:
    """An upload folder without its record is nobody's upload."""
    (root / "buckets/exports/uploads/HALF").mkdir()
    with Store(root) as store:
        assert list(store.uploads("exports")) == []
    assert not (root / "buckets/exports/uploads/HALF").exists()


def test_killed_while_a_complete_was_prepared(root: Path) -> None:
    """An upload that was withdrawn, but whose object was never written, is there again with all parts."""
    with Store(root) as store:
        upload = begin(store)
        part = write_part(store, upload, 1, b"part")
        store.withdraw_upload(upload)
        assert store.upload("exports", "big", "ID") is None
    with Store(root) as store:
        again = store.upload("exports", "big", "ID")
        assert again is not None
        assert again.parts == {1: part}


def test_killed_while_a_bucket_was_removed(root: Path) -> None:
    """A bucket whose removal had begun is gone."""
    folder = root / "buckets" / "exports"
    shutil.move(folder, folder.with_name("exports.new"))
    with Store(root) as store:
        assert store.buckets() == ()
    assert not list((root / "buckets").iterdir())


def test_killed_while_a_bucket_was_created(root: Path) -> None:
    """A bucket without its record is not there, and can be created."""
    (root / "buckets/half/objects").mkdir(parents=True)
    with Store(root) as store:
        assert [bucket.name for bucket in store.buckets()] == ["exports"]
        store.put_bucket(BucketRecord("half", 1.0))
        store.delete_bucket("half")


def test_records_are_small(root: Path) -> None:
    """An object of 10,000 parts has a record of less than a megabyte."""
    with Store(root) as store:
        segment = write(store, "a", b"x").segments[0]
        record = ObjectRecord("exports", "b", 10_000, "E-10000", 0, "Multipart", 1.0, (segment,) * 10_000)
        store.put_object(record)
    sizes = [path.stat().st_size for path in root.glob("buckets/exports/objects/*.json")]
    assert max(sizes) < 1_000_000
    assert all(json.loads(path.read_text()) for path in root.glob("buckets/exports/objects/*.json"))


RECORDS = {
    "buckets/exports/bucket.json": BucketRecord,
    "buckets/exports/objects/*.json": ObjectRecord,
    "buckets/exports/uploads/ID/upload.json": UploadRecord,
    "buckets/exports/uploads/ID/00003.json": PartRecord,
}


@pytest.fixture
def full(root: Path) -> Path:
    """The store with an object, an upload and a part."""
    with Store(root) as store:
        write(store, "a", b"bytes")
        write_part(store, begin(store), 3, b"part")
    return root


def damaged(record: dict[str, Any], kind: type[Any]) -> Iterator[bytes]:
    """Yield what may become of a record of that kind."""
    text = json.dumps(record).encode()
    yield from (b"", text[: len(text) // 2], b"[]", b"null", b"\xff" + text, b"[" * 100_000, b'{"more": 1, ' + text[1:])
    for entry in dataclasses.fields(kind):
        name, value = entry.name, record[entry.name]
        if entry.default is entry.default_factory:
            yield json.dumps({other: record[other] for other in record if other != name}).encode()
        yield json.dumps(record | {name: None}).encode()
        if (kind, name) in HOMES:
            yield json.dumps(record | {name: f"{value}/../other"}).encode()
    for name in ("segment", "segments"):
        if name in record:
            other = ["../../../outside", 4]
            yield json.dumps(record | {name: other if name == "segment" else [other]}).encode()


HOMES = {(BucketRecord, "name"), (ObjectRecord, "key"), (UploadRecord, "upload_id")}
"""What a record's file is named by."""


@pytest.mark.parametrize(("pattern", "kind"), RECORDS.items())
def test_a_damaged_record_is_named(full: Path, pattern: str, kind: type[Any]) -> None:
    """Whatever became of a record, the store does not open, names the file, removes nothing, and can be mended."""
    [path] = full.glob(pattern)
    whole, before = path.read_bytes(), blobs(full)
    for data in damaged(json.loads(whole), kind):
        path.write_bytes(data)
        with pytest.raises(RuntimeError, match=re.escape(f"the record {path} is damaged")):
            Store(full)
        assert blobs(full) == before
    path.write_bytes(whole)
    with Store(full) as store:
        assert content(store, "a") == b"bytes"


def test_a_copy_of_a_bucket(full: Path) -> None:
    """A bucket that somebody copied to another name is damaged: its objects would take the place of the first one's."""
    shutil.copytree(full / "buckets/exports", full / "buckets/backup")
    with pytest.raises(
        RuntimeError, match=r"backup/bucket.json is damaged \(what it describes has its record elsewhere"
    ):
        Store(full)
    assert len(blobs(full)) == 2
