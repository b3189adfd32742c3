"""
What is uploaded: files, bytes in memory, and streams; and SourceParts, what the engine asks of each of them.

A file, or bytes, is opened anew in every attempt and read at any offset by several threads. A stream is read forward,
in pieces that are worth the trouble.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import check_in_force
from airflow_provider_oss.compression import compressed
from airflow_provider_oss.engine.plan import Parts
from airflow_provider_oss.exceptions import (
    OSSInvalidArgument,
    OSSInvalidSource,
    OSSSourceChanged,
    OSSSourceMissing,
    exhaustion,
)
from airflow_provider_oss.file_range import Body, Buffer, FileRange, Pace
from airflow_provider_oss.model import Fingerprint, ObjectRange, Part
from airflow_provider_oss.ports import Clock, SourceReader
from airflow_provider_oss.shown import a_type, host_name

if TYPE_CHECKING:
    from airflow_provider_oss.proof import Content  # which loads what computes: paths of DAG files do not need that

_FOLDER: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""Where the system has that, only to go on from: a directory need not be readable for that."""
_SYMLINK: Final = (errno.ELOOP, errno.ENOTDIR)


def whole(reader: SourceReader) -> Part:
    """Return the whole source as one part. Raises OSSInvalidSource when the reader does not know its size."""
    fingerprint = reader.fingerprint
    if fingerprint.size_bytes is None:
        raise OSSInvalidSource(f"the size of {fingerprint.name!r} is not known: upload it as a stream")
    return Part(1, 0, fingerprint.size_bytes)


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
        raise OSSInvalidArgument(f"{name}={path!r} is {a_type(path)}: give text or a pathlib.Path")
    if "\0" in path:
        raise OSSInvalidArgument(f"{name}={path!r} has a NUL character, which no path can have: remove it")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise OSSInvalidArgument(f"{name}={path!r} cannot be written as a path: {error.reason}") from error
    return path


@dataclass(frozen=True, slots=True)
class FileSource:
    """A regular file on this worker. It is read to its end, whatever size the system says that it has."""

    path: str
    no_links_below: str | None = None
    """A directory that ``path`` begins with, and below which no symlink is followed."""

    def open(self) -> FileReader:
        """
        Open the file. Raises OSSSourceMissing when it is not there, OSSInvalidSource when it cannot be read.

        A file whose size says nothing of its content, as those of /proc and /sys, is read here and now, into a
        temporary file. Raises OSSSourceChanged when it changes meanwhile, and for a symlink that is not to be followed:
        whoever listed the file has seen none.
        """
        try:
            descriptor = self._descriptor()
        except FileNotFoundError as error:
            raise OSSSourceMissing(
                f"file_path={self.path!r} does not exist on this worker, {host_name()}: check the path, and that the "
                "task that writes it runs on the same machine or writes to a shared volume"
            ) from error
        except OSError as error:
            if (exhausted := exhaustion(error)) is not None:
                raise exhausted from error
            if self.no_links_below is not None and error.errno in _SYMLINK:
                raise OSSSourceChanged(
                    f"{self.path!r} is a symlink by now, or below one: it is not followed"
                ) from error
            raise OSSInvalidSource(f"file_path={self.path!r} cannot be opened: {error.strerror}") from error
        try:
            reader = FileReader(self.path, descriptor)
            return reader if reader.ends_where_it_says() else CopiedFileReader(self.path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def _descriptor(self) -> int:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        if self.no_links_below is None:
            return os.open(self.path, flags)
        return open_below(self.no_links_below, self.path[len(self.no_links_below) :].strip("/"), flags)


def open_below(directory: str, relative: str, flags: int) -> int:
    """Open what is below the directory, whose own path may have symlinks; OSError (ELOOP, ENOTDIR) for any below it."""
    *folders, name = relative.split("/")
    here = os.open(directory, _FOLDER)
    try:
        for folder in folders:
            above, here = here, os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(above)
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


class FileReader:
    """Reads an open file at any offset."""

    def __init__(self, path: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSSInvalidSource(f"file_path={path!r} is {_no_file(status)}")
        self._path = path
        self._descriptor = descriptor
        self._status = status
        self._size_bytes = status.st_size
        self._pace = Pace()

    def ends_where_it_says(self) -> bool:
        """Whether its last byte is where its size says. Raises OSSInvalidSource when that cannot be read."""
        last = max(0, self._size_bytes - 1)
        with _reading(self._path):
            return last + len(os.pread(self._descriptor, 2, last)) == self._size_bytes

    @property
    def fingerprint(self) -> Fingerprint:
        """Path, size and times when the file was opened."""
        modified = datetime.fromtimestamp(self._status.st_mtime, UTC).isoformat()  # pendulum takes ten times as long
        return Fingerprint(self._path, self._size_bytes, modified, changed_at=str(self._status.st_ctime_ns))

    def whole(self) -> FileRange:
        """Return all bytes that the file had when it was opened, to be read when they are used."""
        return FileRange(self._path, self._descriptor, 0, self._size_bytes, self._pace)

    def data(self, part: Part) -> FileRange:
        """Return the part's bytes, to be read when they are used."""
        return FileRange(self._path, self._descriptor, part.offset_bytes, part.size_bytes, self._pace)

    def check_unchanged(self) -> None:
        """Raise OSSSourceChanged when the path no longer leads to the file as it was when it was opened."""
        try:
            now = os.stat(self._path)  # noqa: PTH116 - thousands of paths, as text
        except OSError as error:
            raise OSSSourceChanged(f"{self._path!r} went away while it was read: {error.strerror}") from error
        if _identity(now) != _identity(self._status):
            raise self._changed()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _changed(self) -> OSSSourceChanged:
        return OSSSourceChanged(
            f"{self._path!r} changed while it was read (size, times or file); let its writer finish first: the "
            "next attempt sends again only what differs"
        )


class CopiedFileReader(FileReader):
    """A file as it was when it was read to its end. It takes the descriptor over, which becomes a temporary file's."""

    def __init__(self, path: str, descriptor: int) -> None:
        super().__init__(path, descriptor)
        self._size_bytes = 0
        self._check_as_opened()  # a file that is being written to is not copied in vain
        with tempfile.TemporaryFile(buffering=0) as copy:
            while block := self._next_block():
                check_in_force()
                self._size_bytes += _write_all(copy.fileno(), block)
            self._check_as_opened()
            os.dup2(copy.fileno(), descriptor, inheritable=False)

    def check_unchanged(self) -> None:
        """Nothing can differ: what was read is sent."""

    def _check_as_opened(self) -> None:
        if _identity(os.fstat(self._descriptor)) != _identity(self._status):
            raise self._changed()

    def _next_block(self) -> bytes:
        with _reading(self._path):
            return os.read(self._descriptor, limits.MIB)


def _no_file(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "a directory: give the path of a regular file"
    return "no regular file: give the path of a regular file, or open it and upload it as a stream"


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSSInvalidSource(f"file_path={path!r} cannot be read: {error.strerror}") from error


def _write_all(descriptor: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file's content may have: the change time catches an edit that restores mtime."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def view_of(data: Buffer) -> memoryview:
    """Return the bytes of any buffer in their order; a copy of them only where they are not next to each other."""
    view = memoryview(data)
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())


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
        self._view = view_of(source.data)
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


Stream: TypeAlias = Iterable[bytes] | Any
"""Bytes that are read forward: an object with ``read(size)``, or an iterable of bytes."""

_READ_BYTES: Final = limits.MIB
_BLOCK_BYTES: Final = 256 * limits.KIB
_PATIENCE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A stream to upload: a callable that returns a new one whenever it is called, or one that can be read once."""

    stream: Stream | Callable[[], Stream]
    name: str = "stream"
    """For people."""
    compression: str | None = None
    """See ``airflow_provider_oss.compression``; it is compressed on its way."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether it is a callable."""
        return callable(self.stream)

    def open(self) -> Stream:
        """Return the stream, from its beginning if it is a callable."""
        return self.stream() if callable(self.stream) else self.stream

    def blocks(self, stream: Stream, clock: Clock) -> Iterator[bytes]:
        """Yield what is to be uploaded of the opened stream; see ``blocks_of``."""
        return blocks_of(compressed(chunks_of(stream), self.compression), clock)


def chunks_of(stream: Stream) -> Iterator[bytes]:
    """Yield the bytes of a stream. Raises OSSInvalidArgument when it is none, or yields anything else."""
    if isinstance(stream, str | bytes | bytearray | memoryview):
        raise OSSInvalidArgument(
            f"stream is {a_type(stream)}: give an object with read(), an iterable of bytes, or a callable "
            "that returns one; data that is in memory already is put with put_object"
        )
    if hasattr(stream, "read"):
        return _checked(_read(stream))
    if isinstance(stream, Iterable):
        return _checked(iter(stream))
    raise OSSInvalidArgument(f"stream is {a_type(stream)}, which has no read() and is no iterable of bytes")


def _read(stream: Any) -> Iterator[Any]:
    """Read to the end. A StopIteration out of ``read`` is an error, as any other is: it does not end the stream."""
    while (chunk := stream.read(_READ_BYTES)) != b"":
        yield chunk


def _checked(chunks: Iterator[Any]) -> Iterator[bytes]:
    for chunk in chunks:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise OSSInvalidArgument(
                f"the stream yielded {a_type(chunk)}: it must yield bytes; encode text first, open files 'rb'"
            )
        yield bytes(chunk)


def blocks_of(chunks: Iterator[bytes], clock: Clock) -> Iterator[bytes]:
    """
    Yield the same bytes in blocks of at least 256 KiB, for a stream may yield a row at a time.

    A slow stream yields less: what it has after 0.2 seconds, or nothing at all, so that whoever reads can do something
    else from time to time. One that fails yields first what came before.
    """
    pending: list[bytes] = []
    pending_bytes = 0
    last = clock.monotonic()
    try:
        for chunk in chunks:
            if len(chunk) >= _BLOCK_BYTES and not pending:
                yield chunk
                last = clock.monotonic()
                continue
            pending.append(chunk)
            pending_bytes += len(chunk)
            if pending_bytes >= _BLOCK_BYTES or clock.monotonic() - last >= _PATIENCE_SECONDS:
                yield b"".join(pending)
                pending.clear()
                pending_bytes = 0
                last = clock.monotonic()
    except Exception:
        if pending_bytes:
            yield b"".join(pending)
        raise
    if pending_bytes:
        yield b"".join(pending)


@dataclass(frozen=True, slots=True)
class Slice:
    """One part for a worker. ``release`` is called when its bytes are not needed any more."""

    part: Part
    read: Callable[[], Body]
    crc64: int | None = None
    """None when it is not known before the bytes are read."""
    release: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class CopiedSlice:
    """One part that OSS copies itself."""

    part: Part
    source: ObjectRange


class SourceParts(Protocol):
    """The data of one attempt."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What is known of the source without reading it."""

    @property
    def size_bytes(self) -> int | None:
        """The source's size; None while the end of a stream has not been read."""

    @property
    def reads_forward(self) -> bool:
        """Whether ``slices`` runs the user's code: it must be drawn from in the caller's thread then."""

    @property
    def copies(self) -> bool:
        """Whether OSS reads the source itself: parts are ranges of an object, and nothing of them can be compared."""

    def measure(self, part_size_bytes: int | None) -> int | None:
        """
        Return the source's size; None for a stream that does not end within its first part, which is read to see that.

        ``part_size_bytes`` is what the user asked for. Begins anew if the source was read before.
        """

    def slices(self, plan: Parts, stored: Collection[int]) -> Iterator[Slice | CopiedSlice | None]:
        """Yield every part once, from the beginning; None from time to time. ``stored`` are worth verifying."""

    def whole(self) -> Body | ObjectRange:
        """Return a source of one part, fit to be published at once: what is looked at is what is sent."""

    def content(self) -> Content | None:
        """Return size and CRC-64 of the whole source, reading as little as can be; None where OSS returns no CRC-64."""

    def check_unchanged(self) -> None:
        """Raise OSSSourceChanged when the source is not what it was when it was opened."""

    def close(self, *, is_in_use: bool) -> None:
        """Release what is held; with ``is_in_use`` a worker may still be reading."""
