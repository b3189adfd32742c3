"""Data in one PutObject request: a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss import limits
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.retry import Means
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCallbackFailed,
    OSSChecksumMismatch,
    OSSConnectionError,
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSSourceChanged,
)
from airflow_provider_oss.model import ObjectOptions, UploadResult
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from tests.engine.conftest import IMPATIENT, KEY, Scene
from tests.engine.doubles import HandClock, changed
from tests.support.sources import edit_unnoticed

FORBID = parse_options(forbid_overwrite=True)


def put_of(scene: Scene, options: ObjectOptions | None = None) -> SinglePut:
    return SinglePut(scene.ref, Means(scene.client, IMPATIENT, clock=HandClock()), options or ObjectOptions())


def put(scene: Scene, options: ObjectOptions | None = None) -> UploadResult:
    return put_of(scene, options).put_file(str(scene.path))


@pytest.mark.parametrize("size_bytes", [0, 1, limits.MIB, 3 * limits.MIB + 1])
def test_a_file_in_one_request(scene: Scene, size_bytes: int) -> None:
    """A file of any size is one request, and the result tells all about it."""
    data = scene.write(size_bytes)

    result = put(scene)

    assert scene.object() == data
    [request] = scene.requests("PutObject")
    assert request.bytes_received == size_bytes
    assert result == UploadResult(
        bucket=scene.bucket,
        key=KEY,
        uri=f"oss://{scene.bucket}/{KEY}",
        size=size_bytes,
        etag=scene.client.head_object(scene.ref).etag,
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


def test_what_belongs_to_the_object_arrives(scene: Scene) -> None:
    """Type and metadata are stored with the object."""
    scene.write(10)

    put(scene, parse_options(mime="text/csv", meta={"rows": 7}))

    info = scene.client.head_object(scene.ref)
    assert (info.content_type, info.meta) == ("text/csv", {"rows": "7"})


@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"reset": "before"}, {"reset": "after"}, {"reset_after_bytes": 10}, {"corrupt_request_byte": 99}],
    ids=repr,
)
def test_faults_that_pass_are_invisible(scene: Scene, fault: dict[str, object]) -> None:
    """The file is read from its beginning again for every try."""
    data = scene.write(3 * limits.MIB)
    scene.server.faults.add(Fault(operation="PutObject", times=2, **fault))  # type: ignore[arg-type]

    result = put(scene)

    assert scene.object() == data
    assert result.bytes_sent == len(data)
    assert len(scene.requests("PutObject")) == 3


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        ({"reset": "before"}, OSSConnectionError, 3),
        ({"corrupt_request_byte": 0}, OSSChecksumMismatch, 3),
        ({"status": 403, "code": "AccessDenied"}, OSSAccessDenied, 1),
    ],
    ids=repr,
)
def test_faults_that_stay_are_raised(
    scene: Scene, fault: dict[str, object], error: type[Exception], requests: int
) -> None:
    """When no try works the last error comes; what no repetition can mend is tried once."""
    scene.write(10)
    scene.server.faults.add(Fault(operation="PutObject", **fault))  # type: ignore[arg-type]

    with pytest.raises(error):
        put(scene)

    assert len(scene.requests("PutObject")) == requests


def test_the_answer_is_lost(scene: Scene) -> None:
    """With forbid_overwrite, a repeated request meets its own object and takes it for what it is."""
    data = scene.write(3 * limits.MIB)
    scene.server.faults.add(Fault(operation="PutObject", reset="after", times=1))

    result = put(scene, FORBID)

    assert scene.object() == data
    assert (result.size, result.crc64) == (len(data), str(crc64(data)))


def test_another_object_is_not_overwritten(scene: Scene) -> None:
    """With forbid_overwrite, a different object is an error, and stays."""
    scene.write(10)
    scene.client.put_object(scene.ref, b"theirs", crc64(b"theirs"), ObjectOptions())

    with pytest.raises(OSSObjectAlreadyExists):
        put(scene, FORBID)

    assert scene.object() == b"theirs"


def test_an_equal_object_may_be_there(scene: Scene) -> None:
    """With forbid_overwrite, an object that is equal to the file already is success, with nothing sent."""
    data = scene.write(10)
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())

    result = put(scene, FORBID)

    assert (result.bytes_sent, result.bytes_verified, result.resumed) == (0, 10, True)


def test_a_busy_server_while_an_object_is_looked_at(scene: Scene) -> None:
    """Faults that pass are invisible also while an object that is in the way is compared."""
    data = scene.write(10)
    scene.client.put_object(scene.ref, data, crc64(data), ObjectOptions())
    scene.server.faults.add(Fault(operation="HeadObject", status=503, times=2))

    assert put(scene, FORBID).bytes_verified == 10
    assert len(scene.requests("HeadObject")) == 3


def test_a_callback_that_fails(scene: Scene) -> None:
    """When the application does not answer, the object is stored, but that is an error."""
    data = scene.write(10)
    # Nothing listens on port 9 (discard) of this machine
    callback = parse_options(callback={"url": "http://127.0.0.1:9/told", "body": "key=${object}"})

    with pytest.raises(OSSCallbackFailed):
        put(scene, callback)

    assert scene.object() == data


def test_a_file_too_large_for_one_request(scene: Scene) -> None:
    """A file of more than 5 GB is refused before anything is sent, with the way that takes it."""
    scene.path.touch()
    os.truncate(scene.path, limits.MAX_PUT_SIZE_BYTES + 1)

    with pytest.raises(OSSInvalidSource, match=r"5368709121 bytes.*5 GB.*OSSResumableUploadOperator"):
        put(scene)

    assert scene.operations() == []


def test_a_missing_file(scene: Scene) -> None:
    """A file that is not there is an error before anything is sent."""
    with pytest.raises(OSSInvalidSource, match="does not exist"):
        put(scene)

    assert scene.operations() == []


@pytest.mark.parametrize(
    "change",
    [lambda path: edit_unnoticed(path, 0, b"x"), lambda path: os.truncate(path, 10), lambda path: path.unlink()],
)
def test_a_file_that_changes_meanwhile(scene: Scene, change: Callable[[Path], object]) -> None:
    """When the file changes while it is sent, nothing is stored, and nothing is tried again."""
    scene.write(3 * limits.MIB)

    class Changing:
        """Changes the file after the first block was read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(scene.client, name)

        def put_stream(self, ref: Any, chunks: Iterator[bytes], content_length: Any, options: Any) -> Any:
            def changed() -> Iterator[bytes]:
                yield next(chunks)
                change(scene.path)
                yield from chunks

            return scene.client.put_stream(ref, changed(), content_length, options)

    client: Any = Changing()
    with pytest.raises(OSSSourceChanged):
        changed(put_of(scene), client=client).put_file(str(scene.path))

    assert scene.requests("HeadObject") == []
    assert [item.ref for item in scene.client.list_objects(scene.bucket, "", "", "").items] == []
