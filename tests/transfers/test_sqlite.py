"""SQLite, which gives its values types, and its columns none: each value as it is, in each format."""

from __future__ import annotations

import io
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.formats import parse_format
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.query import Session
from airflow_provider_oss.transfers.spool import with_known_types

# Declared, values in SQL, as csv, as jsonl, type in Parquet, values there
TYPES: list[tuple[str, list[str], list[str], list[str], str, list[Any]]] = [
    ("INTEGER", ["-9223372036854775808", "1"], ["-9223372036854775808", "1"], ["-9223372036854775808", "1"], "int64",
     [-(2**63), 1]),
    ("BOOLEAN", ["true", "false"], ["1", "0"], ["1", "0"], "int64", [1, 0]),
    ("REAL", ["1", "0.1"], ["1.0", "0.1"], ["1.0", "0.1"], "double", [1.0, 0.1]),
    ("NUMERIC", ["20", "19.99"], ["20", "19.99"], ["20", "19.99"], "double", [20.0, 19.99]),
    ("DECIMAL(10,2)", ["'20.00'", "'19.99'"], ["20", "19.99"], ["20", "19.99"], "double", [20.0, 19.99]),
    ("NUMERIC", ["9007199254740993", "0.5"], ["9007199254740993", "0.5"], ["9007199254740993", "0.5"], "string",
     ["9007199254740993", "0.5"]),
    ("REAL", ["9e999", "-9e999"], ["Infinity", "-Infinity"], ['"Infinity"', '"-Infinity"'], "double",
     [float("inf"), float("-inf")]),
    ("TEXT", ["'007'", "''"], ["007", '""'], ['"007"', '""'], "string", ["007", ""]),
    ("DATE", ["'2026-01-02'", "'soon'"], ["2026-01-02", "soon"], ['"2026-01-02"', '"soon"'], "string",
     ["2026-01-02", "soon"]),
    ("DATE", ["'2026-01-02'", "20260102"], ["2026-01-02", "20260102"], ['"2026-01-02"', "20260102"], "string",
     ["2026-01-02", "20260102"]),
    ("BLOB", ["x'00ff'", "x''"], ["AP8=", '""'], ['"AP8="', '""'], "binary", [b"\x00\xff", b""]),
    ("", ["NULL", "1.5"], ["", "1.5"], ["null", "1.5"], "double", [None, 1.5]),
]  # fmt: skip


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file with a table whose column ``a`` is declared so, and has these values."""
    declared, values = request.param
    path = tmp_path / "data.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE t (n INTEGER PRIMARY KEY, a {declared})")
        connection.execute(f"INSERT INTO t (a) VALUES {', '.join(f'({value})' for value in values)}")  # noqa: S608
    connection.close()
    return path


@pytest.mark.parametrize(
    ("database", "as_csv", "as_json", "parquet", "expected"),
    [((declared, values), *rest) for declared, values, *rest in TYPES],
    indirect=["database"],
)
@pytest.mark.parametrize("order", ["n", "-n"])
def test_every_type(
    database: Path, order: str, as_csv: list[str], as_json: list[str], parquet: str, expected: list[Any]
) -> None:
    """Values are what SQLite has, whichever comes first."""
    query = Query(f"SELECT a, 0 AS b FROM t ORDER BY {order}")  # noqa: S608 - the test's own text
    step = 1 if order == "n" else -1
    with Session(lambda: sqlite3.connect(database)).read(query) as result:
        rows = list(result.rows)
    for file_format, lines in (
        ("csv", ["a,b", *(f"{each},0" for each in as_csv[::step])]),
        ("jsonl", [f'{{"a":{each},"b":0}}' for each in as_json[::step]]),
    ):
        data = b"".join(parse_format(file_format, None, None).file_bytes(result.columns, [rows]))
        assert data.decode().splitlines() == lines
    with with_known_types(result.columns, [[row] for row in rows]) as (columns, known):
        data = b"".join(parse_format("parquet", None, None).file_bytes(columns, [list(known)]))
    column = pq.read_table(io.BytesIO(data)).column("a")
    assert (str(column.type), column.to_pylist()) == (parquet, expected[::step])


def refusal(path: Path, sql: str, parameters: Any = None) -> str:
    """Return all that a user sees of an error that no retry mends."""
    with (
        pytest.raises(OSSInvalidArgument) as caught,
        Session(lambda: sqlite3.connect(path)).read(Query(sql, parameters)) as result,
    ):
        list(result.rows)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("database", [("TEXT", ["CAST(x'7333637265742aff' AS TEXT)"])], indirect=True)
def test_text_that_is_none(database: Path) -> None:
    """Text that is no UTF-8 is an error for good, which names the column and what to do, and does not show the text."""
    shown = refusal(database, "SELECT a FROM t")
    assert "column 'a' is no UTF-8: ask for the bytes of its text, in SQLite with CAST(... AS BLOB)" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize("database", [("TEXT", ["'x'"])], indirect=True)
def test_own_decoder(database: Path) -> None:
    """A text that the connection's own text_factory cannot decode is the same error."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(database)
        connection.text_factory = lambda data: data.decode("utf-8")
        return connection

    with (
        pytest.raises(OSSInvalidArgument, match="is no UTF-8"),
        Session(connect).read(Query("SELECT CAST(x'ff' AS TEXT) AS a")) as result,
    ):
        list(result.rows)


@pytest.mark.parametrize("database", [("TEXT", ["'x'"])], indirect=True)
@pytest.mark.parametrize("parameters", [None, ["s3cret"]])
def test_nothing_is_written(database: Path, parameters: list[str] | None) -> None:
    """A statement that writes is refused for good, and nothing is written."""
    value = "'y'" if parameters is None else "?"
    shown = refusal(database, f"INSERT INTO t (a) VALUES ({value}) RETURNING a", parameters)  # noqa: S608 - the test's
    assert "sql is wrong (OperationalError, SQLITE_READONLY)" in shown
    assert "s3cret" not in shown
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [("x",)]
    connection.close()


@pytest.mark.parametrize("database", [("TEXT", ["'x'"])], indirect=True)
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ? AS a", None),
        ("SELECT ? AS a", []),
        ("SELECT ? AS a", ["s3cret", 2]),
        ("SELECT ? AS a", [{"s3cret": 1}]),
        ("SELECT :a AS a", {"s3cret": 1}),
        ("SELECT ? AS a", [2**70]),
        ("SELECT ? AS a", ["s3cret\ud800"]),
        ("SELECT ? AS a", 5),
    ],
)
def test_parameters_that_do_not_fit(database: Path, sql: str, parameters: Any) -> None:
    """Too many, too few and unknown kinds of parameters are an error for good, which shows none of them."""
    shown = refusal(database, sql, parameters)
    assert "the driver does not take sql with these parameters" in shown
    assert "s3cret" not in shown
