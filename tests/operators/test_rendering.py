"""Each templated argument of each operator and sensor: a template makes what was meant, or is refused at once."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.declared import KINDS, Annotation, takes
from airflow_provider_oss.operators.arguments import complaints, declared_by
from tests.operators.leavable import ARGUMENTS
from tests.support.discovery import operators

pytestmark = pytest.mark.filterwarnings("ignore:checkpoint_anchor is deprecated")  # it is tried like any other

WHEN = datetime(2026, 11, 21, 3, tzinfo=UTC)
CONTEXT = {"ds_nodash": "20261121", "when": WHEN, "params": {}}

TEXTS = {
    "{{ '2026.10' }}": "2026.10",
    "{{ '1,2' }}": "1,2",
    "{{ \"'a'\" }}": "'a'",
    "{{ true }}": "True",
}
"""Templates, and the text of each, which natively is a number, a tuple, another text, or a boolean."""
MORE_TEXTS = {
    "{{ ds_nodash }}": "20261121",
    "{{ '1_000' }}": "1_000",
    "0x{{ '1F' }}": "0x1F",
    "1e{{ 3 }}": "1e3",
    "{{ 5 }}": "5",
    "{{ 2.50 }}": "2.5",
    "a{{ 5 }}": "a5",
    "{{ '(1, 2)' }}b": "(1, 2)b",
    "{{ '...' }}": "...",
    "{{ '1j' }}": "1j",
}

FROM_AIRFLOW = {"op_args", "op_kwargs", "templates_dict"}
"""Arguments of the user's function: they are what Airflow makes of them."""


BOTH = pytest.mark.parametrize("native", [False, True], ids=["", "native"])
EVERY = pytest.mark.parametrize("name", sorted(operators()))


def fields(name: str) -> dict[str, Annotation]:
    """Return the templated arguments of an operator."""
    kind = operators()[name]
    return {field: declared_by(kind)[field].annotation for field in kind.template_fields if field not in FROM_AIRFLOW}


def texts(name: str) -> dict[str, Annotation]:
    """Return those that may be text."""
    return {field: annotation for field, annotation in fields(name).items() if takes(annotation, "str")}


def collections(name: str) -> dict[str, Annotation]:
    """Return those that may not."""
    return {field: annotation for field, annotation in fields(name).items() if not takes(annotation, "str")}


def holds_texts(annotation: Annotation) -> bool:
    """Whether it is a mapping or list of texts."""
    held = [inner for one in annotation if one.head in {"Mapping", "Sequence"} for inner in one.inner[-1:]]
    return any(one.head == "str" for inner in held for one in inner)


def make(name: str, *, native: bool, **changes: Any) -> Any:
    """Return an operator whose templates are rendered."""
    arguments = {**ARGUMENTS[name](Path("/absent")), **changes}
    with DAG("export", schedule=None, render_template_as_native_obj=native):
        operator: Any = operators()[name](task_id="task", **arguments)
    operator.render_template_fields(dict(CONTEXT))
    return operator


def complaint_of(operator: Any, field: str) -> str:
    """Return what is wrong with the argument; nothing, if nothing is."""
    return next((text for text in complaints(operator) if text.startswith((f"{field}=", f"{field}[", f"{field} "))), "")


def test_every_argument_is_tried() -> None:
    """Each template field is an argument whose annotation is known, and of types that are known."""
    assert sum(len(fields(name)) for name in operators()) > 150
    heads = {
        one.head for kind in operators().values() for given in declared_by(kind).values() for one in given.annotation
    }
    assert heads - set(KINDS) == set()


@BOTH
@EVERY
def test_texts(name: str, native: bool) -> None:  # noqa: FBT001 - a parameter
    """A text is what the template says, to the last character, whatever Python would make of it."""
    for template, text in TEXTS.items():
        made = make(name, native=native, **dict.fromkeys(texts(name), template))
        assert {getattr(made, field) for field in texts(name)} == {text}, template


@BOTH
def test_more_texts(native: bool) -> None:  # noqa: FBT001 - a parameter
    """So it is with whatever else looks like a value of Python."""
    for template, text in MORE_TEXTS.items():
        made = make("OSSPutObjectOperator", native=native, key=template, meta={"a": template}, data=template)
        assert (made.key, made.meta, made.data) == (text, {"a": text}, text)


@BOTH
@EVERY
def test_texts_in_collections(name: str, native: bool) -> None:  # noqa: FBT001 - a parameter
    """So it is within a mapping or a list of texts."""
    for template, text in TEXTS.items():
        held = {
            field: {"a": template} if takes(annotation, "Mapping") else [template]
            for field, annotation in fields(name).items()
            if holds_texts(annotation)
        }
        others = dict.fromkeys(texts(name), "{{ 'other' }}")
        made = make(name, native=native, **others | held)
        for field, value in held.items():
            assert getattr(made, field) == ({"a": text} if isinstance(value, dict) else [text]), (field, template)


@EVERY
def test_lists(name: str) -> None:
    """A list is one where several may be given natively; else it is refused, and so is its text."""
    template = "{{ ['a', 'b'] }}"
    native = make(name, native=True, **dict.fromkeys(texts(name), template))
    written = make(name, native=False, **dict.fromkeys(texts(name), template))
    for field, annotation in texts(name).items():
        assert getattr(native, field) == ["a", "b"]
        is_right = takes(annotation, "Sequence")
        assert ("is a list: give" in complaint_of(native, field)) is not is_right
        told = complaint_of(written, field)
        assert takes(annotation, "bytes") or "is the text of a list: give " in told
        assert takes(annotation, "bytes") or ("native_obj" if is_right else ".expand()") in told


@EVERY
def test_none(name: str) -> None:
    """Nothing is nothing where that may be given natively; else it is refused, and so is its text."""
    native = make(name, native=True, **dict.fromkeys(texts(name), "{{ none }}"))
    written = make(name, native=False, **dict.fromkeys(texts(name), "{{ none }}"))
    for field, annotation in texts(name).items():
        assert getattr(native, field) is None
        assert (f"{field}=None is a NoneType: give" in complaint_of(native, field)) is not takes(annotation, "None")
        assert takes(annotation, "bytes") or f"{field}='None' is the text of None" in complaint_of(written, field)


def _collection(annotation: Annotation) -> Any:
    """Return a mapping, or a list of what the annotation says."""
    if takes(annotation, "Mapping"):
        return {"a": "b"}
    [inner] = (one.inner[0] for one in annotation if one.head == "Sequence")
    return [{"a": "b"} if takes(inner, "Mapping") else "a"]


@EVERY
def test_collections(name: str) -> None:
    """A mapping or list is one natively; its text is refused, and the error says how to have it natively."""
    wanted = {field: _collection(annotation) for field, annotation in collections(name).items()}
    templates = {field: f"{{{{ {value} }}}}" for field, value in wanted.items()}
    native, written = make(name, native=True, **templates), make(name, native=False, **templates)
    for field, value in wanted.items():
        assert getattr(native, field) == value
        assert not complaint_of(native, field)
        assert "is a str: give" in complaint_of(written, field)
        assert "render_template_as_native_obj=True" in complaint_of(written, field)


@EVERY
def test_objects(name: str) -> None:
    """A time is one where that may be given natively, and else its text."""
    made = make(name, native=True, **dict.fromkeys(texts(name), "{{ when }}"))
    for field, annotation in texts(name).items():
        assert getattr(made, field) == (WHEN if takes(annotation, "datetime") else str(WHEN))


def test_json_is_text() -> None:
    """What is written as text stays text natively, with its quotes, its layout and the newline at its end."""
    for data in ('{"a": {{ 5 }} }\n', '"{{ ds_nodash }}"', "[{{ 5 }}]\n", "1,{{ 2 }}\n"):
        made = make("OSSPutObjectOperator", native=True, data=data, file_path=None)
        assert made.data == data.replace("{{ 5 }}", "5").replace("{{ 2 }}", "2").replace("{{ ds_nodash }}", "20261121")


def test_macros_and_filters() -> None:
    """The DAG's own macros and filters are there, and globals of Jinja."""
    with DAG(
        "export",
        schedule=None,
        render_template_as_native_obj=True,
        user_defined_macros={"number": lambda: 5},
        user_defined_filters={"twice": lambda text: text * 2},
    ):
        operator: Any = operators()["OSSGetObjectTagsOperator"](
            task_id="task", key="{{ number() }}{{ '1' | twice }}{% for one in range(2) %}{{ one }}{% endfor %}"
        )
    operator.render_template_fields(dict(CONTEXT))
    assert operator.key == "51101"


def test_a_template_is_rendered_once() -> None:
    """A function of the DAG's is called once for each time it stands in a template, and objects are what they are."""
    calls: list[int] = []
    with DAG(
        "export", schedule=None, render_template_as_native_obj=True, user_defined_macros={"count": lambda: len(calls)}
    ):
        operator: Any = operators()["OSSGetObjectTagsOperator"](
            task_id="task", key="{{ count() }}{{ calls.append(1) or '' }}{{ count.__class__.__name__ }}"
        )
    operator.render_template_fields({**CONTEXT, "calls": calls})
    assert operator.key == "0function"
    assert calls == [1]


class Key(str, Enum):  # noqa: UP042 - of a StrEnum str() is the text itself
    """A key as a member of an enumeration."""

    DAILY = "daily/{{ ds_nodash }}"


@BOTH
def test_members_of_an_enumeration(*, native: bool) -> None:
    """A member of an enumeration is the text that it is, and may be a template; a path is text natively, too."""
    assert make("OSSGetObjectTagsOperator", native=native, key=Key.DAILY).key == "daily/20261121"
    made = make("OSSPutObjectOperator", native=native, data=None, file_path=Path("/data/{{ ds_nodash }}"))
    assert made.file_path == "/data/20261121"


class _Nested:
    """What has templates of its own."""

    template_fields = ("text",)

    def __init__(self) -> None:
        self.text = "{{ ds_nodash }}"


def test_nested_templates() -> None:
    """What stands behind an object with templates of its own is understood as before it."""
    with DAG("export", schedule=None, render_template_as_native_obj=True):
        nested: Any = _Nested()
        operator: Any = operators()["OSSDeleteObjectsOperator"](task_id="task", keys=["key"])
        operator.keys = [nested, "{{ '20260101' }}"]
    operator.render_template_fields(dict(CONTEXT))
    assert operator.keys[1] == "20260101"
