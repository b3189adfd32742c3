"""What the constructors of operators take and pass on: as they say it, and as ``operators/__init__.py`` does."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import airflow_provider_oss.operators
from tests.support.discovery import operators

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


PACKAGE: Final = "airflow_provider_oss."


class Given(NamedTuple):
    """An argument: its type as it is written, and whether it must be given."""

    annotation: str
    is_required: bool


class Field(NamedTuple):
    """A field of one of the TypedDicts."""

    annotation: str
    text: str
    """What an editor shows."""


def constructors() -> list[type[BaseOperator]]:
    """Return every class of the package's operators that has a constructor of its own."""
    found = {cls for kind in operators().values() for cls in kind.__mro__ if cls.__module__.startswith(PACKAGE)}
    return sorted((cls for cls in found if "__init__" in vars(cls)), key=lambda cls: cls.__qualname__)


def own(cls: type) -> Mapping[str, Given]:
    """Return what the class's own constructor names."""
    found = {}
    constructor: Any = inspect.unwrap(vars(cls)["__init__"])
    for name in constructor.__kwdefaults__ or {}:
        found[name] = Given(constructor.__annotations__[name], is_required=False)
    code = constructor.__code__
    for name in code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]:
        found.setdefault(name, Given(constructor.__annotations__[name], is_required=True))
    return found


def inherited(cls: type) -> Mapping[str, Given]:
    """Return what the constructors of the package take that the class is derived from, where it does not itself."""
    found: dict[str, Given] = {}
    for base in reversed(cls.__mro__[1:]):
        if base.__module__.startswith(PACKAGE) and "__init__" in vars(base):
            found |= own(base)
    return {name: given for name, given in found.items() if name not in own(cls)}


def passed_on(cls: type) -> str:
    """Return the name of the TypedDict that the constructor's ``kwargs`` are."""
    return inspect.unwrap(vars(cls)["__init__"]).__annotations__["kwargs"].removeprefix("Unpack[").removesuffix("]")  # type: ignore[no-any-return]


def texts(described: object) -> Mapping[str, str]:
    """Return how the docstring of a class or function describes arguments."""
    found = re.finditer(
        r"^:param (\w+): (.*?)(?=\n:param |\n\n|\Z)", inspect.getdoc(described) or "", re.MULTILINE | re.DOTALL
    )
    return {one[1]: " ".join(one[2].split()) for one in found}


@cache
def _classes(module: str = airflow_provider_oss.operators.__name__) -> Mapping[str, ast.ClassDef]:
    path = Path(str(import_module(module).__file__))
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def fields(name: str, *module: str) -> Mapping[str, Field]:
    """Return the TypedDict's own fields. It stands with the operators, or in another module."""
    found, body = {}, _classes(*module)[name].body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = " ".join(str(after.value.value).split()) if is_text else ""  # type: ignore[union-attr]
            found[ast.unparse(node.target)] = Field(ast.unparse(node.annotation), text)
    return found


def keywords(name: str) -> Mapping[str, Given]:
    """Return what the TypedDict has, with what it inherits."""
    node = _classes()[name]
    found: dict[str, Given] = {}
    for base in map(ast.unparse, node.bases):
        found |= {} if base == "TypedDict" else keywords(base)
    is_required = not any(word.arg == "total" for word in node.keywords)
    return found | {one: Given(field.annotation, is_required) for one, field in fields(name).items()}


def typed_dicts() -> list[str]:
    """Return the names of all."""
    return list(_classes())
