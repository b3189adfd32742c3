"""SQLToOSSOperator against a real PostgreSQL, SQLite and the local OSS server."""

from __future__ import annotations

import gzip
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSServiceUnavailable, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import Build, Run
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

NUMBERS = "SELECT n, 'name ' || n AS name FROM generate_series(1, {rows}) AS n ORDER BY n"


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], postgres: PostgresServer) -> None:
    assert postgres.sessions() == []
    connect()


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def keys() -> list[str]:
    return [each.ref.key for each in OSSHook().list_objects()]


def export(**changes: Any) -> Build:
    arguments: dict[str, Any] = {"task_id": "export", "conn_id": "pg", "key": "a/b.csv", "sql": NUMBERS.format(rows=5)}
    return lambda: SQLToOSSOperator(**(arguments | changes))


def numbers(first: int, last: int) -> bytes:
    return b"n,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(first, last + 1))


# One object


@pytest.mark.parametrize("postgres", ["psycopg", "psycopg2"], indirect=True)
def test_one_object(run: Run, postgres: PostgresServer) -> None:
    """Rows become one object; the result tells rows, bytes, columns and where it is; no session is left open."""
    result = run(export())
    assert read("a/b.csv") == numbers(1, 5)
    assert (result["rows"], result["bytes"], result["manifest"]) == (5, len(numbers(1, 5)), None)
    assert result["columns"] == [{"name": "n", "type": "integer"}, {"name": "name", "type": "text"}]
    [stored] = result["objects"]
    assert stored["uri"] == "oss://exports/a/b.csv"
    assert (stored["rows"], stored["bytes"]) == (5, result["bytes_sent"])
    assert json.loads(json.dumps(result)) == result
    assert OSSHook().head_object("a/b.csv").content_type == "text/csv; charset=utf-8"
    assert postgres.sessions() == []


def test_stream(run: Run) -> None:
    """Rows that are more than one part are sent in parts."""
    result = run(export(sql=NUMBERS.format(rows=50_000), part_size=100 * KIB))
    assert read("a/b.csv") == numbers(1, 50_000)
    assert (result["rows"], result["bytes_sent"]) == (50_000, result["bytes"])


def test_split(run: Run) -> None:
    """Rows."""
    result = run(export(split_rows=2))
    assert keys() == ["a/b-00000.csv", "a/b-00001.csv", "a/b-00002.csv", "a/b-manifest.json"]
    assert read("a/b-00001.csv") == numbers(3, 4)
    print(read("a/b-manifest.json").decode(), result)
