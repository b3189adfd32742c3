"""What psycopg and psycopg2 do each in its own way: values, parameters, and how the lines of a COPY come."""

from __future__ import annotations

import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain, islice
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from typing_extensions import override

from airflow_provider_oss.cancellation import each_interruptible, interruptible
from airflow_provider_oss.exports.columns import Row
from airflow_provider_oss.exports.databases import TEXT_ARRAY_OIDS, is_text
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.drivers import POSTGRES, Reading, with_tokens

_CURSOR_NAME: Final = "airflow_oss_export"
_FIRST_MARK: Final = 100_000
"""More than a query may have parameters: one by number that is the user's own is not taken for ours."""
COPIES_SINCE: Final = 90600
"""PostgreSQL 9.6 has all that is asked for a COPY."""


class PostgresDriver(ABC):
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
        is executed. And where one without a type stands twice: PostgreSQL gives a parameter one type for all of its
        places, but each literal the one of its own.
        """

    @abstractmethod
    def copied(self, statement: str, batch_rows: int, stack: ExitStack) -> Iterator[bytes]:
        """Run a COPY; return the lines that come. Raises the driver's error where the database refuses it."""


class Psycopg(PostgresDriver):
    """psycopg 3, which sends parameters apart from the query."""

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
        if reading is not POSTGRES:
            return None  # the text of bytes has escapes of its own there
        given = query.parameters
        is_named = isinstance(given, Mapping)
        values = list(given.values() if is_named else given)
        marks = [_Mark(f"${_FIRST_MARK + index}") for index in range(len(values))]
        cursor = ClientCursor(self.connection)
        cursor.adapters.register_dumper(_Mark, _mark_dumper())
        marked = cursor.mogrify(query.sql, dict(zip(given, marks, strict=True)) if is_named else marks)
        used = (pair for pair in zip(marks, values, strict=True) if pair[0].text in marked)
        literals = {mark.text: self._literal(value) for mark, value in used}
        rest = with_tokens(marked, reading, dict.fromkeys(literals, ""))
        texts: dict[str, str] = {}
        for mark, literal in literals.items():
            if literal is None or mark in rest or (marked.count(mark) > 1 and not literal.has_type):
                return None
            texts[mark] = literal.text
        return with_tokens(marked, reading, texts)

    def _literal(self, value: Any) -> _Literal | None:
        """
        Return what means the same as the value that is sent apart from the query: its text, of the type it has.

        None for a type that psycopg has no name of.
        """
        from psycopg.adapt import PyFormat, Transformer
        from psycopg.pq import Escaping

        transformer = Transformer(self.connection)
        text = None if value is None else transformer.get_dumper(value, PyFormat.TEXT).dump(value)
        if text is None:
            return _Literal("NULL", has_type=False)
        literal = bytes(Escaping(self.connection.pgconn).escape_literal(text)).decode()
        oid = transformer.get_dumper(value, PyFormat.AUTO).oid
        if not oid:
            return _Literal(f"({literal})", has_type=False)
        known = self.connection.adapters.types.get(oid)
        if known is None:
            return None
        array = "[]" if oid == known.array_oid else ""
        return _Literal(f"({literal}::{known.regtype}{array})", has_type=True)

    @override
    def copied(self, statement: str, batch_rows: int, stack: ExitStack) -> Iterator[bytes]:
        with interruptible():
            lines = map(bytes, stack.enter_context(self.cursor().copy(statement)))
        return chain.from_iterable(each_interruptible(iter(lambda: list(islice(lines, batch_rows)), [])))


class _Literal(NamedTuple):
    """A value as it stands in a query: in parentheses, lest what stands beside it becomes a part of it."""

    text: str
    has_type: bool


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


class Psycopg2(PostgresDriver):
    """psycopg2, which writes parameters into the query."""

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
        rows: Sequence[Row] = cursor.fetchmany(0 if self.server_version >= COPIES_SINCE else query.batch_rows)
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
