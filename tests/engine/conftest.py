"""The scene of the engine's tests: a file, an object's address, a store, and the local OSS server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from airflow_provider_oss import limits
from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator, RecordedRequest
from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import FileSource, StreamSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import OSSAccessDenied
from airflow_provider_oss.model import Checkpoint, ObjectRef, UploadResult
from airflow_provider_oss.ports import CheckpointStore, Source
from tests.conftest import TINY_PARTS, client_settings
from tests.engine.doubles import changed
from tests.support.sources import some_bytes
from tests.support.stores import MemoryStore

KEY = "dir/a b#?.bin"
PART = limits.MIN_PART_SIZE_BYTES
IMPATIENT = RetryPolicy(tries=3, first_delay_seconds=0)

both_ways = pytest.mark.parametrize("scene", ["file", "stream"], indirect=True)
"""For what must hold of a source that is read at any offset, and of one that is read forward."""

_numbers = itertools.count(1)


@dataclass
class Scene:
    """What a test of the engine needs, with the questions that it asks afterwards."""

    server: OSSEmulator
    client: OSSObjectClient
    path: Path
    bucket: str
    other_bucket: str
    store: MemoryStore = field(default_factory=MemoryStore)
    as_stream: bool = False
    """Whether the file is read forward, as a stream of unknown length, instead of at any offset."""
    settings: UploadSettings = field(default_factory=lambda: UploadSettings(part_size_bytes=PART, parallel=2))

    @property
    def means(self) -> Means[OSSObjectClient]:
        """What a transfer is given: it has little patience."""
        return Means(self.client, IMPATIENT)

    @property
    def ref(self) -> ObjectRef:
        """Where the file goes, unless a test says otherwise."""
        return ObjectRef(self.bucket, KEY)

    def write(self, size_bytes: int, seed: int = 0) -> bytes:
        """Write the file and return its content."""
        data = some_bytes(size_bytes, seed)
        self.path.write_bytes(data)
        return data

    def upload(self, store: CheckpointStore | None = None, **changes: Any) -> Upload:
        """Return one attempt, with the scene's store or another one; ``changes`` replace what is usual."""
        usual = Upload(self.source, self.ref, self.means, store=store or self.store, settings=self.settings)
        return changed(usual, **changes)

    @property
    def source(self) -> Source | StreamSource:
        """The file."""
        return StreamSource(self.open_stream, "a stream") if self.as_stream else FileSource(str(self.path))

    def open_stream(self) -> BinaryIO:
        """Open the file."""
        return self.path.open("rb")

    def run(self, store: CheckpointStore | None = None, **changes: Any) -> UploadResult:
        """Make one attempt."""
        return self.upload(store, **changes).run()

    def stop_at_part(self, number: int, **changes: Any) -> Checkpoint:
        """Make an attempt that fails at this part (one worker, so the parts before it are stored)."""
        fault = Fault(operation="UploadPart", part_number=number, status=403, code="AccessDenied")
        self.server.faults.add(fault)
        settings = replace(self.settings, parallel=1)
        with pytest.raises(OSSAccessDenied):
            self.run(**{"settings": settings} | changes)
        self.server.faults.clear()
        self.server.forget_requests()
        checkpoint = self.store.load()
        assert checkpoint is not None
        return checkpoint

    def object(self, ref: ObjectRef | None = None) -> bytes:
        """Return what is stored."""
        with self.client.get_object(ref or self.ref, None) as body:
            return body.read()

    def uploads(self) -> list[str]:
        """Return the ids of all unfinished uploads."""
        return [
            upload.upload_id
            for bucket in (self.bucket, self.other_bucket)
            for upload in self.client.list_multipart_uploads(bucket, "", ("", "")).items
        ]

    def sent(self) -> list[int]:
        """Return the numbers, ascending, of the parts that OSS acknowledged since the last ``stop_at_part``."""
        return sorted(request.part_number or 0 for request in self.requests("UploadPart") if request.status == 200)

    def requests(self, operation: str | None = None) -> list[RecordedRequest]:
        """Return what was asked of OSS, in order; of one kind or of all."""
        mine = [request for request in self.server.requests if request.bucket in (self.bucket, self.other_bucket)]
        return [request for request in mine if operation in (None, request.operation)]

    def operations(self) -> list[str]:
        """Return the names of what was asked of OSS, in order."""
        return [request.operation for request in self.requests()]

    def assert_nothing_left(self) -> None:
        """No upload and no checkpoint."""
        assert self.uploads() == []
        assert self.store.data is None


@pytest.fixture(scope="package")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OSSEmulator]:
    """One local OSS server for all these tests: each has buckets of its own."""
    limits_of_tests = replace(TINY_PARTS, max_buckets=100_000)
    with OSSEmulator(root=tmp_path_factory.mktemp("oss"), buckets=(), limits=limits_of_tests) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def shared_client(shared_server: OSSEmulator) -> OSSObjectClient:
    """A client of the shared server."""
    return OSSObjectClient(client_settings(shared_server))


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, shared_server: OSSEmulator, shared_client: OSSObjectClient, tmp_path: Path
) -> Iterator[Scene]:
    """
    A scene without a file yet, in two new buckets, on a server that behaves.

    Where ``both_ways`` stands, each test runs twice: with the file, and with a stream of its bytes.
    """
    number = next(_numbers)
    scene = Scene(
        shared_server,
        shared_client,
        tmp_path / "source.bin",
        f"test-{number}",
        f"test-{number}-other",
        as_stream=getattr(request, "param", "file") == "stream",
    )
    for bucket in (scene.bucket, scene.other_bucket):
        shared_client.buckets.get(bucket).create_bucket()
    shared_server.forget_requests()
    yield scene
    shared_server.faults.clear()


@pytest.fixture
def parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package plan parts of any size, as the local server of these tests takes them."""
    monkeypatch.setattr(limits, "MIN_PART_SIZE_BYTES", 1)
