"""What the page is told of transfers, from rows as Airflow and its tasks write them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import update

from airflow_provider_oss.checkpoint import codec
from airflow_provider_oss.checkpoint.choice import owners_of
from airflow_provider_oss.checkpoint.task_state import key_of
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.ui.transfers import Task, TransferQuery, list_transfers, one_transfer
from tests.support.airflow_version import HAS_TASK_STATE
from tests.ui.rows import RECORD, Rows, Ti

HOSTILE: Final = '<img src=x onerror="alert(1)">'
LATER: Final = RECORD | {"updated_at": "2026-11-30T19:00:00+00:00", "done": 900}
CHECKPOINT: Final = Checkpoint(
    ref=ObjectRef("exports", "dump.bin"),
    upload_id="0004B999EF518A1FE585B0C9360DC4C8",
    part_size_bytes=100,
    source=Fingerprint("https://user:sesame@files.example/dump.bin?Signature=s3cret", 1000, "2026-11-30", "v1"),
    options_digest="0" * 16,
    attempt=1,
    done_parts="1-4",
    done_bytes=400,
    created_at="2026-11-30T18:00:00+00:00",
    updated_at="2026-11-30T18:00:10+00:00",
)


def listed(rows: Rows, *readable: str, **wanted: Any) -> dict[str, Any]:
    """Return the page of the DAGs that may be read."""
    usual: dict[str, Any] = {"dag_id": None, "state": None, "limit": 50, "offset": 0}
    return list_transfers(rows.session, TransferQuery(frozenset(readable), **usual | wanted))


def ids(page: dict[str, Any]) -> list[str]:
    return [one["task_id"] for one in page["transfers"]]


def shown(rows: Rows, ti: Ti) -> Any:
    """Return the transfer of a task instance, with all that belongs to it."""
    return one_transfer(rows.session, Task(ti.dag_id, ti.run_id, ti.task_id), ti.map_index)


def test_running_ones_come_first_then_the_newest(rows: Rows) -> None:
    """Tasks without a transfer, whose link is empty, are not listed; each page has what the one before has not."""
    for task_id, state in (("old", "running"), ("failed", "failed"), ("new", "running"), ("done", "success")):
        rows.transfer("daily", task_id=task_id, state=state)
    rows.ti("daily", task_id="other")
    for dag_id, link in (("daily", ""), ("weekly", ""), ("monthly", None)):
        rows.xcom(rows.ti(dag_id, task_id="without"), "oss_transfer_link", link)

    page = listed(rows, "daily", "weekly", "monthly")
    assert ids(page) == ["new", "old", "done", "failed"]
    assert (page["total"], page["dags"]) == (4, ["daily"])
    assert ids(listed(rows, "daily", limit=2)) == ["new", "old"]
    assert ids(listed(rows, "daily", limit=2, offset=2)) == ["done", "failed"]


def test_only_what_may_be_read(rows: Rows) -> None:
    """A DAG that the user may not read is neither listed, nor counted, nor named; filters narrow the rest."""
    for dag_id in ("mine", "also_mine", "theirs"):
        rows.transfer(dag_id, task_id=f"of_{dag_id}")
    rows.transfer("mine", task_id="done", state="success")

    page = listed(rows, "mine", "also_mine")
    assert sorted(ids(page)) == ["done", "of_also_mine", "of_mine"]
    assert (page["total"], page["dags"]) == (3, ["also_mine", "mine"])
    assert "theirs" not in json.dumps(page)
    assert ids(listed(rows, "mine", dag_id="theirs")) == []
    assert ids(listed(rows, "mine", "also_mine", dag_id="mine", state="success")) == ["done"]
    assert listed(rows)["transfers"] == []


def test_a_task_as_the_page_shows_it(rows: Rows) -> None:
    """DAG, run, task, attempt, times, links and figures: what is not known yet is null."""
    ti = rows.transfer("daily", "manual__2026-11-30T18:00:00+00:00", map_index=3, state="success")
    rows.xcom(ti, "oss_transfer", RECORD | {"state": "succeeded"})
    rows.xcom(ti, "return_value", {"size": 1000, "bytes_sent": 900, "bytes_verified": 100, "elapsed_seconds": 2.5})
    rows.xcom(ti, "oss_object_link", "https://oss.console.aliyun.com/bucket/oss-cn-hangzhou/exports/object")
    [one] = listed(rows, "daily")["transfers"]
    started = one.pop("started_at")
    assert datetime.fromisoformat(started).tzinfo is not None
    assert one == {
        "dag_id": "daily",
        "run_id": "manual__2026-11-30T18:00:00+00:00",
        "task_id": "upload",
        "map_index": 3,
        "try_number": 1,
        "max_tries": 3,
        "state": "success",
        "operator": "OSSUploadOperator",
        "ended_at": None,
        "record": RECORD | {"state": "succeeded"},
        "result_summary": {
            "size": 1000,
            "bytes_sent": 900,
            "bytes_verified": 100,
            "elapsed_seconds": 2.5,
            "resumed": None,
        },
        "task_url": "dags/daily/runs/manual__2026-11-30T18%3A00%3A00%2B00%3A00/tasks/upload/mapped/3",
        "console_url": "https://oss.console.aliyun.com/bucket/oss-cn-hangzhou/exports/object",
        "stale": False,
    }


def put_own_xcom(rows: Rows, ti: Ti, record: dict[str, Any]) -> None:
    rows.xcom(ti, "oss_transfer", record)


def put_variable(rows: Rows, ti: Ti, record: dict[str, Any]) -> None:
    [owner] = owners_of(ti, 1)
    entry = codec.encode(CHECKPOINT, owner) | {"transfer": record}
    rows.variable(VariableCheckpointStore(owner).key, json.dumps(entry))


def put_anchored_xcom(rows: Rows, ti: Ti, record: dict[str, Any]) -> None:
    [owner] = owners_of(ti, 1)
    store = XComCheckpointStore(ti.dag_id, ti.run_id, "anchor", owner)
    rows.xcom(
        rows.ti(ti.dag_id, ti.run_id, "anchor"), store.key, codec.encode(CHECKPOINT, owner) | {"transfer": record}
    )


def put_task_state(rows: Rows, ti: Ti, record: dict[str, Any]) -> None:
    rows.task_state(ti, "oss_transfer", json.dumps(record))


def put_fourth_task_state(rows: Rows, ti: Ti, record: dict[str, Any]) -> None:
    owner = owners_of(ti, 4)[-1]
    entry = codec.encode(CHECKPOINT, owner) | {"transfer": record}
    rows.task_state(ti, key_of(4), json.dumps(entry))


OF_3_3 = (put_task_state, put_fourth_task_state) if HAS_TASK_STATE else ()
OTHERS = (put_variable, put_anchored_xcom, *OF_3_3)


@pytest.mark.parametrize("put", OTHERS, ids=lambda put: put.__name__)
def test_the_newest_record_is_shown(rows: Rows, put: Any) -> None:
    """Wherever the records of a task instance are, the one that was written last is shown, of this run alone."""
    ti, other_run = rows.transfer("daily", "today"), rows.transfer("daily", "yesterday")
    put(rows, other_run, RECORD | {"done": 1})
    put(rows, ti, LATER)
    put_own_xcom(rows, ti, RECORD)
    assert [one["record"]["done"] for one in listed(rows, "daily")["transfers"]] == [1, 900]
    assert shown(rows, ti)["transfer"]["record"] == LATER


@pytest.mark.parametrize("put", [one for one in OTHERS if one is not put_task_state], ids=lambda put: put.__name__)
def test_the_checkpoint_is_shown(rows: Rows, put: Any) -> None:
    """Of a source that is a URL, without what may give access to it."""
    ti = rows.transfer("daily")
    put(rows, ti, RECORD)
    answer = shown(rows, ti)
    checkpoint = answer["checkpoint"]
    assert (checkpoint["bucket"], checkpoint["key"], checkpoint["upload_id"]) == (
        "exports",
        "dump.bin",
        CHECKPOINT.upload_id,
    )
    assert (checkpoint["done_parts"], checkpoint["done_bytes"], checkpoint["part_size"]) == ("1-4", 400, 100)
    assert checkpoint["source"] == {"name": "https://files.example/dump.bin", "size": 1000}
    assert "sesame" not in json.dumps(answer)
    assert answer["notes"] == []


def test_a_checkpoint_that_cannot_be_read(rows: Rows) -> None:
    """It is named, and nothing of it is shown."""
    ti = rows.transfer("daily")
    [owner] = owners_of(ti, 1)
    key = VariableCheckpointStore(owner).key
    rows.variable(key, '{"version": 1, "upload_id": "s3cret"}')
    answer = shown(rows, ti)
    assert answer["checkpoint"] is None
    assert [note for note in answer["notes"] if key in note]
    assert "s3cret" not in json.dumps(answer)


DAMAGED: Final[dict[str, Any]] = {
    "no object": "oss_transfer",
    "a list": [RECORD],
    "another version": RECORD | {"version": 2},
    "a version that is no number": RECORD | {"version": True},
    "no time": {name: value for name, value in RECORD.items() if name != "updated_at"},
    "a time without zone": RECORD | {"updated_at": "2026-11-30T18:00:10"},
    "a time that is a number": RECORD | {"updated_at": 1},
    "a kind that is no text": RECORD | {"kind": {"$": 1}},
}


@pytest.mark.parametrize("value", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_no_record(rows: Rows, value: Any) -> None:
    """People can edit XComs: the others of the page are shown all the same."""
    rows.xcom(rows.transfer("daily", task_id="damaged"), "oss_transfer", value)
    rows.xcom(rows.transfer("daily", task_id="whole"), "oss_transfer", RECORD)
    assert [one["record"] for one in listed(rows, "daily")["transfers"]] == [RECORD, None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("done", -1),
        ("done", "12"),
        ("done", 10**30),
        ("rate", True),
        ("rates", "1234"),
        ("rates", [[1.0], [1.0, "2"], [1.0, 2.0, 3.0], None]),
        ("parts", {"stored": "1-4<b>", "in_flight": "1," * 300, "count": -2}),
        ("attempts", [HOSTILE, {"number": {}}]),
        ("events", {"at": 1}),
        ("secret", "sesame"),
    ],
)
def test_a_damaged_field_is_left_out(rows: Rows, name: str, value: Any) -> None:
    """The rest of the record is shown."""
    ti = rows.transfer("daily")
    rows.xcom(ti, "oss_transfer", RECORD | {name: value})
    record = shown(rows, ti)["transfer"]["record"]
    assert record.get(name) in (None, [], [{}], {})
    others = {key: one for key, one in RECORD.items() if key != name}
    assert {key: one for key, one in record.items() if key != name} == others


def test_texts_stay_texts(rows: Rows) -> None:
    """Of a key, an error and an event what hides or ends a line is escaped; what is too long is cut off."""
    ti = rows.transfer("daily")
    hostile = f"{HOSTILE}\n\u202e\ud800" + "x" * 1000
    record = RECORD | {"target": hostile, "events": [{"at": RECORD["updated_at"], "text": hostile}]}
    record["attempts"] = [{"number": 1, "error": hostile}]
    rows.xcom(ti, "oss_transfer", json.dumps(record))
    read = shown(rows, ti)["transfer"]["record"]
    for text, most in ((read["target"], 300), (read["events"][0]["text"], 160), (read["attempts"][0]["error"], 200)):
        assert text.startswith(HOSTILE + r"\n\u202e\ud800x")
        assert len(text) == most


def test_nothing_of_a_result_but_its_figures(rows: Rows) -> None:
    """No URL that gives access, no SQL, no answer of a callback, no names of a user's files; lists are counted."""
    ti = rows.transfer("daily", state="success")
    secrets = {
        "uri": "https://exports.example/dump.bin?Signature=sesame",
        "source_uri": "oss://exports/other.bin",
        "url": "https://exports.example/dump.bin?Signature=sesame",
        "sql": "select sesame from sesame",
        "callback_response": {"token": "sesame"},
        "seal": "sesame",
        "failures": [{"file": "sesame", "error": "sesame"}],
        "objects": [{"key": "sesame"}, {"key": "sesame"}],
        "failed": [{"error": "sesame"}],
        "size": "sesame",
        "etag": '"abc"',
        "crc64": "123",
        "rows": 7,
        "resumed": True,
    }
    rows.xcom(ti, "return_value", secrets)
    rows.xcom(ti, "oss_object_link", "javascript:sesame")
    answer = shown(rows, ti)
    assert answer["result"] == {
        "source_uri": "oss://exports/other.bin",
        "etag": '"abc"',
        "crc64": "123",
        "rows": 7,
        "objects": 2,
        "failed": 1,
        "resumed": True,
    }
    assert "sesame" not in json.dumps(answer)


def test_a_result_that_is_very_long_stays_where_it_is(rows: Rows) -> None:
    """What names thousands of objects is not read for a page of figures."""
    ti = rows.transfer("daily", state="success")
    rows.xcom(ti, "return_value", {"size": 1, "objects": [{"key": "k" * 100}] * 1000})
    answer = shown(rows, ti)
    assert (answer["result"], answer["transfer"]["result_summary"]) == (None, None)


def test_a_mapped_group_is_one_picture(rows: Rows) -> None:
    """Each instance has what the picture needs; the one that is asked for has all. Without an index: the group."""
    for index in range(3):
        rows.xcom(rows.transfer("daily", map_index=index), "oss_transfer", RECORD | {"done": index})
    rows.ti("daily", map_index=3, state="scheduled")
    answer = shown(rows, rows.ti("daily", "other"))
    assert answer is None

    task = Task("daily", "run", "upload")
    of_one = one_transfer(rows.session, task, 1)
    assert of_one is not None
    assert of_one["transfer"]["record"] == RECORD | {"done": 1}
    assert [one["record"]["done"] for one in of_one["group"]] == [0, 1, 2]
    assert of_one["group"][1]["record"]["parts"] == RECORD["parts"]
    assert "events" not in of_one["group"][1]["record"]
    not_there: tuple[int | None, ...] = (None, -1, 3)
    for asked in not_there:
        of_group = one_transfer(rows.session, task, asked)
        assert of_group is not None
        assert (of_group["transfer"], len(of_group["group"])) == (None, 3)


def test_a_task_that_is_not_mapped_has_no_group(rows: Rows) -> None:
    """Without a record the page says so."""
    answer = shown(rows, rows.transfer("daily"))
    assert (answer["transfer"]["record"], answer["group"]) == (None, [])
    assert "no progress record" in answer["notes"][0]


def test_a_task_that_says_nothing_is_stale(rows: Rows) -> None:
    """Only while it runs: a record of a minute ago is then of a task that hangs, or of a worker that is gone."""
    now = datetime.now(UTC)
    for seconds, state, expected in ((50, "running", False), (70, "running", True), (70, "failed", False)):
        ti = rows.transfer("daily", f"{seconds}{state}", state=state)
        rows.xcom(ti, "oss_transfer", RECORD | {"updated_at": (now - timedelta(seconds=seconds)).isoformat()})
        assert shown(rows, ti)["transfer"]["stale"] is expected


def test_many_are_no_more_queries(rows: Rows) -> None:
    """Fifty running among two hundred finished take as many queries as one."""
    put = OTHERS[-1]
    put(rows, rows.transfer("first"), RECORD)
    rows.statements.clear()
    listed(rows, "first")
    needed = len(rows.statements)
    for number in range(250):
        ti = rows.transfer("daily", str(number), state="running" if number % 5 == 0 else "success")
        put(rows, ti, RECORD)
        rows.xcom(ti, "return_value", {"size": 1})
    rows.commit()
    rows.statements.clear()
    started = time.perf_counter()
    page = listed(rows, "daily", "first")
    print(f"250 transfers: {(time.perf_counter() - started) * 1000:.0f} ms, {needed} queries")  # noqa: T201
    assert len(rows.statements) == needed <= 8
    assert (len(page["transfers"]), page["total"]) == (50, 251)
    assert {one["state"] for one in page["transfers"]} == {"running"}
    assert all(one["record"] for one in page["transfers"])


def test_a_retried_task_is_listed_while_it_waits(rows: Rows) -> None:
    """Its checkpoint, and the record in it, outlive the attempt."""
    ti = rows.transfer("daily")
    put_variable(rows, ti, RECORD)
    rows.session.execute(update(TaskInstance).values(state="up_for_retry"))
    [one] = listed(rows, "daily")["transfers"]
    assert (one["state"], one["record"]["done"]) == ("up_for_retry", 400)
