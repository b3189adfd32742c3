"""
The store: an index in memory over records on disk.

All methods but those of a ``BlobWriter`` run in one thread, the event loop's: each reads or commits in well under a
millisecond, and nothing can come between a check and the commit that follows it.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
from bisect import insort
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from airflow_provider_oss.emulator.state.blobs import Blobs
from airflow_provider_oss.emulator.state.files import TEMPORARY, read_record, write_record
from airflow_provider_oss.emulator.state.objects import Objects
from airflow_provider_oss.emulator.state.ownership import claim
from airflow_provider_oss.emulator.state.records import (
    BucketRecord,
    ObjectRecord,
    PartRecord,
    UploadRecord,
    bucket_from_json,
    part_from_json,
    upload_from_json,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

_VERSION_ID_BYTES: Final = 32


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
    objects: Objects
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
        bucket = self._buckets.get(record.name)
        if bucket is None:
            (folder / "uploads").mkdir(parents=True, exist_ok=True)
            bucket = _Bucket(record, folder, Objects(folder, self.blobs))
        write_record(folder / "bucket.json", record)
        bucket.record = record
        self._buckets[record.name] = bucket

    def bucket_is_empty(self, name: str) -> bool:
        """Whether the bucket has neither objects, nor versions of deleted ones, nor unfinished uploads."""
        bucket = self._buckets[name]
        return not bucket.objects.keys_with_versions and not bucket.uploads

    def delete_bucket(self, name: str) -> None:
        """Remove an empty bucket. The rename is the commit."""
        bucket = self._buckets.pop(name)
        grave = bucket.folder.with_name(f"{name}{TEMPORARY}")
        bucket.folder.rename(grave)
        shutil.rmtree(grave)

    # objects

    def keys(self, bucket: str) -> Sequence[str]:
        """All keys of the bucket in the order of their UTF-8 bytes; not to be changed or kept by the caller."""
        return self._buckets[bucket].objects.keys

    def keys_with_versions(self, bucket: str) -> Sequence[str]:
        """Likewise all keys that have versions, though they may have been deleted."""
        return self._buckets[bucket].objects.keys_with_versions

    def object(self, bucket: str, key: str) -> ObjectRecord | None:
        """Return the object, None when there is none or it has been deleted."""
        return self._buckets[bucket].objects.current(key)

    def versions(self, bucket: str, key: str) -> Sequence[ObjectRecord]:
        """Return all versions of a key, the latest first, delete markers too."""
        return self._buckets[bucket].objects.versions(key)

    def put_object(self, record: ObjectRecord) -> ObjectRecord:
        """
        Commit the object as the latest version of its key, and return it with the version id that it got.

        Where versioning is enabled it gets a new one; elsewhere it has none, and replaces the version that has none.
        Blobs that nothing uses any more are discarded.
        """
        bucket = self._buckets[record.bucket]
        is_enabled = bucket.record.versioning == "Enabled"
        version_id = secrets.token_hex(_VERSION_ID_BYTES).upper() if is_enabled else ""
        return bucket.objects.put(replace(record, version_id=version_id))

    def update_object(self, record: ObjectRecord) -> None:
        """Commit a change of a version that is there, in its place."""
        self._buckets[record.bucket].objects.update(record)

    def remove_version(self, bucket: str, key: str, version_id: str = "") -> ObjectRecord | None:
        """Remove a version for good and return it, None when there is none. "" is the version without an id."""
        return self._buckets[bucket].objects.remove(key, version_id)

    # uploads

    def create_upload(self, record: UploadRecord) -> None:
        """Begin an upload."""
        bucket = self._buckets[record.bucket]
        folder = bucket.folder / "uploads" / record.upload_id
        folder.mkdir()
        write_record(folder / "upload.json", record)
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
        write_record(_part_path(upload.folder, part.number), part)
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
        if not (folder / "bucket.json").exists() or folder.name.endswith(TEMPORARY):
            shutil.rmtree(folder)
            return
        record = read_record(folder / "bucket.json", bucket_from_json, self._bucket_path)
        bucket = _Bucket(record, folder, Objects(folder, self.blobs))
        bucket.objects.load()
        self._buckets[record.name] = bucket
        completed = {version.upload_id for version in bucket.objects}
        for path in (folder / "uploads").iterdir():
            self._load_upload(bucket, path, completed)

    def _bucket_path(self, record: BucketRecord) -> Path:
        return self._root / record.name / "bucket.json"

    def _load_upload(self, bucket: _Bucket, folder: Path, completed: set[str]) -> None:
        if folder.name in completed or not (folder / "upload.json").exists():
            shutil.rmtree(folder)
            return
        record = read_record(
            folder / "upload.json", upload_from_json, lambda found: folder.parent / found.upload_id / "upload.json"
        )
        upload = Upload(record, folder)
        for path in folder.iterdir():
            if path.name.endswith(TEMPORARY):
                path.unlink()
            elif path.name != "upload.json":
                part = read_record(path, part_from_json, lambda found: _part_path(folder, found.number))
                upload.parts[part.number] = part
        upload.numbers.extend(sorted(upload.parts))
        self._index_upload(bucket, upload)

    def _referenced_blobs(self) -> set[str]:
        objects = (record for bucket in self._buckets.values() for record in bucket.objects)
        uploads = (upload for bucket in self._buckets.values() for upload in bucket.uploads.values())
        blobs = {segment.blob for record in objects for segment in record.segments}
        return blobs | {part.segment.blob for upload in uploads for part in upload.parts.values()}


def _part_path(upload: Path, number: int) -> Path:
    return upload / f"{number:05d}.json"
