"""Who may import whom: read from the source of every module, wherever in it an import stands."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

import airflow_provider_oss
from tests.house.package import APART, Package, part_of
from tests.support.discovery import modules_of_operators

PACKAGE = Package(Path(airflow_provider_oss.__file__).parent)
FREE = sys.stdlib_module_names | {"typing_extensions"}  # what Python 3.12 has and 3.11 lacks
MOST_MODULES = 160
"""
120, one transfer on many workers, how databases are read, cells of files, parts of an export, records of transfers, and
the page in the UI.
"""
LONGEST_CHAIN = 14

LEAVES = frozenset(
    {
        "cancellation",
        "compression",
        "declared",
        "exceptions",
        "failures",
        "file_range",
        "globs",
        "limits",
        "model",
        "options",
        "ports",
        "proof",
        "quantities",
        "shown",
        "unclosed",
        "uri",
    }
)
SDK = frozenset({"oss2", "urllib3", "requests", "alibabacloud_oss_v2", "alibabacloud_credentials", "Tea"})
ASKING = "clients.credentials.chain"
"""The module that uses Alibaba Cloud's library for credentials; it is imported in functions."""


@dataclass(frozen=True)
class Rule:
    """What a part of the package may import of the package itself and of others; the standard library is free."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def rule(own: set[str] | frozenset[str] = frozenset(), others: set[str] | frozenset[str] = frozenset()) -> Rule:
    return Rule(frozenset(own), frozenset(others))


RULES = {
    "": rule(),
    **dict.fromkeys(LEAVES - {"compression", "proof", "quantities"}, rule(own=LEAVES)),
    "compression": rule(own=LEAVES, others={"zstandard"}),
    "proof": rule(own=LEAVES, others={"fastcrc"}),
    "quantities": rule(own=LEAVES, others={"pendulum"}),
    "provider_info": rule(own={""}, others={"flask_appbuilder", "flask_babel", "wtforms"}),
    "lineage": rule(own={"assets.oss", "engine.many_files", "engine.tree.result", *LEAVES}, others={"airflow"}),
    "engine": rule(own={"engine", *LEAVES}, others={"tenacity", "pendulum"}),
    "checkpoint": rule(own={"checkpoint", *LEAVES}, others={"airflow", "jsonschema"}),
    "clients": rule(own={"", "clients", *LEAVES}, others=(SDK - {"alibabacloud_oss_v2", "requests"}) | {"httptools"}),
    "progress": rule(
        own={"progress", "checkpoint.codec", "checkpoint.task_state", "engine.progress", *LEAVES},
        others={"airflow", "jsonschema"},
    ),
    "assets": rule(own=LEAVES, others={"airflow"}),
    "links": rule(own=LEAVES, others={"airflow"}),
    "hooks": rule(
        own={"hooks", "provider_info", "lineage", "engine", "clients", *LEAVES},
        others={"airflow", "jsonschema", "oss2", "tenacity"},
    ),
    "operators": rule(
        own={
            "operators",
            "hooks",
            "links",
            "checkpoint",
            "lineage",
            "progress",
            "engine.source",
            "engine.stale",
            "engine.tree.result",
            "engine.tree.walk",
            *LEAVES,
        },
        others={"airflow"},
    ),
    "decorators": rule(own={"decorators", "operators", "engine.source", *LEAVES}, others={"airflow"}),
    "sources": rule(own={"sources", "engine", *LEAVES}, others={"fsspec", "s3fs", "requests", "urllib3"}),
    "exports": rule(own={"exports", *LEAVES}, others={"pyarrow"}),
    "transfers": rule(
        own={
            "transfers",
            "operators",
            "checkpoint",
            "links",
            "lineage",
            "hooks",
            "exports",
            "sources",
            "engine.planned",
            "engine.progress",
            "engine.retry",
            "engine.source",
            "engine.stored",
            *LEAVES,
        },
        others={"airflow", "fsspec", "psycopg", "psycopg2"},
    ),
    "fs": rule(
        own={
            "fs",
            "hooks",
            "engine.plan",
            "engine.source",
            "engine.workers",
            *LEAVES,
        },
        others={"fsspec", "upath"},
    ),
    "plugins": rule(own={"ui.app", "links"}, others={"airflow"}),
    "ui": rule(
        own={"ui", "checkpoint", "links", "progress.places", "progress.record", *LEAVES},
        others={"airflow", "fastapi", "sqlalchemy"},
    ),
    "watch": rule(own={"hooks", *LEAVES}),
    "triggers": rule(own={"triggers", "watch", "hooks", *LEAVES}, others={"airflow", "asgiref"}),
    "sensors": rule(own={"sensors", "triggers", "watch", "operators", *LEAVES}, others={"airflow"}),
    "emulator": rule(own={"emulator"}, others={"uvicorn", "fastcrc", "pytest"}),
}
"""The part "" is the package's own __init__, which holds the version."""


def allows(own: frozenset[str], target: str) -> bool:
    return any(target == part or (part and target.startswith(f"{part}.")) for part in own)


@pytest.mark.parametrize("module", PACKAGE.modules)
def test_imports_follow_the_table(module: str) -> None:
    """A module imports only what its part may."""
    allowed = RULES[part_of(module)]
    wrong = [
        f"line {found.line}: {found.target or PACKAGE.name}"
        for found in PACKAGE.imports(module)
        if not (allows(allowed.own, found.target) if found.is_own else found.target in FREE | allowed.others)
    ]
    assert wrong == []


def test_every_part_has_a_rule() -> None:
    """No part of the package is without a line in the table, and no line is without its part."""
    parts = {part_of(module) for module in PACKAGE.modules}
    assert parts - set(RULES) == set(), "what may these import? Add a line to RULES, and a leaf to LEAVES"
    assert set(RULES) - parts == set(), "no such part is left"


def test_every_name_of_the_table_is_used() -> None:
    """The table allows no import that is not made, neither of a part of ours nor of another's package."""
    for part, allowed in RULES.items():
        found = [one for module in PACKAGE.modules if part_of(module) == part for one in PACKAGE.imports(module)]
        own = [one.target for one in found if one.is_own]
        unused = {
            name for name in allowed.own - LEAVES - {part} if not any(allows(frozenset({name}), one) for one in own)
        }
        assert (unused, allowed.others - {one.target for one in found}) == (set(), set()), part


def test_only_clients_use_an_sdk() -> None:
    """
    Outside clients/ an SDK of OSS is named for types only; oss2 is used by one module, which is imported in functions.

    So is the module that asks for credentials.

    What speaks HTTP to others than OSS is imported by sources/, in functions.
    """
    for module in PACKAGE.modules:
        for found in PACKAGE.imports(module):
            if found.target in {"requests", "urllib3"} and part_of(module) == "sources":
                assert found.only_for_types or found.inside_function, f"{module}, line {found.line}"
            elif found.target in SDK and not found.is_own and not found.only_for_types:
                assert part_of(module) == "clients", f"{module}, line {found.line}"
                assert found.target != "oss2" or module == "clients.buckets", f"{module}, line {found.line}"
                is_credentials = found.target in {"alibabacloud_credentials", "Tea"}
                assert not is_credentials or module == ASKING, f"{module}, line {found.line}"
            if found.target in {"clients.buckets", ASKING} - {module} and not found.only_for_types:
                assert found.inside_function, f"{module}, line {found.line}"


def test_what_costs_much_is_imported_late() -> None:
    """Nothing that an operator's module imports at its top leads to hook, engine, client, store or jsonschema."""
    seen: set[str] = set()
    waiting = modules_of_operators()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for found in PACKAGE.imports(module):
            if found.only_for_types or found.inside_function:
                continue
            assert found.is_own or found.target not in SDK | {"jsonschema", "tenacity", "fastcrc"}, f"{module}: {found}"
            if found.is_own and found.target not in seen:
                waiting.append(found.target)
    late = {"hooks.oss", "hooks.base", "engine.upload", "clients.session", "checkpoint.choice", "exports.formats"}
    assert seen & late == set()
    assert "operators.base" in seen


def test_nothing_imports_the_emulator() -> None:
    """The server shares no code with what it tests."""
    for module in PACKAGE.modules:
        if part_of(module) != "emulator":
            assert [
                found for found in PACKAGE.imports(module) if found.is_own and part_of(found.target) == "emulator"
            ] == []


def test_few_modules() -> None:
    """What is never read apart stands together: there are at most so many modules, the local server's apart."""
    assert len([module for module in PACKAGE.modules if part_of(module) != APART]) <= MOST_MODULES


def test_short_chains() -> None:
    """From what a DAG file imports to the last module that it leads to there are at most so many steps."""
    chain = PACKAGE.chain()
    assert len(chain) <= LONGEST_CHAIN, " > ".join(chain)


def test_imports_are_absolute() -> None:
    """Relative imports hide where they lead."""
    assert [module for module in PACKAGE.modules for found in PACKAGE.imports(module) if found.is_relative] == []


def test_one_name_is_one_thing() -> None:
    """No two modules make a class or a function of the same name for others."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module in PACKAGE.modules:
        for node in PACKAGE.tree_of(module).body if part_of(module) != APART else ():
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                homes[node.name].add(module)
    assert {name for name, modules in homes.items() if len(modules) > 1} == set()
