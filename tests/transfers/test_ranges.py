"""One object from many mapped tasks, as operators: what they tell one another, what they read, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Context

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument, OSSServiceUnavailable
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.limits import KIB
from airflow_provider_oss.operators.base import OSSBaseOperator
from airflow_provider_oss.transfers.ranges import (
    OSSAbandonUploadOperator,
    OSSCompleteUploadOperator,
    OSSPlanUploadOperator,
    OSSSendPartsOperator,
    mapped_upload,
)
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import DATA, REFUSED, Instance, file, in_dag
from tests.support.s3_server import BUCKET as S3_BUCKET
from tests.support.s3_server import S3Server
from tests.support.web_server import WebServer, chunked, ranged

__all__ = ["file", "in_dag"]

PART = 100 * KIB


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


class Tasks:
    """The tasks of a group, one after the other, each in a context of its own."""

    def __init__(self, context_of: Callable[[Any], Context], source: Any, **both: Any) -> None:
        self._context_of = context_of
        self.read = {"source": source, "checkpoint": "variable", **both}
        self.upload: Any = None
        self.results: list[Any] = []

    def execute(self, kind: type[OSSBaseOperator], map_index: int = -1, **arguments: Any) -> Any:
        """Run a task as a worker does."""
        with DAG("export", schedule=None):
            operator = kind(task_id=kind.__name__, **arguments)
        context = self._context_of(operator)
        ti = context["ti"] = Instance(operator.task_id, map_index=map_index)  # type: ignore[typeddict-item]
        ti.xcom_push = self._pushed  # type: ignore[method-assign]
        operator.render_template_fields(context)
        return json.loads(json.dumps(operator.execute(context)))

    def _pushed(self, key: str, value: Any, execution_date: None = None) -> None:  # noqa: ARG002 - Airflow 2 gives it
        setattr(self, key, json.loads(json.dumps(value)))

    def plan(self, **changes: Any) -> list[str]:
        ranges: list[str] = self.execute(
            OSSPlanUploadOperator, **{"key": "key", "part_size": PART, "ranges": 2, **self.read, **changes}
        )
        return ranges

    def send(self, one: str, map_index: int, **changes: Any) -> dict[str, Any]:
        given = {"upload": self.upload, "parts": one, **self.read, **changes}
        sent: dict[str, Any] = self.execute(OSSSendPartsOperator, map_index, **given)
        return sent

    def send_all(self, ranges: list[str]) -> None:
        self.results = [self.send(parts, index) for index, parts in enumerate(ranges)]

    def complete(self, **changes: Any) -> dict[str, Any]:
        given = {"key": "key", "upload": self.upload, "results": self.results, **changes}
        done: dict[str, Any] = self.execute(OSSCompleteUploadOperator, **given)
        return done


@pytest.fixture
def tasks(context_of: Callable[[Any], Context], file: Path) -> Tasks:
    return Tasks(context_of, file)


def stored(key: str = "key") -> bytes:
    return OSSHook().read_object(key)


def test_a_file(tasks: Tasks, supervisor: Supervisor, server: OSSEmulator) -> None:
    """Ranges are texts, the upload is told once, and the result is that of every upload."""
    ranges = tasks.plan(meta={"day": "{{ ds }}"})
    assert ranges == ["1-2", "3-4"]
    assert (tasks.upload["parts"], tasks.upload["size"], tasks.upload["key"]) == (4, len(DATA), "key")
    tasks.send_all(ranges)
    result = tasks.complete(meta={"day": "{{ ds }}"})
    assert stored() == DATA
    assert (result["size"], result["bytes_sent"], result["uri"]) == (len(DATA), len(DATA), "oss://exports/key")
    assert OSSHook().head_object("key").meta == {"day": "2026-11-21"}
    assert [request.operation for request in server.requests].count("UploadPart") == 4
    assert not supervisor.holds_nothing()  # the plan's record stays


def test_a_retry(tasks: Tasks, server: OSSEmulator) -> None:
    """A task that fails leaves what it has sent to the next attempt."""
    first, second = tasks.plan()
    server.faults.add(Fault(operation="UploadPart", part_number=2, status=500, times=5))
    with pytest.raises(OSSServiceUnavailable):
        tasks.send(first, 0, parallel=1)
    server.forget_requests()
    tasks.results = [tasks.send(first, 0), tasks.send(second, 1)]
    assert sorted(one.part_number or 0 for one in server.requests if one.operation == "UploadPart") == [2, 3, 4]
    assert tasks.complete()["bytes_verified"] == PART
    assert stored() == DATA


def test_s3(context_of: Callable[[Any], Context], s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object of S3 is read in ranges, each by another task."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.connection_json)
    s3.put("dump.bin", DATA)
    tasks = Tasks(context_of, f"s3://{S3_BUCKET}/dump.bin", source_conn_id="aws_default")
    tasks.send_all(tasks.plan())
    tasks.complete()
    assert stored() == DATA


def test_http(context_of: Callable[[Any], Context], web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL is read in ranges, with the login of a connection that has its server, and of no other."""
    web.pages["/dump.bin"] = ranged(DATA)
    tasks = Tasks(context_of, f"{web.url}/dump.bin?day={{{{ ds }}}}")
    tasks.send_all(tasks.plan())
    tasks.complete()
    assert stored() == DATA
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps({"conn_type": "http", "host": "http://elsewhere.example"}))
    with pytest.raises(REFUSED, match=r"HTTP connection 'elsewhere' is not of the server of http://[^?]*/dump.bin:"):
        tasks.plan(source_conn_id="elsewhere")


def test_what_can_only_be_read_forward(context_of: Callable[[Any], Context], web: WebServer) -> None:
    """A server without ranges fails the plan at once, with the operator that reads it."""
    web.pages["/dump.bin"] = chunked(DATA)
    with pytest.raises(AirflowFailException, match="use HttpToOSSOperator"):
        Tasks(context_of, f"{web.url}/dump.bin").plan()


def test_abandon(tasks: Tasks) -> None:
    """What is abandoned is gone; so it may be already."""
    tasks.send(tasks.plan()[0], 0)
    upload_id = tasks.execute(OSSAbandonUploadOperator, upload=tasks.upload)
    assert (upload_id, list(OSSHook().list_multipart_uploads())) == (tasks.upload["upload_id"], [])
    assert tasks.execute(OSSAbandonUploadOperator, upload=tasks.upload) == upload_id


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ranges": 2, "range_size": "1 MiB"}, "give either ranges or range_size, not both"),
        ({"ranges": 0}, "ranges=0 is no positive number"),
        ({"ranges": None, "range_size": "0"}, "range_size=0 is no positive number"),
        ({"ranges": 4, "max_ranges": 3}, "max_ranges is 3"),
        ({"part_size": 5}, "part_size=5"),
        ({"checkpoint": "vriable"}, "is not known: use one of"),
        ({"checkpoint": object()}, "checkpoint"),
        ({"source": "ftp:/a"}, "does not exist"),
        ({"do_xcom_push": False}, "do_xcom_push=False: the tasks that send learn by XCom"),
    ],
)
def test_refused_by_plan(tasks: Tasks, server: OSSEmulator, changes: dict[str, Any], complaint: str) -> None:
    """What cannot work fails for good, and begins no upload that nobody sends."""
    with pytest.raises(REFUSED, match=complaint):
        tasks.plan(**changes)
    assert list(OSSHook().list_multipart_uploads()) == []
    assert "InitiateMultipartUpload" not in [request.operation for request in server.requests]


def test_refused_by_the_others(tasks: Tasks) -> None:
    """What is not of the plan is refused before anything is asked."""
    first, _ = tasks.plan()
    for changes, complaint in (
        ({"parts": "1-9"}, "no range of the 4 parts"),
        ({"upload": {**tasks.upload, "key": "other"}}, "is not what a task of this package has returned"),
        ({"parallel": 0}, "parallel=0"),
        ({"traffic_limit": 1}, "traffic_limit"),
    ):
        with pytest.raises(REFUSED, match=complaint):
            tasks.send(first, 0, **changes)
    with pytest.raises(REFUSED, match="key: oss://exports/other is not the object that was planned"):
        tasks.complete(key="other")
    with pytest.raises(REFUSED, match="from part 1 on is missing"):
        tasks.complete()


def test_the_group() -> None:
    """Arguments of Airflow are every task's, but those that are about the group as a whole."""
    with DAG("grouped", schedule=None):
        group = mapped_upload(
            "upload", source="/data/a", key="a", retries=3, pool="large", outlets=["x"], tags={"a": "b"}, parallel=2
        )
    tasks: dict[str, Any] = {name.rpartition(".")[2]: task for name, task in group.children.items()}
    assert list(tasks) == ["plan", "send", "complete"]
    assert [(task.retries, task.pool) for task in tasks.values()] == [(3, "large")] * 3
    assert [list(task.outlets) for task in tasks.values()] == [[], [], ["x"]]
    assert tasks["complete"].upstream_task_ids == {"upload.plan", "upload.send"}
    assert tasks["send"].upstream_task_ids == {"upload.plan"}


def test_a_store_of_its_own() -> None:
    """An object that keeps checkpoints would be one place for all tasks: it is refused when the DAG is parsed."""
    with DAG("grouped", schedule=None), pytest.raises(OSSInvalidArgument, match="checkpoint"):
        mapped_upload("upload", source="/data/a", key="a", checkpoint=object())  # type: ignore[arg-type]
