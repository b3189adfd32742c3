"""What all upload operators share: templates, mapping, failures, plain results."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, Context, MappedOperator

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import (
    OSSAccessDenied,
    OSSCredentialsExpired,
    OSSNoSuchBucket,
    OSSObjectAlreadyExists,
    OSSPermanentError,
)
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import UploadResult
from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once
from airflow_provider_oss.operators.directory import OSSUploadDirectoryOperator
from airflow_provider_oss.operators.files import OSSUploadFilesOperator
from airflow_provider_oss.operators.oss import (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableStreamOperator,
    OSSResumableUploadOperator,
)
from airflow_provider_oss.shown import host_name
from tests.conftest import BUCKET
from tests.operators.conftest import Build, Run

OPERATORS = (
    OSSPutObjectOperator,
    OSSPutStreamOperator,
    OSSResumableUploadOperator,
    OSSResumableStreamOperator,
    OSSUploadDirectoryOperator,
    OSSUploadFilesOperator,
)
NOT_TEMPLATED = {"forbid_overwrite", "progress", "skip_unchanged", "delete_removed", "allow_empty", "dry_run"}
"""Switches and a function: there is no text to render in them."""

every_operator = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)


@pytest.fixture(autouse=True)
def _connected(connect: Callable[..., str]) -> None:
    connect()


def own_parameters(operator: type[BaseOperator]) -> dict[str, inspect.Parameter]:
    """Return what the operator's constructors take, without what every Airflow operator does."""
    found: dict[str, inspect.Parameter] = {}
    for cls in operator.__mro__[: operator.__mro__.index(OSSBaseOperator) + 1]:
        for parameter in inspect.signature(cls.__init__).parameters.values():  # type: ignore[misc]  # of each class
            if parameter.kind is parameter.KEYWORD_ONLY:
                found[parameter.name] = parameter
    return found


@every_operator
def test_everything_that_may_be_text_is_templated(operator: type[BaseOperator]) -> None:
    """Every argument of the operator is a template field, but for a switch and a function."""
    parameters = own_parameters(operator)
    assert len(parameters) > 13
    assert set(operator.template_fields) == set(parameters) - NOT_TEMPLATED
    assert not [name for name in NOT_TEMPLATED & set(parameters) if "str" in str(parameters[name].annotation)]
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


@every_operator
def test_every_argument_is_documented(operator: type[BaseOperator]) -> None:
    """Each argument is described in the docstring of the operator or of one it is derived from."""
    text = "".join(str(cls.__doc__) for cls in operator.__mro__[: operator.__mro__.index(OSSBaseOperator) + 1])
    assert [name for name in own_parameters(operator) if f":param {name}:" not in text] == []


def test_an_attempt_names_its_host(run: Run, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log begins with the host, of an attempt that cannot work too: its files are those of that worker."""
    caplog.set_level("INFO", "airflow_provider_oss")
    with pytest.raises(AirflowFailException):
        run(lambda: OSSResumableUploadOperator(task_id="upload", key="key", file_path=file.parent / "missing"))
    ours = [record.message for record in caplog.records if record.name.startswith("airflow_provider_oss")]
    assert ours.count(f"Working on host {host_name()}") == 1
    assert ours[0] == f"Working on host {host_name()}"


def test_paths_are_templates(run: Run, file: Path) -> None:
    """A path may be a ``pathlib.Path``, with templates in it as in a text."""
    result = run(
        lambda: OSSResumableUploadOperator(
            task_id="upload", key="key", file_path=file.parent / "{{ 'dump' }}.bin", part_size=102400
        )
    )
    assert result["size"] == file.stat().st_size


def test_the_task_in_templates(
    in_dag: Callable[[Build], Any], context_of: Callable[[BaseOperator], Context], file: Path
) -> None:
    """A template sees what was rendered before it, even if the context still has the task as it was: so Airflow 3.0."""
    operator = in_dag(
        lambda: OSSResumableUploadOperator(
            task_id="upload", oss_conn_id="{{ params.kind }}", key="{{ task.oss_conn_id }}", file_path=str(file)
        )
    )
    context = context_of(copy(operator))
    operator.render_template_fields(context)
    assert operator.key == "csv"


def test_templates_are_rendered(run: Run, file: Path) -> None:
    """Texts at any depth are rendered before the upload: key, metadata, headers, tags, path, numbers."""
    result = run(
        lambda: OSSResumableUploadOperator(
            task_id="upload",
            key="day={{ ds }}/{{ params.kind }}",
            bucket_name="{{ 'exp' ~ 'orts' }}",
            file_path=str(file).replace("dump", "{{ 'dump' }}"),
            meta={"run": "{{ run_id }}"},
            headers={"Cache-Control": "max-age={{ 60 * 60 }}"},
            tags={"kind": "{{ params.kind }}"},
            mime="text/{{ params.kind }}",
            acl="{{ 'private' }}",
            storage_class="{{ 'IA' }}",
            traffic_limit="{{ 819200 }}",
            part_size="{{ 100 * 1024 }}",
            parallel="{{ 2 }}",
            checkpoint="{{ 'variable' }}",
            oss_conn_id="{{ 'oss' }}_default",
            region="{{ 'cn-hangzhou' }}",
        )
    )

    assert result["uri"] == f"oss://{BUCKET}/day=2026-11-21/csv"
    found = OSSHook().head_object("day=2026-11-21/csv")
    assert (found.meta, found.content_type, found.storage_class) == ({"run": "manual__1"}, "text/csv", "IA")
    assert found.headers["cache-control"] == "max-age=3600"
    assert OSSHook().get_conn().get_object_tagging("day=2026-11-21/csv").tag_set.tagging_rule == {"kind": "csv"}


def test_result_is_plain(run: Run) -> None:
    """The result is JSON with exactly the promised fields, fit for XCom."""
    result = run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data="data"))
    assert json.loads(json.dumps(result)) == result
    assert list(result) == [field.name for field in fields(UploadResult)]
    assert result["crc64"].isdecimal()


def test_key_may_name_the_bucket(run: Run) -> None:
    """A key may be a whole address, in any bucket, with characters that a URL would give a meaning."""
    result = run(lambda: OSSPutObjectOperator(task_id="upload", key="oss://other/a?b#c%20d", data="data"))
    assert (result["bucket"], result["key"]) == ("other", "a?b#c%20d")
    assert OSSHook().object_exists("a?b#c%20d", "other")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDenied", OSSAccessDenied), ("NoSuchBucket", OSSNoSuchBucket), ("InvalidArgument", OSSPermanentError)],
)
def test_permanent_errors_fail_at_once(
    run: Run, server: OSSEmulator, code: str, expected: type[OSSPermanentError]
) -> None:
    """An error that no retry can mend is Airflow's "do not retry", with our error as its cause and in its text."""
    server.faults.add(Fault(code=code))
    with pytest.raises(AirflowFailException) as caught:
        run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data="data"))
    cause = caught.value.__cause__
    assert isinstance(cause, expected)
    assert str(cause) in str(caught.value)
    assert type(cause).__name__ in str(caught.value)


def test_transient_errors_pass(run: Run, server: OSSEmulator) -> None:
    """An error that a later attempt may not meet is raised as it is, so that Airflow retries the task."""
    server.faults.add(Fault(code="SecurityTokenExpired"))
    with pytest.raises(OSSCredentialsExpired):
        run(lambda: OSSPutObjectOperator(task_id="upload", key="key", data="data"))


def test_other_errors_pass() -> None:
    """What is no error of ours is left alone."""
    error = KeyError("another")
    with pytest.raises(KeyError) as caught, failing_at_once():
        raise error
    assert caught.value is error


def test_object_that_is_there_already(run: Run) -> None:
    """With ``forbid_overwrite`` another object fails the task at once and stays; an equal one is success."""
    OSSHook().put_object("key", "old")

    def build(data: str) -> Build:
        return lambda: OSSPutObjectOperator(task_id="upload", key="key", data=data, forbid_overwrite=True)

    with pytest.raises(AirflowFailException) as caught:
        run(build("new"))
    assert isinstance(caught.value.__cause__, OSSObjectAlreadyExists)
    assert run(build("old"))["bytes_sent"] == 0


@pytest.mark.parametrize(
    ("operator", "constant", "mapped"),
    [
        (OSSPutObjectOperator, {"meta": {"a": "b"}}, {"key": "k", "data": "data"}),
        (OSSPutStreamOperator, {"content_length": 4}, {"key": "k", "stream": lambda: [b"data"]}),
        (OSSResumableUploadOperator, {"parallel": 2}, {"key": "k", "file_path": "/etc/hostname"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mapping(
    operator: type[BaseOperator],
    constant: dict[str, Any],
    mapped: dict[str, Any],
    context_of: Callable[[BaseOperator], Context],
) -> None:
    """Every operator can be mapped over its arguments, and one of the instances works."""
    with DAG("export", schedule=None):
        expanded = operator.partial(task_id="upload", **constant).expand_kwargs([mapped, {**mapped, "key": "k2"}])
    assert isinstance(expanded, MappedOperator)

    instance = expanded.unmap(mapped)
    context = context_of(instance)
    instance.render_template_fields(context)
    result = instance.execute(context)
    assert result["key"] == "k"
    assert OSSHook().head_object("k").size_bytes == result["size"]


def test_constructing_does_nothing(monkeypatch: pytest.MonkeyPatch, server: OSSEmulator) -> None:
    """A DAG file makes operators without a connection, a file or a request."""
    monkeypatch.delenv("AIRFLOW_CONN_OSS_DEFAULT")
    OSSPutObjectOperator(task_id="a", key="{{ not_yet }}", data="{{ not_yet }}")
    OSSPutStreamOperator(task_id="b", key="/", stream="file:///absent")
    OSSResumableUploadOperator(task_id="c", key="k", file_path="/absent", checkpoint="nonsense", parallel=-1)
    assert not server.requests
