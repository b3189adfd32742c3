"""Running a trigger as Airflow does."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger


def restored(trigger: BaseTrigger) -> BaseTrigger:
    """Return the trigger as another process makes it from what Airflow has stored."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    again: BaseTrigger = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))
    return again


def events_of(trigger: BaseTrigger) -> list[dict[str, Any]]:
    """Run the trigger to its end, as Airflow would read it back from the database; return its events."""

    async def collect() -> list[dict[str, Any]]:
        return [event.payload async for event in restored(trigger).run()]

    return asyncio.run(collect())
