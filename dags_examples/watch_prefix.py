"""
A DAG that runs when somebody stores an object below a prefix, and archives what is new. It needs Airflow 3.

The triggerer lists the prefix, and what is new or was overwritten becomes an event of the asset: no task waits. Several
objects of one look are one run.
"""

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task
from airflow.sdk import AssetWatcher  # noqa: TID251 - Airflow 2.11 has none

from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.triggers.assets import OSSNewObjectsTrigger

INCOMING = Asset(
    "oss://exports/incoming",
    watchers=[
        AssetWatcher(
            name="incoming",
            trigger=OSSNewObjectsTrigger(
                prefix="oss://exports/incoming",
                poke_interval=1,  # for the tests, which wait for it; OSS bills every look: leave it out, which means 60
            ),
        )
    ],
)

with DAG(dag_id="oss_watch_prefix", schedule=[INCOMING], tags=["oss"]):

    @task
    def arrived(triggering_asset_events: Any) -> list[dict[str, str]]:
        """Return the arguments of one copy for each object: twice overwritten, it is copied once, as it is now."""
        payloads = [event.extra["payload"] for event in triggering_asset_events[INCOMING]]
        keys = {one["key"]: one["uri"] for payload in payloads for one in payload["objects"]}
        return [{"source_key": uri, "key": f"archive/{key}"} for key, uri in keys.items()]

    OSSCopyObjectOperator.partial(
        task_id="archive",
        retries=5,
        map_index_template="{{ task.source_key }}",
    ).expand_kwargs(arrived())
