"""
Sensors: waiting for objects, and until an upload by others has settled.

They look once before they wait, in the triggerer or here; OSSBaseSensor also decides how a failure ends the wait.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf, poke_mode_only
from typing_extensions import override

from airflow_provider_oss.limits import MIN_POKE_INTERVAL_SECONDS
from airflow_provider_oss.operators.base import OSSBaseOperator, log_host

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_oss.operators import AirflowSensorKeywords, SensorKeywords
    from airflow_provider_oss.watch import FoundObject, PrefixWatch, WatchedKeys


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

    deferrable: bool

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Unpack[AirflowSensorKeywords]) -> None:
        super().__init__(**kwargs)  # type: ignore[misc]  # what OSSBaseOperator does not know goes on to Airflow's
        if self.poke_interval < MIN_POKE_INTERVAL_SECONDS:
            raise ValueError(
                f"poke_interval={self.poke_interval:g} s is too short: OSS bills every look; give at least "
                f"{MIN_POKE_INTERVAL_SECONDS:g} s"
            )
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self._keep(deferrable=deferrable)

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
        with self.attempt():
            return self.look(context)

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """
        Return how many seconds Airflow is to pause: none where the worker waits, for that is done here.

        Airflow would sleep through ``on_kill``.
        """
        from airflow_provider_oss.cancellation import pause

        seconds = super()._get_next_poke_interval(*args, **kwargs)
        if self.reschedule:
            return seconds
        pause(seconds, self._cancellation.check)
        return 0.0

    def execute(self, context: Context) -> Any:
        """Wait, and return what was found; deferred, look once first."""
        log_host()
        with self._softened():
            # By name: OSSBaseOperator, the first of the bases, has an execute too, and what a sensor does is no work()
            return self._begin(context) if self.deferrable else BaseSensorOperator.execute(self, context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], deadline: float | None = None, try_number: int | None = None
    ) -> Any:
        """
        Return what was found, wait on, or raise what went wrong in the triggerer.

        Without ``deadline``, which ``dag.test()`` of Airflow 2 does not hand on, the timeout begins anew. An event for
        another attempt is none: Airflow 3.0 gives every retry the one that made the attempt before it fail
        (apache/airflow#56704).
        """
        from airflow_provider_oss.triggers.oss import raise_error

        log_host()
        if try_number is not None and try_number != context["ti"].try_number:
            return self._begin(context)
        with self.attempt():
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
        from airflow_provider_oss.shown import Log

        done = self._look_patiently(look)
        if not done:
            self._defer_until(deadline, context["ti"].try_number)
        Log(__name__).info("Success criteria met")
        return done.xcom_value

    def _look_patiently(self, look: Callable[[], PokeReturnValue]) -> PokeReturnValue:
        from airflow_provider_oss.exceptions import OSSTransientError
        from airflow_provider_oss.shown import Log

        try:
            return look()
        except OSSTransientError as error:
            if not self.silent_fail:
                raise
            Log(__name__).warning("Looking failed, and is tried again: %s", error)
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

        from airflow_provider_oss.exceptions import OSSUploadCancelled

        try:
            yield
        except OSSUploadCancelled:
            raise
        except (AirflowSkipException, AirflowRescheduleException):
            self._cancellation.check()  # Airflow makes a skip of a look that was asked to stop
            raise
        except (AirflowFailException, AirflowSensorTimeout) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise


class OSSKeySensor(OSSBaseSensor):
    """
    Waits until all of the given keys are there; returns the ``oss://`` addresses of the objects that were found.

    An object of a key counts when it meets all of ``min_size``, ``min_age`` and ``modified_after``; others are as good
    as not there. For a failure, ``deferrable`` and the arguments of every sensor see OSSBaseSensor.

    :param key: object name or ``oss://bucket/key``, one or several. Templated, like every argument below but ``check``.
    :param bucket_name: bucket; None for the connection's schema.
    :param wildcard_match: let keys have wildcards: ``*`` is any text without a slash, ``?`` one character, ``[ab]`` and
        ``[!ab]`` one of, or none of, these, and a component ``**`` any number of components: ``logs/*.csv`` are objects
        of that level, ``logs/**/*.csv`` those at any depth. All objects whose keys begin with the text before the first
        wildcard are listed at every look. Not templated.
    :param min_matches: objects that every key with wildcards has to match.
    :param min_size: bytes that an object has at least.
    :param min_age: a timedelta, seconds, or ISO 8601 such as ``PT10M``: an object was last changed at least so long
        ago, by this machine's clock.
    :param modified_after: an object was last changed in this second or later: a datetime, or its text in ISO 8601, such
        as "{{ data_interval_start }}" or "{{ ds }}"; UTC where it has no time zone.
    :param check: called with the list of all objects that count (FoundObject: uri, bucket, key, size, etag,
        last_modified, storage_class) when every key is there; the wait is over when it returns a true value. It runs in
        the worker: of a deferred sensor each time other objects are there than those it was not content with.
    """

    template_fields: Sequence[str] = (
        *OSSBaseSensor.template_fields, "key", "bucket_name", "min_matches", "min_size", "min_age", "modified_after",
    )  # fmt: skip

    key: str | Sequence[str]
    bucket_name: str | None
    wildcard_match: bool
    min_matches: int | str
    min_size: int | str
    min_age: timedelta | float | str | None
    modified_after: datetime | str | None
    check: Callable[[list[FoundObject]], Any] | None
    _refused: str | None = None

    def __init__(
        self,
        *,
        key: str | Sequence[str | XComArg] | XComArg,
        bucket_name: str | XComArg | None = None,
        wildcard_match: bool = False,
        min_matches: int | str | XComArg = 1,
        min_size: int | str | XComArg = 0,
        min_age: timedelta | float | str | XComArg | None = None,
        modified_after: datetime | str | XComArg | None = None,
        check: Callable[[list[FoundObject]], Any] | None = None,
        **kwargs: Unpack[SensorKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            key=key,
            bucket_name=bucket_name,
            wildcard_match=wildcard_match,
            min_matches=min_matches,
            min_size=min_size,
            min_age=min_age,
            modified_after=modified_after,
            check=check,
        )

    @override
    def look(self, context: Context) -> PokeReturnValue:
        from airflow_provider_oss.shown import Log
        from airflow_provider_oss.watch import KeyWatch, snapshot

        objects = KeyWatch(self._watched()).look(self.hook)
        if objects is None:
            return PokeReturnValue(is_done=False)
        if self.check is not None and not self._is_content(self.check, objects):
            self._refused = snapshot(objects).digest
            Log(__name__).info("Waiting: check is not content with these %d objects", len(objects))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=[one.uri for one in objects])

    @staticmethod
    def _is_content(check: Callable[[list[FoundObject]], Any], objects: Sequence[FoundObject]) -> bool:
        from airflow_provider_oss.cancellation import interruptible

        with interruptible():
            return bool(check(list(objects)))

    def conclude(self, context: Context, event: Mapping[str, Any]) -> PokeReturnValue:  # noqa: ARG002
        """Look again, which tells what is there and asks ``check``."""
        return self.poke(context)

    @override
    def make_trigger(self, arguments: dict[str, Any]) -> BaseTrigger:
        from dataclasses import asdict

        from airflow_provider_oss.triggers.oss import OSSKeyTrigger

        return OSSKeyTrigger(watched=asdict(self._watched()), refused=self._refused, **arguments)

    def _watched(self) -> WatchedKeys:
        from airflow_provider_oss.watch import watched_keys

        return watched_keys(
            self.key,
            self.bucket_name,
            wildcard_match=self.wildcard_match,
            min_matches=self.min_matches,
            min_size=self.min_size,
            min_age=self.min_age,
            modified_after=self.modified_after,
        )


class OSSKeysUnchangedSensor(OSSBaseSensor):
    """
    Waits until the objects below a prefix have not changed for a while: until an upload by others has settled.

    At each look all of them are listed. They are unchanged when their keys, sizes, ETags and times of the last change
    are the same; what stands for a folder (a key with a slash at its end) does not count. The time begins with the
    first look, whenever the objects were stored. Returns a dict: ``uri`` of the prefix, ``objects`` (their number),
    ``size`` (bytes in all), ``unchanged_since``.

    What was seen lives in the worker or in the trigger, so ``mode="reschedule"``, where every look is a new process, is
    refused: use ``deferrable`` to give the worker slot back. For a failure, ``deferrable`` and the arguments of every
    sensor see OSSBaseSensor.

    :param prefix: prefix, or ``oss://bucket/prefix``; it gets a slash at its end if it has none. "" is the whole
        bucket. Templated, like every argument below but ``allow_delete``.
    :param bucket_name: bucket; None for the connection's schema.
    :param inactivity_period: a timedelta, seconds, or ISO 8601 such as ``PT1H``, without a change.
    :param min_objects: objects that must be there; with fewer the sensor waits however long nothing changes.
    :param allow_delete: True: a deletion is a change like any other. False: it fails the task at once. Between the
        first look and the trigger's first, and across a restart of the triggerer, a deletion is noticed only when
        there are fewer objects than before.
    """

    template_fields: Sequence[str] = (
        *OSSBaseSensor.template_fields, "prefix", "bucket_name", "inactivity_period", "min_objects",
    )  # fmt: skip

    prefix: str
    bucket_name: str | None
    inactivity_period: timedelta | float | str
    min_objects: int | str
    allow_delete: bool

    def __init__(
        self,
        *,
        prefix: str | XComArg,
        bucket_name: str | XComArg | None = None,
        inactivity_period: timedelta | float | str | XComArg = 60 * 60,
        min_objects: int | str | XComArg = 1,
        allow_delete: bool = True,
        **kwargs: Unpack[SensorKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self._keep(
            prefix=prefix,
            bucket_name=bucket_name,
            inactivity_period=inactivity_period,
            min_objects=min_objects,
            allow_delete=allow_delete,
        )

    @cached_property
    def _watch(self) -> PrefixWatch:
        """What looks, and keeps what it has seen: it lives as long as this attempt's process."""
        from airflow_provider_oss.watch import PrefixWatch, watched_prefix

        return PrefixWatch(
            watched_prefix(
                self.prefix,
                self.bucket_name,
                inactivity_period=self.inactivity_period,
                min_objects=self.min_objects,
                allow_delete=self.allow_delete,
            )
        )

    def look(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature of poke
        """Look below the prefix, and compare with what was there before."""
        result = self._watch.look(self.hook)
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    @override
    def conclude(self, context: Context, event: Mapping[str, Any]) -> PokeReturnValue:
        return PokeReturnValue(is_done=True, xcom_value=event["result"])

    @override
    def make_trigger(self, arguments: dict[str, Any]) -> BaseTrigger:
        from dataclasses import asdict

        from airflow_provider_oss.triggers.oss import OSSKeysUnchangedTrigger

        seen = self._watch.settling
        return OSSKeysUnchangedTrigger(
            watched=asdict(self._watch.watched), settling=None if seen is None else seen.stored(), **arguments
        )


# It has no types: as a decorator it would hide the class from pyright
poke_mode_only(OSSKeysUnchangedSensor)
