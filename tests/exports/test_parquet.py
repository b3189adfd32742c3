"""Parquet: types kept, memory bounded, the same bytes for the same rows."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column, Kind, text_converter
from airflow_provider_oss.exports.parquet import parquet_bytes, type_name


def write(columns: list[Column], *batches: Batch, compression: str | None = None) -> pa.Table:
    return pq.read_table(io.BytesIO(b"".join(parquet_bytes(columns, batches, compression))))


UTC = dt.UTC
DECLARED = [
    (Column("a", Kind.BOOLEAN), "bool", True, True),
    (Column("a", Kind.INTEGER, bits=16), "int16", -32768, -32768),
    (Column("a", Kind.INTEGER, bits=32), "int32", 2**31 - 1, 2**31 - 1),
    (Column("a", Kind.INTEGER), "int64", -(2**63), -(2**63)),
    (Column("a", Kind.INTEGER, bits=16, is_unsigned=True), "uint16", 2**16 - 1, 2**16 - 1),
    (Column("a", Kind.INTEGER, bits=32, is_unsigned=True), "uint32", 2**32 - 1, 2**32 - 1),
    (Column("a", Kind.INTEGER, is_unsigned=True), "uint64", 2**64 - 1, 2**64 - 1),
    (Column("a", Kind.FLOAT, bits=32), "float", 0.5, 0.5),
    (Column("a", Kind.FLOAT), "double", "1e+23", 1e23),
    (Column("a", Kind.FLOAT), "double", "-Infinity", float("-inf")),
    (Column("a", Kind.FLOAT, bits=64), "double", 0.1, 0.1),
    (Column("a", Kind.FLOAT), "double", 3, 3.0),
    (Column("a", Kind.DECIMAL, precision=12, scale=2), "decimal128(12, 2)", Decimal("1.5"), Decimal("1.50")),
    (Column("a", Kind.DECIMAL, precision=76, scale=0), "decimal256(76, 0)", Decimal(10**75), Decimal(10**75)),
    (Column("a", Kind.DECIMAL), "string", Decimal("1.10"), "1.10"),
    (Column("a", Kind.DECIMAL, precision=77, scale=2), "string", Decimal("1.10"), "1.10"),
    (Column("a", Kind.DECIMAL, precision=3, scale=-2), "decimal128(5, 0)", Decimal("1.2E+3"), Decimal(1200)),
    (Column("a", Kind.DECIMAL, precision=2, scale=4), "decimal128(4, 4)", Decimal("0.0012"), Decimal("0.0012")),
    (Column("a", Kind.DECIMAL, precision=20, scale=0), "decimal128(20, 0)", 2**64, Decimal(2**64)),
    (Column("a", Kind.TEXT), "string", "größe\n", "größe\n"),
    (Column("a", Kind.BYTES), "binary", memoryview(b"\x00\xff"), b"\x00\xff"),
    (Column("a", Kind.DATE), "date32[day]", "2026-01-02", dt.date(2026, 1, 2)),
    (Column("a", Kind.DATE), "date32[day]", dt.date(2026, 1, 2), dt.date(2026, 1, 2)),
    (Column("a", Kind.TIME), "time64[us]", "01:02:03.5", dt.time(1, 2, 3, 500_000)),
    (Column("a", Kind.TIME), "time64[us]", dt.timedelta(hours=23, microseconds=1), dt.time(23, microsecond=1)),
    (Column("a", Kind.TIME_TZ), "string", "12:00:00+05", "12:00:00+05:00"),
    (Column("a", Kind.TIMESTAMP), "timestamp[us]", "2026-01-02 03:04:05.6", dt.datetime(2026, 1, 2, 3, 4, 5, 600_000)),  # noqa: DTZ001
    (
        Column("a", Kind.TIMESTAMP_TZ), "timestamp[us, tz=UTC]", "2026-01-02 03:04:05+05:30",
        dt.datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC),
    ),
    (Column("a", Kind.INTERVAL), "string", "P1Y", "P1Y"),
    (Column("a", Kind.JSON), "string", '{"a": 1.10}', '{"a": 1.10}'),
    (Column("a", Kind.INTEGER, bits=32, is_array=True), "list<element: int32>", [1, None], [1, None]),
    (Column("a", Kind.DATE, is_array=True), "list<element: date32[day]>", ["2026-01-02"], [dt.date(2026, 1, 2)]),
    (Column("a", Kind.DECIMAL, is_array=True), "list<element: string>", [Decimal("1.10"), None], ["1.10", None]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "kind", "value", "expected"),
    DECLARED,
    ids=[f"{column.kind}-{expected!s:.30}" for column, _, _, expected in DECLARED],
)
def test_what_the_database_declares(column: Column, kind: str, value: Any, expected: Any) -> None:
    """The kind of a column decides the type, NULL is null, and no digit is lost."""
    table = write([column], [(None,), (value,)])
    assert str(table.schema.field("a").type) == kind
    assert table.column("a").to_pylist() == [None, expected]


EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - has none
A_TIME = dt.time(1, 2)
A_TIMESTAMP = dt.datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001 - has none
VALUES: list[Any] = [
    True, 2, 2**53 + 1, 2**63, 2**64, 19.99, 20.0, Decimal("19.99"), Decimal(20), Decimal("NaN"), "x", "19", b"x",
    bytearray(b"x"), memoryview(b"x"), dt.date(2026, 1, 2), A_TIMESTAMP, A_TIMESTAMP.replace(tzinfo=UTC), A_TIME,
    A_TIME.replace(tzinfo=UTC), dt.timedelta(hours=1), dt.timedelta(days=1), uuid.UUID(int=1), [1], {"a": 1},
    "2026-01-02", "2026-01-02 03:04:05.1234567", "2026-01-02 03:04:05.1234567+00", "03:04:05.1234567", "24:00:00",
]  # fmt: skip
COLUMNS_OF_ALL_KINDS = [
    *(Column("a", kind) for kind in Kind),
    *(Column("a", Kind.INTEGER, bits=bits, is_unsigned=sign) for bits in (16, 32, 64) for sign in (False, True)),
    Column("a", Kind.DECIMAL, precision=12, scale=1),
    Column("a", Kind.DECIMAL, precision=60, scale=1),
]


BINARY = (bytes, bytearray, memoryview)


def is_the_same(stored: Any, value: Any, column: Column) -> bool:
    """Whether what was stored is the value, as docs/sql.md has it."""
    if column.kind is Kind.BYTES or isinstance(value, BINARY):
        return column.kind is Kind.BYTES and isinstance(value, BINARY) and bytes(value) == stored
    if isinstance(stored, str):
        return stored == text_converter(replace(column, is_array=False))(value)
    if isinstance(value, str):
        return stored == float(value) if column.kind is Kind.FLOAT else str(stored) == value
    if isinstance(value, dt.timedelta):
        return stored == (EPOCH + value).time() and value < dt.timedelta(days=1)
    if isinstance(value, dt.datetime | dt.time):
        return (type(stored), stored, stored.tzinfo is None) == (type(value), value, value.tzinfo is None)
    return isinstance(stored, bool) is isinstance(value, bool) and bool(stored == value)


@pytest.mark.parametrize("column", COLUMNS_OF_ALL_KINDS, ids=lambda column: f"{column.kind}-{type_name(column)}")
@pytest.mark.parametrize("is_array", [False, True])
def test_no_value_is_stored_as_another(column: Column, *, is_array: bool) -> None:
    """Of every kind of column and every type of value: it is stored as it is, or refused by name of column."""
    column = replace(column, is_array=is_array)
    for value in VALUES:
        try:
            [stored] = write([column], [([value] if is_array else value,)]).column("a").to_pylist()
        except OSSInvalidArgument as error:
            assert "column 'a' holds the " in str(error)  # noqa: PT017 - it may be right to raise
            continue
        assert is_the_same(stored[0] if is_array else stored, value, column), (stored, value)


@pytest.mark.parametrize(
    ("column", "first", "bad", "message"),
    [
        (Column("amount", Kind.INTEGER), 1, "x", "column 'amount' holds the str 'x', which does not fit int64"),
        (Column("a", Kind.INTEGER), 20, 19.99, "the float 19.99, which does not fit int64"),
        (Column("a", Kind.INTEGER, bits=16), 1, 2**15, "the int 32768, which does not fit int16"),
        (Column("a", Kind.INTEGER), 1, 2**64, f"the int {2**64}, which does not fit int64"),
        (Column("a", Kind.DATE), "2026-01-02", "infinity", "the str 'infinity', which does not fit date32"),
        (Column("a", Kind.DECIMAL, precision=3, scale=1), Decimal(1), Decimal("1.25"), "fit decimal128"),
        (Column("a", Kind.DECIMAL, precision=3, scale=1), Decimal(1), Decimal("NaN"), "fit decimal128"),
        (Column("a", Kind.TIME), "00:00:00", dt.timedelta(hours=24), "is no time of a day"),
        (Column("a", Kind.INTEGER, is_array=True), [1], [[1]], "fit list<"),
        (Column("a", Kind.TEXT, is_array=True), ["x"], [["x"]], "fit list<"),
        (Column("a", Kind.TEXT), "x", b"x", "the bytes b'x', which does not fit string"),
        (Column("a", Kind.INTEGER), 1, "x" * 10_000, r"it has 10002 characters\), which does not fit"),
    ],
)
def test_what_does_not_fit(column: Column, first: Any, bad: Any, message: str) -> None:
    """A value that its column's type cannot hold is an error that names column, value and remedy."""
    with pytest.raises(OSSInvalidArgument, match=message) as caught:
        write([column], [(first,)], [(first,), (bad,)])
    assert "CAST" in str(caught.value)


def test_no_rows() -> None:
    """Without rows the file still tells the columns."""
    nothing: list[list[Batch]] = [[], [[]]]
    for batches in nothing:
        table = write([Column("a", Kind.INTEGER), Column("b")], *batches)
        assert (table.num_rows, [str(each) for each in table.schema.types]) == (0, ["int64", "string"])


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_compression(compression: str | None) -> None:
    """The pages are compressed as asked, with snappy unless said otherwise."""
    data = b"".join(parquet_bytes([Column("a")], [[("x" * 1000,)]], compression))
    codec = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).compression
    assert codec == (compression or "snappy").upper()


def batches_of(count: int, rows: int = 1000) -> Iterator[Batch]:
    for number in range(count):
        yield [(number * rows + row, f"{row * 7919:032}" * 8) for row in range(rows)]


COLUMNS = [Column("n", Kind.INTEGER), Column("text", Kind.TEXT)]


def test_row_groups_are_written_as_they_come() -> None:
    """A row group of 32 MiB leaves memory before the next one is read; the file is whole and in order."""
    read = 0

    def counted() -> Iterator[Batch]:
        nonlocal read
        for batch in batches_of(300):
            read += 1
            yield batch

    chunks = parquet_bytes(COLUMNS, counted(), None)
    first = next(chunks)
    assert read < 150
    data = first + b"".join(chunks)
    file = pq.ParquetFile(io.BytesIO(data))
    assert file.metadata.num_row_groups == 3
    assert max(file.metadata.row_group(index).total_byte_size for index in range(3)) < 40 * 1024 * 1024
    assert file.read(["n"]).column("n").to_pylist() == list(range(300_000))


def test_small_rows_end_a_group_too() -> None:
    """A row group ends at 250,000 rows."""
    data = b"".join(parquet_bytes([Column("a")], ([(1,)] * 50_000 for _ in range(6)), None))
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    assert [metadata.row_group(index).num_rows for index in range(2)] == [250_000, 50_000]


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_another_process_gives_the_same_bytes(compression: str | None) -> None:
    """Nothing of the moment or of the process is in the file."""
    program = f"""
import hashlib
from tests.exports.test_parquet import COLUMNS, batches_of, parquet_bytes
print(hashlib.sha256(b"".join(parquet_bytes(COLUMNS, batches_of(5), {compression!r}))).hexdigest())
"""
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    data = b"".join(parquet_bytes(COLUMNS, batches_of(5), compression))
    assert other.stdout.splitlines()[-1] == hashlib.sha256(data).hexdigest()


def test_two_columns_of_one_name() -> None:
    """A name that is there twice is refused at once."""
    with pytest.raises(OSSInvalidArgument, match="2 columns are called 'a'"):
        parquet_bytes([Column("a"), Column("a")], [], None)


def test_pyarrow_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(OSSInvalidArgument, match="install airflow-provider-oss with the extra parquet"):
        parquet_bytes([Column("a")], [], None)
