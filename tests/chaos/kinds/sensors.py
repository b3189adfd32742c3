"""Sensors: what they wait for comes while they look, and nothing that goes wrong makes them see it before."""

from __future__ import annotations

import asyncio
import json
import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar
from unittest.mock import patch

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_oss.sensors.oss import OSSKeySensor, OSSKeysUnchangedSensor
from tests.chaos.client import Interference
from tests.chaos.scenario import Scene
from tests.chaos.tasks import TASK_ID
from tests.chaos.transfers import Transfer
from tests.chaos.world import BUCKET, CONN_ID, World, demand

_SHORTLY = 0.01
_LONGEST_SECONDS = 20
"""For a sensor that is told again and again of other keys than there are."""


class _Impatient:
    """Looks again at once; deferred, waits here as the triggerer would, with a trigger that was stored and read."""

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)  # type: ignore[misc]  # of the sensor
        except TaskDeferred as deferral:
            return self._resume(deferral, context)

    def _resume(self, deferral: Any, context: Any) -> Any:
        while True:
            try:
                event = asyncio.run(_event_of(deferral.trigger))
                return self.resume_execution(deferral.method_name, {**deferral.kwargs, "event": event}, context)  # type: ignore[attr-defined]  # of the sensor
            except TaskDeferred as again:
                deferral = again

    def _get_next_poke_interval(self, *_: Any) -> float:
        return _SHORTLY


async def _event_of(trigger: Any) -> Any:
    kind, arguments = type(trigger), json.loads(json.dumps(trigger.serialize()[1]))
    with patch("airflow_provider_oss.triggers.oss.MIN_POKE_INTERVAL_SECONDS", _SHORTLY):
        async with asyncio.timeout(_LONGEST_SECONDS):
            (event,) = [event async for event in kind(**arguments | {"poke_interval": _SHORTLY}).run()]
    return json.loads(json.dumps(event.payload))


class _KeySensor(_Impatient, OSSKeySensor):
    pass


class _UnchangedSensor(_Impatient, OSSKeysUnchangedSensor):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor(Transfer):
    """Objects come one after the other, each before a request; ``deferrable`` waits in the triggerer."""

    deferrable: bool

    continues: ClassVar[bool] = False
    moves_bytes: ClassVar[bool] = False
    comes_before: ClassVar[Mapping[str, int]]
    """What comes, and before which request of the operation that looks."""
    looks_by: ClassVar[str]

    @classmethod
    @contextmanager
    def staged(cls, scene: Scene) -> Iterator[Mapping[str, Any]]:
        yield {"deferrable": scene.random.choice((True, False))}

    def make_source(self, world: World, random: random.Random) -> None:
        """Nothing is read but what is there."""

    def make_old(self, world: World) -> None:
        world.bucket().put_object(f"{self.key}there.csv", b"there")

    def meanwhile(self, world: World) -> Interference:
        looks = count()

        def before(operation: str) -> None:
            if operation != self.looks_by:
                return
            number = next(looks)
            for name in [name for name, comes_before in self.comes_before.items() if comes_before == number]:
                world.put(f"{self.key}{name}", b"it has come")

        return Interference(before=before)

    def hasten(self, world: World) -> None:
        for name in self.comes_before:
            world.put(f"{self.key}{name}", b"it has come")

    def operator(self) -> Any:
        common = {"task_id": TASK_ID, "oss_conn_id": CONN_ID, "deferrable": self.deferrable, "poke_interval": 1}
        return self.sensor(timeout=_LONGEST_SECONDS, **common)

    def goes_unnoticed(self, fault: str, operation: str) -> bool:
        """A listing has no checksum: a key in it may be another one."""
        return (fault, operation) == ("flip-answer", "ListObjectsV2")

    @abstractmethod
    def sensor(self, **common: Any) -> Any:
        """Return the sensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySensor(Sensor):
    """A sensor of one key that is there, one that comes, and a pattern of which another comes."""

    name: ClassVar[str] = "sensor-key"
    calls: ClassVar[tuple[str, ...]] = ("HeadObject", "ListObjectsV2")
    comes_before: ClassVar[Mapping[str, int]] = {"late.csv": 3, "more/late.csv": 5}
    looks_by: ClassVar[str] = "HeadObject"

    def sensor(self, **common: Any) -> Any:
        keys = [f"{self.key}there.csv", f"{self.key}late.csv", f"{self.key}more/*.csv"]
        return _KeySensor(key=keys, wildcard_match=True, **common)

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        there = {f"oss://{BUCKET}/{self.key}{name}" for name in contents}
        demand(contents.keys() == {"there.csv", *self.comes_before}, f"it waits for all, but: {list(contents)}")
        demand(set(result) == there, f"the result tells what is there: {result}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnchangedSensor(Sensor):
    """A sensor of a prefix into which objects still come."""

    name: ClassVar[str] = "sensor-unchanged"
    calls: ClassVar[tuple[str, ...]] = ("ListObjectsV2",)
    comes_before: ClassVar[Mapping[str, int]] = {"late.csv": 1, "later.csv": 2}
    looks_by: ClassVar[str] = "ListObjectsV2"

    def sensor(self, **common: Any) -> Any:
        return _UnchangedSensor(prefix=self.key, inactivity_period=_SHORTLY / 10, min_objects=3, **common)

    def check(self, contents: Mapping[str, bytes], result: Any) -> None:
        demand(len(contents) == 3, f"it waits for all, but: {list(contents)}")
        demand(result["objects"] == 3, f"the result tells what is there: {result}")
