"""Exports beside what they are measured by: the database's own COPY, rows and record batches; and beside others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks.charts import Bar, Panel, bars
from benchmarks.suite import Options, Result, Verdict, at_most
from benchmarks.tables import markdown
from benchmarks.ways.processes import Measured, Task, costs, measure
from benchmarks.ways.spread import Spread, cell

_NUMBERED: Final = """SELECT n AS id, timestamptz '2026-01-01' + n * interval '1 second' AS at, md5(n::text) AS text,
((n % 10007) / 4.0)::numeric(12,2) AS amount, n % 3 = 0 AS flag, nullif(n % 7, 0) AS nullable
FROM (SELECT generate_series(1, {rows}) AS n) AS numbers"""
_POSTGRES_ROWS: Final = 2_000_000
_DUCKDB: Final = """SELECT range AS id, TIMESTAMPTZ '2026-01-01' + to_seconds(range) AS at, md5(range::VARCHAR) AS text,
(range % 10007 / 4)::DECIMAL(12,2) AS amount, range % 3 = 0 AS flag, nullif(range % 7, 0) AS nullable
FROM range({rows})"""
_DUCKDB_ROWS: Final = 2_000_000
_PLAIN: Final = "SELECT * FROM numbers LIMIT {rows}"
_SQLITE_ROWS: Final = 1_000_000
_MARIADB_TABLE: Final = """CREATE TABLE numbers AS SELECT seq AS id,
TIMESTAMP('2026-01-01') + INTERVAL seq SECOND AS at, MD5(seq) AS text, CAST(seq % 10007 / 4 AS DECIMAL(12,2)) AS amount,
seq % 3 = 0 AS flag, NULLIF(seq % 7, 0) AS nullable FROM seq_1_to_{rows}"""
_MARIADB_ROWS: Final = 300_000
_MARIADB_DRIVERS: Final = {"MySQLdb": "mysqlclient", "pymysql": "PyMySQL", "mysql.connector": "mysql-connector"}

_MOST_OF_COPY: Final = 1.3
_MOST_OF_BATCHES: Final = 1.3


@dataclass(frozen=True, slots=True)
class _Case:
    """An export by one tool."""

    group: str
    """What is exported, from where."""
    tool: str
    function: str
    """Of ``benchmarks.ways.queries``."""
    arguments: dict[str, Any]


def run(options: Options) -> Result:
    """Export without an upload: what is compared is reading and writing rows."""
    with _cases(options) as cases:
        rounds = [[_measure(case, options) for case in cases] for _ in range(options.rounds)]
    found = [_row(case, [each[index] for each in rounds]) for index, case in enumerate(cases)]
    return Result(
        "exports",
        "exports without an upload, what they write is dropped; CPU of the client's process past its imports; "
        f"medians (ranges) of {options.rounds} rounds that alternate",
        _table(found),
        {"exports": found},
        _verdicts(found),
    )


def chart(figures: dict[str, Any]) -> bytes:
    """Draw what an export from PostgreSQL costs, by csv and by Parquet."""
    groups = ["PostgreSQL, csv", "PostgreSQL, parquet"]
    tools = list(dict.fromkeys(row["tool"] for row in figures["exports"] if row["group"] in groups))
    panels = [Panel(f"{group}: CPU s", [_bar(figures["exports"], group, tool) for tool in tools]) for group in groups]
    return bars("Two million rows of six columns", tools, panels, [tool for tool in tools if _is_ours(tool)])


@contextmanager
def _cases(options: Options) -> Iterator[list[_Case]]:
    from tests.support.mariadb import running_mariadb
    from tests.support.postgres import running_postgres

    with running_postgres() as postgres, running_mariadb() as mariadb:
        _fill(mariadb, round(_MARIADB_ROWS * options.scale))
        connection = _mariadb(mariadb)
        sqlite = options.folder / "numbers.sqlite"
        _fill_sqlite(sqlite, round(_SQLITE_ROWS * options.scale))
        yield [
            *_of_postgres(postgres, round(_POSTGRES_ROWS * options.scale)),
            *_of_duckdb(round(_DUCKDB_ROWS * options.scale)),
            *_of_rows("SQLite", "sqlite3", "sqlite3", {"database": str(sqlite)}, round(_SQLITE_ROWS * options.scale)),
            *(
                case
                for driver, name in _MARIADB_DRIVERS.items()
                if find_spec(driver.partition(".")[0])
                for case in _of_rows("MariaDB", driver, name, connection, round(_MARIADB_ROWS * options.scale))
            ),
        ]


def _of_postgres(server: Any, rows: int) -> Iterator[_Case]:
    from tests.support.postgres import DATABASE, USER

    connection = {"host": str(server.folder), "user": USER, "dbname": DATABASE}
    query = {"sql": _NUMBERED, "rows": rows}
    uri = f"postgresql://{USER}@{str(server.folder).replace('/', '%2F')}/{DATABASE}"
    for file_format in ("csv", "parquet"):
        group = f"PostgreSQL, {file_format}"
        for driver in ("psycopg2", "psycopg"):
            arguments = {"driver": driver, "connection": connection, **query}
            if file_format == "csv":
                yield _Case(group, f"bare COPY, {driver}", "copied", arguments)
            yield _Case(group, f"ours, {driver}", "ours", arguments | {"file_format": file_format})
        yield _Case(group, "ADBC", "adbc", {"uri": uri, **query, "file_format": file_format})
        yield _Case(group, "connectorx", "connectorx", {"uri": uri, **query, "file_format": file_format})
        yield _Case(group, "pandas", "pandas", {"url": server.url("psycopg2"), **query, "file_format": file_format})


def _of_duckdb(rows: int) -> Iterator[_Case]:
    query = {"sql": _DUCKDB, "rows": rows}
    yield _Case("DuckDB, parquet", "its batches, by pyarrow", "duckdb_batches", query)
    ours = {"driver": "duckdb", "connection": {}, **query}
    yield _Case("DuckDB, parquet", "ours", "ours", ours | {"file_format": "parquet"})


def _of_rows(database: str, driver: str, name: str, connection: dict[str, Any], rows: int) -> Iterator[_Case]:
    query = {"driver": driver, "connection": connection, "sql": _PLAIN, "rows": rows}
    yield _Case(f"{database}, rows", f"bare fetch, {name}", "fetched", query)
    for file_format in ("csv", "jsonl"):
        yield _Case(f"{database}, {file_format}", f"ours, {name}", "ours", query | {"file_format": file_format})


def _fill(server: Any, rows: int) -> None:
    server.execute(_MARIADB_TABLE.format(rows=rows))


def _fill_sqlite(path: Path, rows: int) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE numbers AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?) "
            "SELECT id, datetime('2026-01-01', id || ' seconds') AS at, hex(id * 7919) || hex(id) AS text, "
            "id % 10007 / 4.0 AS amount, id % 3 = 0 AS flag, nullif(id % 7, 0) AS nullable FROM n",
            (rows,),
        )
    connection.close()


def _mariadb(server: Any) -> dict[str, Any]:
    from tests.support.mariadb import DATABASE

    return {"unix_socket": str(server.socket), "user": "root", "database": DATABASE}


def _measure(case: _Case, options: Options) -> Measured:
    measured = measure(Task(f"benchmarks.ways.queries:{case.function}", case.arguments), options.folder)
    rows = case.arguments["rows"]
    assert measured.found["rows"] == rows, f"{case}: {measured.found}"
    return measured


def _row(case: _Case, runs: list[Measured]) -> dict[str, Any]:
    return {
        "group": case.group,
        "tool": case.tool,
        "rows": case.arguments["rows"],
        **costs(runs),
    }


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{row['group']}: {row['tool']}",
            f"{row['rows'] / 1e6:g}",
            cell(row["wall_seconds"]),
            cell(row["cpu_seconds"]),
            cell(row["peak_mib"], 1),
        ]
        for row in found
    ]
    return markdown(["export", "million rows", "wall s", "CPU s", "+MiB"], rows)


def _verdicts(found: list[dict[str, Any]]) -> tuple[Verdict, ...]:
    def cpu(group: str, tool: str) -> float:
        return _spread_of(found, group, tool)["median"]

    copies = [
        at_most(
            f"csv of PostgreSQL by {driver}: CPU at most {_MOST_OF_COPY} times that of the same driver's bare COPY",
            cpu("PostgreSQL, csv", f"ours, {driver}") / cpu("PostgreSQL, csv", f"bare COPY, {driver}"),
            _MOST_OF_COPY,
        )
        for driver in ("psycopg2", "psycopg")
    ]
    batches = at_most(
        f"Parquet of DuckDB: CPU at most {_MOST_OF_BATCHES} times that of its record batches, written by pyarrow",
        cpu("DuckDB, parquet", "ours") / cpu("DuckDB, parquet", "its batches, by pyarrow"),
        _MOST_OF_BATCHES,
    )
    return (*copies, batches)


def _spread_of(found: list[dict[str, Any]], group: str, tool: str) -> Spread:
    [row] = [row for row in found if (row["group"], row["tool"]) == (group, tool)]
    values: Spread = row["cpu_seconds"]
    return values


def _bar(found: list[dict[str, Any]], group: str, tool: str) -> Bar:
    """Return the bar; an empty one where the tool does not write that."""
    if not any((row["group"], row["tool"]) == (group, tool) for row in found):
        return Bar(0, 0, 0)
    return Bar(**_spread_of(found, group, tool))


def _is_ours(tool: str) -> bool:
    return tool.startswith("ours")
