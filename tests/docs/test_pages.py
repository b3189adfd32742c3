"""What the documentation shows works: links lead somewhere, examples are DAGs, JSON is JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import airflow_provider_oss
from tests.docs.namespace import example_names
from tests.docs.pages import CONTRIBUTING, PAGES, README, ROOT, code_blocks, code_of, name, table_rows
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


def test_every_room_is_described() -> None:
    """The table of the package's rooms has each module and folder of it once, and no other."""
    cells = [cell for cell, _ in table_rows(CONTRIBUTING, "Where things are")]
    rooms = [room for cell in cells for room in re.findall(r"`(\w+)`", cell)]
    package = Package(Path(airflow_provider_oss.__file__).parent)
    assert sorted(rooms) == sorted({part_of(module) for module in package.modules} - {""})


def test_commands_exist() -> None:
    """Every command that the README and CONTRIBUTING name is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in (README, CONTRIBUTING):
        assert set(re.findall(r"\bmake ([a-z-]+)\b", "\n".join(code_of(page)))) <= targets
