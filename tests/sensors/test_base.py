"""What holds for every sensor: one look before waiting, how a wait ends, and what an error makes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseOperator,
    BaseSensorOperator,
    Context,
    TaskDeferred,
)

from airflow_provider_oss.emulator import Fault, OSSEmulator
from airflow_provider_oss.exceptions import OSSAccessDenied, OSSServiceUnavailable
from airflow_provider_oss.hooks import base as hooks_base
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.sensors.oss import OSSKeySensor
from airflow_provider_oss.shown import host_name
from airflow_provider_oss.triggers.oss import failed
from tests.hooks.conftest import IMPATIENT

Make = Callable[..., tuple[OSSKeySensor, Context]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks try three times, without pauses."""
    monkeypatch.setattr(hooks_base, "RetryPolicy", lambda: IMPATIENT)


@pytest.fixture
def sensor(
    connect: Callable[..., str],
    in_dag: Callable[[Callable[[], BaseOperator]], OSSKeySensor],
    context_of: Callable[[BaseOperator], Context],
) -> Make:
    """Make a sensor that waits for ``a.csv``, deferred unless told otherwise, and its context."""
    connect()

    def make(**arguments: Any) -> tuple[OSSKeySensor, Context]:
        usual: dict[str, Any] = {"key": "a.csv", "deferrable": True}
        made = in_dag(lambda: OSSKeySensor(task_id="wait", **usual | arguments))
        return made, context_of(made)

    return make


def deferral(made: OSSKeySensor, context: Context) -> TaskDeferred:
    """Execute the sensor, which must defer itself."""
    with pytest.raises(TaskDeferred) as caught:
        made.execute(context)
    return caught.value


def resume(made: OSSKeySensor, context: Context, event: dict[str, Any], deadline: float = 4e9) -> Any:
    """Resume the sensor with the trigger's event, as Airflow does."""
    return made.resume_execution("execute_complete", {"event": event, "deadline": deadline}, context)


def test_what_is_there_is_not_waited_for(sensor: Make, hook: OSSHook) -> None:
    """A deferrable sensor that finds everything at its first look is done, without a triggerer."""
    hook.put_object("a.csv", b"1")
    made, context = sensor()
    assert made.execute(context) == ["oss://exports/a.csv"]


def test_the_log_names_the_host(sensor: Make, hook: OSSHook, caplog: pytest.LogCaptureFixture) -> None:
    """It does so where the sensor begins, and where it goes on after the triggerer, which may be elsewhere."""
    caplog.set_level("INFO", "airflow_provider_oss")
    hook.put_object("a.csv", b"1")
    made, context = sensor()
    made.execute(context)
    assert caplog.messages.count(f"Working on host {host_name()}") == 1
    resume(made, context, {"status": "success", "found": []})
    assert caplog.messages.count(f"Working on host {host_name()}") == 2


def test_deferring(sensor: Make, server: OSSEmulator) -> None:
    """After one look that found nothing the sensor defers itself, with all that the trigger needs and a timeout."""
    made, context = sensor(poke_interval=timedelta(seconds=5), timeout=100, silent_fail=True, region="cn-hangzhou")
    deferred = deferral(made, context)
    assert [request.operation for request in server.requests] == ["HeadObject"]
    path, arguments = deferred.trigger.serialize()
    assert path == "airflow_provider_oss.triggers.oss.OSSKeyTrigger"
    assert {name: arguments[name] for name in ("oss_conn_id", "region", "poke_interval", "silent_fail")} == {
        "oss_conn_id": "oss_default",
        "region": "cn-hangzhou",
        "poke_interval": 5.0,
        "silent_fail": True,
    }
    assert deferred.method_name == "execute_complete"
    assert deferred.timeout is not None
    assert 95 < deferred.timeout.total_seconds() <= 100


@pytest.mark.parametrize("setting", ["True", "False"])
def test_the_default_is_airflows(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``[operators] default_deferrable`` decides unless the sensor does."""
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", setting)
    assert OSSKeySensor(task_id="wait", key="a").deferrable is (setting == "True")
    assert OSSKeySensor(task_id="wait", key="a", deferrable=True).deferrable is True
    assert OSSKeySensor(task_id="wait", key="a", deferrable=False).deferrable is False


def test_the_shortest_interval() -> None:
    """A sensor that would do nothing but look is refused when it is made."""
    with pytest.raises(ValueError, match=r"poke_interval=0\.5 s is too short.*give at least 1 s"):
        OSSKeySensor(task_id="wait", key="a", poke_interval=0.5)
    assert OSSKeySensor(task_id="wait", key="a", poke_interval=1).poke_interval == 1.0


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("fields", "arguments", "error"),
    [
        ({"password": "wrong"}, {}, "OSSAccessDenied: .*SignatureDoesNotMatch"),
        ({"schema": "not-there"}, {}, "OSSNoSuchBucket"),
        ({}, {"key": "a**", "wildcard_match": True}, "OSSInvalidArgument: key='a"),
        ({}, {"min_age": "soon"}, "OSSInvalidArgument: min_age='soon'"),
        ({"extra": {}}, {}, "OSSInvalidConnection"),
    ],
)
def test_what_no_retry_can_mend(
    sensor: Make,
    connect: Callable[..., str],
    fields: dict[str, Any],
    arguments: dict[str, Any],
    error: str,
    *,
    deferrable: bool,
) -> None:
    """A wrong secret, a bucket that is not there, a wrong argument: the first look fails the task for good."""
    made, context = sensor(deferrable=deferrable, **arguments)
    connect(**fields)
    with pytest.raises(AirflowFailException, match=error):
        made.execute(context)


@pytest.mark.parametrize("deferrable", [True, False])
def test_what_may_pass(sensor: Make, server: OSSEmulator, *, deferrable: bool) -> None:
    """An outage that outlasts the hook's tries fails the attempt as what it is, so that Airflow's retries apply."""
    made, context = sensor(deferrable=deferrable)
    server.faults.add(Fault(status=503))
    with pytest.raises(OSSServiceUnavailable, match="given up after 3 tries"):
        made.execute(context)


def test_what_may_pass_with_silent_fail(sensor: Make, server: OSSEmulator) -> None:
    """With silent_fail an outage at the first look does not hinder the waiting, and none does when it is resumed."""
    made, context = sensor(silent_fail=True)
    server.faults.add(Fault(status=503))
    deferral(made, context)
    with pytest.raises(TaskDeferred):
        resume(made, context, {"status": "success"})


def test_errors_of_the_trigger(sensor: Make) -> None:
    """What went wrong in the triggerer ends the task as it would have in the worker."""
    made, context = sensor()
    with pytest.raises(AirflowFailException, match="OSSAccessDenied: no"):
        resume(made, context, failed(OSSAccessDenied("no")))
    with pytest.raises(OSSServiceUnavailable, match="busy"):
        resume(made, context, failed(OSSServiceUnavailable("busy")))
    with pytest.raises(RuntimeError, match=r"builtins\.KeyError"):
        resume(made, context, failed(KeyError("x")))


def test_waiting_on(sensor: Make) -> None:
    """When the worker does not find what the trigger has seen, the wait goes on for the rest of the timeout."""
    made, context = sensor(timeout=100)
    first = deferral(made, context)
    assert first.kwargs is not None
    with pytest.raises(TaskDeferred) as caught:
        resume(made, context, {"status": "success"}, first.kwargs["deadline"])
    assert caught.value.kwargs == first.kwargs
    assert caught.value.timeout is not None
    assert first.timeout is not None
    assert caught.value.timeout < first.timeout


def test_a_retry_with_the_event_of_another_attempt(sensor: Make, hook: OSSHook) -> None:
    """A retry that Airflow 3.0 resumes with what its predecessor was told looks anew, and has its own timeout."""
    made, context = sensor(timeout=100)
    first = deferral(made, context)
    context["ti"].try_number = 2
    stale = {**(first.kwargs or {}), "deadline": 0.0, "event": failed(OSSServiceUnavailable("busy"))}
    with pytest.raises(TaskDeferred) as caught:
        made.resume_execution("execute_complete", stale, context)
    assert caught.value.kwargs is not None
    assert caught.value.kwargs["try_number"] == 2
    hook.put_object("a.csv", b"1")
    assert made.resume_execution("execute_complete", stale, context) == ["oss://exports/a.csv"]


def test_waiting_on_in_a_test_of_a_dag(sensor: Make) -> None:
    """``dag.test()`` of Airflow 2 hands on nothing but the event; the timeout begins anew then."""
    made, context = sensor(timeout=100)
    with pytest.raises(TaskDeferred) as caught:
        made.resume_execution("execute_complete", {"event": {"status": "success"}}, context)
    assert caught.value.timeout is not None
    assert caught.value.timeout.total_seconds() > 95


def test_when_time_is_over(sensor: Make) -> None:
    """A wait that is longer than the timeout ends as a sensor's timeout, whoever notices it."""
    made, context = sensor(timeout=100)
    with pytest.raises(AirflowSensorTimeout, match="within the timeout of 100 s"):
        resume(made, context, {"status": "success"}, deadline=0.0)
    for error in ("Trigger timeout", "Trigger/execution timeout"):
        with pytest.raises(AirflowSensorTimeout, match="within the timeout of 100 s"):
            made.resume_execution("__fail__", {"error": error}, context)


def test_a_trigger_that_failed_otherwise(sensor: Make) -> None:
    """What Airflow says of a trigger that could not run stays as it is."""
    made, context = sensor()
    with pytest.raises(Exception, match="Trigger failure"):
        made.resume_execution("__fail__", {"error": "Trigger failure"}, context)


def failing_endings(made: OSSKeySensor, context: Context) -> list[Callable[[], Any]]:
    """Return the ways in which a deferred wait ends badly for good."""
    return [
        lambda: resume(made, context, failed(OSSAccessDenied("no"))),
        lambda: made.resume_execution("__fail__", {"error": "Trigger timeout"}, context),
        lambda: resume(made, context, {"status": "success"}, deadline=0.0),
    ]


@pytest.mark.parametrize("argument", ["soft_fail", "never_fail"])
def test_skipping_instead_of_failing(sensor: Make, connect: Callable[..., str], argument: str) -> None:
    """soft_fail and never_fail make a skip of what ends the wait for good, at the first look and later."""
    made, context = sensor(**{argument: True})
    for end in failing_endings(made, context):
        with pytest.raises(AirflowSkipException):
            end()
    made, context = sensor(**{argument: True})
    connect(password="wrong")
    with pytest.raises(AirflowSkipException, match="SignatureDoesNotMatch"):
        made.execute(context)


@pytest.mark.parametrize("argument", ["soft_fail", "never_fail", "silent_fail"])
def test_being_rescheduled_is_no_failure(sensor: Make, argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor that frees its worker between two looks goes on waiting."""

    def reschedule(*_: Any) -> None:
        raise AirflowRescheduleException(datetime.now(UTC))

    monkeypatch.setattr(BaseSensorOperator, "execute", reschedule)
    made, context = sensor(deferrable=False, mode="reschedule", **{argument: True})
    with pytest.raises(AirflowRescheduleException):
        made.execute(context)


@pytest.mark.parametrize("argument", ["soft_fail", "never_fail"])
def test_too_late_in_the_worker_is_skipped_too(sensor: Make, argument: str) -> None:
    """The timeout of a sensor that waits in the worker is skipped as that of a deferred one is."""
    made, context = sensor(deferrable=False, timeout=0, poke_interval=1, **{argument: True})
    with pytest.raises(AirflowSkipException):
        made.execute(context)


def test_what_may_pass_is_not_skipped(sensor: Make) -> None:
    """An outage fails the attempt with soft_fail too, as in any sensor of Airflow; never_fail skips it."""
    made, context = sensor(soft_fail=True)
    with pytest.raises(OSSServiceUnavailable):
        resume(made, context, failed(OSSServiceUnavailable("busy")))
    made, context = sensor(never_fail=True)
    with pytest.raises(AirflowSkipException, match="busy"):
        resume(made, context, failed(OSSServiceUnavailable("busy")))


def test_a_skip_stays_a_skip(sensor: Make, hook: OSSHook) -> None:
    """A check function that skips the task does."""

    def skip(_objects: object) -> bool:
        raise AirflowSkipException("not today")

    hook.put_object("a.csv", b"1")
    made, context = sensor(check=skip, never_fail=True)
    with pytest.raises(AirflowSkipException, match="not today"):
        made.execute(context)
