"""
The file of this machine that a download becomes: whether it can be there, what is written beside it, and its name.

What is written beside it is locked meanwhile, and has a record of what has arrived.
The record is text that grows: a line that says what is downloaded, then one for each range. A process that dies leaves
at worst a last line that is cut short, and that is no line. What the lines claim is compared with the file before it
counts.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airflow_provider_oss.engine.plan import PartPlan, make_plan
from airflow_provider_oss.exceptions import OSSDiskFull, OSSInvalidTarget
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import ObjectInfo, ObjectRef, Part
from airflow_provider_oss.proof import crc64
from airflow_provider_oss.shown import Log

log = Log(__name__)

# Where it is to be

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


# The record

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class DownloadedVersion:
    """One version of an object, and the size of the ranges it is cut into."""

    ref: ObjectRef
    etag: str
    size_bytes: int
    crc64: int | None
    part_size_bytes: int

    def is_of(self, info: ObjectInfo) -> bool:
        """Whether it is what OSS describes now."""
        now = (info.ref, info.etag, info.size_bytes, info.crc64)
        return (self.ref, self.etag, self.size_bytes, self.crc64) == now

    @property
    def plan(self) -> PartPlan:
        """The ranges."""
        return PartPlan(self.size_bytes, self.part_size_bytes)


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """What a partial download claims to be: ``done`` has the number of each range that arrived, and its CRC-64."""

    version: DownloadedVersion
    done: Mapping[int, int]


def first_line(version: DownloadedVersion) -> bytes:
    """Return the line that says what is downloaded."""
    return _line(
        {
            "version": _VERSION,
            "bucket": version.ref.bucket,
            "key": version.ref.key,
            "etag": version.etag,
            "size": version.size_bytes,
            "crc64": None if version.crc64 is None else str(version.crc64),
            "part_size": version.part_size_bytes,
        }
    )


def range_line(number: int, crc64: int) -> bytes:
    """Return the line that says that a range has arrived."""
    return _line({"part": number, "crc64": str(crc64)})


def _line(data: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(data)}\n".encode()


def parse_record(text: bytes) -> DownloadRecord:
    """
    Return what the text says; lines about ranges that make no sense are left out.

    Raises ValueError when its first line does not say what is downloaded.
    """
    first, _, rest = text.partition(b"\n")
    version = _version(_fields(first))
    return DownloadRecord(version, dict(_claims(rest.splitlines(), version.plan.count)))


def _version(fields: Mapping[str, Any]) -> DownloadedVersion:
    if fields.get("version") != _VERSION:
        raise ValueError(f"version is {fields.get('version')!r}, not {_VERSION}")
    ref = ObjectRef(_typed(fields, "bucket", str), _typed(fields, "key", str))
    size_bytes = _typed(fields, "size", int)
    crc64 = fields.get("crc64")
    plan = make_plan(size_bytes, _typed(fields, "part_size", int))
    if size_bytes < 0:
        raise ValueError(f"size is {size_bytes}")
    return DownloadedVersion(
        ref,
        _typed(fields, "etag", str),
        size_bytes,
        None if crc64 is None else int(_typed(fields, "crc64", str)),
        plan.part_size_bytes,
    )


def _claims(lines: Iterable[bytes], count: int) -> Iterable[tuple[int, int]]:
    for line in lines:
        try:
            fields = _fields(line)
            number, crc64 = _typed(fields, "part", int), int(_typed(fields, "crc64", str))
        except ValueError:
            continue
        if 1 <= number <= count:
            yield number, crc64


def _fields(line: bytes) -> Mapping[str, Any]:
    """Return the object that a line of JSON holds. Raises ValueError."""
    try:
        fields = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError(f"it holds a {type(fields).__name__}, not an object")  # noqa: TRY004 - as in _typed
    return fields


def _typed(fields: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, not a {kind.__name__}")  # noqa: TRY004 - of the text, not of a caller
    return value


# Beside it

_MAX_NAME_BYTES: Final = 200
"""File systems allow 255; ours are longer than the target's."""
_NONE: Final = -1
"""No descriptor."""
_NO_FILE_OF_OURS: Final = (errno.ELOOP, errno.EACCES, errno.EISDIR, errno.ENXIO)
_MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""Several times what 10,000 ranges take."""


class PartialFile:
    """
    The file beside ``path``, open and, if it is kept, locked. Several threads may write to it.

    One that is kept has a name that a later attempt finds again, and a record of the ranges that arrived.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        """Nothing is done yet: whoever leaves this, be it while it opens, leaves nothing of it behind."""
        self.path = path
        self._keep = keep
        self._part_path = _kept_path(path) if keep else _new_path(path)
        self._descriptor = _NONE
        self._record_descriptor = _NONE
        self._is_claimed = False
        self._has_arrived = False

    def open(self) -> None:
        """
        Open what an earlier attempt left, or a new file.

        Where another process is writing it, the file system knows no locks, or what is there may be another's, the file
        is a new one that is not kept. What is to replace a file is its owner's only until then.
        """
        with naming_errors(self.path):
            replaces = mode_of(self.path) is not None
            mode = OWNER_ONLY if replaces else 0o666
            if self._keep and not self._open_kept(mode):
                log.warning(
                    "%s is in use by another download, cannot be locked, or may be another's: beginning anew beside it",
                    self._part_path,
                )
                self._keep, self._part_path = False, _new_path(self.path)
            if not self._keep:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._descriptor = os.open(self._part_path, flags, mode)
                self._is_claimed = True
            elif replaces:
                set_mode(self._descriptor, OWNER_ONLY)

    def _open_kept(self, mode: int) -> bool:
        """Open and lock what an earlier attempt left, with its record; return whether both are surely ours."""
        if not self._claim(mode):
            return False
        self._record_descriptor = _open_record(self._part_path)
        if self._record_descriptor == _NONE:
            if not os.fstat(self._descriptor).st_size:
                self._part_path.unlink()  # it was made just now
            self.close()
        return self._record_descriptor != _NONE

    def _claim(self, mode: int) -> bool:
        """Open the file and lock it; return False when another process has it, or it is not surely ours."""
        while True:
            self._descriptor = _open_ours(self._part_path, os.O_RDWR | os.O_CREAT, mode)
            if self._descriptor == _NONE:
                return False
            try:
                is_there = _lock(self._descriptor, self._part_path, self.path)
                self._has_arrived = bool(os.fstat(self._descriptor).st_size)
                self._is_claimed = is_there
            except OSError:  # busy, or no locks here
                self.close()
                return False
            if self._is_claimed:
                return True
            self.close()  # whoever had it has published it meanwhile

    def record(self) -> DownloadRecord | None:
        """Return what an earlier attempt noted. What cannot be understood is reported, and counts as nothing."""
        self._has_arrived = False
        if self._record_descriptor == _NONE:
            return None
        text = os.pread(self._record_descriptor, _MAX_RECORD_BYTES, 0)
        if not text:
            return None
        try:
            record = parse_record(text)
        except ValueError as error:
            log.error("%s: starting anew, its record cannot be read (%s): %s", self._part_path, error, text[:600])  # noqa: TRY400
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
            if self._record_descriptor != _NONE:
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
        if self._record_descriptor != _NONE:
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
        if not self._keep or not self._has_arrived:
            self.discard()

    def discard(self) -> None:
        """Remove it, with its record."""
        if self._is_claimed:
            with suppress(FileNotFoundError):
                self._part_path.unlink()
            self._remove_record()
        else:
            with suppress(OSError):  # for the same reason for which it could not be opened
                self._discard_unopened()

    def _discard_unopened(self) -> None:
        """Remove what was made when opening was interrupted. Under the name of one that is kept may be another's."""
        self.close()
        if not self._keep or (self._claim(OWNER_ONLY) and not os.fstat(self._descriptor).st_size):
            self._part_path.unlink()
            self._remove_record()

    def _remove_record(self) -> None:
        if self._keep and self._record_descriptor == _NONE:  # opening was interrupted
            self._record_descriptor = _open_record(self._part_path)
        if self._record_descriptor != _NONE:
            with suppress(FileNotFoundError):
                _record_path(self._part_path).unlink()

    def close(self) -> None:
        """Close and unlock it."""
        descriptors = self._descriptor, self._record_descriptor
        self._descriptor = self._record_descriptor = _NONE
        self._is_claimed = False
        for descriptor in descriptors:
            if descriptor != _NONE:
                os.close(descriptor)


def _kept_path(path: Path) -> Path:
    return path.with_name(f".{_short(path.name)}.oss-part")


def _new_path(path: Path) -> Path:
    """Return a name that nobody else has."""
    return path.with_name(f".{_short(path.name)}.{secrets.token_hex(4)}.oss-part")


def _short(name: str) -> str:
    """Return the name, or a digest of one that would become too long."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _MAX_NAME_BYTES else hashlib.sha256(encoded).hexdigest()


def _record_path(part_path: Path) -> Path:
    return part_path.with_name(f"{part_path.name}.jsonl")


def _lock(descriptor: int, part_path: Path, path: Path) -> bool:
    """Lock the file; return whether it is still at its place. Raises OSError when it cannot be locked."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    status = os.fstat(descriptor)
    is_there = _is_at(part_path, status)
    if is_there and status.st_nlink > 1 and _is_at(path, status):
        # Who published it was killed before this name was taken away
        part_path.unlink()
        _record_path(part_path).unlink(missing_ok=True)
        return False
    if is_there and status.st_nlink > 1:
        raise OSError(errno.EMLINK, "it has other names")
    return is_there


def _open_record(part_path: Path) -> int:
    """Open the record; return _NONE when it is not surely ours."""
    descriptor = _open_ours(_record_path(part_path), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    if descriptor != _NONE and os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        return _NONE
    return descriptor


def _open_ours(path: Path, flags: int, mode: int) -> int:
    """Open a file in a directory that others may write to as well; return _NONE when they can have laid it there."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in _NO_FILE_OF_OURS:
            return _NONE
        raise
    is_ours = False
    try:
        status = os.fstat(descriptor)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    finally:
        if not is_ours:
            os.close(descriptor)
    return descriptor if is_ours else _NONE


def _is_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except FileNotFoundError:
        return False
