"""How a file takes the name of the one that a download becomes. Where it may be is in test_download.py."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.engine.local_target import publish

DATA = b"new content"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "file.bin"


@pytest.fixture
def part_path(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "part"


@pytest.fixture
def descriptor(part_path: Path) -> Iterator[int]:
    """The file, open."""
    descriptor = os.open(part_path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
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
def test_a_name_that_is_free(part_path: Path, descriptor: int, path: Path) -> None:
    """The file has the name, its own permissions, and no other name."""
    publish(part_path, descriptor, path, overwrite=False)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o640
    assert not part_path.exists()


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_name_that_is_taken(part_path: Path, descriptor: int, path: Path) -> None:
    """Another's file that may not be replaced stays as it is."""
    path.write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        publish(part_path, descriptor, path, overwrite=False)
    assert path.read_bytes() == b"another's"
    assert part_path.read_bytes() == DATA


@pytest.mark.usefixtures("_with_and_without_links")
def test_a_claimed_name_is_given_back(part_path: Path, descriptor: int, path: Path) -> None:
    """When the file cannot take the name that was claimed for it, no empty file is left there."""
    part_path.unlink()
    with pytest.raises(FileNotFoundError):
        publish(part_path, descriptor, path, overwrite=False)
    assert not path.exists()


def test_other_errors_of_linking(part_path: Path, descriptor: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else goes wrong is no reason to try another way."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="Input/output error"):
        publish(part_path, descriptor, path, overwrite=False)
    assert not path.exists()


def test_a_file_is_replaced(part_path: Path, descriptor: int, path: Path) -> None:
    """The new file has the old one's name and permissions."""
    path.write_bytes(b"old")
    path.chmod(0o444)
    publish(part_path, descriptor, path, overwrite=True)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert not part_path.exists()
