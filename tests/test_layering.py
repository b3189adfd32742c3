"""Who may import whom: read from the source of every module, wherever in it an import stands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import airflow_provider_oss

PACKAGE = "airflow_provider_oss"
ROOT = Path(airflow_provider_oss.__file__).parent

LEAVES = frozenset(
    {
        "compression",
        "crc64",
        "exceptions",
        "file_range",
        "limits",
        "model",
        "options",
        "ports",
        "presigned",
        "uri",
        "verify",
    }
)
SDK = frozenset({"oss2", "urllib3", "requests", "alibabacloud_oss_v2", "alibabacloud_credentials", "Tea"})
ASKING = frozenset({"clients.credentials.chain", "clients.credentials.library"})
"""The modules that use Alibaba Cloud's library for credentials; they are imported in functions."""


@dataclass(frozen=True)
class Rule:
    """What a part of the package may import of the package itself and of others; the standard library is free."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def rule(own: set[str] | frozenset[str] = frozenset(), others: set[str] | frozenset[str] = frozenset()) -> Rule:
    return Rule(frozenset(own), frozenset(others))


RULES = {
    "": rule(),
    **dict.fromkeys(LEAVES - {"compression", "crc64"}, rule(own=LEAVES)),
    "compression": rule(own=LEAVES, others={"zstandard"}),
    "crc64": rule(own=LEAVES, others={"fastcrc"}),
    "connection_form": rule(),
    "provider_info": rule(own={"", "connection_form"}),
    "transfer": rule(own={"transfer", *LEAVES}, others={"tenacity", "pendulum"}),
    "checkpoint": rule(own={"checkpoint", *LEAVES}, others={"airflow", "jsonschema"}),
    "clients": rule(own={"", "clients", *LEAVES}, others=SDK - {"alibabacloud_oss_v2", "requests"}),
    "assets": rule(own=LEAVES, others={"airflow"}),
    "links": rule(own=LEAVES, others={"airflow"}),
    "hooks": rule(
        own={"hooks", "connection_form", "transfer", "clients", *LEAVES},
        others={"airflow", "jsonschema", "oss2", "tenacity", "flask_appbuilder", "flask_babel", "wtforms"},
    ),
    "operators": rule(
        own={
            "operators",
            "hooks",
            "links",
            "checkpoint",
            "transfer.cancellation",
            "transfer.stream",
            "transfer.deletion",
            "transfer.tree.globs",
            "transfer.tree.result",
            *LEAVES,
        },
        others={"airflow", "pendulum"},
    ),
    "decorators": rule(own={"decorators", "operators", "transfer.stream", *LEAVES}, others={"airflow"}),
    "sources": rule(own={"sources", "transfer", *LEAVES}, others={"fsspec", "s3fs", "requests", "urllib3", "tenacity"}),
    "exports": rule(own={"exports", *LEAVES}, others={"pyarrow"}),
    "transfers": rule(
        own={"transfers", "operators", "hooks", "exports", "sources", *LEAVES},
        others={"airflow", "fsspec", "psycopg", "psycopg2"},
    ),
    "fs": rule(
        own={
            "fs",
            "hooks",
            "transfer.cancellation",
            "transfer.deletion",
            "transfer.plan",
            "transfer.source",
            "transfer.stream",
            *LEAVES,
        },
        others={"fsspec", "upath"},
    ),
    "watch": rule(own={"watch", "hooks", "transfer.tree.globs", *LEAVES}),
    "triggers": rule(own={"triggers", "watch", "hooks", *LEAVES}, others={"airflow", "asgiref"}),
    "sensors": rule(
        own={"sensors", "triggers", "watch", "operators.base", "operators.durations", *LEAVES}, others={"airflow"}
    ),
    "emulator": rule(own={"emulator"}, others={"starlette", "uvicorn", "fastcrc"}),
}
"""The part "" is the package's own __init__, which holds the version."""


@dataclass(frozen=True)
class Import:
    """One import statement's target: a module of ours without the package's name, or another's top name."""

    target: str
    is_own: bool
    line: int
    only_for_types: bool
    inside_function: bool


def modules() -> list[str]:
    """Return all modules of the package, named without it."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted(ROOT.rglob("*.py")))
    return [".".join(path.parts).removesuffix("__init__").rstrip(".") for path in paths]


def path_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")) if module else ROOT
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module: str) -> Iterator[Import]:
    """Yield every import of the module, in functions and under TYPE_CHECKING too."""
    tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
    yield from _walk(tree, only_for_types=False, inside_function=False)


def _walk(node: ast.AST, *, only_for_types: bool, inside_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for name in _names(child):
            own = name == PACKAGE or name.startswith(f"{PACKAGE}.")
            target = name.removeprefix(PACKAGE).lstrip(".") if own else name.split(".")[0]
            yield Import(target, own, child.lineno, only_for_types, inside_function)  # type: ignore[attr-defined]
        yield from _walk(
            child,
            only_for_types=only_for_types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)),
            inside_function=inside_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda),
        )


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide where they lead"
        assert node.module is not None
        # What is imported from a package may be a module of it
        known = [f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in OWN_MODULES]
        return known or [node.module]
    return []


OWN_MODULES = {f"{PACKAGE}.{module}" for module in modules() if module}


def part_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def allows(own: frozenset[str], target: str) -> bool:
    return any(target == part or (part and target.startswith(f"{part}.")) for part in own)


@pytest.mark.parametrize("module", modules())
def test_imports_follow_the_table(module: str) -> None:
    """A module imports only what its part may."""
    allowed = RULES[part_of(module)]
    wrong = [
        f"line {found.line}: {found.target or PACKAGE}"
        for found in imports(module)
        if not (
            allows(allowed.own, found.target)
            if found.is_own
            else found.target in sys.stdlib_module_names | allowed.others | {"__future__"}
        )
    ]
    assert wrong == []


def test_every_part_has_a_rule() -> None:
    """No part of the package is without a line in the table, and no line is without its part."""
    assert {part_of(module) for module in modules()} == set(RULES)


def test_only_clients_use_an_sdk() -> None:
    """
    Outside clients/ an SDK of OSS is named for types only; oss2 is used by one module, which is imported in functions.

    So are the two modules that ask for credentials.

    What speaks HTTP to others than OSS is imported by sources/, in functions.
    """
    for module in modules():
        for found in imports(module):
            if found.target in {"requests", "urllib3"} and part_of(module) == "sources":
                assert found.only_for_types or found.inside_function, f"{module}, line {found.line}"
            elif found.target in SDK and not found.is_own and not found.only_for_types:
                assert part_of(module) == "clients", f"{module}, line {found.line}"
                assert found.target != "oss2" or module == "clients.buckets", f"{module}, line {found.line}"
                is_credentials = found.target in {"alibabacloud_credentials", "Tea"}
                assert not is_credentials or module in ASKING, f"{module}, line {found.line}"
            if found.target in {"clients.buckets", *ASKING} - {module} and not found.only_for_types:
                assert found.inside_function or module in ASKING, f"{module}, line {found.line}"


def test_what_costs_much_is_imported_late() -> None:
    """Nothing that an operator's module imports at its top leads to hook, engine, client, store or jsonschema."""
    seen: set[str] = set()
    waiting = [
        "operators.oss",
        "decorators.oss_upload",
        "operators.directory",
        "sensors.oss",
        "operators.objects",
        "operators.buckets",
        "operators.tags",
        "operators.presign",
        "operators.maintenance",
        *(module for module in modules() if module.startswith("transfers.") and "_to_" in module),
    ]
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for found in imports(module):
            if found.only_for_types or found.inside_function:
                continue
            assert found.is_own or found.target not in SDK | {"jsonschema", "tenacity", "fastcrc"}, f"{module}: {found}"
            if found.is_own and found.target not in seen:
                waiting.append(found.target)
    late = {"hooks.oss", "hooks.base", "transfer.engine", "clients.session", "checkpoint.choice", "exports.formats"}
    assert seen & late == set()
    assert "operators.base" in seen


def test_nothing_imports_the_emulator() -> None:
    """The server shares no code with what it tests."""
    for module in modules():
        if part_of(module) != "emulator":
            assert [found for found in imports(module) if found.is_own and part_of(found.target) == "emulator"] == []


def test_imports_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of imports sees each of them, wherever it stands."""
    source = """
import os.path
from airflow_provider_oss import limits, uri
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import oss2
def function():
    from airflow_provider_oss.hooks.oss import OSSHook
    class Inner:
        import urllib3
"""
    (tmp_path / "module.py").write_text(source)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    found = [(entry.target, entry.only_for_types, entry.inside_function) for entry in imports("module")]
    assert found == [
        ("os", False, False),
        ("limits", False, False),
        ("uri", False, False),
        ("typing", False, False),
        ("oss2", True, False),
        ("hooks.oss", False, True),
        ("urllib3", False, True),
    ]
