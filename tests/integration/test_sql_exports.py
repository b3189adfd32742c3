"""Exports of a real PostgreSQL in a real Airflow: killed in the middle, and the example."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_oss.emulator import Fault
from tests.integration.dags.exports import PARALLEL, PART_SIZE, SPLIT_ROWS
from tests.integration.uploading import RunningUpload, Uploads
from tests.support.postgres import DATABASE, USER, PostgresServer, running_postgres
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.local_airflow import LocalAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

ROWS = 300_000
SQL = """
SELECT n, md5(n::text) AS hash, repeat(md5((n * 7)::text), 3) AS text FROM generate_series(1, 300000) n ORDER BY n
"""
DAG_ID = "oss_postgres_export"
IN_FLIGHT_BYTES = PARALLEL * PART_SIZE
MIB_PER_SECOND = 4.0


@pytest.fixture(scope="module")
def postgres(airflow: LocalAirflow) -> Iterator[PostgresServer]:
    """The server that Airflow's connection ``warehouse`` leads to."""
    with running_postgres() as server:
        fields = {"conn_type": "postgres", "host": str(server.folder), "login": USER, "schema": DATABASE}
        airflow.add_connection("warehouse", fields)
        yield server


@pytest.fixture(scope="module")
def expected(folder: Path, postgres: PostgresServer) -> Path:
    """What the server itself writes as CSV."""
    path = folder / "expected.csv"
    with (
        postgres.connect() as connection,
        connection.cursor() as cursor,
        path.open("wb") as file,
        cursor.copy(f"COPY ({SQL}) TO STDOUT (FORMAT csv, HEADER)") as copy,
    ):
        file.writelines(copy)
    return path


def received_bytes(uploads: Uploads, prefix: str) -> int:
    """Return the bytes of all requests that store something under the prefix."""
    return sum(
        request.bytes_received
        for request in uploads.server.requests
        if request.operation in ("UploadPart", "PutObject") and (request.key or "").startswith(prefix)
    )


def start(uploads: Uploads, dag_id: str, key: str, expected: Path) -> RunningUpload:
    run_id = uploads.trigger(dag_id, sql=SQL, key=key)
    return RunningUpload(uploads, dag_id, run_id, expected, key)


def test_two_kills(uploads: Uploads, postgres: PostgresServer, expected: Path) -> None:
    """An export that is SIGKILLed twice sends again only what was in flight; each time the database is let go."""
    key = "killed/export.csv"
    uploads.slow_down(key, MIB_PER_SECOND)
    upload = start(uploads, "export_whole", key, expected)
    for try_number in (1, 2):
        upload.wait_for_attempt(try_number)
        upload.wait_until_stored(more_parts=5)
        upload.kill()
        assert uploads.unfinished() == [key]
    uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    result, size_bytes = upload.result(), expected.stat().st_size
    assert (result["rows"], result["bytes"], result["resumed"]) == (ROWS, size_bytes, True)
    assert result["bytes_sent"] + result["bytes_verified"] == size_bytes
    assert result["bytes_verified"] >= 10 * PART_SIZE
    assert size_bytes <= received_bytes(uploads, key) <= size_bytes + 2 * IN_FLIGHT_BYTES
    uploads.assert_equal(key, expected)
    uploads.assert_nothing_left()
    postgres.wait_until_released()


def test_two_kills_of_pieces(uploads: Uploads, postgres: PostgresServer, expected: Path) -> None:
    """Pieces that arrived before a SIGKILL are not sent again, the one that was on its way is continued."""
    prefix = "killed/pieces"
    pieces = [f"{prefix}-{index:05}.csv" for index in range(ROWS // SPLIT_ROWS)]
    upload = start(uploads, "export_pieces", f"{prefix}.csv", expected)
    for try_number, key in enumerate(pieces[1:], 1):
        uploads.slow_down(key, MIB_PER_SECOND / 4, after_parts=1)
        upload.wait_for_attempt(try_number)
        RunningUpload(uploads, upload.dag_id, upload.run_id, expected, key).wait_until_stored(more_parts=2)
        upload.kill()
        assert uploads.unfinished() == [key]
        uploads.server.faults.clear()
    assert upload.end() == "success"

    assert upload.attempts() == ["failed", "failed", "success"]
    assert "nothing is sent" in upload.log(3)
    result = upload.result()
    assert [each["key"] for each in result["objects"]] == pieces
    assert result["rows"] == ROWS
    sent = received_bytes(uploads, f"{prefix}-0")
    assert result["bytes"] <= sent <= result["bytes"] + 2 * IN_FLIGHT_BYTES
    header, *_ = uploads.bucket.get_object(pieces[0]).read().splitlines(keepends=True)
    bodies = [uploads.bucket.get_object(key).read().removeprefix(header) for key in pieces]
    assert header + b"".join(bodies) == expected.read_bytes()
    manifest = json.loads(uploads.bucket.get_object(f"{prefix}-manifest.json").read())
    assert manifest["pieces"] == result["objects"]
    uploads.assert_nothing_left()
    postgres.wait_until_released()


@pytest.fixture(scope="module")
def orders(postgres: PostgresServer) -> PostgresServer:
    """The examples' table."""
    postgres.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, day date, customer text, card_number text, amount numeric(12, 2))"
    )
    return postgres


def test_postgres_export(uploads: Uploads, orders: PostgresServer) -> None:
    """The example exports one day of a table, without the excluded column, as compressed CSV and as Parquet."""
    orders.execute(
        "INSERT INTO orders SELECT n, date '2026-11-21' + n % 2, 'customer ' || n, 's3cret', n / 4.0 "
        "FROM generate_series(1, 6) n"
    )
    run_id = uploads.trigger(DAG_ID, day="2026-11-22")
    run_ids = uploads.airflow.database.run_ids
    wait_until(lambda: len(run_ids(DAG_ID)) == 2 or None, 60, "the scheduled run too", lambda: str(run_ids(DAG_ID)))
    assert [uploads.airflow.wait_for_run(DAG_ID, each) for each in run_ids(DAG_ID)] == ["success"] * 2

    results: dict[str, Any] = {task: uploads.airflow.xcom(DAG_ID, run_id, task) for task in ("csv", "parquet")}
    text = gzip.decompress(uploads.bucket.get_object("orders/day=2026-11-22/orders.csv.gz").read()).decode()
    assert text.splitlines() == [
        "id,day,customer,amount",
        "1,2026-11-22,customer 1,0.25",
        "3,2026-11-22,customer 3,0.75",
        "5,2026-11-22,customer 5,1.25",
    ]
    [part] = results["parquet"]["objects"]
    assert part["key"] == "orders_parquet/day=2026-11-22/part-00000.parquet"
    table = pq.read_table(io.BytesIO(uploads.bucket.get_object(part["key"]).read()))
    assert table.column("id").to_pylist() == [1, 3, 5]
    assert str(table.schema.field("amount").type) == "decimal128(12, 2)"
    assert results["csv"]["rows"] == results["parquet"]["rows"] == 3
    assert results["parquet"]["manifest"].endswith("/part-manifest.json")


PIPELINE_ID = "oss_export_pipeline"


def test_pipeline(uploads: Uploads, orders: PostgresServer, folder: Path) -> None:
    """The example exports a day in pieces, finds and downloads each under its name, and leaves nothing in OSS."""
    orders.execute(
        "INSERT INTO orders SELECT n, '2026-11-29', 'customer ' || n, 'secret', n FROM generate_series(11, 13) n"
    )
    directory = folder / "handed-over"
    run_id = uploads.trigger(PIPELINE_ID, day="20261129", rows=2, directory=str(directory))
    assert uploads.airflow.wait_for_run(PIPELINE_ID, run_id) == "success"

    names = ["part-00000.csv", "part-00001.csv"]
    assert uploads.airflow.database.names_of_mapped(PIPELINE_ID, run_id, "download") == names
    rows = [line for name in names for line in (directory / "20261129" / name).read_text().splitlines()]
    head = "id,customer,amount"
    assert rows == [head, "11,customer 11,11.00", "12,customer 12,12.00", head, "13,customer 13,13.00"]
    assert list(uploads.bucket.list_objects_v2(prefix="handed_over/").object_list) == []


MAPPED_ID = "oss_mapped_export"
PLAN, SEND, FINISH = (f"sales.{name}" for name in ("plan", "send", "finish"))


def stored_rows(uploads: Uploads, manifest: dict[str, Any]) -> list[int]:
    bodies = [uploads.bucket.get_object(piece["key"]).read() for piece in manifest["pieces"]]
    return sorted(row for body in bodies for row in pq.read_table(io.BytesIO(body)).column("id").to_pylist())


@pytest.fixture(scope="module")
def sales(postgres: PostgresServer) -> None:
    """The example's table: 100 rows, of which 98 are old enough."""
    postgres.execute(
        "CREATE TABLE sales AS SELECT n::bigint AS id, date '2026-01-01' + n % 3 AS day, 'customer ' || n AS customer, "
        "n / 4.0 AS amount, CASE WHEN n > 98 THEN '2100-01-01' ELSE '2026-01-01' END::timestamptz AS created_at "
        "FROM generate_series(1, 100) n"
    )


def start_mapped(uploads: Uploads) -> str:
    return uploads.trigger(MAPPED_ID, until="2026-06-01T00:00:00+00:00")


@pytest.mark.usefixtures("sales")
def test_mapped_export(uploads: Uploads) -> None:
    """The example exports each row once, by four tasks; one that is cleared sends nothing again; a manifest has all."""
    run_id = start_mapped(uploads)
    assert uploads.airflow.wait_for_run(MAPPED_ID, run_id) == "success"

    assert len(uploads.airflow.xcom(MAPPED_ID, run_id, PLAN)) == 4
    assert uploads.airflow.database.names_of_mapped(MAPPED_ID, run_id, SEND) == [
        "1 to 25", "26 to 50", "51 to 75", "76 to 100",
    ]  # fmt: skip
    told = uploads.airflow.xcom(MAPPED_ID, run_id, FINISH)
    assert (told["rows"], told["objects"]) == (98, 12)
    key = f"sales/{run_id}/_part-manifest.json"
    assert told["manifest"].endswith(f"/{key}")
    manifest = json.loads(uploads.bucket.get_object(key).read())
    assert stored_rows(uploads, manifest) == list(range(1, 99))

    uploads.server.forget_requests()
    uploads.airflow.clear(MAPPED_ID, run_id, SEND, 1, downstream=True)
    assert uploads.airflow.wait_for_run(MAPPED_ID, run_id) == "success"
    sent = {one.key for one in uploads.server.requests if one.operation == "PutObject" and run_id in (one.key or "")}
    assert {name for name in sent if name and not name.endswith(".json")} == set()
    assert key in sent
    again = uploads.airflow.xcom(MAPPED_ID, run_id, FINISH)
    assert again["manifest_crc64"] == told["manifest_crc64"]
    uploads.assert_nothing_left()


@pytest.mark.usefixtures("sales")
def test_kill_of_a_shard(uploads: Uploads, postgres: PostgresServer, expected: Path) -> None:
    """A task of a mapped export SIGKILLed between two objects sends what was missing; each row is there once."""
    run_id = start_mapped(uploads)
    stored, stalled = (f"sales/{run_id}/day=2026-01-0{day}/part-00001.parquet" for day in (1, 2))
    uploads.server.faults.add(Fault(operation="PutObject", key=stalled, stall=True))
    uploads.server.wait_for_requests(lambda one: one.key == stored and one.status == 200, 120)
    shard = RunningUpload(uploads, MAPPED_ID, run_id, expected, stalled, SEND, 1)
    shard.kill()
    uploads.server.faults.clear()
    assert shard.end() == "success"

    assert shard.attempts() == ["failed", "success"]
    put = Counter(one.key for one in uploads.server.requests if one.operation == "PutObject" and one.status == 200)
    assert (put[stored], put[stalled]) == (1, 1)
    manifest = json.loads(uploads.bucket.get_object(f"sales/{run_id}/_part-manifest.json").read())
    assert stored_rows(uploads, manifest) == list(range(1, 99))
    uploads.assert_nothing_left()
    postgres.wait_until_released()
