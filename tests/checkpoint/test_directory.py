"""The checkpoints of other task instances, as a task of Airflow 3.3 sees them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss.checkpoint.directory import AirflowCheckpointDirectory
from airflow_provider_oss.checkpoint.variable import KEY_PREFIX, VariableCheckpointStore
from airflow_provider_oss.exceptions import OSSTransientError
from airflow_provider_oss.model import FoundCheckpoint
from airflow_provider_oss.ports import CheckpointDirectory
from tests.checkpoint.airflow_edge import Supervisor, get_task_states
from tests.checkpoint.test_stores import ANOTHER, CHECKPOINT, OWNER

RUN_ID = "scheduled__2026-11-21T00:00:00+00:00"


class Instance:
    get_task_states = staticmethod(get_task_states)


@pytest.fixture
def directory(supervisor: Supervisor) -> AirflowCheckpointDirectory:
    """What a task sees that has a task state store."""
    assert supervisor.holds_nothing()
    context: dict[str, Any] = {"ti": Instance(), "task_state_store": object()}
    return AirflowCheckpointDirectory(context)


def found(owner: str | None) -> FoundCheckpoint:
    return FoundCheckpoint("Variable x", "{}", CHECKPOINT, owner, "x")


def test_variables(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """Each checkpoint in a Variable is found with its owner; no other Variable is looked at."""
    for owner in (OWNER, ANOTHER):
        VariableCheckpointStore(owner).save(CHECKPOINT)
    supervisor.variables["other"] = supervisor.variables[VariableCheckpointStore(OWNER).key]
    assert {one.owner: one.checkpoint for one in directory.find()} == {OWNER: CHECKPOINT, ANOTHER: CHECKPOINT}
    assert {one.variable_key for one in directory.find()} == {
        VariableCheckpointStore(owner).key for owner in (OWNER, ANOTHER)
    }
    assert list(directory.unseen) == ["xcom", "task_state"]


def test_without_a_task_state_store(supervisor: Supervisor) -> None:
    """A store that the deployment does not have is not missed."""
    assert supervisor.holds_nothing()
    directory: CheckpointDirectory = AirflowCheckpointDirectory({"ti": Instance()})
    assert list(directory.unseen) == ["xcom"]


def test_many(directory: AirflowCheckpointDirectory) -> None:
    """More than Airflow lists in one answer are all found."""
    for number in range(1005):
        VariableCheckpointStore(f"dag/run/task[{number}]").save(CHECKPOINT)
    assert len({one.owner for one in directory.find()}) == 1005


def test_a_shortened_owner(directory: AirflowCheckpointDirectory) -> None:
    """An owner of whose name only the end is stored is not taken for another: nobody knows who it is."""
    VariableCheckpointStore("dag/" + "r" * 3000 + "/task").save(CHECKPOINT)
    [one] = directory.find()
    assert (one.checkpoint, one.owner) == (CHECKPOINT, None)
    assert not directory.is_over(one)


def test_what_cannot_be_read(
    directory: AirflowCheckpointDirectory, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no checkpoint is told, and known with its text: it may name an upload all the same."""
    VariableCheckpointStore(OWNER).save(CHECKPOINT)
    [variable] = supervisor.variables.values()
    variable.value = str(variable.value)[:-10]
    [one] = directory.find()
    assert (one.checkpoint, one.owner, one.text) == (None, None, variable.value)
    assert one.may_name(CHECKPOINT.ref, CHECKPOINT.upload_id)
    assert "is no checkpoint that can be read" in caplog.text


def test_what_airflow_does_not_give(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """A Variable that is listed and not given is an error: nobody knows which upload it names."""
    VariableCheckpointStore(OWNER).save(CHECKPOINT)
    supervisor.hide_variables()
    with pytest.raises(OSSTransientError, match="did not give its value"):
        directory.find()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, True),
        *(({"upload_3": state}, True) for state in ("success", "failed", "skipped", "upstream_failed", "removed")),
        *(({"upload_3": state}, False) for state in ("running", "up_for_retry", "queued", "deferred", None)),
        ({"upload": "running", "upload_4": "running"}, True),
    ],
)
def test_over(
    directory: AirflowCheckpointDirectory, supervisor: Supervisor, states: dict[str, str | None], *, expected: bool
) -> None:
    """A task instance that has ended, or is not there any more, is over; one that Airflow will run is not."""
    supervisor.task_instances = {("export", RUN_ID, name): state for name, state in states.items()}
    assert directory.is_over(found(OWNER)) is expected
    assert directory.is_over(found(f"{OWNER}#2")) is expected


def test_one_that_is_not_mapped(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """Its state is found by its name alone."""
    supervisor.task_instances = {("d", "r", "t"): "running"}
    assert not directory.is_over(found("d/r/t"))


@pytest.mark.parametrize("owner", [None, "a person"])
def test_nobody_is_never_over(directory: AirflowCheckpointDirectory, owner: str | None) -> None:
    """Of whom nothing is known, nothing is said."""
    assert not directory.is_over(found(owner))


def test_forgetting(directory: AirflowCheckpointDirectory, supervisor: Supervisor) -> None:
    """A Variable is deleted as it was found; one that was changed since stays, and what is no Variable."""
    VariableCheckpointStore(OWNER).save(CHECKPOINT)
    [one] = directory.find()
    assert one.variable_key is not None
    assert one.variable_key.startswith(KEY_PREFIX)
    kept = supervisor.variables[one.variable_key].value
    supervisor.variables[one.variable_key].value = "changed"
    assert not directory.forget(one)
    assert not directory.forget(FoundCheckpoint("XCom", one.text, CHECKPOINT, OWNER))
    supervisor.variables[one.variable_key].value = kept
    assert directory.forget(one)
    assert not directory.forget(one)
    assert supervisor.holds_nothing()
