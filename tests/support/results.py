"""Every kind of result that a task may have, found in the package's modules, and an instance of each."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import airflow_provider_oss
from airflow_provider_oss.model import PlainResult, Result


def kinds() -> dict[str, type[Result]]:
    """Return them by name; of plain data only its maker knows what it is."""
    for module in pkgutil.walk_packages(airflow_provider_oss.__path__, "airflow_provider_oss."):
        if not module.name.startswith(("airflow_provider_oss.emulator", "airflow_provider_oss.ui")):
            import_module(module.name)
    return {kind.__name__: kind for kind in _below(Result) if _is_own(kind) and kind is not PlainResult}


def _is_own(kind: type) -> bool:
    """Whether it is one of the package, and not what a dataclass with slots was made of."""
    module = sys.modules[kind.__module__]
    return kind.__module__.startswith("airflow_provider_oss.") and vars(module).get(kind.__name__) is kind


def _below(kind: Any) -> Iterator[Any]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


_VALUES: dict[Any, Any] = {str: "text", int: 7, float: 1.5, bool: True, Exception: OSError("broken")}


def sample(annotation: Any) -> Any:
    """Return a value of a type, in which nothing is empty or None."""
    if annotation is Any:
        return {"name": "text"}
    if is_dataclass(annotation) and isinstance(annotation, type):
        hints = get_type_hints(annotation)
        return annotation(**{one.name: sample(hints[one.name]) for one in fields(annotation)})
    arguments = [one for one in get_args(annotation) if one not in {NoneType, ...}]
    origin = get_origin(annotation)
    if origin in {dict, Mapping}:
        return {sample(arguments[0]): sample(arguments[1])}
    if origin in {list, tuple}:
        return origin([sample(arguments[0])])
    return sample(arguments[0]) if arguments else _VALUES[annotation]
