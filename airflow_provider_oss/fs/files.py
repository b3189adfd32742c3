"""
Open files of the filesystem: read by ranges, written as an upload that ends with ``close``.

A file that is written is there, whole, when it was closed as it should be, and not at all otherwise. What is written
comes piece by piece, and the upload engine draws its bytes itself: PushedUpload stands between the two.
"""

from __future__ import annotations

import atexit
import codecs
import errno
import io
import os
import queue
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fsspec.caching import caches
from fsspec.spec import AbstractBufferedFile
from typing_extensions import override

from airflow_provider_oss import limits
from airflow_provider_oss.cancellation import Cancellation, nothing
from airflow_provider_oss.engine.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.engine.source import BytesSource, StreamSource, view_of
from airflow_provider_oss.engine.workers import begin_thread
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.shown import Log
from airflow_provider_oss.unclosed import UnclosedFile

if TYPE_CHECKING:
    from airflow_provider_oss.fs.filesystem import OSSFileSystem

log = Log(__name__)

_ARGUMENTS = frozenset({"cache_type", "cache_options", "size"})


class OSSReader(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """
    Reads ranges, ahead of what is asked for, of the object that was there when it was opened.

    Raises OSSSourceChanged when the object has been replaced meanwhile: bytes of two objects are never mixed. Raises
    FileNotFoundError when there is none, OSSInvalidArgument for an argument that would have no effect, such as
    ``version_id``.

    :param block_size: bytes read ahead; 8 MiB when None or negative.
    """

    DEFAULT_BLOCK_SIZE = 8 * limits.MIB
    DEFAULT_CACHE_TYPE = "readahead"

    def __init__(self, fs: OSSFileSystem, path: str, block_size: int | None, **kwargs: Any) -> None:
        unknown = sorted(kwargs.keys() - _ARGUMENTS)
        if unknown:
            raise OSSInvalidArgument(
                f"{unknown[0]} is not offered for reading: an object is read as it is now; leave {unknown[0]} out"
            )
        if (cache_type := kwargs.get("cache_type")) not in caches:
            known = ", ".join(str(name) for name in caches)
            raise OSSInvalidArgument(f"cache_type={cache_type!r} is not known to fsspec: use one of {known}")
        info = fs.info(path)
        if info["type"] != "file":
            raise IsADirectoryError(errno.EISDIR, "no object has this key, others begin with it and a slash", path)
        if block_size is not None and block_size < 0:  # as in Python's own open(): the default
            block_size = None
        self._etag = info["ETag"]
        super().__init__(fs, path, "rb", block_size, **kwargs | {"size": info["size"]})
        self.details = info

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.read_range(self.path, start, end, self._etag) if end > start else b""


Send: TypeAlias = Callable[[BytesSource | StreamSource, Cancellation], object]

_MOST_BLOCK_BYTES: Final = limits.MIB
_BLOCKS_WAITING: Final = 4
_TICK_SECONDS: Final = 0.2
_EXIT_SECONDS: Final = 10.0
"""How long the end of the process waits until nothing is left of unfinished uploads."""


class PushedUpload:
    """
    One object, made of what is written, when ``finish`` returns; nothing, when it was not called.

    What fits into one part and into 8 MiB is sent by ``finish``, in one request. More is handed to a thread of its own
    in which ``send`` runs (what fits into one part is one request there too): the first 8 MiB, then blocks of 1 MiB, of
    which at most 4 wait for it, beside the parts that the engine holds. What goes wrong there is raised by the next
    call of ``write`` or ``finish``. When the interpreter ends and there can be no new thread, all is in memory until
    ``finish`` sends it.

    The thread knows nothing of who writes: a file that nobody holds any more is collected, and can abandon its upload.
    """

    def __init__(self, send: Send, part_size_bytes: int, name: str) -> None:
        self._send = send
        self._most_without_thread_bytes = min(part_size_bytes, DEFAULT_PART_SIZE_BYTES)
        self._block_bytes = min(_MOST_BLOCK_BYTES, part_size_bytes)
        self._name = name
        self._pending = bytearray()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_BLOCKS_WAITING)
        self._cancellation = Cancellation()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def write(self, data: memoryview) -> None:
        """Take bytes over; wait when more is written than can be sent."""
        self._raise_failure()
        for start in range(0, len(data), self._block_bytes):
            self._pending += data[start : start + self._block_bytes]
            if self._thread is None and len(self._pending) > self._most_without_thread_bytes:
                self._start()
            if self._thread is not None and len(self._pending) >= self._block_bytes:
                self._hand_over()

    def finish(self) -> None:
        """Make the object."""
        if self._thread is None:
            self._send(BytesSource(bytes(self._pending)), self._cancellation)
            return
        try:
            self._hand_over()
            self._put(None)
            self._thread.join()
        except BaseException:
            self.abandon()
            raise
        self._raise_failure()

    def abandon(self) -> None:
        """Make no object. The thread aborts the upload; ``wait`` returns when it has."""
        self._cancellation.request()
        self._pending.clear()

    def wait(self, within_seconds: float | None = None) -> None:
        """Return when nothing is under way any more, or so much time has passed."""
        if self._thread is not None:
            self._thread.join(within_seconds)

    def _start(self) -> None:
        stream = StreamSource(self._chunks(), self._name)
        self._thread = begin_thread(partial(self._run, stream), "oss-pushed-upload")
        if self._thread is None:
            self._most_without_thread_bytes = sys.maxsize
            return
        _begun.add(self)
        atexit.unregister(_abandon_all)
        atexit.register(_abandon_all)  # at each begin, for Airflow drops what was registered before it forked

    def _run(self, stream: StreamSource) -> None:
        try:
            self._send(stream, self._cancellation)
        except BaseException as error:  # noqa: BLE001 - the top frame of a thread: who writes raises it
            self._error = error

    def _chunks(self) -> Iterator[bytes]:
        """Yield what is written, and no bytes now and then while nothing is: the engine has other things to do too."""
        while True:
            try:
                block = self._blocks.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                yield b""
                continue
            if block is None:
                return
            yield block

    def _hand_over(self) -> None:
        block = bytes(self._pending)
        self._pending.clear()
        if block:
            self._put(block)

    def _put(self, block: bytes | None) -> None:
        assert self._thread is not None  # noqa: S101 - started before anything is handed over
        while self._thread.is_alive():
            try:
                self._blocks.put(block, timeout=_TICK_SECONDS)
            except queue.Full:
                continue
            return
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error


_begun: Final[weakref.WeakSet[PushedUpload]] = weakref.WeakSet()
"""Uploads that have a thread. While it runs it holds its upload, also when nobody else does."""


def _abandon_all() -> None:
    """Let no upload be left at OSS because the process ends, and with it the threads that would abort it."""
    deadline = time.monotonic() + _EXIT_SECONDS
    uploads = list(_begun)
    for upload in uploads:
        upload.abandon()
    for upload in uploads:
        upload.wait(max(0.0, deadline - time.monotonic()))


class OSSWriter(io.BufferedIOBase):
    """
    The object is made when the file is closed; ``close`` raises what goes wrong.

    It is not made, and nothing is left of it, when a ``with`` block is left through an exception, when the file is
    closed while an exception raised since it was opened is being handled, or when it is never closed. The second is for
    what wraps files (io.TextIOWrapper, compressors, fsspec.open, pandas): all of them close, on errors too. The third
    must be seen: it is an error in the log, a ResourceWarning, and an operator of this package fails. Whether an
    exception has dropped a file, or its user, cannot be seen: so dropping it, or what wraps it, is never closing it.

    :param autocommit: False leaves it to ``commit`` to make the object: fsspec's transactions do that.
    """

    def __init__(self, fs: OSSFileSystem, path: str, mode: str, upload: PushedUpload, *, autocommit: bool) -> None:
        super().__init__()
        self.fs = fs
        self.path = path
        self.mode = mode
        self.autocommit = autocommit
        self._upload = upload
        self._unclosed = UnclosedFile(f"oss://{path}")
        self._process_id = os.getpid()
        self._is_decided = False
        self._is_reported = False
        self._handled_when_opened = sys.exception()
        _open_files.add(self)
        atexit.unregister(_report_open_files)
        atexit.register(_report_open_files)  # at each opening, for Airflow drops what was registered before it forked

    @override
    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._unclosed.written_bytes

    def write(self, data: Any) -> int:
        """Take all bytes over. May raise what an earlier write has led to."""
        self._checkClosed()
        view = view_of(data)
        if not self._is_decided:
            self._upload.write(view)
        if not self._is_reported:  # a compressor that is collected writes its end
            self._unclosed.written_bytes += len(view)
        return len(view)

    def close(self) -> None:
        """Make the object, or leave that to ``commit``; give it up where the class says so."""
        if self.closed:
            return
        try:
            if self._is_unwinding():
                log.warning("oss://%s: closed because of an error, so nothing is stored", self.path)
                self.discard()
            elif self.autocommit:
                self.commit()
        finally:
            self._handled_when_opened = None
            super().close()

    def commit(self) -> None:
        """Make the object, unless it was given up."""
        if not self._is_decided:
            self._decide()
            self._upload.finish()

    def discard(self) -> None:
        """Give the object up; return when nothing is left of it."""
        self.give_up()
        self._upload.wait()

    def give_up(self) -> None:
        """Give the object up; what is written from now on goes nowhere."""
        if not self._is_decided:
            self._decide()
            self._upload.abandon()

    def lose(self, flush: Callable[[], object] = nothing, written_bytes: Callable[[], int] | None = None) -> None:
        """
        Give the object up because nobody can close the file any more, and say so.

        When nothing is sent any more ``flush`` lets what wraps the file hand over what it holds back, for it counts as
        written; where that is not what arrives here, ``written_bytes`` returns how much it is.
        """
        if self._is_decided:
            return
        self._is_decided = True  # and stays in the register of the attempt
        self._upload.abandon()
        with suppress(Exception):
            flush()
        if written_bytes is not None:
            self._unclosed.written_bytes = written_bytes()
        self._report_loss()

    def report_if_open(self) -> None:
        """Say what is lost because the process ends: not all that is left then is collected."""
        if not self._is_decided:
            self._report_loss()

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        if error_type is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        self.lose()

    def _dealloc_warn(self, wrapper: Any) -> None:
        """Take note that what wraps the file closes it because nobody holds it any more, which is not to close it."""
        self.lose(wrapper.flush)

    def _report_loss(self) -> None:
        """Log an error and give a ResourceWarning, once, in the process that opened the file."""
        if self._is_reported or os.getpid() != self._process_id:
            return
        self._is_reported = True
        reason = "its transaction never ended" if self.closed else "the file was never closed"
        loss = f"{reason}, so the {self.tell()} bytes written to it are not stored"
        log.error("%s: %s: open it in a `with` block, or close it", self._unclosed.uri, loss)
        warnings.warn(f"{self._unclosed.uri}: {loss}", ResourceWarning, stacklevel=4, source=self)

    def _decide(self) -> None:
        self._is_decided = True
        self._unclosed.is_decided()

    def _is_unwinding(self) -> bool:
        current = sys.exception()
        return not self._is_decided and current is not None and current is not self._handled_when_opened


_open_files: Final[weakref.WeakSet[OSSWriter]] = weakref.WeakSet()


def _report_open_files() -> None:
    """Say what is lost because the process ends, when nothing that is collected can say it any more."""
    for file in list(_open_files):
        file.report_if_open()


class CompressedWriter(io.BufferedIOBase):
    """Closes what it compresses to as well: compressors leave that to others, and then nobody does it."""

    def __init__(self, raw: OSSWriter, compressor: Any) -> None:
        super().__init__()
        self._raw = raw
        self._compressor = compressor
        self._written_bytes = 0

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any) -> int:
        self._checkClosed()
        view = view_of(data)
        self._compressor.write(view)
        self._written_bytes += len(view)
        return len(view)

    def close(self) -> None:
        """End what is compressed, and close the object."""
        if self.closed:
            return
        super().close()
        with self._raw:
            self._compressor.close()

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        if error_type is not None:
            self._raw.discard()
        self.close()

    def discard(self) -> None:
        """Give the object up; return when nothing is left of it."""
        self._raw.discard()

    def lose(self, flush: Callable[[], object] = nothing) -> None:
        """Lose the file below; what is reported is how much was written here."""
        self._raw.lose(flush, lambda: self._written_bytes)

    def __del__(self) -> None:
        """Do not close, as io.BufferedIOBase would."""
        self.lose()

    def _dealloc_warn(self, wrapper: Any) -> None:
        self.lose(wrapper.flush)


class TextWriter(io.TextIOWrapper):
    """Text that is encoded on its way, to the bytes that a file on disk would have."""

    _has_begun = False

    def write(self, text: str, /) -> int:
        """Write text, after the mark of UTF-16 or UTF-32, which io.TextIOWrapper leaves out where it cannot seek."""
        if not self._has_begun:
            self._has_begun = True
            if codecs.lookup(self.encoding).name in {"utf-16", "utf-32"}:
                self.buffer.write("".encode(self.encoding))
        return super().write(text)

    def __del__(self) -> None:
        """Do not close, as io.TextIOWrapper would."""
        with suppress(ValueError):  # there is no file below any more, or not yet
            if isinstance(self.buffer, OSSWriter | CompressedWriter):
                self.buffer.lose(self.flush)
