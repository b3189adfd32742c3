"""What is particular to uploads of streams: their errors, what can be read once only, bytes that differ, memory."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.plan import GROWING_PARTS
from airflow_provider_oss.engine.source import StreamSource
from airflow_provider_oss.exceptions import (
    OSSConnectionTimeout,
    OSSCredentialsExpired,
    OSSInvalidPart,
    OSSNoSuchUpload,
    OSSObjectAlreadyExists,
    OSSSourceChanged,
    OSSStreamSpent,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import Checkpoint, CompletedPart, ObjectOptions, UploadResult
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import CountingClient, HandClock, InterferingClient
from tests.support.sources import slices_of, some_bytes

DATA = some_bytes(5 * PART + 7)


def run(scene: Scene, stream: Any, **changes: Any) -> UploadResult:
    """Make one attempt with a stream."""
    return scene.run(source=StreamSource(stream, "rows"), **changes)


def breaking(data: bytes, at: int, error: BaseException) -> Callable[[], Iterator[bytes]]:
    """Return a callable whose stream raises after so many bytes."""

    def stream() -> Iterator[bytes]:
        yield from slices_of(data[:at])
        raise error

    return stream


# The stream fails


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the source broke"),
        OSError("the source broke"),
        OSSNoSuchUpload("the source broke"),
        OSSInvalidPart("the source broke"),
        OSSCredentialsExpired("the source broke"),
        OSSObjectAlreadyExists("the source broke"),
        OSSConnectionTimeout("the source broke"),
        KeyboardInterrupt("the source broke"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("at", [0, 10, PART, 3 * PART + 1, len(DATA)])
def test_an_error_of_the_stream_passes_unchanged(scene: Scene, at: int, error: BaseException) -> None:
    """
    Whatever the stream raises, also what the engine itself takes for an answer of OSS, comes out as it is.

    There is no object then; the next attempt continues with what was stored.
    """
    with pytest.raises(type(error)) as caught:
        run(scene, breaking(DATA, at, error))

    assert caught.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not [name for name in scene.operations() if name.startswith(("Put", "Complete", "Abort", "Head"))]

    stored = len(scene.sent())
    scene.server.forget_requests()
    result = run(scene, lambda: slices_of(DATA))
    assert scene.object() == DATA
    assert result.bytes_verified == stored * PART
    assert len(scene.sent()) == 6 - stored
    scene.assert_nothing_left()


def test_what_was_read_before_an_error_is_stored(scene: Scene) -> None:
    """The parts that were whole when the stream failed are sent before its error is raised."""
    with pytest.raises(ValueError, match="broke"):
        run(scene, breaking(DATA, 3 * PART + 1, ValueError("broke")))
    assert scene.sent() == [1, 2, 3]


def test_without_a_store_a_failed_stream_leaves_nothing(scene: Scene) -> None:
    """Where no later attempt can continue, the upload is aborted."""
    with pytest.raises(ValueError, match="broke"):
        replace(scene.upload(), source=StreamSource(breaking(DATA, 3 * PART, ValueError("broke"))), store=None).run()
    assert scene.sent() == [1, 2, 3]
    assert scene.uploads() == []


def test_the_second_reading_fails(scene: Scene) -> None:
    """A stream that breaks in the next attempt, before or after where it did first, changes nothing of the rule."""
    for at in (4 * PART, 2 * PART, 0):
        with pytest.raises(ValueError, match="broke"):
            run(scene, breaking(DATA, at, ValueError("broke")))
    scene.server.forget_requests()

    result = run(scene, lambda: slices_of(DATA))

    assert scene.sent() == [5, 6]
    assert scene.object() == DATA
    assert result.bytes_verified == 4 * PART
    scene.assert_nothing_left()


# The stream gives other bytes


def stop_at_part_4(scene: Scene) -> None:
    scene.stop_at_part(4, source=StreamSource(lambda: slices_of(DATA)))


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("second", "sent"),
    [
        (DATA, [4, 5, 6]),
        (changed(DATA, PART + 5), [2, 4, 5, 6]),
        (DATA[: 2 * PART], []),
        (DATA[: 2 * PART + 1], [3]),
        (DATA + b"more", [4, 5, 6]),
        (b"a" + DATA, [1, 2, 3, 4, 5, 6]),
    ],
    ids=["same", "one byte", "two parts", "a byte of the third", "longer", "shifted"],
)
def test_other_bytes_the_second_time(scene: Scene, second: bytes, sent: list[int]) -> None:
    """The object is exactly what was read the second time; only what OSS does not hold is sent."""
    stop_at_part_4(scene)

    result = run(scene, lambda: slices_of(second))

    assert scene.object() == second
    assert scene.sent() == sent
    assert (result.size, result.bytes_sent + result.bytes_verified) == (len(second), len(second))
    assert result.crc64 == str(crc64(second))
    scene.assert_nothing_left()


@pytest.mark.parametrize("second", [b"", b"short", DATA[:PART]])
def test_a_stream_that_shrank_to_one_part(scene: Scene, second: bytes) -> None:
    """The old upload is aborted, and one request stores what is there now."""
    stop_at_part_4(scene)

    run(scene, lambda: slices_of(second))

    assert [name for name in scene.operations() if name != "GetObject"] == ["AbortMultipartUpload", "PutObject"]
    assert scene.object() == second
    scene.assert_nothing_left()


def test_a_file_after_a_stream(scene: Scene) -> None:
    """An upload that was begun with a stream is not continued with a file, whose parts may be others."""
    data = scene.write(4 * PART)
    scene.stop_at_part(3, source=StreamSource(lambda: io.BytesIO(data)))
    assert scene.store.saved[-1].schedule == GROWING_PARTS

    scene.run()

    assert scene.operations()[:2] == ["AbortMultipartUpload", "InitiateMultipartUpload"]
    assert scene.object() == data
    scene.assert_nothing_left()


# The upload must begin anew


def abort_all(scene: Scene) -> None:
    for upload_id in scene.uploads():
        scene.client.abort_multipart_upload(scene.ref, upload_id)


@pytest.mark.parametrize("call", ["upload_part", "complete"])
def test_what_can_be_read_once_only(scene: Scene, call: str) -> None:
    """When OSS loses the upload, a stream that is no callable is a clear error; the next attempt does it."""
    client = InterferingClient(scene.client, call, lambda: abort_all(scene))

    with pytest.raises(OSSStreamSpent, match="rows can be read only once: give a callable"):
        run(scene, slices_of(DATA), client=client)
    assert scene.requests("PutObject") == scene.requests("CompleteMultipartUpload")[1:] == []

    run(scene, slices_of(DATA))
    assert scene.object() == DATA
    scene.assert_nothing_left()


def test_what_can_be_read_once_and_was_not_yet(scene: Scene) -> None:
    """When the upload of an earlier attempt is gone, nothing but the first part was read: there is no need to again."""
    stop_at_part_4(scene)
    abort_all(scene)

    result = run(scene, slices_of(DATA))

    assert scene.object() == DATA
    assert result.bytes_sent == len(DATA)
    scene.assert_nothing_left()


def put_elsewhere(scene: Scene, upload_id: str | None, data: bytes) -> None:
    """Finish the upload as another attempt would."""
    parts: list[CompletedPart] = []
    for number, start in enumerate(range(0, len(data), PART), start=1):
        part = data[start : start + PART]
        parts.append(scene.client.upload_part(scene.ref, upload_id or "", number, part, crc64(part), ObjectOptions()))
    scene.client.complete_multipart_upload(scene.ref, upload_id or "", parts, ObjectOptions())


@pytest.mark.parametrize("call", ["list_parts", "upload_part", "complete"])
@pytest.mark.parametrize("once", [False, True])
def test_a_finished_object_is_recognised(scene: Scene, call: str, *, once: bool) -> None:
    """When somebody else finished the object, the rest of the stream is read, not sent, and proves it equal."""
    stop_at_part_4(scene)
    opened: list[int] = []

    def stream() -> Iterator[bytes]:
        opened.append(1)
        return slices_of(DATA)

    client = InterferingClient(scene.client, call, lambda: put_elsewhere(scene, scene.store.upload_id, DATA))

    result = run(scene, stream() if once else stream, client=client)

    assert opened == [1]
    assert scene.object() == DATA
    assert (result.size, result.crc64) == (len(DATA), str(crc64(DATA)))
    assert result.bytes_sent + result.bytes_verified == len(DATA)
    scene.assert_nothing_left()


def test_a_finished_object_of_other_bytes(scene: Scene) -> None:
    """An object that somebody made is not taken for the stream's if it differs: the callable is read again."""
    stop_at_part_4(scene)
    opened: list[int] = []

    def stream() -> Iterator[bytes]:
        opened.append(1)
        return slices_of(DATA)

    other = changed(DATA, len(DATA) - 1)
    client = InterferingClient(scene.client, "list_parts", lambda: put_elsewhere(scene, scene.store.upload_id, other))

    run(scene, stream, client=client)

    assert len(opened) == 2
    assert scene.object() == DATA
    scene.assert_nothing_left()


def test_new_credentials_need_a_second_reading(scene: Scene) -> None:
    """When the token expires on the way, a callable goes on with new credentials; what can be read once cannot."""
    fault = Fault(operation="UploadPart", part_number=4, status=403, code="SecurityTokenExpired", times=1)
    scene.server.faults.add(fault)
    result = run(scene, lambda: slices_of(DATA), renew_credentials=lambda: True)
    assert scene.object() == DATA
    assert (result.bytes_sent, result.attempts) == (len(DATA), 1)
    scene.assert_nothing_left()

    scene.server.faults.clear()
    scene.server.faults.add(fault)
    with pytest.raises(OSSStreamSpent, match="begin anew"):
        run(scene, slices_of(DATA), renew_credentials=lambda: True)


def test_a_stream_that_shrinks_while_parts_are_looked_at_again(scene: Scene) -> None:
    """Should Complete refuse the parts and the stream be short by then, the object is what was read last."""
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, status=400, code="InvalidPart"))
    streams = iter([DATA, DATA[:10]])

    run(scene, lambda: io.BytesIO(next(streams)))

    assert scene.object() == DATA[:10]
    scene.assert_nothing_left()


def test_a_stream_that_is_empty_when_parts_are_looked_at_again(scene: Scene) -> None:
    """An upload of no parts cannot be completed: the attempt fails, and the next one stores an empty object."""
    scene.server.faults.add(Fault(operation="CompleteMultipartUpload", times=1, status=400, code="InvalidPart"))
    streams = iter([DATA, b"", b""])

    with pytest.raises(OSSSourceChanged, match="rows is empty now"):
        run(scene, lambda: io.BytesIO(next(streams)))
    run(scene, lambda: io.BytesIO(next(streams)))

    assert scene.object() == b""
    scene.assert_nothing_left()


def test_another_object_is_in_the_way(scene: Scene) -> None:
    """With forbid_overwrite a different object is an error, an equal one success, whatever the stream's length."""
    options = parse_options(forbid_overwrite=True)
    for data in (DATA, DATA[:10]):
        scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())
        assert run(scene, slices_of(data), options=options).crc64 == str(crc64(data))
        with pytest.raises(OSSObjectAlreadyExists):
            run(scene, slices_of(changed(data, 0)), options=options)
        assert scene.object() == data
        scene.assert_nothing_left()


# The caller's thread, and what it is told


def test_user_code_runs_in_the_callers_thread(scene: Scene) -> None:
    """The callable, the stream and the progress callback run in the thread that asked for the upload."""
    threads: set[threading.Thread] = set()

    def stream() -> Iterator[bytes]:
        threads.add(threading.current_thread())
        for chunk in slices_of(DATA):
            threads.add(threading.current_thread())
            yield chunk

    run(scene, stream, progress=lambda *_: threads.add(threading.current_thread()))

    assert threads == {threading.current_thread()}


def test_progress(scene: Scene) -> None:
    """The callback hears 0.0 with a growing number of bytes, and at last 1.0."""
    told: list[tuple[float, int]] = []

    def listen(fraction: float, checkpoint: Checkpoint | None, _: Any) -> None:
        assert checkpoint is not None
        told.append((fraction, checkpoint.done_bytes))

    run(scene, lambda: slices_of(DATA), progress=listen)

    assert told[0][0] == 0.0
    assert told[-1] == (1.0, len(DATA))
    assert told == sorted(told)


def test_the_source_is_read_only_as_far_as_parts_are_sent(scene: Scene) -> None:
    """While no part gets through, the stream is read for ``parallel`` + 1 parts and a block, then left alone."""
    released, stuck = threading.Event(), threading.Event()
    yielded: list[int] = []

    class Stuck(CountingClient):
        def call(self, name: str, act: Callable[[], Any]) -> Any:
            if name == "upload_part":
                stuck.set()
                released.wait(10)
            return super().call(name, act)

    class Ticks(HandClock):
        def monotonic(self) -> float:
            if stuck.is_set() and len(read_at_ticks) < 30:
                read_at_ticks.append(sum(yielded))
            elif stuck.is_set():
                released.set()
            return super().monotonic()

    def stream() -> Iterator[bytes]:
        for chunk in slices_of(some_bytes(20 * PART), PART // 4):
            yielded.append(len(chunk))
            yield chunk

    read_at_ticks: list[int] = []
    client = Stuck(scene.client)
    run(scene, stream, client=client, clock=Ticks())

    assert read_at_ticks[-1] <= 3 * PART + 256 * 1024 + PART // 4
    assert client.most_in_flight == 2
    assert scene.object() == some_bytes(20 * PART)


def test_a_request_to_stop_is_seen_between_reads(scene: Scene) -> None:
    """A slow stream is read no further than the chunk in which the request came; the next attempt continues."""
    cancellation = Cancellation()
    clock = HandClock()
    yielded: list[int] = []

    def stream() -> Iterator[bytes]:
        for chunk in slices_of(DATA, 4000):
            clock.seconds += 0.2
            yielded.append(len(chunk))
            if sum(yielded) > 3 * PART:
                cancellation.request()
            yield chunk

    with pytest.raises(OSSUploadCancelled):
        run(scene, stream, cancellation=cancellation, clock=clock)

    assert sum(yielded) <= 3 * PART + 4000
    assert scene.uploads() == [scene.store.upload_id]
    run(scene, lambda: slices_of(DATA))
    assert scene.object() == DATA
    scene.assert_nothing_left()


def test_a_request_to_stop_before_the_first_part_is_whole(scene: Scene) -> None:
    """Nothing is sent when the task is asked to stop while the first part is read."""
    cancellation = Cancellation()
    clock = HandClock()

    def stream() -> Iterator[bytes]:
        for chunk in slices_of(DATA, 4000):
            clock.seconds += 0.2
            cancellation.request()
            yield chunk

    with pytest.raises(OSSUploadCancelled):
        run(scene, stream, cancellation=cancellation, clock=clock)
    assert scene.operations() == []


def test_the_log_of_a_stream(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The log says that the parts may grow, and at the end how much it was."""
    caplog.set_level("INFO", "airflow_provider_oss")
    run(scene, lambda: slices_of(DATA))
    assert f"parts of {PART} bytes and, later on, more" in caplog.text
    assert "100.0% (500.0 of 500.0 KiB)" in caplog.text
