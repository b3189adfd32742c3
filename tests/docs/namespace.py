"""The names that examples use without importing them: the operators, and what stands for a user's own code."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator, task

import airflow_provider_oss
from airflow_provider_oss.hooks.oss import OSSHook

_SHOWN = ("operators", "sensors", "transfers", "assets")


def example_names() -> dict[str, Any]:
    """Return all operators and sensors by name, what DAG files import from Airflow, and a query."""
    found: dict[str, Any] = {"DAG": DAG, "task": task, "timedelta": timedelta, "json": json, "OSSHook": OSSHook}
    found |= {"query": _query, "rows": _rows}
    for module in pkgutil.walk_packages(airflow_provider_oss.__path__, "airflow_provider_oss."):
        if module.name.split(".")[1] in _SHOWN:
            found |= {name: value for name, value in vars(import_module(module.name)).items() if _is_operator(value)}
    return found


def _is_operator(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseOperator)


def _query(*_: Any) -> Iterator[str]:
    return iter(())


def _rows() -> Iterator[bytes]:
    return iter(())
