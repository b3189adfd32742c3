"""
Paths of the filesystem, ``bucket/key``, and the files of this machine that objects are copied to and from.

Keys become names of files: each object of a download has a file of its own, inside the folder that was asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import has_magic
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import isfilelike, stringify_path

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.uri import SCHEME


def as_given(path: Any) -> Any:
    """
    Return several paths as a list, and one as text.

    fsspec goes by these types alone: of tuples it sorts the sources and not their targets, and one that is neither goes
    into the target as if it were a directory.
    """
    if isinstance(path, list | tuple | set | frozenset):
        return [stringify_path(each) for each in path]
    return stringify_path(path)


def strip(path: object) -> str:
    """
    Return ``bucket/key`` for ``oss://bucket/key``, ``oss://conn_id@bucket/key``, or a path that is stripped already.

    Nothing is unescaped. Slashes at the end are left out: what is listed by a name is found by it. Before the bucket
    too: older versions of universal_pathlib put one there.
    """
    text = _without_scheme(path)
    bucket, slash, key = text.partition("/")
    return f"{bucket.rpartition('@')[2]}{slash}{key}".rstrip("/")


def conn_id_of(url: object) -> str | None:
    """Return the connection that ``oss://conn_id@bucket/key`` names, None if it names none."""
    bucket = _without_scheme(url).partition("/")[0]
    return bucket.rpartition("@")[0] or None


def _without_scheme(path: object) -> str:
    return str(stringify_path(path)).removeprefix(SCHEME).removeprefix("oss::").lstrip("/")


def split(path: str) -> tuple[str, str]:
    """Return bucket and key; both may be empty."""
    bucket, _, key = path.partition("/")
    return bucket, key


def uri(path: str) -> str:
    """Return the address that the hook takes for an object: everything behind the bucket is its key."""
    return f"{SCHEME}{path}"


def check_inside(root: str, pairs: Iterable[tuple[str, str]]) -> None:
    """
    Raise OSSInvalidArgument when a source's file would not be ``root``, or inside it.

    The names below ``root`` are those of keys: whoever may write to the bucket chose them. So none leads upwards, and
    none goes through a symlink that leads out of ``root``.
    """
    begins, inside = root.rstrip("/"), os.path.realpath(root)
    for source, target in pairs:
        name = target.removeprefix(begins)
        if "\0" in name:
            raise OSSInvalidArgument(f"{source!r} has a NUL character, which no file's name can have: leave it out")
        if ".." in name.split("/"):
            raise OSSInvalidArgument(
                f"{source!r} has the component '..', and its file would not be where its key says: give it a file of "
                f"its own, or leave it out; nothing is written outside {root!r}"
            )
        if not _is_within(os.path.realpath(target), inside):
            raise OSSInvalidArgument(
                f"{source!r} would be written to {os.path.realpath(target)!r}, where a symlink in {root!r} leads: give "
                "it a file of its own, or remove the symlink"
            )


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


class OwnFiles:
    """
    The files that one download has written so far, by what they are and not by their names.

    Two names may be one file: by a symlink, or where the file system takes ``A`` for ``a``.
    """

    def __init__(self) -> None:
        self._source_of: dict[tuple[int, int], str] = {}

    @contextmanager
    def writing(self, source: str, target: Any) -> Iterator[None]:
        """
        Let ``target`` be written. Raises OSSInvalidArgument when it is the file of another source.

        A target that is an open file is the caller's own, who may want several objects in it.
        """
        if isfilelike(target):
            yield
            return
        there = _identity(target)
        if there is not None and there in self._source_of:
            raise OSSInvalidArgument(
                f"{self._source_of[there]!r} and {source!r} would both become {target!r}: give each a target of its own"
            )
        yield
        if (written := _identity(target)) is not None:
            self._source_of[written] = source


def _identity(path: str) -> tuple[int, int] | None:
    """Return what identifies a file; None for no file, and for one of several links: it is replaced alone."""
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of paths, as text
    except OSError:
        return None
    is_alone = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return (status.st_dev, status.st_ino) if is_alone else None


def is_pattern(path: str) -> bool:
    """Whether it stands for what it matches: a name that is there goes before a pattern, whatever is in it."""
    return has_magic(path) and not os.path.lexists(path)


def expand(given: list[str], *, recursive: bool, maxdepth: int | None) -> list[str]:
    """
    Return the files that names and patterns stand for, with ``recursive`` all below them too, and folders.

    Raises FileNotFoundError when that is nothing, and OSError for a folder that cannot be read.
    """
    if maxdepth is not None and maxdepth < 1:
        raise ValueError(f"maxdepth={maxdepth!r} must be at least 1")
    fs = LocalFileSystem()
    found: set[str] = set()
    for path in map(fs._strip_protocol, given):  # noqa: SLF001 - fsspec has no other name for it
        matches, below = [path], maxdepth
        if is_pattern(path):
            matches, below = fs.glob(path, maxdepth=maxdepth), None if maxdepth is None else maxdepth - 1
        found.update(matches)
        if recursive and below != 0:
            for each in matches:
                found.update(fs.find(each, maxdepth=below, withdirs=True, on_error="raise"))
    if not found:
        raise FileNotFoundError(f"nothing matches {', '.join(map(repr, given))}")
    return sorted(found)
