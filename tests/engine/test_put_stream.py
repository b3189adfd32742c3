"""Data in one PutObject request: a stream."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_oss import limits
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.engine.source import chunks_of
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSInvalidArgument,
    OSSObjectAlreadyExists,
    OSSServiceUnavailable,
    OSSSourceChanged,
)
from airflow_provider_oss.model import ObjectOptions, UploadResult
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import IMPATIENT, KEY, Scene
from tests.engine.doubles import HandClock
from tests.support.sources import RecordingStream, slices_of, some_bytes

DATA = some_bytes(3 * limits.MIB + 1)


def put(
    scene: Scene, stream: Any, content_length: int | None = None, options: ObjectOptions | None = None
) -> UploadResult:
    single_put = SinglePut(scene.ref, Means(scene.client, IMPATIENT, clock=HandClock()), options or ObjectOptions())
    return single_put.put_stream(stream, content_length)


def objects(scene: Scene) -> list[str]:
    return [item.ref.key for item in scene.client.list_objects(scene.bucket, "", "", "").items]


STREAMS: dict[str, Callable[[], object]] = {
    "file object": lambda: io.BytesIO(DATA),
    "short reads": lambda: RecordingStream(DATA),
    "generator": lambda: slices_of(DATA),
    "list": lambda: [DATA[:5], b"", bytearray(DATA[5:100]), memoryview(DATA)[100:]],
    "callable": lambda: lambda: slices_of(DATA),
    "callable of a file": lambda: lambda: io.BytesIO(DATA),
}


@pytest.mark.parametrize("content_length", [None, len(DATA)])
@pytest.mark.parametrize("kind", STREAMS)
def test_all_kinds_of_streams(scene: Scene, kind: str, content_length: int | None) -> None:
    """What has ``read``, what yields bytes, and a callable that returns either are stored, with a length or without."""
    result = put(scene, STREAMS[kind](), content_length)

    assert scene.object() == DATA
    [request] = scene.requests("PutObject")
    assert result == UploadResult(
        bucket=scene.bucket,
        key=KEY,
        uri=f"oss://{scene.bucket}/{KEY}",
        size=len(DATA),
        etag=scene.client.head_object(scene.ref).etag,
        crc64=str(crc64(DATA)),
        version_id=None,
        request_id=request.request_id,
        attempts=1,
        resumed=False,
        bytes_sent=len(DATA),
        bytes_verified=0,
        elapsed_seconds=0.0,
        callback_response=None,
    )


@pytest.mark.parametrize("content_length", [None, 0])
def test_no_bytes(scene: Scene, content_length: int | None) -> None:
    """An empty stream makes an empty object."""
    result = put(scene, iter(()), content_length)

    assert scene.object() == b""
    assert (result.size, result.crc64) == (0, "0")


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "before"}, {"corrupt_request_byte": 0}], ids=repr)
def test_a_callable_is_called_again(scene: Scene, fault: dict[str, Any]) -> None:
    """A fault that passes is invisible when the stream can be made anew."""
    streams: list[RecordingStream] = []

    def make() -> RecordingStream:
        streams.append(RecordingStream(DATA))
        return streams[-1]

    scene.server.faults.add(Fault(operation="PutObject", times=2, **fault))

    put(scene, make)

    assert len(streams) == 3
    assert scene.object() == DATA


def test_a_refusal_is_not_repeated(scene: Scene) -> None:
    """A callable is called once when no repetition can help."""
    calls: list[None] = []

    def make() -> Iterator[bytes]:
        calls.append(None)
        return slices_of(DATA)

    scene.server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))

    with pytest.raises(OSSAccessDenied):
        put(scene, make)

    assert len(calls) == 1


@pytest.mark.parametrize("make", [lambda: slices_of(b"once"), lambda: io.BytesIO(b"once"), lambda: [b"once"]])
def test_a_stream_is_not_sent_twice(scene: Scene, make: Any) -> None:
    """A stream that has been read cannot be read again, so one fault is an error, and no half of it is stored."""
    scene.server.faults.add(Fault(operation="PutObject", status=503, times=1))

    with pytest.raises(OSSServiceUnavailable):
        put(scene, make())

    assert len(scene.requests("PutObject")) == 1
    assert objects(scene) == []


@pytest.mark.parametrize(
    ("content_length", "complaint"),
    [
        (len(DATA) - 1, f"more than the content_length={len(DATA) - 1} bytes given"),
        (limits.MIB, f"more than the content_length={limits.MIB} bytes given"),
        (len(DATA) + 1, f"ended after {len(DATA)} bytes, {len(DATA) + 1} were given as content_length"),
    ],
)
@pytest.mark.parametrize("kind", ["generator", "callable", "file object"])
def test_another_length_than_given(scene: Scene, kind: str, content_length: int, complaint: str) -> None:
    """A stream that is longer or shorter than was said is an error that names both, and nothing is stored."""
    with pytest.raises(OSSSourceChanged, match=complaint):
        put(scene, STREAMS[kind](), content_length)

    assert objects(scene) == []


@pytest.mark.parametrize(
    "error", [OSError("the database went away"), ConnectionResetError("gone"), ValueError("row 7")]
)
@pytest.mark.parametrize("fails_at_read", [1, 2000])
@pytest.mark.parametrize("content_length", [None, len(DATA)])
def test_an_error_of_the_stream_is_passed_on(
    scene: Scene, error: Exception, fails_at_read: int, content_length: int | None
) -> None:
    """What the stream raises comes through as it is, a callable is not called again, and nothing is stored."""
    streams: list[RecordingStream] = []

    def make() -> RecordingStream:
        streams.append(RecordingStream(DATA, fails_at_read=fails_at_read, error=error))
        return streams[-1]

    with pytest.raises(type(error)) as caught:
        put(scene, make, content_length)

    assert caught.value is error
    assert [stream.reads for stream in streams] == [fails_at_read]
    assert objects(scene) == []


def test_an_error_after_the_last_byte(scene: Scene) -> None:
    """A stream that fails after as many bytes as were said is an error, and nothing is stored."""

    def rows() -> Iterator[bytes]:
        yield bytes(limits.MIB)
        # Time for OSS to take what was sent for the whole, if it was
        with contextlib.suppress(TimeoutError):
            scene.server.wait_for_requests(lambda request: request.bucket == scene.bucket, timeout_seconds=0.3)
        raise OSError("the query was cancelled")

    with pytest.raises(OSError, match="was cancelled"):
        put(scene, rows(), limits.MIB)

    assert objects(scene) == []


def test_an_error_of_the_callable_is_passed_on(scene: Scene) -> None:
    """When the stream cannot be made, nothing is asked of OSS."""

    def make() -> Iterator[bytes]:
        raise OSError("no such table")

    with pytest.raises(OSError, match="no such table"):
        put(scene, make)

    assert scene.operations() == []


@pytest.mark.parametrize("data", ["text", b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
def test_data_in_memory_is_no_stream(scene: Scene, data: Any) -> None:
    """Text and bytes as they are would be sent letter by letter: they are refused, with the call that takes them."""
    with pytest.raises(OSSInvalidArgument, match=f"stream is a {type(data).__name__}.*put_object"):
        put(scene, data)

    assert scene.operations() == []


def test_what_is_no_stream_at_all(scene: Scene) -> None:
    """An object that cannot be read or iterated is refused."""
    with pytest.raises(OSSInvalidArgument, match=r"stream is an int, which has no read\(\)"):
        put(scene, 7)

    assert scene.operations() == []


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (["text"], "str"),
        ([b"ok", 7], "int"),
        (io.StringIO("text"), "str"),
        (io.StringIO(""), "str"),
        ([None], "NoneType"),
    ],
)
def test_a_stream_of_something_else(scene: Scene, stream: Any, kind: str) -> None:
    """A stream that yields anything but bytes is an error that says what to do, and nothing is stored."""
    with pytest.raises(OSSInvalidArgument, match=f"yielded an? {kind}: it must yield bytes; encode text first"):
        put(scene, stream)

    assert objects(scene) == []


def test_another_object_is_not_overwritten(scene: Scene) -> None:
    """With forbid_overwrite, an object that is there stays, and that is an error."""
    scene.client.put_object(scene.ref, b"theirs", crc64(b"theirs"), ObjectOptions())

    with pytest.raises(OSSObjectAlreadyExists):
        put(scene, slices_of(DATA), options=parse_options(forbid_overwrite=True))

    assert scene.object() == b"theirs"


def test_memory_is_constant() -> None:
    """A stream is read in small blocks, one at a time."""
    sizes = []

    class Endless:
        def read(self, size: int) -> bytes:
            sizes.append(size)
            return bytes(size)

    chunks = chunks_of(Endless())

    assert [len(next(chunks)) for _ in range(3)] == [limits.MIB] * 3
    assert sizes == [limits.MIB] * 3
