"""Checkpoints that were edited cost time, never correctness, and nobody else's upload."""

from __future__ import annotations

import json
from base64 import b85encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_oss.checkpoint.codec import decode, encode
from airflow_provider_oss.engine.parts import CopySource
from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import BytesReader, BytesSource, StreamSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSProviderError
from airflow_provider_oss.file_range import Body
from airflow_provider_oss.model import (
    Checkpoint,
    CompletedPart,
    Fingerprint,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
)
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64, md5_etag
from tests.engine.conftest import PART
from tests.engine.doubles import MemoryOSS
from tests.support.sources import slices_of, some_bytes

PARTS = 4
MINE, CHANGED, OTHERS = (some_bytes(PARTS * PART, seed=seed) for seed in (1, 2, 3))
REF, OTHER_REF = ObjectRef("exports", "mine"), ObjectRef("exports", "other")
OWNER, OTHER_OWNER = "dag/run/task", "dag/run/other"


@dataclass(frozen=True)
class Versioned:
    """Bytes with an ETag, as those of an HTTP server or of S3."""

    data: bytes

    def open(self) -> VersionedReader:
        return VersionedReader(BytesSource(self.data))


class VersionedReader(BytesReader):
    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint("https://example.com/x", len(self._view), version=md5_etag(self._view))


class CopyingOSS(MemoryOSS):
    """One that copies, that refuses the third part when it is told to, and remembers what was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted: set[str] = set()
        self.refuses_part: int | None = None

    def _check(self, number: int) -> None:
        if number == self.refuses_part:
            raise OSSAccessDenied("no more")

    def upload_part(
        self, ref: ObjectRef, upload_id: str, part_number: int, body: Body, crc64: int | None, options: ObjectOptions
    ) -> CompletedPart:
        self._check(part_number)
        return super().upload_part(ref, upload_id, part_number, body, crc64, options)

    def upload_part_copy(
        self, ref: ObjectRef, upload_id: str, part_number: int, source: ObjectRange, options: ObjectOptions
    ) -> CompletedPart:
        data = self.objects[source.ref][source.offset_bytes : source.offset_bytes + source.size_bytes]
        return self.upload_part(ref, upload_id, part_number, data, None, options)

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        return self.put_object(ref, self.objects[source.ref], crc64(self.objects[source.ref]), options)

    def abort_multipart_upload(self, ref: ObjectRef, upload_id: str) -> None:
        super().abort_multipart_upload(ref, upload_id)
        self.aborted.add(upload_id)

    def begin(self, ref: ObjectRef, data: bytes) -> str:
        """Begin the upload of somebody else."""
        upload_id = self.initiate_multipart_upload(ref, ObjectOptions())
        for number in range(1, PARTS if data else 1):
            self.uploads[upload_id][number] = data[(number - 1) * PART : number * PART]
        return upload_id

    def copy_source(self, data: bytes, *, has_crc: bool) -> CopySource:
        ref = ObjectRef("exports", "source")
        self.objects[ref] = data
        crc = crc64(data) if has_crc else None
        return CopySource(ObjectInfo(ref, len(data), md5_etag(data), crc, None, None, None, None, None, {}, {}))


@dataclass
class RecordStore:
    """Keeps the record as JSON, as all stores of Airflow do."""

    owner: str = OWNER
    text: str | None = None

    def load(self) -> Checkpoint | None:
        return None if self.text is None else decode(self.text, self.owner)

    def save(self, checkpoint: Checkpoint) -> None:
        self.text = json.dumps(encode(checkpoint, self.owner))

    def delete(self) -> None:
        self.text = None


SOURCES: dict[str, Callable[[CopyingOSS, bytes], Any]] = {
    "bytes": lambda _, data: BytesSource(data),
    "version": lambda _, data: Versioned(data),
    "stream": lambda _, data: StreamSource(lambda: slices_of(data, 7000)),
    "copy": lambda oss, data: oss.copy_source(data, has_crc=True),
    "copy without CRC-64": lambda oss, data: oss.copy_source(data, has_crc=False),
}


@dataclass
class World:
    """An OSS with a record of an unfinished upload, and uploads of others, one of them with a record of its own."""

    source: str
    oss: CopyingOSS = field(default_factory=CopyingOSS)
    store: RecordStore = field(default_factory=RecordStore)

    def __post_init__(self) -> None:
        self.fail(REF, MINE, self.store)
        others = RecordStore(OTHER_OWNER)
        mine = set(self.oss.uploads)
        self.fail(REF, OTHERS, others)
        self.others = [
            *(set(self.oss.uploads) - mine),
            self.oss.begin(REF, OTHERS),
            self.oss.begin(OTHER_REF, OTHERS),
            self.oss.begin(REF, b""),
        ]
        self.their_record = json.loads(others.text or "")
        self.their_parts = {upload_id: dict(self.oss.uploads[upload_id]) for upload_id in self.others}

    def upload(self, ref: ObjectRef, data: bytes, store: RecordStore, **options: Any) -> Upload:
        return Upload(
            SOURCES[self.source](self.oss, data),
            ref,
            Means(self.oss, RetryPolicy(tries=1)),
            store=store,
            options=parse_options(**options),
            settings=UploadSettings(part_size_bytes=PART, parallel=1),
        )

    def fail(self, ref: ObjectRef, data: bytes, store: RecordStore) -> None:
        self.oss.refuses_part = 3
        try:
            self.upload(ref, data, store).run()
        except OSSAccessDenied:
            self.oss.refuses_part = None

    def edit(self, steps: list[tuple[str, Any]]) -> None:
        """Change fields of the record: to another value, to that of the others' record, or to nothing."""
        record = json.loads(self.store.text or "")
        for path, value in steps:
            _, _, name = path.rpartition("source.")
            part, theirs = record, self.their_record
            if path != name and isinstance(record.get("source"), dict):
                part, theirs = record["source"], self.their_record["source"]
            if value == "removed":
                part.pop(name, None)
            elif isinstance(value, OthersUpload):
                part[name] = self.others[value.index]
            else:
                part[name] = theirs.get(name) if value == "theirs" else value
        self.store.text = json.dumps(record)


@dataclass(frozen=True)
class OthersUpload:
    """The id of one of the others' uploads."""

    index: int


FIELDS = (
    "version", "owner", "owner_digest", "bucket", "key", "upload_id", "part_size", "schedule", "source", "source.name",
    "source.size", "source.modified_at", "source.version", "options", "attempt", "done_parts", "done_bytes",
    "created_at", "updated_at", "seal", "proof",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
VALUES = st.one_of(
    st.sampled_from(("removed", "theirs")),
    st.builds(OthersUpload, st.integers(0, 3)),
    st.sampled_from(
        (
            OTHER_REF.key, "other", "source", OWNER, OTHER_OWNER, "", 0, 1, -1, PART, PART + 1, 2 * PART, PARTS * PART,
            10**2000, 1e300, 53687091200000, "1-4", "1-9999", "4", "9" * 5, "constant", "growing-1", "0" * 16, "0" * 24,
            md5_etag(MINE), md5_etag(CHANGED), md5_etag(OTHERS), "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59", "2000-01-01T00:00:00Z", "U\n", "\ud800",
            {"base85": b85encode(b"other").decode()}, {"base85": "~"},
            "\U0001f600" * 40,
        )
    ),
    JSON,
)  # fmt: skip
EDITS = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=3)


@settings(max_examples=300)
@given(source=st.sampled_from(sorted(SOURCES)), edits=EDITS, now=st.sampled_from((MINE, CHANGED)), forbid=st.booleans())
@example(source="version", edits=[("upload_id", OthersUpload(0))], now=MINE, forbid=False)
@example(source="version", edits=[("upload_id", OthersUpload(1)), ("seal", "removed")], now=MINE, forbid=False)
@example(source="version", edits=[("source.version", md5_etag(CHANGED))], now=CHANGED, forbid=False)
@example(
    source="copy without CRC-64", edits=[("upload_id", OthersUpload(0)), ("seal", "removed")], now=MINE, forbid=False
)
@example(source="bytes", edits=[("upload_id", OthersUpload(2)), ("key", "other")], now=MINE, forbid=False)
@example(source="bytes", edits=[("upload_id", ""), ("created_at", "2000-01-01T00:00:00Z")], now=MINE, forbid=False)
@example(source="bytes", edits=[("done_bytes", 10**2000)], now=MINE, forbid=False)
@example(
    source="bytes", edits=[("upload_id", "theirs"), ("seal", "theirs"), ("created_at", "theirs")], now=MINE, forbid=True
)
def test_edited(source: str, edits: list[tuple[str, Any]], now: bytes, *, forbid: bool) -> None:
    """
    Whatever stands in the fields of a record, of whatever source: the object becomes the source, or there is an error.

    No upload of others is aborted, nor, while the record has its seal, touched; and all ends.
    """
    world = World(source)
    world.edit(edits)
    try:
        world.upload(REF, now, world.store, forbid_overwrite=forbid).run()
    except OSSProviderError:
        assert REF not in world.oss.objects
    else:
        assert world.oss.objects[REF] == now
    assert world.oss.aborted.isdisjoint(world.others)
    if all(name != "seal" for name, _ in edits):
        assert {each: world.oss.uploads.get(each) for each in world.others} == world.their_parts


def test_the_record_of_another_task() -> None:
    """A record that is copied from another task, its owner edited, is neither continued nor is its upload aborted."""
    world = World("version")
    world.store.text = json.dumps(world.their_record | {"owner": OWNER})
    world.upload(REF, MINE, world.store).run()
    assert world.oss.objects[REF] == MINE
    assert world.oss.uploads.keys() >= set(world.others)


def test_another_upload_of_the_key_in_its_own_words() -> None:
    """A checkpoint that a program changed names another upload: it is begun anew, and that one stays as it is."""
    world = World("version")
    checkpoint = world.store.load()
    assert checkpoint is not None
    for upload_id in world.others[:2]:
        world.store.save(replace(checkpoint, upload_id=upload_id))
        world.upload(REF, MINE, world.store).run()
        assert world.oss.objects.pop(REF) == MINE
        assert world.oss.uploads[upload_id] == world.their_parts[upload_id]


def test_not_edited() -> None:
    """A record as it was written is continued, and what was proven is neither read nor sent again."""
    for source in SOURCES:
        world = World(source)
        world.oss.sent.clear()
        world.upload(REF, MINE, world.store).run()
        assert (world.oss.objects[REF], world.oss.sent) == (MINE, [3, 4])
        assert set(world.oss.uploads) == set(world.others)
