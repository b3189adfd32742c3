"""Every operator that stores something offers all that may be stored with an object, and passes it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.declared import takes
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.operators.arguments import declared_by
from airflow_provider_oss.operators.base import OSSUploadBaseOperator
from airflow_provider_oss.options import ObjectOptionArguments
from tests.operators.leavable import ARGUMENTS
from tests.support.descriptions import FULL
from tests.support.discovery import operators
from tests.support.source_text import occurrences

STORING = sorted(name for name, kind in operators().items() if issubclass(kind, OSSUploadBaseOperator))
OPTIONS = ObjectOptionArguments.__annotations__
VALUES: dict[str, Any] = {
    **FULL,
    "acl": "private",
    "forbid_overwrite": True,
    "traffic_limit": 819_200,
    "callback": {"url": "http://app.invalid", "body": "a=b"},
}


def make(name: str, **changes: Any) -> Any:
    """Make the operator."""
    return operators()[name](task_id="task", **{**ARGUMENTS[name](Path("/absent")), **changes})


def test_all_are_tried_here() -> None:
    """There is a value for every option."""
    assert VALUES.keys() == OPTIONS.keys()


@pytest.mark.parametrize("name", STORING)
def test_every_option_is_an_argument(name: str) -> None:
    """It is declared, templated unless it is a truth value, shown as JSON if it is a mapping, and passed on."""
    kind: Any = operators()[name]
    declared = declared_by(kind)
    assert OPTIONS.keys() - declared.keys() == set()
    assert {option for option in OPTIONS if option not in kind.template_fields} == {"forbid_overwrite"}
    mappings = {option for option in OPTIONS if takes(declared[option].annotation, "Mapping")}
    assert {option for option in mappings if kind.template_fields_renderers.get(option) != "json"} == set()
    assert make(name, **VALUES).object_options() == VALUES


@pytest.mark.parametrize("name", STORING)
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, {"Content-Encoding": "gzip"}),
        ({"Expires": "0"}, {"Expires": "0", "Content-Encoding": "gzip"}),
        ({"content-ENCODING": "br"}, {"content-ENCODING": "br"}),
    ],
    ids=str,
)
def test_an_encoding(name: str, headers: Any, expected: dict[str, str]) -> None:
    """A Content-Encoding that an operator knows is the object's, unless the user gave one."""
    assert make(name, headers=headers).object_options(encoding="gzip")["headers"] == expected


@pytest.mark.parametrize("name", STORING)
def test_a_type(name: str) -> None:
    """So is a Content-Type."""
    assert make(name).object_options("text/csv")["mime"] == "text/csv"
    assert make(name, mime="text/plain").object_options("text/csv")["mime"] == "text/plain"


@pytest.mark.parametrize("name", STORING)
def test_headers_that_are_none(name: str) -> None:
    """Where a template has made other than headers, that is refused as such, whatever the operator adds to them."""
    operator = make(name)
    operator.headers = "Expires: 0"
    with pytest.raises(OSSInvalidArgument, match="headers='Expires: 0' is a str: give a mapping"):
        operator.object_options(encoding="gzip")


def test_one_home() -> None:
    """No operator decides by itself whether the user gave an encoding."""
    assert occurrences(r"\bwith_encoding\(") == {"options.py", "operators/base.py"}
    assert occurrences(r"(?i)[\"']content-encoding[\"'](:| (not )?in\b)") == {"options.py"}
