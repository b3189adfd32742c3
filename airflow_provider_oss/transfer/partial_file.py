"""A file on its way: written beside the one it becomes, with a record of what has arrived, and locked meanwhile."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from airflow_provider_oss.crc64 import crc64
from airflow_provider_oss.exceptions import OSSDiskFull
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Part
from airflow_provider_oss.transfer.download_record import (
    DownloadedVersion,
    DownloadRecord,
    first_line,
    parse_record,
    range_line,
)
from airflow_provider_oss.transfer.local_target import (
    OWNER_ONLY,
    mode_of,
    naming_errors,
    publish,
    set_mode,
    sync_directory,
)

log = logging.getLogger(__name__)

_MAX_NAME_BYTES: Final = 200
"""File systems allow 255; ours are longer than the target's."""
_MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""Several times what 10,000 ranges take."""


class PartialFile:
    """
    The file beside ``path``, open and, if it is kept, locked. Several threads may write to it.

    One that is kept has a name that a later attempt finds again, and a record of the ranges that arrived.
    """

    def __init__(self, path: Path, part_path: Path, descriptor: int, record_descriptor: int | None) -> None:
        self.path = path
        self._part_path = part_path
        self._descriptor = descriptor
        self._record_descriptor = record_descriptor
        self._has_arrived = False

    @classmethod
    def open(cls, path: Path, *, keep: bool) -> Self:
        """
        Open what an earlier attempt left, or a new file.

        Where another process is writing it, or the file system knows no locks, the file is a new one that is not kept.
        What is to replace a file is its owner's only until then.
        """
        with naming_errors(path):
            replaces = mode_of(path) is not None
            mode = OWNER_ONLY if replaces else 0o666
            if keep:
                part_path = path.with_name(f".{_short(path.name)}.oss-part")
                descriptor = _claim(part_path, path, mode)
                if descriptor is not None:
                    if replaces:
                        set_mode(descriptor, OWNER_ONLY)
                    return cls(path, part_path, descriptor, _open_record(part_path, descriptor))
                log.warning(
                    "%s is in use by another download, or cannot be locked: beginning anew beside it", part_path
                )
            part_path = path.with_name(f".{_short(path.name)}.{secrets.token_hex(4)}.oss-part")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(part_path, flags, mode)
            return cls(path, part_path, descriptor, None)

    def record(self) -> DownloadRecord | None:
        """Return what an earlier attempt noted. What cannot be understood is reported, and counts as nothing."""
        if self._record_descriptor is None:
            return None
        text = os.pread(self._record_descriptor, _MAX_RECORD_BYTES, 0)
        if not text:
            return None
        try:
            record = parse_record(text)
        except ValueError as error:
            log.error("%s: starting anew, its record cannot be read (%s): %r", self._part_path, error, text[:600])  # noqa: TRY400
            return None
        self._has_arrived = bool(record.done)
        return record

    def begin(self, version: DownloadedVersion) -> None:
        """Forget what has arrived, and make room. Raises OSSDiskFull when there is too little."""
        with naming_errors(self.path):
            self._has_arrived = False
            os.ftruncate(self._descriptor, 0)
            self._check_room(version.size_bytes)
            os.ftruncate(self._descriptor, version.size_bytes)
            if self._record_descriptor is not None:
                os.ftruncate(self._record_descriptor, 0)
            self._add_to_record(first_line(version))

    def _check_room(self, size_bytes: int) -> None:
        """Raise now what would be raised after hours."""
        system = os.fstatvfs(self._descriptor)
        free_bytes = system.f_bavail * system.f_frsize
        if system.f_blocks and free_bytes < size_bytes:
            raise OSSDiskFull(
                f"file_path={str(self.path)!r} needs {size_bytes} bytes, and {free_bytes} are free on this worker"
            )

    def go_on(self, version: DownloadedVersion) -> None:
        """Go on with what an earlier attempt has noted of this version."""
        with naming_errors(self.path):
            os.ftruncate(self._descriptor, version.size_bytes)
            self._add_to_record(b"\n")  # the last line may have been cut short

    def write(self, data: memoryview, offset_bytes: int) -> None:
        """Write bytes to their place. Raises OSSDiskFull."""
        with naming_errors(self.path):
            while data:
                count = os.pwrite(self._descriptor, data, offset_bytes)
                data, offset_bytes = data[count:], offset_bytes + count

    def note(self, part: Part, crc: int) -> None:
        """Note that a range has arrived; from now on a later attempt need not ask for it."""
        self._has_arrived = True
        with naming_errors(self.path):
            self._add_to_record(range_line(part.number, crc))

    def _add_to_record(self, line: bytes) -> None:
        if self._record_descriptor is not None:
            os.write(self._record_descriptor, line)

    def crc64(self, part: Part) -> int:
        """Return the CRC-64 of what is in the file in a range's place."""
        return crc64(FileRange(str(self._part_path), self._descriptor, part.offset_bytes, part.size_bytes))

    def publish(self, *, overwrite: bool) -> None:
        """
        Let it take the place of the file, in one step, when it is on the disk; with the permissions of the old one.

        Raises OSSInvalidTarget.
        """
        with naming_errors(self.path):
            publish(self._part_path, self._descriptor, self.path, overwrite=overwrite)
            self._remove_record()
            sync_directory(self.path.parent)

    def distrust(self) -> None:
        """Leave nothing of this to a later attempt."""
        self._has_arrived = False

    def leave(self) -> None:
        """Leave to a later attempt what has arrived; remove the file when nothing has, or when it is not kept."""
        if self._record_descriptor is None or not self._has_arrived:
            self.discard()

    def discard(self) -> None:
        """Remove it, with its record."""
        with suppress(FileNotFoundError):
            self._part_path.unlink()
        self._remove_record()

    def _remove_record(self) -> None:
        if self._record_descriptor is not None:
            with suppress(FileNotFoundError):
                _record_path(self._part_path).unlink()

    def close(self) -> None:
        """Close and unlock it."""
        os.close(self._descriptor)
        if self._record_descriptor is not None:
            os.close(self._record_descriptor)


def _short(name: str) -> str:
    """Return the name, or a digest of one that would become too long."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _MAX_NAME_BYTES else hashlib.sha256(encoded).hexdigest()


def _record_path(part_path: Path) -> Path:
    return part_path.with_name(f"{part_path.name}.jsonl")


def _claim(part_path: Path, path: Path, mode: int) -> int | None:
    """Open the file and lock it; None when another process has it, or it is not surely ours."""
    while True:
        try:
            descriptor = os.open(part_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EACCES, errno.EISDIR):
                return None
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            is_there = _is_at(part_path, status)
            if is_there and _is_at(path, status):  # who published it was killed before this name was taken away
                part_path.unlink()
                _record_path(part_path).unlink(missing_ok=True)
                is_there = False
            elif not _is_ours(status):
                os.close(descriptor)
                return None
            if is_there:
                return descriptor
        except OSError:  # busy, or no locks here
            os.close(descriptor)
            return None
        os.close(descriptor)  # whoever had it has published it meanwhile


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody else can have laid it there, in a directory that others may write to as well."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink <= 1


def _is_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except FileNotFoundError:
        return False


def _open_record(part_path: Path, descriptor: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(_record_path(part_path), flags, 0o666)
    except BaseException:
        os.close(descriptor)
        raise
