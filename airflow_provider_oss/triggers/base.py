"""What the triggers share: looking again and again without holding up the triggerer, and an event at every end."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_oss.exceptions import OSSProviderError, OSSTransientError
from airflow_provider_oss.triggers.events import failed, seen
from airflow_provider_oss.watch import MIN_POKE_INTERVAL_SECONDS

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook


class OSSBaseTrigger(BaseTrigger):
    """
    Looks every ``poke_interval`` seconds, for the first time after one of them: the sensor has just looked itself.

    Whatever happens is an event: ``{"status": "success", ...}``, or "error" with ``error``, ``message`` and of our
    errors ``details``. A failed call is repeated as the hook does; after that it ends the wait, or with ``silent_fail``
    only this look if it is one that may pass.

    Each look runs in a thread of its own, reading the Airflow connection included, for ``asyncio.to_thread`` has a pool
    of few threads that all triggers share and a server that does not answer would occupy. A trigger that is cancelled
    ends at once; a call that it was in the middle of ends by its time-out at the latest, and is not repeated.
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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        try:
            outcome = await self._wait()
        except Exception as error:
            if not isinstance(error, OSSProviderError):
                self.log.exception("The trigger failed")
            outcome = failed(error)
        yield TriggerEvent(outcome)  # type: ignore[no-untyped-call]

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
            hook.stopping.set()

    async def _look_patiently(self, hook: OSSHook) -> dict[str, Any] | None:
        # asgiref lets the thread ask Airflow's supervisor for the connection through this loop, which needs it before
        # Airflow 3.3
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oss-trigger")
        try:
            return await sync_to_async(self.look, thread_sensitive=False, executor=executor)(hook)
        except OSSTransientError as error:
            if not self.silent_fail:
                raise
            self.log.warning("Looking failed, and is tried again after the next interval: %s", error)
            return None
        finally:
            executor.shutdown(wait=False)
