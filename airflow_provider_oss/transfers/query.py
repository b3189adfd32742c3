"""A query, read in constant memory over any DB-API connection: each driver in its own way, none may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain
from typing import Any, Final

from airflow_provider_oss.cancellation import each_interruptible, interruptible
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Row
from airflow_provider_oss.exports.databases import (
    TEXT_ARRAY_OIDS,
    decoded,
    duckdb_column,
    exact_query,
    is_exact,
    is_text,
    may_have_text,
    mysql_column,
    postgres_column,
)
from airflow_provider_oss.shown import Log, a_type
from airflow_provider_oss.transfers.drivers import (
    DUCKDB_DRIVERS,
    MYSQL_DRIVERS,
    READING_OF,
    READINGS,
    as_undecoded,
    as_wrong_query,
    check_one_statement,
    driver_of,
    fields_of,
    in_order,
    is_no_utf8,
    leave,
    raw_cursor,
)

log = Log(__name__)

DEFAULT_BATCH_ROWS: Final = 1000
_MOST_BATCH_ROWS: Final = 2**31 - 1
"""Drivers count in a C int."""

_CURSOR_NAME: Final = "airflow_oss_export"
_KNOWS_STYLES_SINCE: Final = 80400
"""PostgreSQL 8.4; databases that speak its protocol say that they are older when they have less."""
_KNOWS_ALL_DIGITS_SINCE: Final = 90000
"""PostgreSQL 9.0; from 12 on all digits is the default, but for a role that is set otherwise."""
_CHECKS_CLIENT_SINCE: Final = 140000
"""PostgreSQL 14 notices during a long query that its client is gone."""
_SHORTENED_BY_MYSQL: Final = "float"
_NO_QUERIES_OF_DUCKDB: Final = ("CALL", "EXPLAIN", "PRAGMA")
"""Kinds of statements that answer with rows, and that no query can be made of."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. ``parameters`` are the driver's; they may be secret, so they are never shown."""

    sql: str
    parameters: Any = None
    batch_rows: int = DEFAULT_BATCH_ROWS
    """Rows that are fetched at once: so many are in memory."""

    def __post_init__(self) -> None:
        check_one_statement(self.sql, *READINGS)
        if not 1 <= self.batch_rows <= _MOST_BATCH_ROWS:
            raise OSSInvalidArgument(f"batch_rows={self.batch_rows} must be at least 1 and at most {_MOST_BATCH_ROWS}")

    def __repr__(self) -> str:
        return f"Query({self.sql!r})"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query: what its columns are, then its rows, to be read once."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]


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
            connection = self._connection = stack.enter_context(_closing(self._connect()))
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


def session_of(conn_id: str) -> Session:
    """Return a session of the connection's database. Raises OSSInvalidArgument when ``conn_id`` is of none."""
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    hook = BaseHook.get_hook(conn_id)
    if not isinstance(hook, DbApiHook):
        raise OSSInvalidArgument(
            f"conn_id={conn_id!r} belongs to {a_type(hook)}, which runs no SQL: give a connection whose hook is a "
            "DbApiHook"
        )
    return Session(hook.get_conn)


@contextmanager
def _closing(closable: Any) -> Iterator[Any]:
    """Close at the end, and say nothing when that fails: all has been read, or an error is under way already."""
    try:
        yield closable
    finally:
        with suppress(Exception):
            closable.close()


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
        return _psycopg(connection, query, stack)
    if driver == "psycopg2":
        return _psycopg2(connection, query, stack)
    if driver in MYSQL_DRIVERS:
        return _mysql(connection, query, stack)
    if driver in DUCKDB_DRIVERS:
        return _duckdb(connection, query)
    if driver == "sqlite3":
        connection.execute("PRAGMA query_only = 1")
    return _any_driver(connection, query)


def _psycopg(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    from psycopg.rows import tuple_row
    from psycopg.types.string import TextLoader

    connection.autocommit = False
    connection.read_only = True
    catalog = connection.cursor(row_factory=tuple_row)
    if connection.info.encoding != "utf-8":
        catalog.execute("SET LOCAL client_encoding = 'UTF8'")
    _prepare_postgres(catalog, connection.info.server_version)
    cursor = stack.enter_context(_closing(connection.cursor(_CURSOR_NAME, row_factory=tuple_row)))
    known = {oid for info in cursor.adapters.types for oid in (info.oid, info.array_oid)}
    for oid in filter(is_text, known):
        cursor.adapters.register_loader(oid, TextLoader)
    cursor.adapters.register_dumper(int, _integer_dumper())
    return _postgres_result(cursor, catalog, query)


def _integer_dumper() -> Any:
    """
    Return what binds whole numbers as PostgreSQL itself reads them: as integer, unless they need more.

    psycopg's own binds small ones as smallint: then 30000 * 30000 fails, and a result's type depends on the number.
    """
    from psycopg.types.numeric import Int4, Int4Dumper, IntDumper

    small = Int4Dumper(Int4)

    class IntegerDumper(IntDumper):
        def upgrade(self, obj: int, format: Any) -> Any:  # noqa: A002 - the name is psycopg's
            return small if -(2**31) <= obj < 2**31 else super().upgrade(obj, format)

    return IntegerDumper


def _psycopg2(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    from psycopg2 import extensions

    connection.set_client_encoding("UTF8")
    connection.set_session(readonly=True, autocommit=False)
    catalog = connection.cursor(cursor_factory=extensions.cursor)
    _prepare_postgres(catalog, connection.server_version)
    cursor = stack.enter_context(_closing(connection.cursor(_CURSOR_NAME, cursor_factory=extensions.cursor)))
    known = {*extensions.string_types, *connection.string_types}
    as_text = extensions.new_type(tuple(filter(is_text, known)), "TEXT_OF_SERVER", lambda value, _: value)
    extensions.register_type(as_text, cursor)
    extensions.register_type(extensions.new_array_type(TEXT_ARRAY_OIDS, "TEXTS_OF_SERVER", as_text), cursor)
    return _postgres_result(cursor, catalog, query)


def _prepare_postgres(cursor: Any, server_version: int) -> None:
    """
    Let the transaction write all digits, dates and intervals as ISO has them, and end soon when this process is gone.

    One that followed it in this session would be read-only, too. As nothing is committed, a pooler's next client never
    sees that.
    """
    if server_version >= _KNOWS_STYLES_SINCE:
        cursor.execute("SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'")
        cursor.execute("SET default_transaction_read_only = on")
    if server_version >= _KNOWS_ALL_DIGITS_SINCE:
        cursor.execute("SET LOCAL extra_float_digits = 3")
    if server_version >= _CHECKS_CLIENT_SINCE:
        cursor.execute("SET LOCAL client_connection_check_interval = '5s'")


def _postgres_result(cursor: Any, catalog: Any, query: Query) -> QueryResult:
    _execute(cursor, query)
    with _text_in_utf8(cursor.description or ()):
        first = cursor.fetchmany(query.batch_rows)  # psycopg2 describes the columns only then
    described = _description(cursor)
    catalog.execute(
        "SELECT oid, format_type(oid, NULL) FROM pg_type WHERE oid = ANY(%s)", ([each[1] for each in described],)
    )
    names = dict(catalog.fetchall())
    columns = [postgres_column(each[0], each[1], each[4], each[5], names.get(each[1])) for each in described]
    return QueryResult(tuple(columns), chain(first, _postgres_rows(cursor, query, described)))


def _postgres_rows(cursor: Any, query: Query, described: Sequence[Any]) -> Iterator[Row]:
    with _text_in_utf8(described):
        yield from _rows(cursor, query)


@contextmanager
def _text_in_utf8(described: Sequence[Any]) -> Iterator[None]:
    """Raise OSSInvalidArgument for text that is no UTF-8, which names the columns that have text, if they are known."""
    try:
        yield
    except Exception as error:
        if not is_no_utf8(error):
            raise
        names = " or ".join(repr(each[0]) for each in described if may_have_text(each[1]))
        raise OSSInvalidArgument(
            f"a value of column {names or 'unknown (the driver names none)'} is no UTF-8: ask for the bytes of its "
            "text, convert_to(..., 'SQL_ASCII')"
        ) from error


def _mysql(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Read with a cursor that leaves the rows on the server until they are fetched."""
    driver = driver_of(connection)
    cursor = raw_cursor(connection, driver)
    _execute(cursor, query)
    _description(cursor)
    stack.callback(leave, cursor, driver)
    fields = fields_of(connection, cursor, driver)
    columns = tuple(map(mysql_column, fields))
    for column in columns:
        if column.type_name == _SHORTENED_BY_MYSQL:
            log.warning("Column %s is a FLOAT, of which MySQL sends 6 digits: CAST(... AS DOUBLE) has all", column.name)
    return QueryResult(columns, decoded(fields, _rows(cursor, query)))


def _duckdb(connection: Any, query: Query) -> QueryResult:
    """Read by the connection itself: only so it can be interrupted, and sees its temporary tables."""
    sql = _without_end(query.sql)
    if _duckdb_kind(connection, sql) in _NO_QUERIES_OF_DUCKDB:
        return _duckdb_without_select(connection, query)
    _execute(connection, replace(query, sql=f"DESCRIBE {sql}"))  # which does not run it
    names, types = zip(*((each[0], connection.type(each[1])) for each in connection.fetchall()), strict=True)
    _execute(connection, replace(query, sql=exact_query(sql, types)))
    return QueryResult(tuple(map(duckdb_column, names, types)), _rows(connection, query))


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
    _execute(connection, query)
    described = _description(connection)
    if changed := [each[0] for each in described if not is_exact(each[1])]:
        raise OSSInvalidArgument(
            f"DuckDB's driver changes values of the column {changed[0]!r} unless sql is a query: "  # noqa: S608 - for people
            "give SELECT * FROM pragma_...() in place of a PRAGMA, and SELECT * FROM ...() in place of a CALL"
        )
    return QueryResult(tuple(duckdb_column(each[0], each[1]) for each in described), _rows(connection, query))


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
        _execute(cursor, query)
    names = [each[0] for each in _description(cursor)]
    return QueryResult(tuple(Column(str(name)) for name in names), in_order(_decoded_rows(cursor, query), names))


def _decoded_rows(cursor: Any, query: Query) -> Iterator[Any]:
    with _decoded():
        yield from _rows(cursor, query)


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


def _execute(cursor: Any, query: Query) -> None:
    """
    Execute; without parameters the driver must not look for placeholders, for then a % would have to be doubled.

    Raises OSSInvalidArgument where the driver says that the query is wrong, else what the driver raises.
    """
    has_parameters = query.parameters is not None
    arguments = (query.sql, query.parameters) if has_parameters else (query.sql,)
    try:
        with interruptible():
            cursor.execute(*arguments)
    except Exception as error:
        wrong = as_wrong_query(error, has_parameters=has_parameters)
        if wrong is None:
            raise
        raise wrong from (None if has_parameters else error)


def _description(cursor: Any) -> Sequence[Any]:
    description: Sequence[Any] | None = cursor.description
    if not description:
        raise OSSInvalidArgument("sql returns no rows to export: it must be one query, such as SELECT ...")
    return description


def _rows(cursor: Any, query: Query) -> Iterator[Row]:
    batches = iter(lambda: cursor.fetchmany(query.batch_rows) or None, None)
    for batch in each_interruptible(batches):
        yield from batch
