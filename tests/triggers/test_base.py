"""What holds for every trigger: an event at every end, the triggerer's loop never waits, nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.hooks import base as hooks_base
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.triggers.oss import OSSKeyTrigger
from tests.conftest import KEY_SECRET, REGION
from tests.hooks.conftest import IMPATIENT
from tests.triggers.support import events_of

MakeTrigger = Callable[..., OSSKeyTrigger]

READ_TIMEOUT_SECONDS = 4


def oss_threads() -> list[threading.Thread]:
    """Return the threads of triggers."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("oss-trigger")]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks try three times, without pauses."""
    monkeypatch.setattr(hooks_base, "RetryPolicy", lambda: IMPATIENT)


def test_success(key_trigger: MakeTrigger, hook: OSSHook, pauses: list[float]) -> None:
    """When the object is there one event says so; the first look comes after a pause."""
    hook.put_object("a.csv", b"1")
    assert events_of(key_trigger("a.csv")) == [{"status": "success"}]
    assert pauses == [60.0]
    join_threads()


def test_only_a_missing_object_is_waited_for(
    key_trigger: MakeTrigger, server: OSSEmulator, hook: OSSHook, pauses: list[float]
) -> None:
    """A missing object is asked for again after each interval."""
    hook.put_object("a.csv", b"1")
    server.faults.add(Fault(operation="HeadObject", status=404, code="NoSuchKey", times=3))
    assert events_of(key_trigger("a.csv")) == [{"status": "success"}]
    assert pauses == [60.0] * 4


def test_the_shortest_interval(key_trigger: MakeTrigger, hook: OSSHook, pauses: list[float]) -> None:
    """Whatever the interval, between two looks there is at least a second."""
    hook.put_object("a.csv", b"1")
    assert events_of(key_trigger("a.csv", poke_interval=0.0)) == [{"status": "success"}]
    assert pauses == [1.0]


@pytest.mark.parametrize(
    ("fields", "keys", "watched", "error", "code"),
    [
        ({"password": "wrong"}, ["a.csv"], {}, "OSSAccessDenied", "SignatureDoesNotMatch"),
        ({"schema": "not-there"}, ["a.csv"], {}, "OSSNoSuchBucket", "NoSuchBucket"),
        ({"schema": None}, ["a.csv"], {}, "OSSInvalidArgument", None),
        ({}, ["a**.csv"], {"wildcard_match": True}, "OSSInvalidArgument", None),
        ({"login": None}, ["a.csv"], {}, "OSSInvalidConnection", None),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_errors_that_stay(
    key_trigger: MakeTrigger,
    connect: Callable[..., str],
    fields: dict[str, object],
    keys: list[str],
    watched: dict[str, Any],
    error: str,
    code: str | None,
) -> None:
    """What no repetition can mend is an event with its class, text and details at the first look."""
    trigger = key_trigger(*keys, watched=watched)
    connect(**fields)
    [event] = events_of(trigger)
    assert (event["status"], event["error"]) == ("error", error)
    assert event["message"]
    assert event["details"].get("code") == code
    assert KEY_SECRET not in str(event)


@pytest.mark.usefixtures("pauses")
def test_errors_of_others(monkeypatch: pytest.MonkeyPatch, key_trigger: MakeTrigger) -> None:
    """A connection that does not exist is an event too, with the name of Airflow's error."""
    trigger = key_trigger("a.csv")
    monkeypatch.delenv("AIRFLOW_CONN_OSS_DEFAULT")
    [event] = events_of(trigger)
    assert event["status"] == "error"
    assert "oss_default" in event["message"]
    assert "details" not in event


@pytest.mark.usefixtures("pauses", "impatient")
def test_errors_that_may_pass(key_trigger: MakeTrigger, server: OSSEmulator, hook: OSSHook) -> None:
    """An outage is repeated as the hook does; what outlasts that is the end, for Airflow's retries to begin anew."""
    hook.put_object("a.csv", b"1")
    server.faults.add(Fault(operation="HeadObject", status=503, times=2))
    assert events_of(key_trigger("a.csv")) == [{"status": "success"}]
    server.faults.clear()
    server.faults.add(Fault(operation="HeadObject", status=503, times=3))
    [event] = events_of(key_trigger("a.csv"))
    assert (event["error"], event["details"]["http_status"]) == ("OSSServiceUnavailable", 503)
    assert "given up after 3 tries" in event["message"]


@pytest.mark.usefixtures("impatient")
def test_silent_fail(
    key_trigger: MakeTrigger, server: OSSEmulator, hook: OSSHook, pauses: list[float], connect: Callable[..., str]
) -> None:
    """With silent_fail an outage costs a look and not the wait; what cannot pass ends it all the same."""
    hook.put_object("a.csv", b"1")
    server.faults.add(Fault(operation="HeadObject", status=503, times=3))
    assert events_of(key_trigger("a.csv", silent_fail=True)) == [{"status": "success"}]
    assert len(pauses) == 2
    connect(password="wrong")
    assert events_of(key_trigger("a.csv", silent_fail=True))[0]["error"] == "OSSAccessDenied"


@pytest.mark.usefixtures("pauses")
def test_the_connection_through_the_loop(
    key_trigger: MakeTrigger, hook: OSSHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that looks can ask for its connection as it must before Airflow 3.3: by the triggerer's own loop."""
    hook.put_object("a.csv", b"1")
    read, loops = OSSHook.get_connection, []

    async def ask(conn_id: str) -> Any:
        loops.append(asyncio.get_running_loop())
        return read(conn_id)

    monkeypatch.setattr(OSSHook, "get_connection", lambda _self, conn_id: async_to_sync(ask)(conn_id))

    async def run() -> tuple[Any, asyncio.AbstractEventLoop]:
        event = await anext(key_trigger("a.csv").run())
        return event.payload, asyncio.get_running_loop()

    payload, loop = asyncio.run(run())
    assert payload == {"status": "success"}
    assert loops == [loop]


def join_threads() -> None:
    """Wait until the threads of triggers have ended, and fail if one does not."""
    for thread in oss_threads():
        thread.join(READ_TIMEOUT_SECONDS + 5)
    assert oss_threads() == []


@pytest.fixture
def stalled(connect: Callable[..., str], server: OSSEmulator, key_trigger: MakeTrigger) -> MakeTrigger:
    """Make a trigger that asks for something that the server does not answer."""
    connect(extra={"region": REGION, "read_timeout": READ_TIMEOUT_SECONDS})
    server.faults.add(Fault(key="stalled", stall=True))
    return lambda: key_trigger("stalled")


@pytest.mark.usefixtures("pauses")
def test_the_loop_goes_on_while_oss_stalls(stalled: MakeTrigger, server: OSSEmulator) -> None:
    """While a server answers none of forty triggers, the triggerer's loop and asyncio's own threads are free."""

    async def run() -> float:
        waiting = [asyncio.ensure_future(anext(stalled().run())) for _ in range(40)]
        hits = asyncio.ensure_future(asyncio.to_thread(server.faults.wait_for_hits, len(waiting), 60.0))
        longest, before = 0.0, time.monotonic()
        while not hits.done():
            await asyncio.wait([hits], timeout=0.01)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        await hits
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        return longest

    assert asyncio.run(run()) < READ_TIMEOUT_SECONDS / 2
    join_threads()


@pytest.mark.usefixtures("pauses")
def test_cancelling_leaves_nothing(stalled: MakeTrigger, server: OSSEmulator) -> None:
    """A trigger that is cancelled ends at once; its thread ends with the read timeout and asks no more."""

    async def run() -> float:
        waiting = asyncio.ensure_future(anext(stalled().run()))
        await asyncio.to_thread(server.faults.wait_for_hits, 1, 60.0)
        begun = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return time.monotonic() - begun

    assert asyncio.run(run()) < READ_TIMEOUT_SECONDS / 2
    join_threads()
    server.wait_for_requests(lambda request: request.key == "stalled")
    assert [request.operation for request in server.requests] == ["HeadObject"]
