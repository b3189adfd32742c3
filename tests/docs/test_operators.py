"""Every operator, sensor, transfer and decorator can be found: by people, by Airflow, and by the tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss.provider_info import get_provider_info
from tests.docs.pages import PAGES, README, ROOT, table_rows
from tests.support.discovery import modules_of_operators, name_in_a_dag, operators

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

OTHER_PAGES = [page for page in PAGES if page != README and page.parent.name != "reference"]
ROWS = [(with_, modules) for _, with_, modules in table_rows(README, "What there is")]

every_one = pytest.mark.parametrize("kind", operators().values(), ids=name_in_a_dag)


def part_and_module(kind: type[BaseOperator]) -> tuple[str, str]:
    part, module = kind.__module__.split(".")[-2:]
    return part, f"{part}.{module}"


def test_some_are_found() -> None:
    """There are operators in every part of the package that has any."""
    assert {module.split(".")[0] for module in modules_of_operators()} == {
        "operators",
        "sensors",
        "transfers",
        "decorators",
    }
    assert len(operators()) > 20


@every_one
def test_the_readme_has_a_row(kind: type[BaseOperator]) -> None:
    """It stands in the README's table once, with the module to import it from; a decorator is Airflow's ``task``."""
    [modules] = [modules for with_, modules in ROWS if f"`{name_in_a_dag(kind)}`" in with_]
    part, module = part_and_module(kind)
    assert part == "decorators" or f"`{module}`" in modules


@every_one
def test_a_page_is_about_it(kind: type[BaseOperator]) -> None:
    """Some page beside the README and the reference names it."""
    assert [page for page in OTHER_PAGES if name_in_a_dag(kind) in page.read_text("utf-8")]


@every_one
def test_there_is_a_test(kind: type[BaseOperator]) -> None:
    """A test of its part of the package imports it by name."""
    part, _ = part_and_module(kind)
    texts = (path.read_text("utf-8") for path in (ROOT / "tests" / part).glob("test_*.py"))
    assert any(re.search(rf"^(from .* import .*|    ){kind.__name__}\b", text, re.MULTILINE) for text in texts)


def test_airflow_is_told_of_every_module() -> None:
    """The provider's information names each module that has one, under the kind that it is of, and no other."""
    info = get_provider_info()
    told = {module for kind in ("operators", "sensors") for entry in info[kind] for module in entry["python-modules"]}
    told |= {entry["python-module"] for entry in info["transfers"]}
    told |= {entry["class-name"].rpartition(".")[0] for entry in info["task-decorators"]}
    assert sorted(name.removeprefix("airflow_provider_oss.") for name in told) == modules_of_operators()
