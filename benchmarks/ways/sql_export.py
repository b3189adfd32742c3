"""How time and memory grow with the rows of an export from a real PostgreSQL, by file format."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from itertools import count
from typing import Any, Final

from benchmarks.charts import Line, Plot, lines
from benchmarks.rounds import Sink, running_sink
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.summary import MIB
from benchmarks.tables import markdown
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.spread import cell, spread

_ROWS: Final = {
    "csv": (250_000, 1_000_000, 4_000_000),
    "jsonl": (250_000, 1_000_000, 4_000_000),
    "parquet": (1_000_000, 4_000_000, 50_000_000),
}
_COPY: Final = "bare COPY as csv, then an upload from memory"
_COLUMNS: Final = """
n AS id, timestamptz '2026-01-01' + n * interval '1 second' AS at, md5(n::text) AS text,
((n % 10007) / 4.0)::numeric(12,2) AS amount, n % 3 = 0 AS flag, nullif(n % 7, 0) AS nullable
"""
_CONNECTION_ID: Final = "warehouse"

_MOST_TIME_GROWTH: Final = 1.15
_MOST_MEMORY_GROWTH: Final = 1.05
_MEMORY_SLACK_MIB: Final = 8
_MOST_OF_COPY: Final = 1.3


def run(options: Options) -> Result:
    """Export growing numbers of rows in every format."""
    from tests.support.postgres import running_postgres

    cases = [
        (name, max(1000, round(rows * options.scale)))
        for name, rows in [*((name, rows) for name in _ROWS for rows in _ROWS[name]), (_COPY, _ROWS["csv"][-1])]
    ]
    numbers = count()
    with running_sink() as sink, running_postgres() as postgres:
        connection = postgres.airflow_connection()
        rounds = [
            [_export(sink, connection, case, options, next(numbers)) for case in cases] for _ in range(options.rounds)
        ]
    found = [_row(case, [each[index] for each in rounds]) for index, case in enumerate(cases)]
    return Result(
        "sql_export",
        "rows of six columns from a PostgreSQL on this machine, streamed into one object, 8 MiB parts, 5 at a time; "
        f"past the imports; medians (ranges) of {options.rounds} rounds",
        _table(found),
        {"exports": found},
        _verdicts(found),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw memory and time against the number of rows, a line for each format."""

    def plotted(measured: str) -> list[Line]:
        return [
            Line(name, [(row["rows"] / 1e6, row[measured]["median"]) for row in _of_format(figures["exports"], name)])
            for name in _ROWS
        ]

    return lines(
        "What an export costs as it grows",
        [
            Plot("memory", "million rows", "MiB over the imports", plotted("peak_mib")),
            Plot("time", "million rows", "s", plotted("wall_seconds")),
            Plot("CPU of the task", "million rows", "s", plotted("cpu_seconds")),
        ],
    )


def export(
    endpoint: str, connection: str, rows: int, file_format: str, key: str, **resumable: Any
) -> Callable[[], dict[str, Any]]:
    """Prepare an export, after one of a few rows has loaded all that it needs; it returns how much it exported."""
    from airflow_provider_oss.cancellation import Cancellation
    from airflow_provider_oss.exports.formats import Split, parse_format
    from airflow_provider_oss.transfers.cursors import Query
    from airflow_provider_oss.transfers.export import Export, Wanted
    from airflow_provider_oss.transfers.query import Session
    from benchmarks.ways.ours import warm_hook

    hook, session = warm_hook(endpoint), Session(_connecting(connection))

    def work(rows: int, key: str) -> dict[str, Any]:
        wanted = Wanted(Query(_sql(rows)), parse_format(file_format, None, None), Split())
        arguments: Any = {"checkpoint": None, "cancellation": Cancellation(), **resumable}
        result = Export(hook, session, wanted, {}, arguments).run(key, None)
        return {"rows": result.rows, "bytes": result.bytes}

    work(10, "warm-export")
    return lambda: work(rows, key)


def copy(endpoint: str, connection: str, rows: int, key: str) -> Callable[[], dict[str, Any]]:
    """Prepare what an export cannot be below: the database's own csv, as bare as the driver can, and its upload."""
    from airflow_provider_oss.engine.source import BytesSource
    from benchmarks.ways.ours import warm_hook

    hook, connect = warm_hook(endpoint), _connecting(connection)

    def work(rows: int, key: str) -> dict[str, Any]:
        lines = BytesIO()
        with closing(connect()) as connected, closing(connected.cursor()) as cursor:
            with cursor.copy(f"COPY ({_sql(rows)}) TO STDOUT WITH (FORMAT csv)") as blocks:
                lines.writelines(blocks)
            count = cursor.rowcount
        result = hook.upload_source(key, BytesSource(lines.getvalue()))
        return {"rows": count, "bytes": result.size}

    work(10, "warm-copy")
    return lambda: work(rows, key)


def _sql(rows: int) -> str:
    return f"SELECT {_COLUMNS} FROM (SELECT generate_series(1, {rows}) AS n) AS numbers"  # noqa: S608 - our own text


def _connecting(connection: str) -> Callable[[], Any]:
    from airflow.sdk import BaseHook

    os.environ[f"AIRFLOW_CONN_{_CONNECTION_ID.upper()}"] = connection
    get_conn: Callable[[], Any] = BaseHook.get_hook(_CONNECTION_ID).get_conn
    return get_conn


def _export(sink: Sink, connection: str, case: tuple[str, int], options: Options, number: int) -> Measured:
    file_format, rows = case
    arguments: dict[str, Any] = {"endpoint": sink.endpoint, "connection": connection, "rows": rows}
    if file_format == _COPY:
        task = Task("benchmarks.ways.sql_export:copy", arguments | {"key": f"copy-{number}.csv"})
    else:
        own = {"file_format": file_format, "key": f"export-{number}.{file_format}"}
        task = Task("benchmarks.ways.sql_export:export", arguments | own)
    measured = measure(task, options.folder)
    assert measured.found["rows"] == rows, json.dumps(measured.found)
    return measured


def _row(case: tuple[str, int], runs: list[Measured]) -> dict[str, Any]:
    file_format, rows = case
    return {
        "file_format": file_format,
        "rows": rows,
        "bytes": runs[0].found["bytes"],
        **costs(runs),
        "cpu_microseconds_per_row": spread(each.usage.cpu_seconds * 1e6 / rows for each in runs),
    }


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['file_format']}, {row['rows'] / 1e6:g} million rows",
            f"{row['bytes'] / MIB:.1f}",
            cell(row["wall_seconds"]),
            cell(row["cpu_seconds"]),
            f"{row['cpu_microseconds_per_row']['median']:.2f}",
            cell(row["peak_mib"], 1),
        ]
        for row in found
    ]
    return markdown(["export", "MiB", "wall s", "CPU s", "CPU us a row", "+MiB"], rows)


def _verdicts(found: list[dict[str, Any]]) -> tuple[Verdict, ...]:
    verdicts = []
    for name in _ROWS:
        _, middle, large = _of_format(found, name)
        sizes = f"{large['rows'] / 1e6:g} million rows of {name}"
        verdicts += [
            at_most(
                f"peak memory at {sizes} at most 1.05 times that at {middle['rows'] / 1e6:g} million and 8 MiB",
                large["peak_mib"]["median"],
                _MOST_MEMORY_GROWTH * middle["peak_mib"]["median"] + _MEMORY_SLACK_MIB,
                "MiB",
            ),
            at_most(
                f"CPU a row at {sizes} at most 1.15 times that at {middle['rows'] / 1e6:g} million",
                large["cpu_microseconds_per_row"]["median"] / middle["cpu_microseconds_per_row"]["median"],
                _MOST_TIME_GROWTH,
            ),
        ]
    [least], most = _of_format(found, _COPY), _of_format(found, "csv")[-1]
    claim = "CPU of the whole task that exports csv at most 1.3 times that of a bare COPY and an upload from memory"
    return (*verdicts, at_most(claim, most["cpu_seconds"]["median"] / least["cpu_seconds"]["median"], _MOST_OF_COPY))


def _of_format(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in found if row["file_format"] == name]
