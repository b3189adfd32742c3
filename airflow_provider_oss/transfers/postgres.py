"""
A query of PostgreSQL, by psycopg or psycopg2.

It is declared as a cursor of the server, by the user's text alone: so it is one query and reads only, and its columns
are known before it runs. Then its rows are fetched, or PostgreSQL writes them as csv itself (COPY), which costs a
tenth.
"""

from __future__ import annotations

import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from queue import SimpleQueue
from typing import Any, Final

from typing_extensions import override

from airflow_provider_oss.cancellation import each_interruptible, interruptible
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Column, Row
from airflow_provider_oss.exports.databases import TEXT_ARRAY_OIDS, is_text, may_have_text, postgres_column
from airflow_provider_oss.exports.formats import CsvFormat
from airflow_provider_oss.exports.postgres_copy import copy_statement
from airflow_provider_oss.shown import Log
from airflow_provider_oss.transfers.cursors import Query, QueryResult, closing, description_of, execute, fetched
from airflow_provider_oss.transfers.drivers import (
    POSTGRES,
    POSTGRES_WITH_ESCAPES,
    Reading,
    check_one_statement,
    is_no_utf8,
    refuses_copy,
    with_tokens,
    without_end,
)

log = Log(__name__)

_CURSOR_NAME: Final = "airflow_oss_export"
_FIRST_MARK: Final = 100_000
"""More than a query may have parameters: one by number that is the user's own is not taken for ours."""
_KNOWS_STYLES_SINCE: Final = 80400
"""PostgreSQL 8.4; databases that speak its protocol say that they are older when they have less."""
_KNOWS_ALL_DIGITS_SINCE: Final = 90000
"""PostgreSQL 9.0; from 12 on all digits is the default, but for a role that is set otherwise."""
_COPIES_SINCE: Final = 90600
"""PostgreSQL 9.6 has all that is asked for a COPY."""
_CHECKS_CLIENT_SINCE: Final = 140000
"""PostgreSQL 14 notices during a long query that its client is gone."""


def psycopg_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Declare the query by psycopg; what has to be closed before the connection is given to ``stack``."""
    return _Declared(_Psycopg(connection), query, stack).result()


def psycopg2_result(connection: Any, query: Query, stack: ExitStack) -> QueryResult:
    """Declare the query by psycopg2; what has to be closed before the connection is given to ``stack``."""
    return _Declared(_Psycopg2(connection), query, stack).result()


class _Driver(ABC):
    """What the drivers do each in its own way, with a connection whose transactions read only."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.server_version: int = connection.info.server_version

    def setting(self, name: str) -> str:
        """Return what the server reported of a setting."""
        return str(self.connection.info.parameter_status(name))

    @abstractmethod
    def cursor(self) -> Any:
        """Return a cursor of the client, whose rows are tuples."""

    @abstractmethod
    def declaring(self) -> Any:
        """Return a cursor of the server, whose values are those that exports write."""

    def first_rows(self, _cursor: Any, _query: Query) -> Sequence[Row]:
        """Return the rows that had to be fetched before a cursor that was executed describes its columns."""
        return ()

    @abstractmethod
    def bound(self, query: Query, reading: Reading) -> str | None:
        """
        Return the text of the query with its parameters in it, of the types that they have apart from it.

        None where a placeholder is in a comment or a literal: there it is no parameter, and a value would be text that
        is executed.
        """

    @abstractmethod
    def copied(self, statement: str, batch_rows: int, stack: ExitStack) -> Iterator[bytes]:
        """Run a COPY; return the lines that come. Raises the driver's error where the database refuses it."""


class _Psycopg(_Driver):
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        connection.autocommit = False
        connection.read_only = True
        connection.adapters.register_dumper(int, _integer_dumper())

    @override
    def cursor(self) -> Any:
        from psycopg.rows import tuple_row

        return self.connection.cursor(row_factory=tuple_row)

    @override
    def declaring(self) -> Any:
        from psycopg.rows import tuple_row
        from psycopg.types.string import TextLoader

        if self.connection.info.encoding != "utf-8":
            self.cursor().execute("SET LOCAL client_encoding = 'UTF8'")
        cursor = self.connection.cursor(_CURSOR_NAME, row_factory=tuple_row)
        known = {oid for info in cursor.adapters.types for oid in (info.oid, info.array_oid)}
        for oid in filter(is_text, known):
            cursor.adapters.register_loader(oid, TextLoader)
        return cursor

    @override
    def bound(self, query: Query, reading: Reading) -> str | None:
        from psycopg import ClientCursor

        if query.parameters is None:
            return query.sql
        given = query.parameters
        is_named = isinstance(given, Mapping)
        values = list(given.values() if is_named else given)
        marks = [_Mark(f"${_FIRST_MARK + index}") for index in range(len(values))]
        cursor = ClientCursor(self.connection)
        cursor.adapters.register_dumper(_Mark, _mark_dumper())
        marked = cursor.mogrify(query.sql, dict(zip(given, marks, strict=True)) if is_named else marks)
        literals = {mark.text: self._literal(value) for mark, value in zip(marks, values, strict=True)}
        rest = with_tokens(marked, reading, dict.fromkeys(literals, ""))
        return None if any(mark in rest for mark in literals) else with_tokens(marked, reading, literals)

    def _literal(self, value: Any) -> str:
        """Return what means the same as the value that is sent apart from the query: its text, of the type it has."""
        from psycopg.adapt import PyFormat, Transformer
        from psycopg.pq import Escaping

        transformer = Transformer(self.connection)
        text = None if value is None else transformer.get_dumper(value, PyFormat.TEXT).dump(value)
        if text is None:
            return "NULL"
        literal = bytes(Escaping(self.connection.pgconn).escape_literal(text)).decode()
        oid = transformer.get_dumper(value, PyFormat.AUTO).oid
        if not oid:
            return literal
        known = self.connection.adapters.types[oid]
        return f"{literal}::{known.regtype}{'[]' if oid == known.array_oid else ''}"

    @override
    def copied(self, statement: str, batch_rows: int, stack: ExitStack) -> Iterator[bytes]:
        with interruptible():
            lines = map(bytes, stack.enter_context(self.cursor().copy(statement)))
        return chain.from_iterable(each_interruptible(iter(lambda: list(islice(lines, batch_rows)), [])))


@dataclass(frozen=True, slots=True)
class _Mark:
    """What stands in a query in the place of a value: a parameter by number, as PostgreSQL has them."""

    text: str


def _mark_dumper() -> Any:
    from psycopg.adapt import Dumper

    class MarkDumper(Dumper):
        def dump(self, obj: _Mark) -> bytes:
            return obj.text.encode()

        quote = dump

    return MarkDumper


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


class _Psycopg2(_Driver):
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        connection.set_client_encoding("UTF8")
        connection.set_session(readonly=True, autocommit=False)

    @override
    def cursor(self) -> Any:
        from psycopg2 import extensions

        return self.connection.cursor(cursor_factory=extensions.cursor)

    @override
    def declaring(self) -> Any:
        from psycopg2 import extensions

        cursor = self.connection.cursor(_CURSOR_NAME, cursor_factory=extensions.cursor)
        known = {*extensions.string_types, *self.connection.string_types}
        as_text = extensions.new_type(tuple(filter(is_text, known)), "TEXT_OF_SERVER", lambda value, _: value)
        extensions.register_type(as_text, cursor)
        extensions.register_type(extensions.new_array_type(TEXT_ARRAY_OIDS, "TEXTS_OF_SERVER", as_text), cursor)
        return cursor

    @override
    def first_rows(self, cursor: Any, query: Query) -> Sequence[Row]:
        rows: Sequence[Row] = cursor.fetchmany(0 if self.server_version >= _COPIES_SINCE else query.batch_rows)
        return rows

    @override
    def bound(self, query: Query, _reading: Reading) -> str:
        text: bytes = self.cursor().mogrify(query.sql, query.parameters)
        return text.decode()

    @override
    def copied(self, statement: str, batch_rows: int, stack: ExitStack) -> Iterator[bytes]:
        pushed = _PushedLines(self.cursor(), statement, batch_rows)
        stack.callback(pushed.stop)
        batches = each_interruptible(iter(pushed.batch, []))
        return chain.from_iterable(chain([next(batches, [])], batches))  # the first says whether it is refused


class _PushedLines:
    """
    The lines of a COPY, which psycopg2 pushes into a file: a thread's, which waits until a batch is asked for.

    What stands between the threads are queues that a signal handler may interrupt at any instruction.
    """

    def __init__(self, cursor: Any, statement: str, batch_rows: int) -> None:
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._given: SimpleQueue[list[bytes] | Exception] = SimpleQueue()
        self._batch: list[bytes] = []
        self._is_over = False
        self._socket = socket.socket(fileno=os.dup(cursor.connection.fileno()))
        self._collector = self._collect(batch_rows)
        self.write = self._collector.send
        """Called by psycopg2 for each line."""
        self._thread = threading.Thread(target=self._copy, args=(cursor, statement), name="copy-query", daemon=True)
        self._thread.start()

    def batch(self) -> list[bytes]:
        """Return the next lines; none at the end. Raises what the driver raised."""
        self._asked.put(item=True)
        given = self._given.get()
        if isinstance(given, Exception):
            raise given
        return given

    def stop(self) -> None:
        """End the thread, wherever it waits. Unless all was read, the connection is of no use afterwards."""
        self._asked.put(item=False)
        if not self._is_over:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _copy(self, cursor: Any, statement: str) -> None:
        end: list[bytes] | Exception = []
        try:
            next(self._collector)
            cursor.copy_expert(statement, self)
        except Exception as error:  # noqa: BLE001 - it is raised where lines are asked for
            end = error
        self._is_over = True
        if self._batch:
            self._given.put(self._batch)
        self._given.put(end)

    def _collect(self, batch_rows: int) -> Generator[None, bytes, None]:
        """Collect the lines that are sent in; ends, which ends the COPY, when no more are asked for."""
        while self._asked.get():
            batch: list[bytes] = []
            self._batch = batch
            add = batch.append
            for _ in range(batch_rows):
                add((yield))
            self._batch = []
            self._given.put(batch)


class _Declared:
    """A query that the database accepted as one, and knows by a cursor."""

    def __init__(self, driver: _Driver, query: Query, stack: ExitStack) -> None:
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
        execute(self._cursor, self._query)
        with _text_in_utf8(()):
            self._first = self._driver.first_rows(self._cursor, self._query)
        self._described = description_of(self._cursor)

    @property
    def _may_copy(self) -> bool:
        return self._driver.server_version >= _COPIES_SINCE and self._driver.setting("server_encoding") != "SQL_ASCII"

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

    def _lines(self, columns: Sequence[Column], indices: Sequence[int], form: CsvFormat) -> Iterator[bytes] | None:
        """Return the lines of the csv, without its header; None where they are not those that are promised."""
        bound = self._driver.bound(self._query, self._reading) if self._may_copy else None
        if bound is None:
            return None
        statement = copy_statement(without_end(bound, self._reading), columns, indices, form)
        if statement is None:
            return None
        lines = self._copied(statement)
        if lines is None or form.line_ending == "\n":
            return lines
        ending = form.line_ending.encode()
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
