"""Queries against a real PostgreSQL by both drivers, and against SQLite: every value as the database has it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import psycopg2
import pytest
from airflow.providers.common.compat.sdk import BaseHook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column
from airflow_provider_oss.exports.formats import parse_format
from airflow_provider_oss.transfers.cursors import Query, QueryResult
from airflow_provider_oss.transfers.query import Session
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("postgres")

both_drivers = pytest.mark.parametrize("postgres", ["psycopg", "psycopg2"], indirect=True)


@contextmanager
def reading(sql: str, parameters: Any = None, conn_id: str = "pg", batch_rows: int = 1000) -> Iterator[QueryResult]:
    with Session(BaseHook.get_hook(conn_id).get_conn).read(Query(sql, parameters, batch_rows)) as result:
        yield result


def answer(sql: str, parameters: Any = None, conn_id: str = "pg") -> tuple[tuple[Column, ...], Batch]:
    with reading(sql, parameters, conn_id) as result:
        return result.columns, [tuple(row) for row in result.rows]


def written(sql: str, file_format: str) -> str:
    columns, rows = answer(sql)
    return b"".join(parse_format(file_format, None, None).file_bytes(columns, [rows])).decode()


VALUES = [
    ("NULL::text", "", "null"),
    ("''::text", "", '""'),
    ("0::int2", "0", "0"),
    ("2147483647::int4", "2147483647", "2147483647"),
    ("(-9223372036854775807 - 1)::int8", "-9223372036854775808", "-9223372036854775808"),
    ("0.1::float4", "0.1", "0.1"),
    ("0.1::float8 + 0.2::float8", "0.30000000000000004", "0.30000000000000004"),
    ("4::float8", "4", "4"),
    ("-1e15::float8", "-1e+15", "-1e+15"),
    ("ARRAY[0.5::float8,'NaN',1e22,NULL]", '[0.5,"NaN",1e+22,null]', '[0.5,"NaN",1e+22,null]'),
    ("'NaN'::float8", "NaN", '"NaN"'),
    ("'-Infinity'::float8", "-Infinity", '"-Infinity"'),
    ("123.4500::numeric(10,4)", "123.4500", "123.4500"),
    ("12345678901234567890.123456789::numeric", "12345678901234567890.123456789", "12345678901234567890.123456789"),
    ("'1e-10'::numeric", "0.0000000001", "0.0000000001"),
    ("'NaN'::numeric", "NaN", '"NaN"'),
    ("true", "true", "true"),
    ("E'größe \"x\",\\n\\r\\\\'::text", 'größe "x",\n\r\\', '"größe \\"x\\",\\n\\r\\\\"'),
    ("'ab'::char(4)", "ab  ", '"ab  "'),
    ("date '2026-01-02'", "2026-01-02", '"2026-01-02"'),
    ("date 'infinity'", "infinity", '"infinity"'),
    ("date '0044-03-15 BC'", "0044-03-15 BC", '"0044-03-15 BC"'),
    ("time '24:00'", "24:00:00", '"24:00:00"'),
    ("timetz '12:00:00.5-05:30'", "12:00:00.5-05:30", '"12:00:00.5-05:30"'),
    ("timestamp '2026-01-02 03:04:05.678901'", "2026-01-02T03:04:05.678901", '"2026-01-02T03:04:05.678901"'),
    ("timestamp '12026-01-02'", "12026-01-02T00:00:00", '"12026-01-02T00:00:00"'),
    ("timestamptz '2026-01-02 03:04:05+02'", "2026-01-02T01:04:05+00:00", '"2026-01-02T01:04:05+00:00"'),
    ("timestamptz '-infinity'", "-infinity", '"-infinity"'),
    ("interval '1 year 2 mons 3 days 04:05:06.7'", "P1Y2M3DT4H5M6.7S", '"P1Y2M3DT4H5M6.7S"'),
    ("interval '0'", "PT0S", '"PT0S"'),
    ("'\\x00ff'::bytea", "AP8=", '"AP8="'),
    ("''::bytea", "", '""'),
    ('\'{"b": 1.10,"b": 12345678901234567890.10}\'::json', '{"b": 1.10,"b": 12345678901234567890.10}', None),
    ('\'{"b":1.10,"a":[]}\'::jsonb', '{"a": [], "b": 1.10}', '{"a": [], "b": 1.10}'),
    ("'null'::jsonb", "null", "null"),
    ("'5f3b6e52-20ef-4b94-890a-c41d44d66290'::uuid", "5f3b6e52-20ef-4b94-890a-c41d44d66290", None),
    ("ARRAY[1,NULL,3]", "[1,null,3]", "[1,null,3]"),
    ("ARRAY[[1,2],[3,4]]", "[[1,2],[3,4]]", "[[1,2],[3,4]]"),
    ("ARRAY['a,b',E'\"\\n',NULL]", '["a,b","\\"\\n",null]', '["a,b","\\"\\n",null]'),
    ("ARRAY[1.50::numeric]", "[1.50]", "[1.50]"),
    ("ARRAY[timestamptz '2026-01-02 03:04:05+00']", '["2026-01-02T03:04:05+00:00"]', '["2026-01-02T03:04:05+00:00"]'),
    ("ARRAY['{\"a\": 1.10}'::jsonb]", '[{"a": 1.10}]', '[{"a": 1.10}]'),
    ("ARRAY[]::int[]", "[]", "[]"),
    ("inet '10.0.0.1/8'", "10.0.0.1/8", '"10.0.0.1/8"'),
    ("int4range(1,5)", "[1,5)", '"[1,5)"'),
    ("ROW(1,'x y')", '(1,"x y")', None),
    ("'sad'::mood", "sad", '"sad"'),
    ("money '12.50'", "$12.50", '"$12.50"'),
    ("B'101'", "101", '"101"'),
    ("repeat('ß', 500000)", "ß" * 500_000, None),
]


@pytest.fixture(scope="module", autouse=True)
def _mood(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")


@both_drivers
@pytest.mark.parametrize(("sql", "as_csv", "as_json"), VALUES, ids=[each[0][:40] for each in VALUES])
def test_values(postgres: PostgresServer, sql: str, as_csv: str, as_json: str | None) -> None:
    """Each type is written in csv and jsonl as documented, by either driver."""
    csv.field_size_limit(10_000_000)
    query = f"SELECT {sql} AS a, 1 AS b"
    [_, [found, _]] = csv.reader(io.StringIO(written(query, "csv"), newline=""))
    assert found == as_csv
    line = written(query, "jsonl")
    assert line.endswith("\n")
    assert line.count("\n") == 1
    expected = (
        json.dumps(as_csv, ensure_ascii=False) if as_json is None and not as_csv.startswith("{") else as_json or as_csv
    )
    assert line == f'{{"a":{expected},"b":1}}\n'
    postgres.wait_until_released()


@both_drivers
def test_columns(postgres: PostgresServer) -> None:
    """Columns have the catalog's names of their types, enums and arrays too, also without a row."""
    sql = "SELECT 1::int8 AS a, 1::numeric(12,2) AS b, 'ok'::mood AS c, ARRAY['x'] AS d, now() AS e WHERE false"
    columns, rows = answer(sql)
    assert rows == []
    assert [column.described()["type"] for column in columns] == [
        "bigint", "numeric(12,2)", "mood", "text[]", "timestamp with time zone",
    ]  # fmt: skip
    assert [column.name for column in columns] == ["a", "b", "c", "d", "e"]
    postgres.wait_until_released()


@pytest.fixture
def ascii_database(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database whose text may be any bytes, as the connection ``pg``."""
    postgres.execute("CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    fields = json.loads(postgres.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_PG", json.dumps({**fields, "schema": "old"}))
    yield
    postgres.execute("DROP DATABASE old WITH (FORCE)")


@both_drivers
@pytest.mark.usefixtures("ascii_database", "postgres")
def test_text_that_is_no_utf8() -> None:
    """Text in another encoding fails for good with the name of its column, in the first row or later; bytes do not."""
    latin = "convert_from('\\x636166e9', 'SQL_ASCII')"
    name = f"CASE WHEN n >= {{}} THEN {latin} ELSE 'é' END AS name"
    sql = f"SELECT n, {name}, 0.5 AS x FROM generate_series(1, 9) AS n"  # noqa: S608 - the test's own
    refused = r"column 'name' is no UTF-8: ask for the bytes of its text, convert_to\(\.\.\., 'SQL_ASCII'\)"
    with pytest.raises(OSSInvalidArgument, match=refused.replace("'name'", "('name'|unknown .*)")):
        answer(sql.format(1))
    with reading(sql.format(5), batch_rows=2) as result:
        assert [next(result.rows)[1] for _ in range(4)] == ["é"] * 4
        with pytest.raises(OSSInvalidArgument, match=refused):
            next(result.rows)
    assert bytes(answer(f"SELECT convert_to({latin}, 'SQL_ASCII') AS name")[1][0][0]) == b"caf\xe9"


@both_drivers
def test_parameters(postgres: PostgresServer) -> None:
    """Parameters by position and by name reach the query; without any a percent sign is a percent sign."""
    assert answer("SELECT %s::int + 1 AS a", [41])[1] == [(42,)]
    assert answer("SELECT %(x)s || '%%' AS a", {"x": "o'clock"})[1] == [("o'clock%",)]
    assert answer("SELECT 7 %% 4 AS a, '%' AS b".replace("%%", "%"))[1] == [(3, "%")]
    postgres.wait_until_released()


@both_drivers
def test_whole_numbers_as_parameters(postgres: PostgresServer) -> None:
    """A whole number is an integer, as in the text of a query, unless it needs more: its size changes no type else."""
    columns, rows = answer(
        "SELECT %s AS a, %s AS b, %s AS c, %s * %s AS d, DATE '2026-01-01' + %s AS e",
        [5, 2**31, 2**63, 30000, -30000, 1],
    )
    assert [column.type_name for column in columns] == ["integer", "bigint", "numeric", "integer", "date"]
    assert rows == [(5, 2**31, Decimal(2**63), -900_000_000, "2026-01-02")]
    postgres.wait_until_released()


@both_drivers
def test_query_as_it_is_in_files(postgres: PostgresServer) -> None:
    """A semicolon and comments at the end, as files have them, do no harm; neither does a WITH."""
    assert answer("-- before\nWITH t AS (SELECT %s::int AS a) SELECT a FROM t;\n-- after\n", [1])[1] == [(1,)]
    assert answer("SELECT 1 AS a;\n")[1] == [(1,)]
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize("cursor", ["dictcursor", "namedtuplecursor"])
def test_cursor_of_the_connection(postgres: PostgresServer, cursor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is set to return rows of another kind exports the same."""
    monkeypatch.setenv("AIRFLOW_CONN_PG", postgres.airflow_connection(cursor=cursor))
    assert answer("SELECT 1 AS a, 'x' AS b") == answer("SELECT 1 AS a, 'x' AS b")
    assert answer("SELECT 1 AS a, 'x' AS b")[1] == [(1, "x")]


@both_drivers
def test_rows_stay_on_the_server(postgres: PostgresServer) -> None:
    """A query of a hundred million rows begins at once, and ends as soon as nobody reads on."""
    postgres.wait_until_released()  # by the test before
    began = time.monotonic()
    with reading("SELECT generate_series(1, 100000000) AS n", batch_rows=10) as result:
        assert [next(result.rows)[0] for _ in range(25)] == list(range(1, 26))
        [(state, statement)] = postgres.sessions()
        assert state == "idle in transaction"
        assert "FETCH FORWARD 10" in statement.upper()
    assert time.monotonic() - began < 10
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize("sql", ["INSERT INTO safe VALUES (2) RETURNING a", "SELECT lo_create(4711)"])
def test_nothing_is_written(postgres: PostgresServer, sql: str) -> None:
    """The transaction is read-only: an export cannot change the database."""
    postgres.execute("CREATE TABLE IF NOT EXISTS safe (a int)")
    with pytest.raises(Exception, match=r"read-only transaction|syntax error"):
        answer(sql)
    assert postgres.execute("SELECT count(*) FROM safe") == [(0,)]
    postgres.wait_until_released()


HIDDEN = "COMMIT; BEGIN READ WRITE; INSERT INTO two VALUES (2); COMMIT; --'"


@both_drivers
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a; COMMIT; INSERT INTO two VALUES (2)",
        f"SELECT E'a'\n'\\''; {HIDDEN}",
        "SELECT 1 AS a; SELECT 2 AS b",
        "SELECT '\\'; COMMIT; INSERT INTO two VALUES (2) --'",
        "SELECT 1 AS begin; COMMIT; INSERT INTO two VALUES (2); END",
    ],
)
def test_one_statement(postgres: PostgresServer, sql: str) -> None:
    """Several statements are refused before any is sent: COMMIT would end the read-only transaction."""
    postgres.execute("CREATE TABLE IF NOT EXISTS two (a int)")
    with pytest.raises(OSSInvalidArgument, match="statements, and none was executed"):
        answer(sql)
    assert postgres.execute("SELECT count(*) FROM two") == [(0,)]
    postgres.wait_until_released()


ENDING = "; COMMIT; INSERT INTO two VALUES (2); COMMIT; -- "
"""A parameter, where the driver puts it between the quotes of a query."""


@both_drivers
def test_one_statement_with_its_parameters(postgres: PostgresServer) -> None:
    """A placeholder in quotes of the query's own makes no other statements of a parameter."""
    postgres.execute("CREATE TABLE IF NOT EXISTS two (a int)")
    with pytest.raises((OSSInvalidArgument, psycopg.Error)) as caught:
        answer("SELECT '%s' AS a", parameters=[ENDING])
    assert "INSERT" not in str(caught.value)
    assert postgres.execute("SELECT count(*) FROM two") == [(0,)]


@both_drivers
def test_one_statement_with_escapes(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are several that only a session sees whose strings have escapes; psycopg has the server refuse them."""
    postgres.execute("CREATE TABLE IF NOT EXISTS two (a int)")
    options = "-c standard_conforming_strings=off"
    monkeypatch.setenv("AIRFLOW_CONN_PG", postgres.airflow_connection(options=options))
    with pytest.raises(OSSInvalidArgument, match=r"statements, and none was executed|cannot insert multiple commands"):
        answer(f"SELECT 'a\\''; {HIDDEN}")
    assert postgres.execute("SELECT count(*) FROM two") == [(0,)]
    postgres.wait_until_released()


def test_one_statement_of_another_database(postgres: PostgresServer, sqlite: Callable[..., None]) -> None:
    """Semicolons that only PostgreSQL's quotes hide are seen where the database is another."""
    sqlite("CREATE TABLE t (a)")
    assert answer("SELECT $$a;b$$ AS a")[1] == [("a;b",)]
    with pytest.raises(OSSInvalidArgument, match="sql holds 2 statements"):
        answer("SELECT $$a;b$$ AS a", conn_id="lite")
    postgres.wait_until_released()


def test_several_statements_need_no_database() -> None:
    """What is several statements in any database is refused without a connection."""
    with pytest.raises(OSSInvalidArgument, match="sql holds 2 statements"):
        Query("SELECT 1; SELECT 2")


@both_drivers
def test_no_transaction_writes(postgres: PostgresServer) -> None:
    """The session is read-only beyond its transaction, too."""
    postgres.execute("CREATE TABLE IF NOT EXISTS two (a int)")
    connection = BaseHook.get_hook("pg").get_conn()
    session = Session(lambda: connection)
    with session.read(Query("SELECT 1 AS a")):
        connection.commit()
        with pytest.raises(Exception, match="read-only transaction"):
            connection.cursor().execute("INSERT INTO two VALUES (2)")
    postgres.wait_until_released()


@both_drivers
def test_error_of_the_query(postgres: PostgresServer) -> None:
    """What the database says is passed on as the driver raises it, also in the middle, and the session is closed."""
    with pytest.raises(Exception, match='relation "missing" does not exist'):
        answer("SELECT * FROM missing")
    with reading("SELECT 1 / (5 - n) AS a FROM generate_series(1, 9) n", batch_rows=2) as result:
        assert next(result.rows)[0] == 0
        with pytest.raises(Exception, match="division by zero"):
            list(result.rows)
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("SELECT 1 FORM t", "42601"),
        ("SELECT 'x", "42601"),
        ("SELECT missing(1)", "42883"),
        ("SELECT 1 FROM forbidden", "42501"),
        ("SELECT a, count(*) FROM forbidden", "42803"),
    ],
)
def test_wrong_query(postgres: PostgresServer, sql: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no retry mends is told as such, with what the database says."""
    monkeypatch.setenv("AIRFLOW_CONN_PG", postgres.airflow_connection(options="-c role=pg_monitor"))
    postgres.execute("CREATE TABLE IF NOT EXISTS forbidden (a int)")
    with pytest.raises(
        OSSInvalidArgument, match=rf"the database says that sql is wrong \(\w+, SQLSTATE {state}\): \w+"
    ):
        answer(sql)
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT * FROM missing", "UndefinedTable"),
        ("SELECT missing", "UndefinedColumn"),
        ("SELECT 1/0", "DivisionByZero"),
    ],
)
def test_query_that_may_be_right_tomorrow(postgres: PostgresServer, sql: str, error: str) -> None:
    """A table or column that is not there now, and wrong data, are the driver's errors, which Airflow retries."""
    with pytest.raises((psycopg.Error, psycopg2.Error)) as caught:
        answer(sql)
    assert type(caught.value).__name__ == error
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize("sql", ["SELECT %s FORM t", "SELECT %s::int AS a", "SELECT %s::date AS a"])
def test_wrong_query_shows_no_parameters(postgres: PostgresServer, sql: str) -> None:
    """Drivers quote the query with its parameters in it: neither the error nor what it came from shows them."""
    secret = "s3cret-of-mine"
    with pytest.raises(OSSInvalidArgument) as caught:
        answer(sql, [secret])
    assert secret not in "".join(traceback.format_exception(caught.value))
    postgres.wait_until_released()


@both_drivers
def test_server_that_goes_away(postgres: PostgresServer) -> None:
    """A session that is ended in the middle is the driver's error, not a short result."""
    with reading("SELECT n FROM generate_series(1, 1000000) n", batch_rows=10) as result:
        next(result.rows)
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(Exception, match=r"terminating connection|closed"):
            list(result.rows)
    postgres.wait_until_released()


def test_interrupt(postgres: PostgresServer) -> None:
    """A query that runs for long ends soon after it is interrupted from another thread."""
    session = Session(BaseHook.get_hook("pg").get_conn)

    def interrupt() -> None:
        wait_until(lambda: "FETCH" in str(postgres.sessions()) or None, 20, "the query", lambda: "nothing")
        session.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    with (
        pytest.raises((psycopg.errors.QueryCanceled, psycopg2.errors.QueryCanceled)),
        session.read(Query("SELECT pg_sleep(60)")) as result,
    ):
        list(result.rows)
    thread.join()
    assert time.monotonic() - began < 30
    postgres.wait_until_released()


def test_interrupt_of_nothing() -> None:
    """Where no query runs there is nothing to interrupt."""
    Session(lambda: None).interrupt()


def test_dead_client_is_noticed(postgres: PostgresServer) -> None:
    """PostgreSQL looks every few seconds whether the client of a running query is still there."""
    with reading("SELECT current_setting('client_connection_check_interval') AS a") as result:
        assert next(result.rows) == ("5s",)
    postgres.wait_until_released()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_csv_is_what_copy_writes(postgres: PostgresServer, values: list[str]) -> None:
    """For any texts the csv is byte for byte what PostgreSQL's own COPY writes."""
    with postgres.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE texts (n serial, a text, b text)")
        cursor.executemany("INSERT INTO texts (a, b) VALUES (%s, nullif(%s, ''))", [(each, each) for each in values])
        with cursor.copy("COPY (SELECT * FROM texts ORDER BY n) TO STDOUT (FORMAT csv, HEADER)") as copy:
            theirs = b"".join(bytes(data) for data in copy)
    with reading("SELECT * FROM unnest(%s::text[]) WITH ORDINALITY AS t(a, n)", [values]) as result:
        rows = [(row[1], row[0], row[0] or None) for row in result.rows]
    columns = [Column("n"), Column("a"), Column("b")]
    ours = b"".join(parse_format("csv", None, None).file_bytes(columns, [rows]))
    assert ours.replace(b"\\.", b"") == theirs.replace(b'"\\."', b"\\.").replace(b"\\.", b"")


# SQLite and other databases


def test_sqlite(sqlite: Callable[..., None]) -> None:
    """SQLite's values have their own types; nothing is known of its columns but the names."""
    sqlite(
        "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e)",
        "INSERT INTO t VALUES (1, 2.5, 'größe', x'00ff', NULL), (9223372036854775807, 0.1, '', x'', 'x')",
    )
    columns, rows = answer("SELECT * FROM t ORDER BY a", conn_id="lite")
    assert rows == [(1, 2.5, "größe", b"\x00\xff", None), (2**63 - 1, 0.1, "", b"", "x")]
    assert columns[0].described() == {"name": "a", "type": "unknown"}
    assert answer("SELECT ? + 1 AS a", [1], "lite")[1] == [(2,)]


def test_sqlite_is_not_written(sqlite: Callable[..., None]) -> None:
    """Not even SQLite lets an export write."""
    sqlite("CREATE TABLE t (a INTEGER)")
    with pytest.raises(OSSInvalidArgument, match="readonly"):
        answer("INSERT INTO t VALUES (1) RETURNING a", conn_id="lite")


def test_sqlite_is_interrupted(sqlite: Callable[..., None]) -> None:
    """A long query of SQLite ends when it is interrupted."""
    sqlite("CREATE TABLE t (a INTEGER)")
    session = Session(BaseHook.get_hook("lite").get_conn)
    endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a FROM n WHERE a < 0"
    timer = threading.Timer(0.3, session.interrupt)
    timer.start()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"), session.read(Query(endless)) as result:
        list(result.rows)
    timer.join()


@pytest.mark.parametrize("sql", ["CREATE TABLE IF NOT EXISTS t (a)", "BEGIN"])
def test_no_query(sqlite: Callable[..., None], sql: str) -> None:
    """A statement that returns no rows is refused."""
    sqlite("CREATE TABLE t (a)")
    with pytest.raises(OSSInvalidArgument, match="returns no rows"):
        answer(sql, conn_id="lite")


@pytest.mark.parametrize("sql", ["SELECT 1 WHERE", "SELECT 1 FORM t x y", "SELECT '", 'SELECT "a\n'])
def test_wrong_query_of_sqlite(sqlite: Callable[..., None], sql: str) -> None:
    """SQLite tells errors of its parser by their text."""
    sqlite("CREATE TABLE t (a)")
    with pytest.raises(OSSInvalidArgument, match="the database says that sql is wrong"):
        answer(sql, conn_id="lite")


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM missing", "SELECT * FROM 'syntax error'", "SELECT * FROM 'near \"\": syntax error'"]
)
def test_missing_table_of_sqlite(sqlite: Callable[..., None], sql: str) -> None:
    """A table that is not there now, whatever its name, is SQLite's error, which Airflow retries."""
    sqlite("CREATE TABLE t (a)")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        answer(sql, conn_id="lite")


@pytest.mark.parametrize("batch_rows", [0, -1, 2**31, 10**30])
def test_batches_of_no_size(batch_rows: int) -> None:
    """Fetching no rows at a time would never end, and no driver counts as far as some numbers."""
    with pytest.raises(OSSInvalidArgument, match=f"batch_rows={batch_rows} must be at least 1 and at most 2147483647"):
        Query("SELECT 1", batch_rows=batch_rows)


@pytest.mark.parametrize("conn_id", ["pg", "lite"])
@pytest.mark.usefixtures("sqlite")
@both_drivers
def test_largest_batch(postgres: PostgresServer, conn_id: str) -> None:
    """The largest batch that is taken is one that drivers know."""
    with reading("SELECT 1 AS a", conn_id=conn_id, batch_rows=2**31 - 1) as result:
        assert [tuple(row) for row in result.rows] == [(1,)]
    postgres.wait_until_released()


@both_drivers
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT %s AS a", ["s3cret", 2]),
        ("SELECT %s AS a, %s AS b", ["s3cret"]),
        ("SELECT %(a)s AS a", {"b": "s3cret"}),
        ("SELECT %s AS a", [object()]),
        ("SELECT %s AS a", ["s3cret\0"]),
        ("SELECT %s AS a", ["s3cret\ud800"]),
    ],
)
def test_parameters_that_do_not_fit(postgres: PostgresServer, sql: str, parameters: Any) -> None:
    """Parameters that the driver cannot bind are an error for good, which shows none of them."""
    with pytest.raises(OSSInvalidArgument, match="does not take sql with these parameters") as caught:
        answer(sql, parameters)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    postgres.wait_until_released()


def test_parameters_are_not_shown() -> None:
    """Parameters may be secret: a query's text does not have them."""
    assert "s3cret" not in repr(Query("SELECT %s", ["s3cret"]))


def test_decimals_stay_decimals(postgres: PostgresServer) -> None:
    """No number takes the way over a float."""
    [(value,)] = answer("SELECT 0.10000000000000000001::numeric AS a")[1]
    assert value == Decimal("0.10000000000000000001")
    postgres.wait_until_released()
