"""The files of a directory and all below it, as they are found on this worker; which of them are meant."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    OSSSourceElsewhere,
    OSSSourceMissing,
    exhaustion,
    seen_elsewhere,
)
from airflow_provider_oss.failures import Failure
from airflow_provider_oss.globs import Selection
from airflow_provider_oss.shown import Log, a_type, host_name, printable

log = Log(__name__)

Symlinks: TypeAlias = Literal["follow", "skip", "error"]

SYMLINKS: Final = ("follow", "skip", "error")

_GONE: Final = (errno.ENOENT, errno.ENOTDIR)
_FOR_GOOD: Final = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)
_CHECKED_EVERY: Final = 1000
"""Entries of a directory, between two looks at whether to stop."""


def in_key_order(path: str) -> bytes:
    """Return what OSS orders keys by: their UTF-8. Of a name that is none, the bytes that the file system has."""
    return path.encode("utf-8", "surrogateescape")


def _end(name: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.encode()
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(
            f"shard[{name!r}]={printable(path)!r} cannot be written as UTF-8: give what planning returned"
        ) from error


@dataclass(frozen=True, slots=True)
class PathRange:
    """
    The paths ``after < path <= until`` in OSS's order of keys; None is an open end.

    A directory's files need not be in one range, nor next to one another: ``a-b`` is between ``a`` and ``a/b``. Raises
    OSSInvalidArgument for an end that is no UTF-8.
    """

    after: str | None = None
    until: str | None = None
    _after: bytes = field(init=False, repr=False, compare=False)
    _until: bytes | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_after", _end("after", self.after) or b"")
        object.__setattr__(self, "_until", _end("until", self.until))

    def contains(self, path: str) -> bool:
        """Whether the path is in the range."""
        key = in_key_order(path)
        return key > self._after and (self._until is None or key <= self._until)

    def is_past(self, path: str) -> bool:
        """Whether the path, and all that come after it, are behind the range."""
        return self._until is not None and in_key_order(path) > self._until

    def may_be_below(self, directory: str) -> bool:
        """Whether a path below the directory may be in the range."""
        folder = in_key_order(directory)
        # All that is below is greater than "directory/" and smaller than "directory0", for 0 is what follows a slash
        return folder + b"0" > self._after and (self._until is None or folder + b"/" < self._until)

    def may_begin_with(self, prefix: str) -> bool:
        """Whether a path that begins with ``prefix`` may be in the range."""
        first = in_key_order(prefix)
        if self._until is not None and first > self._until:
            return False
        return first > self._after or self._after.startswith(first)

    def is_after(self, prefix: str) -> bool:
        """Whether paths that begin with ``prefix`` come before the range, as well as in it."""
        return self._after >= in_key_order(prefix)

    @property
    def ends(self) -> dict[str, str | None]:
        """Both ends, as plain data."""
        return {"after": self.after, "until": self.until}

    def __str__(self) -> str:
        return f"{'the beginning' if self.after is None else self.after} to {self.until or 'the end'}"


EVERYTHING: Final = PathRange()


def range_of(shard: Any) -> PathRange:
    """Return the range of a shard as planning returned it. Raises OSSInvalidArgument for anything else."""
    if not isinstance(shard, Mapping):
        raise OSSInvalidArgument(f"shard is {a_type(shard)}: give one of those that OSSPlanDirectoryOperator returned")
    for name in ("after", "until"):
        if name not in shard or not isinstance(shard[name], str | None):
            raise OSSInvalidArgument(
                f"shard has no {name!r} that is text or None: give one of those that OSSPlanDirectoryOperator returned"
            )
    return PathRange(shard["after"], shard["until"])


def check_plan(shards: Sequence[Any]) -> None:
    """Raise OSSInvalidArgument unless these are all shards of one plan, in their order: nothing is left out."""
    ends = [None, *(range_of(shard).until for shard in shards)]
    begins = [range_of(shard).after for shard in shards]
    is_whole = ends[-1] is None and None not in ends[1:-1] and ends[:-1] == begins and bool(shards)
    if not is_whole:
        raise OSSInvalidArgument(
            f"shards are {len(shards)} that do not follow one another from the beginning to the end: give all that "
            "OSSPlanDirectoryOperator returned, as they are"
        )


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

    def add(self, found: LocalFile | Failure) -> None:
        """Note what the walk has found."""
        if isinstance(found, LocalFile):
            self.files.append(found)
        else:
            self.problems.append(found)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    def sort(self) -> None:
        """Put all into a fixed order: of each directory the files first, then what is below it, by name."""
        self.files.sort(key=lambda file: _files_first(file.relative))
        self.problems.sort(key=lambda problem: _files_first(problem.name))


def _files_first(relative: str) -> str:
    folder, slash, name = relative.rpartition("/")
    above = "\2" + folder.replace("/", "\0\2") + "\0" if slash else ""
    return f"{above}\1{name}"


def read_tree(source: TreeSource, check: Callable[[], None], *, is_quiet: bool = False) -> LocalTree:
    """
    Return all files that are meant, in a fixed order; empty directories leave no trace. See ``TreeWalk``.

    Raises OSSSourceMissing when the directory is not on this worker, OSSInvalidSource when it is none, or cannot
        be listed.
    """
    walk = TreeWalk(source, check, is_quiet=is_quiet)
    tree = LocalTree()
    for found in walk.run():
        tree.add(found)
    tree.left_out = walk.left_out
    tree.sort()
    return tree


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


def check_meant(source: TreeSource) -> None:
    """
    Raise OSSInvalidSource for globs that mean nothing of what is there, of a directory in which nothing was found.

    An empty directory is no error without ``include``.
    """
    if source.selection.is_everything:
        return
    if not is_empty(source) or source.selection.names_files:
        raise OSSInvalidSource(
            f"directory={source.directory!r} has no file that include and exclude mean: check the globs, which are "
            "compared with whole paths below the directory ('**/*.csv' is at any depth, '*.csv' in the directory "
            "itself), or set allow_empty=True if that may be"
        )


def not_here(source: TreeSource) -> OSSSourceElsewhere:
    """Return the error for a directory, or a shard, that had files before and has none on this worker."""
    of_it = "" if source.shard is None else f", {source.shard} (clear the task that plans if it was removed since),"
    return seen_elsewhere(f"what was in directory={source.directory!r}{of_it}")


def is_empty(source: TreeSource) -> bool:
    """Whether the directory has nothing at all in it."""
    with os.scandir(source.directory) as entries:
        return not any(entries)


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


class TreeWalk:
    """
    One walk through what is meant of a tree, depth first.

    Without recursion, for a tree may be deeper than Python's stack. Files come as the file system has them; directories
    are gone into by name. What cannot be read is a problem of its own and does not stop the rest. A symlink is
    followed, left out with a line in the log, or a problem, as ``symlinks`` says; one that leads to a directory which
    it is in is left out. The ``directory`` itself may be a symlink. A directory wholly outside of the shard is not
    read; one that cannot be read is a problem of each shard that may have something below it, anything else of one.

    Memory: the directories next to those that lead to the one that is being read, whatever files there are.
    """

    def __init__(self, source: TreeSource, check: Callable[[], None], *, is_quiet: bool = False) -> None:
        """Take the source; ``check`` is called often. Without ``is_quiet`` what is left out has a line in the log."""
        self._source = source
        self._selection = source.selection
        self._between = source.shard
        self._check = check
        self._is_quiet = is_quiet
        self.left_out = 0
        """Symlinks that are not followed, and what is neither file nor directory, so far."""

    def run(self) -> Iterator[LocalFile | Failure]:
        """
        Yield files and problems as they are found.

        Raises OSSSourceMissing when the directory is not on this worker, OSSInvalidSource when it is none, or cannot
        be listed.
        """
        waiting = [self._root()]
        while waiting:
            self._check()
            below = []
            for found in self._all_in(waiting.pop()):
                if isinstance(found, _Folder):
                    below.append(found)
                else:
                    yield found
            below.sort(key=lambda folder: folder.relative, reverse=True)
            waiting.extend(below)

    def _root(self) -> _Folder:
        directory = self._source.directory
        try:
            root = _Folder("", _identity(os.stat(directory)), None)  # noqa: PTH116 - thousands of paths, as text
            with os.scandir(directory):
                return root
        except OSError as error:
            if (exhausted := exhaustion(error)) is not None:
                raise exhausted from error
            kind = OSSSourceMissing if isinstance(error, FileNotFoundError) else OSSInvalidSource
            raise kind(
                f"directory={directory!r} cannot be read on this worker, {host_name()}: {error.strerror}; check the "
                "path, and that the task that writes it runs on the same machine or writes to a shared volume"
            ) from error

    def _all_in(self, folder: _Folder) -> Iterator[_Folder | LocalFile | Failure]:
        """Yield what is in the folder, and a problem if it cannot be read."""
        path = os.path.join(self._source.directory, folder.relative)  # noqa: PTH118 - as above
        try:
            with _opened(path, folder) as descriptor, os.scandir(descriptor) as entries:
                for number, entry in enumerate(entries, 1):
                    if not number % _CHECKED_EVERY:
                        self._check()
                    if (found := self._take(entry, folder)) is not None:
                        yield found
        except OSError as error:
            yield problem(folder.relative, _renamed(folder.relative, error))
        except OSSSourceChanged as error:
            yield problem(folder.relative, error)

    def _take(self, entry: os.DirEntry[str], folder: _Folder) -> _Folder | LocalFile | Failure | None:
        """Return a file, a problem, or a directory to go into; None for what is not meant."""
        relative = f"{folder.relative}/{entry.name}" if folder.relative else entry.name
        if not (self._is_in(relative) or self._may_be_below(relative)):
            return None
        try:
            if entry.is_symlink():
                return self._take_symlink(entry, relative, folder)
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            if self._is_meant(relative):
                return problem(relative, _renamed(relative, error))
            return None
        return self._take_status(relative, status, folder)

    def _take_symlink(
        self, entry: os.DirEntry[str], relative: str, folder: _Folder
    ) -> _Folder | LocalFile | Failure | None:
        if not (self._selection.matches(relative) or self._selection.may_match_below(relative)):
            return None
        if self._source.symlinks == "skip":
            self._leave_out(relative, "a symlink")
            return None
        if self._source.symlinks == "error":
            error = OSSInvalidSource(f"{relative!r} is a symlink, and symlinks='error' forbids them")
            return problem(relative, error) if self._is_in(relative) else None
        try:
            status = entry.stat()
        except FileNotFoundError:
            missing = OSSInvalidSource(f"{relative!r} is a symlink to what does not exist")
            return problem(relative, missing) if self._is_in(relative) else None
        if stat.S_ISDIR(status.st_mode) and folder.is_within(_identity(status)):
            self._leave_out(relative, "a symlink to a directory that it is in")
            return None
        return self._take_status(relative, status, folder)

    def _take_status(self, relative: str, status: os.stat_result, folder: _Folder) -> _Folder | LocalFile | None:
        if stat.S_ISDIR(status.st_mode):
            is_meant = self._may_be_below(relative) and self._selection.may_match_below(relative)
            return _Folder(relative, _identity(status), folder) if is_meant else None
        if not (self._is_in(relative) and self._selection.matches(relative)):
            return None
        if stat.S_ISREG(status.st_mode):
            return LocalFile(relative, status.st_size)
        self._leave_out(relative, "neither a file nor a directory")
        return None

    def _is_in(self, relative: str) -> bool:
        return self._between is None or self._between.contains(relative)

    def _may_be_below(self, relative: str) -> bool:
        return self._between is None or self._between.may_be_below(relative)

    def _is_meant(self, relative: str) -> bool:
        """Whether this may be a file that is meant, or a directory with one: what it leads to is not known."""
        is_meant = self._selection.matches(relative) or self._selection.may_match_below(relative)
        return is_meant and self._is_in(relative)

    def _leave_out(self, relative: str, kind: str) -> None:
        if not self._is_in(relative):
            return
        self.left_out += 1
        if not self._is_quiet:
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
    shard: PathRange | None = None
    """The part of the tree that is meant; None for all of it."""
    has_files: bool = False
    """Whether who planned the shard has seen files in it."""

    @property
    def between(self) -> PathRange:
        """What the paths of the files are between."""
        return self.shard or EVERYTHING

    @property
    def no_links_below(self) -> str | None:
        """Below which directory no symlink is followed, if links are not to be."""
        return None if self.symlinks == "follow" else self.directory

    def read(self, check: Callable[[], None]) -> LocalTree:
        """Return its files: see ``read_tree``."""
        return read_tree(self, check)

    def path(self, name: str) -> str:
        """Return where the file of this relative path is."""
        return os.path.join(self.directory, name)  # noqa: PTH118 - thousands of paths, as text

    def __str__(self) -> str:
        return self.directory if self.shard is None else f"{self.directory} ({self.shard})"


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
