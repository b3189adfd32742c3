"""OSSResumableStreamOperator against the local OSS server: functions, paths, compression, later attempts."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from airflow.providers.common.compat.sdk import AirflowFailException, Context, ObjectStoragePath

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.oss import OSSResumableStreamOperator
from airflow_provider_oss.operators.resumable import StreamFunction, name_of
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import DATA, Build, Run
from tests.support.airflow_version import STORES
from tests.support.own_path import OwnPath
from tests.support.sources import slices_of, some_bytes
from tests.support.stores import MemoryStore

PART_BYTES = 100 * KIB


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def read(key: str = "key") -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def operator(stream: Any, **changes: Any) -> Build:
    arguments = {"task_id": "upload", "key": "key", "stream": stream, "part_size": PART_BYTES, "parallel": 1}
    return lambda: OSSResumableStreamOperator(**(arguments | changes))


def make_file_object() -> io.BytesIO:
    return io.BytesIO(DATA)


def make_chunks(ds: str, **context: Any) -> Iterator[bytes]:
    yield f"{ds} {context['run_id']} ".encode()
    yield DATA


class TheSourceBrokeError(Exception):
    """What a stream raises."""


def breaking_at(size_bytes: int) -> Callable[[], Iterator[bytes]]:
    def stream() -> Iterator[bytes]:
        yield from slices_of(DATA[:size_bytes])
        raise TheSourceBrokeError

    return stream


@pytest.mark.parametrize(
    ("stream", "expected"),
    [(make_file_object, DATA), (make_chunks, b"2026-11-21 manual__1 " + DATA), (list, b"")],
    ids=["file object", "generator with context", "nothing"],
)
def test_function(run: Run, stream: Callable[..., Any], expected: bytes) -> None:
    """A function is called with the context's values that it names; what it returns is stored."""
    result = run(operator(stream))
    assert read() == expected
    assert (result["size"], result["bytes_sent"]) == (len(expected), len(expected))
    assert list(OSSHook().list_multipart_uploads()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.as_uri(),
        lambda path: ObjectStoragePath(path.as_uri()),
        str,
        Path,
        lambda path: OwnPath(str(path)),
    ],
    ids=["URL", "ObjectStoragePath", "text", "pathlib", "another path"],
)
def test_path(run: Run, file: Path, make: Callable[[Path], Any]) -> None:
    """An ObjectStoragePath, the URL of one, or a path of this worker, is read as a stream."""
    assert run(operator(make(file)))["size"] == len(DATA)
    assert read() == DATA


def test_url_and_compression_are_templated(run: Run, file: Path) -> None:
    """The URL and the compression may be templates."""
    url = file.as_uri().replace("dump", "{{ 'dump' }}")
    run(operator(url, compression="{{ 'gz' ~ 'ip' }}"))
    assert gzip.decompress(read()) == DATA


@pytest.mark.parametrize("checkpoint", ["auto", *STORES])
def test_retry_continues(run: Run, supervisor: Supervisor, server: OSSEmulator, checkpoint: str) -> None:
    """With every store a second attempt reads again and sends what the first did not, and leaves nothing behind."""
    with pytest.raises(TheSourceBrokeError):
        run(operator(breaking_at(3 * PART_BYTES), checkpoint=checkpoint))
    assert not OSSHook().object_exists("key")
    assert not supervisor.holds_nothing()

    result = run(operator(make_file_object, checkpoint=checkpoint))

    assert read() == DATA
    assert (result["resumed"], result["attempts"]) == (True, 2)
    assert (result["bytes_verified"], result["bytes_sent"]) == (3 * PART_BYTES, len(DATA) - 3 * PART_BYTES)
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []
    assert [request.operation for request in server.requests].count("InitiateMultipartUpload") == 1


def test_on_kill(in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context], supervisor: Supervisor) -> None:
    """``on_kill`` stops the upload with a transient error and loses nothing; the next attempt continues."""
    task = in_dag(operator(make_file_object))
    context = context_of(task)
    task.progress = lambda *_: task.on_kill()
    with pytest.raises(OSSUploadCancelled, match="asked to stop"):
        task.execute(context)
    assert not supervisor.holds_nothing()

    task.progress = None
    task.render_template_fields(context)
    assert task.execute(context)["resumed"]
    assert read() == DATA


@pytest.mark.parametrize("error", [AirflowFailException("no such table"), OSError("away"), TheSourceBrokeError("x")])
def test_errors_of_the_stream(run: Run, error: Exception) -> None:
    """What the stream raises comes out as it is, so that Airflow retries it or not."""

    def failing() -> Iterator[bytes]:
        yield DATA
        raise error

    with pytest.raises(type(error)) as caught:
        run(operator(failing))
    assert caught.value is error
    assert not OSSHook().object_exists("key")


# Compression

TEXT = b"".join(b"%d,some,text\n" % number for number in range(50_000))
NOISE = some_bytes(3 * PART_BYTES)


def decompressed(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compression(run: Run, compression: str) -> None:
    """The stream is compressed on its way; the object says so, and which type it has when it is decompressed."""
    result = run(operator(lambda: slices_of(TEXT), compression=compression, key="day.csv"))
    assert decompressed(read("day.csv"), compression) == TEXT
    assert result["size"] == len(read("day.csv")) < len(TEXT)
    found = OSSHook().head_object("day.csv")
    assert found.headers["content-encoding"] == compression
    assert found.content_type == "text/csv"


@pytest.mark.parametrize(("compression", "key"), [("gzip", "a.csv.gz"), ("zstd", "a.csv.zst")])
def test_a_key_that_names_a_compressed_file(run: Run, compression: str, key: str) -> None:
    """An object that is called a compressed file is one: nobody is to decompress it on the way."""
    run(operator(lambda: slices_of(TEXT), compression=compression, key=key))
    assert decompressed(read(key), compression) == TEXT
    assert "content-encoding" not in OSSHook().head_object(key).headers


@pytest.mark.parametrize("name", ["Content-Encoding", "content-encoding"])
def test_the_encoding_that_the_user_gives(run: Run, name: str) -> None:
    """A Content-Encoding among the headers is kept, beside the others."""
    headers = {name: "x-gzip", "Cache-Control": "no-store"}
    run(operator(lambda: slices_of(TEXT), compression="gzip", headers=headers))
    found = OSSHook().head_object("key").headers
    assert (found["content-encoding"], found["cache-control"]) == ("x-gzip", "no-store")


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_compressed_stream_continues(run: Run, compression: str) -> None:
    """The compressed bytes are the same in every attempt, so what OSS holds of them is not sent again."""
    store = MemoryStore()

    def failing() -> Iterator[bytes]:
        yield from slices_of(NOISE, 7777)
        raise TheSourceBrokeError

    with pytest.raises(TheSourceBrokeError):
        run(operator(failing, compression=compression, checkpoint=store))

    result = run(operator(lambda: slices_of(NOISE, 1234), compression=compression, checkpoint=store))

    assert decompressed(read(), compression) == NOISE
    assert result["bytes_verified"] >= PART_BYTES


def test_a_compressed_stream_that_fails(run: Run) -> None:
    """A stream that fails makes no object that would decompress to its beginning."""
    with pytest.raises(TheSourceBrokeError):
        run(operator(breaking_at(10), compression="gzip"))
    assert not OSSHook().object_exists("key")


def test_an_unknown_compression(run: Run, server: OSSEmulator) -> None:
    """What is no compression fails at once, before anything is sent."""
    with pytest.raises(AirflowFailException, match="compression='zip' is not known") as caught:
        run(operator(make_file_object, compression="zip"))
    assert type(caught.value.__cause__) is OSSInvalidArgument
    assert server.requests == ()


def test_headers_that_are_text(run: Run, server: OSSEmulator) -> None:
    """What a template made of a mapping fails at once, and says what to give."""
    with pytest.raises(AirflowFailException, match=r"headers is a str: give a mapping"):
        run(operator(make_file_object, headers="{{ {'a': 'b'} }}"))
    assert server.requests == ()


# What is shown of a stream


def test_the_checkpoint_names_the_function(run: Run) -> None:
    """For people the checkpoint has the function's name; the length is not known."""
    store = MemoryStore()
    with pytest.raises(TheSourceBrokeError):
        run(operator(breaking_at(2 * PART_BYTES), checkpoint=store))
    source = store.saved[0].source
    assert (source.name, source.size_bytes) == ("breaking_at.<locals>.stream", None)


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        (StreamFunction(make_chunks), "make_chunks"),
        ("https://user:secret@example.com/a/b.csv?token=secret#secret", "https://example.com/a/b.csv"),
        ("s3://aws_default@bucket/dir/key", "s3://bucket/dir/key"),
        ("file:///data/a.bin", "file:///data/a.bin"),
        ("/data/a.bin", "/data/a.bin"),
    ],
)
def test_secrets_of_a_url_are_not_shown(stream: Any, name: str) -> None:
    """Neither user nor query of a URL is shown or saved."""
    assert name_of(stream) == name


def test_function_is_the_same_in_every_serialization() -> None:
    """What the serialized DAG shows of a function does not change from one parse to the next."""
    made = [OSSResumableStreamOperator(task_id="upload", key="k", stream=make_chunks) for _ in range(2)]
    assert repr(made[0].stream) == repr(made[1].stream) == "<callable make_chunks>"
