"""Sensors: waiting for objects, and until an upload by others has settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import PokeReturnValue, poke_mode_only

from airflow_provider_oss.sensors.base import OSSBaseSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_oss.watch.keys import WatchedKeys
    from airflow_provider_oss.watch.objects import FoundObject
    from airflow_provider_oss.watch.settling import PrefixWatch


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
    :param modified_after: an object was last changed in this second or later: a datetime with time zone, or its text in
        ISO 8601, such as "{{ data_interval_start }}".
    :param check: called with the list of all objects that count (FoundObject: uri, bucket, key, size, etag,
        last_modified, storage_class) when every key is there; the wait is over when it returns a true value. It runs in
        the worker: of a deferred sensor each time other objects are there than those it was not content with.
    """

    template_fields: Sequence[str] = (
        *OSSBaseSensor.template_fields, "key", "bucket_name", "min_matches", "min_size", "min_age", "modified_after",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: str | Sequence[str],
        bucket_name: str | None = None,
        wildcard_match: bool = False,
        min_matches: int | str = 1,
        min_size: int | str = 0,
        min_age: timedelta | float | str | None = None,
        modified_after: datetime | str | None = None,
        check: Callable[[list[FoundObject]], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.bucket_name = bucket_name
        self.wildcard_match = wildcard_match
        self.min_matches = min_matches
        self.min_size = min_size
        self.min_age = min_age
        self.modified_after = modified_after
        self.check = check
        self._refused: str | None = None

    def look(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature of poke
        """Look for all keys."""
        from airflow_provider_oss.watch.keys import KeyWatch
        from airflow_provider_oss.watch.objects import snapshot

        objects = KeyWatch(self._watched()).look(self.hook)
        if objects is None:
            return PokeReturnValue(is_done=False)
        if self.check is not None and not self.check(list(objects)):
            self._refused = snapshot(objects).digest
            self.log.info("Waiting: check is not content with these %d objects", len(objects))
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=[one.uri for one in objects])

    def conclude(self, context: Context, event: Mapping[str, Any]) -> PokeReturnValue:  # noqa: ARG002
        """Look again, which tells what is there and asks ``check``."""
        return self.poke(context)

    def make_trigger(self, arguments: dict[str, Any]) -> BaseTrigger:
        """Return what waits for the keys."""
        from dataclasses import asdict

        from airflow_provider_oss.triggers.oss import OSSKeyTrigger

        return OSSKeyTrigger(watched=asdict(self._watched()), refused=self._refused, **arguments)

    def _watched(self) -> WatchedKeys:
        from airflow_provider_oss.sensors.arguments import watched_keys

        return watched_keys(
            self.key,
            self.bucket_name,
            wildcard_match=self.wildcard_match,
            min_matches=self.min_matches,
            min_size=self.min_size,
            min_age=self.min_age,
            modified_after=self.modified_after,
        )


@poke_mode_only
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

    def __init__(
        self,
        *,
        prefix: str,
        bucket_name: str | None = None,
        inactivity_period: timedelta | float | str = 60 * 60,
        min_objects: int | str = 1,
        allow_delete: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix
        self.bucket_name = bucket_name
        self.inactivity_period = inactivity_period
        self.min_objects = min_objects
        self.allow_delete = allow_delete

    @cached_property
    def _watch(self) -> PrefixWatch:
        """What looks, and keeps what it has seen: it lives as long as this attempt's process."""
        from airflow_provider_oss.sensors.arguments import watched_prefix
        from airflow_provider_oss.watch.settling import PrefixWatch

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

    def conclude(self, context: Context, event: Mapping[str, Any]) -> PokeReturnValue:  # noqa: ARG002
        """Believe the trigger."""
        return PokeReturnValue(is_done=True, xcom_value=event["result"])

    def make_trigger(self, arguments: dict[str, Any]) -> BaseTrigger:
        """Return what waits on, with what was seen."""
        from dataclasses import asdict

        from airflow_provider_oss.triggers.oss import OSSKeysUnchangedTrigger

        seen = self._watch.settling
        return OSSKeysUnchangedTrigger(
            watched=asdict(self._watch.watched), settling=None if seen is None else seen.stored(), **arguments
        )
