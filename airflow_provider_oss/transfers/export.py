"""
One attempt at an export: a query's rows, written as one object or as several, and what became of them.

On the worker's disk, in files without a name, are a piece until OSS has it, and rows until all of them were seen, where
only all of them tell what the columns hold.
"""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeAlias

from typing_extensions import override

from airflow_provider_oss.engine.stored import look_at, result_of
from airflow_provider_oss.exports.arrow import ArrowRows
from airflow_provider_oss.exports.columns import (
    Batch,
    Batches,
    Column,
    Kind,
    Observed,
    Row,
    SelectedColumns,
    select_columns,
)
from airflow_provider_oss.exports.formats import FileFormat, Pieces, Split, check_keys, manifest_key, piece_key
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import Fingerprint, ObjectInfo, ObjectRef, Part, Result, UploadResult
from airflow_provider_oss.options import ObjectOptionArguments, is_described_as, parse_options
from airflow_provider_oss.proof import EMPTY, Content, crc64
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult
from airflow_provider_oss.transfers.query import Session
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.operators.resumable import ResumableArguments

log = Log(__name__)

_MANIFEST_VERSION: Final = 1


@contextmanager
def with_known_types(columns: Sequence[Column], batches: Batches) -> Iterator[tuple[tuple[Column, ...], Iterator[Row]]]:
    """
    Yield the columns, each of a known kind that holds all of its values, and the rows, to be read once.

    When the database has declared all kinds, the rows are passed on as they come. Otherwise all of them are read
    first, into a temporary file without a name in the folder that ``TMPDIR`` names: nothing of it is left when the
    process ends, however that happens. One batch is in memory at a time.
    """
    observed = {index: Observed(column) for index, column in enumerate(columns) if column.kind is Kind.UNKNOWN}
    if not observed:
        yield tuple(columns), (row for batch in batches for row in batch)
        return
    with tempfile.TemporaryFile() as file:
        for batch in batches:
            values = [
                observed[index].take(each) if index in observed else each
                for index, each in enumerate(zip(*batch, strict=True))
            ]
            pickle.dump(values, file, pickle.HIGHEST_PROTOCOL)
        size_bytes = file.tell()
        file.seek(0)
        known = [observed[index].column() if index in observed else column for index, column in enumerate(columns)]
        yield tuple(known), _rows(file, size_bytes)


def _rows(file: IO[bytes], size_bytes: int) -> Iterator[Row]:
    while file.tell() < size_bytes:
        values: list[Sequence[Any]] = pickle.load(file)  # noqa: S301 - a file that nobody else can reach
        yield from zip(*values, strict=True)


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


_Stored: TypeAlias = tuple[UploadResult, int]
"""What became of an object, and the number of its rows."""


class _NothingToExport(Exception):
    """Ends an upload that should not be: the query has no rows, and an object without rows is not wanted."""


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """One object of an export."""

    key: str
    uri: str
    rows: int
    bytes: int
    etag: str
    crc64: str
    """Decimal, as OSS writes it."""


@dataclass(frozen=True, slots=True)
class ExportResult(Result):
    """What became of an export."""

    rows: int
    bytes: int
    """Of all objects, as they are stored."""
    objects: tuple[ExportedObject, ...]
    columns: tuple[dict[str, str], ...]
    """Name and type of each."""
    manifest: str | None
    """Its ``oss://bucket/key``; None when there is none."""
    bytes_sent: int
    """By this attempt."""
    bytes_verified: int
    """Stored by an earlier attempt and proven equal by this one."""
    resumed: bool
    elapsed_seconds: float

    @override
    def describe(self) -> str:
        done = f"{self.bytes} bytes, {self.bytes_sent} of them sent and {self.bytes_verified} verified"
        return f"Exported {self.rows} rows in {len(self.objects)} objects: {done} in {self.elapsed_seconds:.1f} s"

    @override
    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"objects": [asdict(each) for each in self.objects], "columns": list(self.columns)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported and how it is written."""

    query: Query
    form: FileFormat
    split: Split
    columns: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    manifest: str | None = None
    """Its key; None for the default."""
    skip_empty: bool = False


class Export:
    """One attempt at an export: the query is run once, and its rows are stored."""

    def __init__(
        self,
        hook: OSSHook,
        session: Session,
        wanted: Wanted,
        options: ObjectOptionArguments,
        resumable: ResumableArguments,
    ) -> None:
        self._hook = hook
        self._session = session
        self._wanted = wanted
        self._options = options
        self._resumable = resumable
        self._columns: tuple[Column, ...] = ()
        self._has_lines = False

    def run(self, key: str, bucket_name: str | None) -> ExportResult:
        """Store the rows, and last of all the manifest, if there is one."""
        started = time.monotonic()
        is_split = self._wanted.split.is_wanted
        ref = self._hook.resolve(key, bucket_name, storing=True)
        manifest = self._manifest_ref(ref)
        check_keys(ref.key, manifest.key if manifest and manifest.bucket == ref.bucket else None, is_split=is_split)
        stored = self._as_pieces(ref) if is_split else self._as_one(ref)
        objects = tuple(
            ExportedObject(each.key, each.uri, rows, each.size, each.etag, each.crc64) for each, rows in stored
        )
        if manifest is not None:
            self._store_manifest(manifest, objects)
        if is_split:
            self._warn_of_leftovers(ref, len(objects))
        return ExportResult(
            rows=sum(each.rows for each in objects),
            bytes=sum(each.bytes for each in objects),
            objects=objects,
            columns=tuple(column.described() for column in self._columns),
            manifest=None if manifest is None else manifest.uri,
            bytes_sent=sum(each.bytes_sent for each, _ in stored),
            bytes_verified=sum(each.bytes_verified for each, _ in stored),
            resumed=any(each.resumed for each, _ in stored),
            elapsed_seconds=time.monotonic() - started,
        )

    def _manifest_ref(self, ref: ObjectRef) -> ObjectRef | None:
        """Return where the manifest goes: in the bucket of the rows, unless it is said to be in another."""
        if self._wanted.manifest is None:
            return ObjectRef(ref.bucket, manifest_key(ref.key)) if self._wanted.split.is_wanted else None
        is_whole = isinstance(self._wanted.manifest, str) and self._wanted.manifest.startswith(SCHEME)
        return self._hook.resolve(self._wanted.manifest, None if is_whole else ref.bucket, storing=True)

    # As one object

    def _as_one(self, ref: ObjectRef) -> list[_Stored]:
        """Stream the rows into one object."""
        rows = 0

        def stream() -> Iterator[bytes]:
            nonlocal rows
            with self._rows() as pieces:
                if self._wanted.skip_empty and not pieces.has_more():
                    raise _NothingToExport
                yield from self._file_bytes(pieces)
                rows = pieces.rows

        try:
            result = self._hook.upload_stream(ref.uri, stream, **self._resumable, **self._options)
        except _NothingToExport:
            self._hook.abandon_upload(self._resumable["checkpoint"])
            return []
        return [(result, rows)]

    # As pieces

    def _as_pieces(self, ref: ObjectRef) -> list[_Stored]:
        """Store piece after piece."""
        stored: list[_Stored] = []
        with self._rows() as pieces:
            while pieces.has_more() or not (stored or self._wanted.skip_empty):
                stored.append(self._store_piece(pieces, replace(ref, key=piece_key(ref.key, len(stored)))))
        # The piece that an earlier attempt was sending may not be one any more
        if (checkpoint := self._resumable["checkpoint"]) is not None:
            self._hook.abandon_upload(checkpoint)
        return stored

    def _store_piece(self, pieces: Pieces, ref: ObjectRef) -> _Stored:
        with PieceFile(ref.key) as file:
            for chunk in self._file_bytes(pieces):
                file.write(chunk)
                pieces.size_bytes = file.size_bytes
            found = self._find_equal(file, ref)
            if found is not None:
                log.info("%s: %d rows are there already, nothing is sent", found.uri, pieces.rows)
                return found, pieces.rows
            result = self._hook.upload_source(ref.uri, file, **self._resumable, **self._options)
        log.info("%s: %d rows, %d bytes, %d of them sent", result.uri, pieces.rows, result.size, result.bytes_sent)
        return result, pieces.rows

    def _find_equal(self, file: PieceFile, ref: ObjectRef) -> UploadResult | None:
        """Return the object of this key if it has the piece's size and CRC-64, and is described as it should be."""
        info = look_at(self._head, ref)
        if info is None or not Content(file.size_bytes, file.crc64).is_of(info):
            return None
        return result_of(info) if is_described_as(info, parse_options(**self._options)) else None

    def _head(self, ref: ObjectRef) -> ObjectInfo:
        return self._hook.with_new_credentials(lambda: self._hook.head_object(ref.uri))

    def _warn_of_leftovers(self, ref: ObjectRef, count: int) -> None:
        beyond = replace(ref, key=piece_key(ref.key, count))
        if look_at(self._head, beyond) is not None:
            log.warning("%s is there from an earlier, longer export: the manifest does not name it", beyond)

    def _store_manifest(self, ref: ObjectRef, objects: tuple[ExportedObject, ...]) -> None:
        """Store the manifest with what the pieces have, as far as it is not about their own content."""
        text = manifest_text(self._wanted.form, self._columns, objects)
        options: ObjectOptionArguments = {
            **self._options,
            "mime": "application/json",
            "headers": None,
            "callback": None,
        }
        self._hook.put_object(ref.uri, text, **options)

    # Rows

    @contextmanager
    def _rows(self) -> Iterator[Pieces]:
        """Run the query; yield its rows. An error that follows from being asked to stop becomes OSSUploadCancelled."""
        try:
            with self._session.read(self._wanted.query) as result:
                selection = select_columns(result.columns, self._wanted.columns, self._wanted.exclude)
                if (lines := self._lines(result, selection)) is not None:
                    yield Pieces(lines, self._wanted.query.batch_rows, self._wanted.split)
                    return
                with self._typed(selection, result) as rows:
                    yield Pieces(rows, self._wanted.query.batch_rows, self._wanted.split)
        except Exception:
            self._check_cancelled()
            raise

    def _lines(self, result: QueryResult, selection: SelectedColumns) -> Iterator[bytes] | None:
        """Return the rows as lines where the database writes those of the format; else None."""
        lines = result.lines(selection.indices, self._wanted.form)
        self._columns, self._has_lines = selection.columns, lines is not None
        return lines

    @contextmanager
    def _typed(self, selection: SelectedColumns, result: QueryResult) -> Iterator[Iterator[Row] | ArrowRows]:
        """Decide the columns, once for all objects, and yield the rows in the form that suits the file."""
        if not self._wanted.form.needs_types:
            yield selection.apply(result.text_rows or result.rows)
        elif result.arrow is not None:
            yield result.arrow.select(selection.indices)
        else:
            rows = selection.apply(result.rows)
            batches = iter(lambda: list(islice(rows, self._wanted.query.batch_rows)), [])
            with with_known_types(selection.columns, self._watched(batches)) as (self._columns, known_rows):
                yield known_rows

    def _file_bytes(self, pieces: Pieces) -> Iterator[bytes]:
        write = self._wanted.form.file_of_lines if self._has_lines else self._wanted.form.file_bytes
        return write(self._columns, self._watched(pieces.piece()))

    def _watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self._check_cancelled()
            yield batch

    def _check_cancelled(self) -> None:
        self._resumable["cancellation"].check()


def manifest_text(form: FileFormat, columns: tuple[Column, ...], objects: tuple[ExportedObject, ...]) -> str:
    """Return the manifest of an export: the same for the same objects, whenever it is written."""
    manifest = {
        "version": _MANIFEST_VERSION,
        "file_format": form.name,
        "compression": form.compression,
        "columns": [form.described(column) for column in columns],
        "rows": sum(each.rows for each in objects),
        "bytes": sum(each.bytes for each in objects),
        "pieces": [asdict(each) for each in objects],
    }
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
