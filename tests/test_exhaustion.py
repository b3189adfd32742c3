"""A worker that has run out of descriptors, threads or memory: an error that passes and says which limit it was."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.engine.download import Download
from airflow_provider_oss.engine.many_files import FileToStore, FileUploads
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import BytesReader, BytesSource, FileSource, StreamSource
from airflow_provider_oss.engine.tree.upload import TreeUpload
from airflow_provider_oss.engine.tree.walk import TreeSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.engine.workers import Crew, begin_thread
from airflow_provider_oss.exceptions import OSSTransientError, OSSWorkerExhausted
from airflow_provider_oss.model import ObjectOptions, ObjectPrefix, ObjectRef, Part
from airflow_provider_oss.proof import crc64
from tests.conftest import BUCKET, client_settings
from tests.support.server_process import server_process

if TYPE_CHECKING:
    from pathlib import Path

REF = ObjectRef(BUCKET, "key")
ONCE = UploadSettings(part_size_bytes=100 * 1024, parallel=2)
NO_RETRY = RetryPolicy(tries=1)
DATA = bytes(300 * 1024)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OSSObjectClient]:
    """A client of a server in another process, which has all that this one runs out of."""
    with server_process(tmp_path / "oss") as server:
        yield OSSObjectClient(client_settings(server))


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # those of the standard streams, which are open
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_threads() -> Iterator[None]:
    """Let this process begin no thread: there is no room for the stack of one."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


class Hungry(BytesReader):
    """Takes more memory for a part than there is."""

    def data(self, part: Part) -> memoryview:
        del part
        return memoryview(bytearray(1 << 60))


class HungrySource:
    def open(self) -> Hungry:
        return Hungry(BytesSource(DATA))


WAYS: dict[str, Callable[[OSSObjectClient, Path], Any]] = {
    "upload": lambda client, path: Upload(FileSource(str(path)), REF, Means(client, NO_RETRY), settings=ONCE).run(),
    "large part of a stream": lambda client, _: Upload(
        StreamSource([bytes(70 * 2**20)]), REF, Means(client), settings=UploadSettings(part_size_bytes=65 * 2**20)
    ).run(),
    "put": lambda client, path: SinglePut(REF, Means(client)).put_file(str(path)),
    "download": lambda client, path: Download(REF, f"{path}.new", Means(client)).run(),
    "resumable download": lambda client, path: Download(REF, f"{path}.new", Means(client), is_resumable=True).run(),
    "directory": lambda client, path: TreeUpload(
        TreeSource(str(path.parent)), ObjectPrefix(BUCKET, "p/"), Means(client, NO_RETRY), settings=ONCE
    ).run(),
    "no descriptor for a connection": lambda client, _: client.head_object(REF),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_descriptors(client: OSSObjectClient, tmp_path: Path, way: str) -> None:
    """Whatever finds no descriptor left says so, with the limit; the next attempt works."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(DATA)
    with no_descriptors(), pytest.raises(OSSWorkerExhausted, match="RLIMIT_NOFILE") as caught:
        WAYS[way](client, path)
    assert isinstance(caught.value, OSSTransientError)
    client.put_object(REF, DATA, crc64(DATA), ObjectOptions())
    WAYS[way](client, path)


def test_many_files_without_descriptors(client: OSSObjectClient, tmp_path: Path) -> None:
    """Each of many files has that error for its outcome."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with no_descriptors():
        outcomes = list(FileUploads(Means(client, NO_RETRY), settings=ONCE).run([FileToStore(str(path), REF)] * 3))
    assert [type(outcome.error) for outcome in outcomes] == [OSSWorkerExhausted] * 3


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_memory(client: OSSObjectClient, parallel: int) -> None:
    """An upload for which there is no memory ends so, in whichever thread it was asked for; nothing is left of it."""
    settings = UploadSettings(part_size_bytes=100 * 1024, parallel=parallel)
    with pytest.raises(OSSWorkerExhausted, match="memory"):
        Upload(HungrySource(), REF, Means(client), settings=settings).run()
    assert client.list_uploads(REF) == ()


def test_no_threads(client: OSSObjectClient, tmp_path: Path) -> None:
    """Where no thread can be begun an upload does its work in its own; what needs one says so, with the limit."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with no_threads():
        assert Crew(lambda: None, "x").begin(2) == 0
        with pytest.raises(OSSWorkerExhausted, match="RLIMIT_NPROC"):
            begin_thread(lambda: None, "x")
        Upload(FileSource(str(path)), REF, Means(client, NO_RETRY), settings=ONCE).run()
        Download(REF, f"{path}.new", Means(client, NO_RETRY), settings=ONCE).run()
    assert (tmp_path / "file.new").read_bytes() == DATA
