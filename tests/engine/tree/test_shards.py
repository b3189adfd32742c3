"""How a tree is cut into shards: each file is in one of them, and they are about equal."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.engine.tree.shards import Sample, Shard, TreePieces, plan_shards
from airflow_provider_oss.engine.tree.walk import (
    EVERYTHING,
    PathRange,
    TreeSource,
    in_key_order,
    range_of,
    read_tree,
)
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSUploadCancelled
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.limits import GIB, KIB, MIB
from tests.support.trees import write_tree

CHECK = Cancellation().check

NAMES = st.text(st.sampled_from("ab-./0\x01\u00fc\uffff\U0001f600\udc80\udcff"), min_size=1, max_size=8).filter(
    lambda name: not {"", ".", ".."} & set(name.split("/"))
)
"""Paths with what sorts oddly: around the slash, on both sides of the surrogates, no UTF-8, prefixes of each other."""


def plan(source: TreeSource | Path, shards: int = 8, **more: Any) -> list[Shard]:
    tree = source if isinstance(source, TreeSource) else TreeSource(str(source))
    return plan_shards(tree, CHECK, **{"shards": shards, "max_shards": 1024} | more)


def cut(sizes: dict[str, int], shards: int, *, by_files: bool = False, most: int = 65_536) -> list[Shard]:
    sample = Sample(by_files=by_files, most=most)
    for name, size_bytes in sizes.items():
        sample.add(name, size_bytes)
    return sample.cut(shards, EVERYTHING)


def names_in(directory: Path, shard: Shard | PathRange | None = None, **more: Any) -> list[str]:
    between = shard.between if isinstance(shard, Shard) else shard
    return [file.relative for file in read_tree(TreeSource(str(directory), shard=between, **more), CHECK).files]


# Which paths a range has


@given(st.sets(NAMES, min_size=1), st.integers(1, 10), st.sampled_from([2, 65_536]))
@example({"\udcff", "\udc80a"}, 3, 65_536)
@example({"a", "a/b", "a-b", "a0", "a/\udcff", "a/b/c"}, 6, 65_536)
def test_every_path_is_in_one_shard(names: set[str], shards: int, most: int) -> None:
    """Whatever the names are, also of files that were not there when it was planned."""
    known = dict.fromkeys(sorted(names)[::2], 1)
    found = cut(known, shards, most=most)
    assert 1 <= len(found) <= shards
    assert [shard.between.after for shard in found] == [None, *(shard.between.until for shard in found[:-1])]
    assert found[-1].between.until is None
    for name in names:
        assert [shard.between.contains(name) for shard in found].count(True) == 1


@given(NAMES, st.none() | NAMES, st.none() | NAMES)
@example("a/b", "a-", "a/")
@example("a/b", "a/a", "a/b")
def test_directories_that_are_left_out_have_nothing_inside(name: str, after: str | None, until: str | None) -> None:
    """A path in the range is found: no directory above it, and no prefix of it, is taken to be outside."""
    try:
        between = PathRange(after, until)
    except OSSInvalidArgument:
        return
    if not between.contains(name):
        return
    parts = name.split("/")
    assert all(between.may_be_below("/".join(parts[:count])) for count in range(1, len(parts)))
    assert all(between.may_begin_with(name[:count]) for count in range(len(name) + 1))
    assert not between.is_past(name)


def test_the_order_is_that_of_keys() -> None:
    """Ranges are of bytes: a name that is no UTF-8 is where its bytes are, not where Python has its surrogates."""
    names = ["a", "a-b", "a/b", "a0", "\u00fc", "\udcff", "\uffff", "\U0001f600"]
    assert sorted(names, key=in_key_order) == ["a", "a-b", "a/b", "a0", "\u00fc", "\uffff", "\U0001f600", "\udcff"]
    assert PathRange("\U0001f600").contains("\udcff")


@pytest.mark.parametrize("wrong", [None, "a", {}, {"after": None}, {"after": 1, "until": None}])
def test_what_is_no_shard(wrong: Any) -> None:
    """It is refused with what to give."""
    with pytest.raises(OSSInvalidArgument, match="OSSPlanDirectoryOperator returned"):
        range_of(wrong)


def test_an_end_that_is_no_utf8() -> None:
    """Nobody plans one, and no listing could begin there."""
    with pytest.raises(OSSInvalidArgument, match=r"shard\['until'\]='a.*udcff' cannot be written as UTF-8"):
        range_of({"after": None, "until": "a\udcff"})


# How they are cut


def work_of(sizes: dict[str, int], found: Sequence[Shard]) -> list[int]:
    """Return what a shard really is: bytes, and 256 KiB for each file."""
    return [sum(size + 256 * KIB for name, size in sizes.items() if shard.between.contains(name)) for shard in found]


def test_equal_work() -> None:
    """Shards have about the same work, in bytes and in files, though large and small files are apart."""
    sizes = {f"a/{number:05}": 0 for number in range(8000)} | {f"b/{number}": 256 * KIB for number in range(2000)}
    found = cut(sizes, 4)
    work = work_of(sizes, found)
    assert len(found) == 4
    assert max(work) - min(work) < sum(work) / 1000
    assert sum(shard.files for shard in found) == len(sizes)
    assert sum(shard.size_bytes for shard in found) == sum(sizes.values())


def test_a_file_that_is_more_than_a_share() -> None:
    """It has a shard nearly of its own, and the others share the rest."""
    sizes = {f"{number:03}": KIB for number in range(100)} | {"050-large": GIB}
    found = cut(sizes, 5)
    assert len(found) == 5
    [large] = [shard for shard in found if shard.between.contains("050-large")]
    assert large.files <= 2
    assert all(24 <= shard.files <= 26 for shard in found if shard is not large)


def test_fewer_files_than_shards() -> None:
    """There are as many shards as files, and one for none."""
    assert [shard.files for shard in cut({"a": 1, "b": 1}, 8)] == [1, 1]
    assert cut({}, 8) == [Shard(EVERYTHING, 0, 0)]


def test_an_estimate() -> None:
    """Of more files than are remembered the shards, and what is said of them, are about right."""
    sizes = {f"{number % 100:02}/{number:06}": (number % 7) * 100 * KIB for number in range(50_000)}
    sizes["50/large"] = 200 * MIB
    found = cut(sizes, 4, most=5000)
    work = work_of(sizes, found)
    assert len(found) == 4
    assert max(work) < min(work) * 1.2
    assert sum(shard.files for shard in found) == pytest.approx(len(sizes), rel=0.1)
    assert sum(shard.size_bytes for shard in found) == pytest.approx(sum(sizes.values()), rel=0.1)
    assert found == cut(dict(reversed(sizes.items())), 4, most=5000), "it depends on the order of the walk"


def test_by_files() -> None:
    """With a greatest number of files there are as many shards as that takes, whatever the files' sizes."""
    sizes = {f"{number:04}": number * KIB for number in range(1000)}
    assert [shard.files for shard in cut(sizes, 4, by_files=True)] == [250] * 4


def test_ends_fit_for_any_database() -> None:
    """Where a name is no UTF-8, or too long for a key, the end is before that."""
    long = "c/" + "\u00fc" * 1000
    found = cut({"a": 1, "b\udcff": 1, "b\udcff2": 1, long: 1, "d": 1}, 5)
    ends = [shard.between.until for shard in found[:-1]]
    assert all(end is not None and len(end.encode()) <= 1023 for end in ends)
    assert ends[:2] == ["a", "b"]
    assert long.startswith(str(ends[-1]))


def test_memory_is_flat() -> None:
    """A sample takes the same memory however many files there are."""

    def peak(files: int) -> int:
        sample = Sample(by_files=False, most=1000)
        tracemalloc.start()
        for number in range(files):
            sample.add(f"{number % 100}/{number}", number)
        size_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size_bytes

    assert peak(30_000) < 1.3 * peak(3000)


# A tree that is there


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files around directories, in an order in which files of a directory are not next to one another."""
    names = [f"{folder}{file}" for folder in ("", "a/", "a-b/", "a/b/", "b/c/d/") for file in ("x", "x-", "x0", "y")]
    write_tree(tmp_path, dict.fromkeys(names, b"1"))
    for name in (b"\xff", b"a/\xff", "\u00fc".encode()):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"1")
    return tmp_path


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 40])
def test_shards_of_a_tree(tree: Path, shards: int) -> None:
    """Together they are the tree, and each is what its range says."""
    found = plan(tree, shards)
    whole = names_in(tree)
    parts = [names_in(tree, shard) for shard in found]
    assert sorted(name for part in parts for name in part) == sorted(whole)
    for shard, part in zip(found, parts, strict=True):
        assert part == [name for name in whole if shard.between.contains(name)]
        assert part
    assert plan(tree, shards) == found


def test_only_what_is_meant_is_planned(tree: Path) -> None:
    """Globs hold for the plan as they do for sending."""
    selection = Selection("a/**", "**/x*")
    found = plan(TreeSource(str(tree), selection), 2)
    parts = [names_in(tree, shard, selection=selection) for shard in found]
    assert sorted(map(len, parts)) == [1, 2]
    assert {name for part in parts for name in part} == {"a/y", "a/b/y", "a/\udcff"}


def test_directories_outside_are_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard reads the directories that may have something of it, and no other."""
    opened = []
    real = os.open

    def watched(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(os.path.relpath(path, tree))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", watched)
    assert names_in(tree, PathRange("a/b/x", "a/b/x0")) == ["a/b/x-", "a/b/x0"]
    assert opened == [".", "a", "a/b"]


def test_what_cannot_be_read_is_a_problem_of_whoever_it_concerns(tree: Path) -> None:
    """A directory is one of each shard that may have something in it, a broken symlink of one; a plan has none."""
    loop = tree / "a" / "loop"
    loop.mkdir()
    (tree / "a" / "dead").symlink_to("nothing")
    ranges = [PathRange(None, "a/d"), PathRange("a/d", "a/loop/m"), PathRange("a/loop/m", "a/x"), PathRange("a/x")]
    calls: list[str] = []

    def forbid() -> None:
        calls.append("")
        if loop.exists():
            loop.rmdir()

    found = [[one.name for one in read_tree(TreeSource(str(tree), shard=one), forbid).problems] for one in ranges]
    assert found == [[], ["a/dead"], [], []]
    assert sum(shard.files for shard in plan(tree, 3)) == len(names_in(tree))


def test_an_empty_tree(tmp_path: Path) -> None:
    """An empty directory has one shard; globs that mean nothing of what is there are an error, unless allowed."""
    assert plan(tmp_path) == [Shard(EVERYTHING, 0, 0)]
    write_tree(tmp_path, {"x": b""})
    nothing = TreeSource(str(tmp_path), Selection("*.csv"))
    with pytest.raises(OSSInvalidSource, match="no file that include and exclude mean"):
        plan(nothing)
    assert plan(nothing, allow_empty=True) == [Shard(EVERYTHING, 0, 0)]
    with pytest.raises(OSSInvalidSource, match="cannot be read on this worker"):
        plan(tmp_path / "missing")


def test_at_most_so_many_files(tree: Path) -> None:
    """A greatest number of files makes more shards, up to a limit that the error explains."""
    assert [shard.files for shard in plan(tree, 1, shard_files=5)] == [5, 5, 4, 5, 4]
    assert len(plan(tree, 6, shard_files=5)) == 6
    with pytest.raises(OSSInvalidArgument, match=r"shard_files=1 make 22 shards .* max_shards=21: .*max_map_length"):
        plan(tree, 1, shard_files=1, max_shards=21)


def test_asked_to_stop(tree: Path) -> None:
    """Planning ends soon after a request to stop."""
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(OSSUploadCancelled):
        plan_shards(TreeSource(str(tree)), cancellation.check, shards=2, max_shards=2)


@pytest.mark.parametrize("most", [1, 4, 100])
@pytest.mark.parametrize("between", [None, PathRange("a/", "b")])
def test_pieces(tree: Path, most: int, between: PathRange | None) -> None:
    """A tree, or a shard of one, is read in pieces of about so many files; nothing is missing, nothing comes twice."""
    source = TreeSource(str(tree), shard=between)
    pieces = TreePieces(source, CHECK, most)
    found = [[file.relative for file in part.files] for _, part in pieces]
    whole = [file.relative for file in read_tree(source, CHECK).files]
    assert pieces.total.count == len(whole)
    assert sorted(name for part in found for name in part) == sorted(whole)
    assert max(map(len, found)) <= most + 2  # a name that is no UTF-8 is with the next one
    assert (len(found) == 1) == (most == 100)


def test_what_is_left_out_is_told_once(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log, and in the number, though a piece is read again."""
    (tree / "link").symlink_to("nothing")
    pieces = TreePieces(TreeSource(str(tree), symlinks="skip"), CHECK, 4)
    assert sum(part.left_out for _, part in pieces) == 1
    assert len([line for line in caplog.messages if "left out" in line]) == 1
