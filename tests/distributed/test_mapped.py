"""Four tasks on two nodes at one thing: what ends some of them, what a user may do to them meanwhile and later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.distributed.mapped import Mapped, MappedDirectory, MappedUpload
from tests.distributed.playing import now, seconds_since

if TYPE_CHECKING:
    from pathlib import Path

    from tests.distributed.playing import Stage

pytestmark = pytest.mark.distributed


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent, and how it is begun."""

    run: type[Mapped]
    stage: Stage
    source: Path

    def begin(self, key: str) -> Mapped:
        """Start a run that lasts, and return in the middle of it."""
        return self.run.begin(self.stage, self.source, key)


@pytest.fixture(params=[(MappedUpload, "file_64"), (MappedDirectory, "tree")], ids=["object", "directory"])
def kind(stage: Stage, request: pytest.FixtureRequest) -> Kind:
    """One object of 64 parts, or one directory of 160 files."""
    run, source = request.param
    return Kind(run, stage, request.getfixturevalue(source))


def test_send_killed(kind: Kind, stage: Stage) -> None:
    """When one of four tasks is killed, it alone runs again, and sends what it had in flight."""
    mapped = kind.begin("mapped/send-killed")
    mapped.sends[2].kill()
    stage.wait_for_successor(mapped.sends[2], now())
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 1, 2, 1]
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes())


def test_node_of_sends_killed(kind: Kind, stage: Stage) -> None:
    """When a node dies, its tasks, and no others, run again on the other."""
    mapped = kind.begin("mapped/node-killed")
    nodes = [stage.node_of(send) for send in mapped.sends]
    killed, moment = nodes[0], now()
    stage.airflow.kill_node(killed)
    stage.wait_for_successor(mapped.sends[0], moment)
    stage.hurry()
    assert mapped.end() == "success"

    stage.tell("nodes", " ".join(nodes))
    assert mapped.runs() == [2 if node == killed else 1 for node in nodes]
    assert {stage.node_of(send) for send in mapped.sends} == {stage.airflow.other_node(killed)}
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes(nodes.count(killed)))


def test_send_cleared_while_running(kind: Kind, stage: Stage) -> None:
    """One task that is cleared in the middle runs again, and the others know nothing of it."""
    mapped = kind.begin("mapped/send-cleared")
    cleared = now()
    mapped.sends[1].clear()
    stage.wait_until_ended(mapped.sends[1], 1)
    both_ran_seconds = seconds_since(cleared)
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 2, 1, 1]
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes(2, both_ran_seconds))


def test_all_sends_cleared_while_running(kind: Kind, stage: Stage) -> None:
    """All tasks that send may be cleared at once: each goes on where it was."""
    mapped = kind.begin("mapped/sends-cleared")
    cleared = now()
    stage.airflow.clear(mapped.DAG_ID, mapped.run_id, mapped.sends[0].task_id)
    for send in mapped.sends:
        stage.wait_until_ended(send, 1)
    both_ran_seconds = seconds_since(cleared)
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.runs() == [2, 2, 2, 2]
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes(8, both_ran_seconds))


def test_plan_run_twice(kind: Kind, stage: Stage) -> None:
    """A plan that is cleared alone, while the tasks behind it send, says the same again: nobody notices."""
    mapped = kind.begin("mapped/planned-twice")
    planned = mapped.planned()
    mapped.plan.clear()
    mapped.plan.wait_for_attempt(2)
    stage.wait_until_ended(mapped.plan, 2)
    stage.hurry()
    assert mapped.end() == "success"

    assert mapped.planned() == planned
    assert mapped.runs() == [1, 1, 1, 1]
    mapped.assert_whole(sent_twice_bytes=0)


def test_send_marked_successful(kind: Kind, stage: Stage) -> None:
    """A task that a user marks as successful has sent too little: the last one says so, and which one to clear."""
    mapped = kind.begin("mapped/marked-success")
    marked = mapped.sends[3]
    stage.airflow.set_task_state(marked.dag_id, marked.run_id, marked.task_id, "success", marked.map_index)
    stage.wait_until_ended(marked, 1)
    stage.hurry()
    assert mapped.end() == "failed"
    assert mapped.REMEDY in mapped.last.log(1)
    assert stage.uploads.unfinished() == mapped.unfinished()
    marked.clear(downstream=True)
    assert mapped.end() == "success"

    assert mapped.runs() == [1, 1, 1, 2]
    assert mapped.last.attempts() == ["failed", "success"]
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes())


def test_send_marked_failed(kind: Kind, stage: Stage) -> None:
    """A task that a user marks as failed leaves what is sent, and continues when it is cleared."""
    mapped = kind.begin("mapped/marked-failed")
    marked = mapped.sends[0]
    stage.airflow.mark_failed(marked.dag_id, marked.run_id, marked.task_id, marked.map_index)
    stage.wait_until_ended(marked, 1)
    stage.hurry()
    assert mapped.end() == "failed"
    assert stage.uploads.unfinished() == mapped.unfinished()
    marked.clear(downstream=True)
    assert mapped.end() == "success"

    assert mapped.runs() == [2, 1, 1, 1]
    mapped.assert_whole(sent_twice_bytes=mapped.in_flight_bytes())


def test_cleared_after_the_end(kind: Kind, stage: Stage) -> None:
    """What is cleared when all is there compares it and sends nothing; then all tasks are cleared."""
    mapped = kind.run.finished(stage, kind.source, "mapped/cleared-later")
    mapped.assert_whole(sent_twice_bytes=0)
    stage.uploads.server.forget_requests()
    mapped.last.clear()
    assert mapped.end() == "success"
    mapped.sends[2].clear(downstream=True)
    assert mapped.end() == "success"
    assert mapped.sent_bytes() == 0
    assert mapped.runs() == [1, 1, 2, 1]

    mapped.plan.clear(downstream=True)
    assert mapped.end() == "success"
    assert mapped.runs() == [2, 2, 3, 2]
    assert mapped.sent_bytes() == mapped.size_when_planned_again_bytes()
    mapped.assert_equal()
    assert stage.uploads.unfinished() == []
