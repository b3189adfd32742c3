"""What the documentation shows works: links lead somewhere, examples are DAGs, JSON is JSON."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseHook

import airflow_provider_oss
from airflow_provider_oss.hooks.oss import OSSHook
from tests.docs.namespace import example_names
from tests.docs.pages import CONTRIBUTING, PAGES, ROOT, code_blocks, code_of, name, table_rows
from tests.house.package import Package, part_of

EXAMPLES = [
    pytest.param(block, id=f"{name(page)} {number}")
    for page in PAGES
    for number, block in enumerate(code_blocks(page, "python"), 1)
]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links(page: Path) -> None:
    """Every link to a file of the project leads to one, and every anchor to a heading."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples(example: str) -> None:
    """Every Python example runs as part of a DAG file as it stands, with the operators imported that it names."""
    names: dict[str, Any] = example_names()
    with DAG("documented", schedule=None):
        exec(compile(example, "example", "exec"), names)  # noqa: S102 - our own documentation


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_json(page: Path) -> None:
    """Every JSON example can be parsed."""
    for block in code_blocks(page, "json"):
        json.loads(block)


def test_the_readme_leads_to_every_page() -> None:
    """No page is hidden."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name(page) for page in PAGES[1:] if f"({name(page)})" not in text] == []


def test_every_room_is_described() -> None:
    """The table of the package's rooms has each module and folder of it once, and no other."""
    cells = [cell for cell, _ in table_rows(CONTRIBUTING, "Where things are")]
    rooms = [room for cell in cells for room in re.findall(r"`(\w+)`", cell)]
    package = Package(Path(airflow_provider_oss.__file__).parent)
    assert sorted(rooms) == sorted({part_of(module) for module in package.modules} - {""})


def test_commands_exist() -> None:
    """Every command that the README and CONTRIBUTING name is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in (PAGES[0], CONTRIBUTING):
        assert set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code_of(page)))) <= targets


def test_the_page_of_the_hook_names_every_method() -> None:
    """No public method of the hook is undocumented, and none is documented that is not there."""
    classes = OSSHook.__mro__[: OSSHook.__mro__.index(BaseHook)]
    methods = {name for cls in classes for name in vars(cls) if inspect.isfunction(getattr(cls, name))}
    shown = re.findall(r"^\| `([a-z_]+)\(", (ROOT / "docs" / "hook.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(name for name in methods if not name.startswith("_"))


def test_the_page_of_the_hook_shows_arguments_that_exist() -> None:
    """Every argument of the table is one of the method's, in its order."""
    page = (ROOT / "docs" / "hook.md").read_text("utf-8")
    for method, shown in re.findall(r"^\| `([a-z_]+)\((.*?)\)`", page, re.MULTILINE):
        names = re.findall(r"[a-z_]+(?=[=,]|$)", shown.replace(" ", "").replace("=None", ""))
        parameters = list(inspect.signature(getattr(OSSHook, method)).parameters)
        assert names == [name for name in parameters if name in names], method
