"""A session that reads one query in constant memory, over any DB-API connection: none may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column
from airflow_provider_oss.exports.databases import (
    decoded,
    duckdb_column,
    exact_query,
    is_exact,
    mysql_column,
)
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult, closing, description_of, execute, fetched
from airflow_provider_oss.transfers.drivers import (
    DUCKDB_DRIVERS,
    MYSQL_DRIVERS,
    READING_OF,
    as_undecoded,
    check_one_statement,
    driver_of,
    fields_of,
    in_order,
    leave,
    raw_cursor,
)
from airflow_provider_oss.transfers.postgres import psycopg2_result, psycopg_result

log = Log(__name__)

_SHORTENED_BY_MYSQL: Final = "float"
_NO_QUERIES_OF_DUCKDB: Final = ("CALL", "EXPLAIN", "PRAGMA")
"""Kinds of statements that answer with rows, and that no query can be made of."""


class Session:
    """
    A connection that reads, and that another thread may interrupt.

    Its transaction is read-only where the database knows that (PostgreSQL, MySQL, SQLite), and it ends, whatever
    happens, with the ``with`` block of ``read``: the connection is closed.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._connection: Any = None

    @contextmanager
    def read(self, query: Query) -> Iterator[QueryResult]:
        """
        Execute the query and yield its result.

        Raises OSSInvalidArgument where the driver says that the query is wrong. What else it raises is passed on.
        """
        with ExitStack() as stack:
            connection = self._connection = stack.enter_context(closing(self._connect()))
            try:
                yield _result(connection, query, stack)
            finally:
                self._connection = None

    def interrupt(self) -> None:
        """
        Ask the database to give up the running query, and return at once.

        It is done by a thread: a signal handler, which calls this, must not wait. With a driver that offers no way the
        query ends when the connection does.
        """
        connection = self._connection
        names = ("cancel_safe", "cancel", "interrupt")  # psycopg; psycopg2 and others; sqlite3
        cancel = next((found for name in names if (found := getattr(connection, name, None)) is not None), None)
        if cancel is not None:
            threading.Thread(target=_quietly, args=(cancel,), name="interrupt-query", daemon=True).start()


def _quietly(cancel: Callable[[], Any]) -> None:
    try:
        cancel()
    except Exception as error:  # noqa: BLE001 - the query may have ended meanwhile, and the connection does soon
        log.debug("The running query could not be cancelled: %s", type(error).__name__)


def _result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Execute the query; what has to be closed before the connection is given to ``stack``."""
    driver = driver_of(connection)
    if driver in READING_OF:
        check_one_statement(query.sql, READING_OF[driver])
    if driver == "psycopg":
        return psycopg_result(connection, query, stack)
    if driver == "psycopg2":
        return psycopg2_result(connection, query, stack)
    if driver in MYSQL_DRIVERS:
        return _mysql(connection, query, stack)
    if driver in DUCKDB_DRIVERS:
        return _duckdb(connection, query)
    if driver == "sqlite3":
        connection.execute("PRAGMA query_only = 1")
    return _any_driver(connection, query)


def _mysql(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Read with a cursor that leaves the rows on the server until they are fetched."""
    driver = driver_of(connection)
    cursor = raw_cursor(connection, driver)
    execute(cursor, query)
    description_of(cursor)
    stack.callback(leave, cursor, driver)
    fields = fields_of(connection, cursor, driver)
    columns = tuple(map(mysql_column, fields))
    for column in columns:
        if column.type_name == _SHORTENED_BY_MYSQL:
            log.warning("Column %s is a FLOAT, of which MySQL sends 6 digits: CAST(... AS DOUBLE) has all", column.name)
    return QueryResult(columns, decoded(fields, fetched(cursor, query)))


def _duckdb(connection: Any, query: Query) -> QueryResult:
    """Read by the connection itself: only so it can be interrupted, and sees its temporary tables."""
    sql = _without_end(query.sql)
    if _duckdb_kind(connection, sql) in _NO_QUERIES_OF_DUCKDB:
        return _duckdb_without_select(connection, query)
    execute(connection, replace(query, sql=f"DESCRIBE {sql}"))  # which does not run it
    names, types = zip(*((each[0], connection.type(each[1])) for each in connection.fetchall()), strict=True)
    execute(connection, replace(query, sql=exact_query(sql, types)))
    return QueryResult(tuple(map(duckdb_column, names, types)), fetched(connection, query))


def _duckdb_kind(connection: Any, sql: str) -> str | None:
    """Return DuckDB's name for the kind of statement; None when it cannot read it."""
    try:
        [statement] = connection.extract_statements(sql)
    except (import_module("duckdb").Error, ValueError):
        return None
    return str(statement.type.name)


def _duckdb_without_select(connection: Any, query: Query) -> QueryResult:
    """Read the answer as it is. Raises OSSInvalidArgument where the driver would change its values."""
    connection.execute("BEGIN TRANSACTION READ ONLY")  # EXPLAIN ANALYZE executes
    execute(connection, query)
    described = description_of(connection)
    if changed := [each[0] for each in described if not is_exact(each[1])]:
        raise OSSInvalidArgument(
            f"DuckDB's driver changes values of the column {changed[0]!r} unless sql is a query: "  # noqa: S608 - for people
            "give SELECT * FROM pragma_...() in place of a PRAGMA, and SELECT * FROM ...() in place of a CALL"
        )
    return QueryResult(tuple(duckdb_column(each[0], each[1]) for each in described), fetched(connection, query))


def _without_end(sql: str) -> str:
    """Return the query of DuckDB without what follows its last word: semicolons and comments."""
    duckdb = import_module("duckdb")
    text = sql.encode()
    end = len(text)
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and text[offset : offset + 1] != b";":
            break
        end = offset
    return text[:end].decode()


def _any_driver(connection: Any, query: Query) -> QueryResult:
    cursor = connection.cursor()
    with _decoded():
        execute(cursor, query)
    names = [each[0] for each in description_of(cursor)]
    return QueryResult(tuple(Column(str(name)) for name in names), in_order(_decoded_rows(cursor, query), names))


def _decoded_rows(cursor: Any, query: Query) -> Iterator[Any]:
    with _decoded():
        yield from fetched(cursor, query)


@contextmanager
def _decoded() -> Iterator[None]:
    """Raise OSSInvalidArgument for text that is no UTF-8, and do not show it."""
    try:
        yield
    except Exception as error:
        wrong = as_undecoded(error)
        if wrong is None:
            raise
        raise wrong from None
