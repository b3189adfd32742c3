"""A piece of an export on the worker's disk, until OSS has it."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import Self

from airflow_provider_oss.crc64 import EMPTY, crc64
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Fingerprint, Part


class PieceFile:
    """
    A temporary file without a name, written once, then read as the source of an upload.

    Nothing of it is left when the process ends, however that happens. It is in the folder that ``TMPDIR`` names.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        """For messages."""
        self.size_bytes = 0
        self.crc64 = EMPTY
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append the data."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size_bytes += len(data)
        self.crc64 = crc64(data, self.crc64)

    # As a source and its reader

    def open(self) -> Self:
        """Return itself: it may be read at any offset, and by several threads."""
        return self

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and size."""
        return Fingerprint(self.name, self.size_bytes)

    def data(self, part: Part) -> FileRange:
        """Return the part's bytes, to be read when they are used."""
        return FileRange(self.name, self._file.fileno(), part.offset_bytes, part.size_bytes)

    def check_unchanged(self) -> None:
        """Nobody else can reach it."""

    def close(self) -> None:
        """Leave it open: the next call of the same upload may read it again."""
