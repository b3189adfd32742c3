"""Every operator, sensor, transfer and task decorator of the package, found in its modules: none is listed by hand."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Final

from airflow.providers.common.compat.sdk import BaseOperator

import airflow_provider_oss

PARTS: Final = ("operators", "sensors", "transfers", "decorators")
_PACKAGE: Final = airflow_provider_oss.__name__


@cache
def operators() -> Mapping[str, type[BaseOperator]]:
    """Return by name what a user makes a task of; what is derived from has "Base" in its name."""
    return {kind.__name__: kind for kind in _found()}


def modules_of_operators() -> list[str]:
    """Return the modules that have one, named without the package."""
    return sorted({kind.__module__.removeprefix(f"{_PACKAGE}.") for kind in operators().values()})


def name_in_a_dag(kind: type[BaseOperator]) -> str:
    """Return what a DAG file calls it: a decorator is not called as the operator behind it."""
    return str(getattr(kind, "custom_operator_name", kind.__name__))


def _found() -> Iterator[type[BaseOperator]]:
    for part in PARTS:
        package = import_module(f"{_PACKAGE}.{part}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for value in vars(import_module(module.name)).values():
                is_own = isinstance(value, type) and value.__module__ == module.name
                if is_own and issubclass(value, BaseOperator) and "Base" not in value.__name__:
                    yield value
