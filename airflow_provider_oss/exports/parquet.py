"""
Rows as Parquet, written forward only and in bounded memory.

Row groups end with the batch that brings them to 32 MiB in memory or 250,000 rows. Nothing of the moment goes into the
file, so that the same rows give the same bytes as long as pyarrow's release is the same.

Where the database tells a column's kind it becomes the type below; else the first batch decides. Decimals keep their
precision; without one, and beyond 76 digits, they are text, because no type would hold every digit. Intervals, json and
times of day with a zone are text, as csv has them; timestamps with a zone become UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Batches, Column, Kind, check_unique_names
from airflow_provider_oss.exports.values import Converter, text_converter, to_text
from airflow_provider_oss.limits import MIB

_MIDNIGHT: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a time of day has no zone
_GROUP_BYTES: Final = 32 * MIB
_GROUP_ROWS: Final = 250_000
_DECIMAL128_DIGITS: Final = 38
_DECIMAL256_DIGITS: Final = 76
_CODECS: Final = {None: "snappy", "gzip": "gzip", "zstd": "zstd"}
_LEVELS: Final = {"gzip": 6, "zstd": 3}


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
    return _parquet_bytes(columns, batches, compression)


def _parquet_bytes(columns: Sequence[Column], batches: Batches, compression: str | None) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    remaining = iter(batches)
    first: Batch = next(remaining, [])
    fields = [_Field(column, [row[index] for row in first]) for index, column in enumerate(columns)]
    schema = pa.schema([(field.column.name, field.type) for field in fields])
    sink = _Sink()
    codec, level = _CODECS[compression], _LEVELS.get(compression or "")
    with pq.ParquetWriter(sink, schema, compression=codec, compression_level=level) as writer:
        group: list[Any] = []
        rows = size_bytes = 0
        for batch in chain([first], remaining):
            group.append(_record_batch(schema, fields, batch))
            rows, size_bytes = rows + len(batch), size_bytes + group[-1].nbytes
            if size_bytes >= _GROUP_BYTES or rows >= _GROUP_ROWS:
                _write_group(writer, schema, group)
                rows = size_bytes = 0
                yield from sink.take()
        _write_group(writer, schema, group)
    yield from sink.take()


def _write_group(writer: Any, schema: Any, group: list[Any]) -> None:
    """Write what is in the group as one row group, if there is any row, and empty it."""
    import pyarrow as pa

    table = pa.Table.from_batches(group, schema)
    group.clear()
    if len(table):
        writer.write_table(table, row_group_size=len(table))


def _record_batch(schema: Any, fields: Sequence[_Field], batch: Batch) -> Any:
    import pyarrow as pa

    values = list(zip(*batch, strict=True)) if batch else [()] * len(fields)
    return pa.record_batch([field.array(column) for field, column in zip(fields, values, strict=True)], schema=schema)


class _Field:
    """A column, the type it has in the file, and how its values become that."""

    def __init__(self, column: Column, first_values: Sequence[Any]) -> None:
        self.column = column
        self._type, self._convert = _declared(column) or _inferred(first_values)
        if column.is_array:
            self._convert = _of_list(self._convert)

    @property
    def type(self) -> Any:
        """The Arrow type."""
        import pyarrow as pa

        return pa.list_(self._type) if self.column.is_array else self._type

    def array(self, values: Sequence[Any]) -> Any:
        """Return the values as Arrow has them. Raises OSSInvalidArgument naming the first that does not fit."""
        import pyarrow as pa

        try:
            return pa.array(self._converted(values), self.type)
        except (pa.ArrowException, ValueError, TypeError, OverflowError, ArithmeticError) as error:
            raise self._misfit(values, error) from error

    def _converted(self, values: Sequence[Any]) -> Sequence[Any]:
        convert = self._convert
        if convert is None:
            return values
        return [None if value is None else convert(value) for value in values]

    def _misfit(self, values: Sequence[Any], error: Exception) -> OSSInvalidArgument:
        import pyarrow as pa

        for value in values:
            try:
                pa.array(self._converted([value]), self.type)
            except (pa.ArrowException, ValueError, TypeError, OverflowError, ArithmeticError) as found:
                error, shown = found, type(value).__name__
                break
        else:
            shown = "value"
        return OSSInvalidArgument(
            f"column {self.column.name!r} holds a {shown} that does not fit {self.type} in Parquet ({error}): convert "
            "it in the query (CAST), or choose another file_format"
        )


_Convert = Callable[[Any], Any] | None


def _declared(column: Column) -> tuple[Any, _Convert] | None:
    """Return the Arrow type for what the database says of the column; None when it does not say enough."""
    import pyarrow as pa

    if column.kind is Kind.UNKNOWN:
        return None
    if column.kind is Kind.DECIMAL:
        return _decimal(column.precision, column.scale)
    if column.kind is Kind.INTEGER:
        return _integer(column.bits), None
    if column.kind is Kind.FLOAT:
        # float32 takes what the database rounded already
        return (pa.float32() if column.bits == 32 else pa.float64()), float  # noqa: PLR2004 - bits
    types: dict[Kind, tuple[Any, _Convert]] = {
        Kind.BOOLEAN: (pa.bool_(), None),
        Kind.DATE: (pa.date32(), _parsed(dt.date.fromisoformat)),
        Kind.TIME: (pa.time64("us"), _time_of_day),
        Kind.TIMESTAMP: (pa.timestamp("us"), _parsed(dt.datetime.fromisoformat)),
        Kind.TIMESTAMP_TZ: (pa.timestamp("us", "UTC"), _parsed(dt.datetime.fromisoformat)),
        Kind.BYTES: (pa.binary(), None),
    }
    found = types.get(column.kind)
    return (pa.string(), _as_text(column)) if found is None else found


def _integer(bits: int | None) -> Any:
    import pyarrow as pa

    return {16: pa.int16(), 32: pa.int32()}.get(bits or 64, pa.int64())


def _inferred(values: Sequence[Any]) -> tuple[Any, _Convert]:
    """Return the Arrow type that the first values have; text when there are none, or of several types."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.float64(), float
    types: dict[type, tuple[Any, _Convert]] = {
        bool: (pa.bool_(), None),
        int: (pa.int64(), None),
        float: (pa.float64(), float),
        bytes: (pa.binary(), None),
        dt.date: (pa.date32(), None),
        dt.time: (pa.time64("us"), None),
    }
    if kinds == {dt.datetime}:
        has_zone = any(value is not None and value.tzinfo is not None for value in values)
        return pa.timestamp("us", "UTC" if has_zone else None), None
    return types.get(kinds.pop(), (pa.string(), to_text)) if len(kinds) == 1 else (pa.string(), to_text)


def _decimal(precision: int | None, scale: int | None) -> tuple[Any, _Convert]:
    import pyarrow as pa

    if precision is None or precision > _DECIMAL256_DIGITS or not 0 <= (scale or 0) <= precision:
        return pa.string(), to_text
    make = pa.decimal128 if precision <= _DECIMAL128_DIGITS else pa.decimal256
    return make(precision, scale or 0), Decimal


def _parsed(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return what parses the text that PostgreSQL gives and leaves what a driver has parsed."""

    def convert(value: Any) -> Any:
        return parse(value) if isinstance(value, str) else value

    return convert


def _time_of_day(value: Any) -> Any:
    """Return the time of day that PostgreSQL gives as text and MySQL as a duration."""
    if isinstance(value, dt.timedelta):
        if not dt.timedelta() <= value < dt.timedelta(days=1):
            raise ValueError(f"{value} is no time of a day")
        return (_MIDNIGHT + value).time()
    return dt.time.fromisoformat(value) if isinstance(value, str) else value


def _as_text(column: Column) -> Converter:
    return text_converter(Column(column.name, column.kind))


def _of_list(convert: _Convert) -> Callable[[Any], Any]:
    def items(value: Any) -> Any:
        return [None if item is None or convert is None else convert(item) for item in value]

    return items if convert is not None else lambda value: value


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
