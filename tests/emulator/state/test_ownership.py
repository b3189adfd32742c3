"""The server touches nothing in a folder that is not its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.emulator.state.ownership import MARK
from airflow_provider_oss.emulator.state.records import BucketRecord, UploadRecord
from airflow_provider_oss.emulator.state.store import Store


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything below the folder: files with their bytes, the rest with None."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def fill(root: Path) -> None:
    """Make a store with an object, an upload, a part, and what kills leave behind; without a mark, as it once was."""
    with Store(root) as store:
        store.put_bucket(BucketRecord("exports", 1.0))
        store.create_upload(UploadRecord("exports", "big", "ID", 2.5))
        store.blobs.create().finish()
    (root / "buckets/exports/uploads/ID/00001.json.new").write_text("{")
    (root / "buckets/exports/objects" / f"{'0' * 64}.json.new").write_text("{")
    (root / "buckets/gone.new").mkdir()
    (root / MARK).unlink()


def put(name: str) -> Callable[[Path], None]:
    """Return what puts a file there."""

    def make(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")

    return make


def link(name: str, target: str) -> Callable[[Path], None]:
    """Return what makes a store, and a symbolic link in it."""

    def make(root: Path) -> None:
        fill(root)
        (root / name).symlink_to(target)

    return make


def beside_a_store(name: str) -> Callable[[Path], None]:
    """Return what makes a store, and a file in it."""

    def make(root: Path) -> None:
        fill(root)
        put(name)(root)

    return make


def marked(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what makes a store, its mark with it, and then something in it."""

    def and_marked(root: Path) -> None:
        with Store(root) as store:
            store.put_bucket(BucketRecord("exports", 1.0))
        make(root)

    return and_marked


def link_to_a_mark(root: Path) -> None:
    """Have a link where the mark would be, to a true one."""
    with Store(root.parent / "another"):
        pass
    (root / MARK).symlink_to(root.parent / "another" / MARK)
    put("buckets/red/sand.txt")(root)


def a_fifo_in_the_way(root: Path) -> None:
    """Have a FIFO where the lock would be, which nobody could open."""
    (root / "lock").unlink()
    os.mkfifo(root / "lock")


def of_another_program(root: Path) -> None:
    """Have folders that are called as the server's."""
    put("buckets/red/sand.txt")(root)
    put("blobs/00/ff")(root)


def without_a_lock(root: Path) -> None:
    """Make a store, and remove what shows it."""
    fill(root)
    (root / "lock").unlink()


FOREIGN: dict[str, Callable[[Path], None]] = {
    "a home folder": of_another_program,
    "no lock": without_a_lock,
    "a lock that says something": beside_a_store("lock"),
    "any file": put("notes.txt"),
    "blobs alone": put("blobs/00/00000000000000000000000000000000"),
    "a file beside a store": beside_a_store("notes.txt"),
    "a file among the buckets": beside_a_store("buckets/notes.txt"),
    "a file in a bucket": beside_a_store("buckets/exports/notes.txt"),
    "a file among the objects": beside_a_store("buckets/exports/objects/notes.json"),
    "a file in an upload": beside_a_store("buckets/exports/uploads/ID/notes.json"),
    "a file in a grave": beside_a_store("buckets/gone.new/notes.txt"),
    "a file among the blobs": beside_a_store("blobs/00/notes.txt"),
    "a folder in a blob's place": beside_a_store("blobs/00/00000000000000000000000000000000/notes.txt"),
    "another's file of the mark's name": put(MARK),
    "another's longer file of the mark's name": marked(
        lambda root: (root / MARK).write_text((root / MARK).read_text() + "mine")
    ),
    "a link to a mark": link_to_a_mark,
    "a folder of the mark's name": put(f"{MARK}/notes.txt"),
    "a marked store, and a file among the buckets": marked(put("buckets/notes.txt")),
    "a marked store, and a folder among the buckets": marked(put("buckets/mine/notes.txt")),
    "a marked store, and a file among the uploads": marked(put("buckets/exports/uploads/notes.txt")),
    "a marked store, and a file among the blobs": marked(put("blobs/notes.txt")),
    "a marked store, and a link out": marked(lambda root: (root / "buckets" / "mine").symlink_to("/")),
    "a marked store, and a FIFO": marked(a_fifo_in_the_way),
    "a link out": link("buckets/mine", "/"),
    "a link to a blob": link("blobs/zz", "/etc"),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_foreign_folders(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """In a folder that is not the server's nothing changes, and the server does not start."""
    root = tmp_path / "root"
    root.mkdir()
    make(root)
    before = tree(root)
    with pytest.raises(RuntimeError, match="is not this server's folder, and nothing in it was touched"), Store(root):
        pass
    assert tree(root) == before


def test_folder_of_an_earlier_version(tmp_path: Path) -> None:
    """A folder in which everything is as the server names it is taken, although earlier versions set no mark."""
    fill(tmp_path)
    with Store(tmp_path) as store:
        assert store.bucket("exports") == BucketRecord("exports", 1.0)
        assert store.upload("exports", "big", "ID") is not None
    assert (tmp_path / MARK).is_file()


def test_folders_that_are_new(tmp_path: Path) -> None:
    """A folder that is not there, or empty, becomes the server's; a mark is enough when a kill came right after it."""
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent/deep", "absent/deep"):
        with OSSEmulator(root=str(tmp_path / name)) as server:
            assert server.port
    marked = tmp_path / "marked"
    marked.mkdir()
    (marked / MARK).touch()
    with Store(marked):
        pass


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("mine"),
        os.mkfifo,
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to(path.parent / "no" / "where"),
    ],
    ids=["a file", "a FIFO", "a link to itself", "a link to nothing"],
)
@pytest.mark.parametrize("below", ["", "deep"])
def test_what_is_no_folder(tmp_path: Path, make: Callable[[Path], None], below: str) -> None:
    """What is no folder, or in no folder, is named in the error, and left as it is."""
    there = tmp_path / "there"
    make(there)
    before = there.lstat()
    with pytest.raises(RuntimeError, match=f"{re.escape(str(there / below))} is no folder"), Store(there / below):
        pass
    assert (there.lstat().st_ino, there.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
