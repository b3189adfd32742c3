"""Pages are found from the front door, and code from the reference."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss import model
from docs.extension.arguments import arguments_of
from docs.extension.documented import documented
from tests.docs.pages import DOCS, ROOT
from tests.support.discovery import name_in_a_dag, operators

if TYPE_CHECKING:
    from types import CodeType

    from airflow.providers.common.compat.sdk import BaseOperator

FRONT_DOOR = ROOT / "docs" / "index.md"


def test_every_page_is_in_the_navigation() -> None:
    """No page is hidden, and none is named that is not there."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```", FRONT_DOOR.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    shown = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    pages = [str(page.relative_to(ROOT / "docs").with_suffix("")) for page in DOCS if page != FRONT_DOOR]
    assert sorted(shown) == sorted(pages)


def test_every_operator_is_in_the_reference() -> None:
    """A new one is looked up where all others are."""
    shown = documented(ROOT / "docs" / "reference")
    kinds = {kind for kind in operators().values() if name_in_a_dag(kind) == kind.__name__}
    assert {kind.__name__: f"{kind.__module__}.{kind.__name__}" for kind in kinds}.items() <= shown.items()


def test_the_model_is_in_the_reference() -> None:
    """So is every value that the model has, but for what only this package makes."""
    values = {
        kind.__name__ for kind in vars(model).values() if isinstance(kind, type) and kind.__module__ == model.__name__
    }
    assert values - {"PlainResult"} <= set(documented(ROOT / "docs" / "reference"))


@pytest.mark.parametrize("kind", operators().values(), ids=name_in_a_dag)
def test_every_argument_is_described(kind: type[BaseOperator]) -> None:
    """What the constructors of this package take, its docstrings describe: the tables leave nothing out."""
    classes = [base for base in kind.__mro__ if base.__module__.startswith("airflow_provider_oss.")]
    taken = {name for base in classes if "__init__" in vars(base) for name in _keywords(base)}
    assert taken - {argument.name for argument in arguments_of(kind)} == set()


def _keywords(kind: type) -> tuple[str, ...]:
    code: CodeType = inspect.unwrap(vars(kind)["__init__"]).__code__
    return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
