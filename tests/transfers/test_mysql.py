"""Every column type of MySQL's manual that MariaDB has, on a real one: the same right value by every driver."""

from __future__ import annotations

import base64
import datetime as dt
import io
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from pymysql.connections import Connection
from pymysql.constants import CLIENT

from airflow_provider_oss.cancellation import Cancellation
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column
from airflow_provider_oss.exports.formats import Split, parse_format
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.export import Export, Wanted
from airflow_provider_oss.transfers.query import Session
from tests.support.mariadb import DRIVERS, MariadbServer, running_mariadb

pytestmark = pytest.mark.xdist_group("mariadb")

each_driver = pytest.mark.parametrize("driver", DRIVERS)

POINT = struct.pack("<IBIdd", 0, 1, 1, 1.0, 2.0)
MISFIT = "refused by name of column and value"


def quoted(text: str) -> str:
    return f'"{text}"'


def whole(declared: str, number: int, parquet: str) -> tuple[Any, ...]:
    return (declared, f"{number}", f"{number}", f"{number}", parquet, number)


def text(declared: str, value: str) -> tuple[Any, ...]:
    return (declared, f"'{value}'", value, quoted(value), "string", value)


def binary(declared: str, sql: str, value: bytes) -> tuple[Any, ...]:
    encoded = base64.b64encode(value).decode()
    return (declared, sql, encoded, quoted(encoded), "binary", value)


def when(declared: str, sql: str, written: str, parquet: str, value: Any) -> tuple[Any, ...]:
    return (declared, f"'{sql}'", written, quoted(written), parquet, value)


def moment(written: str) -> dt.datetime:
    return dt.datetime.fromisoformat(written)


# Declared, the value in SQL, as csv, as jsonl, type in Parquet, value there
TYPES: list[tuple[Any, ...]] = [
    whole("TINYINT", -128, "int16"),
    whole("TINYINT UNSIGNED", 255, "int16"),
    whole("BOOLEAN", 1, "int16"),
    whole("SMALLINT", -32768, "int32"),
    whole("SMALLINT UNSIGNED", 65535, "int32"),
    whole("MEDIUMINT", -8388608, "int32"),
    whole("MEDIUMINT UNSIGNED", 16777215, "int32"),
    whole("INT", -2147483648, "int64"),
    whole("INTEGER UNSIGNED", 4294967295, "int64"),
    whole("INT ZEROFILL", 42, "int64"),
    whole("BIGINT", -(2**63), "int64"),
    whole("BIGINT", 2**63 - 1, "int64"),
    whole("BIGINT UNSIGNED", 2**64 - 1, "uint64"),
    whole("YEAR", 2026, "int16"),
    whole("YEAR", 0, "int16"),
    ("BIT(1)", "b'1'", "1", "1", "uint64", 1),
    ("BIT(10)", "b'1000000001'", "513", "513", "uint64", 513),
    ("BIT(64)", "0xFFFFFFFFFFFFFFFF", f"{2**64 - 1}", f"{2**64 - 1}", "uint64", 2**64 - 1),
    ("DECIMAL(12,2)", "-1.5", "-1.50", "-1.50", "decimal128(12, 2)", Decimal("-1.50")),
    ("DECIMAL(12,2)", "-9999999999.99", "-9999999999.99", "-9999999999.99", "decimal128(12, 2)", "as csv"),
    ("DECIMAL(12,2) UNSIGNED", "9999999999.99", "9999999999.99", "9999999999.99", "decimal128(12, 2)", "as csv"),
    ("NUMERIC(5)", "99999", "99999", "99999", "decimal128(5, 0)", "as csv"),
    ("DEC(3,3)", "0.999", "0.999", "0.999", "decimal128(3, 3)", "as csv"),
    ("FIXED(65,30)", "9" * 35 + "." + "1" * 30, "9" * 35 + "." + "1" * 30, "9" * 35 + "." + "1" * 30,
     "decimal256(65, 30)", "as csv"),
    ("FLOAT", "0.1", "0.1", "0.1", "double", 0.1),
    ("DOUBLE", "1e22", "1e+22", "1e+22", "double", 1e22),
    ("DOUBLE PRECISION", "0.1e0 + 0.2e0", "0.30000000000000004", "0.30000000000000004", "double", 0.1 + 0.2),
    ("REAL", "-1e-7", "-1e-07", "-1e-07", "double", -1e-7),
    when("DATE", "2026-01-02", "2026-01-02", "date32[day]", dt.date(2026, 1, 2)),
    when("DATE", "9999-12-31", "9999-12-31", "date32[day]", dt.date(9999, 12, 31)),
    when("DATE", "0000-00-00", "0000-00-00", "date32[day]", MISFIT),
    when("DATE", "2026-00-00", "2026-00-00", "date32[day]", MISFIT),
    when("DATETIME", "2026-01-02 03:04:05", "2026-01-02T03:04:05", "timestamp[us]", moment("2026-01-02T03:04:05")),
    when("DATETIME(6)", "2026-01-02 03:04:05.678901", "2026-01-02T03:04:05.678901", "timestamp[us]",
         moment("2026-01-02T03:04:05.678901")),
    when("DATETIME", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "timestamp[us]", MISFIT),
    when("TIMESTAMP(3) NULL", "2026-01-02 03:04:05.5", "2026-01-02T03:04:05.500000", "timestamp[us]",
         moment("2026-01-02T03:04:05.5")),
    when("TIMESTAMP NULL", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "timestamp[us]", MISFIT),
    when("TIME(6)", "01:02:03.5", "01:02:03.500000", "time64[us]", dt.time(1, 2, 3, 500_000)),
    when("TIME", "-838:59:59", "-838:59:59", "time64[us]", MISFIT),
    when("TIME", "24:00:00", "24:00:00", "time64[us]", MISFIT),
    text("CHAR(4)", "ab"),
    text("NCHAR(4)", "ß"),
    text("VARCHAR(20)", "größe 😀"),
    text("NVARCHAR(20)", ""),
    text("VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "ß"),
    text("VARCHAR(20) CHARACTER SET latin1", "größe"),
    text("TINYTEXT", "a"),
    text("TEXT", "00"),
    text("MEDIUMTEXT", "a"),
    text("LONGTEXT COLLATE utf8mb4_bin", "a"),
    text("ENUM('a','ß')", "ß"),
    ("SET('x','y','z')", "'z,x'", '"x,z"', '"x,z"', "string", "x,z"),
    text("SET('x','y')", ""),
    ("JSON", """'{"a": 1.10}'""", '"{""a"": 1.10}"', r'"{\"a\": 1.10}"', "string", '{"a": 1.10}'),
    binary("BINARY(4)", "'ab'", b"ab\0\0"),
    binary("CHAR(2) BYTE", "'ab'", b"ab"),
    binary("VARBINARY(4)", "0x00ff", b"\x00\xff"),
    binary("TINYBLOB", "0xff", b"\xff"),
    binary("BLOB", "'abc'", b"abc"),
    binary("MEDIUMBLOB", "'a'", b"a"),
    binary("LONGBLOB", "'a'", b"a"),
    *(binary(name, "POINT(1,2)", POINT) for name in ("GEOMETRY", "POINT")),
    binary("GEOMETRYCOLLECTION", "GEOMETRYCOLLECTION(POINT(1,2))",
           struct.pack("<IBII", 0, 1, 7, 1) + POINT[4:]),
    binary("LINESTRING", "LINESTRING(POINT(1,2),POINT(1,2))",
           struct.pack("<IBII", 0, 1, 2, 2) + POINT[9:] * 2),
    binary("MULTIPOINT", "MULTIPOINT(POINT(1,2))", struct.pack("<IBII", 0, 1, 4, 1) + POINT[4:]),
    binary("MULTILINESTRING", "MULTILINESTRING(LINESTRING(POINT(1,2),POINT(1,2)))",
           struct.pack("<IBIIBII", 0, 1, 5, 1, 1, 2, 2) + POINT[9:] * 2),
    binary("POLYGON", "POLYGON(LINESTRING(POINT(1,2),POINT(1,3),POINT(2,2),POINT(1,2)))",
           struct.pack("<IBIII8d", 0, 1, 3, 1, 4, 1, 2, 1, 3, 2, 2, 1, 2)),
    binary("MULTIPOLYGON", "MULTIPOLYGON(POLYGON(LINESTRING(POINT(1,2),POINT(1,3),POINT(2,2),POINT(1,2))))",
           struct.pack("<IBIIBIII8d", 0, 1, 6, 1, 1, 3, 1, 4, 1, 2, 1, 3, 2, 2, 1, 2)),
    text("INET6", "::1"),
    text("UUID", "5f3b6e52-20ef-4b94-890a-c41d44d66290"),
    ("DECIMAL(8,2) ZEROFILL", "1.5", "1.50", "1.50", "decimal128(8, 2)", "as csv"),
    ("DOUBLE ZEROFILL", "1.5", "1.5", "1.5", "double", 1.5),
    ("BIT(8)", "b'00110000'", "48", "48", "uint64", 48),  # the byte sent is the digit 0
    when("DATETIME(6)", "2026-01-02 03:04:05", "2026-01-02T03:04:05", "timestamp[us]", moment("2026-01-02T03:04:05")),
    when("DATETIME(2)", "0000-00-00 00:00:00", "0000-00-00T00:00:00.00", "timestamp[us]", MISFIT),
    when("TIME(2)", "01:02:03", "01:02:03", "time64[us]", dt.time(1, 2, 3)),
    when("TIME(2)", "-100:02:03.5", "-100:02:03.500000", "time64[us]", MISFIT),
]  # fmt: skip


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariadbServer]:
    """A server with one table: each type of the manual is a column, and each has its value and NULL."""
    with running_mariadb() as server:
        declared = ", ".join(f"c{index} {each[0]}" for index, each in enumerate(TYPES))
        server.execute(
            f"CREATE TABLE types (n INT PRIMARY KEY, {declared})",
            f"INSERT INTO types VALUES (1, {', '.join(each[1] for each in TYPES)})",  # noqa: S608 - the table above
            "INSERT INTO types (n) VALUES (2)",
        )
        yield server


def answer(
    mariadb: MariadbServer, driver: str, sql: str, parameters: Any = None, **options: Any
) -> tuple[tuple[Column, ...], Batch]:
    with Session(mariadb.connector(driver, **options)).read(Query(sql, parameters)) as result:
        return result.columns, list(result.rows)


def written(column: Column, value: Any, file_format: str) -> str:
    options = {"header": False, "null_marker": "NULL"} if file_format == "csv" else None
    form = parse_format(file_format, None, options)
    return b"".join(form.file_bytes([column], [[(value,)]])).decode().removesuffix("\n")


def stored(column: Column, value: Any) -> tuple[str, Any]:
    data = b"".join(parse_format("parquet", None, None).file_bytes([column], [[(value,)]]))
    table = pq.read_table(io.BytesIO(data))
    return str(table.schema.types[0]), table.column(0).to_pylist()[0]


@each_driver
def test_files_of_text(mariadb: MariadbServer, driver: str) -> None:
    """In csv and jsonl each value is the server's own, and NULL is NULL, whichever driver reads it."""
    with Session(mariadb.connector(driver)).read(Query("SELECT * FROM types ORDER BY n")) as result:
        assert result.text_rows is not None
        values, nulls = result.text_rows
    assert nulls == ("2", *([None] * len(TYPES)))
    for column, value, (declared, _, as_csv, as_json, *_) in zip(result.columns[1:], values[1:], TYPES, strict=True):
        assert written(column, value, "csv") == as_csv, declared
        assert written(column, value, "jsonl") == f'{{"{column.name}":{as_json}}}', declared


@each_driver
def test_every_type(mariadb: MariadbServer, driver: str) -> None:
    """In csv, jsonl and parquet each value is the server's own, and NULL is NULL, whichever driver reads it."""
    columns, (values, nulls) = answer(mariadb, driver, "SELECT * FROM types ORDER BY n")
    assert nulls == (2, *([None] * len(TYPES)))
    for column, value, (declared, _, as_csv, as_json, parquet, expected) in zip(
        columns[1:], values[1:], TYPES, strict=True
    ):
        assert written(column, value, "csv") == as_csv, declared
        assert written(column, value, "jsonl") == f'{{"{column.name}":{as_json}}}', declared
        if expected is MISFIT:
            with pytest.raises(OSSInvalidArgument, match=f"column '{column.name}' holds the "):
                stored(column, value)
            continue
        right = Decimal(as_csv) if expected == "as csv" else expected
        if driver == "mysql.connector" and isinstance(right, Decimal):
            assert stored(column, value) == ("string", as_csv)  # the driver does not say how many digits there are
            continue
        assert stored(column, value) == (parquet, right), declared


def test_the_manuals_types(mariadb: MariadbServer) -> None:
    """No type of the server's own list is missing above."""
    known = {each[0].partition("(")[0].partition(" ")[0] for each in TYPES} | {"INTEGER", "INT4", "BOOL"}
    [(help_text,)] = mariadb.execute("SELECT GROUP_CONCAT(DISTINCT DATA_TYPE) FROM information_schema.COLUMNS")
    assert {name.upper() for name in help_text.split(",")} <= known


@each_driver
def test_columns(mariadb: MariadbServer, driver: str) -> None:
    """Columns have the names of their types, without a row too, and what an expression gives is as a column's."""
    sql = (
        "SELECT n, c10 + 1 AS größe, c12, c18, CONCAT('a', n) AS t, SUM(n) AS total, NULL AS nothing, c15, c51, c54 "
        "FROM types WHERE false GROUP BY n"
    )
    columns, rows = answer(mariadb, driver, sql)
    assert rows == []
    digits = ("", "") if driver == "mysql.connector" else ("(12,2)", "(32,0)")
    assert [(column.name, column.type_name) for column in columns] == [
        ("n", "int"), ("größe", "bigint"), ("c12", "bigint unsigned"), ("c18", f"decimal{digits[0]}"), ("t", "varchar"),
        ("total", f"decimal{digits[1]}"), ("nothing", "null"), ("c15", "bit"), ("c51", "set"), ("c54", "binary"),
    ]  # fmt: skip


@each_driver
def test_float(mariadb: MariadbServer, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of a FLOAT the server itself sends 6 digits: the log says so, and the remedy has all."""
    mariadb.execute("CREATE OR REPLACE TABLE floats (f FLOAT)", "INSERT INTO floats VALUES (16777217)")
    assert answer(mariadb, driver, "SELECT CAST(f AS DOUBLE) AS f FROM floats")[1] == [(16777216.0,)]
    assert "FLOAT" not in caplog.text
    assert answer(mariadb, driver, "SELECT f FROM floats")[1] == [(16777200.0,)]
    assert "Column f is a FLOAT, of which MySQL sends 6 digits" in caplog.text


@each_driver
@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_character_set_of_the_connection(mariadb: MariadbServer, driver: str, charset: str) -> None:
    """Text that the connection's character set does not have arrives whole; parameters do too."""
    sql = "SELECT _utf8mb4 0xC39F20F09F9880 AS größe, %s AS p"
    columns, rows = answer(mariadb, driver, sql, ["ß%"], charset=charset, use_unicode=True)
    assert [column.name for column in columns] == ["größe", "p"]
    assert rows == [("ß 😀", "ß%")]


def test_pymysql_before_1_1(mariadb: MariadbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMySQL that calls it ``set_charset`` reads the same values."""
    own = mariadb.connector("pymysql", charset="latin1")

    def connect() -> Any:
        connection = own()
        monkeypatch.setattr(Connection, "set_charset", Connection.set_character_set)
        monkeypatch.delattr(Connection, "set_character_set")
        return connection

    with Session(connect).read(Query("SELECT _utf8mb4 0xC39F20F09F9880 AS a, 1.50 AS b")) as result:
        assert list(result.rows) == [("ß 😀", Decimal("1.50"))]


@each_driver
def test_nothing_is_written(mariadb: MariadbServer, driver: str) -> None:
    """The session is read-only."""
    with pytest.raises(Exception, match="READ ONLY transaction"):
        answer(mariadb, driver, "INSERT INTO types (n) VALUES (3) RETURNING n")
    assert mariadb.execute("SELECT COUNT(*) FROM types") == [(2,)]


@each_driver
def test_rows_stay_on_the_server(mariadb: MariadbServer, driver: str) -> None:
    """A query of very many rows begins at once, and nobody reads the rest when it is left."""
    with Session(mariadb.connector(driver)).read(Query("SELECT seq FROM seq_1_to_1000000000", batch_rows=10)) as result:
        assert [next(result.rows)[0] for _ in range(25)] == list(range(1, 26))


@each_driver
@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_export(mariadb: MariadbServer, driver: str, file_format: str, connect: Callable[..., str]) -> None:
    """An object of an export has each value of each type, and NULLs, without the columns that are excluded."""
    connect()
    wanted = Wanted(
        Query("SELECT * FROM types ORDER BY n"), parse_format(file_format, None, None), Split(), exclude=["n"]
    )
    arguments: Any = {"checkpoint": None, "cancellation": Cancellation()}
    Export(OSSHook(), Session(mariadb.connector(driver)), wanted, {}, arguments).run(f"types.{file_format}", None)
    with OSSHook().get_object(f"types.{file_format}") as body:
        found = body.read().decode()
    if file_format == "csv":
        values = ",".join(each[2] or '""' for each in TYPES)
        assert found.partition("\n")[2] == f"{values}\n{',' * (len(TYPES) - 1)}\n"
        return
    names = [f'"c{index}"' for index in range(len(TYPES))]
    lines = [zip(names, (each[3] for each in TYPES), strict=True), ((name, "null") for name in names)]
    assert found == "".join(f"{{{','.join(f'{name}:{value}' for name, value in line)}}}\n" for line in lines)


@pytest.mark.parametrize("driver", [driver for driver in DRIVERS if driver != "mysql.connector"])
def test_one_statement_with_its_parameters(mariadb: MariadbServer, driver: str) -> None:
    """
    A placeholder in quotes of the query's own makes no other statements of a parameter.

    mysql-connector-python does not tell what it makes of it; there as well the session reads only.
    """
    mariadb.execute("CREATE OR REPLACE TABLE two (a int)")
    ending = "; COMMIT; INSERT INTO two VALUES (2); COMMIT; -- "
    options = {"client_flag": CLIENT.MULTI_STATEMENTS} if driver == "pymysql" else {}  # mysqlclient's default
    session = Session(mariadb.connector(driver, **options))
    with pytest.raises(OSSInvalidArgument), session.read(Query("SELECT '%s'", [ending])):
        pass
    assert mariadb.execute("SELECT count(*) FROM two") == [(0,)]
