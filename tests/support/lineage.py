"""Airflow's hook lineage collector, as a task has it when a plugin reads lineage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from airflow.sdk import plugins_manager
from airflow.sdk.lineage import HookLineageCollector, HookLineageReader, get_hook_lineage_collector


@contextmanager
def in_a_task(*, with_reader: bool) -> Iterator[None]:
    """Let this process be a task's, with a plugin that reads lineage or without, and with a collector of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CTX_TASK_ID", "upload")
        readers = [HookLineageReader] if with_reader else []
        patch.setattr(plugins_manager, "get_hook_lineage_readers_plugins", lambda: readers)
        get_hook_lineage_collector.cache_clear()
        try:
            yield
        finally:
            get_hook_lineage_collector.cache_clear()


def collected() -> tuple[list[str], list[str]]:
    """Return the URIs of what was read and of what was written, each with the number of times if that is not one."""
    collector = get_hook_lineage_collector()
    assert type(collector) is HookLineageCollector
    lineage = collector.collected_assets
    inputs, outputs = (
        [one.asset.uri + (f" x {one.count}" if one.count > 1 else "") for one in side]
        for side in (lineage.inputs, lineage.outputs)
    )
    return inputs, outputs
