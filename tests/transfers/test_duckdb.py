"""DuckDB, whose driver changes some values: each type is written as it is, or refused by name of column."""

from __future__ import annotations

import datetime as dt
import io
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column
from airflow_provider_oss.exports.formats import Split, parse_format
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.export import Export, Wanted
from airflow_provider_oss.transfers.query import Session

MISFIT = "refused by name of column and value"
UTC = dt.UTC


def quoted(text: str) -> str:
    return f'"{text}"'


def text(sql: str, value: str, parquet: str = "string", stored: Any = None) -> tuple[Any, ...]:
    return (sql, value, quoted(value), parquet, value if stored is None else stored)


def number(sql: str, written: str, parquet: str, value: Any) -> tuple[Any, ...]:
    return (sql, written, written, parquet, value)


def moment(written: str) -> dt.datetime:
    return dt.datetime.fromisoformat(written)


# The value in SQL, as csv, as jsonl, type in Parquet, value there
TYPES: list[tuple[Any, ...]] = [
    number("(-128)::TINYINT", "-128", "int16", -128),
    number("255::UTINYINT", "255", "int16", 255),
    number("(-32768)::SMALLINT", "-32768", "int16", -32768),
    number("65535::USMALLINT", "65535", "uint16", 65535),
    number("2147483647::INTEGER", "2147483647", "int32", 2**31 - 1),
    number("4294967295::UINTEGER", "4294967295", "uint32", 2**32 - 1),
    number("9223372036854775807::BIGINT", f"{2**63 - 1}", "int64", 2**63 - 1),
    number(f"{2**64 - 1}::UBIGINT", f"{2**64 - 1}", "uint64", 2**64 - 1),
    number(f"(-{2**127 - 1})::HUGEINT", f"{1 - 2**127}", "decimal256(39, 0)", Decimal(1 - 2**127)),
    number(f"{2**128 - 1}::UHUGEINT", f"{2**128 - 1}", "decimal256(39, 0)", Decimal(2**128 - 1)),
    number("0.5::FLOAT", "0.5", "float", 0.5),
    number("0.1::DOUBLE + 0.2", "0.30000000000000004", "double", 0.1 + 0.2),
    ("'-inf'::DOUBLE", "-Infinity", '"-Infinity"', "double", float("-inf")),
    number("1.5::DECIMAL(4,1)", "1.5", "decimal128(4, 1)", Decimal("1.5")),
    number("1.5::DECIMAL(12,2)", "1.50", "decimal128(12, 2)", Decimal("1.50")),
    number("1.5::DECIMAL(38,37)", "1.5" + "0" * 36, "decimal128(38, 37)", Decimal("1.5")),
    ("true", "true", "true", "bool", True),
    ("1::BIGNUM", "1", '"1"', "string", "1"),
    text("'größe'", "größe"),
    text("'a'::ENUM('a', 'b')", "a"),
    text("'101'::BIT", "101"),
    text("'5f3b6e52-20ef-4b94-890a-c41d44d66290'::UUID", "5f3b6e52-20ef-4b94-890a-c41d44d66290"),
    (r"'\x00\xFF'::BLOB", "AP8=", '"AP8="', "binary", b"\x00\xff"),
    ("""'{"a": 1.10}'::JSON""", '"{""a"": 1.10}"', '{"a": 1.10}', "string", '{"a": 1.10}'),
    text("DATE '2026-01-02'", "2026-01-02", "date32[day]", dt.date(2026, 1, 2)),
    text("DATE '9999-12-31'", "9999-12-31", "date32[day]", dt.date(9999, 12, 31)),
    text("DATE '0001-01-01'", "0001-01-01", "date32[day]", dt.date(1, 1, 1)),
    text("DATE '0001-12-31 (BC)'", "0001-12-31 (BC)", "date32[day]", MISFIT),
    text("DATE 'infinity'", "infinity", "date32[day]", MISFIT),
    text("DATE '12026-01-02'", "12026-01-02", "date32[day]", MISFIT),
    text("TIME '01:02:03.5'", "01:02:03.5", "time64[us]", dt.time(1, 2, 3, 500_000)),
    text("TIME '23:59:59.999999'", "23:59:59.999999", "time64[us]", dt.time(23, 59, 59, 999_999)),
    text("TIME '24:00:00'", "24:00:00", "time64[us]", MISFIT),
    text("'01:02:03.5'::TIME_NS", "01:02:03.5", "time64[us]", dt.time(1, 2, 3, 500_000)),
    text("'01:02:03.123456789'::TIME_NS", "01:02:03.123456789", "time64[us]", MISFIT),
    text("'12:00:00+05:30'::TIMETZ", "12:00:00+05:30"),
    text("TIMESTAMP '2026-01-02 03:04:05.6'", "2026-01-02T03:04:05.6", "timestamp[us]",
         moment("2026-01-02T03:04:05.6")),
    text("TIMESTAMP '9999-12-31 23:59:59.999999'", "9999-12-31T23:59:59.999999", "timestamp[us]",
         moment("9999-12-31T23:59:59.999999")),
    text("TIMESTAMP '0001-01-01 00:00:00'", "0001-01-01T00:00:00", "timestamp[us]", moment("0001-01-01")),
    text("TIMESTAMP '10000-01-01 00:00:00'", "10000-01-01T00:00:00", "timestamp[us]", MISFIT),
    text("TIMESTAMP '-infinity'", "-infinity", "timestamp[us]", MISFIT),
    text("'2026-01-02'::TIMESTAMP_S", "2026-01-02T00:00:00", "timestamp[us]", moment("2026-01-02T00:00:00")),
    text("'2026-01-02 03:04:05.678'::TIMESTAMP_MS", "2026-01-02T03:04:05.678", "timestamp[us]",
         moment("2026-01-02T03:04:05.678")),
    text("TIMESTAMP_NS '2026-01-02 03:04:05.6'", "2026-01-02T03:04:05.6", "timestamp[us]",
         moment("2026-01-02T03:04:05.6")),
    text("TIMESTAMP_S 'infinity'", "infinity", "timestamp[us]", MISFIT),
    text("TIMESTAMP_NS 'infinity'", "infinity", "timestamp[us]", MISFIT),
    text("TIMESTAMP_NS '2026-01-02 03:04:05.123456789'", "2026-01-02T03:04:05.123456789", "timestamp[us]", MISFIT),
    text("TIMESTAMPTZ '2026-01-02 03:04:05+02'", "2026-01-02T01:04:05+00:00", "timestamp[us, tz=UTC]",
         moment("2026-01-02T01:04:05+00:00")),
    text("TIMESTAMPTZ 'infinity'", "infinity", "timestamp[us, tz=UTC]", MISFIT),
    text("'2026-01-02 03:04:05.123456789+00'::TIMESTAMPTZ_NS", "2026-01-02T03:04:05.123456789+00:00",
         "timestamp[us, tz=UTC]", MISFIT),
    ("row(1, DATE 'infinity')", '"(1, infinity)"', '"(1, infinity)"', "string", "(1, infinity)"),
    text("INTERVAL '1 year 2 days 3 hours'", "1 year 2 days 03:00:00"),
    ("[1, NULL]", '"[1,null]"', "[1,null]", "string", "[1,null]"),
    ("[1, 2]::INTEGER[2]", '"[1,2]"', "[1,2]", "string", "[1,2]"),
    ("[DATE 'infinity']", '"[""infinity""]"', '["infinity"]', "string", '["infinity"]'),
    ("[DATE 'infinity']::DATE[1]", '"[""infinity""]"', '["infinity"]', "string", '["infinity"]'),
    ("""{'a "x"': [INTERVAL 1 MONTH], 'b': 1.50}""", '"{""a \\""x\\"""":[""1 month""],""b"":1.50}"',
     r'{"a \"x\"":["1 month"],"b":1.50}', "string", r'{"a \"x\"":["1 month"],"b":1.50}'),
    ("MAP {'k': DATE '-infinity'}", '"{""k"":""-infinity""}"', '{"k":"-infinity"}', "string", '{"k":"-infinity"}'),
    text("union_value(s := DATE 'infinity')", "infinity"),
]  # fmt: skip


def connected() -> Any:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def answer(sql: str, parameters: Any = None) -> tuple[tuple[Column, ...], Batch]:
    with Session(connected).read(Query(sql, parameters)) as result:
        return result.columns, list(result.rows)


def in_arrow(sql: str, parameters: Any = None, batch_rows: int = 1000) -> Batch | None:
    """Return the rows as a table; None when they come as Python values only."""
    with Session(connected).read(Query(sql, parameters, batch_rows)) as result:
        return None if result.arrow is None else result.arrow.take(10_000_000)


def written(column: Column, value: Any, file_format: str) -> bytes:
    options = {"header": False, "null_marker": "NULL"} if file_format == "csv" else None
    return b"".join(parse_format(file_format, None, options).file_bytes([column], [[(value,)]]))


@pytest.mark.parametrize(("sql", "as_csv", "as_json", "parquet", "expected"), TYPES, ids=[each[0] for each in TYPES])
def test_every_type(sql: str, as_csv: str, as_json: str, parquet: str, expected: Any) -> None:
    """In csv, jsonl and Parquet the value is what DuckDB has, and NULL is NULL."""
    [column], rows = answer(f"SELECT {sql} AS a UNION ALL SELECT NULL ORDER BY a NULLS LAST")
    [(value,), (null,)] = rows
    assert null is None
    assert written(column, value, "csv").decode() == f"{as_csv}\n"
    assert written(column, value, "jsonl").decode() == f'{{"a":{as_json}}}\n'
    if expected is MISFIT:
        with pytest.raises(OSSInvalidArgument, match="column 'a' holds the "):
            written(column, value, "parquet")
        return
    table = pq.read_table(io.BytesIO(written(column, value, "parquet")))
    assert (str(table.schema.types[0]), table.column("a").to_pylist()) == (parquet, [expected])


IN_PYTHON_ONLY = ("row(", "[", "{", "MAP", "'12:00:00+05:30'")
"""Types of which Arrow's values would be read in another way: lists and the like are JSON, times have zones."""


@pytest.mark.parametrize(("sql", "expected"), [(each[0], each[4]) for each in TYPES], ids=[each[0] for each in TYPES])
def test_record_batches(sql: str, expected: Any) -> None:
    """A file of DuckDB's own record batches has the bytes of one of Python values, and the same value is refused."""
    sql = f"SELECT {sql} AS a UNION ALL SELECT NULL ORDER BY a NULLS LAST"
    table, (columns, rows) = in_arrow(sql), answer(sql)
    if sql.removeprefix("SELECT ").startswith(IN_PYTHON_ONLY):
        assert table is None
        return
    assert table is not None
    form = parse_format("parquet", None, None)
    if expected is MISFIT:
        with pytest.raises(OSSInvalidArgument, match=r"column 'a' holds the .*, which does not fit"):
            b"".join(form.file_bytes(columns, [table]))
        return
    assert b"".join(form.file_bytes(columns, [table])) == b"".join(form.file_bytes(columns, [rows]))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DATE 'infinity'", r"date32\[day\] infinity"),
        ("TIMESTAMP '-infinity'", r"timestamp\[us\] -infinity"),
        ("TIMESTAMP '0001-12-31 (BC) 23:59:59'", r"timestamp\[us\] 0000-12-31 23:59:59.000000"),
        ("DATE '12026-01-02'", r"date32\[day\] 12026-01-02"),
        ("TIMESTAMP_NS '2026-01-02 03:04:05.123456789'", r"timestamp\[ns\] 2026-01-02 03:04:05.123456789"),
    ],
)
def test_refused_values_are_shown(sql: str, message: str) -> None:
    """The first value that does not fit is in the text of the error, with its column."""
    sql = f"SELECT 1 AS n, {sql.partition(' ')[0]} '2026-01-01' AS a UNION ALL SELECT 2, {sql} ORDER BY n"
    table, columns = in_arrow(sql), answer(sql)[0]
    assert table is not None
    with pytest.raises(OSSInvalidArgument, match=f"column 'a' holds the {message}, which does not fit"):
        b"".join(parse_format("parquet", None, None).file_bytes(columns, [table]))


def test_any_number_of_rows_of_record_batches() -> None:
    """Whatever the driver's batches, rows are handed out as asked for, of the wanted columns, with parameters."""
    sql = "SELECT range AS a, 'x' AS b, -range AS c FROM range(?)"
    with Session(connected).read(Query(sql, [5000], batch_rows=7)) as result:
        assert result.arrow is not None
        rows = result.arrow.select([2, 0])
        assert rows.has_more()
        taken = []
        while rows.has_more():
            taken.append(rows.take(999))
        assert not rows.take(1)
    assert [len(each) for each in taken] == [999] * 5 + [5]
    assert [number for each in taken for number in each.column(1).to_pylist()] == list(range(5000))
    assert taken[0].column(0).to_pylist() == [-number for number in range(999)]


def test_export(connect: Callable[..., str]) -> None:
    """Objects of an export have the rows of DuckDB's record batches, cut as asked for, without what is excluded."""
    connect()
    wanted = Wanted(
        Query("SELECT range AS a, 'secret' AS b, DATE '2026-01-01' + range::INT AS c FROM range(?) ORDER BY 1", [250]),
        parse_format("parquet", None, None),
        Split(rows=100),
        exclude=["b"],
    )
    arguments: Any = {"checkpoint": None, "cancellation": Cancellation()}
    result = Export(OSSHook(), Session(connected), wanted, {}, arguments).run("days.parquet", None)
    assert [each.rows for each in result.objects] == [100, 100, 50]
    assert result.columns == ({"name": "a", "type": "BIGINT"}, {"name": "c", "type": "DATE"})
    tables = []
    for each in result.objects:
        with OSSHook().get_object(each.key) as body:
            tables.append(pq.read_table(io.BytesIO(body.read())))
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == [{"a": day, "c": dt.date(2026, 1, 1) + dt.timedelta(day)} for day in range(250)]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_partitions(connect: Callable[..., str], file_format: str) -> None:
    """Partitions are made of rows, not of record batches; dates name folders."""
    connect()
    wanted = Wanted(
        Query("SELECT range AS a, DATE '2026-01-01' + (range % 2)::INT AS day FROM range(5)"),
        parse_format(file_format, None, None),
        Split(),
        partition_by=["day"],
        max_open_partitions=2,
    )
    arguments: Any = {"checkpoint": None, "cancellation": Cancellation()}
    result = Export(OSSHook(), Session(connected), wanted, {}, arguments).run("t/a", None)
    assert [(each.key, each.rows) for each in result.objects] == [("t/day=2026-01-01/a", 3), ("t/day=2026-01-02/a", 2)]


def test_a_driver_without_record_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older driver's rows are read as Python values."""
    monkeypatch.setattr(duckdb, "DuckDBPyRelation", object)
    assert in_arrow("SELECT 1 AS a") is None


def test_every_type_is_here() -> None:
    """The table above has each type of the driver's own list."""
    names = {
        each[0] for each in duckdb.connect().execute("SELECT DISTINCT logical_type FROM duckdb_types()").fetchall()
    }
    known = {answer(f"SELECT {sql} AS a")[0][0].type_name or "" for sql, *_ in TYPES}
    without_table = {"NULL", "TYPE", "ANY", "ARRAY", "LIST", "STRUCT", "MAP", "UNION", "ENUM", "VARIANT", "GEOMETRY"}
    assert names - without_table <= {name.partition("(")[0] for name in known}


def test_query_as_it_is() -> None:
    """Parameters, names that are there twice, an order, comments and semicolons at the end do no harm."""
    columns, rows = answer("-- a;\nSELECT range AS a, ';' AS a FROM range($n) ORDER BY 1 DESC; -- b\n;", {"n": 3})
    assert [column.name for column in columns] == ["a", "a"]
    assert rows == [(2, ";"), (1, ";"), (0, ";")]
    assert answer("FROM range(?)", [1])[1] == [(0,)]


def test_no_query() -> None:
    """A statement that is no query is an error, and nothing is done."""
    for sql in ("CREATE TABLE t (a INT)", "SELECT 1) AS q; CREATE TABLE t (a INT); SELECT (2"):
        with pytest.raises(OSSInvalidArgument, match="sql"):
            answer(sql)


@pytest.mark.parametrize(
    ("sql", "names", "first"),
    [
        ("PRAGMA table_info('t'); -- all", ["cid", "name", "type", "notnull", "dflt_value", "pk"], (0, "a", "INTEGER")),
        ("CALL range(?)", ["range"], (0,)),
        ("EXPLAIN SELECT a FROM t", ["explain_key", "explain_value"], ("physical_plan",)),
    ],
)
def test_answers_of_no_query(sql: str, names: list[str], first: tuple[Any, ...]) -> None:
    """A PRAGMA, a CALL and an EXPLAIN are exported as well, with the types of their columns."""
    connection = duckdb.connect()
    connection.execute("CREATE TEMP TABLE t (a INT)")
    with Session(lambda: connection).read(Query(sql, [2] if "?" in sql else None)) as result:
        assert [column.name for column in result.columns] == names
        assert all(column.type_name for column in result.columns)
        assert next(result.rows)[: len(first)] == first


def test_answers_that_the_driver_would_change() -> None:
    """What cannot be asked for as text is refused, and the text says which query tells the same."""
    with pytest.raises(OSSInvalidArgument, match=r"of the column 'generate_series' .* SELECT \* FROM \.\.\.\(\) in"):
        answer("CALL generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL 1 DAY)")


def test_an_explanation_writes_nothing(tmp_path: Path) -> None:
    """EXPLAIN ANALYZE executes the statement, so it is refused where that would write."""
    path = str(tmp_path / "data.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t (a INT)")
    with (
        pytest.raises(duckdb.Error, match="read-only"),
        Session(lambda: duckdb.connect(path)).read(Query("EXPLAIN ANALYZE INSERT INTO t VALUES (1)")),
    ):
        pass
    with duckdb.connect(path) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == []


@pytest.mark.parametrize("form", ["rows", "arrow"])
def test_interrupt(form: str) -> None:
    """A long query ends when it is interrupted."""
    session = Session(duckdb.connect)
    timer = threading.Timer(0.3, session.interrupt)
    timer.start()
    endless = "SELECT sum(i * j % 7) AS a FROM range(10000000) AS x(i), range(10000000) AS y(j)"
    with pytest.raises(duckdb.InterruptException), session.read(Query(endless)) as result:
        list(result.rows) if form == "rows" else result.arrow and result.arrow.take(1)
    timer.join()
