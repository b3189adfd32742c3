"""What constructors take is what type checkers and editors are told of it, and what Airflow itself takes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, BaseOperator, BaseSensorOperator
from packaging.version import Version

from airflow_provider_oss.declared import parsed
from airflow_provider_oss.operators.arguments import declared_by
from airflow_provider_oss.options import parse_options
from tests.operators.leavable import ARGUMENTS
from tests.signatures.declared_keywords import (
    Given,
    constructors,
    fields,
    inherited,
    keywords,
    own,
    passed_on,
    texts,
    typed_dicts,
)
from tests.support.airflow_version import VERSION
from tests.support.discovery import operators

EVERY_CONSTRUCTOR = pytest.mark.parametrize("cls", constructors(), ids=lambda cls: cls.__name__)
EVERY = pytest.mark.parametrize("name", sorted(operators()))

FROM_AIRFLOW = {*keywords("AirflowKeywords"), *keywords("AirflowSensorOptions")}
FROM_DECORATORS = {"python_callable", "op_args", "op_kwargs"}
"""Arguments of Airflow's DecoratedOperator, which ours names again."""
SINCE = {"retry_policy": (3, 3), "render_template_as_native_obj": (3, 2)}
UNTIL = {"task_concurrency": (2, 11)}
RELEASE = Version(VERSION).release[:2]


@EVERY_CONSTRUCTOR
def test_what_is_passed_on(cls: type[BaseOperator]) -> None:
    """The keywords of a constructor are what those take that its class inherits: names, types, what must be given."""
    told = {name: given for name, given in keywords(passed_on(cls)).items() if name not in FROM_AIRFLOW}
    assert told == inherited(cls)
    is_sensor = issubclass(cls, BaseSensorOperator)
    assert set(keywords(passed_on(cls))) & FROM_AIRFLOW == (
        FROM_AIRFLOW if is_sensor else {*keywords("AirflowKeywords")}
    )
    assert keywords(passed_on(cls))["task_id"].is_required


def test_the_decorator() -> None:
    """``@task.oss_upload`` takes what its operator does, but the function and what it is called with; it has a name."""
    [cls] = (cls for cls in constructors() if set(own(cls)) >= FROM_DECORATORS)
    told = dict(keywords("DecoratorKeywords"))
    assert not told.pop("task_id").is_required
    assert told == {name: given for name, given in keywords(passed_on(cls)).items() if name != "task_id"}


@EVERY_CONSTRUCTOR
def test_what_is_templated(cls: type[BaseOperator]) -> None:
    """What other tasks return may be given for every templated argument, and for no other."""
    for name, (annotation, _) in own(cls).items():
        if name not in FROM_DECORATORS:
            assert ("XComArg" in annotation) == (name in cls.template_fields), name


KEPT_AS = {"stream": "StreamFunction | ObjectStoragePath | os.PathLike[str] | str", "deferrable": "bool"}
"""Attributes that are not what was given."""


@EVERY_CONSTRUCTOR
def test_attributes(cls: type[BaseOperator]) -> None:
    """An attribute's type is the argument's when the operator runs: there are no more results of tasks to come."""
    handed_on = {name for base in constructors() if base in cls.__mro__[1:] for name in own(base)}
    for name, (annotation, _) in own(cls).items():
        if name not in FROM_DECORATORS | handed_on:
            kept = cls.__annotations__[declared_by(cls)[name].attribute]
            assert "XComArg" not in kept, name
            assert parsed(kept) == parsed(KEPT_AS.get(name, annotation)), name


@EVERY
def test_what_is_kept(name: str, tmp_path: Path) -> None:
    """Each argument is an attribute, as it was given."""
    kind, arguments = operators()[name], ARGUMENTS[name](tmp_path)
    made = vars(kind(task_id="task", **arguments))
    assert {declared.attribute for declared in declared_by(kind).values()} - made.keys() == set()
    assert {one: made[one] for one in arguments if one != "stream"} == {
        one: value for one, value in arguments.items() if one != "stream"
    }


def test_what_an_editor_shows() -> None:
    """The texts of arguments are those of the classes that take them."""
    described = {cls.__name__: texts(cls) for cls in constructors()}
    shown = {one: field.text for name in typed_dicts() for one, field in fields(name).items() if field.text}
    assert set(shown) == {name for cls in constructors() for name in inherited(cls)}
    for name in typed_dicts():
        for argument, field in fields(name).items():
            assert not field.text or field.text in {text.get(argument) for text in described.values()}, argument


def test_what_an_editor_shows_of_options() -> None:
    """So it is with what may be stored with an object, of the hook's methods."""
    shown = {one: field.text for one, field in fields("ObjectOptionArguments", parse_options.__module__).items()}
    assert shown == texts(parse_options)


@pytest.mark.parametrize(
    ("cls", "name"), [(BaseOperator, "AirflowKeywords"), (BaseSensorOperator, "AirflowSensorOptions")]
)
def test_what_airflow_takes(cls: type[BaseOperator], name: str) -> None:
    """Each argument of Airflow's own is known; what is known is one, or was or will be in another version."""
    _, *parameters = inspect.signature(inspect.unwrap(cls.__init__)).parameters.values()
    taken = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
    known = set(keywords(name)) if cls is BaseOperator else set(fields(name))
    assert taken - known == set()
    others = {one for one, first in SINCE.items() if first > RELEASE} | {
        one for one, last in UNTIL.items() if last < RELEASE
    }
    assert known - taken == others & known


def given_to(kind: type[BaseOperator]) -> dict[str, Given]:
    """Return all arguments of ours that the operator takes."""
    first = next(cls for cls in kind.__mro__ if "__init__" in vars(cls))
    return {**inherited(first), **own(first)}


def required_by(name: str) -> list[str]:
    return [one for one, given in given_to(operators()[name]).items() if given.is_required]


@EVERY
def test_signatures(name: str) -> None:
    """At run time, too, the signature has all arguments of ours."""
    parameters = inspect.signature(operators()[name]).parameters.values()
    named = {one.name: one.default is one.empty for one in parameters if one.kind is one.KEYWORD_ONLY}
    assert named == {one: given.is_required for one, given in given_to(operators()[name]).items()}


@EVERY
def test_default_args(name: str, tmp_path: Path) -> None:
    """``default_args`` may hold any argument of ours, what must be given too; the call goes before them."""
    kind, arguments = operators()[name], ARGUMENTS[name](tmp_path)
    with DAG("export", schedule=None, default_args={"oss_conn_id": "shared", "region": "cn-hangzhou", **arguments}):
        made: Any = kind(task_id="task", region="cn-beijing")
    assert (made.oss_conn_id, made.region) == ("shared", "cn-beijing")
    assert {one: getattr(made, one) for one in required_by(name) if isinstance(arguments[one], str)} == {
        one: value for one, value in arguments.items() if one in required_by(name) and isinstance(value, str)
    }


MISSES = (TypeError, AirflowException)
"""What Airflow raises: 3 and 2."""


@EVERY
def test_what_is_missing(name: str, tmp_path: Path) -> None:
    """What must be given, and is not, is named: all of it, when the DAG is parsed; of mapped tasks when one begins."""
    kind, required = operators()[name], required_by(name)
    for missing in required:
        arguments = {one: value for one, value in ARGUMENTS[name](tmp_path).items() if one != missing}
        with DAG("export", schedule=None):
            with pytest.raises(MISSES, match=f"missing keyword argument '{missing}'"):
                kind(task_id="task", **arguments)
            mapped = kind.partial(task_id="mapped", **arguments).expand(region=["cn-hangzhou"])
        with pytest.raises(MISSES, match=f"missing keyword argument '{missing}'"):
            mapped.unmap({"region": "cn-hangzhou"})
    if len(required) > 1:
        with pytest.raises(MISSES, match=", ".join(map(repr, sorted(required)))):
            kind(task_id="task")


@EVERY
def test_mapped(name: str, tmp_path: Path) -> None:
    """``partial`` takes every argument of ours, as ``default_args`` do, and no other."""
    kind, arguments = operators()[name], ARGUMENTS[name](tmp_path)
    with DAG("export", schedule=None, default_args={"oss_conn_id": "shared"}):
        mapped = kind.partial(task_id="task", **arguments).expand(region=["cn-hangzhou", "cn-beijing"])
        with pytest.raises(TypeError, match="unexpected keyword argument 'kee'"):
            kind.partial(task_id="wrong", kee="a", **arguments)
    made: Any = mapped.unmap({"region": "cn-beijing"})
    assert (made.oss_conn_id, made.region) == ("shared", "cn-beijing")
