"""Airflow's hook lineage collector, as a task has it when a plugin reads lineage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import HookLineageCollector, HookLineageReader, NoOpCollector


@contextmanager
def in_a_task(*, with_reader: bool) -> Iterator[None]:
    """Let this process be a task's, with a plugin that reads lineage or without, and with a collector of its own."""
    readers = [HookLineageReader] if with_reader else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CTX_TASK_ID", "upload")
        try:
            patch.setattr("airflow.sdk.plugins_manager.get_hook_lineage_readers_plugins", lambda: readers)
        except ImportError:  # before Airflow 3.2
            patch.setattr("airflow.plugins_manager.hook_lineage_reader_classes", readers)
        _forget_collector()
        try:
            yield
        finally:
            _forget_collector()


def collector() -> Any:
    """Return the collector. Nothing is lost in it."""
    found: Any = get_hook_lineage_collector()
    assert isinstance(found, HookLineageCollector)
    assert not isinstance(found, NoOpCollector)
    return found


def collector_was_made() -> bool:
    """Whether anybody has asked for one."""
    home = _home()
    if hasattr(home, "_hook_lineage_collector"):
        return home._hook_lineage_collector is not None
    return bool(home.get_hook_lineage_collector.cache_info().currsize)


def collected() -> tuple[list[str], list[str]]:
    """Return the URIs of what was read and of what was written, each with the number of times if that is not one."""
    lineage = collector().collected_assets
    inputs, outputs = (
        [one.asset.uri + (f" x {one.count}" if one.count > 1 else "") for one in side]
        for side in (lineage.inputs, lineage.outputs)
    )
    return inputs, outputs


def _forget_collector() -> None:
    home = _home()
    if hasattr(home, "_hook_lineage_collector"):
        home._hook_lineage_collector = None
    else:
        home.get_hook_lineage_collector.cache_clear()


def _home() -> Any:
    try:
        return import_module("airflow.sdk.lineage")
    except ImportError:  # before Airflow 3.2
        return import_module("airflow.lineage.hook")
