"""What is found of a tree on this worker."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.engine.tree.walk import LocalTree, Symlinks, TreeSource, checked_symlinks, read_tree
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceChanged, OSSUploadCancelled
from airflow_provider_oss.globs import Selection
from tests.support.trees import write_tree


def read(directory: Path, symlinks: Any = "follow", **globs: Any) -> LocalTree:
    return read_tree(TreeSource(str(directory), Selection(**globs), symlinks), Cancellation().check)


def names(tree: LocalTree) -> list[str]:
    return [file.relative for file in tree.files]


def problems(tree: LocalTree) -> dict[str, type[Exception]]:
    return {problem.name: type(problem.error) for problem in tree.problems}


def test_files_at_any_depth(tmp_path: Path) -> None:
    """All files are found with their size, in a fixed order; an empty directory leaves no trace."""
    write_tree(tmp_path, {"b": b"12", "a/z": b"", "a/deep/er/x": b"123", "B": b"", ".hidden/y": b"1"})
    (tmp_path / "empty" / "er").mkdir(parents=True)

    tree = read(tmp_path)

    assert [(file.relative, file.size_bytes) for file in tree.files] == [
        ("B", 0),
        ("b", 2),
        (".hidden/y", 1),
        ("a/z", 0),
        ("a/deep/er/x", 3),
    ]
    assert (tree.problems, tree.left_out) == ([], 0)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a tree of directories ``d`` in one another, with a file in the last; what is so deep rm removes best."""

    def make(levels: int) -> Path:
        (tmp_path / "deep").mkdir()
        here = os.open(tmp_path / "deep", os.O_RDONLY)
        for _ in range(levels):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
        return tmp_path

    try:
        yield make
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "deep")], check=True)


def test_deeper_than_the_stack(deep: Callable[[int], Path]) -> None:
    """A tree of more levels than Python may call functions in one another is read to its bottom."""
    assert names(read(deep(1500))) == ["deep/" + "d/" * 1500 + "file"]


def test_deeper_than_a_path(deep: Callable[[int], Path]) -> None:
    """A tree too deep for the system is a failure that no retry mends, and does not stop the rest."""
    tree = read(write_tree(deep(2500), {"file": b""}))

    assert names(tree) == ["file"]
    [problem] = tree.problems
    assert isinstance(problem.error, OSSInvalidSource)
    assert "cannot be read: File name too long" in str(problem.error)
    assert not problem.may_pass


@pytest.mark.parametrize("name", [b"\xff\xfe", "ü 数据 😀".encode(), b"two\nlines", b"a\\b", b" %2F#?"])
def test_any_name(tmp_path: Path, name: bytes) -> None:
    """Names are what the file system has, whatever bytes they are of."""
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"1")
    assert [os.fsencode(relative) for relative in names(read(tmp_path))] == [name]


def test_directory_that_is_none(tmp_path: Path) -> None:
    """A directory that is missing, a file, or closed is an error that names it."""
    (tmp_path / "file").touch()
    for missing in ("missing", "file", "file/below"):
        with pytest.raises(OSSInvalidSource, match=f"directory='{tmp_path / missing}' cannot be read"):
            read(tmp_path / missing)


def test_globs(tmp_path: Path) -> None:
    """Only what is meant is found, and directories without it are not read."""
    write_tree(tmp_path, {"a.csv": b"", "a.txt": b"", "sub/a.csv": b"", "skip/a.csv": b""})
    unreadable = tmp_path / "skip" / "loop"
    unreadable.symlink_to(unreadable)

    assert names(read(tmp_path, include=["**/*.csv"], exclude=["skip/**"])) == ["a.csv", "sub/a.csv"]
    assert problems(read(tmp_path, include=["**/*.csv"], exclude=["skip/**"])) == {}


def test_symlinks_are_followed(tmp_path: Path) -> None:
    """What symlinks lead to is found under their names: files and directories, inside the tree and outside."""
    outside = write_tree(tmp_path / "outside", {"deep/x": b"123"})
    tree = write_tree(tmp_path / "tree", {"real": b"12"})
    (tree / "file").symlink_to("real")
    (tree / "folder").symlink_to(outside)
    (tmp_path / "entry").symlink_to(tree)

    found = read(tmp_path / "entry")

    assert [(file.relative, file.size_bytes) for file in found.files] == [
        ("file", 2),
        ("real", 2),
        ("folder/deep/x", 3),
    ]
    assert (found.problems, found.left_out) == ([], 0)


@pytest.mark.parametrize(
    ("symlinks", "left_out", "failed"), [("skip", 3, {}), ("error", 0, {"dead", "file", "folder"})]
)
def test_symlinks_are_not_followed(
    tmp_path: Path, symlinks: str, left_out: int, failed: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """They are left out with a line each, or each is a failure that no retry mends."""
    write_tree(tmp_path, {"real": b"", "sub/x": b""})
    for name, target in (("file", "real"), ("folder", "sub"), ("dead", "missing")):
        (tmp_path / name).symlink_to(target)

    tree = read(tmp_path, symlinks)

    assert names(tree) == ["real", "sub/x"]
    assert tree.left_out == left_out
    assert problems(tree) == dict.fromkeys(failed, OSSInvalidSource)
    assert not [problem for problem in tree.problems if problem.may_pass]
    assert len([line for line in caplog.messages if "is left out: it is a symlink" in line]) == left_out


def test_symlinks_that_lead_nowhere(tmp_path: Path) -> None:
    """A symlink to nothing and one to itself are failures that no retry mends, and do not stop the rest."""
    write_tree(tmp_path, {"real": b""})
    (tmp_path / "dead").symlink_to("missing")
    (tmp_path / "self").symlink_to("self")

    tree = read(tmp_path)

    assert names(tree) == ["real"]
    assert problems(tree) == {"dead": OSSInvalidSource, "self": OSSInvalidSource}
    assert not [problem for problem in tree.problems if problem.may_pass]


def test_loops(tmp_path: Path) -> None:
    """A symlink to a directory that it is in is left out, however many of them there are and wherever they lead."""
    tree = write_tree(tmp_path / "tree", {"a/x": b"", "b/y": b""})
    (tree / "a" / "self").symlink_to(".")
    (tree / "a" / "up").symlink_to("..")
    (tree / "a" / "above").symlink_to(tmp_path)
    (tree / "a" / "other").symlink_to("../b")
    (tree / "b" / "other").symlink_to("../a")

    found = read(tree)

    assert set(names(found)) >= {"a/x", "b/y", "a/other/y", "b/other/x"}
    assert all(name.count("other") <= 3 for name in names(found))
    assert found.left_out > 4
    assert found.problems == []


def test_other_kinds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe and a socket are left out with a line each, and not opened: nobody may ever write to them."""
    write_tree(tmp_path, {"real": b""})
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        tree = read(tmp_path)
    assert names(tree) == ["real"]
    assert tree.left_out == 2
    assert "pipe is left out: it is neither a file nor a directory" in caplog.messages
    assert names(read(tmp_path, exclude="pipe")) == ["real"]
    assert read(tmp_path, include="real").left_out == 0


def test_what_goes_away_meanwhile(tmp_path: Path) -> None:
    """A directory that goes away while the tree is read is a failure that the next attempt will not have."""
    tree = write_tree(tmp_path / "tree", {"a/x": b"", "b/x": b""})
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            (tree / "b" / "x").unlink()
            (tree / "b").rmdir()

    found = read_tree(TreeSource(str(tree)), check)

    assert names(found) == ["a/x"]
    assert problems(found) == {"b": OSSSourceChanged}
    assert found.problems[0].may_pass


@pytest.mark.parametrize("symlinks", ["follow", "skip", "error"])
@pytest.mark.parametrize("above", [False, True])
def test_a_directory_that_becomes_a_symlink(tmp_path: Path, symlinks: Symlinks, *, above: bool) -> None:
    """A directory in whose place there is a symlink by now is not gone into, nor is what was seen below it."""
    tree = write_tree(tmp_path / "tree", {"a/x": b"", "b/c/x": b""})
    outside = write_tree(tmp_path / "outside", {"c/secret": b"", "secret": b""})
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == (4 if above else 3):
            (tree / "b").rename(tmp_path / "moved")
            (tree / "b").symlink_to(outside)

    found = read_tree(TreeSource(str(tree), symlinks=symlinks), check)

    assert names(found) == ["a/x"]
    assert problems(found) == {"b/c" if above else "b": OSSSourceChanged}
    assert found.problems[0].may_pass


def test_asked_to_stop(tmp_path: Path) -> None:
    """Reading a large tree ends soon after a request to stop."""
    write_tree(tmp_path, {"a/x": b""})
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(OSSUploadCancelled):
        read_tree(TreeSource(str(tmp_path)), cancellation.check)


def test_symlinks_argument() -> None:
    """Anything but the three ways is an error that names them."""
    assert [checked_symlinks(known) for known in ("follow", "skip", "error")] == ["follow", "skip", "error"]
    with pytest.raises(OSSInvalidArgument, match=r"symlinks='Follow' is not known: use one of follow, skip, error"):
        checked_symlinks("Follow")
