"""An object being written: it is there, whole, when the file was closed as it should be, and not at all otherwise."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.fs.pushed import PushedUpload

if TYPE_CHECKING:
    from airflow_provider_oss.fs.filesystem import OSSFileSystem

log = logging.getLogger(__name__)


class OSSWriter(io.BufferedIOBase):
    """
    The object is made when the file is closed; ``close`` raises what goes wrong.

    It is not made, and nothing is left of it, when a ``with`` block is left through an exception, when the file is
    closed while an exception raised since it was opened is being handled, or when it is never closed. The second is for
    what wraps files (io.TextIOWrapper, compressors, fsspec.open, pandas): all of them close, on errors too.

    :param autocommit: False leaves it to ``commit`` to make the object: fsspec's transactions do that.
    """

    def __init__(self, fs: OSSFileSystem, path: str, mode: str, upload: PushedUpload, *, autocommit: bool) -> None:
        super().__init__()
        self.fs = fs
        self.path = path
        self.mode = mode
        self.autocommit = autocommit
        self._upload = upload
        self._written_bytes = 0
        self._is_decided = False
        self._handled_when_opened = sys.exception()

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._written_bytes

    def write(self, data: Any) -> int:
        """Take all bytes over. May raise what an earlier write has led to."""
        self._checkClosed()
        view = memoryview(data).cast("B")
        if not self._is_decided:
            self._upload.write(view)
            self._written_bytes += len(view)
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
            self._is_decided = True
            self._upload.finish()

    def discard(self) -> None:
        """Give the object up; return when nothing is left of it."""
        self.give_up()
        self._upload.wait()

    def give_up(self) -> None:
        """Give the object up; what is written from now on goes nowhere."""
        if not self._is_decided:
            self._is_decided = True
            self._upload.abandon()

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        if error_type is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        if not self._is_decided:
            log.warning("oss://%s: the file was never closed, so nothing is stored", self.path)
            self.give_up()

    def _is_unwinding(self) -> bool:
        current = sys.exception()
        return not self._is_decided and current is not None and current is not self._handled_when_opened


class CompressedWriter(io.BufferedIOBase):
    """Closes what it compresses to as well: compressors leave that to others, and then nobody does it."""

    def __init__(self, raw: OSSWriter, compressor: Any) -> None:
        super().__init__()
        self._raw = raw
        self._compressor = compressor

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Compress and write."""
        self._checkClosed()
        self._compressor.write(data)
        return memoryview(data).nbytes

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

    def __del__(self) -> None:
        """Do not close, as io.BufferedIOBase would: the file below is given up when it goes."""


class TextWriter(io.TextIOWrapper):
    """Text that is encoded on its way."""

    def __del__(self) -> None:
        """Do not close, as io.TextIOWrapper would: the file below is given up when it goes."""
