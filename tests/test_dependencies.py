"""What the package imports is what pyproject.toml declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import airflow_provider_oss

PACKAGE = Path(airflow_provider_oss.__file__).parent

UNDECLARED = {
    "Tea": "the errors of alibabacloud-credentials",
    "flask_appbuilder": "comes with Airflow 2.11 alone, whose connection form it makes",
    "flask_babel": "as flask_appbuilder",
    "wtforms": "as flask_appbuilder",
    "fastapi": "the api-server of Airflow 3 is made of it, and nothing else imports the app of our page",
    "sqlalchemy": "as fastapi, for the models of Airflow",
    "psycopg": "a driver is looked at only where it made the cursor",
    "psycopg2": "as psycopg",
    "pytest": "imports the module itself, by an entry point",
    "s3fs": "an address s3:// names it",
    "upath": "as pytest",
}
"""What is there whenever the module that imports it is used, and why."""


def imported() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]
            elif isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_what_is_imported_is_declared() -> None:
    """Each library that is imported anywhere is a dependency, or of an extra, with a lowest version."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    assert [each for each in declared if ">=" not in each] == []
    names = {normalised(each.partition(">=")[0]) for each in declared}
    distributions = packages_distributions()
    missing = {
        module
        for module in set(imported()) - sys.stdlib_module_names - UNDECLARED.keys() - {PACKAGE.name}
        if names.isdisjoint(normalised(each) for each in distributions.get(module, ()))
    }
    assert missing == set()
