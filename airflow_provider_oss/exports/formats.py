"""
File formats of an export: how rows are written, and how they are cut into pieces.

CSV, in UTF-8, keeps NULL and the empty string apart, as PostgreSQL's COPY does: NULL is the null marker without quotes
(nothing, by default), and a value that reads like the marker is quoted (``a,,b`` is NULL, ``a,"",b`` an empty string).
JSON Lines, in UTF-8, is one object a line, its members in the order of the columns, NULL as null. For Parquet see
``parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from json.encoder import encode_basestring
from typing import Any, Final

from airflow_provider_oss.compression import check_compression, compressed, content_encoding
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.arrow import ArrowRows
from airflow_provider_oss.exports.cells import ColumnWriter, has_null, json_writer, text_writer, with_nulls, written
from airflow_provider_oss.exports.columns import (
    Batch,
    Batches,
    Column,
    Kind,
    Row,
    check_unique_names,
)
from airflow_provider_oss.exports.parquet import check_parquet, parquet_bytes, parquet_of_lines, type_name
from airflow_provider_oss.exports.partitions import PARTITION, above_partitions

_PLAIN_KINDS: Final = frozenset(
    {Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ}
)
"""What is written of them is letters, digits, spaces and ``+-.:``."""

_BOOLEANS: Final = {"true": True, "false": False}
_CONTROLS: Final = {r"\t": "\t", r"\n": "\n", r"\r\n": "\r\n"}
"""Characters as they are spelled out."""


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How CSV is written. Raises OSSInvalidArgument for what no reader could tell apart."""

    header: bool = True
    """Whether the first line has the columns' names."""
    delimiter: str = ","
    quotechar: str = '"'
    """Doubled inside quotes."""
    quoting: str = "minimal"
    """``minimal``: what could be read otherwise is quoted; ``all``: everything but NULL."""
    line_ending: str = "\n"
    null_marker: str = ""

    def __post_init__(self) -> None:
        for name in ("delimiter", "quotechar"):
            character = getattr(self, name)
            if not isinstance(character, str) or len(character) != 1 or character in "\r\n\0":
                raise OSSInvalidArgument(f"csv_options: {name}={character!r} is not one character other than a newline")
        if self.delimiter == self.quotechar:
            raise OSSInvalidArgument(f"csv_options: delimiter and quotechar are both {self.delimiter!r}")
        if not isinstance(self.header, bool):
            raise OSSInvalidArgument(f"csv_options: header={self.header!r} is neither True nor False")
        if self.quoting not in ("minimal", "all"):
            raise OSSInvalidArgument(f"csv_options: quoting={self.quoting!r} is not known: use 'minimal' or 'all'")
        if self.line_ending not in ("\n", "\r\n"):
            raise OSSInvalidArgument(f"csv_options: line_ending={self.line_ending!r} is neither '\\n' nor '\\r\\n'")
        marker = self.null_marker
        if not isinstance(marker, str) or any(mark in marker for mark in (self.delimiter, self.quotechar, "\r", "\n")):
            raise OSSInvalidArgument(
                f"csv_options: null_marker={marker!r} must be text without delimiter, quotechar and newline"
            )

    @property
    def leaves_plain_text(self) -> bool:
        """Whether text of letters, digits, spaces and ``+-.:`` never needs quotes."""
        return (
            self.quoting == "minimal" and not self.null_marker and self.delimiter in ",;|\t" and self.quotechar in "\"'"
        )


def parse_csv_options(options: Mapping[str, Any] | None) -> CsvFormat:
    """Return the format that a user's mapping describes. Raises OSSInvalidArgument, for an unknown name too."""
    if options is not None and not isinstance(options, Mapping):
        raise OSSInvalidArgument(
            f"csv_options={options!r} is no mapping of names to values: give one, each value of which may be a template"
        )
    known = [field.name for field in fields(CsvFormat)]
    if unknown := [name for name in options or {} if name not in known]:
        raise OSSInvalidArgument(f"csv_options: {unknown[0]!r} is not known: use {', '.join(known)}")
    return CsvFormat(**{name: _meant(name, value) for name, value in (options or {}).items()})


def _meant(name: str, value: Any) -> Any:
    """Return what an option means that a template may have spelled out: a truth value, a tab, the end of a line."""
    if not isinstance(value, str):
        return value
    if name == "header":
        return _BOOLEANS.get(value.strip().lower(), value)
    return _CONTROLS.get(value, value) if name in ("delimiter", "line_ending") else value


def csv_bytes(columns: Sequence[Column], batches: Batches, form: CsvFormat) -> Iterator[bytes]:
    """Yield the header, if there is to be one, then the lines of each batch of rows."""
    is_only = len(columns) == 1
    writers = [_cells_writer(column, form, is_only=is_only) for column in columns]
    yield from _header(columns, form)
    for batch in batches:
        lines = map(form.delimiter.join, zip(*written(writers, batch), strict=True))
        yield form.line_ending.join([*lines, ""]).encode()


def csv_of_lines(columns: Sequence[Column], batches: Batches, form: CsvFormat) -> Iterator[bytes]:
    """Yield the header, if there is to be one, then each batch of lines, which a database wrote in this form."""
    yield from _header(columns, form)
    for batch in batches:
        yield b"".join(batch)  # type: ignore[arg-type]  # its rows are lines


def _header(columns: Sequence[Column], form: CsvFormat) -> Iterator[bytes]:
    if form.header:
        header = form.delimiter.join(_quoter(form)([column.name for column in columns]))
        yield f"{header}{form.line_ending}".encode()


def _cells_writer(column: Column, form: CsvFormat, *, is_only: bool) -> ColumnWriter:
    write = text_writer(column)
    if column.kind not in _PLAIN_KINDS or column.is_array or not form.leaves_plain_text:
        write = _quoting(write, form)
    return _without_nulls(column, write) if is_only and not form.null_marker else with_nulls(write, form.null_marker)


def _quoting(write: ColumnWriter, form: CsvFormat) -> ColumnWriter:
    quoted = _quoter(form)
    return lambda values: quoted(write(values))


def _without_nulls(column: Column, write: ColumnWriter) -> ColumnWriter:
    """Return what writes the only cells of lines, which NULL would leave empty: most readers skip empty lines."""

    def cells(values: Sequence[Any]) -> Sequence[str]:
        if has_null(values):
            raise OSSInvalidArgument(
                f"column {column.name!r} is the only one and holds NULL, which would be an empty line: give "
                "csv_options a null_marker"
            )
        return write(values)

    return cells


def _quoter(form: CsvFormat) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what puts those texts in quotes that need them."""
    quote, null = form.quotechar, form.null_marker
    doubled = quote * 2
    special = (form.delimiter, quote, "\r", "\n")
    needs_quotes = re.compile(f"[{re.escape(''.join(special))}]").search

    def always(text: str) -> str:
        return f"{quote}{text.replace(quote, doubled)}{quote}"

    def all_of_them(texts: Sequence[str]) -> Sequence[str]:
        return list(map(always, texts))

    def those_that_need_it(texts: Sequence[str]) -> Sequence[str]:
        together = "".join(texts)
        if null not in texts and not any(character in together for character in special):
            return texts
        return [always(text) if text == null or needs_quotes(text) else text for text in texts]

    return all_of_them if form.quoting == "all" else those_that_need_it


def json_lines_bytes(columns: Sequence[Column], batches: Batches) -> Iterator[bytes]:
    """Yield the lines of each batch of rows. Raises OSSInvalidArgument when two columns share a name."""
    check_unique_names(columns, "jsonl")
    writers = [with_nulls(json_writer(column), "null") for column in columns]
    names = [encode_basestring(column.name).replace("%", "%%") for column in columns]
    line = f"{{{','.join(f'{name}:%s' for name in names)}}}\n"
    for batch in batches:
        yield "".join(map(line.__mod__, zip(*written(writers, batch), strict=True))).encode()


_MIMES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_COMPRESSED_MIMES: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """One kind of file, and how it is written."""

    name: str
    compression: str | None
    csv: CsvFormat

    def described_as(self, key: str) -> tuple[str, str | None]:
        """
        Return Content-Type and Content-Encoding of an object of this name.

        Parquet compresses its pages, which is its own affair.
        """
        if self.compression is None or self.name == "parquet":
            return _MIMES[self.name], None
        encoding = content_encoding(self.compression, key)
        return _COMPRESSED_MIMES[self.compression] if encoding is None else _MIMES[self.name], encoding

    @property
    def needs_types(self) -> bool:
        """Whether a file says what type each column has: then it has to be known before the first row is written."""
        return self.name == "parquet"

    def described(self, column: Column) -> dict[str, str]:
        """Return name and type for a manifest, and in parquet the type that the column has in each of the files."""
        if not self.needs_types:
            return column.described()
        return {**column.described(), "parquet": type_name(column)}

    def file_bytes(self, columns: Sequence[Column], batches: Batches) -> Iterator[bytes]:
        """Yield one whole file with these rows."""
        if self.name == "parquet":
            return parquet_bytes(columns, batches, self.compression)
        plain = csv_bytes(columns, batches, self.csv) if self.name == "csv" else json_lines_bytes(columns, batches)
        return compressed(plain, self.compression)

    def file_of_lines(self, columns: Sequence[Column], batches: Batches) -> Iterator[bytes]:
        """Yield one whole file, csv or Parquet, with these lines, each of them the bytes that a database wrote."""
        if self.name == "parquet":
            return parquet_of_lines(columns, batches, self.compression)
        return compressed(csv_of_lines(columns, batches, self.csv), self.compression)


def parse_format(name: str, compression: str | None, csv_options: Mapping[str, Any] | None) -> FileFormat:
    """Return the format. Raises OSSInvalidArgument when it is not known, or needs what is not installed."""
    if name not in _MIMES:
        raise OSSInvalidArgument(f"file_format={name!r} is not known: use {', '.join(map(repr, _MIMES))}")
    if csv_options and name != "csv":
        raise OSSInvalidArgument(f"csv_options are for file_format='csv', not {name!r}: leave them out")
    check_compression(compression)
    if name == "parquet":
        check_parquet()
    return FileFormat(name, compression, parse_csv_options(csv_options))


INDEX: Final = "{index}"
_DIGITS: Final = 5
_COMPRESSION_SUFFIXES: Final = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Split:
    """When a piece ends. None: never."""

    rows: int | None = None
    size_bytes: int | None = None
    """Of the file as it is stored: the batch of rows that reaches it is the piece's last."""

    def __post_init__(self) -> None:
        for name, value in (("split_rows", self.rows), ("split_bytes", self.size_bytes)):
            if value is not None and value < 1:
                raise OSSInvalidArgument(f"{name}={value} must be at least 1")

    @property
    def is_wanted(self) -> bool:
        """Whether there may be several pieces."""
        return self.rows is not None or self.size_bytes is not None


class _Rows:
    """Rows one by one, and whether there is another."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._ahead: list[Row] = []

    def has_more(self) -> bool:
        if not self._ahead:
            self._ahead = list(islice(self._rows, 1))
        return bool(self._ahead)

    def take(self, count: int) -> list[Row]:
        ahead, self._ahead = self._ahead, []
        return [*ahead, *islice(self._rows, count - len(ahead))]


class Pieces:
    """
    Hands the rows of a result out in batches, one piece after the other.

    Where it cuts depends on the rows and their bytes only, not on how a driver happens to deliver them.
    """

    def __init__(self, rows: Iterator[Row] | ArrowRows, batch_rows: int, split: Split) -> None:
        self._source = rows if isinstance(rows, ArrowRows) else _Rows(rows)
        self._batch_rows = batch_rows
        self._split = split
        self.rows = 0
        """Handed out for the piece at hand."""
        self.size_bytes = 0
        """Written of the piece at hand: whoever writes it counts here."""

    def has_more(self) -> bool:
        """Whether there is another row."""
        return self._source.has_more()

    def piece(self) -> Iterator[Batch]:
        """Begin a piece: yield its rows."""
        self.rows = self.size_bytes = 0
        while not self._is_full() and (batch := self._source.take(self._next_rows())):
            self.rows += len(batch)
            yield batch

    def _is_full(self) -> bool:
        rows, size_bytes = self._split.rows, self._split.size_bytes
        return (rows is not None and self.rows >= rows) or (
            size_bytes is not None and self.rows > 0 and self.size_bytes >= size_bytes
        )

    def _next_rows(self) -> int:
        return self._batch_rows if self._split.rows is None else min(self._batch_rows, self._split.rows - self.rows)


def piece_key(key: str, index: int) -> str:
    """
    Return the key of a piece: the number, from 00000 on, in place of ``{index}``, else before the name's suffix.

    ``a/b.csv`` becomes ``a/b-00000.csv``, ``a/b.csv.gz`` becomes ``a/b-00000.csv.gz``. No two pieces have the same key.
    """
    return _with_index(key).replace(INDEX, f"{index:0{_DIGITS}}")


def sharded_key(key: str, shard: int, *, is_split: bool) -> str:
    """Return the key of a shard's objects: its number where that of a piece goes, which follows if there are pieces."""
    return _with_index(key).replace(INDEX, f"{shard:0{_DIGITS}}" + (f"-{INDEX}" if is_split else ""))


def folder_of_objects(key: str) -> str:
    """Return the folder, with its slash, that all objects of an export with this key are in."""
    above = key.partition(INDEX)[0].partition(PARTITION)[0]
    return above[: above.rfind("/") + 1]


def has_ending(key: str) -> bool:
    """Whether the name ends in something like ``.csv``."""
    _, suffix = _split_suffix(key)
    return INDEX not in suffix and len(suffix) > 1


def manifest_key(key: str) -> str:
    """
    Return the key of the manifest of the objects of ``key``: ``a/b.csv`` becomes ``a/b-manifest.json``.

    That of ``a/{partition}/b.csv`` is ``a/_b-manifest.json``: what begins so is left out by those who read the folder.
    """
    stem, _ = _split_suffix(above_partitions(key) if PARTITION in key else key)
    if INDEX in stem:
        return f"{stem.replace(INDEX, 'manifest')}.json"
    return f"{stem}-manifest.json"


def shard_manifest_key(key: str) -> str:
    """Return the key of the manifest of a shard's objects: beside that of all, hidden from readers of the folder."""
    folder, slash, name = manifest_key(key).rpartition("/")
    return f"{folder}{slash}_{name.removeprefix('_')}"


def check_keys(key: str, manifest: str | None, *, is_split: bool) -> None:
    """Raise OSSInvalidArgument when objects of one export would take each other's place."""
    if not is_split and INDEX in key:
        raise OSSInvalidArgument(f"key={key!r} numbers pieces, but there is one object: give split_rows or split_bytes")
    if manifest is None:
        return
    if manifest == key or _pattern(_with_index(key) if is_split else key).fullmatch(manifest):
        raise OSSInvalidArgument(f"manifest={manifest!r} is the key of exported rows too: give it another one")


def _with_index(key: str) -> str:
    """Return the key with ``{index}`` where the number of a piece goes, which may be several times."""
    if INDEX in key:
        return key
    stem, suffix = _split_suffix(key)
    return f"{stem}-{INDEX}{suffix}"


def _pattern(key: str) -> re.Pattern[str]:
    """Return what matches the keys that objects may have: the same number wherever the key has one, any partition."""
    first, *others = map(_with_any_partition, key.split(INDEX))
    number = f"(?P<number>[0-9]{{{_DIGITS},}})" if others else ""
    return re.compile(f"{first}{number}{'(?P=number)'.join(others)}")


def _with_any_partition(text: str) -> str:
    return "(?s:.*)".join(map(re.escape, text.split(PARTITION)))


def _split_suffix(key: str) -> tuple[str, str]:
    """Return the key without and with only the suffix of its name; a compression's belongs to the one before it."""
    folder, slash, name = key.rpartition("/")
    stem, suffix = _last_suffix(name)
    if suffix in _COMPRESSION_SUFFIXES:
        stem, inner = _last_suffix(stem)
        suffix = inner + suffix
    return f"{folder}{slash}{stem}", suffix


def _last_suffix(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, f".{suffix}") if stem and dot else (name, "")
