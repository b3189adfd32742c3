"""The files of a directory and all below it, as they are found on this worker; which of them are meant."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

from airflow_provider_oss.engine.source import path_text
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSPermanentError,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceMissing,
    exhaustion,
)
from airflow_provider_oss.failures import Failure
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.shown import Log, host_name

log = Log(__name__)

Symlinks: TypeAlias = Literal["follow", "skip", "error"]

SYMLINKS: Final = ("follow", "skip", "error")

_GONE: Final = (errno.ENOENT, errno.ENOTDIR)
_FOR_GOOD: Final = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the tree."""

    relative: str
    """Its path below the directory, with "/"; bytes that are no UTF-8 are surrogates in it, as Python has them."""
    size_bytes: int


@dataclass(slots=True)
class LocalTree:
    """The files below a directory, as they were found, and what was left out."""

    files: list[LocalFile] = field(default_factory=list)
    problems: list[Failure] = field(default_factory=list)
    left_out: int = 0
    """Symlinks that are not followed, and what is neither file nor directory."""


def read_tree(directory: str, selection: Selection, symlinks: Symlinks, check: Callable[[], None]) -> LocalTree:
    """
    Return all files that ``selection`` means, in a fixed order; empty directories leave no trace.

    What cannot be read is a problem of its own and does not stop the rest. A symlink is followed, left out with a line
    in the log, or a problem, as ``symlinks`` says; one that leads to a directory which it is in is left out. The
    ``directory`` itself may be a symlink. ``check`` is called for every directory.

    Raises OSSSourceMissing when ``directory`` is not on this worker, OSSInvalidSource when it is none, or cannot be
    listed.
    """
    try:
        root = _Folder("", _identity(os.stat(directory)), None)  # noqa: PTH116 - thousands of paths, as text
        with os.scandir(directory):
            pass
    except OSError as error:
        if (exhausted := exhaustion(error)) is not None:
            raise exhausted from error
        kind = OSSSourceMissing if isinstance(error, FileNotFoundError) else OSSInvalidSource
        raise kind(
            f"directory={directory!r} cannot be read on this worker, {host_name()}: {error.strerror}; check the path, "
            "and that the task that writes it runs on the same machine or writes to a shared volume"
        ) from error
    return _Walk(directory, selection, symlinks, check).run(root)


def problem(relative: str, error: OSSProviderError | OSError, size_bytes: int = 0) -> Failure:
    """Return the failure of a file, or of a directory with all below it. What is gone is not looked for again."""
    may_pass = isinstance(error, OSSSourceMissing) or not isinstance(error, OSSPermanentError)
    return Failure(relative, error, may_pass, size_bytes)


def checked_symlinks(symlinks: str) -> Symlinks:
    """Return it. Raises OSSInvalidArgument for anything else than the three."""
    for known in SYMLINKS:
        if symlinks == known:
            return known
    raise OSSInvalidArgument(f"symlinks={symlinks!r} is not known: use one of {', '.join(SYMLINKS)}")


@dataclass(frozen=True, slots=True)
class _Folder:
    relative: str
    identity: tuple[int, int]
    parent: _Folder | None

    def is_within(self, identity: tuple[int, int]) -> bool:
        folder: _Folder | None = self
        while folder is not None:
            if folder.identity == identity:
                return True
            folder = folder.parent
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


@contextmanager
def _opened(path: str, folder: _Folder) -> Iterator[int]:
    """Open a directory. Raises OSSSourceChanged when another one is in its place by now, or a symlink to one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _identity(os.fstat(descriptor)) != folder.identity:
            raise OSSSourceChanged(f"{folder.relative!r} is another directory by now, or a symlink to one")
        yield descriptor
    finally:
        os.close(descriptor)


class _Walk:
    """Depth first, without recursion: a tree may be deeper than Python's stack."""

    def __init__(self, directory: str, selection: Selection, symlinks: Symlinks, check: Callable[[], None]) -> None:
        self._directory = directory
        self._selection = selection
        self._symlinks = symlinks
        self._check = check
        self._tree = LocalTree()

    def run(self, root: _Folder) -> LocalTree:
        waiting = [root]
        while waiting:
            self._check()
            folder = waiting.pop()
            waiting.extend(reversed(self._take_all(folder)))
        return self._tree

    def _take_all(self, folder: _Folder) -> list[_Folder]:
        """Note what is in the folder; return the directories in it to go into."""
        try:
            with _opened(os.path.join(self._directory, folder.relative), folder) as descriptor:  # noqa: PTH118 - as above
                with os.scandir(descriptor) as entries:
                    ordered = sorted(entries, key=lambda entry: entry.name)
                return [one for entry in ordered if (one := self._take(entry, folder)) is not None]
        except OSError as error:
            self._tree.problems.append(problem(folder.relative, _renamed(folder.relative, error)))
        except OSSSourceChanged as error:
            self._tree.problems.append(problem(folder.relative, error))
        return []

    def _take(self, entry: os.DirEntry[str], folder: _Folder) -> _Folder | None:
        """Note what the entry is; return it if it is a directory to go into."""
        relative = f"{folder.relative}/{entry.name}" if folder.relative else entry.name
        try:
            if entry.is_symlink():
                return self._take_symlink(entry, relative, folder)
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            if self._is_meant(relative):
                self._tree.problems.append(problem(relative, _renamed(relative, error)))
            return None
        return self._take_status(relative, status, folder)

    def _take_symlink(self, entry: os.DirEntry[str], relative: str, folder: _Folder) -> _Folder | None:
        if not self._is_meant(relative):
            return None
        if self._symlinks == "skip":
            self._leave_out(relative, "a symlink")
            return None
        if self._symlinks == "error":
            error = OSSInvalidSource(f"{relative!r} is a symlink, and symlinks='error' forbids them")
            self._tree.problems.append(problem(relative, error))
            return None
        try:
            status = entry.stat()
        except FileNotFoundError:
            missing = OSSInvalidSource(f"{relative!r} is a symlink to what does not exist")
            self._tree.problems.append(problem(relative, missing))
            return None
        if stat.S_ISDIR(status.st_mode) and folder.is_within(_identity(status)):
            self._leave_out(relative, "a symlink to a directory that it is in")
            return None
        return self._take_status(relative, status, folder)

    def _take_status(self, relative: str, status: os.stat_result, folder: _Folder) -> _Folder | None:
        if stat.S_ISDIR(status.st_mode):
            is_meant = self._selection.may_match_below(relative)
            return _Folder(relative, _identity(status), folder) if is_meant else None
        if not self._selection.matches(relative):
            return None
        if stat.S_ISREG(status.st_mode):
            self._tree.files.append(LocalFile(relative, status.st_size))
        else:
            self._leave_out(relative, "neither a file nor a directory")
        return None

    def _is_meant(self, relative: str) -> bool:
        """Whether this may be a file that is meant, or a directory with one: what it leads to is not known."""
        return self._selection.matches(relative) or self._selection.may_match_below(relative)

    def _leave_out(self, relative: str, kind: str) -> None:
        self._tree.left_out += 1
        log.warning("%s is left out: it is %s", relative, kind)


def _renamed(relative: str, error: OSError) -> OSSProviderError | OSError:
    """Return what a retry can mend, and what not, in our terms; anything else may pass."""
    if error.errno in _GONE:
        return OSSSourceChanged(f"{relative!r} went away while the tree was read")
    if error.errno in _FOR_GOOD:
        return OSSInvalidSource(f"{relative!r} cannot be read: {error.strerror}")
    return exhaustion(error) or error


class Files(Protocol):
    """Which files, and where each is. They are known by their names, which are their keys below the prefix."""

    @property
    def no_links_below(self) -> str | None:
        """See FileSource."""

    def read(self, check: Callable[[], None]) -> LocalTree:
        """Return what is there; ``check`` is called from time to time, and may raise to stop."""

    def path(self, name: str) -> str:
        """Return where the file is."""

    def __str__(self) -> str:
        """Return what the log calls them."""


@dataclass(frozen=True, slots=True)
class TreeSource:
    """Which directory, which of the files below it, and what becomes of symlinks."""

    directory: str
    selection: Selection = field(default_factory=Selection)
    symlinks: Symlinks = "follow"

    @property
    def no_links_below(self) -> str | None:
        """Below which directory no symlink is followed, if links are not to be."""
        return None if self.symlinks == "follow" else self.directory

    def read(self, check: Callable[[], None]) -> LocalTree:
        """Return its files: see ``read_tree``."""
        return read_tree(self.directory, self.selection, self.symlinks, check)

    def path(self, name: str) -> str:
        """Return where the file of this relative path is."""
        return os.path.join(self.directory, name)  # noqa: PTH118 - thousands of paths, as text

    def __str__(self) -> str:
        return self.directory


@dataclass(frozen=True, slots=True)
class TreeRules:
    """Which objects are deleted, and what may be so."""

    delete_removed: bool = False
    """Delete the objects below the prefix that the selection means and the directory does not have."""
    allow_empty: bool = False
    """Let the selection mean no file at all, and delete the objects also then."""
    dry_run: bool = False
    """Only report what would be sent and deleted."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Files that are named one by one: the path of each, by its name."""

    paths: Mapping[str, str]
    no_links_below: None = None

    def read(self, check: Callable[[], None]) -> LocalTree:
        """Return all of them with their sizes; one that is not there, or is none, has none: who opens it says why."""
        tree = LocalTree()
        for name, path in self.paths.items():
            check()
            tree.files.append(LocalFile(name, _size_bytes(path)))
        return tree

    def path(self, name: str) -> str:
        """Return where the file is."""
        return self.paths[name]

    def __str__(self) -> str:
        return "Files that are named"


def named_paths(files: Mapping[str, Any] | Iterable[Any]) -> dict[str, str]:
    """
    Return the path of each file by its name: of a list, their last components.

    Raises OSSInvalidArgument for what can be no path or no name, and when two files have one name: neither may replace
    the other.
    """
    if isinstance(files, Mapping):
        given = [(name, path_text(path, f"files[{name!r}]")) for name, path in files.items()]
    else:
        given = [(path.rpartition("/")[2], path) for path in (path_text(one, "files") for one in files)]
    paths: dict[str, str] = {}
    for name, path in given:
        if not name or name.endswith("/"):
            raise OSSInvalidArgument(f"files: {path!r} has the name {name!r}, which is none of a file: give it one")
        if paths.setdefault(name, path) != path:
            raise OSSInvalidArgument(
                f"files: {paths[name]!r} and {path!r} would both become {name!r}, nothing was sent: give a mapping, "
                "with a name for each path"
            )
    return paths


def _size_bytes(path: str) -> int:
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of paths, as text
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
