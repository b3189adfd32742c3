"""Blobs: the bytes of parts and objects, one file each, under random names."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import fastcrc

from airflow_provider_oss.emulator.state.records import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_COPY_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body that is whole on disk, with its checksums."""

    segment: Segment
    md5: bytes
    crc64: int

    @property
    def etag(self) -> str:
        """The MD5 as OSS writes it in an ETag, without quotes."""
        return self.md5.hex().upper()


class BlobWriter:
    """Writes one blob and computes its checksums on the way. Not thread-safe: one call at a time, in any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb", buffering=0)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64 = 0
        self._size = 0

    def write(self, chunks: Iterable[bytes]) -> None:
        """Append the chunks."""
        for chunk in chunks:
            self._md5.update(chunk)
            self._crc64 = fastcrc.crc64.xz(chunk, self._crc64)
            self._size += len(chunk)
            _write_all(self._file, chunk)

    def finish(self) -> StoredBody:
        """Close the file: the blob is whole."""
        self._file.close()
        return StoredBody(Segment(self._path.name, self._size), self._md5.digest(), self._crc64)

    def drop(self) -> None:
        """Close the file and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Blobs:
    """The folder of all blobs, made if absent. One thread calls everything but ``BlobWriter.write`` and what reads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pins: Counter[str] = Counter()
        self._doomed: set[str] = set()
        root.mkdir(parents=True, exist_ok=True)

    def path(self, blob: str) -> Path:
        """Return the file of a blob."""
        return self._root / blob[:2] / blob

    def _new_path(self) -> Path:
        path = self.path(secrets.token_hex(16))
        path.parent.mkdir(exist_ok=True)
        return path

    def create(self) -> BlobWriter:
        """Begin a new blob."""
        return BlobWriter(self._new_path())

    def link(self, segment: Segment) -> Segment:
        """Return a second blob with the same bytes, without copying them."""
        twin = self._new_path()
        os.link(self.path(segment.blob), twin)
        return Segment(twin.name, segment.size)

    def discard(self, segments: Iterable[Segment]) -> None:
        """Remove the blobs; one that is being read goes when its last reader has finished."""
        for segment in segments:
            if self._pins[segment.blob]:
                self._doomed.add(segment.blob)
            else:
                self.path(segment.blob).unlink(missing_ok=True)

    @contextmanager
    def pinned(self, segments: Iterable[Segment]) -> Iterator[None]:
        """Keep the blobs readable while the block runs, even if their object is replaced meanwhile."""
        held = [segment.blob for segment in segments]
        self._pins.update(held)
        try:
            yield
        finally:
            self._pins.subtract(held)
            for blob in held:
                if not self._pins[blob]:
                    del self._pins[blob]
                    if blob in self._doomed:
                        self._doomed.discard(blob)
                        self.path(blob).unlink(missing_ok=True)

    def sweep(self, referenced: set[str]) -> None:
        """Remove every blob that no record refers to."""
        for path in self._root.glob("??/*"):
            if path.name not in referenced:
                path.unlink()

    def read(self, segments: Iterable[Segment], offset: int, length: int, block_bytes: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset`` on, in blocks. Raises OSError when a blob is shorter than recorded."""
        for segment in segments:
            if length == 0:
                return
            if offset >= segment.size:
                offset -= segment.size
                continue
            take = min(segment.size - offset, length)
            yield from _read_blob(self.path(segment.blob), offset, take, block_bytes)
            offset, length = 0, length - take

    def copy(self, segments: Iterable[Segment], offset: int, length: int) -> StoredBody:
        """Copy a range of bytes into a new blob."""
        writer = self.create()
        try:
            writer.write(self.read(segments, offset, length, _COPY_BLOCK_BYTES))
        except BaseException:
            writer.drop()
            raise
        return writer.finish()


def _read_blob(path: Path, offset: int, length: int, block_bytes: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while length:
            block = file.read(min(block_bytes, length))
            if not block:
                raise OSError(f"blob {path.name} is shorter than its record says")
            length -= len(block)
            yield block


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    """Write all of it: a raw file may take fewer bytes than it is given."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
