"""Every type that PostgreSQL's catalog has, and arrays of each, by both drivers: the same value."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import psycopg2
import pyarrow.parquet as pq
import pytest

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Batch, Column, Kind
from airflow_provider_oss.exports.formats import parse_format
from airflow_provider_oss.transfers.cursors import Query
from airflow_provider_oss.transfers.query import Session
from tests.support.postgres import DATABASE, USER, PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

DRIVERS: dict[str, Callable[..., Any]] = {"psycopg": psycopg.connect, "psycopg2": psycopg2.connect}
each_driver = pytest.mark.parametrize("driver", DRIVERS)

LITERALS = {
    "bool": "true",
    "bytea": "'\\x00ff'",
    "char": "'x'",
    "name": "'n'",
    "int8": "9223372036854775807",
    "int2": "7",
    "int4": "7",
    "text": "'a,\"b'",
    "oid": "4294967295",
    "tid": "'(1,2)'",
    "xid": "'7'",
    "cid": "'7'",
    "xid8": "'7'",
    "json": "'{\"a\":1.10}'",
    "jsonb": "'{\"a\":1.10}'",
    "point": "'(1,2)'",
    "lseg": "'[(1,2),(3,4)]'",
    "path": "'((1,2),(3,4))'",
    "box": "'(1,2),(3,4)'",
    "polygon": "'((1,2),(3,4))'",
    "line": "'{1,2,3}'",
    "circle": "'<(1,2),3>'",
    "float4": "'0.1'",
    "float8": "'0.30000000000000004'",
    "money": "'12.5'",
    "macaddr": "'08:00:2b:01:02:03'",
    "inet": "'10.0.0.1'",
    "cidr": "'10.0.0.0/8'",
    "macaddr8": "'08:00:2b:01:02:03:04:05'",
    "bpchar": "'ab '",
    "varchar": "'v'",
    "date": "'2026-01-02'",
    "time": "'03:04:05.5'",
    "timestamp": "'2026-01-02 03:04:05'",
    "timestamptz": "'2026-01-02 03:04:05+02'",
    "interval": "'1 year 2 days 3:00'",
    "timetz": "'12:00+05:30'",
    "bit": "B'1'",
    "varbit": "B'101'",
    "numeric": "'1.50'",
    "uuid": "'5f3b6e52-20ef-4b94-890a-c41d44d66290'",
    "pg_lsn": "'16/B374D848'",
    "tsvector": "'a b'",
    "tsquery": "'a & b'",
    "regproc": "'now'",
    "regprocedure": "'now()'",
    "regclass": "'pg_class'",
    "regtype": "'int4'",
    "regrole": "'exporter'",
    "regnamespace": "'pg_catalog'",
    "regconfig": "'simple'",
    "regdictionary": "'simple'",
    "regoper": "'||/'",
    "regoperator": "'+(int4,int4)'",
    "regcollation": "'\"C\"'",
    "jsonpath": "'$.a'",
    "txid_snapshot": "'10:20:10,14'",
    "pg_snapshot": "'10:20:10,14'",
    "int4range": "'[1,5)'",
    "numrange": "'[1.5,2)'",
    "tsrange": "'[2026-01-01,)'",
    "tstzrange": "'[2026-01-01 00:00+00,)'",
    "daterange": "'[2026-01-01,)'",
    "int8range": "'[1,5)'",
    "int4multirange": "'{[1,5)}'",
    "nummultirange": "'{[1,5)}'",
    "tsmultirange": "'{[2026-01-01,)}'",
    "tstzmultirange": "'{[2026-01-01 00:00+00,)}'",
    "datemultirange": "'{[2026-01-01,)}'",
    "int8multirange": "'{[1,5)}'",
    "int2vector": "'1 2'",
    "oidvector": "'1 2'",
    "refcursor": "'c'",
    "aclitem": "'=r/exporter'",
}
WITHOUT_INPUT = {
    "gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "pg_dependencies", "pg_mcv_list",
    "pg_ndistinct", "pg_node_tree",
}  # fmt: skip
"""Types of the catalog's own that take no literal."""
NOT_BUILT_IN = {"xml"}
"""The server of the tests was built without libxml."""


def answer(
    postgres: PostgresServer, driver: str, sql: str, database: str = DATABASE
) -> tuple[tuple[Column, ...], Batch]:
    def connect() -> Any:
        return DRIVERS[driver](host=str(postgres.folder), user=USER, dbname=database)

    with Session(connect).read(Query(sql)) as result:
        return result.columns, list(result.rows)


def written(column: Column, value: Any) -> Iterator[Any]:
    """Yield the value in csv, in jsonl, and its type and value in Parquet, where it fits."""
    for file_format in ("csv", "jsonl"):
        yield b"".join(parse_format(file_format, None, None).file_bytes([column], [[(value,)]]))
    with suppress(OSSInvalidArgument):
        data = b"".join(parse_format("parquet", None, None).file_bytes([column], [[(value,)]]))
        table = pq.read_table(io.BytesIO(data))
        yield str(table.schema.types[0]), table.column(0).to_pylist()


def test_every_type_is_here(postgres: PostgresServer) -> None:
    """The table above has each type of the catalog."""
    rows = postgres.execute(
        "SELECT typname FROM pg_type WHERE typtype IN ('b', 'r', 'm') AND (typcategory <> 'A' OR typarray <> 0) "
        "AND typnamespace = 'pg_catalog'::regnamespace"
    )
    assert {name for (name,) in rows} - NOT_BUILT_IN == set(LITERALS) | WITHOUT_INPUT


@pytest.mark.parametrize("form", ["{0}", "ARRAY[{0}, NULL]", "ARRAY[ARRAY[{0}]]", "ARRAY[{0}] || ARRAY[]::{1}[]"])
def test_drivers_agree(postgres: PostgresServer, form: str) -> None:
    """Both drivers tell the same columns and values; what is text is what the server writes."""
    types = [(f'pg_catalog."{name}"', literal) for name, literal in LITERALS.items()]
    values = [form.format(f"{literal}::{name}", name) for name, literal in types]
    sql = "SELECT " + ", ".join(f"{value} AS c{index}" for index, value in enumerate(values))
    own = "SELECT " + ", ".join(f"({value})::text" for value in values)
    (columns, [first]), (others, [second]) = (answer(postgres, driver, sql) for driver in DRIVERS)
    assert columns == others
    [texts] = postgres.execute(own)
    for column, one, other, text in zip(columns, first, second, texts, strict=True):
        assert list(written(column, one)) == list(written(column, other)), column
        if column.kind is Kind.TEXT and not column.is_array and column.type_name not in ("character", "inet", "cidr"):
            assert one == text, column


@each_driver
def test_digits_of_numbers(postgres: PostgresServer, driver: str) -> None:
    """Declared digits are told, negative and large scales too; where there are none, none are told."""
    columns, _ = answer(
        postgres,
        driver,
        "SELECT 1.5 AS a, sum(1.5) AS b, 1.5::numeric(12,2) AS c, 12345::numeric(3,-2) AS d, "
        "0.0012::numeric(2,4) AS e, 1::numeric(1000,0) AS f",
    )
    names = ["numeric", "numeric", "numeric(12,2)", "numeric(3,-2)", "numeric(2,4)", "numeric(1000,0)"]
    assert [column.type_name for column in columns] == names
    assert [column.precision for column in columns] == [None, None, 12, 3, 2, 1000]


@each_driver
def test_digits_of_floats(postgres: PostgresServer, driver: str) -> None:
    """A float has all its digits, also when the role is set to see fewer."""
    postgres.execute(f"ALTER ROLE {USER} SET extra_float_digits = 0")
    try:
        assert answer(postgres, driver, "SELECT 0.1::float8 + 0.2::float8 AS a")[1] == [("0.30000000000000004",)]
    finally:
        postgres.execute(f"ALTER ROLE {USER} RESET extra_float_digits")


@each_driver
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_other_encodings(postgres: PostgresServer, driver: str, encoding: str) -> None:
    """Text of a database in another encoding, or in none, is text; what is no UTF-8 there is refused, not changed."""
    database = f"in_{encoding.lower()}_{driver}"
    postgres.execute(f"CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    sql = r"SELECT convert_from('\xc3a4', '{}') AS a, 'x'::name AS größe, ARRAY['ä', NULL] AS b"
    columns, rows = answer(postgres, driver, sql.format("UTF8" if encoding == "LATIN1" else "SQL_ASCII"), database)
    assert rows == [("ä", "x", ["ä", None])]
    assert [column.name for column in columns] == ["a", "größe", "b"]
    if encoding == "SQL_ASCII":
        with pytest.raises(OSSInvalidArgument, match="is no UTF-8: ask for the bytes"):
            answer(postgres, driver, r"SELECT convert_from('\xff', 'SQL_ASCII') AS a", database)
