"""A session that reads one query in constant memory, over any DB-API connection: none may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column
from airflow_provider_oss.shown import Log, a_type
from airflow_provider_oss.transfers.cursors import (
    Query,
    QueryResult,
    batches_of,
    closing,
    description_of,
    execute,
)
from airflow_provider_oss.transfers.drivers import (
    DUCKDB_DRIVERS,
    MYSQL_DRIVERS,
    READING_OF,
    as_undecoded,
    check_one_statement,
    driver_of,
    in_order,
)
from airflow_provider_oss.transfers.duckdb import duckdb_result
from airflow_provider_oss.transfers.mysql import mysql_result
from airflow_provider_oss.transfers.postgres import psycopg2_result, psycopg_result

log = Log(__name__)


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
        return mysql_result(connection, query, stack)
    if driver in DUCKDB_DRIVERS:
        return duckdb_result(connection, query)
    if driver == "sqlite3":
        connection.execute("PRAGMA query_only = 1")
    return _any_driver(connection, query)


def _any_driver(connection: Any, query: Query) -> QueryResult:
    cursor = connection.cursor()
    with _decoded():
        execute(cursor, query)
    names = [each[0] for each in description_of(cursor)]
    batches = (in_order(batch, names) for batch in _decoded_batches(cursor, query))
    return QueryResult(tuple(Column(str(name)) for name in names), chain.from_iterable(batches))


def _decoded_batches(cursor: Any, query: Query) -> Iterator[Sequence[Any]]:
    with _decoded():
        yield from batches_of(cursor, query)


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
