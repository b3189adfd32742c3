"""What is not a node goes away and comes back, or is told to do something else, while an upload or a wait goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET
from tests.distributed.playing import BYTES_PER_SECOND, IN_FLIGHT_BYTES, now, seconds_since, since
from tests.integration.test_sensors import wait_until_deferred

if TYPE_CHECKING:
    from pathlib import Path

    from tests.distributed.playing import Stage

pytestmark = pytest.mark.distributed


def test_api_server_restarted(stage: Stage, file_64: Path) -> None:
    """Parts are sent while the API server is away, and none is sent twice, whether the attempt outlives that or not."""
    upload = stage.begin("server-away.bin", file_64, mib_per_second=0.25)
    killed, stored = now(), upload.stored_parts()
    stage.airflow.kill_server()
    stage.airflow.start_server()
    stage.airflow.wait_until_healthy()
    stage.tell("away for", since(killed))
    stage.tell("parts stored meanwhile", upload.stored_parts() - stored)
    stage.hurry()
    assert upload.end() == "success"

    stage.tell("attempts", len(upload.attempts()))
    stage.assert_whole(upload, sent_twice_bytes=IN_FLIGHT_BYTES * (len(upload.attempts()) - 1))


def test_cleared_while_running(stage: Stage, file_64: Path) -> None:
    """A task that is cleared in the middle is ended, and its next attempt continues."""
    upload = stage.begin("cleared.bin", file_64)
    cleared = now()
    upload.clear()
    stage.wait_for_successor(upload, cleared)
    stage.wait_until_ended(upload, 1)
    stage.tell("first ended after", since(cleared))
    both_sent_bytes = round(seconds_since(cleared) * BYTES_PER_SECOND)
    stage.hurry()
    assert upload.end() == "success"

    assert upload.attempts()[-1] == "success"
    assert upload.result()["resumed"]
    stage.assert_whole(upload, sent_twice_bytes=2 * IN_FLIGHT_BYTES + both_sent_bytes)


def test_triggerer_killed(stage: Stage) -> None:
    """A sensor that waits in the triggerer is not lost with it: the next one ends its wait, in the same attempt."""
    key, dag_id = "incoming/awaited.csv", "wait_for_key"
    run_id = stage.uploads.trigger(dag_id, key=key)
    wait_until_deferred(stage.uploads, dag_id, run_id)
    stage.airflow.kill_triggerer()
    stage.uploads.bucket.put_object(key, b"it came while nobody looked")
    came = now()
    stage.airflow.start_triggerer()
    assert stage.airflow.wait_for_run(dag_id, run_id) == "success"

    stage.tell("seen after", since(came))
    assert stage.airflow.xcom(dag_id, run_id, "wait") == [f"oss://{BUCKET}/{key}"]
    assert len(stage.airflow.attempts(dag_id, run_id, "wait")) == 1
