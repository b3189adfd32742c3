"""Data to upload: a file, or bytes. Opened anew in every attempt, read at any offset by several threads."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSInvalidSource, OSSSourceChanged
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Fingerprint, Part
from airflow_provider_oss.ports import Buffer


def path_text(given: Any, name: str = "file_path") -> str:
    """
    Return the path that a user gave as the argument ``name``, as text.

    Raises OSSInvalidArgument for what can be no path on this machine.
    """
    try:
        path = os.fspath(given)
    except TypeError:
        path = given
    if not isinstance(path, str):
        raise OSSInvalidArgument(f"{name}={path!r} is a {type(path).__name__}: give text or a pathlib.Path")
    if "\0" in path:
        raise OSSInvalidArgument(f"{name}={path!r} has a NUL character, which no path can have: remove it")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(f"{name}={path!r} cannot be written as a path: {error.reason}") from error
    return path


@dataclass(frozen=True, slots=True)
class FileSource:
    """A regular file on this worker."""

    path: str

    def open(self) -> FileReader:
        """Open the file. Raises OSSInvalidSource when it is missing, is no regular file, or may not be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise OSSInvalidSource(
                f"file_path={self.path!r} does not exist on this worker: check the path, and that the task that "
                "writes it runs on the same machine or a shared volume"
            ) from error
        except OSError as error:
            raise OSSInvalidSource(f"file_path={self.path!r} cannot be opened: {error.strerror}") from error
        try:
            return FileReader(self.path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise


class FileReader:
    """An open file."""

    def __init__(self, path: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise OSSInvalidSource(f"file_path={path!r} is {kind}: give the path of a regular file")
        self._path = path
        self._descriptor = descriptor
        self._identity = _identity(status)
        modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat()  # pendulum takes ten times as long
        self._fingerprint = Fingerprint(path, status.st_size, modified)

    @property
    def fingerprint(self) -> Fingerprint:
        """Path, size and time of last modification when the file was opened."""
        return self._fingerprint

    def data(self, part: Part) -> FileRange:
        """Return the part's bytes, to be read when they are used."""
        return FileRange(self._path, self._descriptor, part.offset_bytes, part.size_bytes)

    def check_unchanged(self) -> None:
        """Raise OSSSourceChanged when the path no longer leads to the file as it was when it was opened."""
        try:
            now = _identity(Path(self._path).stat())
        except OSError as error:
            raise OSSSourceChanged(f"{self._path!r} went away while it was read: {error.strerror}") from error
        if now != self._identity:
            raise OSSSourceChanged(
                f"{self._path!r} changed while it was read (size, times or file); let its writer finish first: the "
                "next attempt sends again only what differs"
            )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file's content may have: the change time catches an edit that restores mtime."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory. They must not be changed while they are uploaded."""

    data: Buffer
    name: str = "data"

    def open(self) -> BytesReader:
        """Return a reader over the bytes."""
        return BytesReader(self)


class BytesReader:
    """Reads bytes in memory; the parts are views of them, nothing is copied."""

    def __init__(self, source: BytesSource) -> None:
        self._view = memoryview(source.data).cast("B")
        self._fingerprint = Fingerprint(source.name, len(self._view))

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and size."""
        return self._fingerprint

    def data(self, part: Part) -> memoryview:
        """Return the part's bytes; nothing is copied."""
        return self._view[part.offset_bytes : part.offset_bytes + part.size_bytes]

    def check_unchanged(self) -> None:
        """Bytes in memory are taken not to change."""

    def close(self) -> None:
        """Nothing is held but the bytes themselves."""
