"""Bytes that come piece by piece, to the upload engine, which draws its bytes itself."""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from airflow_provider_oss import limits
from airflow_provider_oss.transfer.cancellation import Cancellation
from airflow_provider_oss.transfer.plan import DEFAULT_PART_SIZE_BYTES
from airflow_provider_oss.transfer.source import BytesSource
from airflow_provider_oss.transfer.stream import StreamSource

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
    call of ``write`` or ``finish``.

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
        """Make no object. The thread aborts the upload; ``wait`` tells when it has."""
        self._cancellation.request()
        self._pending.clear()

    def wait(self, within_seconds: float | None = None) -> None:
        """Return when nothing is under way any more, or so much time has passed."""
        if self._thread is not None:
            self._thread.join(within_seconds)

    def _start(self) -> None:
        stream = StreamSource(self._chunks(), self._name)
        self._thread = threading.Thread(target=self._run, args=(stream,), name="oss-pushed-upload", daemon=True)
        self._thread.start()
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
