"""What the sensors share: looking once before waiting, waiting in the triggerer or here, and how a failure ends it."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_oss.operators.base import OSSBaseOperator, failing_at_once
from airflow_provider_oss.watch import MIN_POKE_INTERVAL_SECONDS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

_FAIL: Final = "__fail__"
"""What Airflow resumes a task with that has to fail."""
_TIMED_OUT: Final = frozenset({"Trigger timeout", "Trigger/execution timeout"})
"""Why: in Airflow 3, in Airflow 2."""


class OSSBaseSensor(OSSBaseOperator, BaseSensorOperator):
    """
    Waits for something in OSS, here or, deferred, in the triggerer.

    Only what is not there is waited for. Anything else ends the wait with its reason: at once for good where no retry
    can mend it (wrong secret, no permission, no such bucket, an argument that cannot work), else, after the hook has
    repeated the call, as a failed attempt that Airflow's ``retries`` apply to; ``silent_fail`` goes on waiting then.
    Deferred or not, the first look is made at once and by the worker, ``timeout`` counts from there, and ``soft_fail``
    and ``never_fail`` make of a failure what they do for every sensor of Airflow; ``exponential_backoff`` is only for
    waiting in the worker.

    :param deferrable: wait in the triggerer, which takes no worker slot; None for Airflow's
        ``[operators] default_deferrable``.
    :param poke_interval: seconds (or a timedelta) between two looks, at least 1; 60 if not given.

    For ``oss_conn_id`` and ``region`` see OSSBaseOperator.
    """

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.poke_interval < MIN_POKE_INTERVAL_SECONDS:
            raise ValueError(
                f"poke_interval={self.poke_interval:g} s is too short: OSS bills every look; give at least "
                f"{MIN_POKE_INTERVAL_SECONDS:g} s"
            )
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable

    @abstractmethod
    def look(self, context: Context) -> PokeReturnValue:
        """Look once."""

    @abstractmethod
    def make_trigger(self, arguments: dict[str, Any]) -> BaseTrigger:
        """Return what waits on in the triggerer, from what was seen; ``arguments`` are those of OSSBaseTrigger."""

    @abstractmethod
    def conclude(self, context: Context, event: Mapping[str, Any]) -> PokeReturnValue:
        """Return what the trigger's success means."""

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. What no retry can mend fails the task at once."""
        with failing_at_once():
            return self.look(context)

    def execute(self, context: Context) -> Any:
        """Wait, and return what was found; deferred, look once first."""
        with self._softened():
            return self._begin(context) if self.deferrable else super().execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], deadline: float | None = None, try_number: int | None = None
    ) -> Any:
        """
        Return what was found, wait on, or raise what went wrong in the triggerer.

        Without ``deadline``, which ``dag.test()`` of Airflow 2 does not hand on, the timeout begins anew. An event for
        another attempt is none: Airflow 3.0 gives every retry the one that made the attempt before it fail
        (apache/airflow#56704).
        """
        from airflow_provider_oss.triggers.events import raise_error

        if try_number is not None and try_number != context["ti"].try_number:
            return self._begin(context)
        with failing_at_once():
            raise_error(event)
        if deadline is None:
            deadline = time.time() + self.timeout
        return self._return_or_defer(context, deadline, lambda: self.conclude(context, event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Make of a timeout, and of ``soft_fail``, what is promised: Airflow's versions differ in both."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        with self._softened():
            if next_method == _FAIL and (next_kwargs or {}).get("error") in _TIMED_OUT:
                raise AirflowSensorTimeout(self._too_late())
            return super().resume_execution(next_method, next_kwargs, context)

    def _begin(self, context: Context) -> Any:
        return self._return_or_defer(context, time.time() + self.timeout, lambda: self.poke(context))

    def _return_or_defer(self, context: Context, deadline: float, look: Callable[[], PokeReturnValue]) -> Any:
        done = self._look_patiently(look)
        if not done:
            self._defer_until(deadline, context["ti"].try_number)
        self.log.info("Success criteria met")
        return done.xcom_value

    def _look_patiently(self, look: Callable[[], PokeReturnValue]) -> PokeReturnValue:
        from airflow_provider_oss.exceptions import OSSTransientError

        try:
            return look()
        except OSSTransientError as error:
            if not self.silent_fail:
                raise
            self.log.warning("Looking failed, and is tried again: %s", error)
            return PokeReturnValue(is_done=False)

    def _defer_until(self, deadline: float, try_number: int) -> NoReturn:
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        if (left := deadline - time.time()) <= 0:
            raise AirflowSensorTimeout(self._too_late())
        arguments = {name: getattr(self, name) for name in ("oss_conn_id", "region", "poke_interval", "silent_fail")}
        self.defer(
            trigger=self.make_trigger(arguments),
            method_name="execute_complete",
            kwargs={"deadline": deadline, "try_number": try_number},
            timeout=timedelta(seconds=left),
        )

    def _too_late(self) -> str:
        return f"what is waited for has not come within the timeout of {self.timeout:g} s"

    @contextmanager
    def _softened(self) -> Iterator[None]:
        """Skip where ``soft_fail`` or ``never_fail`` say so, as Airflow's own waiting does."""
        from airflow.exceptions import AirflowRescheduleException
        from airflow.providers.common.compat.sdk import (
            AirflowFailException,
            AirflowSensorTimeout,
            AirflowSkipException,
        )

        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (AirflowFailException, AirflowSensorTimeout) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
