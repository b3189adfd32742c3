"""
One attempt at an export: a query's rows, written as one object or as several, and what became of them.

A piece is on the worker's disk, in a file without a name, until OSS has it. Which rows are, too: see ``spool``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from typing_extensions import override

from airflow_provider_oss.engine.progress import watched
from airflow_provider_oss.engine.stored import look_at, result_of
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.arrow import ArrowRows
from airflow_provider_oss.exports.columns import Batch, Column, Row, SelectedColumns, select_columns
from airflow_provider_oss.exports.formats import (
    FileFormat,
    Pieces,
    Split,
    check_keys,
    has_ending,
    manifest_key,
    piece_key,
    shard_manifest_key,
    sharded_key,
)
from airflow_provider_oss.exports.partitions import PARTITION, Layout, partitioned_key
from airflow_provider_oss.exports.shards import QueryShard
from airflow_provider_oss.file_range import FileRange
from airflow_provider_oss.model import (
    FilesState,
    Fingerprint,
    ObjectInfo,
    ObjectRef,
    Part,
    Result,
    TransferState,
    UploadResult,
)
from airflow_provider_oss.options import ObjectOptionArguments, is_described_as, parse_options
from airflow_provider_oss.proof import EMPTY, Content, crc64
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult
from airflow_provider_oss.transfers.manifest import ExportedObject, ShardResult, manifest_text, store_manifest
from airflow_provider_oss.transfers.query import Session
from airflow_provider_oss.transfers.spool import by_partition, with_known_types
from airflow_provider_oss.uri import SCHEME

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.operators.resumable import ResumableArguments

log = Log(__name__)


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


class _NothingToExport(Exception):
    """Ends an upload that should not be: the query has no rows, and an object without rows is not wanted."""


class _Stored(NamedTuple):
    """What became of an object, and what is in it."""

    result: UploadResult
    rows: int
    partition: dict[str, str | None] | None = None

    def described(self) -> ExportedObject:
        """Return it as the result of the export has it."""
        result = self.result
        return ExportedObject(result.key, result.uri, self.rows, result.size, result.etag, result.crc64, self.partition)


@dataclass(frozen=True, slots=True)
class ExportResult(Result):
    """What became of an export."""

    rows: int
    bytes: int
    """Of all objects, as they are stored."""
    objects: tuple[ExportedObject, ...]
    columns: tuple[dict[str, str], ...]
    """Name and type of each that is in the objects."""
    manifest: str | None
    """Its ``oss://bucket/key``; None when there is none."""
    manifest_crc64: str | None
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

    def of_shard(self, shard: Mapping[str, Any]) -> ShardResult:
        """Return it as that of a shard, which has a manifest: no longer than what has to be known of it."""
        return ShardResult(
            rows=self.rows,
            bytes=self.bytes,
            objects=len(self.objects),
            manifest=str(self.manifest),
            manifest_crc64=str(self.manifest_crc64),
            bytes_sent=self.bytes_sent,
            bytes_verified=self.bytes_verified,
            resumed=self.resumed,
            elapsed_seconds=self.elapsed_seconds,
            shard=shard,
        )


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
    partition_by: Sequence[str] = ()
    """Columns; what reads the rows has to return their values."""
    keep_partition_columns: bool = False
    """Whether they are in the files too."""
    max_open_partitions: int = 1
    shard: QueryShard | None = None
    """None for all rows; else its objects and its manifest have names of their own."""

    def __post_init__(self) -> None:
        if self.max_open_partitions < 1:
            raise OSSInvalidArgument(f"max_open_partitions={self.max_open_partitions} must be at least 1")


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
        self._partition_columns: tuple[Column, ...] = ()
        self._has_lines = False
        self._sent_pieces = self._found_pieces = self._found_bytes = 0

    def run(self, key: str, bucket_name: str | None) -> ExportResult:
        """Store the rows, and last of all the manifest, if there is one."""
        started = time.monotonic()
        ref = self._target(key, bucket_name)
        manifest = self._manifest_ref(ref)
        check_keys(
            ref.key,
            manifest.key if manifest and manifest.bucket == ref.bucket else None,
            is_split=self._wanted.split.is_wanted,
        )
        with watched(self._hook.watcher, lambda: self._state(ref)):
            stored = self._store(ref)
        objects = tuple(each.described() for each in stored)
        manifest_crc64 = None
        if manifest is not None:
            text = manifest_text(self._wanted.form, self._columns, self._partition_columns, objects)
            manifest_crc64 = store_manifest(self._hook, manifest, text, self._options).crc64
        return ExportResult(
            rows=sum(each.rows for each in objects),
            bytes=sum(each.bytes for each in objects),
            objects=objects,
            columns=tuple(column.described() for column in self._columns),
            manifest=None if manifest is None else manifest.uri,
            manifest_crc64=manifest_crc64,
            bytes_sent=sum(each.result.bytes_sent for each in stored),
            bytes_verified=sum(each.result.bytes_verified for each in stored),
            resumed=any(each.result.resumed for each in stored),
            elapsed_seconds=time.monotonic() - started,
        )

    def _state(self, ref: ObjectRef) -> TransferState:
        """Return how far it is, for who watches it: the bytes that are sent are watched beside."""
        is_one = not self._wanted.split.is_wanted and not self._wanted.partition_by
        files = None if is_one else FilesState(None, self._sent_pieces, self._found_pieces)
        return TransferState(ref.uri, skipped_bytes=self._found_bytes, files=files)

    def _target(self, key: str, bucket_name: str | None) -> ObjectRef:
        """Return where the rows go, with the places of what tells several objects apart."""
        ref = self._hook.resolve(key, bucket_name, storing=True)
        if not has_ending(ref.key):
            log.info("%s has no ending such as .%s, and is given none", ref, self._wanted.form.name)
        if self._wanted.shard is not None:
            ref = replace(
                ref, key=sharded_key(ref.key, self._wanted.shard.index, is_split=self._wanted.split.is_wanted)
            )
        if self._wanted.partition_by:
            return replace(ref, key=partitioned_key(ref.key))
        if PARTITION in ref.key:
            raise OSSInvalidArgument(f"key={key!r} names a folder for each partition: give partition_by")
        return ref

    def _manifest_ref(self, ref: ObjectRef) -> ObjectRef | None:
        """Return where the manifest goes: in the bucket of the rows, unless it is said to be in another."""
        if self._wanted.shard is not None:
            return ObjectRef(ref.bucket, shard_manifest_key(ref.key))
        if self._wanted.manifest is None:
            is_needed = self._wanted.split.is_wanted or self._wanted.partition_by
            return ObjectRef(ref.bucket, manifest_key(ref.key)) if is_needed else None
        is_whole = isinstance(self._wanted.manifest, str) and self._wanted.manifest.startswith(SCHEME)
        return self._hook.resolve(self._wanted.manifest, None if is_whole else ref.bucket, storing=True)

    def _store(self, ref: ObjectRef) -> list[_Stored]:
        if not self._wanted.split.is_wanted and not self._wanted.partition_by:
            return self._as_one(ref)
        stored = self._as_partitions(ref) if self._wanted.partition_by else self._as_pieces(ref)
        # The piece that an earlier attempt was sending may not be one any more
        if (checkpoint := self._resumable["checkpoint"]) is not None:
            self._hook.abandon_upload(checkpoint)
        return stored

    # As one object

    def _as_one(self, ref: ObjectRef) -> list[_Stored]:
        """Stream the rows into one object."""
        rows = 0

        def stream() -> Iterator[bytes]:
            nonlocal rows
            with self._rows() as all_rows:
                pieces = self._pieces(all_rows)
                if self._wanted.skip_empty and not pieces.has_more():
                    raise _NothingToExport
                yield from self._file_bytes(pieces)
                rows = pieces.rows

        try:
            result = self._hook.upload_stream(ref.uri, stream, **self._resumable, **self._options)
        except _NothingToExport:
            self._hook.abandon_upload(self._resumable["checkpoint"])
            return []
        return [_Stored(result, rows)]

    # As pieces

    def _as_pieces(self, ref: ObjectRef) -> list[_Stored]:
        """Store piece after piece."""
        with self._rows() as rows:
            pieces = self._pieces(rows)
            if self._wanted.skip_empty and not pieces.has_more():
                self._warn_of_leftovers(ref, 0)
                return []
            return self._store_pieces(pieces, ref)

    def _as_partitions(self, ref: ObjectRef) -> list[_Stored]:
        """Store partition after partition."""
        stored: list[_Stored] = []
        wanted = self._wanted
        with self._rows() as rows:
            layout = Layout(self._columns, wanted.partition_by, keep=wanted.keep_partition_columns)
            self._columns, self._partition_columns = layout.file_columns, layout.columns
            batches = self._batches(cast("Iterator[Row]", rows))  # for partition_by is given
            with closing(by_partition(layout, batches, wanted.max_open_partitions)) as partitions:
                for values, its_rows in partitions:
                    pieces = self._pieces(map(layout.file_row, its_rows))
                    its_ref = replace(ref, key=ref.key.replace(PARTITION, layout.folder(values)))
                    named = layout.named(values)
                    stored += [each._replace(partition=named) for each in self._store_pieces(pieces, its_ref)]
        return stored

    def _store_pieces(self, pieces: Pieces, ref: ObjectRef) -> list[_Stored]:
        """Store the rows as one object, or as numbered ones where they are split; there is one without rows, too."""
        if not self._wanted.split.is_wanted:
            return [self._store_piece(pieces, ref)]
        stored: list[_Stored] = []
        while pieces.has_more() or not stored:
            stored.append(self._store_piece(pieces, replace(ref, key=piece_key(ref.key, len(stored)))))
        self._warn_of_leftovers(ref, len(stored))
        return stored

    def _store_piece(self, pieces: Pieces, ref: ObjectRef) -> _Stored:
        with PieceFile(ref.key) as file:
            for chunk in self._file_bytes(pieces):
                file.write(chunk)
                pieces.size_bytes = file.size_bytes
                self._hook.watcher.tick()
            found = self._find_equal(file, ref)
            if found is not None:
                log.info("%s: %d rows are there already, nothing is sent", found.uri, pieces.rows)
                self._found_pieces += 1
                self._found_bytes += found.size
                return _Stored(found, pieces.rows)
            result = self._hook.upload_source(ref.uri, file, **self._resumable, **self._options)
            self._sent_pieces += 1
        log.info("%s: %d rows, %d bytes, %d of them sent", result.uri, pieces.rows, result.size, result.bytes_sent)
        return _Stored(result, pieces.rows)

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

    # Rows

    @contextmanager
    def _rows(self) -> Iterator[Iterator[Row] | ArrowRows]:
        """Run the query; yield its rows. An error that follows from being asked to stop becomes OSSUploadCancelled."""
        try:
            with self._session.read(self._wanted.query) as result:
                selection = select_columns(result.columns, self._wanted.columns, self._wanted.exclude)
                if (lines := self._lines(result, selection)) is not None:
                    yield lines
                    return
                with self._typed(selection, result) as rows:
                    yield rows
        except Exception:
            self._check_cancelled()
            raise

    def _lines(self, result: QueryResult, selection: SelectedColumns) -> Iterator[bytes] | None:
        """Return the rows as lines where the database writes those of the format, and values are not needed."""
        lines = None if self._wanted.partition_by else result.lines(selection.indices, self._wanted.form)
        self._columns, self._has_lines = selection.columns, lines is not None
        return lines

    @contextmanager
    def _typed(self, selection: SelectedColumns, result: QueryResult) -> Iterator[Iterator[Row] | ArrowRows]:
        """Decide the columns, once for all objects, and yield the rows in the form that suits the file."""
        if not self._wanted.form.needs_types:
            yield selection.apply(result.text_rows or result.rows)
        elif result.arrow is not None and not self._wanted.partition_by:
            yield result.arrow.select(selection.indices)
        else:
            batches = self._batches(selection.apply(result.rows))
            with with_known_types(selection.columns, batches) as (self._columns, known_rows):
                yield known_rows

    def _batches(self, rows: Iterator[Row]) -> Iterator[Batch]:
        return self._watched(iter(lambda: list(islice(rows, self._wanted.query.batch_rows)), []))

    def _pieces(self, rows: Iterator[Row] | ArrowRows) -> Pieces:
        return Pieces(rows, self._wanted.query.batch_rows, self._wanted.split)

    def _file_bytes(self, pieces: Pieces) -> Iterator[bytes]:
        write = self._wanted.form.file_of_lines if self._has_lines else self._wanted.form.file_bytes
        return write(self._columns, self._watched(pieces.piece()))

    def _watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self._check_cancelled()
            yield batch

    def _check_cancelled(self) -> None:
        self._resumable["cancellation"].check()
