"""The file beside the one it becomes: who may read it, and how it takes its place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.engine.partial_file import DownloadedVersion, PartialFile, publish
from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.exceptions import OSSInvalidTarget
from airflow_provider_oss.model import ObjectRef
from airflow_provider_oss.proof import crc64

DATA = b"new content"
VERSION = DownloadedVersion(ObjectRef("bucket-a", "key"), "etag", len(DATA), crc64(DATA), 2**20)
KEEP = pytest.mark.parametrize("keep", [False, True], ids=["not kept", "kept"])


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """New files are readable by all."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "file.bin"


def part_path(path: Path) -> Path:
    """Return where the file is meanwhile, whatever it is called."""
    [found] = path.parent.glob(f".{path.name}*.oss-part")
    return found


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@contextmanager
def arrived(path: Path, *, keep: bool) -> Iterator[PartialFile]:
    """Open a partial file in which everything has arrived."""
    partial = PartialFile(path, keep=keep)
    try:
        partial.open()
        partial.begin(VERSION)
        partial.write(memoryview(DATA), 0)
        partial.note(make_plan(len(DATA)).part(1), crc64(DATA))
        yield partial
    finally:
        partial.close()


def assert_published(path: Path) -> None:
    assert path.read_bytes() == DATA
    assert list(path.parent.iterdir()) == [path]


# Permissions


@KEEP
@pytest.mark.parametrize("old", [0o600, 0o640, 0o664, 0o444], ids=oct)
def test_a_file_keeps_its_permissions(path: Path, old: int, keep: bool) -> None:  # noqa: FBT001 - a table
    """The new content is for those whom the old one was for, and until it is there for the owner only."""
    path.write_bytes(b"old")
    path.chmod(old)
    with arrived(path, keep=keep) as partial:
        assert mode(part_path(path)) == 0o600
        partial.publish(overwrite=True)
    assert mode(path) == old
    assert_published(path)


@KEEP
def test_a_new_file_has_what_the_umask_gives(path: Path, keep: bool) -> None:  # noqa: FBT001 - a table
    """Without an old file the new one is made as any other."""
    with arrived(path, keep=keep) as partial:
        partial.publish(overwrite=True)
    assert mode(path) == 0o644
    assert_published(path)


def test_what_an_earlier_attempt_left_is_closed_to_others(path: Path) -> None:
    """An earlier attempt found no file, and made its own readable by all; the one that goes on finds a private one."""
    with arrived(path, keep=True) as partial:
        partial.leave()
    assert mode(part_path(path)) == 0o644
    path.write_bytes(b"old")
    path.chmod(0o600)
    with arrived(path, keep=True) as partial:
        assert mode(part_path(path)) == 0o600
        partial.publish(overwrite=True)
    assert mode(path) == 0o600
    assert_published(path)


def test_a_file_that_appears_meanwhile_keeps_its_permissions(path: Path) -> None:
    """What counts is the file that is replaced, not what was there at the beginning."""
    with arrived(path, keep=True) as partial:
        path.write_bytes(b"old")
        path.chmod(0o600)
        partial.publish(overwrite=True)
    assert mode(path) == 0o600
    assert_published(path)


# Publishing


def test_a_file_that_is_there(path: Path) -> None:
    """Another's file that appeared meanwhile stays."""
    with arrived(path, keep=True) as partial:
        path.write_bytes(b"another's")
        with pytest.raises(OSSInvalidTarget, match=r"file.bin' cannot be written: File exists"):
            partial.publish(overwrite=False)
    assert path.read_bytes() == b"another's"


@KEEP
def test_a_new_file(path: Path, keep: bool) -> None:  # noqa: FBT001 - a table
    """Without overwriting, too, nothing is left beside the file."""
    with arrived(path, keep=keep) as partial:
        partial.publish(overwrite=False)
    assert mode(path) == 0o644
    assert_published(path)


def test_killed_while_it_was_published(path: Path) -> None:
    """The name that a killed process did not take away is, and the file that it published stays as it is."""
    with arrived(path, keep=True):
        path.hardlink_to(part_path(path))
    path.chmod(0o640)

    partial = PartialFile(path, keep=True)
    partial.open()

    assert partial.record() is None
    assert not path.samefile(part_path(path))
    assert mode(path) == 0o640
    partial.leave()
    partial.close()
    assert_published(path)


# How it takes its name. Where it may be is in test_download.py


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Where it is meanwhile."""
    return tmp_path / "part"


@pytest.fixture
def descriptor(beside: Path) -> Iterator[int]:
    """The file, open."""
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.fchmod(descriptor, 0o640)
    os.write(descriptor, DATA)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(params=["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK", None])
def _with_and_without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that have no hard links, and one that has."""

    def refuse(*_: Any, **__: Any) -> None:
        number = getattr(errno, request.param)
        raise OSError(number, os.strerror(number))

    if request.param is not None:
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_name_that_is_free(beside: Path, descriptor: int, path: Path) -> None:
    """The file has the name, its own permissions, and no other name."""
    publish(beside, descriptor, path, overwrite=False)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o640
    assert not beside.exists()


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_name_that_is_taken(beside: Path, descriptor: int, path: Path) -> None:
    """Another's file that may not be replaced stays as it is."""
    path.write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        publish(beside, descriptor, path, overwrite=False)
    assert path.read_bytes() == b"another's"
    assert beside.read_bytes() == DATA


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_claimed_name_is_given_back(beside: Path, descriptor: int, path: Path) -> None:
    """When the file cannot take the name that was claimed for it, no empty file is left there."""
    beside.unlink()
    with pytest.raises(FileNotFoundError):
        publish(beside, descriptor, path, overwrite=False)
    assert not path.exists()


def test_other_errors_of_linking(beside: Path, descriptor: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else goes wrong is no reason to try another way."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="Input/output error"):
        publish(beside, descriptor, path, overwrite=False)
    assert not path.exists()


def test_a_file_is_replaced(beside: Path, descriptor: int, path: Path) -> None:
    """The new file has the old one's name and permissions."""
    path.write_bytes(b"old")
    path.chmod(0o444)
    publish(beside, descriptor, path, overwrite=True)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert not beside.exists()
