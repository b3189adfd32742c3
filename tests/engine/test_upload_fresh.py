"""An upload in one attempt: every size, what is sent, what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_oss import limits
from airflow_provider_oss.engine.source import BytesReader, BytesSource, FileSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceMissing
from airflow_provider_oss.model import Fingerprint, UploadResult
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import KEY, PART, Scene, both_ways
from tests.engine.doubles import CountingClient, HandClock, KilledError, Life, MemoryOSS, MortalClient, changed
from tests.support.sources import some_bytes


@both_ways
@pytest.mark.parametrize("size_bytes", [0, 1, PART - 1, PART])
def test_one_part_is_one_request(scene: Scene, size_bytes: int) -> None:
    """A source of one part or less is stored by one PutObject, and the result tells all about it."""
    data = scene.write(size_bytes)

    result = scene.run(clock=HandClock())

    assert scene.object() == data
    assert scene.operations()[:1] == ["PutObject"]
    [request] = scene.requests("PutObject")
    stored = scene.client.head_object(scene.ref)
    assert result == UploadResult(
        bucket=scene.bucket,
        key=KEY,
        uri=f"oss://{scene.bucket}/{KEY}",
        size=size_bytes,
        etag=stored.etag,
        crc64=str(crc64(data)),
        version_id=None,
        request_id=request.request_id,
        attempts=1,
        resumed=False,
        bytes_sent=size_bytes,
        bytes_verified=0,
        elapsed_seconds=0.0,
        callback_response=None,
    )
    assert scene.store.saved == []
    scene.assert_nothing_left()


@both_ways
@pytest.mark.parametrize(("size_bytes", "parts"), [(PART + 1, 2), (2 * PART, 2), (7 * PART - 1, 7), (7 * PART + 1, 8)])
def test_more_is_sent_in_parts(scene: Scene, size_bytes: int, parts: int) -> None:
    """A longer source is sent part by part, each once, and the result tells all about it."""
    data = scene.write(size_bytes)

    result = scene.run(clock=HandClock())

    assert scene.object() == data
    assert scene.sent() == list(range(1, parts + 1))
    assert {request.bytes_received for request in scene.requests("UploadPart")} == {PART, size_bytes % PART or PART}
    [request] = scene.requests("CompleteMultipartUpload")
    stored = scene.client.head_object(scene.ref)
    assert stored.object_type == "Multipart"
    assert result == UploadResult(
        bucket=scene.bucket,
        key=KEY,
        uri=f"oss://{scene.bucket}/{KEY}",
        size=size_bytes,
        etag=stored.etag,
        crc64=str(crc64(data)),
        version_id=None,
        request_id=request.request_id,
        attempts=1,
        resumed=False,
        bytes_sent=size_bytes,
        bytes_verified=0,
        elapsed_seconds=0.0,
        callback_response=None,
    )
    scene.assert_nothing_left()


@both_ways
def test_nothing_is_asked_that_need_not_be(scene: Scene) -> None:
    """A fresh upload is Initiate, the parts, Complete: no listing, no look at the object."""
    scene.write(3 * PART)

    scene.run(settings=replace(scene.settings, parallel=1))

    assert scene.operations() == [
        "InitiateMultipartUpload",
        "UploadPart",
        "UploadPart",
        "UploadPart",
        "CompleteMultipartUpload",
    ]


@both_ways
@pytest.mark.usefixtures("parts_of_any_size")
def test_ten_thousand_parts(scene: Scene) -> None:
    """As many parts as OSS allows are sent, each once, by two attempts; the checkpoint stays small."""
    data = some_bytes(limits.MAX_PARTS * 2 - 1)
    oss = MemoryOSS()
    settings = replace(scene.settings, part_size_bytes=2, parallel=3)
    upload = scene.upload(source=BytesSource(data), settings=settings)
    with pytest.raises(KilledError):
        changed(upload, client=MortalClient(oss, Life(9_000, dies_after_the_work=True))).run()

    result = changed(upload, client=oss).run()

    assert oss.objects == {scene.ref: data}
    assert sorted(oss.sent) == list(range(1, limits.MAX_PARTS + 1))
    assert result.bytes_sent + result.bytes_verified == len(data)
    assert all(len(saved.done_parts) < 1024 for saved in scene.store.saved)
    assert (oss.uploads, scene.store.data) == ({}, None)


@pytest.mark.usefixtures("parts_of_any_size")
def test_more_parts_than_one_answer_lists(scene: Scene) -> None:
    """Parts that OSS lists in several answers are all found again."""
    data = scene.write(1_100 * 2)
    settings = replace(scene.settings, part_size_bytes=2, parallel=1)
    scene.stop_at_part(1_050, settings=settings)

    scene.run(settings=settings)

    assert len(scene.requests("ListParts")) == 2
    assert scene.sent() == list(range(1_050, 1_101))
    assert scene.object() == data
    scene.assert_nothing_left()


@both_ways
def test_without_a_wish_the_part_size_fits(scene: Scene) -> None:
    """Without a part size, parts of 8 MiB are sent."""
    data = scene.write(8 * limits.MIB + 1)

    scene.run(settings=replace(scene.settings, part_size_bytes=None))

    assert sorted(request.bytes_received for request in scene.requests("UploadPart")) == [1, 8 * limits.MIB]
    assert scene.object() == data


@both_ways
@pytest.mark.parametrize("parallel", [1, 3])
def test_few_parts_are_in_flight(scene: Scene, parallel: int) -> None:
    """There are never more parts in flight than ``parallel``, and so never more in memory."""
    scene.write(12 * PART)
    client = CountingClient(scene.client)

    scene.run(client=client, settings=replace(scene.settings, parallel=parallel))

    assert 1 <= client.most_in_flight <= parallel


@both_ways
def test_bytes_are_a_source_too(scene: Scene) -> None:
    """Bytes in memory are uploaded like a file."""
    data = some_bytes(3 * PART + 7)

    scene.run(source=BytesSource(data))

    assert scene.object() == data
    scene.assert_nothing_left()


@both_ways
def test_without_a_store(scene: Scene) -> None:
    """Nothing is needed but a source, an address and a client."""
    data = some_bytes(1000)

    result = Upload(BytesSource(data), scene.ref, scene.means).run()

    assert (scene.object(), result.size) == (data, 1000)


@both_ways
@pytest.mark.parametrize("size_bytes", [10, 3 * PART])
def test_what_belongs_to_the_object_arrives(scene: Scene, size_bytes: int) -> None:
    """Type, metadata, headers, storage class and tags are stored with the object, in one request or in parts."""
    scene.write(size_bytes)
    options = parse_options(
        mime="text/csv",
        meta={"rows": 7},
        headers={"Cache-Control": "no-cache"},
        storage_class="IA",
        tags={"team": "数据"},
        acl="private",
        traffic_limit=838_860_800,
    )

    scene.run(options=options)

    info = scene.client.head_object(scene.ref)
    assert (info.content_type, info.meta, info.storage_class) == ("text/csv", {"rows": "7"}, "IA")
    assert info.headers["cache-control"] == "no-cache"
    assert info.headers["x-oss-tagging-count"] == "1"


@pytest.mark.parametrize("parallel", [0, -1, 101])
def test_parallel_has_bounds(parallel: int) -> None:
    """No thread or too many threads is an error that names the argument and its bounds."""
    with pytest.raises(OSSInvalidArgument, match=f"parallel={parallel} is out of range: use 1 to 100"):
        UploadSettings(parallel=parallel)


@both_ways
def test_a_wrong_part_size_sends_nothing(scene: Scene) -> None:
    """A part size that OSS forbids is an error before anything is sent."""
    scene.write(3 * PART)

    with pytest.raises(OSSInvalidArgument, match="part_size=102399"):
        scene.run(settings=replace(scene.settings, part_size_bytes=PART - 1))

    assert scene.operations() == []


@both_ways
def test_a_missing_file_sends_nothing(scene: Scene) -> None:
    """A source that cannot be opened is an error before anything is sent."""
    with pytest.raises(OSSSourceMissing, match="does not exist"):
        scene.run(source=FileSource(str(scene.path)))

    assert scene.operations() == []


def test_a_reader_that_does_not_know_its_size(scene: Scene) -> None:
    """A source that is no stream must say how large it is; it is closed when it does not."""
    closings: list[int] = []

    class Reader(BytesReader):
        fingerprint = Fingerprint("endless", None)

        def close(self) -> None:
            closings.append(1)

    class Endless(BytesSource):
        def open(self) -> BytesReader:
            return Reader(self)

    with pytest.raises(OSSInvalidSource, match="upload it as a stream"):
        scene.run(source=Endless(b""))
    assert (closings, scene.operations()) == ([1], [])
