"""Keys as names of files: whoever may write to the bucket chose them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import oss2

LEADS_OUT = ("data/../../evil", "data/../evil", "data/a/../../../evil", "data/..", "data//../../evil")


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder so deep that what leaves it can be seen."""
    folder = tmp_path / "worker" / "1" / "2" / "3"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("way", ["recursive", "folder", "glob", "list", "path"])
def test_upwards(connect: Callable[..., str], bucket: oss2.Bucket, inside: Path, tmp_path: Path, way: str) -> None:
    """No object is written outside the target, whatever its key: it is refused before anything is downloaded."""
    fs, target = OSSFileSystem(connect(f"oss_names_{way}")), str(inside)
    path = ObjectStoragePath(f"oss://{fs.oss_conn_id}@{BUCKET}/data")
    ways: dict[str, Callable[[str], object]] = {
        "recursive": lambda _: fs.get(f"{BUCKET}/data", target, recursive=True),
        "folder": lambda _: fs.get(f"{BUCKET}/data/", f"{target}/new/", recursive=True),
        "glob": lambda _: fs.get(f"{BUCKET}/data/**", target),
        "list": lambda key: fs.get([f"{BUCKET}/{key}", f"{BUCKET}/data/good"], target),
        "path": lambda _: path.copy(ObjectStoragePath(f"file://{target}"), recursive=True),
    }
    for key in LEADS_OUT:
        bucket.put_object(key, "evil")
        bucket.put_object("data/good", "good")
        if (way == "list" and not key.endswith("..")) or (way == "glob" and "//" in key):
            ways[way](key)  # by their last components, or left out with a warning
            assert {one.parent for one in (tmp_path / "worker").rglob("*") if one.is_file()} == {inside}
        else:
            with pytest.raises(OSSInvalidArgument, match=r"has the component '\.\.'"):
                ways[way](key)
            assert files(tmp_path / "worker") == {}
        for left in inside.iterdir():
            left.unlink()
        bucket.delete_object(key)


def test_odd_but_inside(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path, tmp_path: Path) -> None:
    """Names that only look as if they led elsewhere are names."""
    for key in ("data//etc/passwd", "data/a\\..\\..\\b", "data/~/x", "data/file:/x", "data/.../x", "data/ "):
        bucket.put_object(key, "odd")
    fs.get(f"{BUCKET}/data", str(inside / "to"), recursive=True)
    assert files(tmp_path / "worker").keys() == {
        f"1/2/3/to/{name}" for name in ("etc/passwd", "a\\..\\..\\b", "~/x", "file:/x", ".../x", " ")
    }


def test_a_nul_character(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path) -> None:
    """A key that can be no file's name is refused with its name, before anything is downloaded."""
    bucket.put_object("data/a\0b", "odd")
    bucket.put_object("data/a", "good")
    with pytest.raises(OSSInvalidArgument, match="NUL"):
        fs.get(f"{BUCKET}/data", str(inside), recursive=True)
    assert files(inside) == {}


@pytest.mark.parametrize("name", ["link", "link/deeper"])
def test_symlinks_in_the_target(
    fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path, tmp_path: Path, name: str
) -> None:
    """No key leads out of the target through a symlink that is there, be it of a folder or of the file."""
    (tmp_path / "outside").mkdir()
    link = inside / "data" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "outside")
    bucket.put_object(f"data/{name}/evil", "evil")
    bucket.put_object("data/a", "good")
    with pytest.raises(OSSInvalidArgument, match="a symlink in"):
        fs.get(f"{BUCKET}/data", str(inside), recursive=True)
    link.unlink()
    link.symlink_to(tmp_path / "outside" / "file")
    bucket.put_object(f"data/{name}", "evil")
    bucket.delete_object(f"data/{name}/evil")
    with pytest.raises(OSSInvalidArgument, match="a symlink in"):
        fs.get(f"{BUCKET}/data", str(inside), recursive=True)
    assert files(tmp_path / "outside") == files(inside) == {}


def test_a_target_that_is_a_symlink(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path, tmp_path: Path) -> None:
    """The target itself may be a symlink, and symlinks inside it that stay inside are followed."""
    (tmp_path / "to").symlink_to(inside)
    (inside / "real").mkdir()
    (inside / "link").symlink_to("real")
    bucket.put_object("data/link/x", "x")
    fs.get(f"{BUCKET}/data/", str(tmp_path / "to"), recursive=True)
    assert (inside / "real" / "x").read_text() == "x"


def test_two_names_of_one_file(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path) -> None:
    """What was written is not overwritten by another object, though the names differ: no bytes are lost silently."""
    (inside / "b").symlink_to("a")
    bucket.put_object("data/a", "of a")
    bucket.put_object("data/b", "of b")
    with pytest.raises(OSSInvalidArgument, match=r"'exports/data/a' and 'exports/data/b' would both become"):
        fs.get(f"{BUCKET}/data/", str(inside), recursive=True)
    assert (inside / "a").read_text() == "of a"


def test_hard_links_are_replaced_each(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path) -> None:
    """Two hard links of one file become two files; those that are equal already are left alone."""
    (inside / "a").write_text("same")
    (inside / "b").hardlink_to(inside / "a")
    (inside / "c").hardlink_to(inside / "a")
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        bucket.put_object(f"data/{name}", text)
    fs.get(f"{BUCKET}/data/", str(inside), recursive=True)
    assert files(inside) == {"a": "same", "b": "same", "c": "other"}


def test_a_path_of_its_own(fs: OSSFileSystem, bucket: oss2.Bucket, inside: Path, tmp_path: Path) -> None:
    """Who gives each object a path of its own has chosen it: it may be anywhere."""
    bucket.put_object("data/../x", "x")
    (inside / "link").symlink_to(tmp_path / "elsewhere")
    fs.get([f"{BUCKET}/data/../x"], [str(inside / "link")])
    assert (tmp_path / "elsewhere").read_text() == "x"


def test_files_that_are_open(fs: OSSFileSystem, bucket: oss2.Bucket) -> None:
    """Open files may be given as targets, and one file for two objects: it has both, one after the other."""
    bucket.put_object("data/a", "of a")
    bucket.put_object("data/b", "of b")
    one, both = io.BytesIO(), io.BytesIO()
    fs.get([f"{BUCKET}/data/a"], [one])
    fs.get([f"{BUCKET}/data/a", f"{BUCKET}/data/b"], [both, both])
    assert (one.getvalue(), both.getvalue()) == (b"of a", b"of aof b")
