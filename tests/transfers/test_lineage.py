"""What the transfers tell Airflow's OpenLineage provider, asked through its real extractor manager."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_oss.assets.oss import create_asset
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.lineage import source
from airflow_provider_oss.transfers.http_to_oss import HttpToOSSOperator
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from airflow_provider_oss.transfers.sql_shards import SQLFinishExportOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.operators.conftest import Build, Run
from tests.support.openlineage import Lineage
from tests.support.s3_server import BUCKET as S3_BUCKET
from tests.support.s3_server import S3Server
from tests.support.web_server import WebServer, plain

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer

SQL = "SELECT n, 'name ' || n AS name FROM public.lineage_numbers ORDER BY n"


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def test_one_object_of_a_storage(
    told: Callable[[Build], Lineage], s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the storage is the input, named as its own provider names it, without the connection."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SOURCE", s3.connection_json)
    s3.put("d/a b#1.csv", b"data")
    location = f"s3://aws_source@{S3_BUCKET}/d/a b#1.csv"
    lineage = told(lambda: ObjectStorageToOSSOperator(task_id="copy", source=location, key="to/a.csv"))
    assert lineage.inputs == [(f"s3://{S3_BUCKET}", "d/a b#1.csv")]
    assert lineage.outputs == [("oss://exports", "to/a.csv")]


def test_many_files(told: Callable[[Build], Lineage], tmp_path: Path) -> None:
    """Of a glob every file is told, and every object with its size."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_bytes(b"data")
    lineage = told(lambda: ObjectStorageToOSSOperator(task_id="copy", source=f"{tmp_path}/*.csv", prefix="to"))
    assert lineage.inputs == [("file", f"{tmp_path}/{name}.csv") for name in ("a", "b")]
    assert lineage.outputs == [("oss://exports", f"to/{name}.csv") for name in ("a", "b")]
    assert lineage.statistics(("oss://exports", "to/b.csv"))["size"] == 4


def test_an_http_server(told: Callable[[Build], Lineage], web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is the input's namespace and the path its name; the query, which may be secret, is not told."""
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": web.url}))
    web.pages["/dumps/today.csv"] = plain(b"data")
    endpoint = "/dumps/today.csv?token=secret"
    lineage = told(lambda: HttpToOSSOperator(task_id="mirror", endpoint=endpoint, key="a.csv"))
    assert lineage.inputs == [(web.url, "dumps/today.csv")]
    assert lineage.outputs == [("oss://exports", "a.csv")]
    assert "secret" not in str(lineage.found)


@pytest.mark.xdist_group("postgres")
def test_pieces_of_a_query(told: Callable[[Build], Lineage], postgres: PostgresServer) -> None:
    """The tables of the query are inputs; pieces, with rows, size and columns, and the manifest are outputs."""
    postgres.execute("DROP TABLE IF EXISTS lineage_numbers")
    postgres.execute("CREATE TABLE lineage_numbers AS SELECT n FROM generate_series(1, 3) AS n")
    lineage = told(lambda: SQLToOSSOperator(task_id="export", conn_id="pg", sql=SQL, key="a/b.csv", split_rows=2))
    [(namespace, table)] = lineage.inputs
    assert namespace.startswith("postgres://")
    assert table.endswith(".public.lineage_numbers")
    pieces = [("oss://exports", f"a/b-0000{index}.csv") for index in range(2)]
    assert lineage.outputs == [*pieces, ("oss://exports", "a/b-manifest.json")]
    assert lineage.statistics(pieces[0]) == {
        "rowCount": 2,
        "size": len(b"n,name\n1,name 1\n2,name 2\n"),
        "fileCount": None,
    }
    assert lineage.columns(pieces[0]) == [("n", "integer"), ("name", "text")]
    assert lineage.query == SQL


def test_an_export_by_many_tasks(told: Callable[[Build], Lineage], run: Run, sqlite: Callable[..., None]) -> None:
    """A shard tells the query, the last task the folder that has all objects, and the manifest."""
    sqlite("CREATE TABLE numbers (n)", "INSERT INTO numbers VALUES (1), (2), (3)")
    sql = "SELECT n FROM numbers WHERE n <= :last"
    shards = [{"index": 0, "parameters": {"last": 2}}]

    def send() -> Any:
        return SQLToOSSOperator(task_id="send", conn_id="lite", sql=sql, key="a/b-{index}.csv", shard=shards[0])

    lineage = told(send)
    assert (lineage.outputs, lineage.query) == ([], sql)
    results = [run(send)]
    lineage = told(
        lambda: SQLFinishExportOperator(task_id="finish", key="a/b-{index}.csv", shards=shards, results=results)
    )
    assert lineage.outputs == [("oss://exports", "a"), ("oss://exports", "a/b-manifest.json")]
    assert lineage.statistics(("oss://exports", "a")) == {"rowCount": 2, "size": 6, "fileCount": 1}


def test_the_event_of_an_export(events_of: Callable[..., Any], sqlite: Callable[..., None]) -> None:
    """The event of an object has its rows; that of the folder the rows, the size and the number of the objects."""
    sqlite("CREATE TABLE numbers (n)", "INSERT INTO numbers VALUES (1), (2), (3)")
    outlets = [create_asset(bucket="exports", key=key) for key in ("a/b-00000.csv", "a/", "a/b-manifest.json")]

    def build() -> Any:
        sql = "SELECT n FROM numbers ORDER BY n"
        return SQLToOSSOperator(task_id="export", conn_id="lite", sql=sql, key="a/b.csv", split_rows=2, outlets=outlets)

    piece, folder, manifest = events_of(build)
    etag = OSSHook().head_object("a/b-00000.csv").etag
    assert piece == {"key": "a/b-00000.csv", "size": 6, "etag": etag, "rows": 2}
    assert folder == {"files": 2, "size": 10, "rows": 3}
    assert manifest == {}


def test_a_query_of_a_database_that_openlineage_does_not_know(
    told: Callable[[Build], Lineage], sqlite: Callable[..., None]
) -> None:
    """Where the hook cannot say how OpenLineage names its tables, the query is told, and what was stored."""
    sqlite("CREATE TABLE numbers (n)", "INSERT INTO numbers VALUES (1), (2), (3)")
    sql = "SELECT n FROM numbers"
    lineage = told(lambda: SQLToOSSOperator(task_id="export", conn_id="lite", sql=sql, key="a/b.csv"))
    assert (lineage.inputs, lineage.outputs, lineage.query) == ([], [("oss://exports", "a/b.csv")], sql)
    assert lineage.statistics(("oss://exports", "a/b.csv"))["rowCount"] == 3


def test_a_database_whose_hook_fails_to_name_its_tables(
    told: Callable[[Build], Lineage],
    sqlite: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What goes wrong there is a line in the log, and costs nothing of what was stored."""

    def fail(*_: Any) -> None:
        raise RuntimeError("no route to the database")

    monkeypatch.setattr("airflow.providers.sqlite.hooks.sqlite.SqliteHook.get_openlineage_database_info", fail)
    sqlite("CREATE TABLE numbers (n)")
    lineage = told(lambda: SQLToOSSOperator(task_id="export", conn_id="lite", sql="SELECT n FROM numbers", key="b.csv"))
    assert lineage.outputs == [("oss://exports", "b.csv")]
    assert "are not reported to OpenLineage: RuntimeError: no route to the database" in caplog.text


def test_the_namespace_of_an_object_is_that_of_its_asset() -> None:
    """What is read from OSS by its address has the name that it had when it was written."""
    dataset = source("oss://oss_default@exports/daily/a b#1.csv")
    assert (dataset.namespace, dataset.name) == ("oss://exports", "daily/a b#1.csv")
