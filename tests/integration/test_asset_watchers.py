"""An asset watcher in a real Airflow: what others store starts a run, also what came while no triggerer ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET
from tests.integration.uploading import Uploads
from tests.support.airflow_version import HAS_TASK_STATE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from airflow_provider_oss.emulator import OSSEmulator
    from tests.support.local_airflow import LocalAirflow

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("airflow")]

DAG_ID = "oss_watch_prefix"
PREFIX = "incoming/"
WAIT_SECONDS = 120.0


@pytest.fixture
def watching(airflow: LocalAirflow, dags_folder: Path) -> Iterator[None]:
    """
    A triggerer watches what the example says.

    Airflow starts and ends a watch when it parses the DAG again, so its file is touched.
    """
    example = dags_folder / "watch_prefix.py"
    airflow.wait_for_dag(DAG_ID)
    airflow.unpause(DAG_ID)
    os.utime(example)
    wait_until(lambda: airflow.database.watchers() or None, WAIT_SECONDS, "the watcher", lambda: "no trigger")
    airflow.start_triggerer()
    yield
    airflow.pause(DAG_ID)
    os.utime(example)
    wait_until(lambda: None if airflow.database.watchers() else True, WAIT_SECONDS, "its end", lambda: "still there")


def wait_for_looks(server: OSSEmulator, looks: int) -> None:
    """Wait until the prefix was listed so often from now on."""
    server.forget_requests()

    def look() -> bool | None:
        return True if sum(one.operation == "ListObjectsV2" for one in server.requests) > looks else None

    wait_until(look, WAIT_SECONDS, f"{looks} looks", lambda: str(server.requests))


@pytest.mark.usefixtures("watching")
def test_new_objects_start_a_run(uploads: Uploads, airflow: LocalAirflow, server: OSSEmulator) -> None:
    """
    What comes starts a run that knows what it is; what was there does not.

    With a state store (Airflow 3.3) the next triggerer reports what came when there was none, and nothing again.
    """
    wait_for_looks(server, 1)
    uploads.bucket.put_object(f"{PREFIX}a.csv", b"a")
    assert wait_for_archived(airflow, 1) == [["a.csv"]]
    assert uploads.bucket.get_object(f"archive/{PREFIX}a.csv").read() == b"a"
    [extra] = airflow.database.asset_events(f"oss://{BUCKET}/incoming")
    [described] = extra["payload"]["objects"]
    assert (described["key"], described["size"]) == (f"{PREFIX}a.csv", 1)
    wait_for_looks(server, 2)

    airflow.kill_triggerer()
    uploads.bucket.put_object(f"{PREFIX}b.csv", b"b")
    airflow.start_triggerer()
    if not HAS_TASK_STATE:  # b.csv is what the first look of the new triggerer finds
        wait_for_looks(server, 1)
        uploads.bucket.put_object(f"{PREFIX}b.csv", b"bb")
    assert wait_for_archived(airflow, 2) == [["a.csv"], ["b.csv"]]


def wait_for_archived(airflow: LocalAirflow, runs: int) -> list[list[str]]:
    """Wait until so many runs have ended well; return what each has archived."""

    def look() -> list[str] | None:
        found = airflow.database.run_ids(DAG_ID)
        return found if len(found) >= runs else None

    run_ids = wait_until(look, WAIT_SECONDS, f"{runs} runs", lambda: str(airflow.database.run_ids(DAG_ID)))
    assert [airflow.wait_for_run(DAG_ID, run_id) for run_id in run_ids] == ["success"] * runs
    copies = [airflow.xcom(DAG_ID, run_id, "arrived") for run_id in run_ids]
    return [[one["key"].removeprefix(f"archive/{PREFIX}") for one in each] for each in copies]
