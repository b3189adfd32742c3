"""One export by several tasks: what they give to one another, what the last one checks, and the group of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowFailException, BaseOperator

from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.transfers.sql_shards import SQLFinishExportOperator, SQLPlanExportOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator, mapped_export
from tests.operators.conftest import REFUSED, Run
from tests.support.postgres import PostgresServer
from tests.support.stores import MemoryStore

pytestmark = pytest.mark.xdist_group("postgres")

SQL = "SELECT n, day FROM t WHERE n BETWEEN :first AND :last ORDER BY n"
BOUNDS = "SELECT min(n), max(n) FROM t"
MISSPELT = (TypeError, AirflowException)
"""What Airflow raises: 3 and 2."""


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str], sqlite: Callable[..., None]) -> None:
    connect()
    sqlite(
        "CREATE TABLE t (n INTEGER PRIMARY KEY, day TEXT)",
        "INSERT INTO t WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r LIMIT 10) "
        "SELECT n, '2026-01-0' || (1 + n % 2) FROM r",
    )


def read(key: str) -> bytes:
    with OSSHook().get_object(key) as body:
        return body.read()


def keys() -> list[str]:
    return [each.ref.key for each in OSSHook().list_objects()]


class Tasks:
    """Runs the tasks, one after the other."""

    def __init__(self, run: Run, **common: Any) -> None:
        self.run = run
        self._common = {"conn_id": "lite", "key": "{{ ds }}/a.csv", **common}

    def plan(self, **arguments: Any) -> Any:
        given = {"conn_id": self._common["conn_id"], "bounds": BOUNDS, **arguments}
        return self.run(lambda: SQLPlanExportOperator(task_id="plan", **given))

    def send(self, shard: Any, **arguments: Any) -> Any:
        given = {"sql": SQL, **self._common, "shard": shard, **arguments}
        return self.run(lambda: SQLToOSSOperator(task_id="send", **given))

    def finish(self, shards: Any, results: Any, **arguments: Any) -> Any:
        given = {"key": self._common["key"], "shards": shards, "results": results, **arguments}
        return self.run(lambda: SQLFinishExportOperator(task_id="finish", **given))


@pytest.fixture
def tasks(run: Run) -> Tasks:
    """The tasks of a group."""
    return Tasks(run)


def test_plan_send_finish(tasks: Tasks, server: OSSEmulator) -> None:
    """Each row is exported once; what is handed on is small; one manifest lists the objects of all, in their order."""
    shards = tasks.plan(shards=3)
    assert [shard["name"] for shard in shards] == ["1 to 3", "4 to 6", "7 to 10"]
    assert server.requests == ()
    results = [tasks.send(shard, split_rows=2) for shard in reversed(shards)]
    told = tasks.finish(shards, results)
    assert json.loads(json.dumps([shards, results, told])) == [shards, results, told]
    assert len(json.dumps(results[0])) < 500

    manifest = json.loads(read("2026-11-21/a-manifest.json"))
    assert [piece["key"] for piece in manifest["pieces"]] == [
        f"2026-11-21/a-{shard:05}-{piece:05}.csv" for shard in range(3) for piece in range(2)
    ]
    rows = b"".join(read(piece["key"]).partition(b"\n")[2] for piece in manifest["pieces"])
    assert rows == b"".join(b"%d,2026-01-0%d\n" % (n, 1 + n % 2) for n in range(1, 11))
    assert manifest["columns"] == [{"name": "n", "type": "unknown"}, {"name": "day", "type": "unknown"}]
    assert (told["rows"], told["objects"], told["bytes"]) == (10, 6, manifest["bytes"])
    assert told["manifest"] == "oss://exports/2026-11-21/a-manifest.json"
    assert OSSHook().head_object("2026-11-21/a-manifest.json").crc64 == int(told["manifest_crc64"])
    assert {key for key in keys() if key.endswith(".json")} == {
        "2026-11-21/a-manifest.json", *(f"2026-11-21/_a-0000{shard}-manifest.json" for shard in range(3)),
    }  # fmt: skip


def test_one_object_for_each_shard(tasks: Tasks) -> None:
    """Without a limit a shard is one object; any task may run again, and sends nothing that OSS holds."""
    shards = tasks.plan(shards=2)
    results = [tasks.send(shard) for shard in shards]
    tasks.finish(shards, results)
    assert keys()[2:] == ["2026-11-21/a-00000.csv", "2026-11-21/a-00001.csv", "2026-11-21/a-manifest.json"]
    before = read("2026-11-21/a-manifest.json")
    assert tasks.plan(shards=2) == shards
    again = [tasks.send(shard, split_rows=100) for shard in shards]
    assert [each["rows"] for each in again] == [5, 5]
    results = [tasks.send(shard) for shard in shards]
    tasks.finish(shards, results)
    assert read("2026-11-21/a-manifest.json") == before


def test_cleared_pieces_are_recognised(tasks: Tasks) -> None:
    """A shard that is exported again sends only what differs."""
    [shard] = tasks.plan(shards=1)
    assert tasks.send(shard, split_rows=3)["bytes_sent"] > 0
    again = tasks.send(shard, split_rows=3)
    assert (again["bytes_sent"], again["bytes_verified"]) == (0, again["bytes"])


def test_a_list_of_parameters(tasks: Tasks) -> None:
    """Each item is a shard; the query's own parameters are there, too; partitions are above all of them."""
    shards = tasks.plan(bounds=None, shards=[{"rest": 0}, {"rest": 1}])
    sql = "SELECT n, day FROM t WHERE n % 2 = :rest AND n <= :most ORDER BY n"
    results = [tasks.send(shard, sql=sql, parameters={"most": "{{ 4 }}"}, partition_by=["day"]) for shard in shards]
    tasks.finish(shards, results)
    manifest = json.loads(read("2026-11-21/_a-manifest.json"))
    assert [(piece["key"], piece["rows"], piece["partition"]) for piece in manifest["pieces"]] == [
        ("2026-11-21/day=2026-01-01/a-00000.csv", 2, {"day": "2026-01-01"}),
        ("2026-11-21/day=2026-01-02/a-00001.csv", 2, {"day": "2026-01-02"}),
    ]
    assert manifest["partition_by"] == [{"name": "day", "type": "unknown"}]


def test_no_rows(tasks: Tasks, sqlite: Callable[..., None]) -> None:
    """A table without rows is one shard, which exports none."""
    sqlite("DELETE FROM t")
    shards = tasks.plan()
    told = tasks.finish(shards, [tasks.send(shard, skip_empty=True) for shard in shards])
    assert (len(shards), told["rows"], told["objects"]) == (1, 0, 0)


def test_dates_of_postgres(run: Run, postgres: PostgresServer) -> None:
    """Dates are cut as whole numbers are, and declared types are one schema, whatever rows a shard has."""
    postgres.execute(
        "CREATE TABLE IF NOT EXISTS cut AS SELECT n, '2026-01-30'::date + n AS day, "
        "CASE WHEN n > 2 THEN 1.5 END::numeric(5,2) AS amount FROM generate_series(0, 5) n"
    )
    tasks = Tasks(run, conn_id="pg", key="t/a.parquet", file_format="parquet")
    shards = tasks.plan(bounds="SELECT min(day), max(day) FROM cut", shards=2)
    assert [shard["name"] for shard in shards] == ["2026-01-30 to 2026-02-01", "2026-02-02 to 2026-02-04"]
    sql = "SELECT * FROM cut WHERE day BETWEEN %(first)s AND %(last)s ORDER BY n"
    told = tasks.finish(shards, [tasks.send(shard, sql=sql) for shard in shards])
    assert told["rows"] == 6
    columns = json.loads(read("t/a-manifest.json"))["columns"]
    assert [column["parquet"] for column in columns] == ["int32", "date32[day]", "decimal128(5, 2)"]
    postgres.wait_until_released()


def test_shards_with_other_columns(tasks: Tasks, sqlite: Callable[..., None]) -> None:
    """Where the rows decide types, shards that decided otherwise make no export; one without objects does not count."""
    sqlite("CREATE TABLE v (n INTEGER, a NUMERIC)", "INSERT INTO v VALUES (1, 20), (2, 19.99), (3, NULL)")
    shards = tasks.plan(bounds="SELECT min(n), max(n) FROM v", shards=2)
    parquet = {"sql": "SELECT a FROM v WHERE n BETWEEN :first AND :last", "file_format": "parquet"}
    results = [tasks.send(shard, **parquet) for shard in shards]
    with pytest.raises(AirflowFailException, match=r"differ in columns: .*int64.* and .*double.*CAST"):
        tasks.finish(shards, results)
    assert "2026-11-21/a-manifest.json" not in keys()
    sqlite("DELETE FROM v WHERE n = 1")
    results = [tasks.send(shard, skip_empty=True, **parquet) for shard in shards]
    assert tasks.finish(shards, results)["objects"] == 1


@pytest.mark.parametrize("instead", [[], [None], [{"rows": 3}], [{"shard": "a"}]], ids=str)
def test_a_shard_without_a_result(tasks: Tasks, instead: list[Any]) -> None:
    """It is named, with what to clear; no retry mends it, and no manifest is stored."""
    shards = tasks.plan(shards=3)
    results = [tasks.send(shard) for shard in shards]
    results[1:2] = instead
    with pytest.raises(AirflowFailException, match=r"shard 1 has no result: .*clear the task with map index 1"):
        tasks.finish(shards, results)
    assert "2026-11-21/a-manifest.json" not in keys()


@pytest.mark.parametrize(
    ("shards", "results", "message"),
    [
        ([], [], "shards is empty: give what SQLPlanExportOperator returned"),
        ([{"index": 0}], [{"shard": {"index": 0}}], "results has something without 'rows' in place of"),
        ([{"index": 0}], [{"shard": {"after": None}}], "shard 0 has no result"),
    ],
)
def test_results_of_something_else(tasks: Tasks, shards: Any, results: Any, message: str) -> None:
    """What another task has returned is refused."""
    with pytest.raises(AirflowFailException, match=message):
        tasks.finish(shards, results)


def test_an_interrupted_plan_is_cancelled(tasks: Tasks) -> None:
    """A query for the ends that hangs ends soon after the task is told to stop."""
    bounds = "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT min(a), max(a) FROM r"
    operator = SQLPlanExportOperator(task_id="plan", conn_id="lite", bounds=bounds)
    timer = threading.Timer(0.3, operator.on_kill)
    timer.start()
    with pytest.raises(OSSUploadCancelled):
        tasks.run(lambda: operator)
    timer.join()


def test_another_plan(tasks: Tasks, sqlite: Callable[..., None]) -> None:
    """Results of an earlier plan are none of this one."""
    before = [tasks.send(shard) for shard in tasks.plan(shards=2)]
    sqlite("INSERT INTO t VALUES (11, 'x')")
    shards = tasks.plan(shards=2)
    with pytest.raises(AirflowFailException, match=r"shard 1 has no result: .* ran with another plan"):
        tasks.finish(shards, before)


def test_another_run(tasks: Tasks, sqlite: Callable[..., None]) -> None:
    """When another run has exported to the same key meanwhile, or a manifest is gone, the end says so."""
    shards = tasks.plan(shards=2)
    results = [tasks.send(shard) for shard in shards]
    sqlite("UPDATE t SET day = 'other'")
    tasks.send(shards[1])
    with pytest.raises(AirflowFailException, match=r"_a-00001-manifest.json is not what shard 1 has stored"):
        tasks.finish(shards, results)
    OSSHook().delete_object("2026-11-21/_a-00000-manifest.json")
    with pytest.raises(AirflowFailException, match=r"_a-00000-manifest.json is not what shard 0 has stored"):
        tasks.finish(shards, results)


def test_where_the_manifest_goes(tasks: Tasks) -> None:
    """It may be anywhere but where a shard has stored something; another key than that of the shards is refused."""
    shards = tasks.plan(shards=2)
    results = [tasks.send(shard) for shard in shards]
    assert tasks.finish(shards, results, manifest="oss://other/m.json")["manifest"] == "oss://other/m.json"
    for taken in ("2026-11-21/a-00000.csv", "2026-11-21/_a-00001-manifest.json"):
        with pytest.raises(AirflowFailException, match="is the key of what a shard has stored"):
            tasks.finish(shards, results, manifest=taken)
    with pytest.raises(AirflowFailException, match="give the key and bucket_name of the tasks that exported"):
        tasks.finish(shards, results, key="x/a.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shards": 0}, "shards=0 must be at least 1"),
        ({"shards": 5, "max_shards": 4}, "there are 5 shards, and must be 1 to 4"),
        ({"shards": [], "bounds": None}, "there are 0 shards"),
        ({"shards": [5], "bounds": None}, "shards: item 0 is neither a mapping nor a list"),
        ({"shards": [{}]}, "leave bounds out"),
        ({"bounds": None}, "shards=8 is no list of parameters: give bounds"),
        ({"bounds": "SELECT n, n FROM t"}, "bounds must return one row of two values"),
        ({"bounds": "SELECT 1; SELECT 2"}, "bounds: sql holds 2 statements"),
        ({"bounds": "SELECT max(n) FROM t"}, "bounds must return one row of two values"),
        ({"bounds": "SELECT min(day), max(day) || 'x' FROM t"}, "give two whole numbers, or two dates"),
        ({"do_xcom_push": False}, "do_xcom_push=False"),
    ],
)
def test_plans_that_cannot_be(tasks: Tasks, changes: dict[str, Any], message: str) -> None:
    """What no retry can mend fails the task at once, and says which argument it is."""
    with pytest.raises(REFUSED, match=message):
        tasks.plan(**changes)


def test_what_contradicts_a_shard(tasks: Tasks) -> None:
    """A shard has a manifest of its own name, and no place for what is unfinished that others have, too."""
    [shard] = tasks.plan(shards=1)
    with pytest.raises(REFUSED, match="give manifest to SQLFinishExportOperator"):
        tasks.send(shard, manifest="m.json")
    with pytest.raises(REFUSED, match="would be one place for all tasks"):
        tasks.send(shard, checkpoint=MemoryStore())
    with pytest.raises(REFUSED, match="nothing that SQLPlanExportOperator returns"):
        tasks.send({"first": 1})
    with pytest.raises(REFUSED, match="parameters has 'first'"):
        tasks.send(shard, parameters={"first": 1})


@pytest.mark.parametrize(
    ("shard", "name"),
    [
        (None, "a.csv"),
        ({"index": 3, "parameters": {"token": "s3cret"}}, "shard 3"),
        ({"index": 3, "parameters": {}, "name": "1 to 3"}, "1 to 3"),
    ],
    ids=str,
)
def test_the_name_of_a_shard(shard: Any, name: str) -> None:
    """People see its range; parameters, which may be secret, are not shown."""
    assert SQLToOSSOperator(task_id="a", conn_id="lite", sql="SELECT 1", key="a.csv", shard=shard).shard_name == name


def grouped(**arguments: Any) -> dict[str, Any]:
    with DAG("export", schedule=None) as dag:
        group = mapped_export("export", sql=SQL, conn_id="lite", key="a.csv", **arguments)
        BaseOperator(task_id="notify") << group
    return {task_id.removeprefix("export."): task for task_id, task in dag.task_dict.items()}


def test_the_group() -> None:
    """It is three tasks in a row, the second one mapped; each gets what it takes."""
    tasks = grouped(
        bounds=BOUNDS, shards=3, retries=7, parameters={"a": 1}, manifest="m.json", split_rows=5, meta={"a": "b"},
        max_active_tis_per_dagrun=4, outlets=["asset"],
    )  # fmt: skip
    assert list(tasks) == ["plan", "send", "finish", "notify"]
    assert tasks["finish"].upstream_task_ids == {"export.plan", "export.send"}
    assert tasks["notify"].upstream_task_ids == {"export.finish"}
    plan, finish = tasks["plan"], tasks["finish"]
    send = tasks["send"].unmap({"shard": {"index": 0, "parameters": {}}})
    assert (plan.bounds, plan.shards, plan.parameters, plan.conn_id) == (BOUNDS, 3, {"a": 1}, "lite")
    assert (send.sql, send.parameters, send.split_rows, send.manifest) == (SQL, {"a": 1}, 5, None)
    assert (finish.key, finish.manifest, finish.meta) == ("a.csv", "m.json", {"a": "b"})
    assert tasks["send"].map_index_template == "{{ task.shard_name }}"
    assert [task.max_active_tis_per_dagrun for task in (plan, send, finish)] == [None, 4, None]
    assert [bool(task.outlets) for task in (plan, send, finish)] == [False, False, True]
    assert {task.retries for task in (plan, send, finish)} == {7}


def test_wrong_arguments_of_the_group() -> None:
    """They are errors of the DAG file, as those of an operator."""
    with pytest.raises(OSSInvalidArgument, match="give bounds"):
        grouped(shards=5)
    with pytest.raises(MISSPELT, match="chards"):
        grouped(bounds=BOUNDS, chards=5)
