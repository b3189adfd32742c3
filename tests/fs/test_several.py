"""Several paths at once, in whatever type, and paths that are no text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from fsspec.generic import rsync

from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET
from tests.fs.conftest import MakeFileSystem
from tests.support.own_path import OwnPath

if TYPE_CHECKING:
    import oss2

NAMES = ("b", "a", "c")
"""Not in order: who sorts one side and not the other mixes them up."""


several = pytest.mark.parametrize("several", [list, tuple])
one = pytest.mark.parametrize("one", [str, PurePosixPath, OwnPath])


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a file of each name, which holds its name."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(name)
    return folder


def remote(folder: str, names: tuple[str, ...] = NAMES) -> list[str]:
    return [f"{BUCKET}/{folder}/{name}" for name in names]


def put_all(bucket: oss2.Bucket, folder: str = "from") -> None:
    for name in NAMES:
        bucket.put_object(f"{folder}/{name}", name)


def stored(bucket: oss2.Bucket, folder: str) -> list[str]:
    return [bucket.get_object(f"{folder}/{name}").read().decode() for name in NAMES]


@several
@one
def test_there_and_back(
    fs: OSSFileSystem,
    bucket: oss2.Bucket,
    here: Path,
    tmp_path: Path,
    several: Callable[[Any], Any],
    one: Callable[[str], Any],
) -> None:
    """Each of several files becomes the object at its place, and each object the file, whatever holds the paths."""
    there = several([one(path) for path in remote("to")])
    fs.put(several([one(str(here / name)) for name in NAMES]), there)
    assert stored(bucket, "to") == list(NAMES)
    back = [tmp_path / f"{name}.back" for name in NAMES]
    fs.get(there, several([one(str(path)) for path in back]))
    assert [path.read_text() for path in back] == list(NAMES)


@several
def test_within_oss(fs: OSSFileSystem, bucket: oss2.Bucket, several: Callable[[Any], Any]) -> None:
    """Several objects are copied and moved, each to the target at its place or into one folder, read and deleted."""
    put_all(bucket)
    fs.copy(several(remote("from")), several(remote("copied")))
    fs.copy(several(remote("from")), f"{BUCKET}/folder/")
    fs.mv(several(remote("from")), several(remote("moved")))
    for folder in ("copied", "folder", "moved"):
        assert stored(bucket, folder) == list(NAMES)
    assert list(fs.cat(several(remote("moved"))).values()) == [name.encode() for name in sorted(NAMES)]
    assert fs.expand_path(several(remote("moved"))) == sorted(remote("moved"))
    fs.rm(several(remote("moved")))
    assert fs.find(f"{BUCKET}/moved") == fs.find(f"{BUCKET}/from") == []


@one
def test_one_path(fs: OSSFileSystem, here: Path, tmp_path: Path, one: Callable[[str], Any]) -> None:
    """A path that is no text is what its text would be: the file itself, not a folder to put it into."""
    fs.put(one(str(here / "a")), one(f"{BUCKET}/to/a"))
    fs.put_file(one(str(here / "b")), one(f"{BUCKET}/to/b"))
    fs.copy(one(f"{BUCKET}/to/a"), one(f"{BUCKET}/to/c"))
    assert fs.find(one(f"{BUCKET}/to")) == remote("to", ("a", "b", "c"))
    fs.mv(one(f"{BUCKET}/to/c"), one(f"{BUCKET}/to/d"))
    fs.get(one(f"{BUCKET}/to/d"), one(str(tmp_path / "d")))
    fs.get_file(one(f"{BUCKET}/to/b"), one(str(tmp_path / "b")))
    assert ((tmp_path / "d").read_text(), (tmp_path / "b").read_text()) == ("a", "b")
    with fs.open(one(f"{BUCKET}/to/a")) as file:
        assert file.read() == b"a"
    fs.pipe(one(f"{BUCKET}/to/e"), b"bytes")
    assert fs.cat_file(one(f"{BUCKET}/to/e")) == b"bytes"
    fs.rm(one(f"{BUCKET}/to/d"))
    assert not fs.exists(one(f"{BUCKET}/to/d"))


@pytest.fixture
def by_default(make_fs: MakeFileSystem) -> OSSFileSystem:
    """The filesystem that fsspec makes of ``oss://`` alone."""
    return make_fs()


def test_rsync_within_oss(by_default: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """fsspec's rsync makes one prefix what another is: what is missing or differs is copied, the rest deleted."""
    put_all(bucket)
    source, target = f"oss://{BUCKET}/from", f"oss://{BUCKET}/to"
    bucket.put_object("from/deep/d", "d")

    assert len(rsync(source, target)) == 4
    assert stored(bucket, "to") == list(NAMES)
    bucket.put_object("from/a", "another")
    bucket.put_object("to/extra", "x")
    assert rsync(source, target, delete_missing=True) == {f"{source}/a": f"{target}/a"}
    assert bucket.get_object("to/a").read() == b"another"
    assert by_default.find(f"{BUCKET}/to") == remote("to", ("a", "b", "c", "deep/d"))
    assert rsync(source, target, source_field="ETag", dest_field=lambda info: info["ETag"]) == {}
    assert len(rsync(source, target, update_cond="always")) == 4
    assert rsync(source, target, update_cond="never") == {}


def test_rsync_with_a_connection(make_fs: MakeFileSystem, bucket: oss2.Bucket, tmp_path: Path) -> None:
    """The connection that an address names is used for all that is found below it, and local folders work too."""
    make_fs(conn_id="other_conn")
    make_fs(password="not used")
    put_all(bucket)
    source = f"oss://other_conn@{BUCKET}/from"
    options = {"inst_kwargs": {"default_method": "options"}}

    rsync(source, f"oss://other_conn@{BUCKET}/to", **options)
    rsync(source, f"file://{tmp_path}/down", **options)
    rsync(f"file://{tmp_path}/down", f"oss://other_conn@{BUCKET}/up", **options)

    assert stored(bucket, "to") == stored(bucket, "up") == list(NAMES)
    assert [(tmp_path / "down" / name).read_text() for name in NAMES] == list(NAMES)


def test_addresses_lead_back(make_fs: MakeFileSystem, bucket: oss2.Bucket) -> None:
    """What a filesystem calls an object in full opens it, with the same connection."""
    bucket.put_object("key", b"data")
    for conn_id in ("other_conn", "oss_default"):
        with make_fs(conn_id=conn_id).open(f"{BUCKET}/key") as file:
            name = file.full_name
        with fsspec.open(name) as again:
            assert (again.read(), again.fs.oss_conn_id) == (b"data", conn_id)
    assert name == f"oss://{BUCKET}/key"
