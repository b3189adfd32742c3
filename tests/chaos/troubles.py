"""How each fault of the outcome table is made: in the local OSS server, or by what happens just before a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_oss.emulator import Fault
from tests.chaos.client import Interference
from tests.chaos.outcomes import Call
from tests.chaos.tasks import Job
from tests.chaos.world import TOKEN_LIFE_SECONDS, World

_MIB: Final = 1024 * 1024
_CLOCK_ERROR_SECONDS: Final = 1800.0
_STALL_SECONDS: Final = 0.6
_ENTITIES: Final = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
_BOMB: Final = (
    f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "ha">{_ENTITIES}]><r><UploadId>&e9;</UploadId></r>'.encode()
)

_FAULTS: Final[dict[str, dict[str, Any]]] = {
    "reset": {"reset": "before"},
    "answer-lost": {"reset": "after"},
    "stall": {"stall": True},
    "500": {"status": 500, "code": "InternalError"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "429": {"status": 429, "code": "QpsLimitExceeded"},
    "request-timeout": {"status": 400, "code": "RequestTimeout"},
    "denied": {"status": 403, "code": "AccessDenied"},
    "flip-sent": {"corrupt_request_byte": 7},
    "flip-answer": {"corrupt_response_byte": 41},
    "truncated": {"truncate_response": True},
    "no-xml": {"response_body": b"It works!"},
    "bomb": {"response_body": _BOMB},
    "huge": {"response_body": b"<r>" + b" " * (17 * _MIB) + b"</r>"},
    "not-oss": {"foreign": True},
}

NEEDS_OWN_SERVER: Final = frozenset({"refused", "clock", "expired", "expired-renewed"})
"""These turn the server's clock or close its port."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault at one call of one job."""

    fault: str
    call: Call
    always: bool

    def begin(self, world: World, job: Job) -> Interference:
        """Put the fault in force; return what is to happen around the calls."""
        if self.fault == "stall":
            world.connect(read_timeout=_STALL_SECONDS)
        if self.fault in _FAULTS:
            times = None if self.always else 1
            world.server.faults.add(Fault(operation=self.call.operation, times=times, **_FAULTS[self.fault]))
            return Interference()
        match self.fault:
            case "refused":
                return _Refusal(world, self.call.operation, self.always).interference()
            case "clock":
                return self._clock(world)
            case "gone":
                return self._once(lambda: world.abort_all(job.key))
            case "finished":
                return self._once(lambda: world.finish(job.key, job.path.read_bytes()))
        world.connect(session=1)
        return self._once(lambda: _expire(world, renewed=self.fault == "expired-renewed"))

    def _clock(self, world: World) -> Interference:
        """The clock is off from the beginning, or jumps just before the call."""
        if not self.always:
            return self._once(lambda: world.turn_clock(_CLOCK_ERROR_SECONDS))
        world.turn_clock(_CLOCK_ERROR_SECONDS)
        return Interference()

    def _once(self, act: Callable[[], None]) -> Interference:
        return Interference(before=FirstTime(self.call.operation, act))


def _expire(world: World, *, renewed: bool) -> None:
    world.turn_clock(TOKEN_LIFE_SECONDS + 1)
    if renewed:
        world.connect(session=2)


class FirstTime:
    """Acts before the first call of one operation; others that come meanwhile wait."""

    def __init__(self, operation: str, act: Callable[[], None]) -> None:
        self._operation = operation
        self._act = act
        self._lock = threading.Lock()
        self._done = False

    def __call__(self, operation: str) -> None:
        with self._lock:
            if operation == self._operation and not self._done:
                self._done = True
                self._act()


class _Refusal:
    """Closes the port before the first call of an operation, and opens it after that call, or not at all."""

    def __init__(self, world: World, operation: str, always: bool) -> None:  # noqa: FBT001 - the table's column
        self._world = world
        self._close = FirstTime(operation, world.close)
        self._operation = operation
        self._always = always

    def interference(self) -> Interference:
        return Interference(before=self._close, after=self._open)

    def _open(self, operation: str) -> None:
        if operation == self._operation and not self._always:
            self._world.open()
