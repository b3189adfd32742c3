"""
The store: an index in memory over records on disk.

All methods but those of a ``BlobWriter`` run in one thread, the event loop's: each reads or commits in well under a
millisecond, and nothing can come between a check and the commit that follows it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from airflow_provider_oss.emulator.state.blobs import Blobs
from airflow_provider_oss.emulator.state.ownership import claim
from airflow_provider_oss.emulator.state.records import (
    BucketRecord,
    ObjectRecord,
    PartRecord,
    UploadRecord,
    bucket_from_json,
    object_from_json,
    part_from_json,
    record_to_json,
    upload_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

_TEMPORARY: Final = ".new"

_Record = TypeVar("_Record", BucketRecord, ObjectRecord, UploadRecord, PartRecord)


@dataclass(slots=True)
class Upload:
    """An upload in progress, its parts by number, and their numbers in ascending order."""

    record: UploadRecord
    folder: Path
    parts: dict[int, PartRecord] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Bucket:
    record: BucketRecord
    folder: Path
    objects: dict[str, ObjectRecord] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    upload_order: list[tuple[str, str]] = field(default_factory=list)


class Store:
    """
    Everything the server remembers, under one folder that only one store may use at a time.

    Made, it opens or creates the folder, and sweeps what a kill left. Raises RuntimeError when another store has the
    folder, when the folder is not the server's own (nothing in it was touched then), and when a record in it is
    damaged.
    """

    def __init__(self, root: Path) -> None:
        claim(root)
        self._lock = (root / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise RuntimeError(f"another server is using {root}") from error
        self._root = root / "buckets"
        self._buckets: dict[str, _Bucket] = {}
        try:
            self._root.mkdir(exist_ok=True)
            self.blobs = Blobs(root / "blobs")
            for folder in sorted(self._root.iterdir()):
                self._load_bucket(folder)
            self.blobs.sweep(self._referenced_blobs())
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another store have the folder. There is nothing to save."""
        self._lock.close()

    # buckets

    def buckets(self) -> tuple[BucketRecord, ...]:
        """All buckets by name."""
        return tuple(self._buckets[name].record for name in sorted(self._buckets))

    def bucket(self, name: str) -> BucketRecord | None:
        """Return the bucket, None when there is none."""
        bucket = self._buckets.get(name)
        return bucket.record if bucket else None

    def put_bucket(self, record: BucketRecord) -> None:
        """Create the bucket or replace its record."""
        folder = self._root / record.name
        for name in ("objects", "uploads"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _write_json(folder / "bucket.json", record_to_json(record))
        bucket = self._buckets.setdefault(record.name, _Bucket(record, folder))
        bucket.record = record

    def bucket_is_empty(self, name: str) -> bool:
        """Whether the bucket has neither objects nor unfinished uploads."""
        bucket = self._buckets[name]
        return not bucket.objects and not bucket.uploads

    def delete_bucket(self, name: str) -> None:
        """Remove an empty bucket. The rename is the commit."""
        bucket = self._buckets.pop(name)
        grave = bucket.folder.with_name(f"{name}{_TEMPORARY}")
        bucket.folder.rename(grave)
        shutil.rmtree(grave)

    # objects

    def keys(self, bucket: str) -> Sequence[str]:
        """All keys of the bucket in the order of their UTF-8 bytes; not to be changed or kept by the caller."""
        return self._buckets[bucket].keys

    def object(self, bucket: str, key: str) -> ObjectRecord | None:
        """Return the object, None when there is none."""
        return self._buckets[bucket].objects.get(key)

    def put_object(self, record: ObjectRecord) -> None:
        """Commit the object, replacing one of that key; blobs that the new one does not use are discarded."""
        bucket = self._buckets[record.bucket]
        _write_json(_object_path(bucket, record.key), record_to_json(record))
        previous = bucket.objects.get(record.key)
        if previous is None:
            insort(bucket.keys, record.key)
        bucket.objects[record.key] = record
        if previous is not None and previous.segments != record.segments:
            kept = {segment.blob for segment in record.segments}
            self.blobs.discard(segment for segment in previous.segments if segment.blob not in kept)

    def delete_object(self, bucket_name: str, key: str) -> bool:
        """Remove the object; False when there was none."""
        bucket = self._buckets[bucket_name]
        record = bucket.objects.pop(key, None)
        if record is None:
            return False
        _object_path(bucket, key).unlink()
        del bucket.keys[bisect_left(bucket.keys, key)]
        self.blobs.discard(record.segments)
        return True

    # uploads

    def create_upload(self, record: UploadRecord) -> None:
        """Begin an upload."""
        bucket = self._buckets[record.bucket]
        folder = bucket.folder / "uploads" / record.upload_id
        folder.mkdir()
        _write_json(folder / "upload.json", record_to_json(record))
        self._index_upload(bucket, Upload(record, folder))

    def upload(self, bucket: str, key: str, upload_id: str) -> Upload | None:
        """Return the upload, None when there is no such id under this key."""
        upload = self._buckets[bucket].uploads.get(upload_id)
        return upload if upload and upload.record.key == key else None

    def uploads(self, bucket: str) -> Sequence[tuple[str, str]]:
        """Key and id of all uploads of the bucket, in that order; not to be changed or kept by the caller."""
        return self._buckets[bucket].upload_order

    def upload_by_id(self, bucket: str, upload_id: str) -> UploadRecord:
        """Return the record of an upload that exists."""
        return self._buckets[bucket].uploads[upload_id].record

    def put_part(self, upload: Upload, part: PartRecord) -> None:
        """Commit the part, replacing one of that number."""
        _write_json(_part_path(upload.folder, part.number), record_to_json(part))
        previous = upload.parts.get(part.number)
        upload.parts[part.number] = part
        if previous is None:
            insort(upload.numbers, part.number)
        else:
            self.blobs.discard([previous.segment])

    def withdraw_upload(self, upload: Upload) -> None:
        """Make the upload unknown to every request, while its records stay on disk."""
        bucket = self._buckets[upload.record.bucket]
        del bucket.uploads[upload.record.upload_id]
        bucket.upload_order.remove((upload.record.key, upload.record.upload_id))

    def restore_upload(self, upload: Upload) -> None:
        """Undo ``withdraw_upload``."""
        self._index_upload(self._buckets[upload.record.bucket], upload)

    def forget_upload(self, upload: Upload) -> None:
        """Commit the end of a withdrawn upload: no kill can bring it back. ``clear_upload`` does the rest."""
        (upload.folder / "upload.json").unlink()

    def clear_upload(self, upload: Upload, used: Collection[PartRecord] = ()) -> None:
        """
        Remove what a forgotten upload left: its records, and the blobs of the parts that no object uses.

        May run in any thread: nothing else can reach the upload, and nobody reads parts.
        """
        kept = {part.segment.blob for part in used}
        for part in upload.parts.values():
            if part.segment.blob not in kept:
                self.blobs.path(part.segment.blob).unlink(missing_ok=True)
        shutil.rmtree(upload.folder)

    # loading

    def _index_upload(self, bucket: _Bucket, upload: Upload) -> None:
        bucket.uploads[upload.record.upload_id] = upload
        insort(bucket.upload_order, (upload.record.key, upload.record.upload_id))

    def _load_bucket(self, folder: Path) -> None:
        if not (folder / "bucket.json").exists() or folder.name.endswith(_TEMPORARY):
            shutil.rmtree(folder)
            return
        bucket = _Bucket(_read(folder / "bucket.json", bucket_from_json, self._bucket_path), folder)
        for path in (folder / "objects").iterdir():
            if path.name.endswith(_TEMPORARY):
                path.unlink()
                continue
            record = _read(path, object_from_json, lambda found: _object_path(bucket, found.key))
            bucket.objects[record.key] = record
        bucket.keys.extend(sorted(bucket.objects))
        self._buckets[bucket.record.name] = bucket
        completed = {record.upload_id for record in bucket.objects.values()}
        for path in (folder / "uploads").iterdir():
            self._load_upload(bucket, path, completed)

    def _bucket_path(self, record: BucketRecord) -> Path:
        return self._root / record.name / "bucket.json"

    def _load_upload(self, bucket: _Bucket, folder: Path, completed: set[str]) -> None:
        if folder.name in completed or not (folder / "upload.json").exists():
            shutil.rmtree(folder)
            return
        record = _read(
            folder / "upload.json", upload_from_json, lambda found: folder.parent / found.upload_id / "upload.json"
        )
        upload = Upload(record, folder)
        for path in folder.iterdir():
            if path.name.endswith(_TEMPORARY):
                path.unlink()
            elif path.name != "upload.json":
                part = _read(path, part_from_json, lambda found: _part_path(folder, found.number))
                upload.parts[part.number] = part
        upload.numbers.extend(sorted(upload.parts))
        self._index_upload(bucket, upload)

    def _referenced_blobs(self) -> set[str]:
        objects = (record for bucket in self._buckets.values() for record in bucket.objects.values())
        uploads = (upload for bucket in self._buckets.values() for upload in bucket.uploads.values())
        blobs = {segment.blob for record in objects for segment in record.segments}
        return blobs | {part.segment.blob for upload in uploads for part in upload.parts.values()}


def _object_path(bucket: _Bucket, key: str) -> Path:
    """Return a file named by a hash: keys reach 1023 bytes and may hold any character, ``../`` among them."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return bucket.folder / "objects" / f"{digest}.json"


def _part_path(upload: Path, number: int) -> Path:
    return upload / f"{number:05d}.json"


def _write_json(path: Path, data: dict[str, Any]) -> None:
    """Write beside and rename: the file is there whole or not at all."""
    beside = path.with_name(path.name + _TEMPORARY)
    beside.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105 - Path.replace is the same with one more object


def _read(path: Path, from_json: Callable[[dict[str, Any]], _Record], home: Callable[[_Record], Path]) -> _Record:
    """Return the record in the file. Raises RuntimeError that names a file in which there is none, or another's."""
    try:
        record = from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if home(record) != path:
        raise _damaged(path, "what it describes has its record elsewhere")
    return record


def _damaged(path: Path, why: str) -> RuntimeError:
    return RuntimeError(
        f"the record {path} is damaged ({why}): bring the file back from a copy, or remove it, and with it what it "
        "describes"
    )
