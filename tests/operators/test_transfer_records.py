"""Every operator that transfers keeps a record that Airflow's pages find, and links to the page that shows it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseOperator, Context

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.engine.source import FileSource
from airflow_provider_oss.exceptions import OSSServiceUnavailable, OSSUploadCancelled
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.links.oss import TRANSFER_LINKS, OSSTransferLink
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.progress.places import KEY
from airflow_provider_oss.progress.record import TransferRecord
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import Build, Run
from tests.operators.leavable import ARGUMENTS
from tests.support.airflow_version import HAS_PAGES
from tests.support.discovery import operators
from tests.support.web_server import WebServer, plain

DATA: Final = bytes(range(256)) * 1600
KINDS: Final[Mapping[str, str]] = {
    name: kind for name, operator in operators().items() if (kind := getattr(operator, "transfer_kind", ""))
}
WITHOUT: Final = frozenset(
    {
        "OSSAbandonUploadOperator",
        "OSSAbortStaleUploadsOperator",
        "OSSCompleteUploadOperator",
        "OSSCreateBucketOperator",
        "OSSDeleteBucketOperator",
        "OSSDeleteObjectTagsOperator",
        "OSSDeleteObjectsOperator",
        "OSSFinishDirectoryOperator",
        "OSSGetObjectTagsOperator",
        "OSSKeySensor",
        "OSSKeysUnchangedSensor",
        "OSSListOperator",
        "OSSPlanDirectoryOperator",
        "OSSPlanUploadOperator",
        "OSSPresignURLOperator",
        "OSSSetObjectTagsOperator",
        "SQLFinishExportOperator",
        "SQLPlanExportOperator",
    }
)
"""What moves no data, or what others have moved."""


@pytest.fixture(autouse=True)
def _connection(connect: Callable[..., str]) -> None:
    connect()


def test_every_operator_is_known() -> None:
    """An operator that is new keeps a record, or is named here as one that moves no data."""
    assert set(operators()) - set(KINDS) == WITHOUT


def test_links() -> None:
    """What keeps a record has the link to its page, where Airflow has such a page, and nothing else has."""
    for name, kind in operators().items():
        links = [link for link in kind.operator_extra_links if isinstance(link, OSSTransferLink)]
        assert len(links) == (len(TRANSFER_LINKS) if name in KINDS else 0), name


def record_of(supervisor: Supervisor) -> TransferRecord:
    """Return the record in the task's own place."""
    in_task_state = [message.value for (_, key), message in supervisor.task_state.items() if key == KEY]
    in_xcoms = [value for address, value in supervisor.xcoms.items() if address[-1] == KEY]
    [record] = in_task_state or in_xcoms
    return TransferRecord.parse(record)


@pytest.fixture
def arguments(tmp_path: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What each operator is made of: there are its files, its pages, its rows and its objects."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "large").write_bytes(DATA)
    (tree / "small").write_bytes(b"x")
    web.pages["/data"] = plain(DATA)
    sqlite3.connect(tmp_path / "data.sqlite").close()
    lite = {"conn_type": "sqlite", "host": str(tmp_path / "data.sqlite")}
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps(lite))
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps({"conn_type": "http", "host": web.url}))

    def made(name: str) -> dict[str, Any]:
        if name in ("OSSCopyObjectOperator", "OSSDownloadObjectOperator"):
            OSSHook().put_object("a", DATA)
        if name != "OSSSendPartsOperator":
            return {"task_id": "upload", **ARGUMENTS[name](tmp_path)}
        file = tree / "large"
        planned, [parts] = OSSHook().plan_upload("a", FileSource(str(file)), ranges=1)
        return {"task_id": "upload", "source": file, "upload": planned.as_dict(), "parts": parts}

    return made


def _chunks() -> list[bytes]:
    return [DATA]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_record(run: Run, supervisor: Supervisor, arguments: Callable[[str], dict[str, Any]], name: str) -> None:
    """At its end the record says that all is done, of what kind and where, and the task can be found by its link."""
    kind: Any = operators()[name]
    given = arguments(name)
    for streamed in ("stream", "python_callable"):
        if streamed in given:
            given[streamed] = _chunks
    run(lambda: kind(**given))

    record = record_of(supervisor)
    assert (record.kind, record.state, record.attempt) == (KINDS[name], "succeeded", 1)
    assert record.total == record.done == record.sent > 0
    target = (
        str(given["file_path"]) if name == "OSSDownloadObjectOperator" else f"oss://exports/{given.get('key', 'a')}"
    )
    assert record.target.startswith(target)
    assert [attempt.state for attempt in record.attempts] == ["succeeded"]
    links = {address[-1]: value for address, value in supervisor.xcoms.items() if address[-1] != KEY}
    page = "plugin/oss-transfers?dag_id=export&run_id=manual__1&task_id=upload&map_index=-1"
    assert [links.get(link.xcom_key) for link in TRANSFER_LINKS] == [page for _ in TRANSFER_LINKS]


def test_the_link_at_the_end(in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context]) -> None:
    """What Airflow asks for at the end is what was published at the beginning; nothing, where nothing was begun."""
    operator = in_dag(lambda: OSSPutObjectOperator(task_id="upload", key="a&b", data="x"))
    context = context_of(operator)
    operator.render_template_fields(context)
    assert OSSTransferLink().get_link(operator, ti_key=context["ti"]) == ""
    operator.execute(context)
    link = OSSTransferLink().get_link(operator, ti_key=context["ti"])
    assert link.startswith("plugin/oss-transfers?dag_id=export&") if HAS_PAGES else not link


def test_without_the_page(run: Run, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing links to a page that is switched off."""
    monkeypatch.setenv("AIRFLOW__ALIYUN_OSS__TRANSFERS_PAGE", "False")
    run(lambda: OSSPutObjectOperator(task_id="upload", key="a", data="x"))
    assert not [address for address in supervisor.xcoms if address[-1] == OSSTransferLink.xcom_key]


def test_without_xcoms(run: Run, supervisor: Supervisor) -> None:
    """With do_xcom_push=False nothing is pushed."""
    run(lambda: OSSPutObjectOperator(task_id="upload", key="a", data="x", do_xcom_push=False))
    assert [address for address in supervisor.xcoms if address[-1].startswith("oss_transfer")] == []


def upload(file: Path, **arguments: Any) -> Build:
    return lambda: OSSResumableUploadOperator(
        task_id="upload", key="key", file_path=file, part_size=100 * 1024, parallel=1, **arguments
    )


@pytest.mark.parametrize("checkpoint", ["variable", "xcom"])
def test_the_next_attempt_knows(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Any],
    supervisor: Supervisor,
    server: OSSEmulator,
    file: Path,
    checkpoint: str,
) -> None:
    """Beside the checkpoint the next attempt finds what the last one did, and why it failed."""
    server.faults.add(Fault(operation="UploadPart", part_number=3, status=503, code="ServiceUnavailable"))
    operator = in_dag(upload(file, checkpoint=checkpoint))
    context = context_of(operator)
    with pytest.raises(OSSServiceUnavailable):
        operator.execute(context)
    first = record_of(supervisor)
    assert (first.state, first.sent, first.retried) == ("failed", 2 * 100 * 1024, 4)
    server.faults.clear()
    supervisor.task_state.clear()

    context["ti"].try_number = 2
    operator.render_template_fields(context)
    operator.execute(context)

    record = record_of(supervisor)
    assert (record.state, record.verified, record.retried) == ("succeeded", 2 * 100 * 1024, 0)
    assert [(attempt.number, attempt.state) for attempt in record.attempts] == [(1, "failed"), (2, "succeeded")]
    assert (record.attempts[0].error or "").startswith("OSSServiceUnavailable: ")


def test_a_failure_in_one_line(
    run: Run, supervisor: Supervisor, server: OSSEmulator, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says in one line what failed and what comes of it, before Airflow logs the traceback."""
    server.faults.add(Fault(operation="UploadPart", part_number=3, status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException):
        run(upload(file))
    [line] = [message for message in caplog.messages if message.startswith("The transfer failed: ")]
    assert line.startswith("The transfer failed: OSSAccessDenied: ")
    assert "No retry can mend that: put it right and clear the task; what is stored of it (200.0 KiB) is" in line
    assert "\n" not in line
    assert record_of(supervisor).attempts[-1].error is not None


def test_a_failure_that_asks_for_no_retry(run: Run, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the user's code fails the task for good no next attempt is announced."""

    def fail(*_: object) -> None:
        raise AirflowFailException("not today")

    operator = upload(file, progress=fail, retries=3)
    with pytest.raises(AirflowFailException, match="not today"):
        run(operator)
    [line] = [message for message in caplog.messages if message.startswith("The transfer failed: ")]
    assert "It asks for no retry: clear the task to continue; what is stored of it (100.0 KiB)" in line


def test_what_a_database_says(run: Run, supervisor: Supervisor) -> None:
    """The text of a driver's error, which may quote a query's parameters, is in the log alone."""

    def rows() -> bytes:
        raise sqlite3.DataError("no number: 'hunter2' in SELECT a FROM b WHERE c = 'hunter2'")

    with pytest.raises(sqlite3.DataError):
        run(lambda: OSSResumableStreamOperator(task_id="upload", key="a", stream=rows))
    record = record_of(supervisor)
    assert record.attempts[-1].error == "DataError: the log has what the database says"


def test_skipped(run: Run, supervisor: Supervisor) -> None:
    """A stream that says there is nothing to store is no failure."""

    def nothing() -> bytes:
        raise AirflowSkipException("no rows today")

    with pytest.raises(AirflowSkipException):
        run(lambda: OSSResumableStreamOperator(task_id="upload", key="a", stream=nothing))
    record = record_of(supervisor)
    assert (record.state, record.attempts[-1].error) == ("stopped", "AirflowSkipException: no rows today")


def test_asked_to_stop(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Context],
    supervisor: Supervisor,
    file: Path,
) -> None:
    """An attempt that is asked to stop writes nothing more: its last record says that it runs."""
    operator = in_dag(upload(file))
    operator.progress = lambda *_: operator.on_kill()
    with pytest.raises(OSSUploadCancelled):
        operator.execute(context_of(operator))
    assert [key for _, key in supervisor.task_state if key == KEY] == []
    assert [address for address in supervisor.xcoms if address[-1] == KEY] == []


def test_secrets(run: Run, supervisor: Supervisor) -> None:
    """What an error tells of a URL's user and query is in no record."""

    def refused() -> bytes:
        raise OSError("https://user:hunter2@host/rows?Signature=hunter2 refused")

    with pytest.raises(OSError, match="refused"):
        run(lambda: OSSResumableStreamOperator(task_id="upload", key="a", stream=refused))
    text = json.dumps(record_of(supervisor).as_json())
    assert "hunter2" not in text
    assert "host/rows" in text
