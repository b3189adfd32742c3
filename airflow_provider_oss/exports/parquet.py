"""
Rows as Parquet, written forward only and in bounded memory.

Row groups end with the block of batches that brings them to 32 MiB in memory or 250,000 rows. Nothing of the moment
goes into the file, so that the same rows give the same bytes as long as pyarrow's release is the same.

A column's kind alone decides its type, never its rows, so that all files of one export have one schema. No value is
ever stored as another: Arrow would take 19.99 for 19 and drop a zone without complaint, so only values that are of the
type's own kind, or converted to it without loss, are given to it; any other is an error.

Decimals keep their precision; without one, and beyond 76 digits, they are text, because no type would hold every
digit. Intervals, json and times of day with a zone are text, as csv has them; so is what has no known kind. Timestamps
with a zone become UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import Any, Final, NoReturn, TypeAlias

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.arrow import scalar_text, stored_as
from airflow_provider_oss.exports.columns import (
    Batch,
    Batches,
    Column,
    Kind,
    check_unique_names,
    text_converter,
    to_text,
)
from airflow_provider_oss.limits import MIB
from airflow_provider_oss.shown import shortened

_MIDNIGHT: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a time of day has no zone
_GROUP_BYTES: Final = 32 * MIB
_GROUP_ROWS: Final = 250_000
_BLOCK_BYTES: Final = 1024 * MIB
"""Arrow counts the bytes that it reads at once in a C int; a line of PostgreSQL's has less."""
_DECIMAL128_DIGITS: Final = 38
_DECIMAL256_DIGITS: Final = 76
_DAY: Final = r"\d{4}-\d\d-\d\d"
_CLOCK: Final = r"(?!24)\d\d:\d\d:\d\d(\.\d{1,6})?"
_REAL: Final = r"-?((0|[1-9]\d*)(\.\d+)?(e[+-]\d+)?|Infinity)|NaN"
_OFFSET: Final = r"[+-]\d\d(:\d\d){0,2}"
"""What a database writes. Python reads more: it drops digits of a second, and takes ``19`` for an hour."""
_MOST_SHOWN: Final = 100
"""Characters of a value in a message."""
_REWRITTEN: Final = (Kind.TIME_TZ,)
"""Kinds whose text is not stored as the database gives it."""
_CODECS: Final = {None: "snappy", "gzip": "gzip", "zstd": "zstd"}
_LEVELS: Final = {"gzip": 6, "zstd": 3}


_SMALL_BLOCK_BYTES: Final = MIB
_LARGE_BLOCK_BYTES: Final = 4 * MIB
_SMALL_BLOCK_ROWS: Final = 10_000


_TableOf: TypeAlias = Callable[[Any, "Sequence[_Field]", "Sequence[Batch]"], Any]
"""Makes a table of a schema, its fields and batches of their rows."""


def check_parquet() -> None:
    """Raise OSSInvalidArgument unless pyarrow is installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise OSSInvalidArgument(
            "file_format='parquet' needs the package pyarrow: install airflow-provider-oss with the extra parquet"
        ) from error


def parquet_bytes(columns: Sequence[Column], batches: Batches, compression: str | None) -> Iterator[bytes]:
    """
    Yield a Parquet file; ``compression`` is that of its pages: None for snappy, ``gzip`` or ``zstd``.

    Raises OSSInvalidArgument when two columns share a name, when pyarrow is not installed, and for a value that does
    not fit its column's type.
    """
    check_parquet()
    check_unique_names(columns, "parquet")
    return _parquet_bytes(columns, batches, compression, _table)


def parquet_of_lines(columns: Sequence[Column], batches: Batches, compression: str | None) -> Iterator[bytes]:
    """
    Yield the same file; its rows are lines of csv without a header, whose values PostgreSQL wrote as it has them.

    Each column is one that ``reads_lines`` takes, and there are two at least.
    """
    check_parquet()
    check_unique_names(columns, "parquet")
    return _parquet_bytes(columns, batches, compression, _table_of_lines)


def reads_lines(column: Column) -> bool:
    """Whether Arrow reads the column's type from csv: no lists, no bytes, and no decimals of more than 128 bits."""
    import pyarrow as pa

    return not (column.is_array or column.kind is Kind.BYTES or pa.types.is_decimal256(_Field(column).type))


def _parquet_bytes(
    columns: Sequence[Column], batches: Batches, compression: str | None, table_of: _TableOf
) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [_Field(column) for column in columns]
    schema = pa.schema([(field.column.name, field.type) for field in fields])
    sink = _Sink()
    codec, level = _CODECS[compression], _LEVELS.get(compression or "")
    with pq.ParquetWriter(sink, schema, compression=codec, compression_level=level) as writer:
        group: list[Any] = []
        rows = size_bytes = 0
        blocks = _Blocks(batches)
        while block := blocks.take():
            table = table_of(schema, fields, block).combine_chunks()
            blocks.had(table)
            group.append(table)
            rows, size_bytes = rows + len(table), size_bytes + table.nbytes
            if size_bytes >= _GROUP_BYTES or rows >= _GROUP_ROWS:
                _write_group(writer, schema, group)
                rows = size_bytes = 0
                yield from sink.take()
        _write_group(writer, schema, group)
    yield from sink.take()


class _Blocks:
    """
    Batches, several at once while they are small: Arrow's work on a few rows is mostly its beginning.

    How many depends on the rows alone, as all of the file does.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = iter(batches)
        self._count = 1

    def take(self) -> list[Batch]:
        """Return the next batches; none at the end."""
        return list(islice(self._batches, self._count))

    def had(self, table: Any) -> None:
        """Note what became of the last block."""
        if table.nbytes < _SMALL_BLOCK_BYTES and len(table) < _SMALL_BLOCK_ROWS:
            self._count *= 2
        elif table.nbytes > _LARGE_BLOCK_BYTES:
            self._count = max(self._count // 2, 1)


def _write_group(writer: Any, schema: Any, group: list[Any]) -> None:
    """Write what is in the group as one row group, if there is any row, and empty it."""
    import pyarrow as pa

    table = pa.concat_tables(group) if group else schema.empty_table()
    group.clear()
    if len(table):
        writer.write_table(table, row_group_size=len(table))


def _table(schema: Any, fields: Sequence[_Field], batches: Sequence[Batch]) -> Any:
    """Return the rows as a table, which unlike a record batch may have more than 2 GiB of text."""
    import pyarrow as pa

    if isinstance(batches[0], pa.Table):
        return _converted(schema, fields, pa.concat_tables(batches).columns)
    columns = (list(zip(*batch, strict=True)) if batch else [()] * len(fields) for batch in batches)
    return pa.concat_tables(_converted(schema, fields, each) for each in columns)


def _converted(schema: Any, fields: Sequence[_Field], columns: Sequence[Any]) -> Any:
    import pyarrow as pa

    return pa.table([field.array(column) for field, column in zip(fields, columns, strict=True)], schema=schema)


def _table_of_lines(schema: Any, fields: Sequence[_Field], batches: Sequence[Batch]) -> Any:
    """Return the rows as a table, read by Arrow."""
    return _read_lines(schema, fields, list(chain.from_iterable(batches)))


def _read_lines(schema: Any, fields: Sequence[_Field], lines: Sequence[Any]) -> Any:
    """Read lines; what Arrow does not read (offsets with seconds) is parsed here, or refused by column and value."""
    import pyarrow as pa

    if sum(map(len, lines)) > _BLOCK_BYTES:
        middle = len(lines) // 2
        return pa.concat_tables(_read_lines(schema, fields, half) for half in (lines[:middle], lines[middle:]))
    block = b"".join([BOM_UTF8, *lines])  # Arrow drops one BOM, no value's
    try:
        return _read(block, schema.types).rename_columns(schema.names)
    except pa.ArrowInvalid:
        texts = _read(block, [pa.string()] * len(fields))
    parsed = (field.parsed(texts.column(index).to_pylist()) for index, field in enumerate(fields))
    return _converted(schema, fields, list(parsed))


def _read(block: bytes, types: Sequence[Any]) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    names = [f"c{index}" for index in range(len(types))]
    return csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


class _Field:
    """A column, the type it has in the file, and how its values become that."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._item = _storage(column)

    @property
    def type(self) -> Any:
        """The Arrow type."""
        import pyarrow as pa

        return pa.list_(self._item.type) if self.column.is_array else self._item.type

    def array(self, values: Sequence[Any]) -> Any:
        """Return the values as Arrow has them. Raises OSSInvalidArgument naming the first that does not fit."""
        try:
            return self._array(values)
        except _misfits() as error:
            raise self._misfit(values, error) from error

    def _array(self, values: Sequence[Any]) -> Any:
        import pyarrow as pa

        if isinstance(values, pa.ChunkedArray):
            return stored_as(values, self.type)
        return pa.array(self._converted(values), self.type)

    def parsed(self, texts: Sequence[str | None]) -> Sequence[Any]:
        """Return the values that PostgreSQL wrote so, as its drivers give them."""
        parse = _PARSED.get(self.column.kind)
        return texts if parse is None else [None if text is None else parse(text) for text in texts]

    def _converted(self, values: Sequence[Any]) -> Sequence[Any]:
        if not self.column.is_array:
            return self._item.converted(values)
        return [None if value is None else self._item.converted(_items(value)) for value in values]

    def _misfit(self, values: Sequence[Any], error: Exception) -> OSSInvalidArgument:
        shown = "a value"
        for index, value in enumerate(values):
            try:
                self._array(values[index : index + 1])
            except _misfits() as found:
                error, shown = found, _shown(value)
                break
        return OSSInvalidArgument(
            f"column {self.column.name!r} holds {shown}, which does not fit {self.type} in Parquet ({error}): convert "
            "it in the query (CAST), or choose another file_format"
        )


def _shown(value: Any) -> str:
    import pyarrow as pa

    if isinstance(value, pa.Scalar):
        return f"the {value.type} {shortened(scalar_text(value), _MOST_SHOWN)}"
    return f"the {type(value).__name__} {shortened(repr(value), _MOST_SHOWN)}"


def type_name(column: Column) -> str:
    """Return Arrow's name of the type that the column has in a file."""
    return str(_Field(column).type)


def _misfits() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (pa.ArrowException, ValueError, TypeError, OverflowError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class _Storage:
    """An Arrow type, and how values become what it takes without loss."""

    type: Any
    own: frozenset[type]
    """The Python types of the values that Arrow stores as they are."""
    convert: Callable[[Any], Any]
    """Makes one of these of any other value that is not None. Raises ValueError when something would be lost."""

    def converted(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return values that Arrow stores as they are."""
        if set(map(type, values)) <= self.own:
            return values
        return [None if value is None else self.convert(value) for value in values]


_NONE: Final = type(None)


def _storage(column: Column) -> _Storage:
    """Return how the column's values are stored, which of a list's are its items."""
    import pyarrow as pa

    if column.kind is Kind.DECIMAL:
        return _decimal(column)
    if column.kind is Kind.INTEGER:
        return _Storage(_integer(column), frozenset({int, _NONE}), _refused)
    if column.kind is Kind.FLOAT:
        # float32 takes what the database rounded already
        type_ = pa.float32() if column.bits == 32 else pa.float64()  # noqa: PLR2004 - bits
        return _Storage(type_, frozenset({float, _NONE}), _float)
    storages: dict[Kind, Callable[[], _Storage]] = {
        Kind.BOOLEAN: lambda: _Storage(pa.bool_(), frozenset({bool, _NONE}), _refused),
        Kind.DATE: lambda: _Storage(pa.date32(), frozenset({dt.date, _NONE}), _date),
        Kind.TIME: lambda: _Storage(pa.time64("us"), frozenset({_NONE}), _time),
        Kind.TIMESTAMP: lambda: _Storage(pa.timestamp("us"), frozenset({_NONE}), _timestamp),
        Kind.TIMESTAMP_TZ: lambda: _Storage(pa.timestamp("us", "UTC"), frozenset({_NONE}), _timestamp_tz),
        Kind.BYTES: lambda: _Storage(pa.binary(), frozenset({bytes, _NONE}), _bytes),
    }
    if (storage := storages.get(column.kind)) is not None:
        return storage()
    own = frozenset({_NONE}) if column.kind in _REWRITTEN else frozenset({str, _NONE})
    return _Storage(pa.string(), own, _text_of(text_converter(Column(column.name, column.kind))))


def _integer(column: Column) -> Any:
    import pyarrow as pa

    bits = column.bits or 64
    if column.is_unsigned:
        return {16: pa.uint16(), 32: pa.uint32()}.get(bits, pa.uint64())
    return {16: pa.int16(), 32: pa.int32()}.get(bits, pa.int64())


def _decimal(column: Column) -> _Storage:
    """Return a type for so many digits: with a negative scale zeros are stored too, with a large one digits before."""
    import pyarrow as pa

    scale = max(column.scale or 0, 0)
    digits = None if column.precision is None else max(column.precision + max(-(column.scale or 0), 0), scale)
    if digits is None or digits > _DECIMAL256_DIGITS:
        return _Storage(pa.string(), frozenset({str, _NONE}), _text_of(to_text))
    make = pa.decimal128 if digits <= _DECIMAL128_DIGITS else pa.decimal256
    return _Storage(make(digits, scale), frozenset({Decimal, _NONE}), _exact_decimal)


def _items(value: Any) -> Sequence[Any]:
    """Return the items of an array of one dimension."""
    if not isinstance(value, list | tuple):
        _refused(value)
    if any(isinstance(item, list | tuple) for item in value):
        raise ValueError("it has lists in it")
    return value


def _refused(value: Any) -> NoReturn:
    raise ValueError(f"values of type {type(value).__name__} are not converted")


def _text_of(convert: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return what writes a value as text, but not bytes: nobody could tell them from text that reads the same."""

    def text(value: Any) -> str:
        return _refused(value) if isinstance(value, bytes | bytearray | memoryview) else convert(value)

    return text


def _real(value: Any) -> float:
    if isinstance(value, float):
        return value
    if type(value) is not int or int(float(value)) != value:
        _refused(value)
    return float(value)


def _exact_decimal(value: Any) -> Decimal:
    return Decimal(value) if type(value) is int else _refused(value)


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytearray | memoryview) else _refused(value)


def _parsed(form: str, parse: Callable[[str], Any], other: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what parses the text that a database gives, if it has that form, and passes objects on to ``other``."""
    matches = re.compile(form).fullmatch

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return other(value)
        if matches(value) is None:
            raise ValueError("it is outside of what the type holds, or not as a database writes it")
        return parse(value)

    return convert


def _without_zone(value: Any) -> dt.datetime:
    if type(value) is not dt.datetime:
        _refused(value)
    if value.tzinfo is not None:
        raise ValueError("its zone would be lost")
    return value


def _with_zone(value: Any) -> dt.datetime:
    if type(value) is not dt.datetime:
        _refused(value)
    if value.tzinfo is None:
        raise ValueError("it has no zone")
    return value


def _time_of_day(value: Any) -> dt.time:
    """Return the time of day, which MySQL gives as a duration."""
    if isinstance(value, dt.timedelta):
        if not dt.timedelta() <= value < dt.timedelta(days=1):
            raise ValueError(f"{value} is no time of a day")
        return (_MIDNIGHT + value).time()
    if type(value) is not dt.time:
        _refused(value)
    if value.tzinfo is not None:
        raise ValueError("its zone would be lost")
    return value


_float = _parsed(_REAL, float, _real)
_date = _parsed(_DAY, dt.date.fromisoformat, _refused)
_time = _parsed(_CLOCK, dt.time.fromisoformat, _time_of_day)
_timestamp = _parsed(f"{_DAY} {_CLOCK}", dt.datetime.fromisoformat, _without_zone)
_timestamp_tz = _parsed(f"{_DAY} {_CLOCK}{_OFFSET}", dt.datetime.fromisoformat, _with_zone)


_PARSED: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.BOOLEAN: lambda text: text == "t",
    Kind.INTEGER: int,
    Kind.DECIMAL: Decimal,
}


class _Sink:
    """A file that is only written forward; what was written is taken out between the row groups."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._position = 0

    def write(self, data: Any) -> int:
        """Keep a copy of the data."""
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._position += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        """Return how much was written."""
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Keep what was written: it is still to be taken."""

    def take(self) -> Iterator[bytes]:
        """Yield what was written since the last time."""
        chunks, self._chunks = self._chunks, []
        if chunks:
            yield b"".join(chunks)
