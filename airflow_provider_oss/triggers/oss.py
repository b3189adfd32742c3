"""
The triggers of the sensors, which look again and again without holding up the triggerer, with an event at every end.

An event is plain data: Airflow stores it, and another process reads it.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from typing_extensions import override

from airflow_provider_oss import exceptions
from airflow_provider_oss.exceptions import ErrorDetails, OSSProviderError, OSSTransientError
from airflow_provider_oss.limits import MIN_POKE_INTERVAL_SECONDS
from airflow_provider_oss.shown import Log, printable
from airflow_provider_oss.watch import KeyWatch, PrefixWatch, Settling, WatchedKeys, WatchedPrefix

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook

log = Log(__name__)

Answer = TypeVar("Answer")


def seen(**values: Any) -> dict[str, Any]:
    """Return the event for a wait that is over."""
    return {"status": "success", **values}


def failed(error: Exception) -> dict[str, Any]:
    """Return the event for an error. The errors of this package never hold a secret."""
    if isinstance(error, OSSProviderError):
        details = {name: value for name, value in asdict(error.details).items() if value is not None}
        return {"status": "error", "error": type(error).__name__, "message": error.message, "details": details}
    kind = type(error)
    return {"status": "error", "error": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}


def raise_error(event: Mapping[str, Any]) -> None:
    """Raise the error of the event: one of ours as it was, any other as RuntimeError with its name."""
    if event["status"] != "error":
        return
    name, message = event["error"], event["message"]
    if "details" not in event:
        raise RuntimeError(f"the trigger failed: {name}: {printable(message)}")
    raise getattr(exceptions, name)(message, ErrorDetails(**event["details"]))


async def in_thread(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """Return what ``work`` returns, done in a thread of its own, which may ask Airflow for connections."""
    # asgiref lets the thread ask Airflow's supervisor through this loop, which needs it before Airflow 3.3
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oss-trigger")
    try:
        return await sync_to_async(work, thread_sensitive=False, executor=executor)(*arguments)
    finally:
        executor.shutdown(wait=False)


class OSSBaseTrigger(BaseTrigger):
    """
    Looks every ``poke_interval`` seconds, for the first time after one of them: the sensor has just looked itself.

    Whatever happens is an event: ``{"status": "success", ...}``, or "error" with ``error``, ``message`` and of our
    errors ``details``. A failed call is repeated as the hook does; after that it ends the wait, or with ``silent_fail``
    only this look if it is one that may pass.

    Each look runs in a thread of its own, reading the Airflow connection included, for ``asyncio.to_thread`` has a pool
    of few threads that all triggers share and a server that does not answer would occupy. A trigger that is cancelled
    ends at once, and a call that it was in the middle of within half a second.
    """

    def __init__(self, *, oss_conn_id: str, region: str | None, poke_interval: float, silent_fail: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.oss_conn_id = oss_conn_id
        self.region = region
        self.poke_interval = poke_interval
        self.silent_fail = silent_fail

    @abstractmethod
    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        """Look once; return what the event says of it, or None to wait on. Runs in a thread."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and all of the state, as it is now."""
        kind = type(self)
        arguments = ("oss_conn_id", "region", "poke_interval", "silent_fail", *self.state())
        return f"{kind.__module__}.{kind.__qualname__}", {name: getattr(self, name) for name in arguments}

    @abstractmethod
    def state(self) -> tuple[str, ...]:
        """Return the names of the subclass's own arguments."""

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            outcome = await self._wait()
        except Exception as error:
            if not isinstance(error, OSSProviderError):
                log.exception("The trigger failed")
            outcome = failed(error)
        yield TriggerEvent(outcome)

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_oss.hooks.oss import OSSHook

        hook = OSSHook(self.oss_conn_id, region=self.region)
        interval = max(self.poke_interval, MIN_POKE_INTERVAL_SECONDS)
        try:
            while True:
                await asyncio.sleep(interval)
                if (found := await self._look_patiently(hook)) is not None:
                    return seen(**found)
        finally:
            hook.cancel()

    async def _look_patiently(self, hook: OSSHook) -> dict[str, Any] | None:
        try:
            return await in_thread(self.look, hook)
        except OSSTransientError as error:
            if not self.silent_fail:
                raise
            log.warning("Looking failed, and is tried again after the next interval: %s", error)
            return None


class OSSKeyTrigger(OSSBaseTrigger):
    """
    Waits until all keys are there, for OSSKeySensor. Its event says no more: the sensor looks itself then.

    :param watched: the fields of WatchedKeys.
    :param refused: digest of the objects that the sensor's ``check`` was not content with; the trigger waits for
        others. None where there is no check.
    """

    def __init__(self, *, watched: Mapping[str, Any], refused: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watched = dict(watched)
        self.refused = refused

    @override
    def state(self) -> tuple[str, ...]:
        return "watched", "refused"

    @override
    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        watched = WatchedKeys(**(self.watched | {"keys": tuple(self.watched["keys"])}))
        return None if KeyWatch(watched, self.refused).look(hook) is None else {}


class OSSKeysUnchangedTrigger(OSSBaseTrigger):
    """
    Waits until the objects below a prefix change no more, for OSSKeysUnchangedSensor; the event has its ``result``.

    Airflow stores a trigger once, when the sensor is deferred. So after a restart of the triggerer what has changed
    since then counts as changed now: the wait may be longer by what had passed of it, never shorter.

    :param watched: the fields of WatchedPrefix.
    :param settling: what was seen so far, by ``Settling.stored``; None for nothing.
    """

    def __init__(self, *, watched: Mapping[str, Any], settling: Mapping[str, Any] | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watched = dict(watched)
        self._watch = PrefixWatch(WatchedPrefix(**watched), None if settling is None else Settling.restored(settling))

    @property
    def settling(self) -> dict[str, Any] | None:
        """What was seen so far, without the keys."""
        return None if self._watch.settling is None else self._watch.settling.stored()

    @override
    def state(self) -> tuple[str, ...]:
        return "watched", "settling"

    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        """Look below the prefix, and compare with what was seen before."""
        result = self._watch.look(hook)
        return None if result is None else {"result": result}
