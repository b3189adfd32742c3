"""
Files of any storage that Airflow's ObjectStoragePath reaches (S3, GCS, Azure, SFTP, ...), as sources read in ranges.

Also here: which files a user means by paths and globs, and under which keys they belong. Ranges of S3 are asked for on
condition that the object is still the same: s3fs itself reads whatever is there now.
"""

from __future__ import annotations

import inspect
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_oss.cancellation import interruptible
from airflow_provider_oss.engine.retry import RetryPolicy, make_retrying
from airflow_provider_oss.engine.source import FileSource, path_text
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceMissing,
    OSSSourceUnavailable,
    OSSUploadCancelled,
)
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.proof import strong_etag
from airflow_provider_oss.shown import Log, a_type, host_name
from airflow_provider_oss.uri import redacted

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from s3fs import S3FileSystem

log = Log(__name__)

# Ranges of S3


class ObjectReplacedError(Exception):
    """The object has another ETag by now."""


def is_s3(fs: Any) -> bool:
    """Whether the filesystem is s3fs."""
    return type(fs).__module__.startswith("s3fs.")


def is_oss(fs: Any) -> bool:
    """Whether the filesystem is this package's own."""
    return type(fs).__module__.startswith("airflow_provider_oss.fs.")


def read_range(fs: S3FileSystem, path: str, etag: str, start: int, end: int) -> bytes:
    """
    Return bytes ``start`` to ``end`` (excluded) of the object that has this ETag. For use by several threads at once.

    Raises ObjectReplacedError when it has another by now; else what s3fs raises.
    """
    from fsspec.asyn import sync

    bucket, key, version_id = fs.split_path(path)
    version = {"VersionId": version_id} if version_id else {}

    async def read() -> bytes:
        answer = await fs._call_s3(  # noqa: SLF001 - the way to send a condition that s3fs has no argument for
            "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=etag, **version
        )
        async with answer["Body"] as body:
            data: bytes = await body.read()
            return data

    try:
        return sync(fs.loop, read)  # type: ignore[no-any-return]  # fsspec has no types
    except OSError as error:
        if _code(error) == "PreconditionFailed":
            raise ObjectReplacedError from error
        raise


def _code(error: OSError) -> str | None:
    """Return S3's own word for an error that s3fs has turned into Python's."""
    response = getattr(error.__cause__, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


# Files of any filesystem

Answer = TypeVar("Answer")

_GCS: Final = frozenset({"gs", "gcs"})
_AZURE: Final = frozenset({"abfs", "abfss", "az", "adl", "wasb"})
_TIME_NAMES: Final = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


def source_of(fs: AbstractFileSystem, path: str, name: str) -> FileSource | ObjectStorageSource:
    """Return the source that reads ``path`` of the filesystem; a file of this worker is read as all local files are."""
    is_local = "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
    return FileSource(path) if is_local else ObjectStorageSource(fs, path, name)


@dataclass(frozen=True, slots=True)
class ObjectStorageSource:
    """A file of a filesystem that is not this worker's own. ``name`` is shown and saved: without secrets."""

    fs: AbstractFileSystem
    path: str
    name: str
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def open(self) -> ObjectStorageReader:
        """
        Look at the file.

        Raises OSSInvalidSource when there is none, it may not be read or its size is not known, and
        OSSSourceUnavailable when the storage cannot be asked now.
        """
        return ObjectStorageReader(self)


class ObjectStorageReader:
    """
    Reads ranges; each part takes memory of its size.

    A filesystem that is no asynchronous one (``async_impl`` of fsspec) is used by one thread at a time: fsspec promises
    no more, and paramiko's SFTP mixes up the answers of two. The asynchronous ones work in a thread of their own.
    """

    def __init__(self, source: ObjectStorageSource) -> None:
        self._source = source
        self._repeating = make_retrying(source.retry)
        self._turn: AbstractContextManager[Any] = nullcontext() if _is_asynchronous(source.fs) else threading.Lock()
        self._fingerprint = self._repeating(self._look)
        self._read_version = _reading_version(source.fs, source.path, self._fingerprint.version)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the storage said of the file; ``version`` where it has a strong one."""
        return self._fingerprint

    def data(self, part: Part) -> bytes:
        """
        Read the part. Raises OSSSourceUnavailable, and OSSSourceChanged when other than so many bytes come.

        Of a file with a version it is that version's bytes: S3 and OSS are asked on condition of their ETag; elsewhere
        the version is looked at again, and those there are (generations, Azure's ETags) never come back.
        """
        return self._repeating(self._read, part)

    def check_unchanged(self) -> None:
        """Ask the storage again. Raises OSSSourceChanged when the file is another one by now."""
        if self._repeating(self._look) != self._fingerprint:
            raise _changed(self._source.name)

    def close(self) -> None:
        """Nothing is held: the filesystem is shared."""

    def _look(self) -> Fingerprint:
        fs, path = self._source.fs, self._source.path

        def look() -> Mapping[str, Any]:
            fs.invalidate_cache(path)  # listings are cached: what was is not asked for
            info: Mapping[str, Any] = fs.info(path)
            return info

        return _fingerprint(self._source.name, self._ask(look), fs)

    def _read(self, part: Part) -> bytes:
        data = self._ask(lambda: self._range(part))
        if len(data) != part.size_bytes:
            raise OSSSourceChanged(
                f"{self._source.name} answered with {len(data)} bytes where the {part.size_bytes} from byte "
                f"{part.offset_bytes} on were asked for: it changed, or its storage cannot read ranges"
            )
        is_unproven = self._fingerprint.version is not None and self._read_version is None
        if is_unproven and self._look() != self._fingerprint:
            raise _changed(self._source.name)
        return data

    def _range(self, part: Part) -> bytes:
        if not part.size_bytes:
            return self._nothing()
        fs, path, start = self._source.fs, self._source.path, part.offset_bytes
        end = start + part.size_bytes
        if self._read_version is not None:
            return self._read_version(start, end)
        if not {"start", "args"}.isdisjoint(inspect.signature(fs.cat_file).parameters):
            data: bytes = fs.cat_file(path, start=start, end=end)
            return data
        with fs.open(path, "rb") as file:  # sshfs's cat_file takes ranges and reads everything
            file.seek(start)
            return _read_exactly(file, part.size_bytes)

    def _nothing(self) -> bytes:
        """Return no bytes. Raises OSSInvalidSource for a file that says it has none and has, as those of /proc."""
        if self._fingerprint.version is None:
            with self._source.fs.open(self._source.path, "rb") as file:
                if file.read(1):
                    raise OSSInvalidSource(
                        f"source={self._source.name!r} has content, and its storage says that it has 0 bytes: upload "
                        "it with OSSResumableStreamOperator, which reads to the end"
                    )
        return b""

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        try:
            with self._turn, interruptible():
                return call()
        except (OSSUploadCancelled, OSSInvalidSource):
            raise
        except (ObjectReplacedError, OSSSourceChanged) as error:
            raise _changed(self._source.name) from error
        except Exception as error:
            raise _renamed(error, self._source.name) from error


def _reading_version(fs: Any, path: str, version: str | None) -> Callable[[int, int], bytes] | None:
    """Return what reads a range on condition of the version; None where the storage cannot be asked so."""
    if version is None:
        return None
    if is_s3(fs):
        return partial(read_range, fs, path, version)
    return (lambda start, end: fs.read_range(path, start, end, version)) if is_oss(fs) else None


def _read_exactly(file: Any, size_bytes: int) -> bytes:
    """Read so many bytes, or as many as there are."""
    data = bytearray()
    while len(data) < size_bytes and (chunk := file.read(size_bytes - len(data))):
        data += chunk
    return bytes(data)


def _is_asynchronous(fs: Any) -> bool:
    wrapped = getattr(fs, "fs", None)  # of a DirFileSystem, which says that it is asynchronous whatever it wraps
    return bool(getattr(fs, "async_impl", False)) and (wrapped is None or _is_asynchronous(wrapped))


def _changed(name: str) -> OSSSourceChanged:
    return OSSSourceChanged(
        f"{name} changed while it was read (size, time or version); let its writer finish first: the next attempt "
        "sends again only what differs"
    )


def _renamed(error: Exception, name: str) -> OSSProviderError:
    reason = redacted(f"{type(error).__name__}: {error}")
    if isinstance(error, FileNotFoundError):
        return OSSInvalidSource(f"source={name!r} does not exist: check the path and its connection ({reason})")
    if isinstance(error, PermissionError):
        return OSSInvalidSource(f"source={name!r} may not be read: check its connection's rights ({reason})")
    if isinstance(error, NotImplementedError | TypeError | ImportError):
        return OSSInvalidSource(f"source={name!r}: its filesystem cannot read ranges ({reason})")
    return OSSSourceUnavailable(f"{name} could not be read: {reason}")


def _fingerprint(name: str, info: Mapping[str, Any], fs: AbstractFileSystem) -> Fingerprint:
    if info.get("type", "file") != "file":
        raise OSSInvalidSource(f"source={name!r} is a {info['type']}: give the path of a file, or a glob")
    size_bytes = info.get("size")
    if size_bytes is None:
        raise OSSInvalidSource(
            f"source={name!r} has no size that its storage tells: upload it with OSSResumableStreamOperator"
        )
    return Fingerprint(name, int(size_bytes), _modified_at(info), _version(info, fs))


def _version(info: Mapping[str, Any], fs: AbstractFileSystem) -> str | None:
    """Return what the class promises of a version; None for storages of which it is not known to be true."""
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if is_s3(fs) or is_oss(fs):
        return strong_etag(info.get("ETag"))
    if protocols & _GCS and info.get("generation"):
        return str(info["generation"])
    return strong_etag(info.get("etag")) if protocols & _AZURE else None


def _modified_at(info: Mapping[str, Any]) -> str | None:
    value = next((info[name] for name in _TIME_NAMES if info.get(name)), None)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, str) else None


# Which files are meant

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

    A text is ``scheme://[conn_id@]path`` or a glob; anything else is an ObjectStoragePath, or another path of this
    worker, of which no character has a meaning. Raises OSSInvalidArgument for what is none of these, OSSInvalidSource
    when a glob matches no file (OSSSourceMissing: of this worker), and OSSSourceUnavailable when its storage cannot be
    listed.
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
    if hasattr(one, "fs") and hasattr(one, "path"):
        scheme = _checked_scheme(one.protocol or "file", str(one))
        return [_single(one.fs, one.path, scheme)]
    if isinstance(one, os.PathLike):
        return [_single(open_storage("file", None), path_text(one, "source"), "file")]
    raise OSSInvalidArgument(f"source: {one!r} is {a_type(one)}: give text or an ObjectStoragePath")


def _single(fs: AbstractFileSystem, path: str, scheme: str) -> SelectedSource:
    return _selected(fs, path, scheme, below=path.rpartition("/")[2])


def _selected(fs: AbstractFileSystem, path: str, scheme: str, below: str) -> SelectedSource:
    name = path if scheme == "file" else f"{scheme}://{path}"
    return SelectedSource(source_of(fs, path, name), name, below)


def _matches(fs: AbstractFileSystem, pattern: str, location: Location) -> Iterator[SelectedSource]:
    fixed = fixed_part(pattern)
    paths = _glob(fs, pattern, location.name)
    if not paths and location.scheme == "file":
        raise OSSSourceMissing(
            f"source={location.name!r} matches no file on this worker, {host_name()}: check the glob"
        )
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
        with interruptible():
            found = {path: kind for path, kind in _below(fs, folder, depth) if kind != "directory" and matches(path)}
            return sorted(path for path, kind in found.items() if kind == "file" or _leads_to_a_file(fs, path, kind))
    except OSSUploadCancelled:
        raise
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
    """Whether a link leads to one. What does not is logged."""
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
