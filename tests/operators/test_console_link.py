"""The link from a task to the OSS console, as Airflow asks the operators for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperatorLink, XCom, task

from airflow_provider_oss.decorators.oss_upload import OSSUploadDecoratedOperator
from airflow_provider_oss.hooks.base import OSSBaseHook
from airflow_provider_oss.links.oss import TRANSFER_LINKS, OSSObjectLink
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.oss import OSSPutObjectOperator
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from airflow_provider_oss.transfers.sql_to_oss import SQLToOSSOperator
from tests.checkpoint.airflow_edge import Supervisor
from tests.operators.conftest import RUN_ID, Build, Instance

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_oss.clients.settings import ClientSettings

PUBLIC = "https://oss-cn-hangzhou.aliyuncs.com"
CONSOLE = "https://oss.console.aliyun.com/bucket/oss-cn-hangzhou/exports/object"

Finish = Callable[..., str]


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


@pytest.fixture
def finish(in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context]) -> Finish:
    """Run an operator, let its connection lead to ``endpoint``, and ask for its link as Airflow 3 does at the end."""

    def run_and_ask(build: Build, endpoint: str = PUBLIC, fails_with: type[Exception] | None = None) -> str:
        operator = in_dag(build)
        context = context_of(operator)
        operator.render_template_fields(context)
        if fails_with is None:
            operator.execute(context)
        else:
            with pytest.raises(fails_with):
                operator.execute(context)
        operator.hook.settings = replace(operator.hook.settings, endpoint=endpoint)
        [link] = [one for one in operator.operator_extra_links if isinstance(one, OSSObjectLink)]
        return link.get_link(operator, ti_key=context["ti"])

    return run_and_ask


def put(**changes: Any) -> Build:
    arguments: dict[str, Any] = {"task_id": "upload", "data": "text", "key": "daily/{{ ds }}/a.csv"}
    return lambda: OSSPutObjectOperator(**(arguments | changes))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("daily/{{ ds }}/a.csv", "?path=daily%2F2026-11-21%2F"),
        ("a.csv", ""),
        ("oss://exports/a.csv", ""),
        ("oss://exports/a b/c.csv", "?path=a%20b%2F"),
        ("a//b.csv", "?path=a%2F%2F"),
    ],
)
def test_an_object(finish: Finish, key: str, path: str) -> None:
    """The link leads to the folder that has the object."""
    assert finish(put(key=key)) == CONSOLE + path


def test_another_bucket(finish: Finish) -> None:
    """The bucket is the one that the task stores in."""
    assert finish(put(key="a.csv", bucket_name="other")) == CONSOLE.replace("exports", "other")


def test_a_directory(finish: Finish, tmp_path: Path) -> None:
    """The link of a directory leads to the prefix."""
    (tmp_path / "a").touch()
    for key in ("daily/export", "daily/export/"):
        link = finish(lambda key=key: OSSUploadDirectoryOperator(task_id="upload", key=key, directory=tmp_path))
        assert link == f"{CONSOLE}?path=daily%2Fexport%2F"


def test_many_files(finish: Finish, tmp_path: Path) -> None:
    """The link of several files leads to their prefix, that of one file to its folder."""
    file = tmp_path / "a.csv"
    file.touch()
    arguments: dict[str, Any] = {"task_id": "upload", "source": str(file)}
    assert finish(lambda: ObjectStorageToOSSOperator(prefix="to", **arguments)) == f"{CONSOLE}?path=to%2F"
    assert finish(lambda: ObjectStorageToOSSOperator(key="to/a/b", **arguments)) == f"{CONSOLE}?path=to%2Fa%2F"


@pytest.mark.parametrize(("key", "folder"), [("a/b.csv", "a/"), ("a/{index}/b.csv", "a/"), ("{index}.csv", "")])
def test_pieces_of_an_export(key: str, folder: str) -> None:
    """The link of an export leads to the folder that has all of its pieces."""
    assert SQLToOSSOperator(task_id="export", conn_id="pg", sql="SELECT 1", key=key).folder() == folder


def test_a_local_server_has_none(finish: Finish) -> None:
    """Without a console that shows the bucket there is no link."""
    assert finish(put(), endpoint="http://127.0.0.1:9000") == ""


def test_a_failed_task_has_one(finish: Finish) -> None:
    """A task that could not store its object leads to where it would be."""
    link = finish(put(bucket_name="missing-bucket", key="daily/a.csv"), fails_with=AirflowFailException)
    assert link == f"{CONSOLE.replace('exports', 'missing-bucket')}?path=daily%2F"


def test_a_task_whose_address_is_none(finish: Finish) -> None:
    """A task that failed of a bucket that OSS would refuse has no link, and asking for it raises nothing."""
    assert finish(put(bucket_name="Not_A_Bucket"), fails_with=AirflowFailException) == ""


def test_nothing_is_read_for_it(in_dag: Callable[[Build], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that ended before it read its connection has no link: the connection is not read for it."""

    def read(_: OSSBaseHook) -> ClientSettings:
        raise AssertionError("the connection was read")

    monkeypatch.setattr(OSSBaseHook, "_read_connection", read)
    operator = in_dag(put())
    assert operator.console_url() == ""
    assert operator.hook.oss_conn_id == "oss_default"
    assert operator.console_url() == ""


def test_do_xcom_push(finish: Finish) -> None:
    """Who wants nothing of the task in XCom gets no link either: that is where Airflow keeps it."""
    assert finish(put(do_xcom_push=False)) == ""


def test_the_decorated_function() -> None:
    """``@task.oss_upload`` and mapped tasks have the link too."""
    with DAG("export", schedule=None):
        mapped = OSSPutObjectOperator.partial(task_id="mapped", data="").expand(key=["a", "b"])
        decorated = task.oss_upload(key="a", task_id="decorated")(lambda: b"")().operator  # type: ignore[attr-defined]
    assert isinstance(decorated, OSSUploadDecoratedOperator)
    names = [[link.name for link in one.operator_extra_links] for one in (mapped, decorated)]
    assert names == [["OSS object", *(link.name for link in TRANSFER_LINKS)]] * 2


def test_airflow_3_keeps_it_by_itself(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Context],
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where Airflow asks for the link in the task's process the operator pushes nothing."""
    monkeypatch.setattr(BaseOperatorLink, "xcom_key", "", raising=False)
    operator = in_dag(put())
    context = context_of(operator)
    result = operator.execute(context)
    operator.hook.settings = replace(operator.hook.settings, endpoint=PUBLIC)
    operator.post_execute(context, result)
    assert operator.console_url().startswith(CONSOLE)
    assert OSSObjectLink.xcom_key not in {address[-1] for address in supervisor.xcoms}


def test_airflow_2_finds_it_in_xcom(
    in_dag: Callable[[Build], Any],
    context_of: Callable[[BaseOperator], Context],
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the webserver asks, for an operator it has only read of, the link is in the task's XCom."""
    supervisor.task_ids = ("upload",)
    operator = in_dag(put())
    context = context_of(operator)
    operator.render_template_fields(context)
    result = operator.execute(context)
    operator.hook.settings = replace(operator.hook.settings, endpoint=PUBLIC)
    monkeypatch.delattr(BaseOperatorLink, "xcom_key", raising=False)
    monkeypatch.setattr(XCom, "get_value", read_xcom)
    link, serialized = OSSObjectLink(), object()
    assert link.get_link(serialized, ti_key=context["ti"]) == ""
    operator.post_execute(context, result)
    assert link.get_link(serialized, ti_key=context["ti"]) == f"{CONSOLE}?path=daily%2F2026-11-21%2F"


def read_xcom(*, key: str, ti_key: Instance) -> Any:
    """Do what Airflow 2's XCom.get_value does."""
    assert ti_key.run_id == RUN_ID
    return XCom.get_one(
        key=key, dag_id=ti_key.dag_id, task_id=ti_key.task_id, run_id=ti_key.run_id, map_index=ti_key.map_index
    )
