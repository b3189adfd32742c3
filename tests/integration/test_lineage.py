"""What a real Airflow does with assets, lineage and links: another DAG runs, OpenLineage events leave, the UI links."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import BUCKET, connection_json
from tests.integration.conftest import random_file
from tests.integration.uploading import Uploads
from tests.support.airflow_version import IS_AIRFLOW_2
from tests.support.local_airflow import LocalAirflow
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_oss.emulator import OSSEmulator

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

CONSOLE = "https://oss.console.aliyun.com/bucket/oss-cn-hangzhou"
SIZE = 300 * 1024


@pytest.fixture(scope="module")
def events_file(folder: Path) -> Path:
    """Where OpenLineage's own file transport writes each event as a line."""
    return folder / "lineage-events.jsonl"


@pytest.fixture(scope="module")
def observed(folder: Path, dags_folder: Path, server: OSSEmulator, events_file: Path) -> Iterator[Uploads]:
    """An Airflow that emits OpenLineage events."""
    environment = {
        "AIRFLOW_CONN_OSS_DEFAULT": connection_json(server),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(events_file), "append": True}
        ),
    }
    with LocalAirflow(folder / "airflow-observed", dags_folder, environment) as airflow:
        yield Uploads(airflow, server)


def complete_events(events_file: Path) -> dict[str, dict[str, Any]]:
    """Return the event of each task that is complete; a line may be half written."""
    lines = events_file.read_text().splitlines() if events_file.exists() else []
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["eventType"] == "COMPLETE" and "parent" in event["run"]["facets"]:
            found[event["job"]["name"]].append(event)
    assert all(len(events) == 1 for events in found.values())
    return {name: events[0] for name, events in found.items()}


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in datasets]


def test_an_object_joins_two_dags(observed: Uploads, events_file: Path, folder: Path) -> None:
    """
    The run that stores the asset's object starts the DAG that waits for it, and OpenLineage sees one chain.

    The asset's event says what was stored.

    The operator's event has file, object and size; that of a function which uses the hook has what the hook read and
    wrote. The object has one name in both.
    """
    airflow = observed.airflow
    file = random_file(folder / "customers.csv", SIZE)
    airflow.wait_for_dag("oss_asset_consumer")
    airflow.unpause("oss_asset_consumer")
    observed.trigger("oss_asset_producer", file_path=str(file))

    def look() -> dict[str, dict[str, Any]] | None:
        events = complete_events(events_file)
        wanted = {"oss_asset_producer.upload", "oss_asset_consumer.archive"}
        return events if wanted <= set(events) else None

    events = wait_until(look, 120.0, "both events", events_file.read_text)
    [extra] = airflow.database.asset_events(f"oss://{BUCKET}/daily/customers.csv")
    etag = observed.bucket.head_object("daily/customers.csv").etag
    assert extra == {"key": "daily/customers.csv", "size": SIZE, "etag": etag}
    stored, archived = events["oss_asset_producer.upload"], events["oss_asset_consumer.archive"]
    assert names(stored["inputs"]) == [("file", str(file))]
    assert names(stored["outputs"]) == names(archived["inputs"]) == [(f"oss://{BUCKET}", "daily/customers.csv")]
    assert stored["outputs"][0]["outputFacets"]["outputStatistics"]["size"] == SIZE
    assert names(archived["outputs"]) == [(f"oss://{BUCKET}", "archive/customers.csv")]


def test_the_link_to_the_console(uploads: Uploads) -> None:
    """The UI links from a task to the object's folder, and from one that failed to where it would be."""
    run_id = uploads.trigger("console_link")
    assert uploads.airflow.wait_for_run("console_link", run_id) == "failed"
    folder = f"path=linked%2F{run_id.replace(':', '%3A').replace('+', '%2B')}%2F"

    def link(task_id: str, map_index: int = -1) -> str | None:
        return uploads.airflow.extra_links("console_link", run_id, task_id, map_index)["OSS object"] or None

    assert link("stores") == f"{CONSOLE}/{BUCKET}/object?{folder}"
    # Airflow 2 does not ask for links when a task has failed
    failed = None if IS_AIRFLOW_2 else f"{CONSOLE}/missing-bucket/object?path=linked%2F"
    assert link("fails") == failed
    assert link("mapped", 1) == f"{CONSOLE}/{BUCKET}/object?path=linked%2F1%2F"


def test_no_link_without_a_console(uploads: Uploads, folder: Path) -> None:
    """A task whose object is on a local server has no link to follow."""
    file = random_file(folder / "report.csv", 1024)
    run_id = uploads.trigger("oss_put_object", file_path=str(file))
    assert uploads.airflow.wait_for_run("oss_put_object", run_id) == "success"
    assert not uploads.airflow.extra_links("oss_put_object", run_id, "put_file")["OSS object"]
