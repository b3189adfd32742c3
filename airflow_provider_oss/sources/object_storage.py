"""Files of any fsspec filesystem as sources: S3, GCS, Azure, SFTP, ... read in ranges."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_oss.exceptions import (
    OSSInvalidSource,
    OSSProviderError,
    OSSSourceChanged,
    OSSSourceUnavailable,
)
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.sources.repeating import repeating
from airflow_provider_oss.sources.s3 import ObjectReplacedError, is_s3, read_range
from airflow_provider_oss.sources.urls import redacted
from airflow_provider_oss.sources.versions import strong_etag
from airflow_provider_oss.transfer.retry import RetryPolicy
from airflow_provider_oss.transfer.source import FileSource

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

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
        self._repeating = repeating(source.retry)
        self._turn: AbstractContextManager[Any] = nullcontext() if _is_asynchronous(source.fs) else threading.Lock()
        self._fingerprint = self._repeating(self._look)
        self._s3_etag = self._fingerprint.version if is_s3(source.fs) else None

    @property
    def fingerprint(self) -> Fingerprint:
        """What the storage said of the file; ``version`` where it has a strong one."""
        return self._fingerprint

    def data(self, part: Part) -> bytes:
        """
        Read the part. Raises OSSSourceUnavailable, and OSSSourceChanged when other than so many bytes come.

        Of a file with a version it is that version's bytes: S3 is asked on condition of its ETag; elsewhere the version
        is looked at again, and those there are (generations, Azure's ETags) never come back.
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
        if self._fingerprint.version is not None and self._s3_etag is None and self._look() != self._fingerprint:
            raise _changed(self._source.name)
        return data

    def _range(self, part: Part) -> bytes:
        fs, path, start = self._source.fs, self._source.path, part.offset_bytes
        end = start + part.size_bytes
        if self._s3_etag is not None:
            return read_range(fs, path, self._s3_etag, start, end)
        if not {"start", "args"}.isdisjoint(inspect.signature(fs.cat_file).parameters):
            data: bytes = fs.cat_file(path, start=start, end=end)
            return data
        with fs.open(path, "rb") as file:  # sshfs's cat_file takes ranges and reads everything
            file.seek(start)
            return _read_exactly(file, part.size_bytes)

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        try:
            with self._turn:
                return call()
        except ObjectReplacedError as error:
            raise _changed(self._source.name) from error
        except Exception as error:
            raise _renamed(error, self._source.name) from error


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
    if is_s3(fs):
        return strong_etag(info.get("ETag"))
    if protocols & _GCS and info.get("generation"):
        return str(info["generation"])
    return strong_etag(info.get("etag")) if protocols & _AZURE else None


def _modified_at(info: Mapping[str, Any]) -> str | None:
    value = next((info[name] for name in _TIME_NAMES if info.get(name)), None)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, str) else None
