"""Which files a user means by paths and globs, and under which keys they belong."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceUnavailable
from airflow_provider_oss.sources.object_storage import ObjectStorageSource, source_of
from airflow_provider_oss.sources.urls import redacted
from airflow_provider_oss.transfer.source import FileSource

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)

_MAGIC: Final = frozenset("*?[")
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<netloc>[^/]*)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Location:
    """What a user's text names: a path, or a glob, of a storage. Everything behind the host is the path, unescaped."""

    scheme: str
    conn_id: str | None
    rest: str
    """What is behind ``scheme://``, without the connection."""

    @property
    def is_glob(self) -> bool:
        """Whether it has ``*``, ``?`` or ``[``."""
        return not _MAGIC.isdisjoint(self.rest)

    @property
    def name(self) -> str:
        """What is shown and saved."""
        return f"{self.scheme}://{self.rest}"


def parse_location(text: str, conn_id: str | None) -> Location:
    """
    Return what ``scheme://[conn_id@]path`` names; a text without a scheme is a path of this worker.

    Raises OSSInvalidArgument for a web address, a password, and when text and ``conn_id`` name two connections.
    """
    match = _URL.fullmatch(text)
    if match is None:
        return Location("file", None, text)
    scheme = _checked_scheme(match["scheme"].lower(), text)
    inside, _, host = match["netloc"].rpartition("@")
    if ":" in inside:
        raise OSSInvalidArgument(
            f"source={redacted(text)!r} has a password in it: put it into an Airflow connection, whose id goes there"
        )
    if inside and conn_id and inside != conn_id:
        raise OSSInvalidArgument(
            f"source={redacted(text)!r} names the connection {inside!r}, source_conn_id is {conn_id!r}: give only one"
        )
    return Location(scheme, inside or conn_id, host + match["rest"])


def _checked_scheme(scheme: str, text: str) -> str:
    if scheme in {"http", "https"}:
        raise OSSInvalidArgument(f"source={redacted(text)!r} is a web address: use HttpToOSSOperator")
    return scheme


@dataclass(frozen=True, slots=True)
class SelectedSource:
    """A file, and its path below what is fixed of the glob that found it; a single path's is its last name."""

    source: FileSource | ObjectStorageSource
    name: str
    below: str


OpenStorage = Callable[[str, str | None], "AbstractFileSystem"]
"""From scheme and connection id to a filesystem."""


def select(given: Iterable[Any], conn_id: str | None, open_storage: OpenStorage) -> list[SelectedSource]:
    """
    Return the files in the order of what is given, those of a glob by path; one that is named twice is there once.

    A text is ``scheme://[conn_id@]path`` or a glob; anything else is an ObjectStoragePath, of which no character has a
    meaning. Raises OSSInvalidArgument for what is neither, OSSInvalidSource when a glob matches no file, and
    OSSSourceUnavailable when its storage cannot be listed.
    """
    found: dict[str, SelectedSource] = {}
    for one in given:
        for selected in _named_by(one, conn_id, open_storage):
            found.setdefault(selected.name, selected)
    return list(found.values())


def _named_by(one: Any, conn_id: str | None, open_storage: OpenStorage) -> Iterable[SelectedSource]:
    if isinstance(one, str):
        location = parse_location(one, conn_id)
        fs = open_storage(location.scheme, location.conn_id)
        path = fs._strip_protocol(location.name)  # noqa: SLF001 - fsspec's own way from a URL to a path
        return _matches(fs, path, location) if location.is_glob else [_single(fs, path, location.scheme)]
    if not (hasattr(one, "fs") and hasattr(one, "path")):
        raise OSSInvalidArgument(f"source: {one!r} is a {type(one).__name__}: give text or an ObjectStoragePath")
    scheme = _checked_scheme(one.protocol or "file", str(one))
    return [_single(one.fs, one.path, scheme)]


def _single(fs: AbstractFileSystem, path: str, scheme: str) -> SelectedSource:
    return _selected(fs, path, scheme, below=path.rpartition("/")[2])


def _selected(fs: AbstractFileSystem, path: str, scheme: str, below: str) -> SelectedSource:
    name = path if scheme == "file" else f"{scheme}://{path}"
    return SelectedSource(source_of(fs, path, name), name, below)


def _matches(fs: AbstractFileSystem, pattern: str, location: Location) -> Iterator[SelectedSource]:
    fixed = fixed_part(pattern)
    paths = _glob(fs, pattern, location.name)
    if not paths:
        raise OSSInvalidSource(f"source={location.name!r} matches no file: check the glob and its connection")
    for path in paths:
        yield _selected(fs, path, location.scheme, path[len(fixed) :])


def _glob(fs: AbstractFileSystem, pattern: str, name: str) -> list[str]:
    """Return the files that match. Not by fsspec's ``glob``, which leaves out the folders that cannot be listed."""
    from fsspec.utils import glob_translate

    fs.invalidate_cache()
    folder = fixed_part(pattern)
    depth = None if "**" in pattern else pattern[len(folder) :].count("/") + 1
    try:
        matches = re.compile(glob_translate(pattern)).match
        found = {path: kind for path, kind in _below(fs, folder, depth) if kind != "directory" and matches(path)}
        return sorted(path for path, kind in found.items() if kind == "file" or _leads_to_a_file(fs, path, kind))
    except FileNotFoundError:
        return []
    except (PermissionError, ValueError) as error:  # no rights, no glob
        raise OSSInvalidSource(f"source={name!r} cannot be listed: {redacted(str(error))}") from error
    except Exception as error:  # as in ObjectStorageReader
        reason = redacted(f"{type(error).__name__}: {error}")
        raise OSSSourceUnavailable(f"{name} could not be listed: {reason}") from error


def _below(fs: AbstractFileSystem, folder: str, depth: int | None) -> Iterator[tuple[str, str]]:
    """Yield path and type of all in a folder, and so many levels deep. A folder that is gone meanwhile is empty."""
    inner: list[str] = []
    for info in fs.ls(folder.rstrip("/") or folder, detail=True):
        path = info["name"].rstrip("/")
        if path == folder.rstrip("/"):  # what stands for an empty folder
            continue
        yield path, info["type"]
        if info["type"] == "directory" and depth != 1:
            inner.append(path)
    for path in inner:
        with suppress(FileNotFoundError):
            yield from _below(fs, path, None if depth is None else depth - 1)


def _leads_to_a_file(fs: AbstractFileSystem, path: str, kind: str) -> bool:
    """Whether a link leads to one. What does not is told in the log."""
    if fs.isfile(path):
        return True
    log.warning("%s matches, and is left out: it is no file (%s)", redacted(path), kind)
    return False


def fixed_part(pattern: str) -> str:
    """Return the folder, with its slash, below which everything is that a glob can match."""
    first_magic = next(index for index, character in enumerate(pattern) if character in _MAGIC)
    return pattern[: pattern.rfind("/", 0, first_magic) + 1]


def keys_below(prefix: str, selected: Iterable[SelectedSource]) -> dict[str, SelectedSource]:
    """
    Return key to file: the prefix, a slash, and the file's path below what is fixed of its glob.

    Raises OSSInvalidArgument when two files have one key: neither may replace the other.
    """
    keys: dict[str, SelectedSource] = {}
    for one in selected:
        key = f"{prefix.rstrip('/')}/{one.below}".lstrip("/")
        other = keys.setdefault(key, one)
        if other is not one:
            raise OSSInvalidArgument(
                f"source: {other.name!r} and {one.name!r} would both become {key!r}, nothing was sent: name them by a "
                "glob, which keeps the folders below its fixed part, or in tasks of their own"
            )
    return keys
