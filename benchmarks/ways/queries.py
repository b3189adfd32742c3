"""
What reads a query and writes a file, in a measured process: this package, and what it is compared with.

Each function prepares its work: a callable that writes the file to nowhere and returns how many rows it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from importlib import import_module
from typing import Any, Final

Work = Callable[[], dict[str, Any]]

_WARM_ROWS: Final = 10
_BATCH_ROWS: Final = 100_000
_FETCHED_ROWS: Final = 1000


class Nowhere:
    """A file that keeps nothing but its length."""

    closed = False

    def __init__(self) -> None:
        self._position = 0

    def write(self, data: Any) -> int:
        """Count the data."""
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how much was written."""
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is to be closed."""


def ours(driver: str, connection: dict[str, Any], sql: str, rows: int, file_format: str) -> Work:
    """Export without an upload: what would be sent is read to its end."""
    from airflow_provider_oss.cancellation import Cancellation
    from airflow_provider_oss.exports.formats import Split, parse_format
    from airflow_provider_oss.hooks.oss import OSSHook
    from airflow_provider_oss.model import ObjectRef, UploadResult
    from airflow_provider_oss.transfers.cursors import Query
    from airflow_provider_oss.transfers.export import Export, Wanted
    from airflow_provider_oss.transfers.query import Session

    class Drain(OSSHook):
        def resolve(self, key: str, bucket_name: str | None = None, *, storing: bool = False) -> ObjectRef:
            del bucket_name, storing
            return ObjectRef("bucket", key)

        def upload_stream(self, key: str, stream: Any, *_: Any, **__: Any) -> UploadResult:
            size = sum(map(len, stream()))
            empty = dict.fromkeys(("etag", "crc64", "version_id", "request_id"), "")
            return UploadResult(
                **empty, bucket="bucket", key=key, uri=f"oss://bucket/{key}", size=size, attempts=1, resumed=False,
                bytes_sent=size, bytes_verified=0, elapsed_seconds=0.0,
            )  # fmt: skip

    form = parse_format(file_format, None, None)
    arguments: Any = {"checkpoint": None, "cancellation": Cancellation()}

    def export(rows: int) -> dict[str, Any]:
        wanted = Wanted(Query(sql.format(rows=rows)), form, Split())
        session = Session(lambda: connect(driver, connection))
        return {"rows": Export(Drain(), session, wanted, {}, arguments).run("key", "bucket").rows}

    return _warm(export, rows)


def copied(driver: str, connection: dict[str, Any], sql: str, rows: int) -> Work:
    """Read PostgreSQL's own csv, as bare as the driver can."""

    def copy(rows: int) -> dict[str, Any]:
        statement = f"COPY ({sql.format(rows=rows)}) TO STDOUT WITH (FORMAT csv)"
        with closing(connect(driver, connection)) as connected, closing(connected.cursor()) as cursor:
            if driver == "psycopg2":
                cursor.copy_expert(statement, Nowhere())
            else:
                with cursor.copy(statement.encode()) as blocks:
                    for _ in blocks:
                        pass
            return {"rows": cursor.rowcount}

    return _warm(copy, rows)


def fetched(driver: str, connection: dict[str, Any], sql: str, rows: int) -> Work:
    """Fetch the rows and do nothing with them; of MySQL's drivers as the server sends them, where that can be set."""

    def fetch(rows: int) -> dict[str, Any]:
        with closing(connect(driver, connection)) as connected:
            cursor = _raw_cursor(driver, connected)
            cursor.execute(sql.format(rows=rows))
            return {"rows": sum(map(len, iter(lambda: cursor.fetchmany(_FETCHED_ROWS) or None, None)))}

    return _warm(fetch, rows)


def pandas(url: str, sql: str, rows: int, file_format: str) -> Work:
    """Read with pandas, chunk by chunk, as most exports that people write do."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)

    def export(rows: int) -> dict[str, Any]:
        with engine.connect().execution_options(stream_results=True) as connected:
            query = sqlalchemy.text(sql.format(rows=rows).replace(":", r"\:"))
            chunks = pd.read_sql_query(query, connected, chunksize=_BATCH_ROWS)
            if file_format == "csv":
                return {"rows": sum(_pandas_csv(chunk) for chunk in chunks)}
            import pyarrow as pa

            return _parquet(pa.Table.from_pandas(chunk).combine_chunks().to_batches()[0] for chunk in chunks)

    return _warm(export, rows)


def adbc(uri: str, sql: str, rows: int, file_format: str) -> Work:
    """Read by the ADBC driver of PostgreSQL, which gives Arrow."""
    from adbc_driver_postgresql import dbapi

    def export(rows: int) -> dict[str, Any]:
        with dbapi.connect(uri) as connected, connected.cursor() as cursor:
            cursor.execute(sql.format(rows=rows))
            return _WRITERS[file_format](map(_plain, cursor.fetch_record_batch()))

    return _warm(export, rows)


def connectorx(uri: str, sql: str, rows: int, file_format: str) -> Work:
    """Read by connectorx, which gives Arrow and holds all of it."""
    import connectorx

    def export(rows: int) -> dict[str, Any]:
        table = connectorx.read_sql(uri, sql.format(rows=rows), return_type="arrow")
        return _WRITERS[file_format](table.to_batches(_BATCH_ROWS))

    return _warm(export, rows)


def duckdb_batches(sql: str, rows: int) -> Work:
    """Write DuckDB's own record batches as Parquet."""
    import duckdb

    def export(rows: int) -> dict[str, Any]:
        with closing(duckdb.connect()) as connected:
            return _parquet(connected.sql(sql.format(rows=rows)).to_arrow_reader(_BATCH_ROWS))

    return _warm(export, rows)


def connect(driver: str, connection: dict[str, Any]) -> Any:
    """Return a connection of the driver's."""
    return import_module(driver).connect(**connection)


def _warm(export: Callable[[int], dict[str, Any]], rows: int) -> Work:
    """Return the work, after so little of it that all is imported."""
    export(_WARM_ROWS)
    return lambda: export(rows)


def _raw_cursor(driver: str, connected: Any) -> Any:
    if driver == "mysql.connector":
        return connected.cursor(buffered=False, raw=True)
    if driver == "pymysql":
        connected.decoders = {}
        return connected.cursor(import_module("pymysql.cursors").SSCursor)
    if driver == "MySQLdb":
        connected.converter = {}
        return connected.cursor(import_module("MySQLdb.cursors").SSCursor)
    return connected.cursor()


def _plain(batch: Any) -> Any:
    """Return the batch with its numerics as the text that ADBC makes of them."""
    import pyarrow as pa

    arrays = [getattr(array, "storage", array) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)


def _pandas_csv(chunk: Any) -> int:
    Nowhere().write(chunk.to_csv(index=False, header=False))
    return len(chunk)


def _csv(batches: Iterable[Any]) -> dict[str, Any]:
    from pyarrow import csv

    rows, sink = 0, Nowhere()
    options = csv.WriteOptions(include_header=False)
    for batch in batches:
        csv.write_csv(batch, sink, options)
        rows += batch.num_rows
    return {"rows": rows}


def _parquet(batches: Iterable[Any]) -> dict[str, Any]:
    from pyarrow import parquet

    rows, writer = 0, None
    for batch in batches:
        writer = writer or parquet.ParquetWriter(Nowhere(), batch.schema)
        writer.write_batch(batch)
        rows += batch.num_rows
    assert writer is not None
    writer.close()
    return {"rows": rows}


_WRITERS: Final = {"csv": _csv, "parquet": _parquet}
