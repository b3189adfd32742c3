"""Whose folder it is: the server removes what it does not need, so it works only in a folder that is its own."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK: Final = "oss-emulator.txt"
_TEXT: Final = (
    "This folder belongs to the local OSS server, which removes from it what it does not need. Keep nothing here.\n"
)

_OURS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"lock",
        r"blobs/",
        r"blobs/[0-9a-f]{2}/",
        r"blobs/[0-9a-f]{2}/[0-9a-f]{32}",
        r"buckets/",
        r"buckets/[^/]+/",
        r"buckets/[^/]+/bucket\.json(\.new)?",
        r"buckets/[^/]+/(objects|uploads|versions)/",
        r"buckets/[^/]+/objects/[0-9a-f]{64}\.json(\.new)?",
        r"buckets/[^/]+/versions/[0-9a-f]{64}\.([0-9A-F]{64}|null)\.json(\.new)?",
        r"buckets/[^/]+/uploads/[^/]+/",
        r"buckets/[^/]+/uploads/[^/]+/(upload|[0-9]{5})\.json(\.new)?",
    )
)
"""Every name that this server gives, folders with a slash at their end."""


_SWEPT: Final = {"lock", "blobs", "buckets"}
"""What the server changes in a folder that is marked; it looks at nothing beside them."""

_NO_FOLDER: Final = {errno.EEXIST, errno.ENOTDIR, errno.ELOOP}


def claim(root: Path) -> None:
    """
    Make the folder, or take one that is empty, and mark it as this server's.

    The mark is a file of its own with the right words. A folder of an earlier version, which set no mark, is taken if
    it has that version's lock. Neither is taken when there is a name, at any depth of what the server works in, that it
    would not have given. Raises RuntimeError, and has touched nothing, when the folder is not the server's, or no
    folder; OSError when it cannot be made or read.
    """
    _make_folder(root)
    mark = root / MARK
    words = _read_mark(mark)
    if words == _TEXT:
        foreign = next((name for name in _foreign(root) if name.partition("/")[0] in _SWEPT), None)
    elif words is None or not _TEXT.startswith(words):  # a kill may leave the beginning of one
        foreign = MARK
    else:
        names = sorted(path.name for path in root.iterdir() if path != mark)
        foreign = (
            next((name for name in _foreign(root) if name != MARK), None)
            if _has_lock(root)
            else next(iter(names), None)
        )
    if foreign is not None:
        raise RuntimeError(
            f"{root} is not this server's folder, and nothing in it was touched: {foreign!r} is there, which it did "
            "not make. Give a folder that is empty or not there yet; or take that out, if the rest is the server's"
        )
    if words != _TEXT:
        mark.write_text(_TEXT, encoding="utf-8")


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise
        raise RuntimeError(
            f"{root} is no folder, and cannot become one ({os.strerror(error.errno or 0)}); nothing was touched. Give "
            "a folder that is empty or not there yet"
        ) from error


def _read_mark(mark: Path) -> str | None:
    """Return what the mark says, "" when it is not there, None when what is there is no file of its own."""
    if mark.is_symlink() or (mark.exists() and not mark.is_file()):
        return None
    if not mark.exists():
        return ""
    with mark.open("rb") as file:
        return file.read(len(_TEXT) + 1).decode("utf-8", "replace")


def _has_lock(root: Path) -> bool:
    """Whether the file is there that every version keeps locked, and never writes to."""
    lock = root / "lock"
    return lock.is_file() and not lock.is_symlink() and lock.stat().st_size == 0


def _foreign(root: Path) -> Iterator[str]:
    """Yield what is not called as this server would, or is neither a file nor a folder itself."""
    folders = [root]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            is_folder = path.is_dir()
            name = f"{path.relative_to(root).as_posix()}{'/' if is_folder else ''}"
            is_either = not path.is_symlink() and (is_folder or path.is_file())
            if not is_either or not any(pattern.fullmatch(name) for pattern in _OURS):
                yield name
            elif is_folder:
                folders.append(path)
