"""The trigger of asset watchers: what is an event, what is none, and where the next triggerer goes on."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.hooks import base as hooks_base
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.model import ObjectPrefix
from airflow_provider_oss.triggers import assets
from airflow_provider_oss.triggers.assets import Look, OSSNewObjectsTrigger, Watermark, identity, payloads
from airflow_provider_oss.watch import FoundObject
from tests.conftest import BUCKET
from tests.hooks.conftest import IMPATIENT
from tests.triggers.support import restored

PREFIX = ObjectPrefix(BUCKET, "in/")
START = datetime(2026, 11, 24, tzinfo=UTC)


class Store:
    """The state store of an asset: JSON that outlives the triggerer."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


class StoreOfMany(Store):
    """What Airflow gives to a trigger that several assets share."""

    def get(self, key: str) -> Any:
        raise ValueError(f"Task has 2 concrete inlets: {key}")

    set = get  # type: ignore[assignment]


Make = Callable[..., OSSNewObjectsTrigger]


@pytest.fixture
def make(connect: Callable[..., str]) -> Make:
    """Make a trigger that watches the prefix ``in``, as a triggerer does from what is stored."""
    connect()

    def build(store: Store | None = None, **arguments: Any) -> OSSNewObjectsTrigger:
        trigger: Any = restored(OSSNewObjectsTrigger(prefix="in", **arguments))
        trigger.asset_state_store = store
        return trigger  # type: ignore[no-any-return]

    return build


def keys(trigger: OSSNewObjectsTrigger, hook: OSSHook) -> list[str]:
    """Look once, and return the keys of all events."""
    return [one["key"] for payload in trigger.look(hook) for one in payload["objects"]]


def found(number: int, seconds: float = 0.0) -> FoundObject:
    key = f"in/{number:06}"
    return FoundObject(f"oss://{BUCKET}/{key}", BUCKET, key, 1, "ETAG", START + timedelta(seconds=seconds), None)


def test_new_and_overwritten(make: Make, hook: OSSHook) -> None:
    """What is there at first is no event; what comes, before it too, and what is overwritten is one, and only once."""
    hook.put_object("in/b.csv", b"1")
    hook.put_object("in/c.csv", b"1")
    trigger = make()
    assert trigger.look(hook) == []
    etag = hook.put_object("in/a.csv", b"123").etag
    hook.put_object("in/folder/", b"")
    hook.put_object("elsewhere/a.csv", b"1")
    [event] = trigger.look(hook)
    [described] = event.pop("objects")
    assert event == {"uri": f"oss://{BUCKET}/in/"}
    modified = datetime.fromisoformat(described.pop("last_modified"))
    assert abs(datetime.now(UTC) - modified) < timedelta(minutes=1)
    assert described == {"uri": f"oss://{BUCKET}/in/a.csv", "key": "in/a.csv", "size": 3, "etag": etag}
    assert trigger.look(hook) == []
    hook.put_object("in/c.csv", b"12")
    hook.delete_object("in/b.csv")
    assert keys(trigger, hook) == ["in/c.csv"]
    assert trigger.look(hook) == []


def test_where_nothing_is_stored(make: Make, hook: OSSHook) -> None:
    """With a time a start reports what was changed since then, so a new triggerer repeats it; without, nothing."""
    hook.put_object("in/a.csv", b"1")
    past = datetime.now(UTC) - timedelta(hours=1)
    for _ in range(2):
        assert keys(make(modified_after=past.date().isoformat()), hook) == ["in/a.csv"]
        assert keys(make(modified_after=past + timedelta(hours=2)), hook) == []
        assert keys(make(), hook) == []


@pytest.mark.parametrize("most", [1000, 2, 0])
def test_the_next_triggerer_goes_on(make: Make, hook: OSSHook, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """It reports what came while there was none, and what the last one may not have handed on; nothing else."""
    monkeypatch.setattr(assets, "MOST_STORED", most)
    there = [found(number, number) for number in range(5)]
    monkeypatch.setattr(assets, "objects_below", lambda *_: list(there))
    store = Store()
    first = make(store)
    assert keys(first, hook) == []
    there.append(found(200, 100))
    assert keys(make(store), hook) == ["in/000200"]
    assert keys(first, hook) == keys(make(store), hook) == ["in/000200"]
    assert keys(first, hook) == []
    assert keys(make(store), hook) == []
    there.append(found(100, 200))
    assert keys(make(store), hook) == ["in/000100"]


def test_an_empty_prefix_is_remembered(make: Make, hook: OSSHook) -> None:
    """What comes first of all is not missed because it came while no triggerer ran."""
    store = Store()
    assert make(store).look(hook) == []
    hook.put_object("in/a.csv", b"1")
    assert keys(make(store), hook) == ["in/a.csv"]


def test_prefixes_do_not_share_what_is_stored(make: Make, hook: OSSHook) -> None:
    """Two watchers of one asset have a watermark each."""
    store = Store()
    make(store).look(hook)
    trigger = OSSNewObjectsTrigger(prefix="other")
    trigger.asset_state_store = store  # type: ignore[assignment]
    trigger.look(hook)
    assert len(store.values) == 2


def test_a_store_that_fails(make: Make, hook: OSSHook, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be stored now is stored later, and events come all the same."""

    class Failing(Store):
        works = False

        def set(self, key: str, value: Any) -> None:
            if not self.works:
                raise RuntimeError("no database")
            super().set(key, value)

    store = Failing()
    trigger = make(store)
    trigger.look(hook)
    hook.put_object("in/a.csv", b"1")
    assert keys(trigger, hook) == ["in/a.csv"]
    assert "is not stored yet: RuntimeError: no database" in caplog.text
    store.works = True
    trigger.look(hook)
    assert keys(make(store), hook) == []


def test_several_assets_of_one_trigger(make: Make, hook: OSSHook, caplog: pytest.LogCaptureFixture) -> None:
    """Airflow does not say which asset is meant: events come, what was seen is in memory alone, and the log says so."""
    trigger = make(StoreOfMany())
    trigger.look(hook)
    hook.put_object("in/a.csv", b"1")
    assert keys(trigger, hook) == ["in/a.csv"]
    assert trigger.look(hook) == []
    assert caplog.text.count("several assets share this trigger") == 1


@pytest.mark.parametrize("stored", [5, {}, {"version": 2}, {"version": 1}, {"version": 1, "before": 0, "digests": "%"}])
def test_what_is_stored_cannot_be_read(
    make: Make, hook: OSSHook, caplog: pytest.LogCaptureFixture, stored: Any
) -> None:
    """It is reported, and the watch begins anew."""
    store = Store()
    make(store).look(hook)
    [key] = store.values
    store.set(key, stored)
    hook.put_object("in/a.csv", b"1")
    assert keys(make(store), hook) == []
    assert f"The watermark {key} of the asset cannot be read" in caplog.text
    assert keys(make(store), hook) == []


def test_very_many_new_objects(make: Make, hook: OSSHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is left to the next looks; only when all are reported is it stored."""
    monkeypatch.setattr(assets, "MOST_REPORTED", 2)
    store = Store()
    trigger = make(store)
    trigger.look(hook)
    for name in "abcde":
        hook.put_object(f"in/{name}", b"1")
    assert [len(keys(trigger, hook)) for _ in range(2)] == [2, 2]
    assert len(keys(make(store), hook)) == 2
    assert [len(keys(trigger, hook)) for _ in range(3)] == [1, 0, 0]
    assert keys(make(store), hook) == []


def test_events_are_small() -> None:
    """An event has at most a hundred objects, and fewer of long names; none is lost, and the order stays."""
    events = list(payloads(PREFIX, [found(number) for number in range(250)]))
    assert [len(event["objects"]) for event in events] == [100, 100, 50]
    long = [replace(found(number), key="报" * 340, uri=f"oss://{BUCKET}/" + "报" * 340) for number in range(30)]
    events = list(payloads(PREFIX, long))
    assert max(len(json.dumps(event)) for event in events) < 32_000
    assert sum(len(event["objects"]) for event in events) == 30
    assert list(payloads(PREFIX, [])) == []


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 10))
def test_a_watermark_has_what_was_seen(times: list[int], most: int) -> None:
    """Whatever the times, all that was seen is in what is stored of it, and nothing newer is."""
    there = [found(number, seconds) for number, seconds in enumerate(times)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "MOST_STORED", most)
        kept = Watermark.restored(json.loads(json.dumps(Look(there, Watermark(math.inf)).watermark().stored())))
    assert len(kept.digests) <= most
    assert Look(there, kept).new == []
    newer = found(len(times), max(times, default=0) + 1)
    assert Look([*there, newer], kept).new == [newer]


def test_a_stored_watermark_is_small() -> None:
    """However many objects there are, Airflow does not warn of what is stored."""
    there = [found(number, number) for number in range(assets.MOST_STORED + 1000)]
    stored = Look(there, Watermark(math.inf)).watermark().stored()
    assert len(json.dumps(stored)) < 64 * 1024 - 1024


def test_the_form_that_is_stored() -> None:
    """It is the same on every machine and in every version, so that an upgrade repeats and misses nothing."""
    kept = Watermark(1.5, frozenset({1, 2**63}))
    assert kept.stored() == {"version": 1, "before": 1.5, "digests": "AAAAAAAAAAGAAAAAAAAAAA=="}
    assert Watermark.restored(kept.stored()) == kept
    assert identity(found(1)) == 17145492171194347650


def test_failures_are_not_the_end(
    make: Make, hook: OSSHook, server: OSSEmulator, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """What fails is tried again after the interval, whether it may pass or not; nothing is missed."""
    monkeypatch.setattr(hooks_base, "RetryPolicy", lambda: IMPATIENT)
    server.faults.add(Fault(operation="ListObjectsV2", status=403, code="AccessDenied", times=2))
    hook.put_object("in/a.csv", b"1")

    async def run() -> list[str]:
        seen: list[str] = []
        trigger = make(Store(), modified_after="2020-01-01", poke_interval=timedelta(seconds=7))
        async for event in trigger.run():
            seen += [one["key"] for one in event.payload["objects"]]
            if len(seen) == 2:
                break
            hook.put_object("in/b.csv", b"1")
            server.faults.add(Fault(operation="ListObjectsV2", status=503, times=3))
        return seen

    assert asyncio.run(run()) == ["in/a.csv", "in/b.csv"]
    assert set(pauses) == {7.0}
    assert len(pauses) >= 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"poke_interval": 0.5}, "poke_interval=0.5 is too short: OSS bills every look; give at least 1 s"),
        ({"poke_interval": "often"}, "poke_interval='often' is no duration"),
        ({"modified_after": "noon"}, "modified_after='noon' is no time"),
    ],
)
def test_arguments_that_cannot_work(wrong: dict[str, Any], message: str) -> None:
    """The DAG does not parse, and the text says what to give."""
    with pytest.raises(OSSInvalidArgument, match=message):
        OSSNewObjectsTrigger(prefix="in", **wrong)


def test_one_trigger_for_one_watch() -> None:
    """What is stored makes the same trigger again: Airflow knows by it that a watch runs already."""
    trigger = OSSNewObjectsTrigger(
        prefix="in", bucket_name="exports", oss_conn_id="oss", region="cn-beijing", poke_interval=30,
        modified_after=datetime(2026, 11, 24, tzinfo=UTC),
    )  # fmt: skip
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_oss.triggers.assets.OSSNewObjectsTrigger"
    assert arguments["modified_after"] == "2026-11-24T00:00:00+00:00"
    assert restored(trigger).serialize() == (path, arguments)
