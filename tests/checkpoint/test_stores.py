"""One contract for every checkpoint store."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Variable, XCom, redact

from airflow_provider_oss.checkpoint import codec, task_state, variable
from airflow_provider_oss.checkpoint.choice import STORES
from airflow_provider_oss.checkpoint.task_state import TaskStateCheckpointStore
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.exceptions import OSSCheckpointUnreadable, OSSTransientError
from airflow_provider_oss.model import Checkpoint, Fingerprint, ObjectRef
from airflow_provider_oss.ports import CheckpointStore
from tests.checkpoint.airflow_edge import UNREACHABLE, Supervisor, task_state_accessor
from tests.support.airflow_version import HAS_TASK_STATE, LISTS_VARIABLES
from tests.support.stores import MemoryStore

OWNER = "export/scheduled__2026-11-21T00:00:00+00:00/upload[3]"
ANOTHER = OWNER.replace("[3]", "[4]")
CHECKPOINT = Checkpoint(
    ObjectRef("exports", "day=1/größe #1?.bin"),
    "0004B9894A22E5B1888A1E29F8236E2D",
    8 * 1024 * 1024,
    Fingerprint("/data/größe.bin", 40 * 2**30, "2026-11-21T20:58:00Z"),
    "0123456789abcdef",
    attempt=2,
    done_parts="1-57,60",
    done_bytes=58 * 8 * 1024 * 1024,
    created_at="2026-11-21T20:00:00Z",
    updated_at="2026-11-21T20:58:00Z",
)
RECORD = codec.encode(CHECKPOINT, OWNER)

UNREADABLE: dict[str, Any] = {
    "text": "not a checkpoint",
    "empty text": "",
    "a list": [1, 2],
    "a number": 7,
    "an empty record": {},
    "a field missing": {name: value for name, value in RECORD.items() if name != "upload_id"},
    "a field of another type": RECORD | {"part_size": "8 MiB"},
    "an upload id that is none": RECORD | {"upload_id": "../../x?y"},
    "a bucket that is none": RECORD | {"bucket": "No Bucket"},
    "a key that is none": RECORD | {"key": "/a"},
    "a newer version": RECORD | {"version": 2},
    "another owner": RECORD | {"owner": ANOTHER},
}


class Contract:
    """What the engine relies on, whichever store it is given."""

    @pytest.fixture(autouse=True)
    def _edge(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    @abstractmethod
    def make(self, owner: str = OWNER) -> CheckpointStore:
        """Make the store anew, as each attempt does."""

    def test_is_a_store(self) -> None:
        """The store has the methods of the port."""
        assert isinstance(self.make(), CheckpointStore)

    def test_nothing_saved(self) -> None:
        """Where nothing was saved there is nothing to load."""
        assert self.make().load() is None

    def test_saved_is_loaded_by_the_next_attempt(self) -> None:
        """What one attempt saves the next one loads, equal in every field."""
        self.make().save(CHECKPOINT)
        assert self.make().load() == CHECKPOINT

    def test_save_replaces(self) -> None:
        """A later save takes the place of an earlier one."""
        store = self.make()
        store.save(CHECKPOINT)
        later = replace(CHECKPOINT, upload_id="F" * 32, done_parts="1-58", attempt=3)
        store.save(later)
        assert self.make().load() == later

    def test_deleted_is_gone(self) -> None:
        """After a delete there is nothing, not even outside the store's view."""
        store = self.make()
        store.save(CHECKPOINT)
        store.delete()
        assert self.make().load() is None
        assert self.supervisor.holds_nothing()

    def test_delete_of_nothing(self) -> None:
        """Deleting what is not there is fine, also twice."""
        self.make().delete()
        self.make().delete()

    def test_owners_do_not_see_each_other(self) -> None:
        """Another task instance, or another map index, never gets this one's checkpoint."""
        self.make().save(CHECKPOINT)
        try:
            found = self.make(ANOTHER).load()
        except OSSCheckpointUnreadable:
            found = None
        assert found is None
        assert self.make().load() == CHECKPOINT


class AirflowContract(Contract):
    """What holds for the stores that people can reach through Airflow."""

    @abstractmethod
    def plant(self, value: Any) -> None:
        """Write a value where the store keeps its own, as a person might."""

    @pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
    def test_unreadable(self, value: Any) -> None:
        """What is no checkpoint of this task instance is reported, with what it reads, and stays where it is."""
        self.plant(value)
        with pytest.raises(OSSCheckpointUnreadable, match="checkpoint"):
            self.make().load()
        assert not self.supervisor.holds_nothing()

    def test_unreadable_can_be_replaced(self) -> None:
        """A new checkpoint takes the place of an unreadable one."""
        self.plant("not a checkpoint")
        self.make().save(CHECKPOINT)
        assert self.make().load() == CHECKPOINT

    def test_edited_text_is_read(self) -> None:
        """A record that a person stored as JSON text is read like the record itself."""
        self.plant(json.dumps(RECORD, indent=2))
        assert self.make().load() == CHECKPOINT

    @pytest.mark.parametrize("transfer", [{"version": 1, "sent": 7}, "damaged", ["?"], 0])
    def test_the_record_of_the_transfer_beside_it(self, transfer: Any) -> None:
        """Whatever is kept beside a checkpoint comes back with it, and the checkpoint is as good as alone."""
        store: Any = self.make()
        store.save_entry(codec.Entry(CHECKPOINT, transfer))
        again: Any = self.make()
        assert again.load_entry() == codec.Entry(CHECKPOINT, transfer)
        assert again.load() == CHECKPOINT
        assert len(self.supervisor.variables) + len(self.supervisor.xcoms) + len(self.supervisor.task_state) == 1

    def test_failing_airflow_is_an_error(self) -> None:
        """When Airflow cannot be reached, saving and deleting raise."""
        self.supervisor.down = True
        with pytest.raises((UNREACHABLE, OSSTransientError)):
            self.make().save(CHECKPOINT)
        with pytest.raises(UNREACHABLE):
            self.make().delete()

    @pytest.mark.parametrize("is_saved", [True, False])
    def test_failing_airflow_is_not_nothing(self, is_saved: bool) -> None:  # noqa: FBT001 - a parameter of the test
        """When Airflow cannot be reached, loading raises and does not say "nothing"."""
        if is_saved:
            self.make().save(CHECKPOINT)
        self.supervisor.down = True
        with pytest.raises(UNREACHABLE):
            self.make().load()

    def test_one_entry_is_all_there_is(self) -> None:
        """However often it is saved, one entry is kept, and it holds no secret that Airflow would hide."""
        for attempt in (1, 2, 3):
            self.make().save(replace(CHECKPOINT, attempt=attempt))
        supervisor = self.supervisor
        assert len(supervisor.variables) + len(supervisor.xcoms) + len(supervisor.task_state) == 1
        assert redact(RECORD["upload_id"]) == RECORD["upload_id"]


def test_every_store_is_tried() -> None:
    """No store can be named that is not held to the contract."""
    tried = {kind.make.__annotations__["return"] for kind in (TestVariable, TestXCom, TestTaskState)}
    assert {store.__name__ for store in STORES.values()} == tried


class TestMemory(Contract):
    """The smallest store that a user could write."""

    @pytest.fixture(autouse=True)
    def _memory(self) -> None:
        self.stores: dict[str, MemoryStore] = {}

    def make(self, owner: str = OWNER) -> CheckpointStore:
        return self.stores.setdefault(owner, MemoryStore())


class VariableContract(AirflowContract):
    """What holds for Variables of any Airflow."""

    def make(self, owner: str = OWNER) -> VariableCheckpointStore:
        return VariableCheckpointStore(owner)

    def plant(self, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        Variable.set(self.make().key, text)


class TestVariable(VariableContract):
    """A Variable."""

    def test_value_that_is_not_given(self) -> None:
        """A Variable that is there, but whose value Airflow does not give, is not nothing if a task can see that."""
        self.make().save(CHECKPOINT)
        self.supervisor.hide_variables()
        if LISTS_VARIABLES:
            with pytest.raises(OSSTransientError, match=f"Variable '{self.make().key}'.*did not give its value"):
                self.make().load()
        else:
            assert self.make().load() is None
        assert self.make(ANOTHER).load() is None

    def test_what_a_person_sees(self) -> None:
        """The Variable's key is short and harmless, its description names the task instance, its value is readable."""
        self.make("d" * 250 + "/run/" + "t" * 250).save(CHECKPOINT)
        [stored] = self.supervisor.variables.values()
        assert stored.key.startswith(variable.KEY_PREFIX)
        assert len(stored.key) < 100
        assert stored.description is not None
        assert stored.description.endswith("t" * 250)
        assert json.loads(stored.value or "")["upload_id"] == CHECKPOINT.upload_id


class TestVariableBeforeAirflow33(VariableContract):
    """A Variable where Variables cannot be listed, as in Airflow 3.0 to 3.2, but by the Airflow that has the list."""

    __test__ = HAS_TASK_STATE  # it came with the same version

    @pytest.fixture(autouse=True)
    def _no_listing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(Variable, "keys")


class TestXCom(AirflowContract):
    """The XCom of another task."""

    def make(self, owner: str = OWNER) -> XComCheckpointStore:
        return XComCheckpointStore("export", "run", "anchor", owner)

    def plant(self, value: Any) -> None:
        XCom.set(key=self.make().key, value=value, dag_id="export", run_id="run", task_id="anchor")

    def test_anchor_that_is_not_in_the_run(self) -> None:
        """An anchor without a task instance in the run is an error of the save."""
        with pytest.raises(UNREACHABLE):
            XComCheckpointStore("export", "run", "absent", OWNER).save(CHECKPOINT)

    def test_mapped_instances_share_an_anchor(self) -> None:
        """The instances of a mapped task keep their checkpoints beside each other."""
        another = replace(CHECKPOINT, upload_id="F" * 32)
        self.make().save(CHECKPOINT)
        self.make(ANOTHER).save(another)
        assert self.make().load() == CHECKPOINT
        assert self.make(ANOTHER).load() == another
        self.make().delete()
        assert self.make(ANOTHER).load() == another


class TestTaskState(AirflowContract):
    """The task state store, through Airflow's own accessor."""

    __test__ = HAS_TASK_STATE

    def make(self, owner: str = OWNER) -> TaskStateCheckpointStore:
        return TaskStateCheckpointStore(task_state_accessor(), owner)

    def plant(self, value: Any) -> None:
        task_state_accessor().set(task_state.KEY, value)

    def test_kept_for_30_days(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every save renews the retention, which no default of the deployment shortens."""
        monkeypatch.setenv("AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS", "1")
        before = datetime.now(UTC)
        self.make().save(CHECKPOINT)
        [stored] = self.supervisor.task_state.values()
        assert stored.expires_at is not None
        assert timedelta(0) <= stored.expires_at - before - timedelta(days=30) < timedelta(minutes=5)
