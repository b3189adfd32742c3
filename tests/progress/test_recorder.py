"""What is recorded of an attempt: rarely, wherever there is a place for it, and never in the way of the transfer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.clients.object_client import OSSObjectClient
from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.copy import Copy
from airflow_provider_oss.engine.download import Download
from airflow_provider_oss.engine.planned import Cut, UploadPlanning
from airflow_provider_oss.engine.progress import watched
from airflow_provider_oss.engine.put import SinglePut
from airflow_provider_oss.engine.ranges import RangeUpload
from airflow_provider_oss.engine.retry import Means, RetryPolicy
from airflow_provider_oss.engine.source import FileSource, StreamSource
from airflow_provider_oss.engine.tree.upload import FilesUpload, TreeUpload
from airflow_provider_oss.engine.tree.walk import NamedFiles, TreeSource
from airflow_provider_oss.engine.upload import Upload, UploadSettings
from airflow_provider_oss.exceptions import OSSAccessDenied
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.model import (
    Checkpoint,
    FilesState,
    Fingerprint,
    ObjectPrefix,
    ObjectRef,
    Progress,
    TransferState,
)
from airflow_provider_oss.progress.record import FAILED, SUCCEEDED
from airflow_provider_oss.progress.recorder import WRITE_INTERVAL_SECONDS
from tests.conftest import BUCKET
from tests.progress.conftest import MemoryEntryStore, Task
from tests.support.sources import some_bytes
from tests.support.stores import MemoryStore

PART = 100 * 1024
PARTS = 40
SIZE = PARTS * PART - 7
REF = ObjectRef(BUCKET, "a")
SETTINGS = UploadSettings(part_size_bytes=PART, parallel=2)
CHECKPOINT = Checkpoint(REF, "U", PART, Fingerprint("dump.bin", SIZE), "0" * 16)


def state_of(sent: int, total: int | None = 100, **more: Any) -> Callable[[], TransferState]:
    return lambda: TransferState("oss://exports/a", "/data/dump.bin", Progress(total, sent), **more)


# What is written, and when


def tick_for(task: Task, seconds: float) -> None:
    end = task.clock.seconds + seconds
    while task.clock.seconds < end:
        task.clock.seconds += 0.2
        task.recorder.tick()


def test_written_at_the_beginning_now_and_then_and_at_the_end(task: Task) -> None:
    """The first record comes with the first look, the others every ten seconds, the last one when it ends."""
    with watched(task.recorder, state_of(10)):
        tick_for(task, 25)
    task.recorder.end(SUCCEEDED)

    assert [write.record["state"] for write in task.memory.writes] == 3 * ["running"] + ["succeeded"]
    times = [write.at for write in task.memory.writes[:-1]]
    assert min(after - before for before, after in pairwise(times)) >= WRITE_INTERVAL_SECONDS


def test_a_short_transfer_is_written_twice(task: Task) -> None:
    """One of less than ten seconds has its beginning and its end."""
    with watched(task.recorder, state_of(10)):
        tick_for(task, 9)
    task.recorder.end(SUCCEEDED)
    assert len(task.memory.writes) == 2


def test_nothing_is_asked_in_between(task: Task) -> None:
    """How far it is costs nothing as long as no record is due."""
    asked: list[float] = []

    def state() -> TransferState:
        asked.append(task.clock.seconds)
        return state_of(10)()

    with watched(task.recorder, state):
        tick_for(task, 9)
    assert len(asked) == 2  # for the first record, and at the end


def test_beside_a_checkpoint(task: Task) -> None:
    """While a checkpoint is saved the record goes with it, and nowhere else; afterwards to the task's own place."""
    with watched(task.recorder, state_of(10)):
        task.store.save(CHECKPOINT)
        tick_for(task, 30)
        task.store.save(CHECKPOINT)
        assert [write.place for write in task.memory.writes] == ["entry", "entry"]
        task.store.delete()
        tick_for(task, 11)
        assert [write.place for write in task.memory.writes[2:]] == ["own"]
    task.recorder.end(SUCCEEDED)
    assert [write.place for write in task.memory.writes[3:]] == ["own"]
    assert task.memory.entry is None


def test_a_checkpoint_left_behind(task: Task) -> None:
    """The checkpoint of a file that failed keeps what it has: the files after it are recorded in the task's place."""
    with watched(task.recorder, lambda: TransferState("oss://exports/", files=FilesState(3, failed=1))):
        with watched(task.recorder, state_of(10)):
            task.store.save(CHECKPOINT)
        tick_for(task, 11)
    assert [write.place for write in task.memory.writes] == ["entry", "own"]


def test_a_store_of_the_user(task: Task) -> None:
    """A store that is none of ours is left as it is, and the record is kept in the task's own place."""
    store = MemoryStore()
    assert task.recorder.recorded(store) is store


def test_a_store_made_of_ours(task: Task) -> None:
    """A class of the user's that does more when it saves is left to do so."""

    class Counting(MemoryEntryStore):
        def save(self, checkpoint: Checkpoint) -> None:
            raise NotImplementedError

    store = Counting(task.memory)
    assert task.recorder.recorded(store) is store


def test_airflow_is_down(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """A record that cannot be written, or read, is a line in the log, once, and nothing else."""
    task.memory.fails = True
    task.recorder.look_back()
    with watched(task.recorder, state_of(10)):
        tick_for(task, 60)
    task.recorder.end(SUCCEEDED)
    assert [message for message in caplog.messages if "cannot be recorded" in message] == [
        "How far the transfer is cannot be recorded for Airflow's pages: Airflow is down"
    ]


def test_a_record_that_cannot_be_made(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """A checkpoint is saved although the record beside it cannot be made."""

    def state() -> TransferState:
        raise ValueError("of no use")

    task.recorder.began(state)
    task.store.save(CHECKPOINT)
    assert task.store.load() == CHECKPOINT
    assert "of no use" in caplog.text


def test_asked_to_stop(task: Task) -> None:
    """Who was asked to stop writes nothing more: a successor may be at work."""
    task.recorder.began(state_of(10))
    task.cancellation.request()
    tick_for(task, 60)
    assert task.memory.writes == []


def test_asked_to_stop_and_failed(task: Task) -> None:
    """So it is when the attempt fails by what stopping it breaks: the successor's record is not replaced."""
    task.cancellation.request()
    assert task.recorder.end(FAILED, OSError("closed")).state == FAILED
    assert task.memory.writes == []


def test_airflow_is_slow(task: Task) -> None:
    """Writing takes at most a tenth of the time of the thread that transfers, however slow Airflow is."""
    began, taken = task.clock.seconds, 0.0
    write = task.memory.write

    def write_slowly(record: Any) -> None:
        nonlocal taken
        task.clock.seconds += 15
        taken += 15
        write(record)

    task.memory.write = write_slowly  # type: ignore[method-assign]  # of this one alone
    with watched(task.recorder, state_of(10)):
        tick_for(task, 600)
    assert 0 < taken <= (task.clock.seconds - began + 135) / 10


def test_how_far_it_is_cannot_be_told(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """What breaks while a record is made is a line in the log: the transfer goes on, and ends as it does."""

    def state() -> TransferState:
        raise ValueError("of no use")

    def fail() -> None:
        with watched(task.recorder, state):
            tick_for(task, 11)
            raise OSSAccessDenied("not yours")

    with pytest.raises(OSSAccessDenied):
        fail()
    assert task.recorder.end(FAILED).state == FAILED
    assert caplog.text.count("of no use") == 1


def test_other_threads_are_not_heard(task: Task) -> None:
    """Airflow may be asked in the task's main thread only."""
    thread = threading.Thread(target=lambda: (task.recorder.began(state_of(10)), task.recorder.tick()))
    thread.start()
    thread.join()
    assert task.memory.writes == []
    assert task.recorder.record().sent == 0


# What is in it


def test_sums_of_several_transfers(task: Task) -> None:
    """Transfers inside one that knows no more add up; what it found already is not sent."""
    files = FilesState(3, 1, 1)
    with watched(task.recorder, lambda: TransferState("oss://exports/b/", skipped_bytes=7, files=files)):
        for sent in (10, 20):
            with watched(task.recorder, state_of(sent)):
                pass
        with watched(task.recorder, state_of(3)):
            record = task.recorder.record()
    assert (record.sent, record.skipped, record.done, record.total) == (33, 7, 40, None)
    assert (record.target, record.source, record.files) == ("oss://exports/b/", None, files)
    assert task.recorder.end(SUCCEEDED).total == 40


def test_sums_of_a_transfer_that_counts_itself(task: Task) -> None:
    """Of one with sums of its own, what has ended inside it is in these already; what is under way comes on top."""
    with watched(task.recorder, state_of(30, 1000)):
        with watched(task.recorder, state_of(10)):
            pass
        with watched(task.recorder, state_of(5)):
            record = task.recorder.record()
    assert (record.sent, record.total) == (35, 1000)


def test_rates(task: Task) -> None:
    """The rate is that of the time since the last record."""
    sent = 0

    def state() -> TransferState:
        return state_of(sent, 10_000)()

    task.recorder.began(state)
    for added in (100, 300, 0):
        task.clock.seconds += 10
        sent += added
        task.recorder.tick()
    assert (task.last["rate"], task.last["rates"]) == (0.0, [[10.0, 10], [20.0, 30], [30.0, 0]])


def test_tries_that_failed(task: Task) -> None:
    """They are counted, from any thread, and the last ten are told."""
    for number in range(1, 13):
        task.recorder.repeated(f"Part {number}: try 1 failed: it broke")
    record = task.recorder.end(SUCCEEDED)
    assert record.retried == 12
    assert [event.text.split(":")[0] for event in record.events] == [f"Part {number}" for number in range(3, 13)]


# Attempts


def test_history(task: Task) -> None:
    """Each attempt's record has what the ones before it did, and how they ended; one that never said was killed."""
    with watched(task.recorder, state_of(10)):
        task.recorder.tick()  # and then the process is killed
    task.begin()
    with watched(task.recorder, state_of(20)):
        task.recorder.end(FAILED, OSError("no route"))
    task.begin()
    record = task.recorder.end(SUCCEEDED)
    assert [(each.number, each.state, each.sent, each.error) for each in record.attempts] == [
        (1, "killed", 10, None),
        (2, "failed", 20, "OSError: no route"),
        (3, "succeeded", 0, None),
    ]


def test_history_beside_a_checkpoint(task: Task) -> None:
    """Where the task's own place is emptied by a retry, the checkpoint's entry tells of the attempts before."""
    with watched(task.recorder, state_of(10)):
        task.store.save(CHECKPOINT)
        task.recorder.failing(OSSAccessDenied("not yours"))
        task.store.save(CHECKPOINT)
    task.recorder.end(FAILED, OSSAccessDenied("not yours"))
    task.memory.own = None

    task.begin()
    assert task.store.load() == CHECKPOINT
    [first, second] = task.recorder.record().attempts
    assert (first.number, first.state, first.error) == (1, "failed", "OSSAccessDenied: not yours")
    assert second.number == 2


def test_the_newest_history_counts(task: Task) -> None:
    """Of two records that earlier attempts have left, that which was written last says more."""
    with watched(task.recorder, state_of(10)):
        task.recorder.tick()
        task.clock.seconds += 20
        task.store.save(CHECKPOINT)
    task.begin()
    own_first = [each.seconds for each in task.recorder.record().attempts]
    task.store.load()
    assert own_first[0] < task.recorder.record().attempts[0].seconds


def test_ten_attempts(task: Task) -> None:
    """The last ten are kept."""
    for _ in range(14):
        task.recorder.end(FAILED, OSError("again"))
        task.begin()
    assert [each.number for each in task.recorder.record().attempts] == list(range(6, 16))


def test_what_is_no_record(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """What people have made of a record is ignored, and the checkpoint beside it is good."""
    caplog.set_level("INFO")
    task.store.save(CHECKPOINT)
    task.memory.entry["transfer"] = {"version": "?"}
    task.memory.own = "text"
    task.begin()
    assert task.store.load() == CHECKPOINT
    assert [each.number for each in task.recorder.record().attempts] == [2]
    assert caplog.text.count("is ignored") == 2


def test_a_successor_is_not_read(task: Task) -> None:
    """Who looks whether the checkpoint is still its own does not take a successor's record for an earlier one's."""
    task.store.save(CHECKPOINT)
    successor = replace(task.recorder.record(), attempt=2, updated_at="2031-01-01T00:00:00Z")
    task.memory.entry["transfer"] = successor.as_json()
    task.store.load()
    assert [each.number for each in task.recorder.record().attempts] == [1]


# Every kind of transfer, by the engine


def means_of(task: Task, client: OSSObjectClient) -> Means[OSSObjectClient]:
    task.clock.step_seconds = 0.7
    retry = RetryPolicy(tries=3, first_delay_seconds=0)
    return Means(client, retry, cancellation=task.cancellation, clock=task.clock, watcher=task.recorder)


def upload(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    Upload(FileSource(str(folder / "dump.bin")), REF, means, store=task.store, settings=SETTINGS).run()


def upload_without_store(_: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    Upload(FileSource(str(folder / "dump.bin")), REF, means, settings=SETTINGS).run()


def stream(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    source = StreamSource(BytesIO((folder / "dump.bin").read_bytes()), "rows")
    Upload(source, REF, means, store=task.store, settings=SETTINGS).run()


def put(_: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    SinglePut(REF, means).put_file(str(folder / "dump.bin"))


def put_stream(_: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    SinglePut(REF, means).put_stream(BytesIO((folder / "dump.bin").read_bytes()))


def a_range(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    source = FileSource(str(folder / "dump.bin"))
    unwatched = Means(means.client, means.retry)
    planned, ranges = UploadPlanning(source, REF, unwatched, part_size_bytes=PART, cut=Cut(1)).run()
    RangeUpload(source, planned, ranges[0], means, store=task.store, settings=SETTINGS).run()


def directory(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    TreeUpload(
        TreeSource(str(folder), Selection(None, None), "follow"),
        ObjectPrefix(BUCKET, "tree/"),
        means,
        settings=SETTINGS,
        stores=[task.store],
    ).run()


def files(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    FilesUpload(
        NamedFiles({"dump.bin": str(folder / "dump.bin")}),
        ObjectPrefix(BUCKET, "files/"),
        means,
        settings=SETTINGS,
        stores=[task.store],
    ).run()


def download(_: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    store_source(means, folder)
    Download(REF, str(folder / "got"), means, settings=SETTINGS, is_resumable=True).run()


def copy(task: Task, means: Means[OSSObjectClient], folder: Path) -> None:
    store_source(means, folder)
    target = ObjectRef(BUCKET, "copy")
    Copy(REF, target, means, store=task.store, settings=SETTINGS, multipart_threshold_bytes=0).run()


def store_source(means: Means[OSSObjectClient], folder: Path) -> None:
    Upload(FileSource(str(folder / "dump.bin")), REF, Means(means.client)).run()


KINDS = (upload, upload_without_store, stream, put, put_stream, a_range, directory, files, download, copy)


@pytest.mark.parametrize("transfer", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind(
    task: Task, client: OSSObjectClient, tmp_path: Path, transfer: Callable[[Task, Any, Path], None]
) -> None:
    """Each is written at most every ten seconds, but for the first saves of a checkpoint, and its sums are right."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "dump.bin").write_bytes(some_bytes(SIZE))
    transfer(task, means_of(task, client), folder)
    task.recorder.end(SUCCEEDED)

    record = task.last
    assert (record["state"], record["done"], record["sent"], record["total"]) == ("succeeded", SIZE, SIZE, SIZE)
    if "parts" in record:
        assert (record["parts"]["count"], record["parts"]["stored"]) == (PARTS, f"1-{PARTS}")
        assert (record["parts"]["in_flight"], record["parts"]["verified"]) == ("", "")
    writes = task.memory.writes
    assert writes[-1].place == "own"
    saves = [write for write in writes if write.place == "entry"]
    at_once = [writes[0], *saves[:2], writes[-1]]  # the intent to begin an upload, and its id
    spans = [after.at - before.at for before, after in pairwise(writes) if after not in at_once]
    assert min(spans, default=WRITE_INTERVAL_SECONDS) >= WRITE_INTERVAL_SECONDS
    if transfer not in (put, put_stream):
        assert len(spans) >= 2


def test_an_interrupted_upload(task: Task, client: OSSObjectClient, server: OSSEmulator, tmp_path: Path) -> None:
    """The next attempt's record tells what was verified, and the one before."""
    (tmp_path / "dump.bin").write_bytes(some_bytes(SIZE))
    server.faults.add(Fault(operation="UploadPart", part_number=20, status=403, code="AccessDenied"))
    with pytest.raises(OSSAccessDenied) as caught:
        upload(task, means_of(task, client), tmp_path)
    first = task.recorder.end(FAILED, caught.value)
    server.faults.clear()
    task.memory.own = None  # as where a retry clears it

    task.begin()
    upload(task, means_of(task, client), tmp_path)
    second = task.recorder.end(SUCCEEDED)

    assert second.verified >= first.sent > 0
    assert second.verified + second.sent == second.done == SIZE
    assert second.parts is not None
    assert second.parts.verified
    assert [(each.number, each.state) for each in second.attempts] == [(1, "failed"), (2, "succeeded")]
    assert (second.attempts[0].error or "").startswith("OSSAccessDenied: ")


def test_a_part_that_is_sent_again(task: Task, client: OSSObjectClient, server: OSSEmulator, tmp_path: Path) -> None:
    """A try that failed is counted, and told with its part."""
    (tmp_path / "dump.bin").write_bytes(some_bytes(SIZE))
    server.faults.add(Fault(operation="UploadPart", part_number=7, status=503, code="ServiceUnavailable", times=1))
    upload(task, means_of(task, client), tmp_path)
    record = task.recorder.end(SUCCEEDED)
    assert record.retried == 1
    [event] = record.events
    assert event.text.startswith("Part 7: try 1 failed: ")


def test_a_slow_part(task: Task) -> None:
    """While no part is done, too, the checkpoint is saved with a new record every ten seconds."""
    assert task.recorder.wants_save()
    task.store.save(CHECKPOINT)
    assert not task.recorder.wants_save()
    task.clock.seconds += WRITE_INTERVAL_SECONDS
    assert task.recorder.wants_save()
