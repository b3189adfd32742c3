"""Objects that OSS copies itself: whole or in parts, of one version, and continued after any end of an attempt."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.copy import Copy
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSChecksumMismatch,
    OSSConnectionTimeout,
    OSSInvalidArgument,
    OSSNoSuchKey,
    OSSObjectAlreadyExists,
    OSSSourceChanged,
    OSSUploadCancelled,
)
from airflow_provider_oss.limits import GIB, MAX_PARTS, MIB
from airflow_provider_oss.model import (
    Callback,
    Checkpoint,
    CompletedPart,
    CopyResult,
    ObjectInfo,
    ObjectOptions,
    ObjectRange,
    ObjectRef,
    StoredObject,
    StoredPart,
)
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import (
    ClientWithoutListedCrc64,
    KilledError,
    Life,
    MortalClient,
    MortalStore,
    PassingClient,
    changed,
)
from tests.support.sources import some_bytes
from tests.support.stores import MemoryStore

PARTS = 5
DATA = some_bytes((PARTS - 1) * PART + 7, seed=1)
OTHER = some_bytes((PARTS - 1) * PART + 7, seed=2)
SOURCE_OPTIONS = parse_options(
    mime="text/csv",
    meta={"from": "sourcé"},
    headers={"Cache-Control": "no-cache", "Content-Encoding": "identity"},
    storage_class="IA",
    tags={"kind": "dump ü"},
)


@dataclass
class Stage:
    """A source in the scene's other bucket, and a copy of it."""

    scene: Scene
    key: str = "sources/a b#?.bin"
    source_options: ObjectOptions = field(default_factory=ObjectOptions)

    @property
    def source(self) -> ObjectRef:
        return ObjectRef(self.scene.other_bucket, self.key)

    def put(self, data: bytes = DATA, options: ObjectOptions | None = None, ref: ObjectRef | None = None) -> None:
        self.scene.client.put_object(ref or self.source, data, crc64(data), options or self.source_options)
        self.scene.server.forget_requests()

    def copy(self, **changes: Any) -> Copy:
        """Return one attempt in parts; ``changes`` replace what is usual."""
        scene = self.scene
        usual = Copy(
            self.source,
            scene.ref,
            scene.means,
            store=scene.store,
            settings=scene.settings,
            multipart_threshold_bytes=0,
        )
        return changed(usual, **changes)

    def run(self, **changes: Any) -> CopyResult:
        return self.copy(**changes).run()

    def copied(self) -> list[int]:
        """Return the numbers, ascending, of the parts that OSS has copied since the last ``stop_at_part``."""
        requests = self.scene.requests("UploadPartCopy")
        return sorted(request.part_number or 0 for request in requests if request.status == 200)

    def stop_at_part(self, number: int, **changes: Any) -> Checkpoint:
        """Make an attempt that fails at this part; the parts before it are copied."""
        scene = self.scene
        scene.server.faults.add(Fault(operation="UploadPartCopy", part_number=number, status=403, code="AccessDenied"))
        with pytest.raises(OSSAccessDenied):
            self.run(**{"settings": replace(scene.settings, parallel=1)} | changes)
        scene.server.faults.clear()
        scene.server.forget_requests()
        checkpoint = scene.store.load()
        assert checkpoint is not None
        return checkpoint

    def assert_copied(self, data: bytes = DATA) -> None:
        assert self.scene.object() == data
        self.scene.assert_nothing_left()


@pytest.fixture
def stage(scene: Scene) -> Stage:
    """A source of four parts and a bit."""
    stage = Stage(scene)
    stage.put()
    return stage


# What is copied


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=len)
def test_in_one_request(stage: Stage, data: bytes) -> None:
    """An object up to the threshold is looked at and copied, and that is all."""
    stage.put(data)

    result = stage.run(multipart_threshold_bytes=len(DATA))

    assert stage.scene.operations() == ["HeadObject", "CopyObject"]
    assert (result.size, result.bytes_copied, result.bytes_verified) == (len(data), len(data), 0)
    assert (result.crc64, result.resumed, result.attempts) == (str(crc64(data)), False, 1)
    assert (result.uri, result.source_uri) == (stage.scene.ref.uri, stage.source.uri)
    stage.assert_copied(data)


def test_in_parts(stage: Stage) -> None:
    """A larger object is copied part by part, and no byte of it passes through this process."""
    result = stage.run()

    assert stage.copied() == [1, 2, 3, 4, 5]
    assert {request.bytes_received for request in stage.scene.requests("UploadPartCopy")} == {0}
    assert set(stage.scene.operations()) == {
        "HeadObject",
        "InitiateMultipartUpload",
        "UploadPartCopy",
        "CompleteMultipartUpload",
    }
    assert (result.size, result.bytes_copied, result.bytes_verified) == (len(DATA), len(DATA), 0)
    assert (result.crc64, result.as_dict()["crc64"]) == (str(crc64(DATA)), str(crc64(DATA)))
    assert result.describe().startswith(f"Copied {stage.source} to {stage.scene.ref}: {len(DATA)} bytes")
    stage.assert_copied()


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(GIB + 1, 64 * MIB), (640_000 * MIB, 64 * MIB), (640_000 * MIB + 1, 65 * MIB)],
)
def test_part_sizes(stage: Stage, size_bytes: int, expected: int) -> None:
    """Parts have 64 MiB, and as many whole MiB as it takes to keep to 10,000 of them."""
    assert (
        stage.copy(
            multipart_threshold_bytes=GIB, settings=replace(stage.scene.settings, part_size_bytes=None)
        )._part_size_bytes(size_bytes)
        == expected
    )


@pytest.mark.parametrize("threshold", [0, limits.MAX_COPY_SIZE_BYTES], ids=["parts", "one request"])
def test_what_is_stored_with_the_source(stage: Stage, threshold: int) -> None:
    """However it is made, a copy has its source's type, metadata, headers, storage class and tags."""
    stage.put(options=SOURCE_OPTIONS)

    stage.run(multipart_threshold_bytes=threshold)

    info = stage.scene.client.head_object(stage.scene.ref)
    assert (info.content_type, info.meta, info.storage_class) == ("text/csv", {"from": "sourcé"}, "IA")
    assert (info.headers["cache-control"], info.headers["content-encoding"]) == ("no-cache", "identity")
    assert stage.scene.client.get_object_tags(stage.scene.ref) == {"kind": "dump ü"}
    stage.assert_copied()


@pytest.mark.parametrize("threshold", [0, limits.MAX_COPY_SIZE_BYTES], ids=["parts", "one request"])
def test_what_is_given_instead(stage: Stage, threshold: int) -> None:
    """Giving one thing replaces all that the source has."""
    stage.put(options=SOURCE_OPTIONS)

    stage.run(multipart_threshold_bytes=threshold, options=parse_options(meta={"to": "target"}, acl="private"))

    info = stage.scene.client.head_object(stage.scene.ref)
    assert (info.content_type, info.meta, info.storage_class) == (
        "application/octet-stream",
        {"to": "target"},
        "Standard",
    )
    assert "cache-control" not in info.headers
    assert stage.scene.client.get_object_tags(stage.scene.ref) == {}
    assert stage.scene.client.buckets.get(stage.scene.bucket).get_object_acl(stage.scene.ref.key).acl == "private"


def test_tags_that_may_not_be_read(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission to read the tags the copy is made without them, and the log says so."""
    stage.put(options=SOURCE_OPTIONS)
    stage.scene.server.faults.add(Fault(operation="GetObjectTagging", status=403, code="AccessDenied"))

    stage.run()

    assert "the copy gets no tags" in caplog.text
    stage.scene.server.faults.clear()
    assert stage.scene.client.get_object_tags(stage.scene.ref) == {}
    stage.assert_copied()


@pytest.mark.parametrize("threshold", [0, limits.MAX_COPY_SIZE_BYTES], ids=["parts", "one request"])
def test_onto_itself(stage: Stage, threshold: int) -> None:
    """An object may be copied onto itself, to give it other metadata, or parts of another size."""
    stage.put(options=SOURCE_OPTIONS)

    stage.run(ref=stage.source, multipart_threshold_bytes=threshold)
    info = stage.scene.client.head_object(stage.source)
    assert (info.content_type, info.meta) == ("text/csv", {"from": "sourcé"})

    stage.run(ref=stage.source, multipart_threshold_bytes=threshold, options=parse_options(meta={"new": "1"}))
    assert stage.scene.client.head_object(stage.source).meta == {"new": "1"}
    assert stage.scene.object(stage.source) == DATA
    stage.scene.assert_nothing_left()


def test_progress(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The callback is told of each part, the log what was copied."""
    caplog.set_level("INFO")
    heard: list[tuple[float, int]] = []

    stage.run(progress=lambda fraction, checkpoint, _: heard.append((fraction, checkpoint.done_bytes)))

    assert len(heard) == PARTS
    assert heard[-1] == (1.0, len(DATA))
    assert "copied 400.0 KiB, verified 0 bytes" in caplog.text


# What cannot be copied


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": ObjectOptions(callback=Callback("http://app", "b"))}, "callback cannot be used here"),
        ({"multipart_threshold_bytes": GIB + 1}, "multipart_threshold=1073741825 is out of range"),
        ({"multipart_threshold_bytes": -1}, "multipart_threshold=-1 is out of range"),
    ],
    ids=["callback", "too much", "negative"],
)
def test_arguments(stage: Stage, changes: dict[str, Any], message: str) -> None:
    """What cannot work is refused before anything is asked of OSS."""
    with pytest.raises(OSSInvalidArgument, match=message):
        stage.run(**changes)
    assert stage.scene.requests() == []


@pytest.mark.parametrize(
    ("part_size", "message"),
    [(GIB + 1, "too large for a copy"), (1, "outside what OSS allows")],
    ids=["large", "small"],
)
def test_part_sizes_that_cannot_be(stage: Stage, part_size: int, message: str) -> None:
    """A part that one request cannot copy, or that OSS refuses, is an error that names it."""
    with pytest.raises(OSSInvalidArgument, match=f"part_size={part_size}.*{message}"):
        stage.run(settings=replace(stage.scene.settings, part_size_bytes=part_size))


def test_a_missing_source(stage: Stage) -> None:
    """A source that is not there is an error that names it."""
    with pytest.raises(OSSNoSuchKey) as caught:
        stage.run(source=ObjectRef(stage.source.bucket, f"{stage.source.key}/no"))
    assert caught.value.details.key == f"{stage.source.key}/no"
    stage.scene.assert_nothing_left()


def test_another_object_is_in_the_way(stage: Stage) -> None:
    """With ``forbid_overwrite`` another object stays, and nothing is left of the copy."""
    stage.put(b"other", ref=stage.scene.ref)
    with pytest.raises(OSSObjectAlreadyExists):
        stage.run(options=ObjectOptions(forbid_overwrite=True))
    stage.assert_copied(b"other")


def test_the_copy_is_there_already(stage: Stage) -> None:
    """With ``forbid_overwrite`` an equal object is the copy: an earlier attempt made it."""
    stage.run()
    result = stage.run(options=ObjectOptions(forbid_overwrite=True))
    assert (result.bytes_copied, result.bytes_verified, result.resumed) == (0, len(DATA), True)
    stage.assert_copied()


# Interruptions


def test_continuing(stage: Stage) -> None:
    """Parts that OSS lists are not copied again."""
    stage.stop_at_part(4)

    result = stage.run()

    assert stage.copied() == [4, 5]
    assert (result.attempts, result.resumed) == (2, True)
    assert (result.bytes_copied, result.bytes_verified) == (PART + 7, 3 * PART)
    stage.assert_copied()


def test_continuing_without_listed_checksums(stage: Stage) -> None:
    """Parts whose CRC-64 OSS does not list count too: they are of the same version, and the whole is compared."""
    stage.stop_at_part(4)
    stage.run(client=WithTags(ClientWithoutListedCrc64(stage.scene.client), stage.scene))
    assert stage.copied() == [4, 5]
    stage.assert_copied()


def test_parts_that_may_not_be_listed(stage: Stage) -> None:
    """Without permission to list parts all are copied again, into the same upload."""
    stage.stop_at_part(4)
    stage.scene.server.faults.add(Fault(operation="ListParts", status=403, code="AccessDenied"))

    stage.run()

    assert stage.copied() == [1, 2, 3, 4, 5]
    assert stage.scene.requests("InitiateMultipartUpload") == []
    stage.assert_copied()


@pytest.mark.parametrize("key", ["k" * 1023, "ü" * 500, '"' * 900], ids=["long", "umlauts", "quotes"])
def test_continuing_whatever_the_name(scene: Scene, key: str) -> None:
    """A copy of an object with the longest name is continued like any other, through a checkpoint as it is stored."""
    stage = Stage(scene, key=key)
    stage.put()
    stage.stop_at_part(4)
    stage.run()
    assert stage.copied() == [4, 5]
    stage.assert_copied()


def test_a_source_that_is_replaced_meanwhile(stage: Stage) -> None:
    """No mix of two versions arises: the attempt fails, and the next one copies what is there then."""

    class Replacing(PassingClient):
        def call(self, name: str, act: Callable[[], Any]) -> Any:
            if name == "upload_part_copy" and len(stage.copied()) == 2:
                stage.scene.client.put_object(stage.source, OTHER, crc64(OTHER), ObjectOptions())
            return act()

    with pytest.raises(OSSSourceChanged, match="was replaced while it was read"):
        stage.run(client=Replacing(stage.scene.client), settings=replace(stage.scene.settings, parallel=1))
    assert stage.scene.store.data is not None
    with pytest.raises(OSSNoSuchKey):
        stage.scene.object()

    result = stage.run()

    assert (result.bytes_copied, result.bytes_verified) == (len(OTHER), 0)
    stage.assert_copied(OTHER)


def test_a_source_that_is_replaced_between_attempts(stage: Stage) -> None:
    """What was copied of another version is thrown away, even if the size is the same."""
    begun = stage.stop_at_part(4)
    stage.put(OTHER)

    stage.run()

    assert stage.copied() == [1, 2, 3, 4, 5]
    aborted = stage.scene.requests("AbortMultipartUpload")
    assert [request.status for request in aborted] == [204]
    assert begun.upload_id not in stage.scene.uploads()
    stage.assert_copied(OTHER)


def test_a_source_with_other_metadata_between_attempts(stage: Stage) -> None:
    """The copy has the metadata that the source has when it is finished."""
    stage.stop_at_part(4)
    stage.put(options=SOURCE_OPTIONS)

    stage.run()

    assert stage.scene.client.head_object(stage.scene.ref).meta == {"from": "sourcé"}
    stage.assert_copied()


def test_a_source_that_goes_away(stage: Stage) -> None:
    """A source that is deleted meanwhile fails the attempt; the next one says that there is none."""
    stage.scene.server.faults.add(Fault(operation="UploadPartCopy", part_number=3, status=404, code="NoSuchKey"))
    with pytest.raises(OSSSourceChanged, match="was deleted while it was read"):
        stage.run()
    stage.scene.client.delete_object(stage.source)
    with pytest.raises(OSSNoSuchKey):
        stage.run()


def test_the_threshold_is_raised_between_attempts(stage: Stage) -> None:
    """What was begun in parts and is now copied in one request leaves no parts behind."""
    stage.stop_at_part(4)
    stage.run(multipart_threshold_bytes=GIB)
    assert stage.copied() == []
    stage.assert_copied()


def test_a_lost_answer_to_complete(stage: Stage) -> None:
    """A copy whose last answer is lost is recognised by size and CRC-64."""
    stage.scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, reset="after"))
    result = stage.run()
    assert result.bytes_copied + result.bytes_verified == len(DATA)
    assert stage.copied() == [1, 2, 3, 4, 5]
    stage.assert_copied()


def test_busy_parts_are_repeated(stage: Stage) -> None:
    """A part that OSS is too busy to copy is asked for again."""
    stage.scene.server.faults.add(Fault(operation="UploadPartCopy", times=2, status=503, code="ServiceUnavailable"))
    stage.run()
    assert stage.copied() == [1, 2, 3, 4, 5]
    stage.assert_copied()


def test_without_a_store_nothing_is_left(stage: Stage) -> None:
    """A copy that nobody can continue is aborted."""
    stage.scene.server.faults.add(Fault(operation="UploadPartCopy", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied):
        stage.run(store=None)
    assert stage.scene.uploads() == []


def test_a_request_to_stop(stage: Stage) -> None:
    """A copy that is asked to stop leaves its parts to the next attempt."""
    cancellation = Cancellation()
    with pytest.raises(OSSUploadCancelled):
        stage.run(
            cancellation=cancellation,
            progress=lambda *_: cancellation.request(),
            settings=replace(stage.scene.settings, parallel=1),
        )
    before = stage.copied()
    assert before
    result = stage.run()
    assert set(stage.copied()) == {1, 2, 3, 4, 5}
    assert [stage.copied().count(number) for number in before] == [1] * len(before)  # what was in flight may arrive yet
    assert result.resumed
    stage.assert_copied()


def test_slow_copies_lower_the_number_at_a_time(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """When OSS takes longer than the timeout, fewer parts are copied at a time."""

    class Slow(PassingClient):
        slow = 2

        def call(self, name: str, act: Callable[[], Any]) -> Any:
            if name == "upload_part_copy" and self.slow:
                self.slow -= 1
                raise OSSConnectionTimeout("nothing moved")
            return act()

    stage.run(client=Slow(stage.scene.client))
    assert "Upload stalled: concurrency lowered to 1 parts" in caplog.text
    stage.assert_copied()


@pytest.mark.parametrize("operation", ["HeadObject", "GetObjectTagging", "CopyObject", "UploadPartCopy"])
def test_a_token_that_expires(stage: Stage, operation: str) -> None:
    """With other credentials the attempt goes on, whatever it was about to ask."""
    stage.put(options=SOURCE_OPTIONS)
    stage.scene.server.faults.add(Fault(operation=operation, times=1, status=403, code="SecurityTokenExpired"))
    renewed: list[bool] = []
    threshold = GIB if operation == "CopyObject" else 0

    stage.run(renew_credentials=lambda: not renewed.append(True), multipart_threshold_bytes=threshold)

    assert renewed == [True]
    stage.assert_copied()


@pytest.mark.parametrize("dies_after_the_work", [False, True])
def test_dying_at_every_step(stage: Stage, dies_after_the_work: bool) -> None:  # noqa: FBT001 - a table
    """
    Wherever an attempt dies, the next one makes the copy, copies only what had not been, and leaves nothing.

    The window is that of uploads: whoever dies after the very last step is not remembered.
    """
    scene, died_at = stage.scene, []
    settings = replace(scene.settings, parallel=1)
    for steps in itertools.count(1):
        store, ref = MemoryStore(), ObjectRef(scene.bucket, f"step-{steps}")
        life = Life(steps, dies_after_the_work)
        usual = stage.copy(ref=ref, store=store, settings=settings)
        client: Any = MortalClient(scene.client, life)
        try:
            changed(usual, client=client, store=MortalStore(store, life)).run()
        except KilledError:
            died_at.append(life.made[-1])
        else:
            break
        copied_before = stage.copied()
        scene.server.forget_requests()

        replace(usual, store=store).run()

        is_forgotten = died_at[-1] == "delete" and dies_after_the_work
        assert set(stage.copied()) == set(range(1, PARTS + 1)) - (set() if is_forgotten else set(copied_before))
        assert scene.object(ref) == DATA
        assert (store.data, scene.uploads()) == (None, [])
        scene.server.forget_requests()

    parts = ["upload_part_copy"] * PARTS
    assert died_at == ["head_object", "load", "save", "initiate", "save", *parts, "complete", "load", "delete"]


# Checksums


class WithTags(PassingClient):
    """Hands every call on, GetObjectTagging too."""

    def __init__(self, client: Any, scene: Scene) -> None:
        super().__init__(client)
        self._scene = scene

    def get_object_tags(self, ref: ObjectRef) -> dict[str, str]:
        return self._scene.client.get_object_tags(ref)


@dataclass
class Telling(PassingClient):
    """An OSS that tells of objects what a test says; ``heads`` are changes to HeadObject's answers, source first."""

    client: Any
    heads: list[dict[str, Any]]
    told: dict[str, Any] = field(default_factory=lambda: {"crc64": None})

    def __post_init__(self) -> None:
        super().__init__(self.client)
        self.heads = [*self.heads]

    def head_object(self, ref: ObjectRef) -> ObjectInfo:
        return replace(super().head_object(ref), **self.heads.pop(0))

    def copy_object(self, source: ObjectRange, ref: ObjectRef, options: ObjectOptions) -> StoredObject:
        return replace(super().copy_object(source, ref, options), **self.told)

    def complete_multipart_upload(self, *arguments: Any) -> StoredObject:
        return replace(super().complete_multipart_upload(*arguments), **self.told)


both_forms = pytest.mark.parametrize("threshold", [0, GIB], ids=["parts", "one request"])


@both_forms
def test_a_copy_that_differs(stage: Stage, threshold: int) -> None:
    """A copy with another CRC-64 than its source's is an error, and the next attempt copies anew."""
    with pytest.raises(OSSChecksumMismatch, match="CRC-64 5"):
        stage.run(client=Telling(stage.scene.client, [{}], {"crc64": 5}), multipart_threshold_bytes=threshold)


@both_forms
def test_an_answer_without_checksum(stage: Stage, threshold: int) -> None:
    """When OSS returns no CRC-64 of the copy as it makes it, the copy is looked at."""
    result = stage.run(client=Telling(stage.scene.client, [{}, {}]), multipart_threshold_bytes=threshold)
    assert stage.scene.operations()[-1] == "HeadObject"
    assert result.crc64 == str(crc64(DATA))
    stage.assert_copied()


@both_forms
@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([{}, {"crc64": 5}], "the CRC-64 5, the source"),
        ([{}, {"size_bytes": 5}], "5 bytes, the source"),
        ([{"crc64": None}, {"crc64": None, "size_bytes": 5}], "5 bytes, the source"),
    ],
)
def test_a_copy_that_proves_different(stage: Stage, heads: list[dict[str, Any]], message: str, threshold: int) -> None:
    """What is found then must be the source: its CRC-64 where there is one, its size in any case."""
    with pytest.raises(OSSChecksumMismatch, match=message):
        stage.run(client=Telling(stage.scene.client, heads), multipart_threshold_bytes=threshold)


@both_forms
def test_a_source_without_checksum(stage: Stage, threshold: int, caplog: pytest.LogCaptureFixture) -> None:
    """Of a source without CRC-64 the size is compared, which the log says."""
    caplog.set_level("INFO")
    result = stage.run(client=Telling(stage.scene.client, [{"crc64": None}] * 2), multipart_threshold_bytes=threshold)
    assert "only the size is compared" in caplog.text
    assert (result.crc64, result.size) == (None, len(DATA))
    stage.assert_copied()


def test_a_copy_that_may_not_be_looked_at(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Where the copy may be written and not read, the log says that it is not compared."""
    stage.scene.server.faults.add(Fault(operation="HeadObject", skip=1, status=403, code="AccessDenied"))
    stage.run(client=Telling(stage.scene.client, [{}, {}]))
    assert "the copy cannot be looked at" in caplog.text
    stage.assert_copied()


def test_a_copy_that_is_replaced_at_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Another object that took the copy's place proves nothing about it."""
    stage.run(client=Telling(stage.scene.client, [{}, {"etag": "ANOTHER", "size_bytes": 5}]))
    assert "the copy was replaced before it could be looked at" in caplog.text


def test_a_lost_answer_and_no_checksum(stage: Stage) -> None:
    """What cannot be recognised without a CRC-64 is copied again."""
    stage.scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, reset="after"))
    heads = [{"crc64": None}] * 3
    stage.run(client=Telling(stage.scene.client, heads))
    assert stage.copied() == sorted([1, 2, 3, 4, 5] * 2)
    stage.assert_copied()


def test_a_part_that_vanished(stage: Stage) -> None:
    """When Complete misses a part, all are copied once more."""

    class Forgetful(PassingClient):
        is_first = True

        def upload_part_copy(self, *arguments: Any) -> CompletedPart:
            part = super().upload_part_copy(*arguments)
            return replace(part, etag="0" * 32) if part.number == 2 and self._once() else part

        def _once(self) -> bool:
            was_first, self.is_first = self.is_first, False
            return was_first

    stage.run(client=Forgetful(stage.scene.client))
    assert stage.copied() == sorted([1, 2, 3, 4, 5] * 2)
    stage.assert_copied()


def test_a_part_of_another_size(stage: Stage) -> None:
    """A listed part whose size is not the planned one is copied again."""

    class Lying(PassingClient):
        def list_parts(self, ref: ObjectRef, upload_id: str, first: int = 1, last: int = MAX_PARTS) -> list[StoredPart]:
            return [replace(part, size_bytes=1) for part in super().list_parts(ref, upload_id, first, last)]

    stage.stop_at_part(4)
    stage.run(client=Lying(stage.scene.client))
    assert stage.copied() == [1, 2, 3, 4, 5]
    stage.assert_copied()
