"""A hook that is connected to the local OSS server, and triggers whose pauses are over at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss.triggers.oss import OSSKeysUnchangedTrigger, OSSKeyTrigger
from tests.hooks.conftest import hook, make_hook

__all__ = ["hook", "make_hook"]

ARGUMENTS: dict[str, Any] = {"oss_conn_id": "oss_default", "region": None, "poke_interval": 60.0, "silent_fail": False}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that triggers made: as long as they say they are, they are over at once."""
    made: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    return made


@pytest.fixture
def key_trigger(connect: Callable[..., str]) -> Callable[..., OSSKeyTrigger]:
    """Make a trigger that waits for keys of the local OSS server."""
    connect()

    def make(
        *keys: str, refused: str | None = None, watched: dict[str, Any] | None = None, **arguments: Any
    ) -> OSSKeyTrigger:
        return OSSKeyTrigger(watched={"keys": list(keys)} | (watched or {}), refused=refused, **ARGUMENTS | arguments)

    return make


@pytest.fixture
def unchanged_trigger(connect: Callable[..., str]) -> Callable[..., OSSKeysUnchangedTrigger]:
    """Make a trigger that waits until what is below the prefix ``in`` has settled."""
    connect()

    def make(settling: dict[str, Any] | None = None, **watched: Any) -> OSSKeysUnchangedTrigger:
        fields = {"prefix": "in", "bucket_name": None, "inactivity_period": 3600.0} | watched
        return OSSKeysUnchangedTrigger(watched=fields, settling=settling, **ARGUMENTS)

    return make
