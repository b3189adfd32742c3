"""Names of task instances, both ways."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_provider_oss.checkpoint.choice import InstanceName, instance_of, owner_of


@dataclass
class Instance:
    dag_id: str
    run_id: str
    task_id: str
    map_index: int


@pytest.mark.parametrize(
    "instance",
    [
        Instance("export", "manual__1", "upload", -1),
        Instance("export.v2", "scheduled__2026-11-24T00:00:00+00:00", "group.upload-2", 0),
        Instance("größe", "a/run/with[2]/slashes#2", "upload", 41),
    ],
)
@pytest.mark.parametrize("number", ["", "#2"])
def test_both_ways(instance: Instance, number: str) -> None:
    """Who a checkpoint belongs to is found again, of the second checkpoint of one instance too."""
    expected = InstanceName(instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
    assert instance_of(owner_of(instance) + number) == expected


@pytest.mark.parametrize("owner", ["", "a test", "dag/task", "/run/task", "dag//task", "dag/run/", "dag/run/task[x]"])
def test_what_is_no_name(owner: str) -> None:
    """What no task instance is called belongs to nobody."""
    assert instance_of(owner) is None
