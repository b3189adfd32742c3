"""A query of PostgreSQL, by psycopg or psycopg2, read with a cursor of the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any, Final

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Row
from airflow_provider_oss.exports.databases import TEXT_ARRAY_OIDS, is_text, may_have_text, postgres_column
from airflow_provider_oss.transfers.cursors import Query, QueryResult, closing, description_of, execute, fetched
from airflow_provider_oss.transfers.drivers import POSTGRES_WITH_ESCAPES, check_one_statement, is_no_utf8

_CURSOR_NAME: Final = "airflow_oss_export"
_KNOWS_STYLES_SINCE: Final = 80400
"""PostgreSQL 8.4; databases that speak its protocol say that they are older when they have less."""
_KNOWS_ALL_DIGITS_SINCE: Final = 90000
"""PostgreSQL 9.0; from 12 on all digits is the default, but for a role that is set otherwise."""
_CHECKS_CLIENT_SINCE: Final = 140000
"""PostgreSQL 14 notices during a long query that its client is gone."""


def psycopg_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Execute the query by psycopg; what has to be closed before the connection is given to ``stack``."""
    from psycopg.rows import tuple_row
    from psycopg.types.string import TextLoader

    connection.autocommit = False
    connection.read_only = True
    catalog = connection.cursor(row_factory=tuple_row)
    if connection.info.encoding != "utf-8":
        catalog.execute("SET LOCAL client_encoding = 'UTF8'")
    _prepare_postgres(catalog, connection.info.server_version)
    cursor = stack.enter_context(closing(connection.cursor(_CURSOR_NAME, row_factory=tuple_row)))
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


def psycopg2_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """
    Execute the query by psycopg2; what has to be closed before the connection is given to ``stack``.

    This driver sends whole texts: that it holds one statement is for us to see, as the session reads it.
    """
    from psycopg2 import extensions

    if connection.info.parameter_status("standard_conforming_strings") == "off":
        check_one_statement(query.sql, POSTGRES_WITH_ESCAPES)
    connection.set_client_encoding("UTF8")
    connection.set_session(readonly=True, autocommit=False)
    catalog = connection.cursor(cursor_factory=extensions.cursor)
    _prepare_postgres(catalog, connection.server_version)
    cursor = stack.enter_context(closing(connection.cursor(_CURSOR_NAME, cursor_factory=extensions.cursor)))
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
    execute(cursor, query)
    with _text_in_utf8(cursor.description or ()):
        first = cursor.fetchmany(query.batch_rows)  # psycopg2 describes the columns only then
    described = description_of(cursor)
    catalog.execute(
        "SELECT oid, format_type(oid, NULL) FROM pg_type WHERE oid = ANY(%s)", ([each[1] for each in described],)
    )
    names = dict(catalog.fetchall())
    columns = [postgres_column(each[0], each[1], each[4], each[5], names.get(each[1])) for each in described]
    return QueryResult(tuple(columns), chain(first, _postgres_rows(cursor, query, described)))


def _postgres_rows(cursor: Any, query: Query, described: Sequence[Any]) -> Iterator[Row]:
    with _text_in_utf8(described):
        yield from fetched(cursor, query)


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
