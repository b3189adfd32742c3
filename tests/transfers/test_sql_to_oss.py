"""SQLToOSSOperator against a real PostgreSQL, SQLite and the local OSS server."""

from __future__ import annotations

import gzip
import io
import json
import logging
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSServiceUnavailable, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.transfers.query import Session
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import REFUSED, Build, Run
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

pytestmark = pytest.mark.xdist_group("postgres")

NUMBERS = "SELECT n, 'name ' || n AS name FROM generate_series(1, {rows}) AS n ORDER BY n"


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres.wait_until_released()
    monkeypatch.setenv("AIRFLOW_CONN_WEB", "http://web.example")
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
    postgres.wait_until_released()


@pytest.mark.parametrize(
    ("file_format", "key", "compression", "mime", "encoding"),
    [
        ("csv", "a.csv", "gzip", "text/csv; charset=utf-8", "gzip"),
        ("csv", "a.csv.gz", "gzip", "application/gzip", None),
        ("jsonl", "a.jsonl", None, "application/x-ndjson", None),
        ("parquet", "a.parquet", "gzip", "application/vnd.apache.parquet", None),
    ],
)
def test_how_it_is_described(
    run: Run, file_format: str, key: str, compression: str | None, mime: str, encoding: str | None
) -> None:
    """Content-Type follows the format; Content-Encoding is there unless the key names a compressed file."""
    run(export(key=key, file_format=file_format, compression=compression, meta={"run": "{{ run_id }}"}))
    info = OSSHook().head_object(key)
    assert (info.content_type, info.headers.get("content-encoding")) == (mime, encoding)
    assert info.meta == {"run": "manual__1"}
    if compression == "gzip" and file_format == "csv":
        assert gzip.decompress(read(key)) == numbers(1, 5)


def test_the_users_own_description(run: Run) -> None:
    """What the user says of type and encoding goes before what we would say."""
    run(export(compression="gzip", mime="text/plain", headers={"content-encoding": "x-gzip"}))
    info = OSSHook().head_object("a/b.csv")
    assert (info.content_type, info.headers["content-encoding"]) == ("text/plain", "x-gzip")


def test_excluded_column(run: Run) -> None:
    """An excluded column is not in the object, and the values of the others stay under their names."""
    sql = "SELECT 'bob' AS name, 's3cret' AS password, 7 AS age"
    result = run(export(sql=sql, exclude=["{{ 'password' }}"], key="{{ ds }}.jsonl", file_format="jsonl"))
    assert read("2026-11-21.jsonl") == b'{"name":"bob","age":7}\n'
    assert [column["name"] for column in result["columns"]] == ["name", "age"]
    run(export(sql=sql, columns=["age", "name"], csv_options={"header": False, "delimiter": ";"}))
    assert read("a/b.csv") == b"7;bob\n"


def test_lists_given_as_generators(
    in_dag: Callable[[Build], Any], context_of: Callable[[Any], Context], postgres: PostgresServer
) -> None:
    """What can be gone through only once is a list all the same, and a retry has it too."""
    names = ("name", "age", "password")
    build = export(
        sql="SELECT %s AS name, 's3cret' AS password, %s AS age",
        parameters=(each for each in ("bob", 7)),
        columns=(name for name in names),
        exclude=filter(None, ["password", ""]),
    )
    operator = in_dag(build)
    for _ in range(2):
        operator.execute(context_of(operator))
        assert read("a/b.csv") == b"name,age\nbob,7\n"
    postgres.wait_until_released()


def test_parquet(run: Run) -> None:
    """Parquet holds the rows with the types of the database."""
    run(export(key="a.parquet", file_format="parquet", sql="SELECT 1::int2 AS a, 1.50::numeric(9,2) AS b"))
    table = pq.read_table(io.BytesIO(read("a.parquet")))
    assert [str(each) for each in table.schema.types] == ["int16", "decimal128(9, 2)"]


def test_query_in_a_file(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The query may be a file of templates; its parameters are templates too, and are not in the log."""
    (tmp_path / "query.sql").write_text("SELECT %(day)s AS day, %(token)s <> '' AS secret, '{{ params.kind }}' AS kind")

    def build() -> Any:
        operator: Any = export(sql="query.sql", parameters={"day": "{{ ds }}", "token": "s3cret"})()
        operator.dag.template_searchpath = [str(tmp_path)]
        operator.resolve_template_files()
        return operator

    with caplog.at_level(logging.DEBUG):
        run(build)
    assert read("a/b.csv") == b"day,secret,kind\n2026-11-21,true,csv\n"
    assert "s3cret" not in caplog.text


def test_sqlite(run: Run, sqlite: Callable[..., None]) -> None:
    """Any database does, in batches."""
    sqlite("CREATE TABLE t (a INTEGER, b TEXT)", "INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'x')")
    result = run(export(conn_id="lite", sql="SELECT * FROM t WHERE a < ? ORDER BY a", parameters=[3], batch_rows="1"))
    assert read("a/b.csv") == b'a,b\n1,\n2,""\n'
    assert result["columns"][0] == {"name": "a", "type": "unknown"}


def test_retry_of_a_stream(run: Run, server: OSSEmulator, supervisor: Supervisor, postgres: PostgresServer) -> None:
    """An attempt that failed in the middle is continued: what OSS holds of the same rows is not sent again."""
    build = export(sql=NUMBERS.format(rows=30_000), part_size=100 * KIB, parallel=1)
    server.faults.add(Fault(operation="UploadPart", part_number=4, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        run(build)
    postgres.wait_until_released()
    assert not OSSHook().object_exists("a/b.csv")

    result = run(build)

    assert read("a/b.csv") == numbers(1, 30_000)
    assert result["resumed"]
    assert result["bytes_verified"] == 3 * 100 * KIB
    assert result["bytes_sent"] + result["bytes_verified"] == result["bytes"]
    assert supervisor.holds_nothing()


@pytest.mark.parametrize("split", [{}, {"split_rows": 500_000}])
def test_query_that_fails_in_the_middle(run: Run, postgres: PostgresServer, split: dict[str, int]) -> None:
    """Rows before an error of the query never become an object."""
    sql = "SELECT 1 / (100000 - n) AS a FROM generate_series(1, 200000) n"
    with pytest.raises(Exception, match="division by zero"):
        run(export(sql=sql, part_size=100 * KIB, **split))
    assert keys() == []
    postgres.wait_until_released()


@pytest.mark.parametrize("split", [{}, {"split_bytes": 10**6}])
def test_on_kill(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[Any], Context],
    postgres: PostgresServer,
    split: dict[str, int],
) -> None:
    """A query that hangs is given up soon after ``on_kill``, and the database is let go."""
    operator = in_dag(export(sql="SELECT pg_sleep(120)", **split))

    def kill() -> None:
        wait_until(lambda: "FETCH" in str(postgres.sessions()) or None, 20, "the query", lambda: "nothing")
        operator.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(OSSUploadCancelled, match="asked to stop"):
        operator.execute(context_of(operator))
    thread.join()
    postgres.wait_until_released()


def test_on_kill_before_anything() -> None:
    """A task that is told to stop before it began has nothing to do for it."""
    export()().on_kill()


@pytest.mark.parametrize("sql", ["SELECT 1 FORM t", "SELECT 1; SELECT 2"])
def test_wrong_query(run: Run, sql: str) -> None:
    """A query that no retry mends fails the task at once, and stores nothing."""
    with pytest.raises(AirflowFailException, match=r"sql is wrong|sql holds 2 statements"):
        run(export(sql=sql))
    assert keys() == []


# Pieces


def test_split_by_rows(run: Run) -> None:
    """Numbered objects, each a whole file with so many rows, then the manifest, which says what the result says."""
    result = run(export(split_rows="{{ 2 }}", meta={"team": "x"}))
    assert keys() == ["a/b-00000.csv", "a/b-00001.csv", "a/b-00002.csv", "a/b-manifest.json"]
    assert [read(key) for key in keys()[:3]] == [numbers(1, 2), numbers(3, 4), numbers(5, 5)]
    manifest = json.loads(read("a/b-manifest.json"))
    assert result["manifest"] == "oss://exports/a/b-manifest.json"
    assert manifest == {
        "version": 1, "file_format": "csv", "compression": None, "rows": 5, "bytes": result["bytes"],
        "columns": result["columns"], "partition_by": [], "pieces": result["objects"],
    }  # fmt: skip
    assert [(each["rows"], each["bytes"]) for each in manifest["pieces"]] == [(2, 25), (2, 25), (1, 16)]
    info = OSSHook().head_object("a/b-manifest.json")
    assert (info.content_type, info.meta) == ("application/json", {"team": "x"})
    assert OSSHook().head_object("a/b-00000.csv").crc64 == int(manifest["pieces"][0]["crc64"])


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_split_by_bytes(run: Run, compression: str | None) -> None:
    """Every piece but the last has at least that size as it is stored, and at most a batch of rows more."""
    result = run(
        export(
            key="p/{index}.bin",
            sql="SELECT md5(n::text) AS a FROM generate_series(1, 50000) n ORDER BY n",
            compression=compression,
            split_bytes=300_000,
            batch_rows=100,
            manifest="p/index.json",
        )
    )
    *sizes, last = [each["bytes"] for each in result["objects"]]
    assert keys() == [*(f"p/{index:05}.bin" for index in range(len(sizes) + 1)), "p/index.json"]
    assert sizes
    # A compressor gives its bytes in blocks
    assert all(300_000 <= size < 300_000 + 300_000 for size in sizes)
    assert 0 < last < 600_000
    assert sum(each["rows"] for each in result["objects"]) == result["rows"] == 50_000


def piece_requests(server: OSSEmulator) -> list[str]:
    """Return the keys of what was sent, in order, without the manifest."""
    return [
        request.key or ""
        for request in server.requests
        if request.operation in ("PutObject", "CompleteMultipartUpload") and not (request.key or "").endswith(".json")
    ]


def test_retry_sends_only_missing_pieces(run: Run, server: OSSEmulator, supervisor: Supervisor) -> None:
    """Pieces that are there already are recognised, one that was half sent is continued, the others are sent."""
    build = export(sql=NUMBERS.format(rows=40_000), split_rows=15_000, part_size=100 * KIB, parallel=1)
    server.faults.add(Fault(operation="UploadPart", key="a/b-00001.csv", part_number=2, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        run(build)
    assert keys() == ["a/b-00000.csv"]
    assert not supervisor.holds_nothing()
    server.forget_requests()

    result = run(build)

    assert piece_requests(server) == ["a/b-00001.csv", "a/b-00002.csv"]
    assert [
        request.part_number for request in server.requests if request.key == "a/b-00001.csv" and request.part_number
    ]
    first, second, third = (each["bytes"] for each in result["objects"])
    assert result["bytes_verified"] == first + 100 * KIB
    assert result["bytes_sent"] == second + third - 100 * KIB
    assert result["resumed"]
    assert b"".join(read(each["key"]).removeprefix(b"n,name\n") for each in result["objects"]) == numbers(
        1, 40_000
    ).removeprefix(b"n,name\n")
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []
    server.forget_requests()
    assert run(build)["bytes_sent"] == 0
    assert piece_requests(server) == []


def test_rows_that_changed(run: Run, server: OSSEmulator, postgres: PostgresServer) -> None:
    """Between attempts a row changed: the piece that it is in is sent again, the others are not."""
    postgres.execute("CREATE TABLE changing AS SELECT n, 'name ' || n AS name FROM generate_series(1, 9) n")
    build = export(sql="SELECT * FROM changing ORDER BY n", split_rows=3)
    run(build)
    postgres.execute("UPDATE changing SET name = 'other' WHERE n = 5")
    server.forget_requests()
    assert run(build)["bytes_sent"] == len(read("a/b-00001.csv"))
    assert piece_requests(server) == ["a/b-00001.csv"]
    assert b"5,other" in read("a/b-00001.csv")


def test_description_that_changed(run: Run, server: OSSEmulator) -> None:
    """Pieces with the right bytes and another description are stored again."""
    run(export(split_rows=3))
    for changes in ({"meta": {"a": "b"}}, {"mime": "text/plain"}, {"headers": {"Cache-Control": "no-store"}}):
        server.forget_requests()
        assert run(export(split_rows=3, **changes))["bytes_sent"] > 0
        assert len(piece_requests(server)) == 2
        server.forget_requests()
        assert run(export(split_rows=3, **changes))["bytes_sent"] == 0


def test_pieces_may_not_be_looked_at(run: Run, server: OSSEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """Without permission to look at objects every piece is sent; the log says why."""
    run(export(split_rows=3))
    server.faults.add(Fault(operation="HeadObject", status=403, code="AccessDenied"))
    assert run(export(split_rows=3))["bytes_sent"] > 0
    assert "cannot be looked at, so it counts as not stored" in caplog.text


def test_fewer_pieces_than_before(
    run: Run, server: OSSEmulator, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """A piece that is no longer one stays, but not in the manifest, and the log says so; its upload is aborted."""
    run(export(split_rows=2))
    server.faults.add(Fault(operation="UploadPart", key="a/b-00002.csv", part_number=2, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        run(export(sql=NUMBERS.format(rows=40_000), split_rows=15_000, part_size=100 * KIB, parallel=1))
    assert not supervisor.holds_nothing()

    result = run(export(sql=NUMBERS.format(rows=3), split_rows=2, part_size=100 * KIB))

    assert [each["key"] for each in result["objects"]] == ["a/b-00000.csv", "a/b-00001.csv"]
    assert json.loads(read("a/b-manifest.json"))["pieces"] == result["objects"]
    assert "a/b-00002.csv is there from an earlier, longer export" in caplog.text
    assert "a/b-00002.csv" in keys()
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


def test_where_the_manifest_goes(run: Run) -> None:
    """A manifest is in the bucket of its rows, unless it says where it is."""
    result = run(export(key="oss://other/a.csv", manifest="m.json"))
    assert result["manifest"] == "oss://other/m.json"
    result = run(export(key="oss://other/b.csv", split_rows=3))
    assert result["manifest"] == "oss://other/b-manifest.json"
    result = run(export(key="oss://other/a.csv", manifest="oss://exports/a.csv"))
    assert result["manifest"] == "oss://exports/a.csv"
    assert json.loads(read("a.csv"))["pieces"] == result["objects"]
    assert {each["uri"] for each in result["objects"]} == {"oss://other/a.csv"}


def test_token_that_expires_between_pieces(run: Run, server: OSSEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connection has another AccessKey by now the look for a piece is made with that, and all go on."""
    monkeypatch.setattr(OSSHook, "renew_credentials", lambda _: True)
    server.faults.add(Fault(operation="HeadObject", skip=1, times=1, status=403, code="SecurityTokenExpired"))
    assert len(run(export(split_rows=2))["objects"]) == 3


# Nothing


@pytest.mark.parametrize(
    ("file_format", "expected"),
    [("csv", b"n,name\n"), ("jsonl", b"")],
)
@pytest.mark.parametrize("split", [{}, {"split_rows": 2}])
def test_no_rows(run: Run, file_format: str, expected: bytes, split: dict[str, int]) -> None:
    """A query without rows is one object without rows, and with ``skip_empty`` none; a manifest says so."""
    build = {"sql": NUMBERS.format(rows=0), "file_format": file_format, "key": "a", **split}
    result = run(export(skip_empty=True, **build))
    assert (result["rows"], result["objects"], result["bytes"]) == (0, [], 0)
    assert keys() == (["a-manifest.json"] if split else [])
    assert [column["name"] for column in result["columns"]] == ["n", "name"]

    result = run(export(**build))
    assert (result["rows"], len(result["objects"])) == (0, 1)
    assert read("a-00000" if split else "a") == expected


def test_no_rows_in_parquet(run: Run) -> None:
    """A Parquet file without rows still has its columns."""
    run(export(sql=NUMBERS.format(rows=0), file_format="parquet", key="a"))
    assert pq.read_table(io.BytesIO(read("a"))).schema.names == ["n", "name"]


def parquet_of_sqlite(run: Run, **changes: Any) -> tuple[set[str], dict[str, Any], list[Any]]:
    """Export the table ``t`` of SQLite as Parquet; return the schemas of its objects, the manifest, and all values."""
    arguments = {"conn_id": "lite", "sql": "SELECT a FROM t ORDER BY n", "file_format": "parquet", "key": "p"}
    result = run(export(**{**arguments, "manifest": "m.json", **changes}))
    tables = [pq.read_table(io.BytesIO(read(each["key"]))) for each in result["objects"]]
    assert result["rows"] == sum(table.num_rows for table in tables)
    values = [value for table in tables for value in table.column("a").to_pylist()]
    return {str(table.schema) for table in tables}, json.loads(read("m.json")), values


@pytest.mark.parametrize("split", [{}, {"split_rows": 300}, {"split_bytes": 2000, "batch_rows": 100}])
@pytest.mark.parametrize(
    ("first", "later", "kind", "parquet", "values"),
    [
        ("20", "19.99", "float", "double", (20.0, 19.99)),
        ("NULL", "7", "integer", "int64", (None, 7)),
        ("NULL", "x'00'", "bytes", "binary", (None, b"\x00")),
        ("1", "'x'", "text", "string", ("1", "x")),
        ("NULL", "NULL", "text", "string", (None, None)),
    ],
)
def test_one_schema(
    run: Run,
    sqlite: Callable[..., None],
    split: dict[str, int],
    first: str,
    later: str,
    kind: str,
    parquet: str,
    values: tuple[Any, Any],
) -> None:
    """Where SQLite declares no types all rows decide: one schema in all objects and the manifest, each value whole."""
    sqlite(
        "CREATE TABLE t (n INTEGER PRIMARY KEY, a NUMERIC)",
        "INSERT INTO t (n) WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM r LIMIT 1001) SELECT * FROM r",
        f"UPDATE t SET a = CASE WHEN n <= 1000 THEN {first} ELSE {later} END",  # noqa: S608 - the test's own text
    )
    schemas, manifest, found = parquet_of_sqlite(run, **split)
    assert schemas == {f"a: {parquet}"}
    assert manifest["columns"] == [{"name": "a", "type": kind, "parquet": parquet}]
    assert found == [values[0]] * 1000 + [values[1]]


@pytest.mark.parametrize("split", [{}, {"split_rows": 300}])
def test_schema_of_no_rows(run: Run, sqlite: Callable[..., None], split: dict[str, int]) -> None:
    """Without rows the manifest has the schema that the one object has."""
    sqlite("CREATE TABLE t (n INTEGER PRIMARY KEY, a NUMERIC)")
    schemas, manifest, found = parquet_of_sqlite(run, **split)
    assert (schemas, found) == ({"a: string"}, [])
    assert manifest["columns"] == [{"name": "a", "type": "text", "parquet": "string"}]


def test_schema_of_declared_types(run: Run) -> None:
    """What PostgreSQL declares is the schema of each piece, NULLs first or not."""
    sql = "SELECT (CASE WHEN n > 4 THEN 1.5 END)::numeric(5,2) AS a FROM generate_series(1, 6) n ORDER BY n"
    schemas, manifest, found = parquet_of_sqlite(run, conn_id="pg", sql=sql, split_rows=2)
    assert schemas == {"a: decimal128(5, 2)"}
    assert manifest["columns"] == [{"name": "a", "type": "numeric(5,2)", "parquet": "decimal128(5, 2)"}]
    assert found == [None] * 4 + [Decimal("1.50")] * 2


def test_export_of_unknown_types_is_cancelled(run: Run, sqlite: Callable[..., None]) -> None:
    """While the rows are read to learn their types the task can be stopped."""
    sqlite("CREATE TABLE t (n INTEGER PRIMARY KEY, a NUMERIC)")
    sql = "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT a FROM r"
    operator = export(conn_id="lite", sql=sql, file_format="parquet", key="p")()
    timer = threading.Timer(0.3, operator.on_kill)
    timer.start()
    with pytest.raises(OSSUploadCancelled):
        run(lambda: operator)
    timer.join()


def test_an_interrupted_query_is_a_cancelled_export(
    run: Run, sqlite: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that ends at once when another thread stops the task ends as a cancelled one, not as a broken one."""
    sqlite("CREATE TABLE t (n INTEGER PRIMARY KEY, a NUMERIC)")
    sql = "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT a FROM r"
    operator = export(conn_id="lite", sql=sql, file_format="parquet", key="p")()
    interrupt, has_left = Session.interrupt, threading.Event()

    def interrupt_and_wait(session: Session) -> None:
        interrupt(session)
        assert has_left.wait(20)

    monkeypatch.setattr(Session, "interrupt", interrupt_and_wait)
    timer = threading.Timer(0.3, operator.on_kill)
    timer.start()
    try:
        with pytest.raises(OSSUploadCancelled):
            run(lambda: operator)
    finally:
        has_left.set()
        timer.join()


def test_no_rows_any_more(run: Run, server: OSSEmulator, supervisor: Supervisor) -> None:
    """When a retry finds no rows, what the last attempt had begun is aborted."""
    server.faults.add(Fault(operation="UploadPart", part_number=4, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        run(export(sql=NUMBERS.format(rows=30_000), part_size=100 * KIB, parallel=1))
    result = run(export(sql=NUMBERS.format(rows=0), skip_empty=True, part_size=100 * KIB, manifest="m.json"))
    assert result["manifest"] == "oss://exports/m.json"
    assert json.loads(read("m.json"))["pieces"] == []
    assert supervisor.holds_nothing()
    assert list(OSSHook().list_multipart_uploads()) == []


# What cannot work


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file_format": "xml"}, "OSSInvalidArgument: file_format='xml' is not known"),
        ({"conn_id": "web"}, "conn_id='web' belongs to a HttpHook, which runs no SQL"),
        ({"exclude": ["missing"]}, "exclude names 'missing', but the result has only n, name"),
        ({"split_rows": "many"}, "split_rows='many' is no whole number"),
        ({"split_rows": 0}, "split_rows=0 must be at least 1"),
        ({"batch_rows": 0}, "batch_rows=0 must be at least 1"),
        ({"batch_rows": "1" + "0" * 20}, "must be at least 1 and at most 2147483647"),
        ({"manifest": "a/b.csv"}, "is the key of exported rows too"),
        ({"manifest": "oss://exports/a/b.csv"}, "is the key of exported rows too"),
        ({"manifest": 7}, "manifest=7 is an int: give text"),
        ({"sql": "SELECT 1 AS a, 2 AS a", "file_format": "jsonl"}, "2 columns are called 'a'"),
        ({"sql": "SELECT NULL AS a"}, "would be an empty line"),
        ({"key": "oss://exports/a", "bucket_name": "other"}, "name two buckets"),
        ({"oss_conn_id": "oss_default", "bucket_name": "gone"}, "OSSNoSuchBucket"),
    ],
)
@pytest.mark.parametrize("split", [{}, {"split_rows": 2}])
def test_what_cannot_work(
    run: Run, postgres: PostgresServer, changes: dict[str, Any], message: str, split: dict[str, int]
) -> None:
    """What no retry can mend fails the task at once, says which argument it is, and stores nothing."""
    with pytest.raises(REFUSED, match=message):
        run(export(**(split | changes)))
    assert keys() == []
    postgres.wait_until_released()


def test_numbers_without_pieces(run: Run) -> None:
    """A key that numbers pieces is refused where there are none."""
    with pytest.raises(AirflowFailException, match="numbers pieces, but there is one object"):
        run(export(key="{index}.csv"))
