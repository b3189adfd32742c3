"""How DuckDB is read: values of which the driver loses nothing, and for Parquet as Arrow has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from airflow_provider_oss.cancellation import each_interruptible, interruptible
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.arrow import ArrowRows
from airflow_provider_oss.exports.columns import Row
from airflow_provider_oss.exports.databases import arrow_query, duckdb_column, exact_query, is_exact
from airflow_provider_oss.transfers.cursors import Query, QueryResult, description_of, execute, fetched

_NO_QUERIES: Final = ("CALL", "EXPLAIN", "PRAGMA")
"""Kinds of statements that answer with rows, and that no query can be made of."""


def duckdb_result(connection: Any, query: Query) -> QueryResult:
    """Read by the connection itself: only so it can be interrupted, and sees its temporary tables."""
    sql = _without_end(query.sql)
    if _kind(connection, sql) in _NO_QUERIES:
        return _without_select(connection, query)
    execute(connection, replace(query, sql=f"DESCRIBE {sql}"))  # which does not run it
    names, types = zip(*((each[0], connection.type(each[1])) for each in connection.fetchall()), strict=True)
    return QueryResult(
        tuple(map(duckdb_column, names, types)),
        _rows(connection, replace(query, sql=exact_query(sql, types))),
        arrow=_arrow_rows(connection, query, arrow_query(sql, types)),
    )


def _arrow_rows(connection: Any, query: Query, sql: str | None) -> ArrowRows | None:
    """Return the rows of the query of ``sql``; None when there is none, or no such way to read it."""
    if sql is None or not _gives_arrow():
        return None
    return ArrowRows(_record_batches(connection, replace(query, sql=sql)))


def _gives_arrow() -> bool:
    """Whether the driver is new enough: DuckDB 1 reads batches in another way."""
    return hasattr(import_module("duckdb").DuckDBPyRelation, "to_arrow_reader")


def _rows(connection: Any, query: Query) -> Iterator[Row]:
    execute(connection, query)
    yield from fetched(connection, query)


def _record_batches(connection: Any, query: Query) -> Iterator[Any]:
    with interruptible():
        reader = connection.sql(query.sql, params=query.parameters).to_arrow_reader(query.batch_rows)
    yield from each_interruptible(iter(reader))


def _kind(connection: Any, sql: str) -> str | None:
    """Return DuckDB's name for the kind of statement; None when it cannot read it."""
    try:
        [statement] = connection.extract_statements(sql)
    except (import_module("duckdb").Error, ValueError):
        return None
    return str(statement.type.name)


def _without_select(connection: Any, query: Query) -> QueryResult:
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
