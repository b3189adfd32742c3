"""The two triggers: what they wait for, and that all of their state is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.triggers.oss import OSSKeysUnchangedTrigger, OSSKeyTrigger
from airflow_provider_oss.watch import KeyWatch, PrefixWatch, WatchedKeys, WatchedPrefix, snapshot
from tests.conftest import BUCKET
from tests.triggers.support import events_of, restored

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

HOUR = 3600.0


def test_all_of_the_state_is_stored(
    key_trigger: Callable[..., OSSKeyTrigger], unchanged_trigger: Callable[..., OSSKeysUnchangedTrigger]
) -> None:
    """What is made from the stored state stores the same, to the last argument."""
    settling = {"uri": "oss://exports/in/", "snapshot": {"digest": "d", "objects": 2, "size": 7}, "since": 1000.5}
    triggers: list[BaseTrigger] = [
        key_trigger("a", "b*", watched={"wildcard_match": True, "min_size": 3}, refused="digest", silent_fail=True),
        unchanged_trigger(settling, min_objects=2, allow_delete=False),
        unchanged_trigger(None),
    ]
    for trigger in triggers:
        path, arguments = trigger.serialize()
        assert path == f"airflow_provider_oss.triggers.oss.{type(trigger).__name__}"
        assert {"oss_conn_id", "region", "poke_interval", "silent_fail", "watched"} < set(arguments)
        assert restored(trigger).serialize() == (path, arguments)
    assert triggers[1].serialize()[1]["settling"] == settling


def test_keys_with_conditions(
    key_trigger: Callable[..., OSSKeyTrigger], hook: OSSHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conditions hold in the triggerer too."""
    hook.put_object("in/a.csv", b"1")
    trigger = key_trigger("in/*.csv", watched={"wildcard_match": True, "min_size": 2, "min_age": HOUR})
    assert trigger.look(hook) is None
    hook.put_object("in/b.csv", b"12")
    assert trigger.look(hook) is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + HOUR)
    assert trigger.look(hook) == {}


def test_refused_objects(key_trigger: Callable[..., OSSKeyTrigger], hook: OSSHook) -> None:
    """Objects that the sensor's check was not content with do not wake it again."""
    hook.put_object("a.csv", b"1")
    refused = snapshot(KeyWatch(WatchedKeys(("a.csv",))).look(hook) or ()).digest
    trigger = key_trigger("a.csv", refused=refused)
    assert trigger.look(hook) is None
    hook.put_object("a.csv", b"12")
    assert trigger.look(hook) == {}


def test_what_has_settled(
    unchanged_trigger: Callable[..., OSSKeysUnchangedTrigger], hook: OSSHook, pauses: list[float]
) -> None:
    """What the sensor has seen counts, and the result is in the event."""
    hook.put_object("in/a.csv", b"123")
    [event] = events_of(unchanged_trigger(seen_before(hook, HOUR)))
    result = event["result"]
    assert (event["status"], result["uri"], result["objects"]) == ("success", f"oss://{BUCKET}/in/", 1)
    assert len(pauses) == 1


def test_a_change_is_in_the_stored_state(
    unchanged_trigger: Callable[..., OSSKeysUnchangedTrigger], hook: OSSHook
) -> None:
    """A trigger that has seen a change stores it, and the wait begins anew."""
    trigger = unchanged_trigger(seen_before(hook, HOUR))
    hook.put_object("in/a.csv", b"123")
    assert trigger.look(hook) is None
    stored: dict[str, Any] = trigger.serialize()[1]["settling"]
    assert stored["snapshot"]["objects"] == 1
    assert time.time() - stored["since"] < HOUR / 2


@pytest.mark.usefixtures("pauses")
def test_a_deletion_that_is_not_allowed(
    unchanged_trigger: Callable[..., OSSKeysUnchangedTrigger], hook: OSSHook
) -> None:
    """A deletion that the sensor does not allow is an event that says so."""
    hook.put_object("in/a.csv", b"123")
    before = seen_before(hook, 0.0)
    hook.delete_object("in/a.csv")
    [event] = events_of(unchanged_trigger(before, allow_delete=False))
    assert (event["status"], event["error"]) == ("error", "OSSObjectsDeleted")


def seen_before(hook: OSSHook, seconds: float) -> dict[str, Any]:
    """Return what a sensor saw so long ago, were it then as it is now."""
    watch = PrefixWatch(WatchedPrefix("in", None, HOUR))
    watch.look(hook)
    assert watch.settling is not None
    return watch.settling.stored() | {"since": watch.settling.since - seconds}
