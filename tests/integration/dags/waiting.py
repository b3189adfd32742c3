"""Sensors that are deferred. A run's ``conf`` says what is waited for, and by which connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor


def report_of_two_lines(objects: list[Any]) -> bool:
    """Say whether the newest object is large enough; it runs in the worker."""
    return bool(max(one.size for one in objects) >= len("one\ntwo\n"))


arguments: dict[str, Any] = {
    "oss_conn_id": "{{ dag_run.conf.get('conn', 'oss_default') }}",
    "deferrable": True,
    "poke_interval": 1,
    "timeout": 240,
    "retries": 2,
    "retry_delay": timedelta(seconds=1),
}

with DAG("wait_for_key", schedule=None):
    OSSKeySensor(task_id="wait", key="{{ dag_run.conf['key'] }}", **arguments)

with DAG("wait_for_check", schedule=None):
    OSSKeySensor(
        task_id="wait", key="{{ dag_run.conf['key'] }}", wildcard_match=True, check=report_of_two_lines, **arguments
    )

with DAG("wait_for_unchanged", schedule=None):
    OSSKeysUnchangedSensor(task_id="wait", prefix="{{ dag_run.conf['prefix'] }}", inactivity_period=4, **arguments)

with DAG("wait_too_long", schedule=None):
    OSSKeySensor(task_id="wait", key="{{ dag_run.conf['key'] }}", **arguments | {"timeout": 3, "soft_fail": True})
