"""The file of this machine that a download becomes: whether it can be there, and how it takes its name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from airflow_provider_oss.exceptions import OSSDiskFull, OSSInvalidTarget
from airflow_provider_oss.shown import Log

log = Log(__name__)

OWNER_ONLY: Final = 0o600
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSALS: Final = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG,
        errno.ELOOP, errno.EINVAL, errno.ENOENT,
    }
)  # fmt: skip
_NOT_OFFERED: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""What file systems say that have no such thing, of what nobody forbids the owner of a file."""


def checked_target(file_path: str) -> Path:
    """
    Return where the file is to be: links are followed, and its directory is made.

    Raises OSSInvalidTarget when no regular file can be there.
    """
    if file_path.endswith(os.sep):
        raise OSSInvalidTarget(f"file_path={file_path!r} names a directory: give the path of a file")
    path = Path(os.path.realpath(file_path))
    with naming_errors(path):
        if path.exists() and not path.is_file():
            kind = "a directory" if path.is_dir() else "no regular file"
            raise OSSInvalidTarget(f"file_path={str(path)!r} is {kind}: give the path of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Raise what the system says of writing ``path`` as our errors, where somebody can do something about it."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise OSSDiskFull(f"file_path={str(path)!r} finds no room on this worker: {error.strerror}") from error
        if error.errno in _REFUSALS:
            raise OSSInvalidTarget(f"file_path={str(path)!r} cannot be written: {error.strerror}") from error
        raise


def publish(part_path: Path, descriptor: int, path: Path, *, overwrite: bool) -> None:
    """
    Let the open file at ``part_path`` take the name ``path`` in one step, when it is on the disk.

    It gets the permissions of the file that it replaces. Raises FileExistsError when it may replace none.
    """
    os.fsync(descriptor)
    if not overwrite:
        _publish_new(part_path, path)
        return
    mode = mode_of(path)
    if mode is not None:
        set_mode(descriptor, mode)
    part_path.replace(path)


def _publish_new(part_path: Path, path: Path) -> None:
    """Let it take a name that nobody has."""
    try:
        path.hardlink_to(part_path)
    except OSError as error:
        if error.errno not in _NOT_OFFERED | {errno.EMLINK}:
            raise
        log.debug("%s: no hard links here (%s), so the name is claimed by an empty file", path, error.strerror)
        _replace_claimed(part_path, path)
    else:
        part_path.unlink()


def _replace_claimed(part_path: Path, path: Path) -> None:
    claimed = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        part_path.replace(path)
    except BaseException:
        if os.path.samestat(path.lstat(), os.fstat(claimed)):
            path.unlink()
        raise
    finally:
        os.close(claimed)


def mode_of(path: Path) -> int | None:
    """Return the permissions of a file; None when it is not there."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return None


def set_mode(descriptor: int, mode: int) -> None:
    """Give a file of ours these permissions. Where files have none of their own all have the same, and keep them."""
    if os.fstat(descriptor).st_mode & 0o777 == mode:
        return
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


def sync_directory(path: Path) -> None:
    """Make a rename last. Where a directory cannot be synchronised it lasts when the system says so."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
