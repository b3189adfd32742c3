"""PostgreSQL's own csv, by both drivers: byte for byte what is written of rows that are fetched."""

from __future__ import annotations

import datetime as dt
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.numeric import FloatDumper

from airflow_provider_oss.cancellation import Cancellation, obeying
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSUploadCancelled
from airflow_provider_oss.exports.formats import FileFormat, Split, parse_format
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.transfers.cursors import Query, QueryResult
from airflow_provider_oss.transfers.export import Export, ExportResult, Wanted
from airflow_provider_oss.transfers.query import Session
from tests.conftest import connection_json
from tests.support.postgres import DATABASE, USER, PostgresServer
from tests.support.waiting import wait_until
from tests.transfers.test_postgres_types import DRIVERS, LITERALS, each_driver

pytestmark = pytest.mark.xdist_group("postgres")

BY_FETCHES = "-c statement_timeout=600000"
"""Of a session whose statements have to end in time the rows are fetched."""


CSV = parse_format("csv", None, None)
PARQUET = parse_format("parquet", None, None)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions of a server by one driver."""

    postgres: PostgresServer
    driver: str
    database: str = DATABASE
    user: str = USER

    def session(self, options: str = "") -> Session:
        def connect() -> Any:
            return DRIVERS[self.driver](
                host=str(self.postgres.folder), user=self.user, dbname=self.database, options=options
            )

        return Session(connect)

    @contextmanager
    def reading(
        self, sql: str, parameters: Any = None, batch_rows: int = 3, options: str = ""
    ) -> Iterator[QueryResult]:
        with self.session(options).read(Query(sql, parameters, batch_rows)) as result:
            yield result

    def fetched(self, sql: str, parameters: Any = None, form: FileFormat = CSV) -> bytes:
        """Return the csv of rows that were fetched."""
        with self.reading(sql, parameters) as result:
            return b"".join(form.file_bytes(result.columns, [list(result.rows)]))

    def copied(self, sql: str, parameters: Any = None, form: FileFormat = CSV) -> bytes | None:
        """Return the csv that PostgreSQL wrote; None when it did not."""
        with self.reading(sql, parameters) as result:
            lines = result.lines(range(len(result.columns)), form)
            return None if lines is None else b"".join(form.file_of_lines(result.columns, filter(None, [list(lines)])))


@pytest.fixture(params=DRIVERS)
def sessions(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[Sessions]:
    yield Sessions(postgres, request.param)
    assert "copy-query" not in {thread.name for thread in threading.enumerate()}
    postgres.wait_until_released()


# The same bytes

FORMS = {
    "{0}": set(),
    "NULL::{1}": set(),
    "ARRAY[{0}, NULL]": {"bytea", "timetz", "oid"},
    "ARRAY[ARRAY[{0}]]": {"bytea", "timetz", "oid"},
    "ARRAY[{0}] || ARRAY[]::{1}[]": {"bytea", "timetz", "oid"},
    "array_fill({0}, ARRAY[2], ARRAY[0])": {"bytea", "timetz", "oid"},
}
"""Forms of values, and the types of which PostgreSQL writes none that are the export's."""


@pytest.mark.parametrize("form", FORMS)
def test_every_type(sessions: Sessions, form: str) -> None:
    """Of each type of the catalog, and arrays of it, both ways give the same; few are only fetched."""
    types = {name: f'pg_catalog."{name}"' for name in LITERALS}
    values = {name: form.format(f"{LITERALS[name]}::{types[name]}", types[name]) for name in types}
    for name in FORMS[form]:
        assert sessions.copied(f"SELECT {values.pop(name)} AS a, 1 AS b") is None
    sql = f"SELECT {', '.join(f'{value} AS c{index}' for index, value in enumerate(values.values()))}"
    assert sessions.copied(sql) == sessions.fetched(sql)


def test_types_of_users(sessions: Sessions) -> None:
    """So do enums, composites, domains, and arrays of them."""
    sessions.postgres.execute("DROP SCHEMA IF EXISTS copied CASCADE")
    sessions.postgres.execute("CREATE SCHEMA copied")
    sessions.postgres.execute("CREATE TYPE copied.mood AS ENUM ('sad', 'o,k')")
    sessions.postgres.execute("CREATE TYPE copied.pair AS (a int, b timestamptz)")
    sessions.postgres.execute("CREATE DOMAIN copied.yes AS bool")
    sessions.postgres.execute("CREATE DOMAIN copied.at AS timestamptz")
    value = "'o,k'::copied.mood", "(1, now())::copied.pair", "true::copied.yes", "'2026-01-01'::copied.at"
    sql = f"SELECT {', '.join(value)}, {', '.join(f'ARRAY[{each}]' for each in value if 'now' not in each)}"
    sql = sql.replace("now()", "timestamptz '2026-01-01 00:00+00'")
    assert sessions.copied(sql) == sessions.fetched(sql)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.text(
    "',;\"|\\.\t\r\nNULx ", max_size=4
)
OFFSETS = st.builds("{:+03}:{:02}".format, st.integers(-15, 15), st.sampled_from([0, 0, 30, 45]))
CLOCKS = st.times().map(str)
DAYS = (
    st.dates().map(str)
    | st.sampled_from(["infinity", "-infinity"])
    | st.builds("{:04}-01-02 BC".format, st.integers(1, 4000))
    | st.builds("{}-12-31".format, st.integers(10_000, 200_000))
)
MOMENTS = (
    st.sampled_from(["infinity", "-infinity"])
    | st.datetimes().map(str)
    | st.builds("{1:04}-03-04 {0} BC".format, CLOCKS, st.integers(1, 4000))
    | st.builds("{1}-03-04 {0}".format, CLOCKS, st.integers(10_000, 200_000))
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda items: st.lists(items, max_size=2) | st.dictionaries(TEXT, items, max_size=2),
    max_leaves=4,
)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
FLOATS = st.floats(allow_subnormal=True)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int4": INTEGERS,
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float8": FLOATS,
    "float4": st.floats(width=32),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "1e300", "-1e-300"]),
    "numeric(12,2)": st.decimals(-(10**9), 10**9, places=2),
    "text": TEXT,
    "varchar": TEXT,
    "char(9)": TEXT,
    "bytea": st.binary(max_size=100),
    "date": DAYS,
    "time": CLOCKS | st.just("24:00"),
    "timetz": st.builds(str.__add__, CLOCKS, OFFSETS),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS,
    "interval": st.timedeltas(dt.timedelta(days=-(10**6)), dt.timedelta(days=10**6)) | st.just("1 year -2 mons 3 days"),
    "uuid": st.uuids(),
    "json": JSONS.map(psycopg.types.json.Json),
    "jsonb": JSONS.map(psycopg.types.json.Jsonb),
    "bool[]": st.lists(st.none() | st.booleans(), max_size=3),
    "int4[]": st.lists(st.none() | INTEGERS, max_size=3),
    "float8[]": st.lists(st.none() | FLOATS, max_size=3),
    "float4[]": st.lists(st.none() | st.floats(width=32), max_size=3),
    "text[]": st.lists(st.none() | TEXT, max_size=3),
    "text[][]": st.tuples(TEXT, TEXT).map(lambda pair: [[pair[0]], [pair[1]]]),
    "timestamptz[]": st.lists(st.none() | MOMENTS, max_size=3),
    "date[]": st.lists(st.none() | DAYS, max_size=3),
    "jsonb[]": st.lists(JSONS.map(psycopg.types.json.Jsonb), max_size=3),
}


def is_possible(options: dict[str, Any]) -> bool:
    return not {options["delimiter"], options["quotechar"]} & set(options["null_marker"])


OPTIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", "\\", "'", ".", "1", " "]),
        "quotechar": st.sampled_from(['"', "$", "e", "~"]),
        "quoting": st.sampled_from(["minimal", "all"]),
        "line_ending": st.sampled_from(["\n", "\r\n"]),
        "null_marker": st.sampled_from(["", "NULL", r"\N", "-", "x"]),
        "header": st.booleans(),
    }
).filter(is_possible)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Some types, and rows of values of them."""
    types = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=2, max_size=5))
    row = st.tuples(*(st.none() | VALUES[each] for each in types)).map(list)
    return types, draw(st.lists(row, max_size=8))


def stored(sessions: Sessions, types: list[str], rows: list[list[Any]]) -> str:
    """Store the rows; return a query for them."""
    with sessions.postgres.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS any_values")
        columns = ", ".join(f"c{index} {each}" for index, each in enumerate(types))
        cursor.execute(f"CREATE TABLE any_values (n serial, {columns})".encode())
        marks = ", ".join(["%s"] * len(types))
        names = ", ".join(f"c{index}" for index in range(len(types)))
        for row in rows:
            cursor.execute(f"INSERT INTO any_values ({names}) VALUES ({marks})".encode(), row)  # noqa: S608 - the test's own
    return f"SELECT {names} FROM any_values ORDER BY n"  # noqa: S608 - the test's own


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), options=OPTIONS)
def test_any_values(sessions: Sessions, table: tuple[list[str], list[list[Any]]], options: dict[str, Any]) -> None:
    """Any rows of any types give the same bytes both ways, whatever the options and the session's time zone."""
    types, rows = table
    form = parse_format("csv", None, options)
    sql = stored(sessions, types, rows)
    assert sessions.copied(sql, form=form) == sessions.fetched(sql, form=form)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", "America/St_Johns"])
def test_zones(postgres: PostgresServer, zone: str) -> None:
    """Offsets of a zone, in the past with seconds, are the same both ways."""
    sql = (
        "SELECT n, timestamptz '1800-01-01 12:00+00' + n * interval '7 years' AS a, "
        "('12:00'::timetz AT TIME ZONE interval '-03:30:15') AS b FROM generate_series(1, 60) AS n"
    )
    for driver in DRIVERS:
        postgres.execute(f"ALTER ROLE {USER} SET timezone = '{zone}'")
        try:
            each = Sessions(postgres, driver)
            assert each.copied(sql) == each.fetched(sql)
        finally:
            postgres.execute(f"ALTER ROLE {USER} RESET timezone")


PARAMETERS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(2**63, 2**70)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.binary(max_size=5)
    | st.dates(dt.date(1, 1, 1))
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.times()
    | st.timedeltas(dt.timedelta(days=-999), dt.timedelta(days=999))
    | st.lists(INTEGERS, min_size=1, max_size=3)
    | st.lists(TEXT, min_size=1, max_size=3)
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=PARAMETERS, text=TEXT)
def test_any_parameters(sessions: Sessions, value: Any, text: str) -> None:
    """A parameter means the same in what is copied: its type too."""
    sql = "SELECT %(a)s AS a, pg_typeof(%(a)s) AS b, %(b)s || '%%' AS c -- %%\n;"
    parameters = {"a": value, "b": text}
    try:
        fetched = sessions.fetched(sql, parameters)
    except (psycopg.Error, psycopg2.Error):  # no cursor of psycopg's may ask what type a text has
        fetched = sessions.fetched(sql.replace("pg_typeof(%(a)s)", "1"), parameters)
        sql = sql.replace("pg_typeof(%(a)s)", "1")
    assert sessions.copied(sql, parameters) == fetched


@pytest.mark.parametrize("place", ["-- {}\n", "/* {} */", "|| '{}'", '|| "{}"', "|| $${}$$", "|| $1"])
@pytest.mark.parametrize("value", ["\n UNION SELECT 'in', 'jected' --", "' || 'injected", "*/ || 'injected' /*", "$$"])
def test_placeholders_that_are_none(postgres: PostgresServer, place: str, value: str) -> None:
    """Where psycopg puts no value, in comments and quotes, the copied text has none either."""
    sessions = Sessions(postgres, "psycopg")
    sql = f"SELECT a {place.format('%(a)s')} AS a, 1 AS b FROM (SELECT %(a)s::text AS a, 'x' AS \"$1\") AS q"  # noqa: S608 - the test's own
    assert sessions.copied(sql, {"a": value}) in {sessions.fetched(sql, {"a": value}), None}


def test_parameters_by_place(sessions: Sessions) -> None:
    """Whole numbers and days keep the types that they have when rows are fetched."""
    sql = "SELECT %s AS a, %s * %s AS b, DATE '2026-01-01' + %s AS c, pg_typeof(%s) AS d, pg_typeof(%s) AS e"
    parameters = [2**63, 30000, -30000, 1, 5, uuid.UUID(int=7) if sessions.driver == "psycopg" else Decimal(7)]
    copied = sessions.copied(sql, parameters)
    assert copied == sessions.fetched(sql, parameters)
    assert b"-900000000,2026-01-02,integer," in (copied or b"")


@pytest.mark.parametrize(
    ("sql", "parameters", "line", "is_copied"),
    [
        ("SELECT %s[2] AS a, 1 AS b", [[10, 20]], b"20,1", True),
        ("SELECT n&%s AS a, u&%s AS b FROM (VALUES (7, 7)) AS t(n, u)", [9, 9], b"1,1", True),
        ("SELECT %(a)s::int AS a, %(a)s AS b", {"a": " 007"}, b"7,7", False),
        ("SELECT %(a)s::date AS a, %(a)s || '' AS b", {"a": "2026-1-5"}, b"2026-01-05,2026-01-05", False),
        ("SELECT %(a)s + 1 AS a, %(a)s AS b", {"a": 7}, b"8,7", True),
        ("SELECT %(a)s AS a, 1 AS b", {"a": 7, "not bound": {}}, b"7,1", True),
    ],
)
def test_parameters_in_their_places(
    postgres: PostgresServer, sql: str, parameters: Any, line: bytes, *, is_copied: bool
) -> None:
    """What stands beside a parameter is no part of it, one that stands twice has one type, one nowhere needs none."""
    sessions = Sessions(postgres, "psycopg")
    expected = b"a,b\n" + line + b"\n"
    assert sessions.fetched(sql, parameters) == expected
    assert sessions.copied(sql, parameters) == (expected if is_copied else None)


class _Celsius(float):
    """A value that its user has psycopg send as a type that it has no name of."""


def test_parameters_of_unknown_types(postgres: PostgresServer) -> None:
    """A parameter whose type psycopg has no name of is sent apart from the query, which is not copied."""
    postgres.execute("DROP DOMAIN IF EXISTS celsius")
    postgres.execute("CREATE DOMAIN celsius AS float8")
    [(number,)] = postgres.execute("SELECT 'celsius'::regtype::oid::int")

    class CelsiusDumper(FloatDumper):
        oid = number

    def connect() -> Any:
        connection = psycopg.connect(host=str(postgres.folder), user=USER, dbname=DATABASE)
        connection.adapters.register_dumper(_Celsius, CelsiusDumper)
        return connection

    with Session(connect).read(Query("SELECT pg_typeof(%s) AS a, 1 AS b", [_Celsius(7)])) as result:
        assert result.lines(range(2), CSV) is None
        assert [tuple(row) for row in result.rows] == [("celsius", 1)]


def test_parameters_of_sessions_with_escapes(sessions: Sessions) -> None:
    """Where a backslash escapes in every string, bytes are the same, too."""
    with sessions.reading("SELECT %s AS a, 1 AS b", [b"\\\0"], options="-c standard_conforming_strings=off") as result:
        lines = result.lines([0, 1], CSV)
        written = b"".join(lines) if lines else b"".join(CSV.file_bytes(result.columns, [list(result.rows)]))
    assert written.splitlines()[-1] == b"XAA=,1"


QUERIES = [
    "SELECT 1 AS a, 2 AS a",
    'SELECT 1 AS "q(c0)", 2 AS ")", \'x\' AS "c1"',
    "-- before\nWITH t AS (SELECT 1 AS a, 2 AS b) SELECT * FROM t;\n-- after;\n/* and; */",
    "VALUES (1, 'a'), (2, NULL) -- no newline",
    "TABLE pg_catalog.pg_am ;",
    "SELECT n, n AS m FROM generate_series(1, 9) AS n ORDER BY n DESC LIMIT 5 OFFSET 1",
    "SELECT generate_series(1, 3) AS a, generate_series(1, 2) AS b",
    "(SELECT 1 AS a, 2 AS b) UNION ALL (SELECT 3, 4) ORDER BY 1",
    "SELECT $$a;'b$$ AS a, E'\\';' AS b, '%' AS c, ';' AS \";\"",
    "SELECT 'x' AS a, NULL AS b",
    "SELECT 1 AS a, 2 AS b WHERE false",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_queries(sessions: Sessions, sql: str) -> None:
    """Whatever stands in a query, it is copied, and gives the same."""
    assert sessions.copied(sql) == sessions.fetched(sql)


# Parquet


def outcome(write: Callable[[], bytes | None]) -> bytes | str | None:
    """Return the file, or why there is none."""
    try:
        return write()
    except OSSInvalidArgument as error:
        return str(error).partition(" (")[0]  # what is behind is Arrow's, of how many values it looked at


def assert_same_parquet(sessions: Sessions, sql: str) -> None:
    copied = outcome(lambda: sessions.copied(sql, form=PARQUET))
    assert copied is not None
    assert copied == outcome(lambda: sessions.fetched(sql, form=PARQUET))


WITHOUT_LINES = {"bytea"}
LIMITS = {
    "date": ["infinity", "0001-01-01", "9999-12-31", "10000-01-01", "0044-03-15 BC"],
    "time": ["00:00", "23:59:59.999999", "24:00"],
    "timetz": ["12:00+05:30", "12:00-05", "12:00:00.5+01:02:03", "24:00+00"],
    "timestamp": ["-infinity", "0001-01-01", "9999-12-31 23:59:59.999999", "10000-01-01", "0044-03-15 01:02 BC"],
    "timestamptz": ["infinity", "0001-01-02+00", "9999-12-30 23:59:59.999999+00", "10000-01-01", "1800-01-01"],
    "numeric(12,2)": ["NaN", "9999999999.99", "-0.01"],
    "numeric(3,-2)": ["12345"],
    "numeric(2,4)": ["0.0012"],
    "numeric(38,0)": ["-" + "9" * 38],
    "numeric": ["NaN", "Infinity", "1e300", "1e-300"],
    "float8": ["NaN", "-Infinity", "1e-323", "1.7976931348623157e308", "-0", "1e23", "5e-324"],
    "float4": ["NaN", "3.4028235e38", "1e-45", "16777216", "0.1"],
    "int2": ["-32768"],
    "int8": ["-9223372036854775808"],
    "oid": ["4294967295"],
    "text": ["", "NULL", 'a"b', "a\r\nb", "t", "ä, ß"],
    "json": ['{"a":\n 1.10}'],
    "interval": ["1 year -2 days"],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind in LIMITS for value in LIMITS[kind]])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_parquet_limits(postgres: PostgresServer, kind: str, value: str, zone: str) -> None:
    """At the limits of each type both ways give one file, or refuse with one reason, by name of column and value."""
    postgres.execute(f"ALTER ROLE {USER} SET timezone = '{zone}'")
    literal = "'" + value.replace("'", "''") + "'"
    sql = f"SELECT n, CASE WHEN n = 3 THEN {literal}::{kind} END AS a FROM generate_series(1, 4) AS n"  # noqa: S608
    try:
        assert_same_parquet(Sessions(postgres, "psycopg"), sql)
    finally:
        postgres.execute(f"ALTER ROLE {USER} RESET timezone")


def test_parquet_of_byte_order_marks(sessions: Sessions) -> None:
    """A U+FEFF at the beginning of a value, and so of what is read at once, is kept; alone, it is not NULL."""
    assert_same_parquet(sessions, r"SELECT E'\uFEFF' || n AS a, n AS b FROM generate_series(1, 3) AS n")
    assert_same_parquet(sessions, r"SELECT E'\uFEFF' AS a, 1 AS b UNION ALL SELECT '', 2")


def test_parquet_of_every_type(sessions: Sessions) -> None:
    """Of each type of the catalog, and of NULL, both ways give one file; bytes, lists and long decimals are fetched."""
    names = [name for name in LITERALS if name not in WITHOUT_LINES]
    values = [f'{LITERALS[name]}::pg_catalog."{name}"' for name in names]
    nulls = [f'NULL::pg_catalog."{name}"' for name in names]
    columns = ", ".join(f"{value} AS c{index}" for index, value in enumerate(values))
    assert_same_parquet(sessions, f"SELECT {columns} UNION ALL SELECT {', '.join(nulls)}")
    for value in ("'x'::bytea", "ARRAY[1]", "1::numeric(39,0)"):
        assert sessions.copied(f"SELECT {value} AS a, 1 AS b", form=PARQUET) is None
    assert sessions.copied("SELECT 1 AS a, 2 AS b", form=parse_format("jsonl", None, None)) is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_parquet_of_any_values(sessions: Sessions, table: tuple[list[str], list[list[Any]]]) -> None:
    """Any rows of any types give one file both ways, or one refusal."""
    types, rows = table
    if any("[" in each or each == "bytea" for each in types):
        return
    assert_same_parquet(sessions, stored(sessions, types, rows))


# Which way is taken


def is_copied(sessions: Sessions, options: str = "", **form: Any) -> bool:
    """Whether lines come of the query; else its rows come, though a COPY may have been tried."""
    with sessions.reading("SELECT '2026-01-01'::timestamp AS a, 2 AS b", options=options) as result:
        lines = result.lines([0, 1], parse_format("csv", None, form))
        if lines is None:
            assert [tuple(row) for row in result.rows] == [("2026-01-01 00:00:00", 2)]
            return False
        assert b"".join(lines).startswith(b"2026-01-01T00:00:00")
        return True


def test_what_is_copied(sessions: Sessions) -> None:
    """Rows are copied, but where PostgreSQL would write other bytes, or end the COPY before its upload ends."""
    assert is_copied(sessions)
    assert is_copied(sessions, delimiter=";", quotechar="'", null_marker="NULL", line_ending="\r\n")
    assert not is_copied(sessions, delimiter="§")
    assert not is_copied(sessions, quotechar="§")
    assert not is_copied(sessions, null_marker="§")
    assert not is_copied(sessions, options=BY_FETCHES)
    with sessions.reading("SELECT 1 AS a, 2 AS b") as result:
        assert result.lines([1], CSV) is None
        assert list(result.rows) == [(1, 2)]


@each_driver
def test_other_encodings(postgres: PostgresServer, driver: str) -> None:
    """Of a database in another encoding lines come in UTF-8; of one without, rows are fetched."""
    for encoding, expected in (("SQL_ASCII", None), ("LATIN1", "a,größe\nä,x\n".encode())):
        name = f"copy_{encoding.lower()}_{driver}"
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        assert Sessions(postgres, driver, name).copied("SELECT 'ä' AS a, 'x'::name AS größe") == expected


@each_driver
def test_database_that_refuses(postgres: PostgresServer, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where COPY or a function of it is not to be had, rows are fetched, as if nothing had been."""
    name = f"refusing_{driver}"
    postgres.execute(f"CREATE DATABASE {name}")
    postgres.execute(f"CREATE ROLE user_of_{name} LOGIN")
    with psycopg.connect(host=str(postgres.folder), user=USER, dbname=name, autocommit=True) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.to_json(anyelement) FROM public")
    caplog.set_level("INFO")
    assert not is_copied(Sessions(postgres, driver, name, f"user_of_{name}"))
    assert "The database refuses to COPY (InsufficientPrivilege), so the rows are fetched" in caplog.text
    postgres.wait_until_released()


# What may not happen


@pytest.mark.parametrize("end", ["", " --", " /*"])
def test_text_that_breaks_out(sessions: Sessions, tmp_path: Path, end: str) -> None:
    """A text that would end the query inside the COPY is no query, and is refused as such before there is a COPY."""
    tmp_path.chmod(0o777)
    out = tmp_path / "out"
    for target in (f"TO '{out}'", f"TO PROGRAM 'touch {out}'"):
        with pytest.raises(OSSInvalidArgument, match="the database says that sql is wrong"):
            sessions.copied(f"SELECT 1, 2) AS q(c0, c1)) {target}{end}")
    assert not out.exists()


def test_several_statements(sessions: Sessions) -> None:
    """A COPY is no way round the guard of one statement."""
    sessions.postgres.execute("CREATE TABLE IF NOT EXISTS copy_safe (a int)")
    ending = "COPY (SELECT q.c0, q.c1 FROM (SELECT 2, 3"
    for begin in ("COMMIT; BEGIN READ WRITE", "ROLLBACK"):
        sql = f"SELECT 1, 2) AS q(c0, c1)) TO STDOUT; {begin}; INSERT INTO copy_safe VALUES (1); COMMIT; {ending}"  # noqa: S608 - the test's own
        with pytest.raises(OSSInvalidArgument, match="statements, and none was executed"):
            sessions.copied(sql)
    assert sessions.postgres.execute("SELECT count(*) FROM copy_safe") == [(0,)]


def test_nothing_is_written(sessions: Sessions) -> None:
    """What is copied reads only, too."""
    with pytest.raises((psycopg.Error, psycopg2.Error), match="read-only transaction"):
        sessions.copied("SELECT lo_create(4712) AS a, 1 AS b")


def test_secret_parameters(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> None:
    """An error while lines come shows no parameters."""
    with pytest.raises((psycopg.Error, psycopg2.Error), match="division by zero") as caught:
        sessions.copied("SELECT %s AS a, 1 / (5 - n) AS b FROM generate_series(1, 9) AS n", ["s3cret"])
    assert "s3cret" not in str(caught.value) + caplog.text


# Ends


ENDLESS = "SELECT generate_series(1, 100000000) AS n, 'x' AS a"


def test_abandoned(sessions: Sessions) -> None:
    """A query of a hundred million rows begins at once, and ends as soon as nobody reads on."""
    began = time.monotonic()
    with sessions.reading(ENDLESS, batch_rows=10) as result:
        lines = result.lines([0, 1], CSV)
        assert lines is not None
        assert [next(lines) for _ in range(25)] == [f"{n},x\n".encode() for n in range(1, 26)]
        [(_, statement)] = sessions.postgres.sessions()
        assert statement.startswith("COPY (SELECT c0, c1 FROM (")
    sessions.postgres.wait_until_released()
    assert time.monotonic() - began < 10


def test_unread(sessions: Sessions) -> None:
    """Lines that nobody asks for do no harm."""
    with sessions.reading(ENDLESS) as result:
        assert result.lines([0, 1], CSV) is not None


@pytest.mark.parametrize("rows_first", [0, 7])
def test_interrupted(sessions: Sessions, rows_first: int) -> None:
    """A COPY ends soon after it is interrupted from another thread, before its first row and later."""
    session = sessions.session()
    sql = f"SELECT n, CASE WHEN n > {rows_first} THEN pg_sleep(60)::text END AS a FROM generate_series(1, 9) AS n"  # noqa: S608 - the test's own

    def interrupt() -> None:
        wait_until(lambda: "COPY" in str(sessions.postgres.sessions()) or None, 20, "the COPY", lambda: "nothing")
        session.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    with (
        pytest.raises((psycopg.errors.QueryCanceled, psycopg2.errors.QueryCanceled)),
        session.read(Query(sql)) as result,
    ):
        list(result.lines([0, 1], CSV) or ())
    thread.join()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("rows_first", [0, 7])
def test_stopped(sessions: Sessions, rows_first: int) -> None:
    """A signal handler ends the wait for a line, and with it the session, whether or not the query can be cancelled."""
    cancellation = Cancellation()
    before = signal.signal(signal.SIGUSR1, lambda *_: cancellation.request())
    sql = f"SELECT n, CASE WHEN n > {rows_first} THEN pg_sleep(60)::text END AS a FROM generate_series(1, 9) AS n"  # noqa: S608 - the test's own

    def stop() -> None:
        wait_until(lambda: "COPY" in str(sessions.postgres.sessions()) or None, 20, "the COPY", lambda: "nothing")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    thread = threading.Thread(target=stop)
    thread.start()
    began = time.monotonic()
    try:
        with pytest.raises(OSSUploadCancelled), sessions.reading(sql) as result, obeying(cancellation):
            list(result.lines([0, 1], CSV) or ())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began < 30


def test_error_in_the_middle(sessions: Sessions) -> None:
    """An error of the query is the driver's, after the lines before it, however they fall into batches."""
    for batch_rows in (1, 3, 4, 100):
        with sessions.reading(
            "SELECT n, 1 / (5 - n) AS a FROM (SELECT generate_series(1, 9) AS n) AS t", batch_rows=batch_rows
        ) as result:
            found: list[bytes] = []
            with pytest.raises((psycopg.Error, psycopg2.Error), match="division by zero"):
                found.extend(result.lines([0, 1], CSV) or ())


def test_server_that_goes_away(sessions: Sessions) -> None:
    """A session that is ended in the middle is the driver's error, not a short result."""
    with sessions.reading(ENDLESS) as result:
        lines = result.lines([0, 1], CSV)
        assert lines is not None
        next(lines)
        sessions.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        with pytest.raises((psycopg.Error, psycopg2.Error), match=r"terminating connection|closed|PGRES_COPY_OUT"):
            list(lines)


# Whole exports


@pytest.fixture
def export(sessions: Sessions, server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExportResult]:
    """Export some rows, by a session with these options."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", connection_json(server))

    def run(
        key: str, options: str, split: Split, compression: str | None, columns: Sequence[str] | None
    ) -> ExportResult:
        sql = (
            "SELECT n, 'it,em ' || n AS name, n %% 3 = 0 AS flag, nullif(n %% 7, 0) AS rest FROM "
            "(SELECT generate_series(1, %s) AS n) AS t"
        )
        wanted = Wanted(
            Query(sql, [2500], 300), parse_format(key.rpartition(".")[2], compression, None), split, columns
        )
        arguments: Any = {"checkpoint": None, "cancellation": Cancellation()}
        return Export(OSSHook(), sessions.session(options), wanted, {}, arguments).run(key, None)

    return run


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("split", [Split(), Split(rows=1000), Split(rows=299), Split(size_bytes=9000)], ids=str)
@pytest.mark.parametrize("columns", [None, ["flag", "n"], ["rest"]])
def test_whole_exports(
    export: Callable[..., ExportResult], split: Split, compression: str | None, columns: Sequence[str] | None
) -> None:
    """Objects, rows and the manifest's columns are the same; and a retry that takes the other way sends nothing."""
    if columns == ["rest"]:
        with pytest.raises(OSSInvalidArgument, match="is the only one and holds NULL"):
            export("one.csv", "", split, compression, columns)
        return
    copied = export("one.csv", "", split, compression, columns)
    fetched = export("one.csv", BY_FETCHES, split, compression, columns)
    assert copied.rows == 2500
    assert [copied.objects, copied.columns] == [fetched.objects, fetched.columns]
    if split.is_wanted:
        assert (fetched.bytes_sent, fetched.bytes_verified) == (0, copied.bytes)


@pytest.mark.parametrize("split", [Split(), Split(rows=1000), Split(size_bytes=1)], ids=str)
@pytest.mark.parametrize("columns", [None, ["rest"], ["flag", "n"]])
def test_whole_parquet(export: Callable[..., ExportResult], split: Split, columns: Sequence[str] | None) -> None:
    """So are files of Parquet, which have the same row groups."""
    copied = export("one.parquet", "", split, "zstd", columns)
    fetched = export("one.parquet", BY_FETCHES, split, "zstd", columns)
    assert copied.rows == 2500
    assert [copied.objects, copied.columns] == [fetched.objects, fetched.columns]
