"""A query, and how its rows are read with any DB-API cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from airflow_provider_oss.cancellation import each_interruptible, interruptible
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.arrow import ArrowRows
from airflow_provider_oss.exports.columns import Column, Row
from airflow_provider_oss.exports.formats import FileFormat
from airflow_provider_oss.transfers.drivers import READINGS, Reading, as_wrong_query, check_one_statement

DEFAULT_BATCH_ROWS: Final = 1000
_MOST_BATCH_ROWS: Final = 2**31 - 1
"""Drivers count in a C int."""


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


def _fetched_only(_indices: Sequence[int], _form: FileFormat) -> None:
    """Return no lines: most databases write none."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query: what its columns are, then its rows, to be read once, in one form or the other."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]
    lines: Callable[[Sequence[int], FileFormat], Iterator[bytes] | None] = _fetched_only
    """
    In place of the rows: the database writes the columns at these indices as lines, of which the format makes the same
    file (``file_of_lines``). None where it cannot; then the rows are there to be read.
    """
    text_rows: Iterator[Row] | None = None
    """
    The same for csv and jsonl: what these write as the database does is text, without the detour by a Python object.

    None where that is so in ``rows`` too.
    """
    arrow: ArrowRows | None = None
    """The same for Parquet; None where the database has no such form, or one that loses something."""


@contextmanager
def closing(closable: Any) -> Iterator[Any]:
    """Close at the end, and say nothing when that fails: all has been read, or an error is under way already."""
    try:
        yield closable
    finally:
        with suppress(Exception):
            closable.close()


def execute(cursor: Any, query: Query, reading: Reading | None = None) -> None:
    """
    Execute; without parameters the driver must not look for placeholders, for then a % would have to be doubled.

    A driver that writes parameters into the text is to make one statement of it, by ``reading``: in a comment or in
    quotes of the query's own a parameter could end it.

    Raises OSSInvalidArgument where the driver says that the query is wrong, else what the driver raises.
    """
    has_parameters = query.parameters is not None
    arguments = (query.sql, query.parameters) if has_parameters else (query.sql,)
    try:
        if reading is not None and has_parameters and hasattr(cursor, "mogrify"):
            check_one_statement(_text(cursor.mogrify(*arguments)), reading)
        with interruptible():
            cursor.execute(*arguments)
    except Exception as error:
        wrong = as_wrong_query(error, has_parameters=has_parameters)
        if wrong is None:
            raise
        raise wrong from (None if has_parameters else error)


def _text(sql: str | bytes) -> str:
    return sql if isinstance(sql, str) else sql.decode()


def description_of(cursor: Any) -> Sequence[Any]:
    """Return what the cursor says of the columns. Raises OSSInvalidArgument when there are none."""
    description: Sequence[Any] | None = cursor.description
    if not description:
        raise OSSInvalidArgument("sql returns no rows to export: it must be one query, such as SELECT ...")
    return description


def fetched(cursor: Any, query: Query) -> Iterator[Row]:
    """Return the rows that are left, a batch of which is in memory."""
    return chain.from_iterable(batches_of(cursor, query))


def batches_of(cursor: Any, query: Query) -> Iterator[Sequence[Any]]:
    """Return the rows that are left, as many at once as the query says."""
    return each_interruptible(iter(lambda: cursor.fetchmany(query.batch_rows) or None, None))
