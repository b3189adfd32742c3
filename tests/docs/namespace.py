"""The names that examples use without importing them: the operators, and what stands for a user's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss.hooks.oss import OSSHook
from tests.support.discovery import operators


def example_names() -> dict[str, Any]:
    """Return all operators and sensors by name, what DAG files import from Airflow, and a query."""
    found: dict[str, Any] = {"DAG": DAG, "task": task, "timedelta": timedelta, "json": json, "OSSHook": OSSHook}
    found |= {"query": _query, "rows": _rows}
    return found | dict(operators())


def _query(*_: Any) -> Iterator[str]:
    return iter(())


def _rows() -> Iterator[bytes]:
    return iter(())
