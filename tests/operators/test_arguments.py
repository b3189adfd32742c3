"""Arguments of wrong types, or that contradict, of every operator and sensor: refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, Context, task, task_group

from airflow_provider_oss.declared import KINDS, Annotation, takes
from airflow_provider_oss.emulator import OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.operators.arguments import declared_by, shown_object
from airflow_provider_oss.operators.base import OSSUploadBaseOperator
from airflow_provider_oss.operators.oss import OSSPutObjectOperator
from tests.operators.leavable import ARGUMENTS
from tests.support.discovery import operators

pytestmark = pytest.mark.filterwarnings("ignore:checkpoint_anchor is deprecated")  # it is tried like any other

EVERY = pytest.mark.parametrize("name", sorted(operators()))
STORING = sorted(name for name, kind in operators().items() if issubclass(kind, OSSUploadBaseOperator))
VALUES = (None, 5, 2.5, True, b"bytes", object(), {"a": "b"}, {1: "a"}, {"a": object()}, [None], object)
"""One or another of these is wrong for each argument."""


FROM_AIRFLOW = {"python_callable", "op_args", "op_kwargs", "pre_execute"}
"""What Airflow itself does something with, and first."""


def make(name: str, **changes: Any) -> BaseOperator:
    """Make the operator."""
    return operators()[name](task_id="task", **{**ARGUMENTS[name](Path("/absent")), **changes})


def declared(name: str) -> dict[str, Annotation]:
    """Return what is declared of the arguments that are checked here alone."""
    return {field: one.annotation for field, one in declared_by(operators()[name]).items() if field not in FROM_AIRFLOW}


def is_right(value: Any, annotation: Annotation) -> bool:
    return any(one.head == "Any" or KINDS[one.head].holds(value) for one in annotation)


@EVERY
def test_wrong_types(name: str) -> None:
    """Each argument of a type that it cannot have is an error of the DAG file that names it and what to give."""
    assert {"oss_conn_id", "region"} <= set(declared(name))
    for field, annotation in declared(name).items():
        for value in VALUES:
            if is_right(value, annotation) or (callable(value) and field in operators()[name].template_fields):
                continue
            with pytest.raises(OSSInvalidArgument, match=rf"^{field}\S*( .*)? is an? \S+: give "):
                make(name, **{field: value})


@EVERY
def test_keys_and_values_of_mappings(name: str) -> None:
    """So is a mapping of names that are none, or whose values cannot be text."""
    for field, annotation in declared(name).items():
        if [one for one in annotation if one.head == "Mapping" and one.inner[0][0].head == "str"] == list(
            annotation[:1]
        ):
            with pytest.raises(OSSInvalidArgument, match=rf"^{field} key 1 is an int: give text"):
                make(name, **{field: {1: "a"}})


@EVERY
def test_switches_are_no_text(name: str) -> None:
    """A template is not rendered where True or False is meant, so it is refused."""
    for field, annotation in declared(name).items():
        if takes(annotation, "bool") and not takes(annotation, "str"):
            with pytest.raises(OSSInvalidArgument, match=rf"^{field}='False' is a str: give True or False"):
                make(name, **{field: "False"})


@EVERY
def test_templates_and_results_may_become_what_is_meant(name: str) -> None:
    """A template, and what another task returns, is given in place of anything that is templated."""
    kind = operators()[name]
    for field in set(declared(name)) & set(kind.template_fields):
        make(name, **{field: "{{ params.one }}"})
        with DAG("export", schedule=None):
            other = BaseOperator(task_id="other")
            kind(task_id="task", **{**ARGUMENTS[name](Path("/absent")), field: other.output})


@pytest.fixture
def folder(tmp_path: Path, connect: Callable[..., str]) -> Path:
    """What the operators read, and a connection to OSS."""
    connect()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "large").touch()
    return tmp_path


def fails_for_good(operator: BaseOperator, context: Context, message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        operator.execute(context)


def test_mapped_operators(folder: Path, server: OSSEmulator, context_of: Callable[..., Context]) -> None:
    """A mapped operator makes no error of the DAG file; its instance fails at once and for good, and sends nothing."""
    for name, kind in operators().items():
        with DAG("export", schedule=None):
            wrong = "bucket_name" if "bucket_name" in declared(name) else "oss_conn_id"
            arguments = {**ARGUMENTS[name](folder), wrong: object()}
            mapped = kind.partial(task_id="task", **arguments).expand(region=["cn-hangzhou"])
        instance = mapped.unmap({"region": "cn-hangzhou"})
        message = rf"OSSInvalidArgument: {wrong}=<object .* is an object: give text"
        fails_for_good(instance, context_of(instance), message)
    assert server.requests == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"acl": "publicread"}, "acl='publicread' is not known: use one of default, private, public-read"),
        ({"storage_class": "Cheap"}, "storage_class='Cheap'"),
        ({"traffic_limit": "fast"}, "traffic_limit='fast' is no whole number"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
        ({"meta": {"a b": "c"}}, "meta key 'a b'"),
        ({"key": "s3://exports/k"}, "'s3://exports/k' is an address"),
        ({"checkpoint": "vriable"}, "checkpoint='vriable' is not known: use one of auto, task_state"),
        ({"parallel": 0}, "parallel=0 is out of range"),
        ({"parallel": "many"}, "parallel='many' is no whole number"),
        ({"part_size": "8 MiBit"}, "part_size='8 MiBit' is no whole number of bytes"),
        ({"part_size": 1}, "part_size=1 is outside what OSS allows"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_texts(
    arguments: dict[str, Any],
    message: str,
    folder: Path,
    server: OSSEmulator,
    context_of: Callable[..., Context],
) -> None:
    """What cannot work fails the first attempt for good; nothing is read from a server, or sent to OSS."""
    for name in STORING:
        if set(arguments) <= set(declared(name)):
            operator = operators()[name](task_id="task", **{**ARGUMENTS[name](folder), **arguments})
            context = context_of(operator)
            operator.render_template_fields(context)
            fails_for_good(operator, context, message)
    assert server.requests == ()


def test_objects_have_no_text() -> None:
    """The text that an f-string makes of what has no value yet is refused in every templated argument, at any depth."""
    seen = []
    with DAG("export", schedule=None):

        @task
        def listed() -> list[int]:
            return [1]

        @task_group
        def group(one: Any) -> None:
            output: Any = listed.override(task_id="inner")()
            seen.extend([f"{one}", f"{one!r}", f"{output!r}", f"{output.map(str)}", f"{output.zip(output)}"])
            seen.extend([f"{output.operator}", f"{object()}", f"{len}x{make!r}"])
            with pytest.raises(OSSInvalidArgument, match="key has an object in it, shown as 'MappedArgument"):
                OSSPutObjectOperator(task_id="put", key=f"exports/{one}.csv", data="a")
            OSSPutObjectOperator(task_id="right", key=f"exports/{output}.csv", data="a")

        group.expand(one=[1, 2])
    for text in seen:
        assert "give the argument itself" in str(shown_object("key", f"exports/{text}.csv")), text
        assert shown_object("meta", {"a": [text]}), text
    for text in ("<object>", "at 0x7f", "XComArg", "a <b> at 0x", "{{ ti.xcom_pull(task_ids='a') }}"):
        assert shown_object("key", text) is None


@EVERY
def test_objects_in_every_argument(name: str) -> None:
    """No templated argument takes such a text, but for data, which may be about anything."""
    kind: Any = operators()[name]
    text = "a/MappedArgument(_input=..., _key='x')"
    for field in set(declared(name)) & set(kind.template_fields) - set(kind.verbatim_fields):
        if takes(declared(name)[field], "str"):
            with pytest.raises(OSSInvalidArgument, match=f"^{field} has an object in it"):
                make(name, **{field: text})


def test_what_may_be_right() -> None:
    """Functions, which Airflow calls, are taken for texts, whole floats for numbers, and any text as data."""
    make("OSSPutObjectOperator", key=lambda **_: "key")
    make("OSSPutObjectOperator", data="saw <Foo object at 0x7f00deadbeef> in XComArg(...)")
    make("SQLToOSSOperator", sql="SELECT * FROM t WHERE text LIKE '<Task(%'")
    make("OSSResumableUploadOperator", part_size=64 * 1e6, parallel=2.0)


class Daily(OSSPutObjectOperator):
    """A user's own operator, whose attributes are not the arguments, and which is given its data late."""

    def __init__(self, key: str, day: str, columns: tuple[str, ...] = (), note: str = None, **kwargs: Any) -> None:  # type: ignore[assignment]  # noqa: RUF013 - as users write it
        super().__init__(key=key, **kwargs)
        self.day = date.fromisoformat(day)
        self.columns = columns
        self.note = note

    def execute(self, context: Context) -> Any:
        """Make the data."""
        self.data = str(self.day)
        return super().execute(context)


def test_subclasses_of_users(context_of: Callable[..., Context], connect: Callable[..., str]) -> None:
    """What a user's own constructor takes and keeps is the user's."""
    connect()
    operator = Daily(task_id="task", key="key", day="2026-11-29", columns=("a", "b", "c"))
    assert operator.execute(context_of(operator))["size"] == 10


def test_lists_that_are_gone_through_once() -> None:
    """What can be gone through only once is left as it is for the attempt."""
    for name, field in (("OSSDeleteObjectsOperator", "keys"), ("OSSUploadDirectoryOperator", "exclude")):
        operator = make(name, **{field: (one for one in ["a", "b"])})
        assert list(getattr(operator, field)) == ["a", "b"]
    with pytest.raises(OSSInvalidArgument, match=r"^keys\[0\]=5 is an int: give text"):
        make("OSSDeleteObjectsOperator", keys=[5])


def test_objects_in_mapped_operators(context_of: Callable[..., Context], connect: Callable[..., str]) -> None:
    """In a mapped operator such a text fails the first attempt for good; what another task returned may have any."""
    connect()
    text = "MappedArgument(_input=..., _key='x')"
    with DAG("export", schedule=None):
        mapped = OSSPutObjectOperator.partial(task_id="put", key=text).expand(data=["a"])

    def attempt(**given: str) -> Any:
        instance: Any = mapped.unmap(given)
        context = context_of(instance)
        values = {id(value) for value in given.values()}
        instance._do_render_template_fields(
            instance, instance.template_fields, context, instance.get_template_env(), values
        )
        return instance.execute(context)

    with pytest.raises(AirflowFailException, match="key has an object in it"):
        attempt(data="a")
    with DAG("export", schedule=None):
        mapped = OSSPutObjectOperator.partial(task_id="put", key="key").expand(data=["a"])
    assert attempt(data=text)["size"] == len(text)
