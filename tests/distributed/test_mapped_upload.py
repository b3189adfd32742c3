"""One object from four tasks on two nodes: what ends some of them, what a user may do to them meanwhile and later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.distributed.mapped import IN_FLIGHT_BYTES, SEND, MappedUpload
from tests.distributed.playing import now

if TYPE_CHECKING:
    from pathlib import Path

    from tests.distributed.playing import Stage

pytestmark = pytest.mark.distributed


def test_send_killed(stage: Stage, file_64: Path) -> None:
    """When one of four tasks is killed, it alone runs again, and sends what it had in flight."""
    mapped = MappedUpload.begin(stage, "mapped/send-killed.bin", file_64)
    mapped.sends[2].kill()
    stage.wait_for_successor(mapped.sends[2], now())
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 1, 2, 1]
    mapped.assert_whole(sent_twice_bytes=IN_FLIGHT_BYTES)


def test_node_of_sends_killed(stage: Stage, file_64: Path) -> None:
    """When a node dies, its tasks, and no others, run again on the other."""
    mapped = MappedUpload.begin(stage, "mapped/node-killed.bin", file_64)
    nodes = [stage.node_of(send) for send in mapped.sends]
    killed, moment = nodes[0], now()
    stage.airflow.kill_node(killed)
    stage.wait_for_successor(mapped.sends[0], moment)
    stage.hurry()
    assert mapped.end() == "success"

    stage.tell("nodes", " ".join(nodes))
    assert mapped.runs() == [2 if node == killed else 1 for node in nodes]
    assert {stage.node_of(send) for send in mapped.sends} == {stage.airflow.other_node(killed)}
    mapped.assert_whole(sent_twice_bytes=nodes.count(killed) * IN_FLIGHT_BYTES)


def test_send_cleared_while_running(stage: Stage, file_64: Path) -> None:
    """One task that is cleared in the middle runs again, and the others know nothing of it."""
    mapped = MappedUpload.begin(stage, "mapped/send-cleared.bin", file_64)
    mapped.sends[1].clear()
    stage.wait_until_ended(mapped.sends[1], 1)
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 2, 1, 1]
    mapped.assert_whole(sent_twice_bytes=2 * IN_FLIGHT_BYTES)


def test_all_sends_cleared_while_running(stage: Stage, file_64: Path) -> None:
    """All tasks that send may be cleared at once: each continues its range."""
    mapped = MappedUpload.begin(stage, "mapped/sends-cleared.bin", file_64)
    stage.airflow.clear(mapped.complete.dag_id, mapped.complete.run_id, SEND)
    for send in mapped.sends:
        stage.wait_until_ended(send, 1)
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [2, 2, 2, 2]
    mapped.assert_whole(sent_twice_bytes=8 * IN_FLIGHT_BYTES)


def test_plan_run_twice(stage: Stage, file_64: Path) -> None:
    """A plan that is cleared alone, while its ranges are sent, finds the same upload: nobody notices."""
    mapped = MappedUpload.begin(stage, "mapped/planned-twice.bin", file_64)
    planned = stage.airflow.xcom(mapped.plan.dag_id, mapped.plan.run_id, mapped.plan.task_id, "upload")
    mapped.plan.clear()
    mapped.plan.wait_for_attempt(2)
    stage.wait_until_ended(mapped.plan, 2)
    stage.hurry()
    assert mapped.end() == "success"

    assert stage.airflow.xcom(mapped.plan.dag_id, mapped.plan.run_id, mapped.plan.task_id, "upload") == planned
    assert mapped.runs() == [1, 1, 1, 1]
    mapped.assert_whole(sent_twice_bytes=0)


def test_send_marked_successful(stage: Stage, file_64: Path) -> None:
    """A task that a user marks as successful has sent too little: the last one says so, and which one to clear."""
    mapped = MappedUpload.begin(stage, "mapped/marked-success.bin", file_64)
    marked = mapped.sends[3]
    stage.airflow.set_task_state(marked.dag_id, marked.run_id, marked.task_id, "success", marked.map_index)
    stage.wait_until_ended(marked, 1)
    stage.hurry()
    assert mapped.end() == "failed"
    assert "clear the task that sends it" in mapped.complete.log(1)
    assert stage.uploads.unfinished() == [marked.key]
    marked.clear(downstream=True)
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 1, 1, 2]
    assert mapped.complete.attempts() == ["failed", "success"]
    mapped.assert_whole(sent_twice_bytes=IN_FLIGHT_BYTES)


def test_send_marked_failed(stage: Stage, file_64: Path) -> None:
    """A task that a user marks as failed leaves what is sent, and continues when it is cleared."""
    mapped = MappedUpload.begin(stage, "mapped/marked-failed.bin", file_64)
    marked = mapped.sends[0]
    stage.airflow.mark_failed(marked.dag_id, marked.run_id, marked.task_id, marked.map_index)
    stage.wait_until_ended(marked, 1)
    stage.hurry()
    assert mapped.end() == "failed"
    assert stage.uploads.unfinished() == [marked.key]
    marked.clear(downstream=True)
    assert mapped.end() == "success"

    assert mapped.runs() == [2, 1, 1, 1]
    mapped.assert_whole(sent_twice_bytes=IN_FLIGHT_BYTES)


def test_cleared_after_the_end(stage: Stage, file_64: Path) -> None:
    """What is cleared when the object is there compares it and sends nothing; the whole group uploads it again."""
    mapped = MappedUpload.finished(stage, "mapped/cleared-later.bin", file_64)
    mapped.assert_whole(sent_twice_bytes=0)
    stage.uploads.server.forget_requests()
    mapped.complete.clear()
    assert mapped.end() == "success"
    mapped.sends[2].clear(downstream=True)
    assert mapped.end() == "success"
    assert mapped.sent_bytes() == 0
    assert mapped.runs() == [1, 1, 2, 1]

    mapped.plan.clear(downstream=True)
    assert mapped.end() == "success"
    assert mapped.runs() == [2, 2, 3, 2]
    mapped.assert_whole(sent_twice_bytes=0)
