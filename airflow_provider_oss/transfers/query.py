"""A query, read in constant memory over any DB-API connection: each driver in its own way, none may write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Row
from airflow_provider_oss.exports.mysql import mysql_column
from airflow_provider_oss.exports.postgres import TEXT_ARRAY_OIDS, TEXT_OIDS, postgres_column

log = logging.getLogger(__name__)

DEFAULT_BATCH_ROWS: Final = 1000

_CURSOR_NAME: Final = "airflow_oss_export"
_KNOWS_STYLES_SINCE: Final = 80400
"""PostgreSQL 8.4; databases that speak its protocol say that they are older when they have less."""
_CHECKS_CLIENT_SINCE: Final = 140000
"""PostgreSQL 14 notices during a long query that its client is gone."""
_MYSQL_DRIVERS: Final = ("MySQLdb", "pymysql", "mysql")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. ``parameters`` are the driver's; they may be secret, so they are never shown."""

    sql: str
    parameters: Any = None
    batch_rows: int = DEFAULT_BATCH_ROWS
    """Rows that are fetched at once: so many are in memory."""

    def __post_init__(self) -> None:
        if self.batch_rows < 1:
            raise OSSInvalidArgument(f"batch_rows={self.batch_rows} must be at least 1")

    def __repr__(self) -> str:
        return f"Query({self.sql!r})"


@dataclass(frozen=True, slots=True)
class Result:
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
    def read(self, query: Query) -> Iterator[Result]:
        """Execute the query and yield its result. What the driver raises is passed on."""
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


@contextmanager
def _closing(closable: Any) -> Iterator[Any]:
    """Close at the end, and say nothing when that fails: all has been read, or an error is under way already."""
    try:
        yield closable
    finally:
        with suppress(Exception):
            closable.close()


def _driver(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0]


def _quietly(cancel: Callable[[], Any]) -> None:
    try:
        cancel()
    except Exception as error:  # noqa: BLE001 - the query may have ended meanwhile, and the connection does soon
        log.debug("The running query could not be cancelled: %s", type(error).__name__)


def _result(connection: Any, query: Query, stack: ExitStack) -> Result:
    """Execute the query; what has to be closed before the connection is given to ``stack``."""
    driver = _driver(connection)
    if driver == "psycopg":
        return _psycopg(connection, query, stack)
    if driver == "psycopg2":
        return _psycopg2(connection, query, stack)
    if driver in _MYSQL_DRIVERS:
        return _mysql(connection, query)
    if driver == "sqlite3":
        connection.execute("PRAGMA query_only = 1")
    return _any_driver(connection, query)


def _psycopg(connection: Any, query: Query, stack: ExitStack) -> Result:
    from psycopg.rows import tuple_row
    from psycopg.types.string import TextLoader

    connection.autocommit = False
    connection.read_only = True
    catalog = connection.cursor(row_factory=tuple_row)
    _prepare_postgres(catalog, connection.info.server_version)
    cursor = stack.enter_context(_closing(connection.cursor(_CURSOR_NAME, row_factory=tuple_row)))
    for oid in TEXT_OIDS:
        cursor.adapters.register_loader(oid, TextLoader)
    return _postgres_result(cursor, catalog, query)


def _psycopg2(connection: Any, query: Query, stack: ExitStack) -> Result:
    from psycopg2 import extensions

    connection.set_session(readonly=True, autocommit=False)
    catalog = connection.cursor(cursor_factory=extensions.cursor)
    _prepare_postgres(catalog, connection.server_version)
    cursor = stack.enter_context(_closing(connection.cursor(_CURSOR_NAME, cursor_factory=extensions.cursor)))
    as_text = extensions.new_type(TEXT_OIDS, "TEXT_OF_SERVER", lambda value, _: value)
    extensions.register_type(as_text, cursor)
    extensions.register_type(extensions.new_array_type(TEXT_ARRAY_OIDS, "TEXTS_OF_SERVER", as_text), cursor)
    return _postgres_result(cursor, catalog, query)


def _prepare_postgres(cursor: Any, server_version: int) -> None:
    """Let the transaction write dates and intervals as ISO has them, and end soon when this process is gone."""
    if server_version >= _KNOWS_STYLES_SINCE:
        cursor.execute("SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'")
    if server_version >= _CHECKS_CLIENT_SINCE:
        cursor.execute("SET LOCAL client_connection_check_interval = '5s'")


def _postgres_result(cursor: Any, catalog: Any, query: Query) -> Result:
    _execute(cursor, query)
    first = cursor.fetchmany(query.batch_rows)  # psycopg2 describes the columns only then
    described = _description(cursor)
    catalog.execute(
        "SELECT oid, format_type(oid, NULL) FROM pg_type WHERE oid = ANY(%s)", ([each[1] for each in described],)
    )
    names = dict(catalog.fetchall())
    columns = [postgres_column(each[0], each[1], each[4], each[5], names.get(each[1])) for each in described]
    return Result(tuple(columns), chain(first, _rows(cursor, query)))


def _mysql(connection: Any, query: Query) -> Result:
    """
    Read with a cursor that leaves the rows on the server until they are fetched.

    It is not closed: that would fetch all the rows that are left. Closing the connection does not.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
    if _driver(connection) == "mysql":
        cursor = connection.cursor(buffered=False)
    else:
        cursor = connection.cursor(import_module(f"{_driver(connection)}.cursors").SSCursor)
    _execute(cursor, query)
    described = _description(cursor)
    columns = [mysql_column(each[0], each[1], each[4] or each[3], each[5]) for each in described]
    return Result(tuple(columns), _rows(cursor, query))


def _any_driver(connection: Any, query: Query) -> Result:
    cursor = connection.cursor()
    _execute(cursor, query)
    return Result(tuple(Column(str(each[0])) for each in _description(cursor)), _rows(cursor, query))


def _execute(cursor: Any, query: Query) -> None:
    """Execute; without parameters the driver must not look for placeholders, for then a % would have to be doubled."""
    if query.parameters is None:
        cursor.execute(query.sql)
    else:
        cursor.execute(query.sql, query.parameters)


def _description(cursor: Any) -> Sequence[Any]:
    description: Sequence[Any] | None = cursor.description
    if not description:
        raise OSSInvalidArgument("sql returns no rows to export: it must be one query, such as SELECT ...")
    return description


def _rows(cursor: Any, query: Query) -> Iterator[Row]:
    while batch := cursor.fetchmany(query.batch_rows):
        yield from batch
