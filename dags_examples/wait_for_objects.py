"""Wait for what others upload: single objects, one object of every hour, and a whole directory that has settled."""

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor

with DAG(
    dag_id="oss_wait_for_objects",
    schedule=None,
    params={
        "prefix": Param("incoming/2026-11-24", type="string", description="Where the others upload to"),
        "hours": Param(24, type="integer", description="Objects that are expected below hourly/"),
        "quiet_seconds": Param(3600, type="integer", description="Time without a change"),
    },
    tags=["oss"],
) as dag:
    marker = OSSKeySensor(
        task_id="marker",
        key=["{{ params.prefix }}/_SUCCESS", "{{ params.prefix }}/manifest.json"],
        poke_interval=30,
        timeout=timedelta(hours=6),
        deferrable=True,
    )
    hourly = OSSKeySensor(
        task_id="hourly",
        key="{{ params.prefix }}/hourly/*.csv",
        wildcard_match=True,
        min_matches="{{ params.hours }}",
        min_size=1,
        timeout=timedelta(hours=6),
        deferrable=True,
    )
    settled = OSSKeysUnchangedSensor(
        task_id="settled",
        prefix="{{ params.prefix }}",
        inactivity_period="{{ params.quiet_seconds }}",
        poke_interval=1,  # for the tests, which wait for it; OSS bills every look: leave it out, which means 60
        timeout=timedelta(hours=6),
        deferrable=True,
    )
    marker >> [hourly, settled]
