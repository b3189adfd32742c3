"""A tree becomes the objects below a prefix: whatever was there, whatever fails, and in how many attempts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.tree.result import Tally, TreeResult
from airflow_provider_oss.engine.tree.walk import TreeSource
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSBadResponse,
    OSSConnectionError,
    OSSCredentialsExpired,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSObjectAlreadyExists,
    OSSPermanentError,
    OSSServiceUnavailable,
    OSSSourceChanged,
    OSSSourceElsewhere,
    OSSSourceMissing,
    OSSTransientError,
    OSSUploadCancelled,
)
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.model import ObjectPrefix, ObjectRef, UploadResult
from airflow_provider_oss.options import parse_options
from airflow_provider_oss.proof import crc64
from airflow_provider_oss.shown import host_name
from tests.engine.conftest import PART
from tests.engine.doubles import HandClock
from tests.engine.tree.conftest import PREFIX, Meanwhile, TreeScene, both_ways
from tests.support.sources import edit_unnoticed, some_bytes
from tests.support.stores import FailingStore, MemoryStore, StoreDownError
from tests.support.trees import write_tree

SMALL, MEDIUM, LARGE = 10 * KIB, 80 * KIB, 3 * PART

FILES = {
    "small.bin": some_bytes(SMALL, 1),
    "empty": b"",
    "a/medium.bin": some_bytes(MEDIUM, 2),
    "a/b/large.bin": some_bytes(LARGE, 3),
    "a/b/ü 数据 #?%2F&<>.csv": b"1",
    "a/two\nlines": b"2",
    ".hidden/x": b"3",
}


def failures(result: TreeResult) -> dict[str, type[Exception]]:
    """Return the errors by file."""
    return {problem.name: type(problem.error) for problem in result.problems}


@both_ways
@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_the_tree_is_kept(tree: TreeScene, parallel: int) -> None:
    """Files of every size and name arrive whole under their paths; the numbers say so."""
    tree.write(FILES)
    (tree.directory / "nothing" / "in here").mkdir(parents=True)

    result = tree.run(settings=replace(tree.scene.settings, parallel=parallel))

    size_bytes = sum(map(len, FILES.values()))
    assert tree.objects() == FILES
    assert (result.files, result.sent) == (Tally(7, size_bytes), Tally(7, size_bytes))
    assert (result.skipped, result.failed, result.deleted, result.not_tried) == (Tally(),) * 4
    assert (result.bytes_sent, result.bytes_verified) == (size_bytes, 0)
    result.raise_failures()


def test_a_second_run_sends_nothing(tree: TreeScene) -> None:
    """What is unchanged is not sent: small files are told by the listing alone, others by one HeadObject each."""
    tree.write(FILES)
    tree.run()
    for path in tree.directory.rglob("*"):
        os.utime(path, (1, 1))

    result = tree.run()

    assert sorted(tree.operations()) == ["HeadObject", "HeadObject", "ListObjectsV2"]
    assert (result.sent, result.skipped) == (Tally(), result.files)
    assert (result.bytes_sent, result.failed) == (0, Tally())


@pytest.mark.parametrize("name", ["small.bin", "a/medium.bin", "a/b/large.bin"])
@pytest.mark.parametrize("change", ["longer", "one byte"])
def test_what_changed_is_sent(tree: TreeScene, name: str, change: str) -> None:
    """A file with other bytes is sent, be its size and its times those of before."""
    tree.write(FILES)
    tree.run()
    if change == "longer":
        with (tree.directory / name).open("ab") as file:
            file.write(b"x")
    else:
        edit_unnoticed(tree.directory / name, 5000, b"x")

    result = tree.run()

    assert tree.sent() == [name]
    assert (result.sent.count, result.skipped.count) == (1, 6)
    assert tree.objects() == tree.files()


def test_skipping_can_be_switched_off(tree: TreeScene) -> None:
    """Without it every file is sent, and nothing is listed."""
    tree.write(FILES)
    tree.run()
    result = tree.run({"skip_unchanged": False})
    assert result.sent == result.files
    assert "ListObjectsV2" not in tree.operations()


def test_an_object_that_tells_no_md5(tree: TreeScene) -> None:
    """A small file whose object was stored in parts, or encrypted, is compared by its CRC-64."""
    data = some_bytes(2 * KIB)
    tree.write({"x": data})
    client, ref = tree.scene.client, ObjectRef(tree.scene.bucket, PREFIX + "x")
    upload_id = client.initiate_multipart_upload(ref, parse_options())
    part = client.upload_part(ref, upload_id, 1, data, crc64(data), parse_options())
    client.complete_multipart_upload(ref, upload_id, [part], parse_options())

    assert tree.run().skipped.count == 1
    assert tree.operations() == ["ListObjectsV2", "HeadObject"]


@both_ways
def test_objects_that_may_not_be_looked_at(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """Without the permission for HeadObject what needs it is sent again; the log says so once."""
    tree.write(FILES | {"another.bin": some_bytes(MEDIUM, 9)})
    tree.run()
    tree.scene.server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))
    result = tree.run()
    assert tree.sent() == ["a/b/large.bin", "a/medium.bin", "another.bin"]
    assert result.failed == Tally()
    assert len([line for line in caplog.messages if "cannot be looked at, so it counts as changed" in line]) == 1


def test_an_object_that_goes_away_meanwhile(tree: TreeScene) -> None:
    """An object that was listed and is gone when it is asked for is stored again."""
    tree.write({"x": some_bytes(MEDIUM)})
    tree.run()
    tree.scene.server.faults.add(Fault(operation="HeadObject", status=404, code="NoSuchKey"))
    assert tree.run().sent.count == 1


@both_ways
def test_globs(tree: TreeScene) -> None:
    """Only what the globs mean is stored."""
    tree.write(FILES)
    result = tree.run(include=["**/*.bin", "empty"], exclude="a/b/**")
    assert sorted(tree.objects()) == ["a/medium.bin", "empty", "small.bin"]
    assert result.files.count == 3


def test_more_than_one_page(tree: TreeScene) -> None:
    """A listing of several pages is read to its end."""
    tree.write({f"d{number % 7}/{number:04}": b"%d" % number for number in range(1100)})
    assert tree.run().sent.count == 1100
    assert tree.run().skipped.count == 1100
    assert tree.operations() == ["ListObjectsV2"] * 2


# What fails


@both_ways
def test_one_that_fails_does_not_stop_the_others(tree: TreeScene) -> None:
    """What is refused, broken or has no possible key is reported, the rest is stored, and then the task is to fail."""
    tree.write(FILES)
    bad = {"refused": OSSAccessDenied, "down": OSSConnectionError, "\udcff\udcfe": OSSInvalidArgument}
    tree.write(dict.fromkeys(bad, b"bad"))
    long = "/".join(["x" * 250] * 5)
    tree.write({long: b"long"})
    tree.scene.server.faults.add(Fault(key=PREFIX + "refused", status=403, code="AccessDenied"))
    tree.scene.server.faults.add(Fault(key=PREFIX + "down", reset="before"))

    result = tree.run()

    assert failures(result) == bad | {long: OSSInvalidArgument}
    assert tree.objects() == FILES
    assert (result.failed, result.sent.count, result.files.count) == (Tally(4, 13), 7, 11)
    with pytest.raises(OSSTransientError, match=r"4 of 11 files of .* were not stored below oss://.*, the others were"):
        result.raise_failures()
    assert json.loads(json.dumps(result.as_dict())) == result.as_dict()
    assert r"\udcff\udcfe" in [one["file"] for one in result.as_dict()["failures"]]


@both_ways
def test_only_permanent_failures(tree: TreeScene) -> None:
    """When no retry can mend any of the failures the error is permanent, and the next attempt would be pointless."""
    tree.write(FILES | {"\udcff": b""})
    tree.scene.server.faults.add(Fault(key=PREFIX + "small.bin", status=403, code="AccessDenied"))
    with pytest.raises(OSSPermanentError, match="2 of 8 files") as caught:
        tree.run().raise_failures()
    assert "small.bin: OSSAccessDenied: " in str(caught.value)


@both_ways
def test_so_many_failures(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """Of many failures the first ten are named and the rest counted, in the result, the error and the log."""
    tree.write({f"{number:03}": b"x" for number in range(50)})
    tree.scene.server.faults.add(Fault(operation="PutObject", status=403, code="AccessDenied"))

    result = tree.run()

    assert (result.failed.count, result.not_tried.count) == (50, 0)
    assert len(result.as_dict()["failures"]) == 10
    assert len(json.dumps(result.as_dict())) < 10_000
    with pytest.raises(OSSPermanentError, match="and 40 more"):
        result.raise_failures()
    assert len([line for line in caplog.messages if "was not stored" in line]) == 10


@pytest.mark.parametrize(
    "fault", [{"reset": "before"}, {"status": 503}, {"foreign": True}], ids=["down", "busy", "foreign"]
)
@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM, LARGE])
def test_oss_that_cannot_be_reached(tree: TreeScene, fault: dict[str, Any], size_bytes: int) -> None:
    """After three files in a row that failed for the same transient reason the rest is left to the next attempt."""
    names = [f"{number:03}" for number in range(30)]
    tree.write({name: some_bytes(size_bytes, number) for number, name in enumerate(names)})
    for operation in ("PutObject", "InitiateMultipartUpload"):
        # By name: requests of several connections do not arrive in the order of the files
        tree.scene.server.faults.add(*(Fault(operation=operation, key=PREFIX + name, **fault) for name in names[4:]))

    result = tree.run()

    assert (result.failed.count, result.not_tried.count, result.sent.count) == (3, 23, 4)
    assert len(tree.operations()) < 60
    with pytest.raises(OSSTransientError, match="23 more were not tried"):
        result.raise_failures()
    tree.scene.server.faults.clear()
    assert tree.run().sent.count == 26
    assert tree.objects() == tree.files()


@both_ways
def test_oss_that_cannot_be_reached_while_comparing(tree: TreeScene) -> None:
    """The same holds for the questions that comparing asks."""
    tree.write({f"{number:03}": some_bytes(MEDIUM, number) for number in range(20)})
    tree.run()
    tree.scene.server.faults.add(Fault(operation="HeadObject", status=503))
    result = tree.run()
    assert failures(result) == dict.fromkeys(["000", "001", "002"], OSSServiceUnavailable)
    assert (result.not_tried.count, tree.sent()) == (17, [])


@pytest.mark.parametrize("fault", [{"reset": "before"}, {"status": 503}, {"foreign": True}])
def test_a_question_that_fails_once(tree: TreeScene, fault: dict[str, Any]) -> None:
    """A question that comparing asks is asked again after a fault that passes."""
    tree.write({f"{number:03}": some_bytes(MEDIUM, number) for number in range(5)})
    tree.run()
    tree.scene.server.faults.add(Fault(operation="HeadObject", times=2, **fault))
    assert tree.run().skipped.count == 5


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_files_that_go_away_before_they_are_compared(tree: TreeScene, size_bytes: int) -> None:
    """They are failures that another attempt will not have, and their objects stay for now."""
    tree.write({name: some_bytes(size_bytes) for name in "abc"})
    tree.run()
    client = Meanwhile(tree.scene.client, (tree.directory / "b").unlink)
    result = tree.run({"delete_removed": True}, client=client)
    assert (failures(result), result.skipped.count) == ({"b": OSSSourceMissing}, 2)
    assert not result.is_permanent
    assert tree.run({"delete_removed": True}).deleted.count == 1


def test_failures_of_the_files_are_no_reason_to_stop(tree: TreeScene) -> None:
    """Files that go away say nothing about OSS, however many do; and a retry would not miss them."""
    tree.write({f"{number:03}": b"x" for number in range(20)})
    gone = [tree.directory / f"{number:03}" for number in range(10)]
    client = Meanwhile(tree.scene.client, lambda: [path.unlink() for path in gone])

    result = tree.run(client=client)

    assert (result.failed.count, result.sent.count, result.not_tried.count) == (10, 10, 0)
    assert set(failures(result).values()) == {OSSSourceMissing}
    with pytest.raises(OSSTransientError):
        result.raise_failures()


def test_a_listing_that_fails(tree: TreeScene) -> None:
    """When OSS cannot be asked what is there nothing is sent and nothing deleted, not even after a first page."""
    tree.write({"x": b""})
    for number in range(1001):
        tree.put(f"{PREFIX}{number:04}", b"")
    tree.scene.server.faults.add(Fault(operation="ListObjectsV2", skip=1, status=503))
    with pytest.raises(OSSServiceUnavailable):
        tree.run({"delete_removed": True})
    assert set(tree.operations()) == {"ListObjectsV2"}
    tree.scene.server.faults.clear()


def test_nothing_works_without_a_directory(tree: TreeScene) -> None:
    """A missing directory is an error before OSS is asked anything."""
    tree.directory.rmdir()
    with pytest.raises(OSSSourceMissing, match=f"cannot be read on this worker, {host_name()}: No such file"):
        tree.run({"delete_removed": True, "allow_empty": True})
    assert tree.operations() == []


@pytest.mark.parametrize("left", ["nothing", "an empty directory"])
def test_a_worker_that_does_not_see_the_directory(tree: TreeScene, left: str) -> None:
    """Where a checkpoint shows that its files were read, that may pass, and the text says what to do."""
    tree.write({"large": some_bytes(LARGE)})
    stop_at_part(tree, "large", 3)
    tree.directory.rename(away := tree.directory.with_name("away"))
    if left == "an empty directory":  # on which a volume is mounted elsewhere
        tree.directory.mkdir()
    with pytest.raises(OSSSourceElsewhere, match=f"is not on this worker, {host_name()}.* volume .* queue"):
        tree.run()
    assert tree.operations() == []

    if left == "an empty directory":
        tree.directory.rmdir()
    away.rename(tree.directory)
    result = tree.run()
    assert (result.bytes_sent, result.bytes_verified) == (PART, 2 * PART)


def test_a_directory_that_may_be_empty(tree: TreeScene) -> None:
    """Where the user said that it may be, what was there before does not matter: its upload is given up."""
    tree.write({"large": some_bytes(LARGE)})
    stop_at_part(tree, "large", 3)
    (tree.directory / "large").unlink()
    assert tree.run({"allow_empty": True}).files == Tally()
    assert tree.scene.uploads() == []


@pytest.mark.parametrize("where", ["other prefix", "other directory"])
def test_a_checkpoint_of_something_else(tree: TreeScene, where: str) -> None:
    """It proves nothing of a directory that was never there."""
    tree.write({"large": some_bytes(LARGE)})
    stop_at_part(tree, "large", 3)
    prefix, directory = ("other/", tree.directory) if where == "other prefix" else (PREFIX, tree.directory / "typo")
    if where == "other prefix":
        tree.directory.rename(tree.directory.with_name("away"))
    with pytest.raises(OSSSourceMissing):
        tree.run(target=ObjectPrefix(tree.scene.bucket, prefix), source=TreeSource(str(directory)))


@pytest.mark.parametrize("part_size_bytes", [1, 6 * 1024**3])
def test_a_part_size_that_oss_refuses(tree: TreeScene, part_size_bytes: int) -> None:
    """It is one error, not one for each file."""
    tree.write(FILES)
    with pytest.raises(OSSInvalidArgument, match="part_size="):
        tree.run(settings=replace(tree.scene.settings, part_size_bytes=part_size_bytes))
    assert tree.operations() == []


@both_ways
def test_forbid_overwrite(tree: TreeScene) -> None:
    """Equal objects are fine, another one fails its file for good and stays."""
    tree.write(FILES)
    tree.run()
    tree.write({"small.bin": b"other", "new": b"new"})
    result = tree.run(options=parse_options(forbid_overwrite=True))
    assert failures(result) == {"small.bin": OSSObjectAlreadyExists}
    assert (result.sent.count, result.skipped.count) == (1, 6)
    assert tree.objects()["small.bin"] == FILES["small.bin"]


@both_ways
def test_credentials_that_expire(tree: TreeScene) -> None:
    """Whatever the call that meets an expired token, new credentials are asked for and nothing is lost."""
    tree.write(FILES | {"changed": b"1"})
    tree.run()
    tree.write({"changed": b"12"})
    tree.put(PREFIX + "old", b"old")
    for operation in ("ListObjectsV2", "HeadObject", "PutObject", "DeleteMultipleObjects"):
        tree.scene.server.faults.add(Fault(operation=operation, status=403, code="SecurityTokenExpired", times=3))
    asked: list[threading.Thread] = []

    def renew() -> bool:
        asked.append(threading.current_thread())
        return True

    result = tree.run({"delete_removed": True}, renew_credentials=renew)

    assert (result.sent.count, result.skipped.count, result.deleted.count) == (1, 7, 1)
    assert set(asked) == {threading.current_thread()}
    assert tree.objects() == tree.files()


def test_credentials_that_cannot_be_renewed(tree: TreeScene) -> None:
    """Without new ones the attempt stops after a few files, for the next one."""
    tree.write({f"{number:03}": b"x" for number in range(20)})
    tree.scene.server.faults.add(Fault(operation="PutObject", status=403, code="SecurityTokenExpired"))
    result = tree.run()
    assert (set(failures(result).values()), result.not_tried.count) == ({OSSCredentialsExpired}, 17)


# Attempts


def stop_at_part(tree: TreeScene, name: str, number: int) -> TreeResult:
    """Make an attempt in which this part of this file is refused; one part at a time, so those before it arrive."""
    fault = Fault(operation="UploadPart", key=PREFIX + name, part_number=number, status=403, code="AccessDenied")
    tree.scene.server.faults.add(fault)
    result = tree.run(settings=replace(tree.scene.settings, parallel=1))
    tree.scene.server.faults.clear()
    return result


@both_ways
def test_large_files_that_fail_are_continued(tree: TreeScene) -> None:
    """Each of several large files keeps what arrived of it, while the others go on; nothing is left in the end."""
    tree.write({name: some_bytes(LARGE, seed) for seed, name in enumerate("abcd")})
    tree.stores.append(MemoryStore())
    tree.scene.server.faults.add(
        Fault(operation="UploadPart", key=PREFIX + "a", part_number=3, status=403, code="AccessDenied")
    )
    assert failures(stop_at_part(tree, "c", 2)) == {"a": OSSAccessDenied, "c": OSSAccessDenied}
    assert len(tree.scene.uploads()) == 2

    result = tree.run()

    parts = [(request.key.removeprefix(PREFIX), request.part_number) for request in tree.scene.requests("UploadPart")]
    assert sorted(parts) == [("a", 3), ("c", 2), ("c", 3)]
    assert (result.sent.count, result.skipped.count) == (2, 2)
    assert (result.bytes_sent, result.bytes_verified) == (3 * PART, 3 * PART)
    assert tree.objects() == tree.files()
    assert tree.scene.uploads() == []
    assert {store.data for store in tree.stores} == {None}


@both_ways
def test_more_unfinished_files_than_stores(tree: TreeScene) -> None:
    """One store more than there are is taken from the file that had it last: its upload is aborted, not forgotten."""
    tree.write({name: some_bytes(LARGE, seed) for seed, name in enumerate("abc")})
    for name in "abc":
        tree.scene.server.faults.add(
            Fault(operation="UploadPart", key=PREFIX + name, part_number=3, status=403, code="AccessDenied")
        )
    assert set(failures(tree.run())) == {"a", "b", "c"}
    assert len(tree.scene.uploads()) == 2
    tree.scene.server.faults.clear()

    assert tree.run().sent.count == 3
    assert tree.objects() == tree.files()
    assert tree.scene.uploads() == []


@both_ways
@pytest.mark.parametrize("change", ["deleted", "shrunk", "equal", "other prefix"])
def test_an_unfinished_upload_that_nobody_needs(tree: TreeScene, change: str) -> None:
    """When the file of an unfinished upload is not to be sent any more, the upload is aborted in the end."""
    tree.write({"large": some_bytes(LARGE), "x": b"1"})
    stop_at_part(tree, "large", 3)
    assert len(tree.scene.uploads()) == 1
    if change == "deleted":
        (tree.directory / "large").unlink()
    elif change == "shrunk":
        tree.write({"large": b"small"})
    elif change == "equal":
        tree.put(PREFIX + "large", some_bytes(LARGE))
    target = ObjectPrefix(tree.scene.bucket, "other/" if change == "other prefix" else PREFIX)

    tree.run(target=target).raise_failures()

    assert tree.scene.uploads() == []
    assert {store.data for store in tree.stores} == {None}


@both_ways
def test_an_unfinished_upload_that_is_needed(tree: TreeScene) -> None:
    """It is not aborted by an attempt that could not come to its file."""
    tree.write({"a": b"1", "large": some_bytes(LARGE)})
    stop_at_part(tree, "large", 3)
    tree.scene.server.faults.add(Fault(operation="ListParts", status=503))
    assert failures(tree.run()) == {"large": OSSServiceUnavailable}
    assert len(tree.scene.uploads()) == 1
    tree.scene.server.faults.clear()

    tree.run().raise_failures()
    assert [request.part_number for request in tree.scene.requests("UploadPart")] == [3]


def test_without_a_store(tree: TreeScene) -> None:
    """An upload that fails is aborted when no later attempt could continue it."""
    tree.write({"large": some_bytes(LARGE)})
    tree.stores = []
    stop_at_part(tree, "large", 3)
    assert tree.scene.uploads() == []


def test_a_store_that_cannot_be_read(tree: TreeScene) -> None:
    """Its error is raised: an unfinished upload could be forgotten otherwise."""
    tree.write({"large": some_bytes(LARGE)})
    tree.stores = [FailingStore("load")]
    with pytest.raises(StoreDownError):
        tree.run()


def test_a_checkpoint_that_cannot_be_read(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """What is no checkpoint is reported and replaced."""
    tree.write({"large": some_bytes(LARGE)})
    tree.stores[0].data = {"not": "one"}
    tree.run().raise_failures()
    assert "A saved checkpoint is ignored" in caplog.text
    assert tree.stores[0].data is None


@both_ways
def test_asked_to_stop(tree: TreeScene) -> None:
    """After a request to stop nothing more is begun, and the next attempt sends what is missing."""
    tree.write({f"{number:03}": b"x%d" % number for number in range(50)})
    cancellation = Cancellation()
    told: list[float] = []

    def progress(fraction: float, *_: object) -> None:
        told.append(fraction)
        if len(told) == 10:
            cancellation.request()

    with pytest.raises(OSSUploadCancelled):
        tree.run(cancellation=cancellation, progress=progress)

    arrived = len(tree.scene.requests("PutObject"))
    assert 10 <= arrived < 20
    result = tree.run()
    assert result.skipped.count >= arrived  # one that was in flight may have arrived meanwhile
    assert result.skipped.count + result.sent.count == 50


def test_asked_to_stop_while_comparing(tree: TreeScene) -> None:
    """Nothing more is asked or sent then."""
    tree.write({f"{number:03}": some_bytes(MEDIUM, number) for number in range(20)})
    tree.run()
    cancellation = Cancellation()
    with pytest.raises(OSSUploadCancelled):
        tree.run(cancellation=cancellation, progress=lambda *_: cancellation.request())
    assert tree.sent() == []
    assert len(tree.scene.requests("HeadObject")) < 5


# Progress


@both_ways
def test_progress_is_told(tree: TreeScene) -> None:
    """The callback hears after every file and every part: how much of the whole tree's bytes is done."""
    tree.write(FILES)
    told: list[tuple[float, Any, Any]] = []
    tree.run(progress=lambda *what: told.append(what))

    fractions = [fraction for fraction, _, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len([response for _, _, response in told if isinstance(response, UploadResult)]) == 7
    assert len([checkpoint for _, checkpoint, _ in told if checkpoint is not None]) == 3

    again: list[tuple[float, Any, Any]] = []
    tree.run(progress=lambda *what: again.append(what))
    assert len(again) == 7
    assert {response for _, _, response in again} == {None}


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("error", [RuntimeError, ConnectionResetError, OSSConnectionError])
def test_an_error_of_the_callback(tree: TreeScene, error: Callable[[str], Exception], at: int) -> None:
    """It ends the attempt as it is, whatever its class: it is no failure of a file."""
    tree.write({"large": some_bytes(LARGE), "x": b"", "y": b""})
    calls = 0

    def progress(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error("the callback fails")

    with pytest.raises(error, match="the callback fails") as caught:  # type: ignore[call-overload]
        tree.run(progress=progress)
    assert caught.value.__context__ is None
    assert calls == at
    tree.run().raise_failures()
    assert tree.objects() == tree.files()


def test_lines_in_the_log(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """Every few seconds, ever less often, a line tells files and bytes done of all, and the speed."""
    caplog.set_level("INFO")
    tree.write({f"{number:03}": some_bytes(1024, number) for number in range(20)})
    clock = HandClock()

    def progress(*_: object) -> None:
        clock.seconds += 1

    tree.run(progress=progress, clock=clock)

    lines = [line for line in caplog.messages if "of 20 files" in line]
    assert len(lines) == 3
    assert lines[0] == (
        "5 of 20 files, 5.0 of 20.0 KiB (25.0%): sent 5, already there 0, failed 0; 1.0 files/s, 1.0 KiB/s"
    )


# Deleting

OLD = {"old": b"1", "a/old": b"12", "logs/old.log": b"123"}


def prepared(tree: TreeScene) -> None:
    """Store a tree and what it does not have, inside the prefix and beside it."""
    tree.write(FILES)
    tree.run()
    for name, data in OLD.items():
        tree.put(PREFIX + name, data)
    for key in ("base/tree", "base/tree-2/x", "base/x", PREFIX, PREFIX + "folder/", "zzz"):
        tree.put(key)


def test_nothing_is_deleted_unasked(tree: TreeScene) -> None:
    """Without ``delete_removed`` what the tree does not have stays."""
    prepared(tree)
    assert tree.run().deleted == Tally()
    assert set(OLD) < set(tree.objects())


@both_ways
def test_what_the_tree_does_not_have_is_deleted(tree: TreeScene) -> None:
    """Only below the prefix, and never what stands for a folder."""
    prepared(tree)
    before = tree.keys()

    result = tree.run({"delete_removed": True})

    assert result.deleted == Tally(3, 6)
    assert set(before) - set(tree.keys()) == {PREFIX + name for name in OLD}
    assert tree.operations().count("DeleteMultipleObjects") == 1
    assert tree.run({"delete_removed": True}).deleted == Tally()


@both_ways
def test_only_what_the_globs_mean_is_deleted(tree: TreeScene) -> None:
    """What include does not name, or exclude does, is not the tree's business."""
    prepared(tree)
    result = tree.run({"delete_removed": True}, include=["**/old*", "**/*.bin"], exclude=["a/**"])
    assert result.deleted.count == 2
    assert "a/old" in tree.objects()
    assert "a/medium.bin" in tree.objects()


@both_ways
def test_nothing_is_deleted_when_a_file_failed(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """One file that was not stored, for whatever reason, keeps everything; the log says so."""
    prepared(tree)
    tree.write({"\udcff": b""})
    result = tree.run({"delete_removed": True})
    assert (result.failed.count, result.deleted) == (1, Tally())
    assert set(OLD) < set(tree.objects())
    assert "Nothing is deleted below" in caplog.text


@pytest.mark.parametrize(
    "globs", [{"include": "*.csv"}, {"include": ["*.csv", "a/**"], "exclude": "a/**"}, {"exclude": "**"}]
)
@pytest.mark.parametrize("rules", [{}, {"skip_unchanged": False}, {"delete_removed": True}, {"dry_run": True}], ids=str)
def test_globs_that_mean_no_file(tree: TreeScene, rules: dict[str, bool], globs: dict[str, Any]) -> None:
    """It is an error before OSS is asked anything, unless that is allowed."""
    tree.write({"x.txt": b"", "a/x.csv.gz": b""})
    with pytest.raises(OSSInvalidSource, match=r"no file that include and exclude mean: .* allow_empty=True"):
        tree.run(rules, **globs)
    assert tree.operations() == []
    assert tree.run({**rules, "allow_empty": True}, **globs).files == Tally()


def test_include_and_an_empty_directory(tree: TreeScene) -> None:
    """Include says that there are files: none at all is an error. Exclude, or no glob, does not."""
    with pytest.raises(OSSInvalidSource, match="no file that include"):
        tree.run(include="**")
    assert tree.run(exclude="*.tmp").files == Tally()
    assert tree.run().files == Tally()


def test_globs_that_mean_what_is_left_out_or_fails(tree: TreeScene) -> None:
    """They match: what becomes of that is told by the log and the result."""
    (tree.directory / "link").symlink_to("nothing")
    assert tree.run(include="link", symlinks="skip").left_out == 1
    assert tree.run(include="link").failed.count == 1


@both_ways
def test_an_empty_directory_deletes_nothing(tree: TreeScene) -> None:
    """It is an error that says how many objects were in danger, unless that is allowed."""
    prepared(tree)
    for path in sorted(tree.directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    globs = {"exclude": ["*.txt"]}

    with pytest.raises(OSSInvalidArgument, match=r"would delete all 10 objects below .*: set allow_empty=True"):
        tree.run({"delete_removed": True}, **globs)
    assert tree.operations() == ["ListObjectsV2"]

    result = tree.run({"delete_removed": True, "allow_empty": True}, **globs)
    assert result.deleted.count == 10
    assert sorted(tree.objects()) == ["", "folder/"]
    assert tree.run({"delete_removed": True}, **globs).files == Tally()


def test_a_bucket_is_never_emptied(tree: TreeScene) -> None:
    """Without a prefix, which a template may leave empty, deleting is refused before anything is done."""
    tree.write(FILES)
    target = ObjectPrefix(tree.scene.bucket, "")
    with pytest.raises(OSSInvalidArgument, match="whole bucket"):
        tree.run({"delete_removed": True, "allow_empty": True}, target=target)
    assert tree.operations() == []
    tree.run(target=target).raise_failures()
    assert sorted(tree.keys()) == sorted(FILES)


@both_ways
def test_a_file_that_comes_up_meanwhile(tree: TreeScene) -> None:
    """An object whose file is there when it is about to be deleted stays: symlinks left out, files just written."""
    prepared(tree)
    (tree.directory / "old").symlink_to("nothing")
    (tree.directory / "logs").symlink_to(tree.directory / "a")
    tree.write({"a/old.log": b"123"})

    result = tree.run({"delete_removed": True}, symlinks="skip")

    assert result.left_out == 2
    assert (result.deleted.count, sorted(set(OLD) & set(tree.objects()))) == (1, ["logs/old.log", "old"])


@both_ways
def test_a_deletion_that_fails(tree: TreeScene) -> None:
    """Its error ends the attempt, after everything was sent; the next one deletes."""
    prepared(tree)
    tree.write({"new": b"new"})
    tree.scene.server.faults.add(Fault(operation="DeleteMultipleObjects", status=503))
    with pytest.raises(OSSServiceUnavailable):
        tree.run({"delete_removed": True})
    assert "new" in tree.objects()
    tree.scene.server.faults.clear()
    assert tree.run({"delete_removed": True}).deleted.count == 3


@both_ways
def test_a_deletion_that_is_not_reported(tree: TreeScene) -> None:
    """What OSS does not say it deleted does not count as deleted."""
    prepared(tree)
    answer = b'<?xml version="1.0" encoding="UTF-8"?><DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>'
    tree.scene.server.faults.add(Fault(operation="DeleteMultipleObjects", response_body=answer))
    with pytest.raises(OSSBadResponse, match="did not report 3 objects below"):
        tree.run({"delete_removed": True})


# Dry run


@both_ways
def test_a_dry_run(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """It tells by number and name what would be sent and deleted, and changes nothing."""
    caplog.set_level("INFO")
    prepared(tree)
    tree.write({"new": b"12345", "small.bin": b"other"})
    before = tree.objects()

    result = tree.run({"delete_removed": True, "dry_run": True})

    assert set(tree.operations()) == {"ListObjectsV2", "HeadObject"}
    assert tree.objects() == before
    assert (result.sent, result.skipped.count, result.deleted) == (Tally(2, 10), 6, Tally(3, 6))
    assert result.as_dict()["would_send"] == ["new", "small.bin"]
    assert result.as_dict()["would_delete"] == sorted(OLD)
    assert [line for line in caplog.messages if line.startswith("Would be")] == [
        *(f"Would be sent: {name}" for name in ("new", "small.bin")),
        *(f"Would be deleted: {name}" for name in sorted(OLD)),
    ]
    real = tree.run({"delete_removed": True})
    assert (real.sent, real.skipped, real.deleted) == (result.sent, result.skipped, result.deleted)
    assert "would_send" not in real.as_dict()


@both_ways
def test_a_dry_run_of_many(tree: TreeScene, caplog: pytest.LogCaptureFixture) -> None:
    """Names are told in bounds, numbers in full."""
    caplog.set_level("INFO")
    tree.write({f"{number:04}": b"" for number in range(1010)})
    result = tree.run({"dry_run": True})
    assert result.sent.count == 1010
    assert len(result.as_dict()["would_send"]) == 10
    lines = [line for line in caplog.messages if line.startswith("Would be")]
    assert (len(lines), lines[-1]) == (1001, "Would be sent: 10 more")


def test_a_dry_run_keeps_what_is_unfinished(tree: TreeScene) -> None:
    """Checkpoints and the uploads they name are left alone."""
    tree.write({"large": some_bytes(LARGE), "x": b""})
    stop_at_part(tree, "large", 3)
    (tree.directory / "large").unlink()
    tree.run({"dry_run": True})
    assert len(tree.scene.uploads()) == 1


@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM])
def test_a_file_that_grows_meanwhile(tree: TreeScene, size_bytes: int) -> None:
    """A file that is longer than when the tree was read is not taken for what it was."""
    data = some_bytes(size_bytes)
    tree.write({"x": data})
    tree.run()

    result = tree.run(client=Meanwhile(tree.scene.client, lambda: tree.write({"x": data + b"more"})))

    assert (result.sent.count, tree.objects()) == (1, {"x": data + b"more"})


@both_ways
def test_names_of_no_file_are_deleted(tree: TreeScene) -> None:
    """A key that no file below the directory has is surplus, though a file is where its name would lead."""
    tree.write({"a/b": b"kept"})
    (tree.directory.parent / "outside").write_bytes(b"")
    odd = ["a//b", "a/./b", "../outside", "a/../a/b", "/etc/passwd", "a/\0"]
    for name in odd:
        tree.put(PREFIX + name)
    result = tree.run({"delete_removed": True})
    assert result.deleted.count == len(odd)
    assert tree.objects() == {"a/b": b"kept"}


@pytest.mark.parametrize("symlinks", ["skip", "error"])
@pytest.mark.parametrize("size_bytes", [SMALL, MEDIUM, LARGE])
@pytest.mark.parametrize("is_there", [False, True])
def test_files_that_become_symlinks(tree: TreeScene, symlinks: str, size_bytes: int, *, is_there: bool) -> None:
    """Where symlinks are not followed, one that takes the place of a file or its folder meanwhile is not either."""
    secret, data = some_bytes(size_bytes, 7), some_bytes(size_bytes)
    outside = tree.directory.parent / "outside"
    write_tree(outside, {"x": secret})
    tree.write({"a/x": data, "b/x": data, "c": data})
    if is_there:
        for name in ("a/x", "b/x", "c"):
            tree.put(PREFIX + name, data)

    def replace_them() -> None:
        (tree.directory / "a" / "x").unlink()
        (tree.directory / "a" / "x").symlink_to(outside / "x")
        (tree.directory / "b").rename(outside / "b")
        (tree.directory / "b").symlink_to(outside)

    result = tree.run(symlinks=symlinks, client=Meanwhile(tree.scene.client, replace_them))

    assert failures(result) == dict.fromkeys(["a/x", "b/x"], OSSSourceChanged)
    assert not result.is_permanent
    assert secret not in tree.objects().values()
    assert tree.objects()["c"] == data
