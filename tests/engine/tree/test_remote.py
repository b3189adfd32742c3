"""What is listed of a prefix, and what is deleted of a tree that was stored by shards."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from airflow_provider_oss.emulator import Fault
from airflow_provider_oss.engine.tree.remote import Removed, TreeRemoval
from airflow_provider_oss.engine.tree.result import Tally, TreeResult
from airflow_provider_oss.engine.tree.walk import EVERYTHING, PathRange, TreeRules, TreeSource
from airflow_provider_oss.exceptions import (
    OSSBadResponse,
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSServiceUnavailable,
    OSSSourceElsewhere,
    OSSUploadCancelled,
)
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.model import ListedObject, ObjectPrefix, ObjectRef, Page
from airflow_provider_oss.ports import TreeClient
from airflow_provider_oss.shown import host_name
from tests.engine.doubles import changed
from tests.engine.tree.conftest import PREFIX, TreeScene
from tests.support.sources import some_bytes

HALVES = [PathRange(None, "m"), PathRange("m")]


class Asked(NamedTuple):
    """What a listing asked for."""

    prefix: str
    start_after: str
    is_first: bool


class Watched:
    """A client that remembers what was listed."""

    def __init__(self, client: TreeClient) -> None:
        self._client = client
        self.asked: list[Asked] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def list_objects(
        self, bucket: str, prefix: str, delimiter: str, token: str, *, start_after: str = ""
    ) -> Page[ListedObject]:
        self.asked.append(Asked(prefix.removeprefix(PREFIX), start_after.removeprefix(PREFIX), not token))
        return self._client.list_objects(bucket, prefix, delimiter, token, start_after=start_after)


def run(tree: TreeScene, rules: dict[str, Any] | None = None, **changes: Any) -> tuple[TreeResult, list[Asked]]:
    """Make one attempt; return also what it listed."""
    client = Watched(tree.scene.client)
    return tree.run(rules, client=client, **changes), client.asked


def store_many(tree: TreeScene, folders: int, files: int) -> None:
    """Write and store files of one byte, so many in each folder."""
    tree.write({f"{folder:04}/{file:04}": b"1" for folder in range(folders) for file in range(files)})
    tree.run().raise_failures()


def removal(tree: TreeScene, **changes: Any) -> TreeRemoval:
    globs = {name: changes.pop(name) for name in ("include", "exclude") if name in changes}
    has_files = changes.pop("has_files", False)
    whole = TreeSource(str(tree.directory), Selection(**globs), has_files=has_files)
    usual = TreeRemoval(
        [replace(whole, shard=shard) for shard in HALVES],
        ObjectPrefix(tree.scene.bucket, PREFIX),
        tree.scene.means,
        most_at_once=tree.most_at_once,
    )
    return changed(usual, **changes)


# Listing


@pytest.mark.parametrize("rules", [{}, {"delete_removed": True}, {"dry_run": True}], ids=str)
def test_include_narrows_the_listing(tree: TreeScene, rules: dict[str, bool]) -> None:
    """Only the prefixes that the globs can match are listed: one request instead of one for each thousand objects."""
    store_many(tree, 30, 100)
    result, asked = run(tree, rules, include=["0000/**"])
    assert result.skipped.count == 100
    assert asked == [Asked("0000/", "", is_first=True)]


@pytest.mark.parametrize(
    ("include", "prefixes"),
    [
        (["0001/**", "0000/**"], ["0000/", "0001/"]),
        (["0000/**", "0000/00*", "0000/0001"], ["0000/"]),
        (["0000/000?", "0000/[01]*"], ["0000/"]),
        (["00", "0001/0001"], ["00"]),
        (["0000/**", "**/0001"], [""]),
        ("0001/0001", ["0001/0001"]),
        ([f"0000/{number:04}" for number in range(50)], [f"0000/{number:04}" for number in range(50)]),
        ([f"000{number % 2}/{number:04}" for number in range(101)], ["0000/", "0001/"]),
    ],
    ids=str,
)
def test_prefixes(tree: TreeScene, include: Any, prefixes: list[str]) -> None:
    """Each is listed once, none that is in another; many, the folders that they are in."""
    store_many(tree, 2, 101)
    _, asked = run(tree, include=include)
    assert asked == [Asked(prefix, "", is_first=True) for prefix in prefixes]


def test_a_glob_that_lists_less_deletes_what_it_did(tree: TreeScene) -> None:
    """Objects that the globs mean and that have no file are found all the same: ``0000`` is a folder now."""
    store_many(tree, 3, 2)
    for name in ("0000/old", "0001/old", "0002/old", "000", "0000"):
        tree.put(PREFIX + name)
    tree.run({"delete_removed": True}, include=["0000/**", "0001/o*", "0000", "0002/0001"])
    assert [name for name in tree.objects() if "old" in name or "/" not in name] == ["000", "0002/old"]


def test_a_shard_lists_its_range(tree: TreeScene) -> None:
    """The listing begins at the shard and stops behind it."""
    store_many(tree, 30, 100)
    result, asked = run(tree, shard=PathRange("0014/0049", "0015/0048"))
    assert (result.files.count, result.skipped.count) == (99, 99)
    assert asked == [Asked("", "0014/0049", is_first=True)]


def test_shards_list_as_much_as_the_whole(tree: TreeScene) -> None:
    """Together they ask little more than one task alone; each page after the first is asked for by its token."""
    store_many(tree, 25, 100)
    _, asked = run(tree, shard=PathRange("0001/0000"))
    assert asked == [Asked("", "0001/0000", is_first=True), *[Asked("", "", is_first=False)] * 2]


@pytest.mark.parametrize(
    ("shard", "prefixes"),
    [
        (PathRange(None, "0000/0050"), ["0000/"]),
        (PathRange("0000/0050", "0001/0000"), ["0000/"]),
        (PathRange("0000/0050", "0002/0000"), ["0000/", "0002/"]),
        (PathRange("0002"), ["0002/"]),
        (PathRange("0003"), []),
    ],
    ids=str,
)
def test_a_shard_and_globs(tree: TreeScene, shard: PathRange, prefixes: list[str]) -> None:
    """Only the prefixes that the shard has something of are listed."""
    store_many(tree, 3, 100)
    result, asked = run(tree, shard=shard, include=["0000/**", "0002/**"])
    assert [one.prefix for one in asked] == prefixes
    assert (result.sent.count, result.skipped.count) == (0, result.files.count)


def test_a_shard_that_begins_beyond_any_key(tree: TreeScene) -> None:
    """Where prefix and path together are longer than a key may be, the listing begins before that."""
    tree.write({"a": b"1", "\u00fc" * 100: b"2", "\uffff": b"3"})
    tree.run()
    result, [asked] = run(tree, shard=PathRange("\u00fc" * 510))
    assert (result.sent.count, result.skipped.count) == (0, 1)
    assert len((PREFIX + asked.start_after).encode()) in {1022, 1023}


def test_a_shard_is_stored(tree: TreeScene) -> None:
    """The files in the range, and no others; the result names it."""
    tree.write({name: name.encode() for name in ("a", "a-b", "m", "m-", "x/y")})
    for shard, expected in zip(HALVES, (["a", "a-b", "m"], ["m-", "x/y"]), strict=True):
        result = tree.run(shard=shard)
        assert [name.removeprefix(PREFIX) for name in tree.sent()] == expected
        assert result.as_dict()["shard"] == {"after": shard.after, "until": shard.until}
    assert tree.objects() == tree.files()


def test_a_shard_may_be_empty(tree: TreeScene) -> None:
    """It is no error, whatever the globs say; nothing is deleted by a shard."""
    tree.write({"a": b"1"})
    tree.put(f"{PREFIX}zzz")
    assert tree.run(shard=PathRange("b"), include="a").files == Tally()
    with pytest.raises(OSSInvalidArgument, match="delete_removed=True with a shard"):
        tree.run({"delete_removed": True}, shard=EVERYTHING)
    assert "zzz" in tree.objects()


def test_a_worker_that_does_not_see_the_directory(tree: TreeScene) -> None:
    """A shard has a plan, which has seen the directory: that it is missing here, or has nothing in it, may pass."""
    shard = PathRange("b")
    with pytest.raises(OSSSourceElsewhere, match=f"is not on this worker, {host_name()}"):
        tree.run(source=TreeSource(str(tree.directory), shard=shard, has_files=True))
    tree.write({"a": b"1"})
    with pytest.raises(OSSSourceElsewhere, match="clear the task that plans if it was removed since"):
        tree.run(source=TreeSource(str(tree.directory), shard=shard, has_files=True))
    assert tree.run(source=TreeSource(str(tree.directory), shard=shard)).files == Tally()
    with pytest.raises(OSSSourceElsewhere, match=r"is not on this worker, .* volume"):
        tree.run(source=TreeSource(str(tree.directory / "absent"), shard=shard))
    assert set(tree.operations()) <= {"ListObjectsV2"}


# Deleting


@pytest.mark.parametrize("most_at_once", [100_000, 2])
def test_what_is_gone_is_deleted(tree: TreeScene, most_at_once: int) -> None:
    """All that the directory does not have, in every shard, below the prefix only, and never what is a folder."""
    tree.most_at_once = most_at_once
    tree.write(dict.fromkeys(("a", "b/c", "n", "x/y"), b"1"))
    tree.run()
    gone = ["0", "a-", "b/old", "m", "old", "x/y/z", "\uffff"]
    for key in [*(PREFIX + name for name in gone), f"{PREFIX}folder/", "base/tree", "zzz"]:
        tree.put(key)

    told = removal(tree, rules=TreeRules(dry_run=True)).run()
    assert told == Removed(Tally(len(gone), len(b"foreign") * len(gone)), tuple(sorted(gone)))
    assert len(tree.objects()) == len(gone) + 5

    assert removal(tree).run() == Removed(told.deleted, ())
    assert sorted(tree.objects()) == ["a", "b/c", "folder/", "n", "x/y"]
    assert {"base/tree", "zzz"} < set(tree.keys())
    assert removal(tree).run().deleted == Tally()


def test_many_are_deleted(tree: TreeScene) -> None:
    """As many in a request as OSS takes."""
    tree.write({"kept": b""})
    for number in range(1001):
        tree.put(f"{PREFIX}{number:04}", b"")
    tree.scene.server.forget_requests()
    assert removal(tree).run().deleted.count == 1001
    assert len(tree.scene.requests("DeleteMultipleObjects")) == 2


def test_only_what_the_globs_mean(tree: TreeScene) -> None:
    """Globs hold for deleting as they do for sending."""
    tree.write({"a/kept": b""})
    for name in ("a/old", "b/old", "a/old.txt"):
        tree.put(PREFIX + name)
    assert removal(tree, include="a/**", exclude="**/*.txt").run().deleted.count == 1
    assert sorted(tree.objects()) == ["a/old.txt", "b/old"]


def test_an_empty_directory(tree: TreeScene) -> None:
    """It deletes nothing unless that is allowed; where there is nothing to delete it is no error."""
    assert removal(tree).run().deleted == Tally()
    tree.put(f"{PREFIX}x/y")
    with pytest.raises(OSSInvalidArgument, match=r"would delete all objects below .*: set allow_empty=True"):
        removal(tree).run()
    assert tree.objects() != {}
    assert removal(tree, rules=TreeRules(allow_empty=True)).run().deleted.count == 1


def test_what_may_not_be_deleted(tree: TreeScene) -> None:
    """Never from a whole bucket, nor without the directory, nor where a planned directory is empty."""
    for key in ("zzz", f"{PREFIX}x"):
        tree.put(key)
    with pytest.raises(OSSInvalidArgument, match="whole bucket"):
        removal(tree, target=ObjectPrefix(tree.scene.bucket, "")).run()
    with pytest.raises(OSSSourceElsewhere, match=f"is not on this worker, {host_name()}"):
        removal(tree, has_files=True).run()
    shutil.rmtree(tree.directory)
    with pytest.raises(OSSSourceElsewhere, match=f"is not on this worker, {host_name()}"):
        removal(tree, rules=TreeRules(allow_empty=True)).run()
    assert len(tree.keys()) == 2


def test_a_part_that_cannot_be_read(tree: TreeScene) -> None:
    """Whatever cannot be read of the tree keeps all in that shard, and those behind it."""
    tree.write({"a": b""})
    (tree.directory / "dead").symlink_to("nothing")
    for name in ("b", "x"):
        tree.put(PREFIX + name)
    with pytest.raises(OSSInvalidSource, match="'dead' is a symlink to what does not exist"):
        removal(tree).run()
    assert sorted(tree.objects()) == ["b", "x"]


def test_whether_there_is_a_file_cannot_be_seen(tree: TreeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the file system is not "no such file"; a name that no file can have is."""
    tree.write({"a": b""})
    for name in ("\u00fc" * 300, "x"):
        tree.put(PREFIX + name)

    def fail(path: str) -> Any:
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patched:
        patched.setattr("os.lstat", fail)
        with pytest.raises(OSError, match="Input/output error"):
            removal(tree).run()
    assert len(tree.objects()) == 2
    assert removal(tree).run().deleted.count == 2


def test_a_deletion_that_fails(tree: TreeScene) -> None:
    """Its error is raised, as is that of a listing; what OSS does not report counts as not deleted."""
    tree.write({"a": b""})
    tree.put(f"{PREFIX}x")
    answer = b'<?xml version="1.0" encoding="UTF-8"?><DeleteResult><Deleted><Key>y</Key></Deleted></DeleteResult>'
    for fault, error in (
        (Fault(operation="DeleteMultipleObjects", status=503), OSSServiceUnavailable),
        (Fault(operation="ListObjectsV2", status=503), OSSServiceUnavailable),
        (Fault(operation="DeleteMultipleObjects", response_body=answer), OSSBadResponse),
    ):
        tree.scene.server.faults.add(fault)
        with pytest.raises(error):
            removal(tree).run()
        tree.scene.server.faults.clear()
        assert bool(tree.objects()) == (error is OSSServiceUnavailable)


def test_asked_to_stop(tree: TreeScene) -> None:
    """Nothing is deleted after a request to stop."""
    tree.write({"a": b""})
    tree.put(f"{PREFIX}x")
    one = removal(tree)
    one.means.cancellation.request()
    with pytest.raises(OSSUploadCancelled):
        one.run()
    assert list(tree.objects()) == ["x"]


def test_more_surplus_than_can_be_remembered(tree: TreeScene) -> None:
    """The single task lists once more, piece by piece, and deletes the same."""
    tree.most_at_once = 3
    tree.write({name: some_bytes(10) for name in ("a", "b", "m", "n")})
    tree.run()
    for name in ("0", "c", "mm", "o", "z"):
        tree.put(PREFIX + name)
    told = tree.run({"delete_removed": True, "dry_run": True})
    assert told.as_dict()["would_delete"] == ["0", "c", "mm", "o", "z"]
    result = tree.run({"delete_removed": True})
    assert (result.deleted, result.skipped.count) == (told.deleted, 4)
    assert tree.objects() == tree.files()


def test_a_file_that_comes_up_while_objects_are_listed(tree: TreeScene) -> None:
    """Whether there is a file is looked at when its object is about to be deleted, not when that was listed."""
    store_many(tree, 1, 1500)
    tree.put(f"{PREFIX}aaa")
    client = Watched(tree.scene.client)

    class Slow(Watched):
        def list_objects(self, *call: Any, **named: Any) -> Page[ListedObject]:
            page = client.list_objects(*call, **named)
            if len(client.asked) == 2:
                tree.write({"aaa": b"new"})
            return page

    removed = removal(tree, client=Slow(tree.scene.client)).run()
    assert (len(client.asked), removed.deleted.count) == (3, 0)
    assert tree.scene.client.head_object(ObjectRef(tree.scene.bucket, f"{PREFIX}aaa")).size_bytes == len(b"foreign")
