"""The checkpoints of other task instances, as far as a task of this Airflow sees them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.checkpoint.choice import InstanceName
from airflow_provider_oss.checkpoint.directory import AirflowCheckpointDirectory
from airflow_provider_oss.checkpoint.variable import KEY_PREFIX, VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.exceptions import OSSTransientError
from airflow_provider_oss.model import FoundCheckpoint
from airflow_provider_oss.ports import CheckpointDirectory
from tests.checkpoint.airflow_edge import Supervisor, get_task_states, task_state_context
from tests.checkpoint.test_stores import ANOTHER, CHECKPOINT, OWNER
from tests.support.airflow_version import IS_AIRFLOW_2, LISTS_VARIABLES, UNSEEN_STORES

RUN_ID = "scheduled__2026-11-21T00:00:00+00:00"


class Instance:
    get_task_states = staticmethod(get_task_states)


@pytest.fixture
def directory(supervisor: Supervisor) -> AirflowCheckpointDirectory:
    """What a task sees; with Airflow 3.3 it has a task state store."""
    assert supervisor.holds_nothing()
    context: dict[str, Any] = {"ti": Instance(), **task_state_context()}
    return AirflowCheckpointDirectory(context)


def found(owner: str | None) -> FoundCheckpoint:
    return FoundCheckpoint("Variable x", "{}", CHECKPOINT, owner, "x")


def test_variables(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """Each checkpoint in a Variable is found with its owner, where they can be listed; no other Variable is read."""
    stores = [VariableCheckpointStore(owner) for owner in (OWNER, ANOTHER)]
    for store in stores:
        store.save(CHECKPOINT)
    supervisor.plant_variable("other", str(supervisor.variables[stores[0].key].value))
    found = directory.find()
    assert {one.owner: one.checkpoint for one in found} == dict.fromkeys(
        (OWNER, ANOTHER) if LISTS_VARIABLES else (), CHECKPOINT
    )
    assert {one.variable_key for one in found} == ({store.key for store in stores} if LISTS_VARIABLES else set())


def test_xcoms(directory: AirflowCheckpointDirectory) -> None:
    """A checkpoint in an XCom is found by tasks of Airflow 2, which can ask the database."""
    XComCheckpointStore("export", "run", "anchor", OWNER).save(CHECKPOINT)
    found = directory.find()
    assert [(one.checkpoint, one.owner, one.variable_key) for one in found] == (
        [(CHECKPOINT, OWNER, None)] if IS_AIRFLOW_2 else []
    )


def test_what_is_not_seen(directory: AirflowCheckpointDirectory) -> None:
    """The stores that cannot be listed are named; one that the deployment does not have is not missed."""
    assert tuple(directory.unseen) == UNSEEN_STORES
    without: CheckpointDirectory = AirflowCheckpointDirectory({"ti": Instance()})
    assert list(without.unseen) == [name for name in UNSEEN_STORES if name != "task_state"]


class TestListedVariables:
    """What becomes of single Variables where a task can list them."""

    __test__ = LISTS_VARIABLES

    def test_many(self, directory: AirflowCheckpointDirectory) -> None:
        """More than Airflow lists in one answer are all found."""
        for number in range(1005):
            VariableCheckpointStore(f"dag/run/task[{number}]").save(CHECKPOINT)
        assert len({one.owner for one in directory.find()}) == 1005

    def test_a_shortened_owner(self, directory: AirflowCheckpointDirectory) -> None:
        """An owner of whose name only the end is stored is not taken for another: nobody knows who it is."""
        VariableCheckpointStore("dag/" + "r" * 3000 + "/task").save(CHECKPOINT)
        [one] = directory.find()
        assert (one.checkpoint, one.owner) == (CHECKPOINT, None)
        assert not directory.is_over(one)

    def test_what_cannot_be_read(
        self, directory: AirflowCheckpointDirectory, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What is no checkpoint is told, and known with its text: it may name an upload all the same."""
        VariableCheckpointStore(OWNER).save(CHECKPOINT)
        [variable] = supervisor.variables.values()
        text = str(variable.value)[:-10]
        supervisor.plant_variable(variable.key, text)
        [one] = directory.find()
        assert (one.checkpoint, one.owner, one.text) == (None, None, text)
        assert one.may_name(CHECKPOINT.ref, CHECKPOINT.upload_id)
        assert "is no checkpoint that can be read" in caplog.text

    def test_what_airflow_does_not_give(self, directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
        """A Variable that is listed and not given is an error: nobody knows which upload it names."""
        VariableCheckpointStore(OWNER).save(CHECKPOINT)
        supervisor.hide_variables()
        with pytest.raises(OSSTransientError, match="did not give its value"):
            directory.find()

    def test_forgetting(self, directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
        """A Variable is deleted as it was found; one that was changed since stays, and what is no Variable."""
        VariableCheckpointStore(OWNER).save(CHECKPOINT)
        [one] = directory.find()
        assert one.variable_key is not None
        assert one.variable_key.startswith(KEY_PREFIX)
        kept = str(supervisor.variables[one.variable_key].value)
        supervisor.plant_variable(one.variable_key, "changed")
        assert not directory.forget(one)
        assert not directory.forget(FoundCheckpoint("XCom", one.text, CHECKPOINT, OWNER))
        supervisor.plant_variable(one.variable_key, kept)
        assert directory.forget(one)
        assert not directory.forget(one)
        assert supervisor.holds_nothing()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, True),
        *(({("upload", 3): state}, True) for state in ("success", "failed", "skipped", "upstream_failed", "removed")),
        *(({("upload", 3): state}, False) for state in ("running", "up_for_retry", "queued", "deferred", None)),
        ({("upload", -1): "running", ("upload", 4): "running"}, True),
    ],
)
def test_over(
    directory: AirflowCheckpointDirectory,
    supervisor: Supervisor,
    states: dict[tuple[str, int], str | None],
    *,
    expected: bool,
) -> None:
    """A task instance that has ended, or is not there any more, is over; one that Airflow will run is not."""
    supervisor.plant_task_instances({InstanceName("export", RUN_ID, *name): state for name, state in states.items()})
    assert directory.is_over(found(OWNER)) is expected
    assert directory.is_over(found(f"{OWNER}#2")) is expected


def test_one_that_is_not_mapped(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """Its state is found by its name alone."""
    supervisor.plant_task_instances({InstanceName("d", "r", "t", -1): "running"})
    assert not directory.is_over(found("d/r/t"))


@pytest.mark.parametrize("owner", [None, "a person"])
def test_nobody_is_never_over(directory: AirflowCheckpointDirectory, owner: str | None) -> None:
    """Of whom nothing is known, nothing is said."""
    assert not directory.is_over(found(owner))
