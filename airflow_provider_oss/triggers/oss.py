"""The triggers of the sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_oss.triggers.base import OSSBaseTrigger
from airflow_provider_oss.watch.keys import KeyWatch, WatchedKeys
from airflow_provider_oss.watch.settling import PrefixWatch, Settling, WatchedPrefix

if TYPE_CHECKING:
    from airflow_provider_oss.hooks.oss import OSSHook


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

    def state(self) -> tuple[str, ...]:
        """Return the names of the arguments."""
        return "watched", "refused"

    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        """Look for all keys."""
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

    def state(self) -> tuple[str, ...]:
        """Return the names of the arguments."""
        return "watched", "settling"

    def look(self, hook: OSSHook) -> dict[str, Any] | None:
        """Look below the prefix, and compare with what was seen before."""
        result = self._watch.look(hook)
        return None if result is None else {"result": result}
