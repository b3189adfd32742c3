"""
A query of PostgreSQL, by psycopg or psycopg2.

It is declared as a cursor of the server, by the user's text alone: so it is one query and reads only, and its columns
are known before it runs. Then its rows are fetched, or PostgreSQL writes them as lines itself (COPY), which costs a
fraction of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Row
from airflow_provider_oss.exports.databases import may_have_text, postgres_column
from airflow_provider_oss.exports.formats import FileFormat
from airflow_provider_oss.exports.postgres_copy import copy_statement
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult, closing, description_of, execute, fetched
from airflow_provider_oss.transfers.drivers import (
    POSTGRES,
    POSTGRES_WITH_ESCAPES,
    check_one_statement,
    is_no_utf8,
    refuses_copy,
    without_end,
)
from airflow_provider_oss.transfers.postgres_drivers import COPIES_SINCE, PostgresDriver, Psycopg, Psycopg2

log = Log(__name__)

_KNOWS_STYLES_SINCE: Final = 80400
"""PostgreSQL 8.4; databases that speak its protocol say that they are older when they have less."""
_KNOWS_ALL_DIGITS_SINCE: Final = 90000
"""PostgreSQL 9.0; from 12 on all digits is the default, but for a role that is set otherwise."""
_CHECKS_CLIENT_SINCE: Final = 140000
"""PostgreSQL 14 notices during a long query that its client is gone."""


def psycopg_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Declare the query by psycopg; what has to be closed before the connection is given to ``stack``."""
    return _Declared(Psycopg(connection), query, stack).result()


def psycopg2_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Declare the query by psycopg2; what has to be closed before the connection is given to ``stack``."""
    return _Declared(Psycopg2(connection), query, stack).result()


class _Declared:
    """A query that the database accepted as one, and knows by a cursor."""

    def __init__(self, driver: PostgresDriver, query: Query, stack: ExitStack) -> None:
        self._driver = driver
        self._query = query
        self._stack = stack
        has_escapes = driver.setting("standard_conforming_strings") == "off"
        self._reading = POSTGRES_WITH_ESCAPES if has_escapes else POSTGRES
        check_one_statement(query.sql, self._reading)  # psycopg2 sends whole texts, so the server does not see to it
        self._declare()

    def _declare(self) -> None:
        """Begin a transaction and declare the cursor in it."""
        self._catalog = self._driver.cursor()
        _prepare(self._catalog, self._driver.server_version)
        self._cursor = self._stack.enter_context(closing(self._driver.declaring()))
        execute(self._cursor, self._query, self._reading)
        with _text_in_utf8(()):
            self._first = self._driver.first_rows(self._cursor, self._query)
        self._described = description_of(self._cursor)

    @property
    def _may_copy(self) -> bool:
        return self._driver.server_version >= COPIES_SINCE and self._driver.setting("server_encoding") != "SQL_ASCII"

    def result(self) -> QueryResult:
        """Return the columns; the rows are fetched, or copied, when they are asked for."""
        self._catalog.execute(
            "SELECT oid, format_type(oid, NULL) FROM pg_type WHERE oid = ANY(%s)",
            ([each[1] for each in self._described],),
        )
        names = dict(self._catalog.fetchall())
        columns = tuple(
            postgres_column(each[0], each[1], each[4], each[5], names.get(each[1])) for each in self._described
        )
        return QueryResult(columns, self._rows(), lambda indices, form: self._lines(columns, indices, form))

    def _rows(self) -> Iterator[Row]:
        yield from self._first
        with _text_in_utf8(self._described):
            yield from fetched(self._cursor, self._query)

    def _lines(self, columns: Sequence[Column], indices: Sequence[int], form: FileFormat) -> Iterator[bytes] | None:
        """Return the lines that the file is made of; None where it would not be the one that is promised."""
        bound = self._driver.bound(self._query, self._reading) if self._may_copy else None
        if bound is None:
            return None
        statement = copy_statement(without_end(bound, self._reading), columns, indices, form)
        if statement is None:
            return None
        lines = self._copied(statement)
        if lines is None or form.csv.line_ending == "\n":
            return lines
        ending = form.csv.line_ending.encode()
        return (line[:-1] + ending for line in lines)

    def _has_timeout(self) -> bool:
        """Whether a statement has to end in time: a fetch is one, while a COPY lasts as long as its upload."""
        self._catalog.execute("SHOW statement_timeout")
        return bool(self._catalog.fetchone() != ("0",))

    def _copied(self, statement: str) -> Iterator[bytes] | None:
        """Run the COPY, or return None; where the database has none such, the query is declared anew."""
        try:
            if self._has_timeout():
                return None
            # As those of a cursor, plans are not parallel: sums of floats are the same each time, and so is the order
            self._catalog.execute("SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off")
            return self._driver.copied(statement, self._query.batch_rows, self._stack)
        except Exception as error:
            if not refuses_copy(error):
                raise
            log.info("The database refuses to COPY (%s), so the rows are fetched", type(error).__name__)
        self._cursor.close()
        self._driver.connection.rollback()
        self._declare()
        return None


def _prepare(cursor: Any, server_version: int) -> None:
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
