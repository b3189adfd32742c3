"""Many files, each as an object: in flight together, each with an outcome of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation, obeying
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.checkpoints import StorePool
from airflow_provider_oss.engine.many_files import FileOutcome, FileToStore, FileUploads
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSConnectionError,
    OSSObjectAlreadyExists,
    OSSSourceElsewhere,
    OSSSourceMissing,
    OSSUploadCancelled,
)
from airflow_provider_oss.file_range import Body
from airflow_provider_oss.limits import KIB, MIB
from airflow_provider_oss.model import ObjectOptions, ObjectRef, StoredObject
from airflow_provider_oss.options import parse_options
from tests.engine.conftest import PART, Scene
from tests.engine.doubles import changed
from tests.support.sources import some_bytes

SMALL, MEDIUM, LARGE = 10 * KIB, 80 * KIB, 3 * PART
"""Put in one thread, put by one of several threads, uploaded in parts."""


def uploads(scene: Scene, **changes: Any) -> FileUploads:
    return changed(FileUploads(scene.means, settings=scene.settings), **changes)


def make_files(scene: Scene, sizes: list[int]) -> list[FileToStore]:
    """Write files of these sizes and return them with their objects: 0.bin, 1.bin, ..."""
    files = []
    for number, size_bytes in enumerate(sizes):
        path = scene.path.with_name(f"{number}.bin")
        path.write_bytes(some_bytes(size_bytes, number))
        files.append(FileToStore(str(path), ObjectRef(scene.bucket, f"many/{number}.bin")))
    return files


def stored(scene: Scene, file: FileToStore) -> bytes:
    with scene.client.get_object(file.ref, None) as body:
        return body.read()


def errors_of(outcomes: list[FileOutcome]) -> dict[str, type[Exception]]:
    """Return the errors by the file's name."""
    return {Path(each.file.path).name: type(each.error) for each in outcomes if each.error is not None}


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_files_of_every_size(scene: Scene, parallel: int) -> None:
    """Empty, small, medium and large files arrive whole; each is told once, with what it took."""
    sizes = [SMALL, 0, LARGE, MEDIUM, 1, MEDIUM, SMALL, 64 * KIB, 64 * KIB + 1, SMALL, LARGE, MEDIUM]
    files = make_files(scene, sizes)

    outcomes = list(uploads(scene, settings=replace(scene.settings, parallel=parallel)).run(files))

    assert sorted(each.file.path for each in outcomes) == sorted(file.path for file in files)
    assert not errors_of(outcomes)
    for outcome in outcomes:
        data = Path(outcome.file.path).read_bytes()
        assert stored(scene, outcome.file) == data
        assert outcome.result is not None
        assert (outcome.result.size, outcome.result.bytes_sent) == (len(data), len(data))
        assert outcome.result.key == outcome.file.ref.key
    assert len(scene.requests("PutObject")) == len(sizes) - sizes.count(LARGE)


class CountingFiles:
    """A client that knows how many small puts were in flight at once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.in_flight = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene.client, name)

    def begin_put_object(
        self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions
    ) -> Callable[[], StoredObject]:
        answer = self._scene.client.begin_put_object(ref, body, crc64, options)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)

        def wait() -> StoredObject:
            self.in_flight -= 1
            return answer()

        return wait


def test_so_many_small_files_are_in_flight(scene: Scene) -> None:
    """As many as asked for are on their way at the same time, and no more."""
    client = CountingFiles(scene)
    list(
        uploads(scene, client=client, settings=replace(scene.settings, parallel=3)).run(make_files(scene, [SMALL] * 7))
    )
    assert (client.most, client.in_flight) == (3, 0)


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"reset": "before"}, {"reset": "after"}, {"corrupt_request_byte": 7}, {"foreign": True}],
    ids=["busy", "reset before", "reset after", "corrupt", "foreign"],
)
def test_a_fault_that_passes_is_not_noticed(scene: Scene, fault: dict[str, Any], size_bytes: int) -> None:
    """A request that fails in a way that may pass is made again."""
    files = make_files(scene, [size_bytes] * 4)
    scene.server.faults.add(Fault(operation="PutObject", key="many/1.bin", times=1, **fault))

    assert not errors_of(list(uploads(scene).run(files)))

    assert [stored(scene, file) for file in files] == [Path(file.path).read_bytes() for file in files]
    assert len(scene.requests("PutObject")) == 5


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM, LARGE])
def test_one_that_fails_does_not_stop_the_others(scene: Scene, size_bytes: int) -> None:
    """What is refused, broken for good, or missing is told with its reason, and all others are stored."""
    files = make_files(scene, [size_bytes] * 6)
    Path(files[5].path).unlink()
    scene.server.faults.add(Fault(key="many/1.bin", status=403, code="AccessDenied"))
    scene.server.faults.add(Fault(key="many/3.bin", reset="before"))

    outcomes = list(uploads(scene).run(files))

    assert errors_of(outcomes) == {"1.bin": OSSAccessDenied, "3.bin": OSSConnectionError, "5.bin": OSSSourceMissing}
    for number in (0, 2, 4):
        assert stored(scene, files[number]) == Path(files[number].path).read_bytes()


class ThreadsOfPuts:
    """A client that knows which thread put which object."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.threads: dict[str, list[threading.Thread]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene.client, name)

    def put_object(self, ref: ObjectRef, body: Body, crc64: int, options: ObjectOptions) -> StoredObject:
        self.threads.setdefault(ref.key, []).append(threading.current_thread())
        return self._scene.client.put_object(ref, body, crc64, options)


def test_threads_try_once(scene: Scene) -> None:
    """What failed in a thread is repeated by the caller's: no thread pauses on when the caller has to stop."""
    client, files = ThreadsOfPuts(scene), make_files(scene, [MEDIUM])
    scene.server.faults.add(Fault(operation="PutObject", status=503, times=3))
    assert not errors_of(list(uploads(scene, client=client).run(files)))
    first, *others = client.threads["many/0.bin"]
    assert first is not threading.current_thread()
    assert others == [threading.current_thread()] * 3


def test_what_is_put_by_several_threads_is_not_large(scene: Scene) -> None:
    """Whatever the part size, files beyond 8 MiB are put one after the other: each is in memory as a whole."""
    client, files = ThreadsOfPuts(scene), make_files(scene, [9 * MIB, MEDIUM])
    settings = replace(scene.settings, part_size_bytes=20 * MIB)
    assert not errors_of(list(uploads(scene, client=client, settings=settings).run(files)))
    assert client.threads["many/0.bin"] == [threading.current_thread()]
    assert client.threads["many/1.bin"] != [threading.current_thread()]


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_what_is_refused_is_asked_once(scene: Scene, size_bytes: int) -> None:
    """A permanent refusal is not tried again, neither in the same request's place nor by another way."""
    files = make_files(scene, [size_bytes])
    scene.server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))
    list(uploads(scene).run(files))
    assert len(scene.requests("PutObject")) == 1


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_forbid_overwrite(scene: Scene, size_bytes: int) -> None:
    """An equal object in the way is success; another one is an error and stays."""
    files = make_files(scene, [size_bytes] * 2)
    list(uploads(scene).run(files))
    Path(files[1].path).write_bytes(b"changed")

    outcomes = list(uploads(scene, options=parse_options(forbid_overwrite=True)).run(files))

    assert errors_of(outcomes) == {"1.bin": OSSObjectAlreadyExists}
    assert stored(scene, files[1]) == some_bytes(size_bytes, 1)


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_credentials_that_expire_on_the_way(scene: Scene, size_bytes: int) -> None:
    """When the token expires, new credentials are asked for in the caller's thread, and no file is lost."""
    scene.server.faults.add(Fault(operation="PutObject", skip=2, times=3, status=403, code="SecurityTokenExpired"))
    asked: list[threading.Thread] = []

    def renew() -> bool:
        asked.append(threading.current_thread())
        return True

    files = make_files(scene, [size_bytes] * 6)
    outcomes = list(uploads(scene, renew_credentials=renew).run(files))

    assert set(asked) <= {threading.current_thread()}

    assert not errors_of(outcomes)
    assert [stored(scene, file) for file in files] == [Path(file.path).read_bytes() for file in files]


def test_asked_to_stop(scene: Scene) -> None:
    """After a request to stop no further file is begun; those on their way are finished."""
    cancellation = Cancellation()
    files = make_files(scene, [SMALL] * 8)

    def read() -> Iterator[FileToStore]:
        for number, file in enumerate(files):
            if number == 4:
                cancellation.request()
            yield file

    with pytest.raises(OSSUploadCancelled):
        list(uploads(scene, cancellation=cancellation).run(read()))

    assert len(scene.requests("PutObject")) == 4
    assert [stored(scene, file) for file in files[:4]] == [Path(file.path).read_bytes() for file in files[:4]]


@pytest.mark.parametrize("own", [True, False], ids=["its own", "the caller's"])
def test_asked_to_stop_while_it_copies(scene: Scene, *, own: bool) -> None:
    """A request to stop while a file of /proc is copied stops the whole: that file has not failed."""
    cancellation, callers = Cancellation(), Cancellation()

    class Requesting(FileToStore):
        @property
        def source(self) -> FileSource:
            (cancellation if own else callers).request()
            return super().source

    file = Requesting("/proc/self/status", ObjectRef(scene.bucket, "status"))
    with pytest.raises(OSSUploadCancelled), obeying(callers):
        list(uploads(scene, cancellation=cancellation).run([file]))
    assert not scene.requests("PutObject")


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM, LARGE])
@pytest.mark.parametrize("slow", [{"stall": True}, {"rate_bytes_per_second": 1000.0}], ids=["answer", "sending"])
def test_asked_to_stop_while_it_sends(scene: Scene, size_bytes: int, slow: dict[str, Any]) -> None:
    """Its own cancellation ends what waits for OSS, in whichever thread that is, and nothing is begun any more."""
    cancellation = Cancellation()
    files = make_files(scene, [size_bytes] * 4)
    for operation in ("PutObject", "UploadPart"):
        scene.server.faults.add(Fault(operation=operation, **slow))
    timer = threading.Timer(0.3, cancellation.request)
    timer.start()
    began = time.monotonic()

    with pytest.raises(OSSUploadCancelled):
        list(uploads(scene, cancellation=cancellation).run(files))

    timer.join()
    assert time.monotonic() - began < 0.3 + 1.5


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_a_caller_who_stops_early(scene: Scene, size_bytes: int) -> None:
    """When the caller has seen enough, what was begun is finished and no connection is left in the middle."""
    files = make_files(scene, [size_bytes] * 20)
    run = uploads(scene).run(files)
    next(run)
    run.close()
    begun = len(scene.requests("PutObject"))
    assert 1 <= begun < 20


def test_files_are_read_as_it_goes(scene: Scene) -> None:
    """The list of files may be as long as it likes: no more than what is in flight has been taken from it."""
    taken: list[int] = []

    def read() -> Iterator[FileToStore]:
        for number, file in enumerate(make_files(scene, [SMALL] * 10)):
            taken.append(number)
            yield file

    run = uploads(scene).run(read())
    next(run)
    assert len(taken) == 3
    run.close()


def test_a_large_file_continues_with_the_store(scene: Scene) -> None:
    """A file of several parts that failed continues where it stopped when the files are uploaded again."""
    files = make_files(scene, [SMALL, LARGE])
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    one_by_one = replace(scene.settings, parallel=1)
    failed = list(uploads(scene, stores=StorePool([scene.store]), settings=one_by_one).run(files))
    assert errors_of(failed) == {"1.bin": OSSAccessDenied}
    scene.server.faults.clear()
    scene.server.forget_requests()

    again = list(uploads(scene, stores=StorePool([scene.store]), settings=one_by_one).run(files))

    assert not errors_of(again)
    assert len(scene.requests("UploadPart")) == 1
    assert stored(scene, files[1]) == Path(files[1].path).read_bytes()


def test_files_that_this_worker_does_not_see(scene: Scene) -> None:
    """Of one that was begun a checkpoint shows that it is elsewhere; of the others nothing does."""
    files = make_files(scene, [SMALL, LARGE])
    scene.server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    list(uploads(scene, stores=StorePool([scene.store])).run(files))
    for file in files:
        Path(file.path).unlink()

    outcomes = list(uploads(scene, stores=StorePool([scene.store])).run(files))

    assert errors_of(outcomes) == {"0.bin": OSSSourceMissing, "1.bin": OSSSourceElsewhere}
