"""The ``checkpoint`` argument to a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_oss.checkpoint.choice import (
    AUTO,
    NAMES,
    STORES,
    choose_store,
    choose_stores,
    owner_of,
    warn_of_anchor,
)
from airflow_provider_oss.checkpoint.task_state import TaskStateCheckpointStore
from airflow_provider_oss.checkpoint.variable import VariableCheckpointStore
from airflow_provider_oss.checkpoint.xcom import XComCheckpointStore
from airflow_provider_oss.exceptions import OSSInvalidArgument
from tests.support.stores import MemoryStore


@dataclass
class Instance:
    """What of a task instance is used."""

    map_index: int | None = -1
    dag_id: str = "export"
    run_id: str = "manual__1"
    task_id: str = "upload"


OWNER = "export/manual__1/upload"
ACCESSOR = object()


def context(*, task_state: bool = True, map_index: int | None = -1) -> dict[str, Any]:
    """Return the context of ``upload``, which is followed by ``notify``; without the store of Airflow 3.3 if asked."""
    with DAG("export", schedule=None):
        upload, notify = BaseOperator(task_id="upload"), BaseOperator(task_id="notify")
        upload >> notify
    values: dict[str, Any] = {"ti": Instance(map_index), "task": upload}
    return values | {"task_state_store": ACCESSOR} if task_state else values


def test_auto() -> None:
    """``auto`` is the task state store where Airflow has it, else a Variable."""
    assert choose_store("auto", context()) == TaskStateCheckpointStore(ACCESSOR, OWNER)  # type: ignore[arg-type]
    assert choose_store("auto", context(task_state=False)) == VariableCheckpointStore(OWNER)
    assert choose_store("auto", context(task_state=False) | {"task_state_store": None}) == VariableCheckpointStore(
        OWNER
    )


def test_named_stores() -> None:
    """Each name is the store of that name, on any Airflow that has it."""
    assert choose_store("task_state", context()) == TaskStateCheckpointStore(ACCESSOR, OWNER)  # type: ignore[arg-type]
    assert choose_store("variable", context()) == VariableCheckpointStore(OWNER)
    assert choose_store("xcom", context()) == XComCheckpointStore("export", "manual__1", "notify", OWNER)


def test_task_state_before_airflow_33() -> None:
    """Where Airflow has no task state store, asking for it is an error that names the others."""
    with pytest.raises(OSSInvalidArgument, match=r"Airflow 3\.3 or later: use 'auto', 'variable' or 'xcom'"):
        choose_store("task_state", context(task_state=False))


@pytest.mark.parametrize("name", ["xcoms", "Auto", "", "file"])
def test_unknown_name(name: str) -> None:
    """An unknown name is an error that lists the known ones."""
    with pytest.raises(OSSInvalidArgument, match=f"checkpoint='{name}' is not known: use one of {', '.join(NAMES)}"):
        choose_store(name, context())


def test_anchor() -> None:
    """The anchor stands behind the name of its store, and is checked when the store is chosen."""
    store = XComCheckpointStore("export", "manual__1", "notify", OWNER)
    assert choose_store("xcom:notify", context()) == store
    assert [each.anchor_task_id for each in choose_stores("xcom:notify", context(), count=2)] == ["notify"] * 2  # type: ignore[attr-defined]
    with pytest.raises(OSSInvalidArgument, match="checkpoint='xcom:absent' cannot hold the checkpoint"):
        choose_store("xcom:absent", context())
    with pytest.warns(AirflowProviderDeprecationWarning, match=r"since 1\.0\.0: write checkpoint='xcom:notify'"):
        assert choose_store("xcom", context(), "notify") == store


def test_anchor_that_is_not_known_yet() -> None:
    """What another task returns, or a mapped argument, has no text: the warning shows the form alone."""
    with pytest.warns(AirflowProviderDeprecationWarning, match=r"write checkpoint='xcom:task_id'$"):
        warn_of_anchor("xcom", object())


@pytest.mark.parametrize("checkpoint", ["auto", "variable", "task_state"])
def test_anchor_without_use(checkpoint: str) -> None:
    """Beside what has no use for an anchor the warning does not advise another store, nor another anchor."""
    with pytest.warns(AirflowProviderDeprecationWarning, match=f"remove it, checkpoint='{checkpoint}' has no use for"):
        store = choose_store(checkpoint, context(), "absent")
    assert store == choose_store(checkpoint, context())


@pytest.mark.filterwarnings("ignore:checkpoint_anchor is deprecated")
def test_two_anchors() -> None:
    """Two that are named in two ways contradict each other; the same one, twice, does not."""
    with pytest.raises(OSSInvalidArgument, match="'xcom:notify' and checkpoint_anchor='other' name two tasks: remove"):
        choose_store("xcom:notify", context(), "other")
    assert choose_store("xcom:notify", context(), "notify") == choose_store("xcom:notify", context())


@pytest.mark.parametrize("checkpoint", ["xcom", "{{ params.store }}", object()])
def test_anchor_that_may_be_used(checkpoint: object) -> None:
    """Where a template or another task may say "xcom", the warning says what to write for it."""
    with pytest.warns(AirflowProviderDeprecationWarning, match=r"write checkpoint='xcom:notify'$"):
        warn_of_anchor(checkpoint, "notify")


@pytest.mark.parametrize("name", NAMES)
def test_settings(name: str) -> None:
    """What stands behind a name is for a store that takes something; a colon with nothing behind it says nothing."""
    with pytest.raises(OSSInvalidArgument, match=f"checkpoint='{name}:'"):
        choose_store(f"{name}:", context())
    if name == AUTO or not STORES[name].setting:
        with pytest.raises(OSSInvalidArgument, match=f"'{name}:a' says too much: nothing may follow '{name}'"):
            choose_store(f"{name}:a", context())


@pytest.mark.parametrize("name", NAMES)
def test_several(name: str) -> None:
    """Of each name there are as many stores as wanted, none of which meets another; the first is the usual one."""
    stores = choose_stores(name, context(), count=3)
    assert stores[0] == choose_store(name, context())
    assert len({(type(store), store.key, store.owner) for store in stores}) == 3  # type: ignore[attr-defined]
    assert len({store.key for store in stores}) == 3  # type: ignore[attr-defined]
    assert len({store.owner for store in stores}) == 3  # type: ignore[attr-defined]


def test_object() -> None:
    """An object with the three methods is used as it is."""
    store = MemoryStore()
    assert choose_store(store, {}) is store
    assert choose_stores(store, {}, count=3) == [store]


@pytest.mark.parametrize("thing", [None, 5, object(), {"load": 1}, MemoryStore.load])
def test_object_that_is_no_store(thing: Any) -> None:
    """Anything else is refused, with the methods that it lacks."""
    with pytest.raises(OSSInvalidArgument, match="methods load, save and delete"):
        choose_store(thing, context())


@pytest.mark.parametrize(
    ("map_index", "expected"), [(-1, OWNER), (None, OWNER), (0, f"{OWNER}[0]"), (12, f"{OWNER}[12]")]
)
def test_owner(map_index: int | None, expected: str) -> None:
    """The owner's name tells apart the instances of a mapped task, and is the same in all attempts."""
    assert owner_of(Instance(map_index)) == expected
    assert choose_store("variable", context(map_index=map_index)) == VariableCheckpointStore(expected)
