"""Partitioned exports against a real PostgreSQL and the local OSS server, read by what reads Hive's layout."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSServiceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import REFUSED, Build, Run
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("postgres")

ORDERS = "SELECT n, 'c' || n % {values} AS country FROM generate_series(1, {rows}) AS n ORDER BY {order}"
ODD = """
SELECT n, CASE WHEN mod(n, 11) > 0 THEN (%(texts)s::text[])[mod(n, 11)] END AS k, '\\x00ff'::bytea AS raw,
       '2026-01-01'::timestamp + mod(n, 2) * interval '1 hour 2.5 seconds' AS seen
FROM generate_series(1, 66) n ORDER BY k, seen, n"""
NASTY = ("a b+c", "x/y=1", "100%", "..", "\n", "é😀", "{index}", "'\"#", " ", "007")


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], postgres: PostgresServer) -> None:
    postgres.wait_until_released()
    connect()


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def keys() -> list[str]:
    return [each.ref.key for each in OSSHook().list_objects()]


def orders(rows: int, values: int = 3, order: str = "country, n") -> str:
    return ORDERS.format(rows=rows, values=values, order=order)


def export(**changes: Any) -> Build:
    arguments: dict[str, Any] = {
        "task_id": "export", "conn_id": "pg", "key": "a/b.csv", "sql": orders(5), "partition_by": ["country"],
    }  # fmt: skip
    return lambda: SQLToOSSOperator(**(arguments | changes))


def lines(*numbers: int) -> bytes:
    return b"n\n" + b"".join(b"%d\n" % number for number in numbers)


def sent(server: OSSEmulator) -> list[str]:
    """Return the keys of what was sent, without the manifest."""
    kinds = ("PutObject", "CompleteMultipartUpload")
    found = [request.key or "" for request in server.requests if request.operation in kinds]
    return [key for key in found if not key.endswith(".json")]


@pytest.mark.parametrize("order", ["country, n", "n"])
def test_one_object_for_each_value(run: Run, order: str) -> None:
    """Rows of a value are one object, in whichever order they come; the column is in the folder, not in the file."""
    result = run(export(sql=orders(5, order=order)))
    assert keys() == ["a/_b-manifest.json", "a/country=c0/b.csv", "a/country=c1/b.csv", "a/country=c2/b.csv"]
    assert [read(key) for key in keys()[1:]] == [lines(3), lines(1, 4), lines(2, 5)]
    manifest = json.loads(read("a/_b-manifest.json"))
    assert manifest["partition_by"] == [{"name": "country", "type": "text"}]
    assert manifest["columns"] == result["columns"] == [{"name": "n", "type": "integer"}]
    assert manifest["pieces"] == result["objects"]
    assert {each["key"]: each["partition"] for each in result["objects"]} == {
        f"a/country=c{number}/b.csv": {"country": f"c{number}"} for number in range(3)
    }
    assert (result["rows"], result["manifest"]) == (5, "oss://exports/a/_b-manifest.json")
    assert json.loads(json.dumps(result)) == result


def test_pieces_of_each_value(run: Run) -> None:
    """With a limit each value has numbered objects; the folders are where the key says; the column may stay."""
    run(
        export(
            key="{partition}/x/{index}.csv",
            split_rows="2",
            partition_by=["{{ 'country' }}"],
            keep_partition_columns=True,
            max_open_partitions="1",
            sql=orders(5, values=2),
        )
    )
    assert keys() == [
        "country=c0/x/00000.csv", "country=c1/x/00000.csv", "country=c1/x/00001.csv", "x/_manifest.json",
    ]  # fmt: skip
    assert read("country=c1/x/00000.csv") == b"n,country\n1,c1\n3,c1\n"
    assert read("country=c1/x/00001.csv") == b"n,country\n5,c1\n"


def download(result: dict[str, Any], folder: Path) -> Path:
    for each in result["objects"]:
        path = folder / each["key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(each["key"]))
    return folder / "t"


@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize("postgres", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize("max_open_partitions", [1, 100])
@pytest.mark.parametrize(("file_format", "key"), [("parquet", "t/f.parquet"), ("csv", "t/f.csv")])
def test_round_trip(run: Run, tmp_path: Path, file_format: str, key: str, max_open_partitions: int) -> None:
    """Readers of Hive's layout get back every value, NULL and the oddest text included, with its row."""
    result = run(
        export(
            sql=ODD,
            parameters={"texts": list(NASTY)},
            partition_by=["k", "seen"],
            key=key,
            file_format=file_format,
            max_open_partitions=max_open_partitions,
        )
    )
    folder = download(result, tmp_path)
    expected = {(n, NASTY[n % 11 - 1] if n % 11 else None, ("00:00:00", "01:00:02.5")[n % 2]) for n in range(1, 67)}

    schema = pa.schema([("k", pa.string()), ("seen", pa.timestamp("us"))])
    table = ds.dataset(folder, format=file_format, partitioning=ds.HivePartitioning(schema)).to_table()
    times = [str(at.time()).rstrip("0") if at.microsecond else str(at.time()) for at in table["seen"].to_pylist()]
    assert set(zip(table["n"].to_pylist(), table["k"].to_pylist(), times, strict=True)) == expected

    files = f"{folder}/**/*.{file_format}"
    options = "hive_partitioning = true, hive_types = {'k': VARCHAR, 'seen': VARCHAR}"
    with duckdb.connect() as connection:
        read_files = f"SELECT n, k, seen FROM read_{file_format}('{files}', {options})"  # noqa: S608 - the test's own text
        found = connection.execute(read_files).fetchall()
    assert {(n, k, at.removeprefix("2026-01-01 ")) for n, k, at in found} == expected


def test_retry_sends_only_what_is_missing(run: Run, server: OSSEmulator, supervisor: Supervisor) -> None:
    """Partitions that are there are recognised, one that was half sent is continued, the others are sent."""
    build = export(sql=orders(90_000), part_size=100 * KIB, parallel=1)
    server.faults.add(Fault(operation="UploadPart", key="a/country=c1/b.csv", part_number=2, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        run(build)
    assert keys() == ["a/country=c0/b.csv"]
    server.forget_requests()

    result = run(build)

    assert sent(server) == ["a/country=c1/b.csv", "a/country=c2/b.csv"]
    assert result["bytes_verified"] == result["objects"][0]["bytes"] + 100 * KIB
    assert result["resumed"]
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []
    server.forget_requests()
    assert run(build)["bytes_sent"] == 0
    assert sent(server) == []


def test_partitions_of_an_earlier_run_stay(run: Run) -> None:
    """What an earlier run stored and this one has no rows of is neither deleted nor in the manifest."""
    run(export(sql=orders(5, values=3)))
    run(export(sql=orders(5, values=2)))
    assert "a/country=c2/b.csv" in keys()
    pieces = json.loads(read("a/_b-manifest.json"))["pieces"]
    assert [each["key"] for each in pieces] == ["a/country=c0/b.csv", "a/country=c1/b.csv"]


@pytest.mark.parametrize("skip_empty", [True, False])
def test_no_rows(run: Run, *, skip_empty: bool) -> None:
    """Without rows there is no partition, so no object; the manifest says so."""
    result = run(export(sql=orders(0), skip_empty=skip_empty))
    assert (result["rows"], result["objects"]) == (0, [])
    assert keys() == ["a/_b-manifest.json"]


def test_more_partitions_than_may_wait(run: Run) -> None:
    """Ordered rows may have any number of partitions; of others none is begun twice: the error says what to do."""
    assert len(run(export(sql=orders(300, values=150), max_open_partitions=2))["objects"]) == 150
    with pytest.raises(REFUSED, match="ORDER BY country in the query, or raise max_open_partitions"):
        run(export(key="x/b.csv", sql=orders(30, values=10, order="n"), batch_rows=5, max_open_partitions=9))
    assert "x/_b-manifest.json" not in keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partition_by": "country"}, "partition_by='country' is a str: give a list"),
        ({"partition_by": ["day"]}, "partition_by names 'day', but exported are only n, country"),
        ({"exclude": ["country"]}, "partition_by names 'country', but exported are only n"),
        ({"partition_by": ["country", "n"]}, "partition_by names all columns"),
        ({"sql": "SELECT 1 AS n, '' AS country"}, "column 'country' holds ''"),
        ({"sql": "SELECT 1 AS n, 0.5::float4 AS country"}, "column 'country' is real"),
        ({"sql": "SELECT 1 AS n, repeat('x', 1100) AS country"}, "has 1116 bytes in UTF-8: OSS allows"),
        ({"max_open_partitions": 0}, "max_open_partitions=0 must be at least 1"),
        ({"key": "a-{partition}/b.csv"}, "must be one folder of it"),
        ({"key": "{partition}/b.csv", "partition_by": None}, "give partition_by"),
        ({"manifest": "a/country=c0/b.csv"}, "is the key of exported rows too"),
    ],
)
def test_what_cannot_work(run: Run, postgres: PostgresServer, changes: dict[str, Any], message: str) -> None:
    """What no retry can mend fails the task at once, says which argument it is, and stores nothing."""
    with pytest.raises(REFUSED, match=message):
        run(export(**changes))
    assert keys() == []
    postgres.wait_until_released()


@pytest.mark.parametrize(("key", "count"), [("a/b", 1), ("a/b.csv", 0)])
def test_a_key_without_an_ending(run: Run, caplog: pytest.LogCaptureFixture, key: str, count: int) -> None:
    """A key without an ending gets none, and the log says so, once."""
    with caplog.at_level(logging.INFO):
        run(export(key=key, split_rows=1))
    assert caplog.text.count("has no ending such as .csv, and is given none") == count
